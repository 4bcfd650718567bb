"""Symmetric positive matrices as the space GL(n) / O(n): distances, geodesics and means that do not depend on a basis."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.decompositions.base import refuse
from erlangen.groups.membership import looks_cheap, may_look, tolerance
from erlangen.linalg import matrix_exp
from erlangen.linalg.spectral import log_positive

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

        At equal arguments, where it has no derivative, that is given as 0.

        Raises:
            ArgumentError: not symmetric positive matrices of this size.
        """
        a, b = self._checked(a, "a"), self._checked(b, "b")
        with torch.autocast(a.device.type, enabled=False):
            return _length(log_positive(_whitened(torch.linalg.cholesky_ex(a).L, b)))

    def geodesic(
        self, a: Float[Tensor, "*batch n n"], b: Float[Tensor, "*batch n n"], t: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n n"]:
        """The point at ``t`` of the geodesic from ``a`` (``t = 0``) to ``b`` (``t = 1``)."""
        a, b = self._checked(a, "a"), self._checked(b, "b")
        with torch.autocast(a.device.type, enabled=False):
            root = torch.linalg.cholesky_ex(a).L
            part = torch.as_tensor(t, dtype=a.dtype, device=a.device)[..., None, None]
            return _symmetric(root @ matrix_exp(part * log_positive(_whitened(root, b))) @ root.mT)

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
            mean = _symmetric((share[..., None, None] * many).sum(-3))
            for _ in range(MOST_STEPS if may_look(many, share) else TRACED_STEPS):
                root = torch.linalg.cholesky_ex(mean).L
                logs = log_positive(_whitened(root.unsqueeze(-3), many))
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
            return _symmetric(matrix_exp((share[..., None, None] * log_positive(many)).sum(-3)))

    def _shares(self, many: Tensor, weights: Tensor | None) -> Tensor:
        if many.ndim < 3 or not many.shape[-3]:
            raise ArgumentError("many", f"at least one matrix, [*batch, k, {self.n}, {self.n}]", f"shape {tuple(many.shape)}")
        if weights is None:
            return many.new_full(many.shape[-3:-2], 1 / many.shape[-3])
        if weights.shape[-1:] != many.shape[-3:-2]:
            raise ArgumentError("weights", f"[*batch, {many.shape[-3]}]", f"shape {tuple(weights.shape)}")
        if looks_cheap(weights) and bool(((weights < 0).any(-1) | ~(weights.sum(-1) > 0)).any()):
            raise ArgumentError("weights", "numbers that are not negative, of positive sum", "others")
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
            least = torch.linalg.eigvalsh(value)[..., 0]
            refuse(least <= 0, argument, "positive matrices", "smallest eigenvalue {}", least)
        return _symmetric(a)

    def __repr__(self) -> str:
        return f"SPD({self.n})"


def _symmetric(a: Tensor) -> Tensor:
    return 0.5 * (a + a.mT)


def _whitened(root: Tensor, b: Tensor) -> Tensor:
    """``L^-1 b L^-T``, which has the eigenvalues of ``a^-1 b`` for ``a = L L^T``."""
    half = torch.linalg.solve_triangular(root, b, upper=False)
    return torch.linalg.solve_triangular(root, half.mT, upper=False)


def _length(x: Tensor) -> Tensor:
    square = x.square().sum((-2, -1))
    return torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
