"""Relative invariants, which dilations multiply by a power of theirs, and their ratios, which nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.linalg import null_space
from erlangen.maps.invariants.tensors import RELATIVE, Moves, derived

#: Weights nearer to each other are one.
SAME = 1e-6


def split_dilations(moves: Sequence[Moves]) -> tuple[list[Moves], list[Moves]]:
    """The moves of the derived algebra (and the discrete elements), and those of a complement, by which relative invariants may grow."""
    k = len(moves[0].algebra)
    flat = torch.cat([m.algebra.flatten(1) for m in moves], 1)
    i, j = torch.triu_indices(k, k, 1)
    brackets = torch.cat([(m.algebra[i] @ m.algebra[j] - m.algebra[j] @ m.algebra[i]).flatten(1) for m in moves], 1)
    coefficients = brackets @ torch.linalg.pinv(flat)
    _, values, right = torch.linalg.svd(coefficients, full_matrices=True)
    rank = int((values > RELATIVE * max(1.0, float(values.max()) if len(values) else 0.0)).sum())
    return [m.mixed(right[:rank]) for m in moves], [m.mixed(right[rank:]) for m in moves]


def weight_spaces(tensors: Tensor, slots: Sequence[Moves]) -> list[tuple[tuple[float, ...], Tensor]]:
    """Subspaces of tensors that every generator of the slots multiplies by a real number, with these numbers.

    Args:
        tensors: orthonormal, ``[s, n_1, .. n_d]``, a span that the generators, which commute on it, do not leave.
        slots: how each argument moves.
    """
    flat, count = tensors.flatten(1), len(slots[0].algebra)
    acting = [derived(tensors, [slot.algebra[k] for slot in slots]).flatten(1) @ flat.mT for k in range(count)]
    if not len(tensors) or not acting:
        return []
    mixture = sum((a / (i + 1.37) for i, a in enumerate(acting)), torch.zeros_like(acting[0]))
    size = max([1.0, *(float(torch.linalg.matrix_norm(a, 2)) for a in acting)])
    found = []
    for value in _clusters(torch.linalg.eigvals(mixture), 1e-2 * size):
        space = null_space(mixture.mT - value * torch.eye(len(mixture), dtype=torch.float64), rtol=RELATIVE, scale=size).basis.mT
        if not len(space):
            continue
        weights = [float((space @ a @ space.mT).diagonal().mean()) for a in acting]
        if all(float((space @ a - w * space).abs().max()) < RELATIVE * size for a, w in zip(acting, weights)):
            found.append((tuple(weights), (space @ flat).reshape(-1, *tensors.shape[1:])))
    return found


def _clusters(values: Tensor, gap: float) -> list[float]:
    """The means of real eigenvalues that lie together: what rounding makes of one whose vectors are too few has that as its mean."""
    ordered = values[values.imag.abs() < gap].real.sort().values
    cuts = (ordered.diff() > gap).nonzero().flatten() + 1
    return [float(part.mean()) for part in ordered.tensor_split(cuts.tolist()) if len(part)]


@dataclass(frozen=True)
class Ratios:
    """Columns divided by powers of sizes, one for each independent dilation.

    The size of a dilation is made of all columns whose weights are multiples of each other: the root of the sum of their squares, those
    of larger weight first brought to the smallest.

    Attributes:
        members: for each size, which columns make it up, and the powers of their absolute values that are summed.
        powers: of each size in each column, ``[k, r]``.
    """

    members: tuple[tuple[Tensor, Tensor], ...]
    powers: Tensor

    @classmethod
    def of(cls, weights: Float[Tensor, "k r"]) -> Ratios:
        """The ratios of columns with these weights."""
        size = weights.norm(dim=1)
        grows = size > SAME
        rays = weights / size.clamp_min(SAME).unsqueeze(1)
        directions: list[Tensor] = []
        for ray in rays[grows]:
            basis = torch.stack([*directions, ray])
            if int(torch.linalg.matrix_rank(basis, rtol=1e-4)) == len(basis):
                directions.append(ray)
        members, units = [], []
        for ray in directions:
            columns = (grows & ((rays - ray).abs().amax(1) < 1e-4)).nonzero().squeeze(1)
            least = size[columns].min()
            members.append((columns, 2 * least / size[columns]))
            units.append(least * ray)
        return cls(tuple(members), weights @ torch.linalg.pinv(torch.stack(units)) if units else weights[:, :0])

    def __call__(self, p: Float[Tensor, "B k"]) -> Float[Tensor, "B k"]:
        """The columns, divided."""
        return torch.where(p == 0, p, p * torch.exp(-self.growth(p)))

    def growth(self, p: Float[Tensor, "B k"]) -> Float[Tensor, "B k"]:
        """The logarithm of what each column is divided by."""
        logs = p.abs().clamp_min(torch.finfo(p.dtype).tiny).log()
        grown = torch.zeros_like(p)
        for i, (columns, powers) in enumerate(self.members):
            size = 0.5 * torch.logsumexp(powers.to(p) * logs[:, columns.to(p.device)], 1, keepdim=True)
            grown = grown + size * self.powers[:, i].to(p)
        return grown
