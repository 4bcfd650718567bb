"""All diagrams between two spaces of typed axes: for each label those of its group, and their products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.maps.diagrams.counting import dimension, spanning_size
from erlangen.maps.diagrams.diagram import Block, Diagram
from erlangen.maps.diagrams.matchings import longest_increasing, mutually_crossing, partial_matchings
from erlangen.maps.diagrams.partitions import set_partitions
from erlangen.maps.epsilon import check_size
from erlangen.maps.typed_axes import Space, n_of

#: More diagrams than this are not listed unless asked for.
MAX_DIAGRAMS = 100_000

#: One label's part of a diagram: blocks of its vertices, and the blocks of its head.
Part = tuple[tuple[Block, ...], tuple[Block, ...]]


def label_groups(source: Space, target: Space) -> dict[Hashable, tuple[Group, str, list[int]]]:
    """For each label its group, its kind and its vertices: output axes first, then input axes.

    Raises:
        ArgumentError: one label stands for two different groups.
    """
    found: dict[Hashable, tuple[Group, str, list[int]]] = {}
    for vertex, axis in enumerate((*target.axes, *source.axes)):
        group, _, vertices = found.setdefault(axis.label, (axis.group, axis.kind, []))
        if group != axis.group:
            raise ArgumentError("axes", f"one group for label {axis.label!r}", f"{group} and {axis.group}")
        vertices.append(vertex)
    return found


def count(source: Space, target: Space, *, spanning: bool = False) -> int:
    """Dimension of the equivariant maps, or the size of the spanning set of all diagrams, without listing them.

    >>> from erlangen.groups import Symmetric
    >>> from erlangen.maps.typed_axes import Axis
    >>> users, items = Axis(Symmetric(3), "users"), Axis(Symmetric(4), "items")
    >>> count(Space((users, items)), Space((users, items)))
    4
    """
    twists = source.twisted ^ target.twisted
    groups = label_groups(source, target)
    if twists - groups.keys():
        return 0  # a sign without an axis to make it from
    number = spanning_size if spanning else dimension
    sizes = [number(kind, n_of(group), len(vertices), twisted=label in twists) for label, (group, kind, vertices) in groups.items()]
    return math.prod(sizes)


def diagrams(source: Space, target: Space, *, spanning: bool = False, max_diagrams: int = MAX_DIAGRAMS) -> tuple[Diagram, ...]:
    """The diagrams from ``source`` to ``target``, in a stable order.

    Those of S_n by restricted growth strings, at most n blocks (more are dependent on these); of A_n these and then the jellyfish;
    of O, SO and Sp the matchings in lexicographic order that are independent, or all of them with ``spanning=True``.

    Raises:
        ArgumentError: there are more than ``max_diagrams``.

    >>> from erlangen.groups import SO
    >>> from erlangen.maps.typed_axes import Axis
    >>> v = Axis(SO(3))
    >>> diagrams(Space((v, v)), Space((v,)))          # the cross product
    (J:1|2|3,)
    """
    if not count(source, target, spanning=spanning):
        return ()
    size = count(source, target, spanning=True)  # what is gone through, also where few of them are independent
    if size > max_diagrams:
        raise ArgumentError(
            "max_diagrams", f"at least {size}, the number of diagrams from {source} to {target}", repr(max_diagrams)
        )
    twists, top, bottom = source.twisted ^ target.twisted, len(target.axes), len(source.axes)
    groups = label_groups(source, target)
    lists = []
    for label, (group, kind, vertices) in groups.items():
        parts = _parts(kind, n_of(group), len(vertices), label in twists, spanning)
        lists.append([tuple([tuple([vertices[v] for v in b]) for b in blocks] for blocks in part) for part in parts])
    result = []
    for choice in itertools.product(*lists):
        blocks = [b for part in choice for b in part[0]]
        result.append(Diagram.of(top, bottom, blocks, [part[1] for part in choice if part[1]]))
    return tuple(result)


def _parts(kind: str, n: int, size: int, twisted: bool, spanning: bool) -> Iterator[Part]:
    if kind in ("S", "A"):
        if not twisted:
            yield from ((blocks, ()) for blocks in set_partitions(size, n))
        if n > 1 and (twisted or kind == "A") and size >= n - 1:
            check_size(n)
            yield from ((blocks, blocks) for blocks in set_partitions(size, n) if len(blocks) >= n - 1 and blocks)
        return
    if not twisted:
        for pairs, alone in partial_matchings(size, 0):
            if spanning or (mutually_crossing(pairs) <= n // 2 if kind == "Sp" else longest_increasing(pairs, alone) <= n):
                yield pairs, ()
    if (kind == "SO" or twisted) and size >= n:
        check_size(n)
        for pairs, alone in partial_matchings(size, n):
            if spanning or longest_increasing(pairs, alone) <= n:
                tied = tuple((v,) for v in alone)
                yield (*pairs, *tied), tied
