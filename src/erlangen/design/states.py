"""Where a search over a lattice of subgroups can be: subgroups, and soft steps between neighbours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from erlangen.design.designs import whole_number
from erlangen.design.symmetrizer import SoftSymmetrizer, Symmetrizer
from erlangen.errors import ArgumentError
from erlangen.groups.subgroups import SubgroupLattice

Key = tuple[int, int, int]


@dataclass(frozen=True)
class State:
    """A subgroup, or a step from it towards one that covers it.

    Attributes:
        lower: the subgroup that holds, as its place in the lattice.
        upper: the subgroup that the step leads to; ``lower`` itself where there is none.
        step: how many of the search's soft steps have been taken.
    """

    lower: int
    upper: int
    step: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether this is a subgroup, and no step in between."""
        return self.lower == self.upper


class States:
    """All states over a lattice, with their neighbours and projectors.

    Args:
        lattice: the subgroups of a group.
        action: how the group acts on designs; see :class:`Symmetrizer`.
        steps: how many soft steps lead from a subgroup to one that covers it; 1: none in between.
        up_to_conjugacy: whether conjugate subgroups count as one.

    >>> from erlangen.groups import Cyclic, subgroup_lattice
    >>> C = Cyclic(4)
    >>> states = States(subgroup_lattice(C), C.vector, steps=2)
    >>> [states.name(s) for s in states.neighbours(states.exact("C_2"))]
    ['1 + 1/2 of C_2', 'C_2 + 1/2 of C_4']
    """

    def __init__(self, lattice: SubgroupLattice, action: Any, steps: int = 3, up_to_conjugacy: bool = False) -> None:
        if not isinstance(lattice, SubgroupLattice):
            raise ArgumentError("lattice", "a lattice of subgroups (subgroup_lattice(group))", repr(lattice))
        steps = whole_number(steps, 1, "soft_steps")
        self.lattice, self.action, self.steps, self.up_to_conjugacy = lattice, action, steps, up_to_conjugacy
        self.covers = lattice.covers()
        self._above: dict[int, list[int]] = defaultdict(list)
        self._below: dict[int, list[int]] = defaultdict(list)
        for i, j in self.covers:
            self._above[i].append(j)
            self._below[j].append(i)
        self._projectors: dict[int, Symmetrizer] = {}

    def exact(self, name: str, argument: str = "name") -> State:
        """The subgroup of a name.

        Raises:
            ArgumentError: naming ``argument``: there is none of that name; the message lists them.
        """
        try:
            place = self.lattice.place(name)
        except ArgumentError as error:
            raise ArgumentError(argument, error.expected, error.got) from None
        return State(place, place)

    def all_exact(self) -> list[State]:
        """Every subgroup, or one of each class, by order."""
        if self.up_to_conjugacy:
            return [State(members[0], members[0]) for members in self.lattice.classes]
        return [State(i, i) for i in range(len(self.lattice.subgroups))]

    def neighbours(self, state: State) -> list[State]:
        """What one step leads to, down first; of conjugates the first."""
        if not state.is_exact:
            return [self._between(state.lower, state.upper, state.step + by) for by in (-1, 1)]
        here = state.lower
        found = [self._between(low, here, self.steps - 1) for low in self._below[here]]
        found += [self._between(here, up, 1) for up in self._above[here]]
        first: dict[Key, State] = {}
        for one in found:
            first.setdefault(self.key(one), one)
        return list(first.values())

    def key(self, state: State) -> Key:
        """What a state is remembered by: itself, or the classes of its subgroups."""
        if not self.up_to_conjugacy:
            return (state.lower, state.upper, state.step)
        return (self.lattice.class_of[state.lower], self.lattice.class_of[state.upper], state.step)

    def name(self, state: State) -> str:
        """The subgroup's name, with the step."""
        names = self.lattice.names
        if state.is_exact:
            return names[state.lower]
        return f"{names[state.lower]} + {state.step}/{self.steps} of {names[state.upper]}"

    def asymmetry(self, state: State) -> float:
        """The identity's weight in the average: 1 for the trivial subgroup, ``1 / |H|`` for a subgroup ``H``."""
        amount, subgroups = state.step / self.steps, self.lattice.subgroups
        return (1 - amount) / subgroups[state.lower].order + amount / subgroups[state.upper].order

    def symmetrizer(self, state: State) -> Symmetrizer | SoftSymmetrizer:
        """The map that gives designs the state's symmetry; projectors are made when first needed."""
        if state.is_exact:
            return self._projector(state.lower)
        return SoftSymmetrizer(self._projector(state.lower), self._projector(state.upper), state.step / self.steps)

    def _between(self, lower: int, upper: int, step: int) -> State:
        if step == 0:
            return State(lower, lower)
        return State(upper, upper) if step == self.steps else State(lower, upper, step)

    def _projector(self, place: int) -> Symmetrizer:
        if place not in self._projectors:
            self._projectors[place] = Symmetrizer(self.lattice.subgroups[place], self.action)
        return self._projectors[place]
