"""Orders of nodes: which parts of a datum belong to nodes, how their rows sort, and what is left open where rows tie.

Relabelling moves numbers exactly, but the numbers may come out of arithmetic: canonical coordinates of a frame before, distances
computed again. So numbers that differ by no more than rounding could make are equal, and the next column decides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.actions.axes import OnAxes
from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.membership import may_look
from erlangen.groups.permutation import Symmetric
from erlangen.groups.recognise import recognised
from erlangen.reps.basic import Permutation
from erlangen.symmetrize.noise import smooth
from erlangen.symmetrize.symmetrized import Batch

#: How many roundings a number that is compared may have gone through: sums, a rotation about a rounded axis, a shift.
ROUNDINGS = 64


class Columns(NamedTuple):
    """Numbers of each node, or of each pair of nodes, of one part of a batch.

    Attributes:
        name: of the part.
        values: ``[B, n, c]``, of pairs ``[B, n, n, c]``.
        noise: how far they may be off by rounding, for each datum and channel, ``[B, 1, c]`` or ``[B, 1, 1, c]`` in float64; zero
            for integers.
        way: over what gap, beyond that, two numbers go over from equal to different, ``[B, 1, c]``; left out: at once. See
            :func:`over_ways`.
    """

    name: str
    values: Tensor
    noise: Tensor
    way: Tensor | None = None


class NodeParts(NamedTuple):
    """The parts of a batch that relabelling moves: features of nodes, and of pairs of nodes."""

    features: list[Columns]
    pairs: list[Columns]


def node_parts(inp: Action, x: Any, noise: Sequence[Tensor | None] | None = None) -> NodeParts:
    """Find them.

    Args:
        inp, x: the action and the data.
        noise: how far the numbers of each part are off, ``[B]``, where that is known better than from the numbers themselves; see
            :func:`rounding`.

    Raises:
        ArgumentError: a part has no batch axis, or is not finite.
    """
    features: list[Columns] = []
    pairs: list[Columns] = []
    for i, (name, action, part) in enumerate(Batch(inp, x).named):
        axes = node_axes(action)
        if not axes:
            continue
        name = name or (f"part {i}" if isinstance(inp, Record) else "x")
        action.check(part, name)
        if part.ndim <= action.data_ndim:
            raise ArgumentError(
                name, f"a leading batch axis before the datum's own {action.data_ndim}", f"shape {tuple(part.shape)}"
            )
        exact = not (part.is_floating_point() or part.is_complex())
        if not exact and may_look(part) and not bool(part.isfinite().all()):
            raise ArgumentError(name, "finite numbers", f"{int((~part.isfinite()).sum())} that are NaN or infinite")
        # Channels, however many axes they have, become the last axis: the node axes come right after the batch.
        rest = part.unsqueeze(-1).movedim(tuple(a - 1 for a in axes), tuple(range(1, len(axes) + 1))).flatten(len(axes) + 1)
        if rest.is_complex():
            rest = torch.view_as_real(rest.resolve_conj()).flatten(-2)
        largest = rest.detach().double().abs().amax(tuple(range(1, len(axes) + 1)), keepdim=True)
        own = largest * (0.0 if exact else torch.finfo(part.dtype).eps)
        if noise is not None and (known := noise[i]) is not None:
            own = torch.maximum(own, known.double().view(-1, *[1] * (own.ndim - 1)))
        (features if len(axes) == 1 else pairs).append(Columns(name, rest, own))
    return NodeParts(features, pairs)


def rounding(part: Any) -> Float[Tensor, " B"] | None:
    """How far the numbers of each datum are off by their own rounding: the precision of their dtype, at the size of the largest.

    ``None`` for what is not a batch of floating-point numbers.
    """
    if not isinstance(part, Tensor) or not part.ndim or not (part.is_floating_point() or part.is_complex()):
        return None
    largest = part.detach().reshape(part.shape[0], math.prod(part.shape[1:])).abs().double()
    return torch.finfo(part.dtype).eps * (largest.amax(1) if largest.shape[1] else largest.sum(1))


def node_axes(action: Action | None) -> tuple[int, ...]:
    """The axes, counted from the end, that number nodes: one or two of them; none for anything else."""
    if isinstance(action, Permutation):
        return (-1,)
    if isinstance(action, OnAxes) and all(isinstance(rep, Permutation) for rep in action.reps.values()) and len(action.reps) <= 2:
        return tuple(action.reps)
    return ()


def moves(action: Action | None) -> bool:
    """Whether a group of permutations moves such data at all.

    >>> from erlangen.groups import Symmetric
    >>> moves(Symmetric(3).vector), moves(2 * Symmetric(3).scalar)
    (True, False)
    """
    if action is None or not isinstance(generators := action.group.generators, Tensor):
        return False
    x = action.example(1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return not torch.equal(action.act(generators, x), x.expand(len(generators), *x.shape[1:]))


def relabelling_refusal(inp: Action) -> str:
    """Why a frame of orders cannot serve this group; empty when it can."""
    return "" if isinstance(recognised(inp.group), Symmetric) else f"{inp.group} is not the group of all permutations"


def levels(values: Float[Tensor, "B n c"], tolerance: float | Float[Tensor, "B 1 c"]) -> Int[Tensor, "B n c"]:
    """The rank of each value in its column, where values that differ by at most ``tolerance`` are one.

    A function of the set of values: relabelled nodes keep their ranks, however their values were rounded.
    """
    ordered, order = values.sort(1)
    jumps = torch.cat([torch.zeros_like(order[:, :1]), (ordered.diff(dim=1) > tolerance).to(order.dtype)], 1)
    return torch.zeros_like(order).scatter(1, order, jumps.cumsum(1))


def lexicographic(keys: Int[Tensor, "B n c"]) -> tuple[Int[Tensor, "B n"], Bool[Tensor, "B n"]]:
    """The order that sorts rows by their first column, then their second, ...; and which sorted rows equal the one before them."""
    order = torch.arange(keys.shape[1], device=keys.device).expand(keys.shape[:2])
    for column in reversed(range(keys.shape[2])):
        step = keys[..., column].gather(1, order).argsort(dim=1, stable=True)
        order = order.gather(1, step)
    rows = keys.gather(1, order.unsqueeze(-1).expand_as(keys))
    same = (rows[:, 1:] == rows[:, :-1]).all(-1)
    return order, torch.cat([torch.zeros_like(order[:, :1], dtype=torch.bool), same], 1)


def sorted_rows(columns: Sequence[Columns], to_the_last_bit: bool = False) -> tuple[Int[Tensor, "B n"], Bool[Tensor, "B n"]]:
    """The order of nodes by their numbers, column by column, and which sorted rows equal the one before them.

    Numbers within :data:`ROUNDINGS` times their noise are equal, and later columns decide. Rows that are equal in all columns, to rounding,
    count as equal, and stay in the order in which they came; ``to_the_last_bit``, in the order of what rounding left, so that data whose
    rows are permuted have one order, exactly.
    """
    values = torch.cat([column.values.detach().double() for column in columns], -1)
    ranks = levels(values, ROUNDINGS * torch.cat([column.noise for column in columns], -1))
    order, same = lexicographic(ranks)
    if not to_the_last_bit:
        return order, same
    order, _ = lexicographic(torch.cat([ranks.double(), values], -1))
    return order, same


def over_ways(column: Columns, came_in: torch.dtype | None = None) -> Columns:
    """Numbers that came out of arithmetic, so that rounding must not decide which of two is larger: equal up to so many roundings of the
    datum's largest (or what of more is known), and different from the root of precision on.

    Both are functions of the numbers themselves, which the arithmetic makes the same in every pose, as long as that is not far away.

    Args:
        column: the numbers.
        came_in: the precision of what they were computed from, where that may be less than their own.
    """
    values = column.values.detach().double()
    if not column.values.is_floating_point():
        return column._replace(way=torch.zeros_like(column.noise))
    kinds = [kind for kind in (column.values.dtype, came_in) if kind is not None and kind.is_floating_point]
    eps = max(torch.finfo(kind).eps for kind in kinds)
    size = values.abs().amax((1, 2), keepdim=True)
    noise = torch.maximum(column.noise / 4, 4 * eps * size)
    return column._replace(noise=noise, way=eps**0.5 * size + 4 * ROUNDINGS * noise)


class Orders(NamedTuple):
    """Several orders of each datum's nodes.

    Attributes:
        order, same: as of :func:`sorted_rows`, of each.
        weights: that sum to one.
    """

    order: Int[Tensor, "B m n"]
    same: Bool[Tensor, "B m n"]
    weights: Float[Tensor, "B m"]


def blended_orders(columns: Sequence[Columns]) -> Orders:
    """The orders of :func:`sorted_rows`, to the last bit, where numbers of some columns go over from equal to different.

    Two numbers whose gap has come a part ``s`` of that way are different with the weight ``s``: the average of a datum's orders over a
    threshold for all of its gaps, uniform between zero and one. So weights change with the numbers continuously.
    """
    values = torch.cat([column.values.detach().double() for column in columns], -1)
    ordered, place = values.sort(1)
    floor = ROUNDINGS * torch.cat([column.noise.expand(len(values), 1, column.values.shape[-1]) for column in columns], -1)
    way = torch.cat(
        [torch.zeros_like(c.noise) if c.way is None else c.way.expand(len(values), 1, c.values.shape[-1]) for c in columns], -1
    )
    surplus = ordered.diff(dim=1) - floor
    apart = torch.where(way > 0, smooth(surplus / torch.where(way > 0, way, 1.0)), (surplus > 0).double())
    # Thresholds between neighbouring ones of the parts: each interval has one order.
    parts = torch.where((apart > 0) & (apart < 1), apart, 1.0).flatten(1).sort(1).values
    count = 1 + int((parts < 1).sum(1).max()) if parts.numel() else 1
    edges = torch.cat([torch.zeros_like(values[:, :1, 0]), parts[:, : count - 1], torch.ones_like(values[:, :1, 0])], 1)
    weights = edges.diff(dim=1)
    # What has no weight takes the first order.
    lower = torch.where(weights > 0, edges[:, :-1], 0.0)
    jumps = (apart.unsqueeze(1) > lower[:, :, None, None]).long()
    ranks = torch.cat([torch.zeros_like(jumps[:, :, :1]), jumps], 2).cumsum(2).flatten(0, 1)
    place, values = (t.repeat_interleave(count, 0) for t in (place, values))
    ranks = torch.zeros_like(place).scatter(1, place, ranks)
    _, same = lexicographic(ranks)
    order, _ = lexicographic(torch.cat([ranks.double(), values], -1))
    order, same = order.unflatten(0, (-1, count)), same.unflatten(0, (-1, count))
    if count == 1:
        return Orders(order, same, weights)
    # Equal orders are one: most gaps decide nothing.
    alike = ((order.unsqueeze(1) == order.unsqueeze(2)) & (same.unsqueeze(1) == same.unsqueeze(2))).all(-1)
    weights = torch.zeros_like(weights).scatter_add(1, alike.byte().argmax(2), weights)
    first = weights.argsort(dim=1, descending=True, stable=True)[:, : int((weights > 0).sum(1).max())]
    rows = torch.arange(len(first), device=first.device).unsqueeze(1)
    return Orders(order[rows, first], same[rows, first], weights[rows, first])


def elements_of(columns: Sequence[Columns], ties: bool, max_frame: int) -> tuple[Int[Tensor, "B k n"], Float[Tensor, "B k"] | None]:
    """Orders of nodes with weights (``None``: equal ones), and with ``ties`` the turns of runs of equal rows in each.

    Raises:
        ArgumentError: turns take more than ``max_frame`` of them.
    """
    if all(column.way is None for column in columns) or not may_look(columns[0].values):
        order, same = sorted_rows(columns, to_the_last_bit=True)
        return (with_turns(order, same, max_frame) if ties else order.unsqueeze(1)), None
    order, same, weights = blended_orders(columns)
    if ties:
        turned = with_turns(order.flatten(0, 1), same.flatten(0, 1), max_frame)
        k = turned.shape[1]
        return turned.unflatten(0, weights.shape).flatten(1, 2), None if weights.shape[1] == 1 else weights.repeat_interleave(
            k, 1
        ) / k
    return order, None if weights.shape[1] == 1 else weights


def with_turns(order: Int[Tensor, "B n"], same: Bool[Tensor, "B n"], max_frame: int) -> Int[Tensor, "B k n"]:
    """The order, and the orders that turn every run of equal rows: each of them stands in every place of its run equally often.

    Raises:
        ArgumentError: that takes more than ``max_frame`` of them.

    >>> with_turns(torch.tensor([[2, 0, 1]]), torch.tensor([[False, False, True]]), 120)
    tensor([[[2, 0, 1],
             [2, 1, 0]]])
    """
    if not may_look(same) or not bool(same.any()):
        return order.unsqueeze(1)
    patterns, which = torch.unique(same, dim=0, return_inverse=True)
    sizes = [block_sizes(row) for row in patterns.cpu()]
    k = math.lcm(*(size for row in sizes for size in row))
    if k > max_frame:
        hint = "ties=False takes one of them, which is exact for outputs that relabelling does not move"
        raise ArgumentError("x", f"ties that take at most max_frame = {max_frame} evaluations", f"ties that take {k}", hint)
    turns = torch.stack([torch.stack([_turned(row, turn) for turn in range(k)]) for row in sizes]).to(order.device)[which]
    return order.unsqueeze(1).expand(turns.shape).gather(-1, turns)


def _turned(sizes: tuple[int, ...], turn: int) -> Tensor:
    """The places, each run turned by so many."""
    starts = itertools.accumulate(sizes[:-1], initial=0)
    return torch.cat([start + (torch.arange(size) + turn) % size for start, size in zip(starts, sizes)])


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
