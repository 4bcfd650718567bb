"""Symmetric matrices that commute with given ones, or that they keep as a form: null spaces on a(a+1)/2 unknowns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.linalg import cut

Equation = Literal["commuting", "kept"]

#: Below this part of the largest, a singular value found from squares is found again without squaring.
POLISHED = 1e-3


@dataclass(frozen=True)
class SymmetricSolutions:
    """A space of symmetric matrices.

    Attributes:
        basis: orthonormal, ``[k, a, a]`` in float64.
        size: ``a``.
        gap: the smallest singular value of the equations that counts over the largest that does not.
        tolerance: the size of errors: rounding, or the noise of the matrices.
        scale: the largest singular value, a root mean square over the matrices.
    """

    basis: Float[Tensor, "k a a"]
    size: int
    gap: float
    tolerance: float
    scale: float

    @property
    def dim(self) -> int:
        return len(self.basis)

    def combine(self, weights: Float[Tensor, " k"]) -> Float[Tensor, "a a"]:
        """A member of the space."""
        return torch.tensordot(weights, self.basis, 1)

    def project(self, x: Float[Tensor, "a a"]) -> Float[Tensor, "a a"]:
        """The member nearest to ``x``."""
        return self.combine((self.basis * x).sum((1, 2)))


def symmetric_solutions(
    matrices: Float[Tensor, "n a a"], equation: Equation, *, dim: int | None = None, noisy: bool | None = None, floor: float = 0.02
) -> SymmetricSolutions:
    """All symmetric ``X`` with ``M X = X M`` (``"commuting"``), or with ``M^T X M = X`` (``"kept"``), for every ``M`` of a stack.

    The squares of the equations are sums of Kronecker products, so their matrix costs one product ``[a^2, n] [n, a^2]``; the small
    singular values are then computed again from the equations themselves, which gives back the digits that squaring lost.

    Args:
        matrices: in float64.
        equation: which.
        dim: take this many directions, those that solve best.
        noisy: see :func:`erlangen.reps.block_diagonalize`.
        floor: singular values below this part of the largest are not compared, where matrices are noisy.

    >>> turn = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    >>> symmetric_solutions(turn, "commuting").dim
    1
    """
    n, a = matrices.shape[0], matrices.shape[-1]
    lift = _symmetric_basis(a)
    gram = _on_symmetric(_squares(matrices, equation), a) / n
    values, vectors = torch.linalg.eigh((gram + gram.mT) / 2)
    singular = values.clamp_min(0).sqrt()
    scale = float(singular[-1]) if float(singular[-1]) > 1e-7 else 1.0
    low = singular <= max(POLISHED * scale, 1e-7)
    if bool(low.any()):
        candidates = (lift @ vectors[:, low]).mT.unflatten(1, (a, a))
        told = _residuals(matrices, candidates, equation).flatten(1).mT / n**0.5
        _, exact, mix = torch.linalg.svd(torch.linalg.qr(told, mode="r").R)
        exact = torch.cat([exact, exact.new_zeros(int(low.sum()) - len(exact))])
        singular = torch.cat([exact.flip(0), singular[~low]])
        vectors = torch.cat([vectors[:, low] @ mix.mT.flip(1), vectors[:, ~low]], 1)
    # The identity commutes with everything, noisy or not: by itself it says nothing about rounding.
    certain = 2 if equation == "commuting" else 1
    kept, gap, tolerance = _decide(singular, scale, (n * a * a, len(singular)), dim, noisy, floor, certain)
    basis = (lift @ vectors[:, :kept]).mT.unflatten(1, (a, a))
    return SymmetricSolutions((basis + basis.mT) / 2, a, gap, tolerance, scale)


def invariant_forms(before: Float[Tensor, "n a"], after: Float[Tensor, "n a"], *, floor: float = 0.02) -> SymmetricSolutions:
    """All symmetric ``X`` with ``y^T X y = x^T X x`` for pairs of vectors: the quadratic invariants of motions seen only on pairs.

    Each pair may have a motion of its own, and one is not enough to tell it; but each is a linear equation in ``X``.

    Args:
        before, after: the pairs, in float64; more of them than ``a (a + 1) / 2``.
        floor: see :func:`symmetric_solutions`.

    Raises:
        ArgumentError: too few pairs.

    >>> from erlangen.groups import SO
    >>> x = torch.randn(40, 3, dtype=torch.float64)
    >>> invariant_forms(x, SO(3).vector.act(SO(3).sample(40, dtype=torch.float64), x)).dim      # the length
    1
    """
    a = before.shape[-1]
    i, j = torch.triu_indices(a, a)
    if len(before) <= len(i):
        raise ArgumentError("before", f"more than {len(i)} pairs for {a} coordinates", len(before))
    size = torch.where(i == j, 1.0, 2**0.5).to(before)
    equations = (after[:, i] * after[:, j] - before[:, i] * before[:, j]) * size / len(before) ** 0.5
    _, singular, vh = torch.linalg.svd(torch.linalg.qr(equations, mode="r").R)
    lift = _symmetric_basis(a)
    scale = float(singular[0]) if float(singular[0]) > 1e-7 else 1.0
    kept, gap, tolerance = _decide(singular.flip(0), scale, (len(before), len(i)), None, None, floor, 1)
    return SymmetricSolutions((lift @ vh.flip(0)[:kept].mT).mT.unflatten(1, (a, a)), a, gap, tolerance, scale)


def _decide(
    ascending: Tensor, scale: float, shape: tuple[int, int], dim: int | None, noisy: bool | None, floor: float, certain: int
) -> tuple[int, float, float]:
    """How many are zero, how clearly, and the size of what was taken as zero."""
    count = len(ascending)
    if dim is None and noisy is not True:
        exact = cut(ascending.flip(0), shape=shape, eps=2.2e-16, scale=scale)
        if noisy is False or (exact.clear and count - exact.rank >= certain):
            return count - exact.rank, exact.gap, 1e-9
    clamped = torch.cat([ascending, ascending.new_tensor([scale])]).clamp_min(floor * scale)
    ratios = clamped[1:] / clamped[:-1]
    # More than a third of the largest is signal, whatever comes after it.
    ratios = torch.where(ascending < 0.35 * scale, ratios, torch.zeros_like(ratios))
    kept = dim if dim is not None else int(ratios.argmax()) + 1
    if not 0 <= kept <= count:
        raise ArgumentError("dim", f"a number from 0 to {count}", kept)
    if kept == 0:
        return 0, float("inf"), 1e-9
    largest = float(ascending[kept - 1]) / scale
    gap = float(ascending[kept]) / max(largest * scale, 1e-300) if kept < count else float("inf")
    return kept, gap, max(largest, 1e-9)


def _symmetric_basis(a: int) -> Tensor:
    """Orthonormal basis of symmetric matrices as columns, ``[a^2, a (a + 1) / 2]``."""
    i, j = torch.triu_indices(a, a)
    column = torch.arange(len(i))
    lift = torch.zeros(a * a, len(i), dtype=torch.float64)
    size = torch.where(i == j, 1.0, 0.5**0.5).to(torch.float64)
    lift[i * a + j, column] = size
    lift[j * a + i, column] = size
    return lift


def _on_symmetric(form: Tensor, a: int) -> Tensor:
    """A quadratic form on ``vec(X)`` in the basis of :func:`_symmetric_basis`, whose columns have two entries: ``B^T F B``."""
    i, j = torch.triu_indices(a, a)
    here, there = i * a + j, j * a + i
    size = torch.where(i == j, 0.5, 0.5**0.5).to(form)  # what lies on the diagonal is met twice
    rows = size[:, None] * (form[here] + form[there])
    return (rows[:, here] + rows[:, there]) * size


def _squares(matrices: Tensor, equation: Equation) -> Tensor:
    """The sum over all matrices of the squared equations, as a quadratic form on ``vec(X)``."""
    a = matrices.shape[-1]
    eye = torch.eye(a, dtype=matrices.dtype)
    across = _kron_sum(matrices, matrices)
    if equation == "commuting":  # |MX - XM|^2, with vec(MX) = (M x 1) vec X and vec(XM) = (1 x M^T) vec X
        left, right = (matrices.mT @ matrices).sum(0), (matrices @ matrices.mT).sum(0)
        mixed = _kron_sum(matrices.mT, matrices.mT)
        return torch.kron(left, eye) + torch.kron(eye, right) - across - mixed
    outer = matrices @ matrices.mT  # |M^T X M - X|^2
    return _kron_sum(outer, outer) + len(matrices) * torch.eye(a * a, dtype=matrices.dtype) - across - across.mT


def _kron_sum(x: Tensor, y: Tensor) -> Tensor:
    """The sum of ``x_i`` (Kronecker) ``y_i``."""
    a = x.shape[-1]
    return (x.flatten(1).mT @ y.flatten(1)).reshape(a, a, a, a).permute(0, 2, 1, 3).reshape(a * a, a * a)


def _residuals(matrices: Tensor, candidates: Tensor, equation: Equation) -> Tensor:
    """What the equations leave of each candidate, ``[k, n, a, a]``."""
    x = candidates.unsqueeze(1)
    return matrices @ x - x @ matrices if equation == "commuting" else matrices.mT @ x @ matrices - x
