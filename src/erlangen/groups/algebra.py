"""`LieAlgebra`: the infinitesimal transformations of a group, as the span of a few matrices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.lasting import Lasting

if TYPE_CHECKING:
    from erlangen.groups.algebra_forms import InvariantForms, Metric
    from erlangen.groups.base import Group
    from erlangen.groups.named_algebras import Named

#: How well a learned algebra must keep a form for it to be its metric (the residual of ``Metric``).
METRIC_TOLERANCE = 0.2
#: Brackets shorter than this (relative to the factors) count as zero.
NO_BRACKET = 1e-12
#: The cosine of an angle with a smaller sine is one to rounding.
NO_ANGLE = 1e-8
#: Unit vectors whose smallest singular value is the root of this are independent: nothing small need be looked for.
CLEARLY_INDEPENDENT = 1e-6


class LieAlgebra(metaclass=Lasting):
    """The span of matrices ``L_1 .. L_k`` in ``R^{n x n}``, with the commutator as bracket.

    The basis is kept as given (it is what a person reads); every question is asked of its span. A span that is *not*
    closed under
    the bracket is allowed, because learned generators are only nearly closed: :meth:`closure_residual` says how far.

    Args:
        basis: ``[k, n, n]``, linearly independent; ``k`` may be 0. :meth:`spanned_by` takes any matrices.
        name: a name for people, e.g. ``"so(3)"``. Two algebras are equal when their bases are; see :meth:`same_span`.

    >>> L = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
    >>> so2 = LieAlgebra(L, name="so(2)")
    >>> so2.dim, so2.n
    (1, 2)
    >>> so2.coordinates(3 * L[0])
    tensor([3.])
    """

    def __init__(self, basis: Float[Tensor, "k n n"], name: str = "") -> None:
        basis = torch.as_tensor(basis)
        if basis.ndim != 3 or basis.shape[-1] != basis.shape[-2]:
            raise ArgumentError("basis", "matrices of shape [k, n, n]", tuple(basis.shape))
        if not torch.isfinite(basis).all():
            raise ArgumentError("basis", "finite numbers", "NaN or infinity")
        self._basis = basis.detach().to(torch.float64).cpu().clone()
        if (rank := _rank(self._basis)) < len(basis):
            raise ArgumentError(
                "basis",
                f"{len(basis)} linearly independent matrices",
                f"a span of {rank}",
                "LieAlgebra.spanned_by drops what others make",
            )
        self.name = name or f"span of {len(basis)} matrices"

    @classmethod
    def spanned_by(cls, matrices: Float[Tensor, "m n n"], name: str = "") -> LieAlgebra:
        """The span of matrices that need not be independent: each that is a combination of earlier ones is left out.

        >>> turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> LieAlgebra.spanned_by(torch.stack([turn, 2 * turn, 0 * turn])).dim
        1
        """
        matrices = torch.as_tensor(matrices)
        kept: list[int] = []
        for i in range(len(matrices)):
            if _rank(matrices[[*kept, i]].detach().to(torch.float64).cpu()) > len(kept):
                kept.append(i)
        return cls(matrices[kept], name)

    @property
    def basis(self) -> Float[Tensor, "k n n"]:
        """The basis in float64 on the CPU."""
        return self._basis

    @property
    def dim(self) -> int:
        """Number of basis matrices ``k``."""
        return self._basis.shape[0]

    @property
    def n(self) -> int:
        """Size of the matrices."""
        return self._basis.shape[-1]

    # ---- coordinates ----

    def combine(self, coefficients: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch n n"]:
        """The algebra elements ``sum_i c_i L_i``, in the dtype and on the device of ``coefficients``."""
        basis = self._basis.to(coefficients.dtype).to(coefficients.device)
        return torch.einsum("...k,kij->...ij", coefficients, basis)

    def coordinates(self, a: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch k"]:
        """Coefficients of the nearest element of the span (least squares in the Frobenius norm)."""
        return a.flatten(-2) @ self._dual.to(a.dtype).to(a.device)

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _dual(self) -> Tensor:
        return torch.linalg.pinv(self._basis.flatten(1))

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _columns(self) -> Tensor:
        """An orthonormal basis of the span, flattened, ``[n^2, r]``."""
        from erlangen.linalg import orthonormal_span

        if not self.dim or not self._basis.any():
            return self._basis.new_zeros(self.n**2, 0)
        rows = self._basis.flatten(1)
        if bool(((rows != 0).sum(0) <= 1).all()):  # no entry is shared: orthogonal as they stand
            return (rows / rows.norm(dim=1, keepdim=True)).mT
        q, r = torch.linalg.qr(self._basis.flatten(1).mT)
        size = r.diagonal().abs()
        if self.dim <= self.n**2 and size.min() > 1e-9 * size.max():
            return q * torch.where(r.diagonal() < 0, -1.0, 1.0)
        return orthonormal_span(self._basis.flatten(1).mT, rtol=1e-9)

    def contains(self, a: Float[Tensor, "*batch n n"], atol: float = 1e-9) -> Tensor:
        """Whether matrices lie in the span, to ``atol`` relative to their norm."""
        residual = (a - self.combine(self.coordinates(a))).flatten(-2).norm(dim=-1)
        return residual <= atol * a.flatten(-2).norm(dim=-1).clamp_min(1)

    def orthonormal(self) -> LieAlgebra:
        """The same span with an orthonormal basis (Gram-Schmidt in the Frobenius norm); what is dependent up to 1e-9 is dropped.

        >>> so2 = LieAlgebra(torch.tensor([[[0.0, -5.0], [5.0, 0.0]]]))
        >>> round(float(so2.orthonormal().basis.norm()), 6)
        1.0
        """
        return LieAlgebra(self._columns.mT.reshape(-1, self.n, self.n), self.name)

    # ---- the bracket ----

    def bracket(self, a: Float[Tensor, "*batch n n"], b: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
        """The commutator ``a b - b a``."""
        return a @ b - b @ a

    def structure_constants(self) -> Float[Tensor, "k k k"]:
        """``c[i, j, l]`` with ``[L_i, L_j] = sum_l c[i, j, l] L_l`` (projected, if the span is not closed)."""
        brackets = self.bracket(self._basis.unsqueeze(1), self._basis.unsqueeze(0))
        return self.coordinates(brackets)

    def killing_form(self) -> Float[Tensor, "k k"]:
        """``tr(ad L_i ad L_j)``: negative definite for the algebra of a compact semisimple group.

        >>> from erlangen.groups import SO
        >>> torch.allclose(SO(3).algebra.killing_form(), -2 * torch.eye(3, dtype=torch.float64))
        True
        """
        c = self.structure_constants()
        return torch.einsum("iab,jba->ij", c, c)

    def adjoint(self, a: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch k k"]:
        """``ad(a)``: the matrix of ``b -> [a, b]`` in the coordinates of the basis."""
        basis = self._basis.to(a.dtype).to(a.device)
        return self.coordinates(self.bracket(a.unsqueeze(-3), basis)).mT

    def conjugation(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch k k"]:
        """``Ad(g)``: the matrix of ``b -> g b g^-1`` in the coordinates of the basis."""
        g = g.unsqueeze(-3)
        moved = torch.linalg.solve(g.mT, (g @ self._basis.to(g.dtype).to(g.device)).mT).mT
        return self.coordinates(moved).mT

    def closure_residual(self) -> float:
        """How far from closed: the largest ``|[L_i, L_j] - its projection| / |[L_i, L_j]|``; 0 when all commute.

        >>> E = torch.zeros(2, 2, 2)
        >>> E[0, 0, 1] = E[1, 1, 0] = 1.0
        >>> LieAlgebra(E).closure_residual()                    # [E01, E10] is diagonal: outside
        1.0
        """
        i, j = torch.triu_indices(self.dim, self.dim, 1)
        brackets = self.bracket(self._basis[i], self._basis[j]).flatten(1)
        norms = self._basis.flatten(1).norm(dim=1)
        size = brackets.norm(dim=1)
        real = size > NO_BRACKET * norms[i] * norms[j]
        if not real.any():
            return 0.0
        brackets = brackets[real]
        outside = brackets - (brackets @ self._columns) @ self._columns.mT
        return float((outside.norm(dim=1) / size[real]).max())

    def closure(self) -> LieAlgebra:
        """The smallest Lie algebra that contains the span, with an orthonormal basis.

        Of generators with noise this is all of gl(n): :meth:`snap` them first.

        >>> E = torch.zeros(2, 2, 2)
        >>> E[0, 0, 1] = E[1, 1, 0] = 1.0
        >>> LieAlgebra(E).closure().dim                         # sl(2)
        3
        """
        from erlangen.linalg import orthonormal_span

        span = self.orthonormal()
        while True:
            i, j = torch.triu_indices(span.dim, span.dim, 1)
            brackets = span.bracket(span.basis[i], span.basis[j]).flatten(1).mT
            outside = brackets - span._columns @ (span._columns.mT @ brackets)
            outside = outside[:, outside.norm(dim=0) > 1e-9]
            if not outside.shape[1]:
                return LieAlgebra(span.basis, f"closure of {self.name}")
            columns = torch.cat([span._columns, orthonormal_span(outside, rtol=1e-9)], 1)
            span = LieAlgebra(columns.mT.reshape(-1, self.n, self.n))

    # ---- comparison ----

    def principal_cosines(self, other: LieAlgebra) -> Float[Tensor, " m"]:
        """Cosines of the principal angles between the two spans, descending, ``[min(dim, other.dim)]``.

        Raises:
            ArgumentError: the matrices have different sizes.

        >>> from erlangen.groups import SO
        >>> SO(3).algebra.principal_cosines(SO(3).algebra)
        tensor([1., 1., 1.], dtype=torch.float64)
        """
        from erlangen.linalg import principal_angles

        if self.n != other.n:
            raise ArgumentError("other", f"an algebra of {self.n} x {self.n} matrices", f"{other.n} x {other.n}")
        if self.same_span(other, NO_ANGLE):
            return self._columns.new_ones(self._columns.shape[1])
        return principal_angles(self._columns, other._columns).cosines

    def same_span(self, other: LieAlgebra, atol: float = 1e-9) -> bool:
        """Whether the two spans are the same subspace: all principal sines below ``atol``."""
        if self.n != other.n or self._columns.shape != other._columns.shape:
            return False
        if torch.equal(self._columns, other._columns):
            return True
        outside = other._columns - self._columns @ (self._columns.mT @ other._columns)
        return bool(torch.linalg.matrix_norm(outside) <= atol)

    def restricted_to(self, span: Float[Tensor, "n r"]) -> LieAlgebra:
        """The algebra as it acts on data that lie in a subspace: ``Q^T L Q`` with ``Q`` an orthonormal basis of
        ``span``.

        Generators are known only up to maps that vanish on the data, so comparisons belong here. Those that vanish
        are dropped.

        Args:
            span: vectors that span the subspace, as columns (e.g. the data's leading singular vectors).

        >>> L = torch.tensor([[[0.0, -1.0, 7.0], [1.0, 0.0, 7.0], [0.0, 0.0, 0.0]]])      # data with x_2 = 0
        >>> LieAlgebra(L).restricted_to(torch.eye(3)[:, :2]).n
        2
        """
        from erlangen.linalg import orthonormal_span

        span = torch.as_tensor(span).detach().to(torch.float64).cpu()
        if span.ndim != 2 or span.shape[0] != self.n:
            raise ArgumentError("span", f"columns [{self.n}, r]", f"shape {tuple(span.shape)}")
        q = orthonormal_span(span)
        inside = q.mT @ self._basis @ q
        columns = orthonormal_span(inside.flatten(1).mT, rtol=1e-9) if bool(inside.any()) else inside.new_zeros(q.shape[1] ** 2, 0)
        if columns.shape[1] < len(inside):
            inside = columns.mT.reshape(-1, q.shape[1], q.shape[1])
        return LieAlgebra(inside, f"{self.name} on a subspace")

    # ---- forms and names ----

    def invariant_forms(self, symmetric: bool = True, tolerance: float = 1e-8) -> InvariantForms:
        """The bilinear forms ``J`` (symmetric, or antisymmetric) with ``L^T J + J L = 0`` for all of the algebra.

        The null space of ``J -> (L_i^T J + J L_i)_i`` on an orthonormal basis of Sym(n) or Alt(n), in closed form;
        with the whole spectrum, for learned algebras keep a form only nearly. Source: Yang et al. (2023),
        arXiv:2302.00236, whose optimisation of the same quantity this replaces.

        Args:
            symmetric: symmetric forms (metrics), or antisymmetric ones (symplectic forms).
            tolerance: forms with a singular value below this part of the norm of the basis are kept.

        >>> from erlangen.groups import SO
        >>> SO(3).algebra.invariant_forms().forms[0].diagonal().abs()
        tensor([0.5774, 0.5774, 0.5774], dtype=torch.float64)
        """
        from erlangen.groups.algebra_forms import invariant_forms

        return invariant_forms(self._basis, symmetric, tolerance)

    def metric(self, tolerance: float = METRIC_TOLERANCE, conformal: bool = False) -> Metric:
        """The symmetric form that the algebra keeps best; falsy when it is not within ``tolerance`` or degenerate.

        Args:
            tolerance: how large the form's residual may be, relative to the norm of the basis.
            conformal: a form kept up to scale will do: dilations are taken out of the generators first.

        >>> from erlangen.groups.linear import SL
        >>> from erlangen.groups.orthogonal import SO
        >>> SO(1, 3).algebra.metric().form.diagonal()
        tensor([ 0.5000, -0.5000, -0.5000, -0.5000], dtype=torch.float64)
        >>> bool(SL(2).algebra.metric())
        False
        """
        from erlangen.groups.algebra_forms import best_metric, invariant_forms

        basis = self._basis
        if conformal:
            trace = basis.diagonal(dim1=-2, dim2=-1).mean(-1)
            basis = basis - trace[:, None, None] * torch.eye(self.n, dtype=torch.float64)
        return best_metric(invariant_forms(basis), tolerance)

    def nearest_named(self) -> Named:
        """The nearest algebra with a name; see :func:`erlangen.groups.named_algebras.nearest_named`."""
        from erlangen.groups.named_algebras import nearest_named

        return nearest_named(self)

    def snap(self, name: str | None = None) -> LieAlgebra:
        """The nearest exact algebra, of the given name or of the nearest one.

        Raises:
            ArgumentError: no algebra of ``n x n`` matrices has this name; the message lists those that do.

        >>> from erlangen.groups import SO
        >>> noise = 0.02 * torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(0))
        >>> LieAlgebra(SO(3).algebra.basis + noise).snap()
        so(3)
        """
        from erlangen.groups.named_algebras import nearest_named

        return nearest_named(self, name).algebra

    def group(self) -> Group:
        """The connected group: the named one where the span is that of a named algebra, else a :class:`MatrixGroup`.

        >>> from erlangen.groups import SO
        >>> SO(1, 3).algebra.group()
        SO+(1,3)
        """
        from erlangen.groups.matrix import MatrixGroup

        named = self.nearest_named()
        return named.group if self.same_span(named.algebra, 1e-6) else MatrixGroup(algebra=self, name=f"group of {self.name}")

    # ---- values ----

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LieAlgebra) and torch.equal(self._basis, other._basis)

    def __hash__(self) -> int:
        return hash((tuple(self._basis.shape), tuple(self._basis.flatten().tolist())))

    def __repr__(self) -> str:
        return self.name


def _rank(basis: Tensor) -> int:
    """How many of some matrices are linearly independent, to rounding relative to each one's size."""
    rows = basis.flatten(1)
    used = rows != 0
    # Each has an entry to itself, as in every basis of matrix units: no need to look further.
    if bool((used & (used.sum(0) == 1)).any(1).all()):
        return len(rows)
    size = rows.norm(dim=1)
    if not bool(size.any()):
        return 0
    rows = rows[size > 0] / size[size > 0, None]
    gram = rows @ rows.mT
    gram.diagonal().sub_(CLEARLY_INDEPENDENT)
    if len(rows) <= rows.shape[1] and not int(torch.linalg.cholesky_ex(gram).info):
        return len(rows)
    return int(torch.linalg.matrix_rank(rows, rtol=1e-11))
