"""`Skeleton`: which limbs a robot has, and how limbs are added and taken away for whole orbits of legs at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.robots.space import DEEPEST, RadialSpace
from erlangen.groups.subgroups import Subgroup

#: What may be done to a body.
NOTHING, ADD, REMOVE = 0, 1, 2


@dataclass(frozen=True)
class Skeleton:
    """The limbs of a robot: a tree whose root is the torso, in which each limb has at most one child, so that legs are chains.

    A body has a number, written in base ``b = max(5, n_max + 1)``: the torso 0; leg ``i``, counted from 1, as the last digit, and a digit 1
    before it for each limb further out. So the last digit tells the leg, and the number of digits the depth.

    Args:
        depths: how many limbs each leg has, 1 to 4.
        largest: the largest number of legs of the robots that share these numbers; by default this one's.

    >>> Skeleton((1, 2, 1)).bodies                       # 0, 1, 2, 12 and 3 in base 5
    (0, 1, 2, 7, 3)
    """

    depths: tuple[int, ...]
    largest: int = 0

    def __post_init__(self) -> None:
        depths = tuple(self.depths)
        if not depths or not all(isinstance(d, int) and 1 <= d <= DEEPEST for d in depths):
            raise ArgumentError("depths", f"a number of limbs from 1 to {DEEPEST} for each leg", repr(self.depths))
        if not isinstance(self.largest, int) or (self.largest and self.largest < len(depths)):
            raise ArgumentError("largest", f"at least {len(depths)}, the number of legs", repr(self.largest))
        object.__setattr__(self, "depths", depths)

    # ---- numbers ----

    @property
    def base(self) -> int:
        """In which the numbers of bodies are written."""
        return max(5, (self.largest or len(self.depths)) + 1)

    @property
    def limbs(self) -> list[tuple[int, int]]:
        """``(leg, limb)``, both from 0, leg by leg from the torso outwards."""
        return [(leg, limb) for leg, depth in enumerate(self.depths) for limb in range(depth)]

    @property
    def bodies(self) -> tuple[int, ...]:
        """The numbers of the torso and of the limbs, in the order of :attr:`limbs`."""
        return (0, *(self.body(leg, limb) for leg, limb in self.limbs))

    def body(self, leg: int, limb: int) -> int:
        """The number of a limb, there or not."""
        return sum(self.base**i for i in range(1, limb + 1)) + leg + 1

    def place(self, body: int) -> tuple[int, int]:
        """``(leg, limb)`` of a number.

        Raises:
            ArgumentError: no limb of this skeleton has it.

        >>> Skeleton((1, 2, 1)).place(7)
        (1, 1)
        """
        found = dict(zip(self.bodies[1:], self.limbs))
        if body not in found:
            raise ArgumentError("body", f"one of {', '.join(map(str, found))}", repr(body))
        return found[body]

    @property
    def edges(self) -> list[tuple[int, int]]:
        """``(parent, child)`` as numbers of bodies."""
        return [(self.body(leg, limb - 1) if limb else 0, self.body(leg, limb)) for leg, limb in self.limbs]

    def mask(self, depth: int = DEEPEST) -> Bool[Tensor, "n depth"]:
        """Which limbs are there, for designs ``[n, depth, 6]``."""
        if depth < max(self.depths):
            raise ArgumentError("depth", f"at least {max(self.depths)}, the longest leg's", repr(depth))
        return torch.arange(depth) < torch.tensor(self.depths).unsqueeze(1)

    # ---- symmetry ----

    def is_symmetric(self, space: RadialSpace, subgroup: Subgroup | str) -> bool:
        """Whether a subgroup of ``D_n`` takes legs only to legs of as many limbs.

        >>> space = RadialSpace(4)
        >>> Skeleton((2, 1, 2, 1)).is_symmetric(space, "H_2"), Skeleton((2, 1, 2, 1)).is_symmetric(space, "H_1")
        (True, False)
        """
        return all(len({self.depths[leg] for leg in orbit}) == 1 for orbit in self._orbits(space, subgroup))

    def symmetrized(self, space: RadialSpace, subgroup: Subgroup | str) -> Skeleton:
        """Each leg with as many limbs as the first of its orbit: what a search does that comes to a larger subgroup.

        >>> Skeleton((3, 1, 2, 4)).symmetrized(RadialSpace(4), "H_2").depths
        (3, 1, 3, 1)
        """
        depths = list(self.depths)
        for orbit in self._orbits(space, subgroup):
            for leg in orbit:
                depths[leg] = self.depths[orbit[0]]
        return Skeleton(tuple(depths), self.largest)

    def changed(self, actions: Int[Tensor, " bodies"], space: RadialSpace, subgroup: Subgroup | str) -> Skeleton:
        """The skeleton after an action on each body, the torso first: 0 nothing, 1 add a child, 2 remove.

        Of each orbit of legs the first one's actions count and are taken for all. What a limit forbids is not done: a second child (so the
        torso, whose legs are given, and all but the last limb of a leg take no ``add``), a fifth limb, removing a limb that carries
        another or a leg's first.

        Raises:
            ArgumentError: not one action for each body; or the skeleton does not have the subgroup's symmetry
                (:meth:`symmetrized` gives it).

        >>> space = RadialSpace(4)
        >>> start = Skeleton((1, 1, 1, 1))
        >>> start.changed(torch.tensor([0, 1, 0, 2, 0]), space, "H_2").depths   # legs 0 and 2, legs 1 and 3 in step
        (2, 1, 2, 1)
        """
        count = len(self.limbs) + 1
        fits = isinstance(actions, Tensor) and tuple(actions.shape) == (count,) and not actions.is_floating_point()
        if not fits or not bool(((actions >= NOTHING) & (actions <= REMOVE)).all()):
            raise ArgumentError("actions", f"{count} whole numbers from 0 to 2, one for each body", repr(actions))
        if not self.is_symmetric(space, subgroup):
            raise ArgumentError("subgroup", f"one that keeps the skeleton {self.depths}", repr(subgroup), "see .symmetrized")
        last = {leg: int(action) for (leg, _), action in zip(self.limbs, actions[1:].tolist())}  # only a leg's last limb can change
        depths = list(self.depths)
        for orbit in self._orbits(space, subgroup):
            by = {NOTHING: 0, ADD: 1, REMOVE: -1}[last[orbit[0]]]
            for leg in orbit:
                depths[leg] = min(max(depths[leg] + by, 1), DEEPEST)
        return Skeleton(tuple(depths), self.largest)

    def _orbits(self, space: RadialSpace, subgroup: Subgroup | str) -> list[list[int]]:
        if space.n_legs != len(self.depths):
            raise ArgumentError("space", f"one of {len(self.depths)} legs, as the skeleton", repr(space))
        return space.orbits(subgroup)
