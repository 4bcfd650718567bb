"""Symmetric positive matrices as the space GL(n) / O(n): distances, geodesics and means that do not depend on a basis."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.decompositions.base import refuse
from erlangen.groups.membership import looks_cheap, may_look, tolerance
from erlangen.linalg import matrix_exp
from erlangen.linalg.spectral import polar_factors

#: The iteration to a mean ends when a step is this small relative to rounding, at the latest after so many; where values cannot be looked
#: at (in traced and mapped functions), after a fixed number.
SMALL_STEP = 30
MOST_STEPS = 200
TRACED_STEPS = 20


class SPD:
    """The symmetric positive matrices of size n, with the metric that all changes of basis ``S -> A S A^T`` leave as it is.

    ``P = exp X`` of the polar decomposition lies in this space. All functions are batched and differentiable, at equal eigenvalues and at
    equal arguments too. Sources: Pennec, Fillard & Ayache (2006); Arsigny, Fillard, Pennec & Ayache (2007); D. Bini & B. Iannazzo,
    "Computing the Karcher mean of symmetric positive definite matrices", Linear Algebra Appl. 438 (2013).

    Args:
        n: the size, at least 1.

    >>> space = SPD(2)
    >>> round(float(space.distance(torch.eye(2), torch.e * torch.eye(2)).square()), 4)
    2.0
    >>> space.geodesic(torch.eye(2), 4 * torch.eye(2), 0.5).diagonal()
    tensor([2., 2.])
    """

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise ArgumentError("n", "a size of at least 1", repr(n))
        self.n = n

    def distance(self, a: Float[Tensor, "*batch n n"], b: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        """``|log(a^-1/2 b a^-1/2)|``: the root of the summed squared logarithms of the eigenvalues of ``a^-1 b``.

        At equal arguments, where it has no derivative, that is given as 0; its square has all of them as :meth:`squared_distance`.

        Raises:
            ArgumentError: not symmetric positive matrices of this size.
        """
        return _root_or_zero(self.squared_distance(a, b))

    def squared_distance(self, a: Float[Tensor, "*batch n n"], b: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        """The square of :meth:`distance`: smooth everywhere.

        >>> SPD(1).squared_distance(torch.ones(1, 1), torch.full((1, 1), torch.e))
        tensor(1.0000)
        """
        a, b = self._checked(a, "a"), self._checked(b, "b")
        with torch.autocast(a.device.type, enabled=False):
            return _log_between(_root(a), _root(b)).square().sum((-2, -1))

    def geodesic(
        self, a: Float[Tensor, "*batch n n"], b: Float[Tensor, "*batch n n"], t: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n n"]:
        """The point at ``t`` of the geodesic from ``a`` (``t = 0``) to ``b`` (``t = 1``)."""
        a, b = self._checked(a, "a"), self._checked(b, "b")
        with torch.autocast(a.device.type, enabled=False):
            root = _root(a)
            part = torch.as_tensor(t, dtype=a.dtype, device=a.device)[..., None, None]
            return _symmetric(root @ matrix_exp(part * _log_between(root, _root(b))) @ root.mT)

    def mean(
        self, many: Float[Tensor, "*batch k n n"], weights: Float[Tensor, "*batch k"] | None = None
    ) -> Float[Tensor, "*batch n n"]:
        """The matrix of least summed squared distance to ``k`` matrices (Karcher's mean); it moves along under ``S -> A S A^T``.

        Args:
            many: the matrices.
            weights: not negative, of positive sum; equal ones by default.
        """
        many, share = self._checked(many, "many"), self._shares(many, weights)
        with torch.autocast(many.device.type, enabled=False):
            mean, roots = _symmetric((share[..., None, None] * many).sum(-3)), _root(many)
            for _ in range(MOST_STEPS if may_look(many, share) else TRACED_STEPS):
                root = _root(mean)
                logs = _log_between(root.unsqueeze(-3), roots)
                spread = torch.linalg.eigvalsh(logs.detach())
                spread = 0.5 * (spread[..., -1] - spread[..., 0])
                # The second derivative of half the squared distance is between 1 and x coth x, x half of the spread of the logarithms.
                steepest = torch.where(spread > 1e-4, spread / torch.tanh(spread.clamp_min(1e-4)), 1.0)
                step = (share[..., None, None] * logs).sum(-3)
                step = step * (2 / (1 + (share * steepest).sum(-1)))[..., None, None]
                mean = _symmetric(root @ matrix_exp(step) @ root.mT)
                if may_look(step) and bool((step.detach().abs() <= SMALL_STEP * torch.finfo(step.dtype).eps).all()):
                    break
            return mean

    def log_euclidean_mean(
        self, many: Float[Tensor, "*batch k n n"], weights: Float[Tensor, "*batch k"] | None = None
    ) -> Float[Tensor, "*batch n n"]:
        """``exp`` of the mean logarithm: in closed form, and equivariant under rotations and scalings only."""
        many, share = self._checked(many, "many"), self._shares(many, weights)
        with torch.autocast(many.device.type, enabled=False):
            return _symmetric(matrix_exp((share[..., None, None] * _log(_root(many))).sum(-3)))

    def _shares(self, many: Tensor, weights: Tensor | None) -> Tensor:
        if many.ndim < 3 or not many.shape[-3]:
            raise ArgumentError("many", f"at least one matrix, [*batch, k, {self.n}, {self.n}]", f"shape {tuple(many.shape)}")
        if weights is None:
            return many.new_full(many.shape[-3:-2], 1 / many.shape[-3])
        if not isinstance(weights, Tensor) or weights.shape[-1:] != many.shape[-3:-2]:
            got = f"shape {tuple(weights.shape)}" if isinstance(weights, Tensor) else type(weights).__name__
            raise ArgumentError("weights", f"a tensor [*batch, {many.shape[-3]}]", got)
        if looks_cheap(weights) and bool(((weights < 0).any(-1) | ~(weights.sum(-1) > 0) | weights.isinf().any(-1)).any()):
            raise ArgumentError("weights", "finite numbers that are not negative, of positive sum", "others")
        return (weights / weights.sum(-1, keepdim=True)).to(many.dtype)

    def _checked(self, a: Tensor, argument: str) -> Tensor:
        if not isinstance(a, Tensor) or not a.is_floating_point() or a.ndim < 2 or tuple(a.shape[-2:]) != (self.n, self.n):
            got = f"shape {tuple(a.shape)}, {a.dtype}" if isinstance(a, Tensor) else type(a).__name__
            raise ArgumentError(argument, f"real symmetric positive matrices [*batch, {self.n}, {self.n}]", got)
        a = a.to(torch.promote_types(a.dtype, torch.float32))
        if looks_cheap(a):
            value = a.detach()
            refuse(~torch.isfinite(value).flatten(-2).all(-1), argument, "finite numbers", "NaN or infinity")
            off = (value - value.mT).flatten(-2).abs().amax(-1) > tolerance(a, None) * value.flatten(-2).abs().amax(-1)
            refuse(off, argument, "symmetric matrices", "one that is not")
            singular = torch.linalg.cholesky_ex(value).info > 0
            if bool(singular.any()):
                least = torch.linalg.eigvalsh(value)[..., 0]
                refuse(singular, argument, "positive matrices (by more than rounding)", "smallest eigenvalue {}", least)
        return _symmetric(a)

    def __repr__(self) -> str:
        return f"SPD({self.n})"


def _symmetric(a: Tensor) -> Tensor:
    return 0.5 * (a + a.mT)


def _root(a: Tensor) -> Tensor:
    """The lower triangular ``L`` of ``a = L L^T``."""
    return torch.linalg.cholesky_ex(a).L


def _log(root: Tensor) -> Tensor:
    """``log(L L^T)``, by singular values: eigenvalues of the product lose twice the digits."""
    return 2 * polar_factors(root).log_stretch


def _log_between(root: Tensor, other: Tensor) -> Tensor:
    """``log(L^-1 b L^-T)``, which has the logarithms of the eigenvalues of ``a^-1 b`` for ``a = L L^T``, of the root of ``b``."""
    return _log(torch.linalg.solve_triangular(root, other, upper=False))


def _root_or_zero(square: Tensor) -> Tensor:
    none = square == 0
    return torch.where(none, 0.0, torch.where(none, 1.0, square).sqrt())
