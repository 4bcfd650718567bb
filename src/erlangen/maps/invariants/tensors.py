"""Tensors that a group leaves unchanged, slot by slot, and what of them is new in each degree."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.linalg import null_space, orthonormal_span

#: Tensors of more coefficients are not looked for.
LARGEST = 1300
#: Singular values below this part of the largest possible one are zero.
RELATIVE = 1e-8


@dataclass(frozen=True)
class Moves:
    """How a group moves one kind of vector.

    Attributes:
        algebra: generators of the connected part, ``[k, n, n]`` in float64.
        discrete: further elements, ``[m, n, n]`` in float64.
    """

    algebra: Tensor
    discrete: Tensor

    @property
    def n(self) -> int:
        """The dimension of the vectors."""
        return self.algebra.shape[-1]

    @property
    def dual(self) -> Moves:
        """How linear functions of the vectors move."""
        return Moves(-self.algebra.mT, torch.linalg.inv(self.discrete).mT)

    def mixed(self, coefficients: Float[Tensor, "r k"]) -> Moves:
        """The same with other generators, combinations of these."""
        return Moves(torch.einsum("rk,kij->rij", coefficients, self.algebra), self.discrete)


@dataclass(frozen=True)
class Family:
    """Invariant tensors of one degree.

    Attributes:
        kinds: of the slots: which kind of vector each receives; sorted.
        tensors: ``[s, n_1, .. n_d]``, a span that permutations of slots of one kind do not leave.
        weight: by which factor of each dilation's parameter values grow, ``[r]``; empty for invariants proper.
    """

    kinds: tuple[int, ...]
    tensors: Tensor
    weight: tuple[float, ...] = ()


def derived(tensors: Tensor, generators: Sequence[Tensor]) -> Tensor:
    """The derivative of tensors ``[s, n_1, .. n_d]`` along one generator for each slot."""
    total = torch.zeros_like(tensors)
    for axis, a in enumerate(generators, start=1):
        total = total + torch.tensordot(tensors, a, ([axis], [0])).movedim(-1, axis)
    return total


def moved(tensors: Tensor, elements: Sequence[Tensor]) -> Tensor:
    """Tensors ``[s, n_1, .. n_d]`` with one matrix put before each slot."""
    for axis, h in enumerate(elements, start=1):
        tensors = torch.tensordot(tensors, h, ([axis], [0])).movedim(-1, axis)
    return tensors


def invariant_tensors(slots: Sequence[Moves]) -> Tensor | None:
    """A basis ``[s, n_1, .. n_d]`` of the tensors ``T`` with ``T(g v_1, .. g v_d) = T(v_1, .. v_d)``, orthonormal, in float64.

    Args:
        slots: how each argument moves, under the same generators.

    Returns:
        The basis; ``None`` where there would be more than 1300 coefficients.

    >>> turn = Moves(torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64), torch.zeros(0, 2, 2, dtype=torch.float64))
    >>> len(invariant_tensors([turn] * 2)), len(invariant_tensors([turn] * 3)), len(invariant_tensors([turn] * 4))
    (2, 0, 6)
    """
    sizes = [slot.n for slot in slots]
    count = int(torch.tensor(sizes).prod())
    if count > LARGEST:
        return None
    every = torch.eye(count, dtype=torch.float64).reshape(count, *sizes)
    blocks = []
    for k in range(len(slots[0].algebra)):
        block = derived(every, [slot.algebra[k] for slot in slots])
        blocks.append(block / (max(float(slot.algebra[k].norm()) for slot in slots) or 1.0))
    for m in range(len(slots[0].discrete)):
        block = moved(every, [slot.discrete[m] for slot in slots]) - every
        blocks.append(block / block.abs().max().clamp_min(1))
    if not blocks:
        return every
    rows = torch.cat([block.flatten(1).mT for block in blocks])
    return null_space(rows, rtol=RELATIVE, scale=float(len(slots))).basis.mT.reshape(-1, *sizes)


def products(parts: Sequence[Family], kinds: tuple[int, ...], weight: tuple[float, ...] = ()) -> Tensor | None:
    """All products of two families of lower degree whose slots are of these kinds together, in all orders of slots.

    Args:
        parts: families, all tensors of each degree.
        kinds: of the slots of the product.
        weight: of the product.
    """
    found = []
    for a, b in itertools.product(parts, repeat=2):
        adds = all(abs(u + v - w) < 1e-4 for u, v, w in zip(a.weight, b.weight, weight))
        if sorted(a.kinds + b.kinds) != sorted(kinds) or not adds or not len(a.tensors) or not len(b.tensors):
            continue
        both = torch.einsum("sx,ty->stxy", a.tensors.flatten(1), b.tensors.flatten(1))
        both = both.reshape(-1, *a.tensors.shape[1:], *b.tensors.shape[1:])
        order = a.kinds + b.kinds
        for places in itertools.permutations(range(len(kinds))):
            if tuple(order[p] for p in places) == kinds:
                found.append(both.permute(0, *(1 + p for p in places)))
    return torch.cat(found) if found else None


def indecomposable(tensors: Tensor, lower: Tensor | None) -> Tensor:
    """The part of a span of tensors that is orthogonal to products of lower ones."""
    if lower is None or not len(tensors):
        return tensors
    columns = orthonormal_span(lower.flatten(1).mT, rtol=RELATIVE)
    flat = tensors.flatten(1)
    rest = flat - flat @ columns @ columns.mT
    return spanning(rest).reshape(-1, *tensors.shape[1:])


def spanning(rows: Float[Tensor, "s size"]) -> Float[Tensor, "r size"]:
    """A basis of the span of orthonormal or shorter rows; what is below 1e-6 is rounding."""
    if not rows.numel():
        return rows
    _, values, right = torch.linalg.svd(rows, full_matrices=False)
    return right[values > 1e-6]


def symmetrised(tensors: Tensor, pattern: Sequence[Sequence[int]]) -> Tensor:
    """Tensors made symmetric in slots that receive the same vector, and a plain basis of what is left.

    Args:
        tensors: a span ``[s, n_1, .. n_d]`` that permutations of slots of one kind do not leave; with more axes in front, of tensors whose
            values are vectors.
        pattern: groups of slots, each of which receives one vector.
    """
    lead = tensors.ndim - sum(map(len, pattern))
    for places in pattern:
        if len(places) > 1:
            orders = list(itertools.permutations(places))
            total = torch.zeros_like(tensors)
            for order in orders:
                axes = list(range(tensors.ndim))
                for old, new in zip(places, order):
                    axes[old + lead] = new + lead
                total = total + tensors.permute(axes)
            tensors = total / len(orders)
    return plain(spanning(tensors.flatten(1))).reshape(-1, *tensors.shape[1:])


def plain(rows: Float[Tensor, "s size"]) -> Float[Tensor, "s size"]:
    """The basis of a span with the most zeros that elimination gives: row-reduced, the largest entry of each row 1.

    >>> plain(torch.tensor([[0.6, 0.8, 0.0], [0.8, -0.6, 0.0]], dtype=torch.float64)).abs().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    rows = rows.clone()
    pivots: list[int] = []
    for i in range(len(rows)):
        # The largest entry left, the first of those as large: the same on every machine.
        size = rows[i:].abs().amax()
        here = (rows[i:].abs() >= size * (1 - 1e-6)).any(0).nonzero()[0, 0]
        pivot = i + int(rows[i:, here].abs().argmax())
        rows[[i, pivot]] = rows[[pivot, i]]
        rows[i] = rows[i] / rows[i, here]
        others = torch.arange(len(rows)) != i
        rows[others] = rows[others] - rows[others, here].unsqueeze(1) * rows[i]
        pivots.append(int(here))
    order = sorted(range(len(rows)), key=pivots.__getitem__)
    rows = rows[order]
    if len(rows):
        rows = rows / rows.abs().amax(1, keepdim=True)
    near = rows.round()
    return torch.where((rows - near).abs() < 1e-12, near, rows)
