"""Orthogonal groups: O(n), SO(n), O(p, q), SO(p, q) (the Lorentz groups), and the isometries of any quadratic form."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.haar import drawn_in_single, haar_o, haar_so, uniform
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import decided_in_single, tolerance
from erlangen.groups.rotation_log import rotation_log
from erlangen.groups.rotations import exp_rotation, log_rotation
from erlangen.groups.size import check_basis

if TYPE_CHECKING:
    from erlangen.reps.base import Rep

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def so_basis(p: int, q: int = 0) -> Tensor:
    """The standard basis of so(p, q), ``[n(n-1)/2, n, n]``: ``E_ji - E_ij``, or a boost ``E_ji + E_ij``, for i < j.

    >>> so_basis(1, 3).shape
    torch.Size([6, 4, 4])
    """
    n = p + q
    check_basis(f"so({p},{q})" if q else f"so({p})", n * (n - 1) // 2, n)
    i, j = torch.triu_indices(n, n, 1)
    plane = torch.arange(len(i))
    basis = torch.zeros(len(i), n, n, dtype=torch.float64)
    basis[plane, j, i] = 1.0
    basis[plane, i, j] = torch.where((i < p) & (j >= p), 1.0, -1.0).to(torch.float64)
    return basis


class FormGroup(MatrixGroup):
    """Linear maps that keep a symmetric form, ``g^T J g = J``: the shared part of the classes below.

    Attributes:
        form: ``J``, ``[n, n]`` in float64.
        signature: ``(p, q)``, the numbers of positive and negative eigenvalues of ``J``.
        is_euclidean: whether the elements are orthogonal matrices.
    """

    form: Tensor
    signature: tuple[int, int]
    is_euclidean: bool
    #: Which components of O(p, q) belong to the group: "all", "det" (determinant one) or "identity".
    _components: str

    def _state(self, form: Tensor, signature: tuple[int, int], components: str) -> None:
        self.form, self.signature, self._components = form, signature, components
        self.is_compact = 0 in signature
        self.is_euclidean = self.is_compact and torch.equal(form, form[0, 0] * torch.eye(self.n, dtype=torch.float64))
        self.measure = "Haar" if self.is_compact else "K A K with K Haar on the compact part and rapidities uniform in [0, scale]"
        if self.n in (2, 3) and self.is_rotations:
            self._scalar_symbol = "ρ0" if self.n == 2 else "0e"
            self._irrep_names = "frequencies such as ρ2" if self.n == 2 else "degrees such as 2e and 1o"

    @property
    def is_rotations(self) -> bool:
        return self.is_euclidean and self.dim == self.n * (self.n - 1) // 2

    @property
    def is_proper(self) -> bool:
        return self._components != "all"

    def inverse(self, g: Tensor) -> Tensor:
        """``J^-1 g^T J``, without solving a linear system."""
        signs = self.form.diagonal().to(g.dtype).to(g.device)
        return g.mT if self.is_compact else g.mT * (signs[:, None] * signs)

    def exp(self, a: Tensor) -> Tensor:
        return exp_rotation(a) if self._is_planar_or_spatial else super().exp(a)

    def log(self, g: Tensor) -> Tensor:
        """Of compact groups, at all angles, half turns included: exp is onto the rotations.

        Raises:
            UnsupportedError: an element is a reflection; for groups that are not compact, also where one has no principal logarithm.
        """
        if not self.is_compact or not self.dim:
            return super().log(g)
        if self._components == "all" and bool((torch.linalg.det(g) < 0).any()):
            raise UnsupportedError(f"{self} has no logarithm of a reflection; it lies in another component than the identity")
        return log_rotation(g) if self._is_planar_or_spatial else rotation_log(g)

    @property
    def _is_planar_or_spatial(self) -> bool:
        return self.is_compact and self.n in (2, 3)

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Whether matrices keep the form, to ``atol`` relative to their squared norm, and lie in the component."""
        self.batch_shape(g)
        form = self.form.to(g.dtype).to(g.device)
        error = (g.mT @ form @ g - form).flatten(-2).abs().amax(-1)
        kept = error <= tolerance(g, atol) * g.flatten(-2).norm(dim=-1).square().clamp_min(1) * form.abs().max()
        if self._components != "all":
            kept = kept & (torch.linalg.det(g) > 0)
        if self._components == "identity" and not self.is_compact:
            kept = kept & (torch.linalg.det(self._standard(g)[..., : self.signature[0], : self.signature[0]]) > 0)
        return kept

    def _standard(self, g: Tensor) -> Tensor:
        """The element in coordinates where the form is diag(+1.., -1..)."""
        return g

    def standard_basis(self) -> Float[Tensor, "n n"]:
        """Columns ``b_i`` with ``b_i^T J b_j = diag(+1.., -1..)``: the coordinate axes, for a standard form."""
        return torch.eye(self.n, dtype=torch.float64)

    def into_component(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
        """Change signs of columns (the images of the standard basis) of isometries so that they lie in this group's components.

        The last positive or last negative column decides orientations, the first ones are kept where the group allows.
        """
        if self._components == "all":
            return g
        p, q = self.signature
        basis = self.standard_basis().to(g.dtype).to(g.device)
        inverse = torch.linalg.inv(basis)
        columns, standard = g @ basis, self._standard(g)
        flips = torch.ones_like(columns[..., 0, :])
        if self._components == "identity" and p and q:
            # Each block keeps its own orientation.
            flips[..., p - 1] = torch.linalg.det(standard[..., :p, :p]).sign()
            flips[..., -1] = torch.linalg.det(standard[..., p:, p:]).sign()
        else:
            flips[..., -1] = torch.linalg.det(g).sign()
        return columns * flips.unsqueeze(-2) @ inverse

    def irrep(self, *label: int) -> Rep:
        """SO(2), O(2): by frequency, ``irrep(k)``; SO(3), O(3): by degree and, for O(3), parity, ``irrep(l, p)``.

        >>> SO(3).irrep(2).dim, O(3).irrep(1, 1), SO(2).irrep(3).dim
        (5, 1e of O(3), 2)
        """
        from erlangen.reps.planar import PlanarIrrep
        from erlangen.reps.spatial import SpatialIrrep

        if not label or self.n not in (2, 3) or not self.is_rotations:
            return super().irrep(*label)
        if label == (0,) or (self.n == 3 and (label == (0, 1) or (label == (0, -1) and self.is_proper))):
            return self.scalar
        return (PlanarIrrep if self.n == 2 else SpatialIrrep)(self, *label)

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        dtype = dtype or torch.get_default_dtype()
        rest: dict[str, Any] = {"generator": generator, "dtype": dtype, "device": device}
        p, q = self.signature
        if self.is_compact:
            return (haar_o if self._components == "all" else haar_so)(self.n, batch, **rest)
        outer, inner = (
            _blocks(haar_so(p, batch, **rest), haar_so(q, batch, **rest)),
            _blocks(haar_so(p, batch, **rest), haar_so(q, batch, **rest)),
        )
        rapidity = scale * uniform((*batch, min(p, q)), **rest)
        boost = torch.diag_embed(torch.ones(*batch, self.n, dtype=dtype, device=device))
        for i in range(min(p, q)):
            cosh, sinh = torch.cosh(rapidity[..., i]), torch.sinh(rapidity[..., i])
            boost[..., i, i], boost[..., p + i, p + i] = cosh, cosh
            boost[..., i, p + i], boost[..., p + i, i] = sinh, sinh
        return self._component(batch, rest) @ outer @ boost @ inner if self._components != "identity" else outer @ boost @ inner

    def _component(self, batch: tuple[int, ...], rest: dict[str, Any]) -> Tensor:
        """A random representative of the group's components: reflections of the first axis of either sign."""
        p, _ = self.signature
        coins = 1 - 2 * torch.round(uniform((*batch, 2), **rest))
        signs = torch.ones(*batch, self.n, dtype=rest["dtype"], device=rest["device"])
        signs[..., 0] = coins[..., 0]
        signs[..., p] = coins[..., 0] if self._components == "det" else coins[..., 1]
        return torch.diag_embed(signs)


class SO(FormGroup):
    """Rotations of ``R^n``, or the special isometries of ``diag(+1 * p, -1 * q)``.

    Args:
        p: number of positive directions (the dimension, when ``q`` is 0).
        q: number of negative directions.
        axis: with ``p = 2``, rotations of ``R^3`` about this axis: ``"x"``, ``"y"``, ``"z"`` or a 3-vector.
        connected: for ``q > 0``, only the component of the identity (of SO(1, 3): no reversal of time), named
            ``SO+(p,q)``.

    Sampling is Haar when ``q`` is 0; otherwise ``K A K`` with rapidities uniform in ``[0, scale]``, so
    ``scale=math.acosh(5)`` gives Lorentz factors up to 5.

    >>> SO(3).dim, SO(1, 3, connected=True), SO(2, axis="z").n
    (3, SO+(1,3), 3)
    >>> g = SO(1, 3).sample(4, dtype=torch.float64)
    >>> bool(SO(1, 3).contains(g).all())
    True
    """

    def __init__(self, p: int, q: int = 0, *, axis: str | Sequence[float] | Tensor | None = None, connected: bool = False) -> None:
        _check_signature(p, q, 1)
        self.axis: tuple[float, float, float] | None = None
        if axis is not None:
            if (p, q) != (2, 0):
                raise ArgumentError("axis", "an axis with SO(2) only", f"SO({p}, {q})")
            self.axis = _unit_axis(axis)
            x, y, z = self.axis
            basis = torch.tensor([[[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]], dtype=torch.float64)
            named = [letter for letter, vector in AXES.items() if vector == self.axis]
            where = named[0] if named else f"({x:.4g}, {y:.4g}, {z:.4g})"
            super().__init__(algebra=LieAlgebra(basis, name=f"so(2) about {where}"), name=f"SO(2) about {where}")
            self._state(torch.eye(3, dtype=torch.float64), (3, 0), "identity")
            return
        components = "identity" if connected or 0 in (p, q) else "det"
        label = f"{p},{q}" if q else f"{p}"
        plus = "+" if q and p and connected else ""
        flips = None if components == "identity" else [_reflection(p + q, 0, p)]
        super().__init__(flips, LieAlgebra(so_basis(p, q), name=f"so({label})"), name=f"SO{plus}({label})")
        self._state(_standard_form(p, q), (p, q), components)

    def equality_key(self) -> Hashable:
        return (self.signature, self._components, self.axis)

    @drawn_in_single
    def sample(self, *batch: int, generator=None, dtype=None, device=None, scale: float = 1.0) -> Tensor:
        if self.axis is None:
            return super().sample(*batch, generator=generator, dtype=dtype, device=device, scale=scale)
        angle = 2 * torch.pi * uniform((*batch, 1), generator, dtype or torch.get_default_dtype(), device)
        return exp_rotation(self.algebra.combine(angle))  # type: ignore[union-attr]

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        kept = super().contains(g, atol)
        if self.axis is not None:
            axis = torch.tensor(self.axis, dtype=g.dtype, device=g.device)
            kept = kept & ((g @ axis - axis).norm(dim=-1) <= tolerance(g, atol))
        return kept


class O(FormGroup):  # noqa: E742 - the group's name
    """Rotations and reflections of ``R^n``, or all isometries of ``diag(+1 * p, -1 * q)``.

    The discrete generators are the reflection of the first axis and, when ``q > 0``, that of the first negative axis
    (for O(1, 3): reversal of time, and of one direction of space).

    >>> O(3).dim, len(O(3).generators), len(O(1, 3).generators)
    (3, 1, 2)
    """

    def __init__(self, p: int, q: int = 0) -> None:
        _check_signature(p, q, 1)
        flips = [_reflection(p + q, 0)] + ([_reflection(p + q, p)] if p and q else [])
        label = f"{p},{q}" if q else f"{p}"
        super().__init__(flips, LieAlgebra(so_basis(p, q), name=f"so({label})"), name=f"O({label})")
        self._state(_standard_form(p, q), (p, q), "all")

    def equality_key(self) -> Hashable:
        return self.signature


class Isometries(FormGroup):
    """The linear maps that keep any non-degenerate symmetric form ``J``, e.g. a metric found in data.

    With ``J = S^T diag(+1.., -1..) S`` its elements are ``S^-1 g S`` with ``g`` in O(p, q); :attr:`to_standard` is
    ``S``.

    Args:
        form: ``J``, ``[n, n]``, real, symmetric, non-degenerate.
        connected: only the component of the identity (the default), or all isometries.

    Raises:
        ArgumentError: ``form`` is not square, not symmetric, or degenerate.

    >>> G = Isometries(torch.diag(torch.tensor([2.0, -1.0, -1.0, -1.0])))
    >>> G.signature, G.dim, bool(G.contains(G.sample(dtype=torch.float64)))
    ((1, 3), 6, True)
    """

    def __init__(self, form: Float[Tensor, "n n"], connected: bool = True) -> None:
        form = torch.as_tensor(form).detach().to(torch.float64).cpu()
        if form.ndim != 2 or form.shape[0] != form.shape[1]:
            raise ArgumentError("form", "a square matrix [n, n]", f"shape {tuple(form.shape)}")
        if not torch.isfinite(form).all() or not torch.allclose(form, form.mT, rtol=0, atol=1e-9 * float(form.abs().max())):
            raise ArgumentError("form", "a finite symmetric matrix", "one that is not")
        form = 0.5 * (form + form.mT)
        stretch, p, q = standard_coordinates(form)
        self.to_standard, self._from_standard = stretch, torch.linalg.inv(stretch)
        self._inverse_form = torch.linalg.inv(form)
        basis = self._from_standard @ so_basis(p, q) @ self.to_standard
        flips = [_reflection(p + q, 0)] + ([_reflection(p + q, p)] if p and q else [])
        flips = [self._from_standard @ flip @ self.to_standard for flip in flips]
        label = f"{p},{q}" if q else f"{p}"
        algebra = LieAlgebra(basis, name=f"so({label}) of a form")
        super().__init__(
            None if connected else flips,
            algebra,
            name=f"{'SO+' if q and p else 'SO'}({label}) of a form" if connected else f"O({label}) of a form",
        )
        self._state(form, (p, q), "identity" if connected else "all")

    def equality_key(self) -> Hashable:
        return (tuple(self.form.flatten().tolist()), self._components)

    def standard_basis(self) -> Float[Tensor, "n n"]:
        return self._from_standard.clone()

    def _standard(self, g: Tensor) -> Tensor:
        return self.to_standard.to(g.dtype).to(g.device) @ g @ self._from_standard.to(g.dtype).to(g.device)

    def inverse(self, g: Tensor) -> Tensor:
        return self._inverse_form.to(g.dtype).to(g.device) @ g.mT @ self.form.to(g.dtype).to(g.device)

    def exp(self, a: Tensor) -> Tensor:
        return super().exp(a) if self.is_euclidean else MatrixGroup.exp(self, a)

    def log(self, g: Tensor) -> Tensor:
        if self.is_euclidean or not self.is_compact:
            return super().log(g) if self.is_euclidean else MatrixGroup.log(self, g)
        there, back = self.to_standard.to(g), self._from_standard.to(g)
        return back @ super().log(there @ g @ back) @ there

    @drawn_in_single
    def sample(self, *batch: int, generator=None, dtype=None, device=None, scale: float = 1.0) -> Tensor:
        g = super().sample(*batch, generator=generator, dtype=torch.float64, device=device, scale=scale)
        return (self._from_standard.to(g.device) @ g @ self.to_standard.to(g.device)).to(dtype or torch.get_default_dtype())


def standard_coordinates(form: Tensor) -> tuple[Tensor, int, int]:
    """``S``, ``p`` and ``q`` with ``form = S^T diag(+1 * p, -1 * q) S`` (Sylvester's law of inertia).

    Raises:
        ArgumentError: the form is degenerate.
    """
    values, vectors = torch.linalg.eigh(form)
    if values.abs().min() <= 1e-10 * values.abs().max():
        # Components in units far apart look degenerate, too: rows are brought to one size, as far as units can do that.
        units = torch.ones_like(values)
        for _ in range(20):
            units /= (form * units * units[:, None]).norm(dim=1).clamp_min(1e-300).sqrt()
        units = 2 ** units.log2().round()
        alike = form * units * units[:, None]
        balanced = torch.linalg.eigvalsh(alike).abs()
        if bool((units == units[0]).all()) or not balanced.min() > 1e-10 * balanced.max():
            raise ArgumentError("form", "a non-degenerate form", f"eigenvalues {[round(v, 12) for v in values.tolist()]}")
        stretch, p, q = standard_coordinates(alike)
        return stretch / units, p, q
    p = int((values > 0).sum())
    order = torch.argsort(values, descending=True)
    if bool((form == torch.diag(form.diagonal())).all()):
        # Keep the user's axes: positive ones first, in the order given.
        values = form.diagonal()
        order = torch.argsort((values < 0).to(torch.int64), stable=True)
        vectors = torch.eye(len(form), dtype=form.dtype)
    return (values.abs().sqrt() * vectors).mT[order].contiguous(), p, len(form) - p


def _standard_form(p: int, q: int) -> Tensor:
    return torch.diag(torch.tensor([1.0] * p + [-1.0] * q, dtype=torch.float64))


def _reflection(n: int, *axes: int) -> Tensor:
    signs = torch.ones(n, dtype=torch.float64)
    signs[list(axes)] = -1.0
    return torch.diag(signs)


def _blocks(a: Tensor, b: Tensor) -> Tensor:
    out = a.new_zeros(*a.shape[:-2], a.shape[-1] + b.shape[-1], a.shape[-1] + b.shape[-1])
    out[..., : a.shape[-1], : a.shape[-1]] = a
    out[..., a.shape[-1] :, a.shape[-1] :] = b
    return out


def _check_signature(p: int, q: int, least: int) -> None:
    for name, value in (("p", p), ("q", q)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ArgumentError(name, "a non-negative dimension", repr(value))
    if p + q < least:
        raise ArgumentError("p", f"a dimension of at least {least}", p + q)


def _unit_axis(axis: str | Sequence[float] | Tensor) -> tuple[float, float, float]:
    if isinstance(axis, str):
        if axis not in AXES:
            raise ArgumentError("axis", "'x', 'y', 'z' or a 3-vector", repr(axis))
        return AXES[axis]
    vector = torch.as_tensor(axis, dtype=torch.float64)
    if vector.shape != (3,) or not torch.isfinite(vector).all() or vector.norm() == 0:
        raise ArgumentError("axis", "'x', 'y', 'z' or a finite non-zero 3-vector", repr(axis))
    x, y, z = (vector / vector.norm()).tolist()
    return (x, y, z)
