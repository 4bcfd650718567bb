"""Orders of nodes: which parts of a datum belong to nodes, how their rows sort, and what is left open where rows tie."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.actions.axes import OnAxes
from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.permutation import Symmetric
from erlangen.reps.basic import Permutation
from erlangen.symmetrize.cloud import named_parts


class NodeParts(NamedTuple):
    """The parts of a batch that relabelling moves, by name: features ``[B, n, c]``, pairs of nodes ``[B, n, n, c]``."""

    features: list[tuple[str, Tensor]]
    pairs: list[tuple[str, Tensor]]


def node_parts(inp: Action, x: Any) -> NodeParts:
    """Find them.

    Raises:
        ArgumentError: a part has no batch axis, or is not finite.
    """
    features: list[tuple[str, Tensor]] = []
    pairs: list[tuple[str, Tensor]] = []
    for name, action, part in named_parts(inp, x):
        axes = node_axes(action)
        if not axes:
            continue
        name = name or "x"
        action.check(part, name)
        if part.ndim <= action.data_ndim:
            raise ArgumentError(
                name, f"a leading batch axis before the datum's own {action.data_ndim}", f"shape {tuple(part.shape)}"
            )
        if part.is_floating_point() and not torch.compiler.is_compiling() and not bool(part.isfinite().all()):
            raise ArgumentError(name, "finite numbers", f"{int((~part.isfinite()).sum())} that are NaN or infinite")
        # Channels, however many axes they have, become the last axis: the node axes come right after the batch.
        rest = part.unsqueeze(-1).movedim(tuple(a - 1 for a in axes), tuple(range(1, len(axes) + 1))).flatten(len(axes) + 1)
        (features if len(axes) == 1 else pairs).append((name, rest))
    return NodeParts(features, pairs)


def node_axes(action: Action | None) -> tuple[int, ...]:
    """The axes, counted from the end, that number nodes: one or two of them; none for anything else."""
    if isinstance(action, Permutation):
        return (-1,)
    if isinstance(action, OnAxes) and all(isinstance(rep, Permutation) for rep in action.reps.values()) and len(action.reps) <= 2:
        return tuple(action.reps)
    return ()


def relabelling_refusal(inp: Action) -> str:
    """Why a frame of orders cannot serve this group; empty when it can."""
    return "" if isinstance(inp.group, Symmetric) else f"{inp.group} is not the group of all permutations"


def levels(values: Float[Tensor, "B n c"], tolerance: float) -> Int[Tensor, "B n c"]:
    """The rank of each value in its column, where values that differ by at most ``tolerance`` are one.

    A function of the set of values: relabelled nodes keep their ranks, however their values were rounded.
    """
    ordered, order = values.sort(1)
    jumps = torch.zeros_like(order)
    jumps[:, 1:] = ordered.diff(dim=1) > tolerance
    return torch.empty_like(order).scatter_(1, order, jumps.cumsum(1))


def lexicographic(keys: Int[Tensor, "B n c"]) -> tuple[Int[Tensor, "B n"], Bool[Tensor, "B n"]]:
    """The order that sorts rows by their first column, then their second, ...; and which sorted rows equal the one before them."""
    order = torch.arange(keys.shape[1], device=keys.device).expand(keys.shape[:2])
    for column in reversed(range(keys.shape[2])):
        step = keys[..., column].gather(1, order).argsort(dim=1, stable=True)
        order = order.gather(1, step)
    rows = keys.gather(1, order.unsqueeze(-1).expand_as(keys))
    same = torch.zeros(order.shape, dtype=torch.bool, device=keys.device)
    same[:, 1:] = (rows[:, 1:] == rows[:, :-1]).all(-1)
    return order, same


def block_sizes(same: Bool[Tensor, " n"]) -> tuple[int, ...]:
    """The lengths of the runs of tied rows.

    >>> block_sizes(torch.tensor([False, True, False, False, True, True]))
    (2, 1, 3)
    """
    starts = [*(~same).nonzero().flatten().tolist(), len(same)]
    return tuple(b - a for a, b in itertools.pairwise(starts))


def orders_of(sizes: tuple[int, ...]) -> Int[Tensor, "count n"]:
    """All permutations of the places that keep every run in place.

    >>> orders_of((1, 2, 1))
    tensor([[0, 1, 2, 3],
            [0, 2, 1, 3]])
    """
    start, runs = 0, []
    for size in sizes:
        runs.append(list(itertools.permutations(range(start, start + size))))
        start += size
    return torch.tensor([list(itertools.chain(*choice)) for choice in itertools.product(*runs)])


def shuffles_of(same: Bool[Tensor, "m n"], count: int, generator: torch.Generator | None) -> Int[Tensor, "m count n"]:
    """Random ones of :func:`orders_of`, uniform and independent, for several patterns of ties."""
    block = (~same).cumsum(1).double().unsqueeze(1)
    noise = torch.rand(len(same), count, same.shape[1], generator=generator, dtype=torch.float64)
    return (block + noise.to(block.device)).argsort(-1)


def count_orders(same: Bool[Tensor, "B n"]) -> Float[Tensor, " B"]:
    """How many :func:`orders_of` each pattern of ties has, in float64.

    >>> count_orders(torch.tensor([[False, True, True, False, True]]))
    tensor([12.], dtype=torch.float64)
    """
    place = torch.arange(same.shape[1], device=same.device).expand(same.shape)
    start = torch.where(same, 0, place).cummax(1).values
    return (place - start + 1).double().prod(1)
