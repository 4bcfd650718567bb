"""From diagrams to a plan: contract the input once per pattern, mix by one matrix per rank, spread over the output.

A diagram is a pattern below (which input axes are tied, which ties are summed), a pattern above (which output axes are tied, which ties
repeat a value) and a bijection between the ties that cross. So are all maps between all tensors of two direct sums. Patterns below are
*columns*, patterns above are *rows*; a diagram is one entry of the matrix between them.

Source: the factorisation of E. Pearce-Crump and W. Knottenbelt, arXiv:2412.10837, shared here over all diagrams at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from erlangen.groups.base import Group
from erlangen.maps.diagrams.diagram import Block, Diagram
from erlangen.maps.epsilon import Alternation, alternation
from erlangen.maps.forms import Form, form_of
from erlangen.maps.typed_axes import Space, n_of


@dataclass(frozen=True)
class Head:
    """How a head meets the input: ``legs`` end there, ``shared`` ties go on to the output, ``new`` axes begin."""

    label: Hashable
    shared: Block
    legs: Block
    new: int


@dataclass(frozen=True)
class Column:
    """What is made of an input: its tied axes, the ties that are summed, heads; then its axes in the row's order."""

    source: int
    ties: tuple[Block, ...]
    summed: frozenset[int]
    heads: tuple[Head, ...]
    order: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """Where a tensor goes in an output: the output's tied axes, and which ties its own axes are."""

    target: int
    ties: tuple[Block, ...]
    live: tuple[int, ...]


@dataclass
class Mix:
    """One matrix product: all rows and columns that share an index set, and which diagram sits at each crossing."""

    rows: list[Row] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    #: (row, column) -> (diagram's number, sign)
    entries: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def gather(self, terms: Mapping[tuple[int, int], Sequence[Diagram]]) -> dict[tuple[int, int], tuple[Tensor, Tensor | None]]:
        """For each (target, source): which weight goes where, ``[rows, columns]`` (one past the last: none), and signs if any."""
        found = {}
        for pair in {(r.target, c.source) for r in self.rows for c in self.columns}:
            rows = [i for i, r in enumerate(self.rows) if r.target == pair[0]]
            columns = [j for j, c in enumerate(self.columns) if c.source == pair[1]]
            none = (len(terms[pair]), 1)
            cells = torch.tensor([[self.entries.get((i, j), none) for j in columns] for i in rows])
            index, sign = cells.unbind(-1)
            found[pair] = (index.contiguous(), None if bool((sign == 1).all()) else sign.contiguous())
        return found


def mixes(sources: Sequence[Space], targets: Sequence[Space], terms: Mapping[tuple[int, int], Sequence[Diagram]]) -> list[Mix]:
    """Group the diagrams by the index set on which input and output meet, rows ordered by target and columns by source."""
    labels = list(dict.fromkeys(a.label for s in (*sources, *targets) for a in s.axes))
    found: dict[Any, dict[tuple[Row, Column], tuple[int, int]]] = {}
    for (l, m), listed in terms.items():
        for number, diagram in enumerate(listed):
            key, row, column, sign = _split(diagram, sources[m], targets[l], l, m, labels)
            found.setdefault(key, {})[row, column] = (number, sign)
    result = []
    for cells in found.values():
        rows = sorted({r for r, _ in cells}, key=lambda r: r.target)
        columns = sorted({c for _, c in cells}, key=lambda c: c.source)
        place = {r: i for i, r in enumerate(rows)}, {c: j for j, c in enumerate(columns)}
        result.append(Mix(rows, columns, {(place[0][r], place[1][c]): v for (r, c), v in cells.items()}))
    return result


def _split(diagram: Diagram, source: Space, target: Space, l: int, m: int, labels: list[Hashable]) -> tuple[Any, Row, Column, int]:
    top = diagram.top
    axes = (*target.axes, *source.axes)
    rank = [labels.index(axes[b[0]].label) for b in diagram.blocks]
    above = [tuple(v for v in b if v < top) for b in diagram.blocks]
    below = [tuple(v - top for v in b if v >= top) for b in diagram.blocks]
    tied = {i for head in diagram.heads for i in head}
    crossing = {i for i in range(len(rank)) if above[i] and below[i]}
    # The row: ties above in order; live are those that cross or begin at a head, by label and place.
    upper = sorted((a, i) for i, a in enumerate(above) if a)
    live = sorted((rank[i], t, i) for t, (_, i) in enumerate(upper) if i in crossing or i in tied)
    row = Row(l, tuple(a for a, _ in upper), tuple(t for _, t, _ in live))
    # The column: ties below in order; then its axes: those that cross, by label and place, then each head's new ones.
    lower = sorted((b, i) for i, b in enumerate(below) if b)
    place = {i: t for t, (_, i) in enumerate(lower)}
    summed = frozenset(t for t, (_, i) in enumerate(lower) if i not in crossing and i not in tied)
    heads, tokens = [], [i for _, i in lower if i in crossing]
    for head in sorted(diagram.heads, key=lambda h: rank[h[0]]):
        legs = tuple(sorted(place[i] for i in head if not above[i]))
        shared = tuple(sorted(place[i] for i in head if i in crossing))
        new = sorted((above[i], i) for i in head if not below[i])
        heads.append(Head(labels[rank[head[0]]], shared, legs, len(new)))
        tokens += [i for _, i in new]
    order = tuple(tokens.index(i) for _, _, i in live)
    sign = 1
    for head in diagram.heads:
        # The column ties shared axes before new ones; the diagram, by their place in the row.
        canonical = [i for _, i in lower if i in head and i in crossing] + [i for i in tokens if i in head and i not in crossing]
        actual = [i for _, _, i in live if i in head]
        sign *= _parity([canonical.index(i) for i in actual])
    # Jellyfish meet only rows without repeated values; apart from the other diagrams they leave no holes in the matrices.
    key = tuple(r for r, _, _ in live), tuple(rank[h[0]] for h in diagram.heads if axes[diagram.blocks[h[0]][0]].kind in ("S", "A"))
    return key, row, Column(m, tuple(b for b, _ in lower), summed, tuple(heads), order), sign


def _parity(permutation: list[int]) -> int:
    inversions = sum(a > b for i, a in enumerate(permutation) for b in permutation[i + 1 :])
    return -1 if inversions % 2 else 1


# ---- the contractions of one input, as a straight line of steps ----


@dataclass(frozen=True)
class Tie:
    """Generalised diagonal of the input: one axis for each tie. ``forms``: for a tie of two axes under a form, its partner and signs."""

    ties: tuple[Block, ...]
    forms: tuple[Form | None, ...]


@dataclass(frozen=True)
class Sum:
    """Sum the axis at ``axis`` of an earlier step, of this label and size."""

    step: int
    axis: int
    label: Hashable
    size: int


@dataclass(frozen=True)
class Tied:
    """Let a head act on an earlier step: axes at ``axes`` (shared, then legs) become (shared, new), put last."""

    step: int
    axes: Block
    size: int
    rank: int
    alternation: Alternation
    signs: tuple[int, ...] | None
    new: int


@dataclass
class Contractions:
    """The steps for one input, each made once, and for each column its step and the order in which its axes are read."""

    steps: list[Tie | Sum | Tied]
    reads: dict[Column, tuple[int, tuple[int, ...]]]


def contractions(space: Space, columns: Sequence[Column], groups: Mapping[Hashable, Group]) -> Contractions:
    """Share the work of all columns of one input: every partial sum is made once, from the one before it.

    ``groups``: the group behind each label (a head may make axes that the input does not have).
    """
    steps: list[Tie | Sum | Tied] = []
    made: dict[Any, tuple[int, list[Any]]] = {}  # key -> (step, its axes: ties by number, new ones by (label, i))
    reads: dict[Column, tuple[int, tuple[int, ...]]] = {}

    def add(key: Any, step: Tie | Sum | Tied, axes: list[Any]) -> tuple[int, list[Any]]:
        steps.append(step)
        made[key] = (len(steps) - 1, axes)
        return made[key]

    def tie(ties: tuple[Block, ...]) -> tuple[int, list[Any]]:
        if (ties,) in made:
            return made[ties,]
        forms = tuple(form_of(space.axes[b[0]].group) if len(b) == 2 else None for b in ties)
        return add((ties,), Tie(ties, forms), list(range(len(ties))))

    def sums(ties: tuple[Block, ...], summed: tuple[int, ...]) -> tuple[int, list[Any]]:
        if not summed:
            return tie(ties)
        if (ties, summed) in made:
            return made[ties, summed]
        step, axes = sums(ties, summed[:-1])
        axis = space.axes[ties[summed[-1]][0]]
        at = axes.index(summed[-1])
        return add((ties, summed), Sum(step, at, axis.label, axis.n), axes[:at] + axes[at + 1 :])

    def head(ties: tuple[Block, ...], summed: tuple[int, ...], heads: tuple[Head, ...]) -> tuple[int, list[Any]]:
        if not heads:
            return sums(ties, summed)
        if (ties, summed, heads) in made:
            return made[ties, summed, heads]
        step, axes = head(ties, summed, heads[:-1])
        last = heads[-1]
        group = groups[last.label]
        n = n_of(group)
        form = form_of(group)
        at = tuple(axes.index(t) for t in (*last.shared, *last.legs))
        rest = [a for a in axes if a not in (*last.shared, *last.legs)]
        tied = Tied(
            step, at, n, len(last.shared) + last.new, alternation(n, len(last.shared), last.new, len(last.legs)),
            None if form is None else form[1], last.new,
        )  # fmt: skip
        return add((ties, summed, heads), tied, [*rest, *last.shared, *((last.label, i) for i in range(last.new))])

    for column in columns:
        step, axes = head(column.ties, tuple(sorted(column.summed)), column.heads)
        crossing = [t for t in range(len(column.ties)) if t not in column.summed and all(t not in h.legs for h in column.heads)]
        tokens = [*crossing, *((h.label, i) for h in column.heads for i in range(h.new))]
        reads[column] = (step, tuple(axes.index(tokens[o]) for o in column.order))
    return Contractions(steps, reads)
