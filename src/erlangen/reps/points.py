"""Finite G-sets: finitely many data that a group exchanges, their orbits and Schreier graph, and the functions on them.

Colours of a cube's faces, sites of a crystal, curves under a class group, preference profiles: what is exact or a tensor alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.base import LARGEST_ORBIT, Action
from erlangen.actions.members import is_inexact
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Element
from erlangen.groups.finite import index_of, orbits_of
from erlangen.reps.base import Rep

#: A table of where each element takes each point has at most so many entries (800 MB).
LARGEST_TABLE = 100_000_000


class PointSet(Rep):
    """The functions on a finite set that a group exchanges, ``(g f)(p) = f(g^-1 p)``, with the set itself.

    The representation is by permutations of the points, without any matrix; the Schreier graph needs only the group's generators, so
    that the group may be far too large to list.

    Args:
        action: how the group acts on the data.
        points: the data, each once, closed under the group; see :meth:`closed` for orbits of some.

    Raises:
        ArgumentError: a datum comes twice, or the group takes one out of the set.

    Attributes:
        points: the data, in the order given.
        images: where each generator takes each point, ``[generators, points]``.

    >>> from erlangen.groups import Symmetric
    >>> class Subsets(Action):
    ...     def act(self, g, x):
    ...         return frozenset(int(g[i]) for i in x)
    >>> pairs = PointSet.closed(Subsets(Symmetric(4)), [frozenset({0, 1})])
    >>> pairs.dim, pairs.is_transitive, len(pairs.orbits())
    (6, True, 1)
    """

    is_orthogonal = True

    def __init__(self, action: Action, points: Iterable[Any]) -> None:
        super().__init__(action.group)
        self.action, self.points = action, list(points)
        if not self.points:
            raise ArgumentError("points", "at least one datum", "none")
        self.dim, self.symbol = len(self.points), f"R^{len(self.points)} on points"
        self._places: dict[Hashable, int] = {}
        for i, point in enumerate(self.points):
            if self._find(point) is not None:
                raise ArgumentError("points", "each datum once", f"number {i} is number {self._find(point)} again")
            self._places[action.key(point)] = i
        group, gens = self.group, self.group.generators
        count = group.batch_shape(gens)[0] if gens is not None else 0
        steps = [group.take(gens, s) for s in range(count)]
        self.images = torch.tensor([[self._place(action.act(g, p)) for p in self.points] for g in steps]).view(count, self.dim)

    @classmethod
    def closed(cls, action: Action, points: Iterable[Any]) -> PointSet:
        """The orbits of some data, one after another in the order in which they are met.

        Raises:
            UnsupportedError: the group has a continuous part, or an orbit has more than a million members.
        """
        every: list[Any] = []
        known: set[Hashable] = set()
        for point in points:
            if action.key(point) in known or any(action.same(point, other) for other in every):
                continue
            orbit = action.orbit(point)
            known |= {action.key(member) for member in orbit}
            every += orbit
            if len(every) > LARGEST_ORBIT:
                unsupported(action, f"orbits of at most {LARGEST_ORBIT} members", "use fewer points")
        return cls(action, every)

    def equality_key(self) -> Hashable:
        return tuple(map(tuple, self.images.tolist()))

    # ---- the set ----

    def index(self, point: Any) -> int:
        """The number of a datum.

        Raises:
            ArgumentError: it is not in the set.
        """
        found = self._find(point)
        if found is None:
            raise ArgumentError("point", f"one of the {self.dim} points", repr(point))
        return found

    def orbits(self) -> list[Int[Tensor, " size"]]:
        """The orbits as numbers of points, each ascending, by their first members."""
        return orbits_of(self.images)

    @property
    def is_transitive(self) -> bool:
        """Whether there is one orbit only."""
        return len(self.orbits()) == 1

    def schreier_graph(self) -> Int[Tensor, "arrows 3"]:
        """An arrow from each point to its image for each generator, as rows ``(from, to, generator)``.

        ``networkx.MultiDiGraph([(i, j, {"generator": s}) for i, j, s in graph.tolist()])`` is the same as a graph to draw.
        """
        generators, points = torch.meshgrid(torch.arange(len(self.images)), torch.arange(self.dim), indexing="ij")
        return torch.stack([points, self.images, generators], -1).flatten(0, 1)

    # ---- the representation ----

    def places(self, g: Element) -> Int[Tensor, "*batch dim"]:
        """Where elements take the points: ``places(g)[..., i]`` is the number of ``g points[i]``.

        Raises:
            UnsupportedError: the group is infinite, or too large for a table.
        """
        table = self._table
        position = index_of(self.group, g)
        return table.to(position.device)[position]

    def matrix(self, g: Element) -> Tensor:
        return torch.nn.functional.one_hot(self.places(g), self.dim).mT.to(torch.float64)

    def apply(self, g: Element, x: Tensor) -> Tensor:
        source = self.places(self.group.inverse(g)).unsqueeze(-2)
        shape = torch.broadcast_shapes(source.shape, x.shape)
        return x.expand(shape).gather(-1, source.expand(shape))

    @cached_property
    def _table(self) -> Int[Tensor, "order dim"]:
        """Where each element takes each point: products of generators, found breadth first from the identity."""
        group = self.group
        if not group.is_finite or int(group.order) * self.dim > LARGEST_TABLE:
            unsupported(self, "table of its elements (infinitely many, or too large)", "use .images, one row for each generator")
        with torch.inference_mode(False):
            table = torch.full((int(group.order), self.dim), -1)
            every, gens = group.elements(), group.generators
            table[0] = torch.arange(self.dim)
            fresh = torch.zeros(1, dtype=torch.int64)
            while len(fresh):
                found = []
                for s, image in enumerate(self.images):
                    step = group.take(gens, slice(s, s + 1))
                    there = index_of(group, group.multiply(step, group.take(every, fresh)))
                    new = (table[there, 0] < 0).nonzero().flatten()
                    table[there[new]] = image[table[fresh[new]]]
                    found.append(there[new])
                fresh = torch.cat(found).unique()
            return table

    def _find(self, point: Any) -> int | None:
        """The number of a datum; where rounding gave it another key, by comparing with each."""
        found = self._places.get(self.action.key(point))
        if found is not None and self.action.same(point, self.points[found]):
            return found
        if not is_inexact(self.action.compared(point)):
            return None
        return next((i for i in self._places.values() if self.action.same(point, self.points[i])), None)

    def _place(self, point: Any) -> int:
        found = self._find(point)
        if found is None:
            raise ArgumentError("points", f"a set that {self.group} takes to itself", f"an image {point!r} that is not in it")
        return found
