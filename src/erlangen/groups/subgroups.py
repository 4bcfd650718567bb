"""Subgroups of finite groups: generated, stabilizing, all of them as a lattice; cosets and quotients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.finite import index_of, inverse_positions, multiplication_table
from erlangen.groups.membership import unwrapped
from erlangen.groups.table import TableGroup

#: Largest order for which all subgroups are listed.
LARGEST_LATTICE = 500

Positions = frozenset[int]


@dataclass(frozen=True)
class Subgroup:
    """A subgroup of a finite group, as a set of positions in ``parent.elements()``.

    >>> from erlangen.groups import Symmetric
    >>> S = Symmetric(3)
    >>> H = generated(S, S.elements()[1:2])
    >>> H.order, H.index, H.is_normal
    (2, 3, False)
    """

    parent: Group
    positions: Positions

    @property
    def order(self) -> int:
        return len(self.positions)

    @property
    def index(self) -> int:
        """The number of cosets."""
        return int(self.parent.order) // self.order

    @property
    def elements(self) -> Element:
        """The members, as elements of the parent."""
        return self.parent.take(self.parent.elements(), torch.tensor(sorted(self.positions)))

    @property
    def is_normal(self) -> bool:
        """Whether conjugation leaves it as it is."""
        return all(conjugate == self.positions for conjugate in _conjugates(multiplication_table(self.parent), self.positions))

    def group(self) -> TableGroup:
        """The subgroup as a group of its own; its objects are positions in the parent.

        :meth:`embed` takes its elements back: ``rep.restrict(H.group(), H.embed)``.
        """
        members = sorted(self.positions)
        place = {p: i for i, p in enumerate(members)}
        table = multiplication_table(self.parent)
        return TableGroup(
            [[place[int(table[a, b])] for b in members] for a in members],
            members,
            f"subgroup of order {self.order} of {self.parent}",
        )

    def embed(self, h: Int[Tensor, "*batch"]) -> Element:
        """Elements of :meth:`group` as elements of the parent.

        Raises:
            ArgumentError: they are not whole numbers from 0 up to the order.

        >>> from erlangen.groups import Symmetric
        >>> S = Symmetric(3)
        >>> H = generated(S, torch.tensor([[1, 2, 0]]))
        >>> H.embed(H.group().elements())
        tensor([[0, 1, 2],
                [1, 2, 0],
                [2, 0, 1]])
        """
        if h.dtype != torch.int64:
            raise ArgumentError("h", "elements of type torch.int64", f"{h.dtype}")
        try:
            return self.parent.take(self.elements, unwrapped(h))
        except IndexError as error:
            raise ArgumentError("h", f"elements from 0 to {self.order - 1}", f"{int(h.min())} to {int(h.max())}") from error

    def cosets(self) -> Int[Tensor, "index order"]:
        """The left cosets ``g H`` as rows of positions; the first is the subgroup."""
        table = multiplication_table(self.parent)
        members = torch.tensor(sorted(self.positions))
        rows, seen = [], torch.zeros(len(table), dtype=torch.bool)
        for g in range(len(table)):
            if not seen[g]:
                row = table[g, members]
                seen[row] = True
                rows.append(row)
        return torch.stack(rows)

    def transversal(self) -> Element:
        """One element of each left coset, the identity first."""
        return self.parent.take(self.parent.elements(), self.cosets()[:, 0])

    def quotient(self) -> TableGroup:
        """The group of cosets of a normal subgroup; its objects are positions of representatives in the parent.

        Raises:
            ArgumentError: the subgroup is not normal.
        """
        if not self.is_normal:
            raise ArgumentError("subgroup", "a normal subgroup", "one that is not")
        cosets = self.cosets()
        where = torch.empty(int(self.parent.order), dtype=torch.int64)
        where[cosets] = torch.arange(len(cosets)).unsqueeze(1)
        first = cosets[:, 0]
        table = where[multiplication_table(self.parent)[first[:, None], first[None]]]
        return TableGroup(table, first.tolist(), f"{self.parent} / order {self.order}")


def generated(group: Group, elements: Element) -> Subgroup:
    """The subgroup that some elements ``[m, *element_shape]`` of a finite group generate."""
    return Subgroup(group, _closure(multiplication_table(group), index_of(group, elements).tolist()))


@dataclass(frozen=True)
class SubgroupLattice:
    """All subgroups of a finite group, from the trivial one up.

    Attributes:
        group: the group.
        subgroups: by order, then by positions.
        classes: conjugacy classes of subgroups, as lists of places in ``subgroups``.
    """

    group: Group
    subgroups: list[Subgroup]
    classes: list[list[int]]

    def covers(self) -> list[tuple[int, int]]:
        """Pairs ``(i, j)`` where subgroup ``i`` is maximal in ``j``: the lines of the lattice's drawing."""
        sets = [s.positions for s in self.subgroups]
        below = [(i, j) for j in range(len(sets)) for i in range(j) if sets[i] < sets[j]]
        inside = set(below)
        return [(i, j) for i, j in below if not any((i, k) in inside and (k, j) in inside for k in range(i + 1, j))]

    @cached_property
    def names(self) -> list[str]:
        """A name of its own for each subgroup; see :func:`~erlangen.groups.subgroup_names.subgroup_names`."""
        from erlangen.groups.subgroup_names import subgroup_names

        return subgroup_names(self)

    def place(self, name: str) -> int:
        """Where the subgroup of a name stands in ``subgroups``.

        Raises:
            ArgumentError: there is none of that name; the message lists them.

        >>> from erlangen.groups import Dihedral
        >>> lattice = subgroup_lattice(Dihedral(4))
        >>> lattice.subgroups[lattice.place("H_2_1")].order
        4
        """
        if name not in self.names:
            raise ArgumentError("name", f"one of {', '.join(self.names)}", repr(name))
        return self.names.index(name)

    @cached_property
    def class_of(self) -> list[int]:
        """For each subgroup, the place of its class in ``classes``."""
        found = [0] * len(self.subgroups)
        for number, members in enumerate(self.classes):
            for place in members:
                found[place] = number
        return found

    def class_covers(self) -> list[tuple[int, int]]:
        """Pairs ``(a, b)`` of classes where a member of ``a`` is maximal in one of ``b``.

        >>> from erlangen.groups import Symmetric
        >>> subgroup_lattice(Symmetric(3)).class_covers()
        [(0, 1), (0, 2), (1, 3), (2, 3)]
        """
        return sorted({(self.class_of[i], self.class_of[j]) for i, j in self.covers()})

    def maximal(self) -> list[Subgroup]:
        """The maximal subgroups: those with nothing between them and the whole group."""
        return [self.subgroups[i] for i, j in self.covers() if j == len(self.subgroups) - 1]

    def normal(self) -> list[Subgroup]:
        """The normal subgroups: those alone in their class."""
        return [self.subgroups[c[0]] for c in self.classes if len(c) == 1]

    def as_dot(self) -> str:
        """The lattice for Graphviz, a node for each subgroup labelled by its order."""
        nodes = "".join(f'  n{i} [label="{s.order}"];\n' for i, s in enumerate(self.subgroups))
        lines = "".join(f"  n{i} -> n{j};\n" for i, j in self.covers())
        return f"digraph subgroups {{\n  rankdir=BT;\n{nodes}{lines}}}\n"


def subgroup_lattice(group: Group) -> SubgroupLattice:
    """All subgroups, by joining cyclic ones until nothing new appears.

    Raises:
        UnsupportedError: the order is above 500.

    >>> from erlangen.groups import Symmetric
    >>> lattice = subgroup_lattice(Symmetric(3))
    >>> len(lattice.subgroups), len(lattice.classes)
    (6, 4)
    """
    if not group.is_finite or group.order > LARGEST_LATTICE:
        unsupported(
            group, f"subgroup lattice (order above {LARGEST_LATTICE})", "generate the subgroups you need with generated(...)"
        )
    table = multiplication_table(group)
    cyclic = {_closure(table, [g]) for g in range(len(table))}
    found, fresh = set(cyclic), set(cyclic)
    while fresh:
        joined = {_closure(table, [*a, *b]) for a in fresh for b in cyclic if not b <= a}
        fresh = joined - found
        found |= fresh
    ordered = sorted(found, key=lambda s: (len(s), sorted(s)))
    place = {s: i for i, s in enumerate(ordered)}
    classes, seen = [], set()
    for s in ordered:
        if place[s] not in seen:
            members = sorted({place[c] for c in _conjugates(table, s)})
            seen |= set(members)
            classes.append(members)
    return SubgroupLattice(group, [Subgroup(group, s) for s in ordered], classes)


def _closure(table: Tensor, generators: Iterable[int]) -> Positions:
    """The positions that some of them generate (in a finite group, products suffice)."""
    inside = torch.zeros(len(table), dtype=torch.bool)
    inside[0] = True
    gens = torch.tensor(sorted(set(generators) | {0}))
    fresh = torch.tensor([0])
    while len(fresh):
        products = table[fresh][:, gens].flatten().unique()
        fresh = products[~inside[products]]
        inside[fresh] = True
    return frozenset(inside.nonzero().flatten().tolist())


def _conjugates(table: Tensor, positions: Positions) -> Iterable[Positions]:
    """All conjugates of a set."""
    inverse, members = inverse_positions(table), torch.tensor(sorted(positions))
    moved = table[table[:, members], inverse[:, None].expand(-1, len(members))]
    return {frozenset(row) for row in moved.tolist()}
