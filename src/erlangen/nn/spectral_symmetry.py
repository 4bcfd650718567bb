"""`GridSymmetry`: the turns and reflections of a periodic grid, as layers of Fourier operators need them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.periodic import KINDS, PeriodicField
from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.finite import inverse_positions, multiplication_table
from erlangen.groups.settings import plane_symbols
from erlangen.groups.space_groups import PlaneGroup, SpaceGroup
from erlangen.reps.base import Rep

#: Names of the literature beside those of the International Tables.
SHORT_NAMES = {"pmm": "p2mm", "pmg": "p2mg", "pgg": "p2gg", "cmm": "c2mm", "p4m": "p4mm", "p4g": "p4gm", "p6m": "p6mm"}
#: The rotations of the cube, and those with reflections.
CUBIC = {"O": 207, "Oh": 221}

#: One entry of a list of fields: a name for people, what its values are, and how many of it there are (frames, species).
Field = tuple[str, str | Rep, int]


class GridSymmetry:
    """The point group of a plane or space group on a periodic grid, whose shifts by whole steps are symmetries anyway.

    Args:
        group: ``"p1"``, ``"p2"``, ``"p4"``, ``"pm"``, ``"pmm"``, ``"p4m"`` or another plane group by its symbol; in space ``"O"`` and
            ``"Oh"``, the 24 rotations of the cube and all its 48 symmetries; or a :class:`CrystallographicGroup`. Only its point group
            counts.
        axes: axes of the grid: as many as the group has, or one more, the last, which is not turned (time).

    Attributes:
        group: the group that acts on the grid, with one element for each turn.
        matrices: how its elements act on grid points, ``[n, axes, axes]``.
        division: the position of ``s^-1 t``, ``[n, n]``.

    Raises:
        ArgumentError: the group is not known, or has not so many axes.

    >>> GridSymmetry("p4m", 2).order, GridSymmetry("p4", 3).matrices[1].tolist()
    (8, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    """

    group: CrystallographicGroup
    matrices: Int[Tensor, "n d d"]
    division: Int[Tensor, "n n"]

    def __init__(self, group: str | CrystallographicGroup, axes: int) -> None:
        named = _named(group)
        if named.n not in (axes, axes - 1):
            raise ArgumentError(
                "group", f"a group of {axes} axes, or of {axes - 1} beside a last axis of time", f"{named} of {named.n}"
            )
        turns = named.point_group.elements()
        no_shift = torch.zeros(len(turns), named.n, 1, dtype=torch.int64)
        #: The group in space alone, whose representations values of fields have.
        self.space = CrystallographicGroup(torch.cat([turns, no_shift], -1), name=named.name)
        self.has_time = named.n < axes
        self.group = self.space
        if self.has_time:
            self.group = CrystallographicGroup(_with_time(self.space.elements()), name=f"{named.name} x time")
        self.matrices = self.group.rotation(self.group.elements())
        table = multiplication_table(self.group)
        self.division = table[inverse_positions(table)]
        self._mixed: list[list[int]] = (self.matrices != 0).any(0).nonzero().tolist()

    @property
    def axes(self) -> int:
        """Axes of the grid."""
        return self.group.n

    @property
    def order(self) -> int:
        """Elements of the point group: the size of the axis that features on the group have more."""
        return len(self.matrices)

    @property
    def turns_arrays(self) -> bool:
        """Whether its elements exchange and reverse axes only, so that the edge of the array is turned into itself: not hexagonal ones."""
        return bool((self.matrices.abs().sum(-1) == 1).all())

    def check_equal(self, argument: str, numbers: Sequence[int], what: str) -> None:
        """Raise where numbers of axes that the group exchanges differ.

        Raises:
            ArgumentError: they do.
        """
        for i, j in self._mixed:
            if numbers[i] != numbers[j]:
                raise ArgumentError(argument, f"equal {what} along axes {i} and {j}, which {self.group} mixes", tuple(numbers))

    def value(self, kind: str | Rep, argument: str = "kind") -> Rep:
        """The representation of :attr:`group` that a field's values have.

        Args:
            kind: ``"scalar"``, ``"pseudoscalar"`` (a vorticity), ``"vector"`` (a velocity, components along the axes of space),
                ``"pseudovector"``, ``"tensor"`` (of second order, all components, row by row), or a representation of :attr:`space`.
            argument: whose value this is, for the error.

        Raises:
            ArgumentError: the kind is not known.
        """
        known = self.space
        if isinstance(kind, Rep):
            if kind.group != known:
                raise ArgumentError(argument, f"a representation of {known}", f"one of {kind.group}")
            rep = kind
        elif kind in (*KINDS, "tensor"):
            rep = {
                "scalar": lambda: known.scalar,
                "pseudoscalar": lambda: known.pseudoscalar,
                "vector": lambda: known.vector,
                "pseudovector": lambda: known.pseudoscalar @ known.vector,
                "tensor": lambda: known.vector @ known.vector,
            }[kind]()
        else:
            raise ArgumentError(argument, f"one of {', '.join(KINDS)}, tensor or a representation of {known}", repr(kind))
        return rep.restrict(self.group, _without_time) if self.has_time else rep

    def fields(self, fields: Sequence[Field], argument: str) -> Rep:
        """The representation of all channels of some fields, one behind the other.

        Raises:
            ArgumentError: there is none, or one is no ``(name, kind, count)``.
        """
        if isinstance(fields, str) or not isinstance(fields, Sequence) or not fields:
            raise ArgumentError(argument, "a list of (name, kind, count)", repr(fields))
        parts = []
        for field in fields:
            if not isinstance(field, tuple) or len(field) != 3 or not isinstance(field[2], int) or field[2] < 1:
                raise ArgumentError(argument, "fields (name, kind, count) with a positive count", repr(field))
            parts.append(field[2] * self.value(field[1], argument))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def acting(self, sizes: Sequence[int], value: Any, pixels: bool = False) -> PeriodicField:
        """How the group acts on fields, about grid point 0 or, with ``pixels``, as one turns a picture: about the centre of the grid."""
        if not pixels:
            return PeriodicField(self.group, tuple(sizes), value)
        moved = about_pixels(self.group, sizes)
        return PeriodicField(moved, tuple(sizes), value.restrict(moved, _unshifted) if isinstance(value, Rep) else value)

    def __repr__(self) -> str:
        return f"GridSymmetry({self.group}, {self.axes} axes)"


def about_pixels(group: CrystallographicGroup, sizes: Sequence[int]) -> CrystallographicGroup:
    """A group that turns about grid point 0, turning about the centre of the pixels instead, as ``torch.rot90`` and ``torch.flip`` do.

    On a periodic grid of ``N`` steps the two differ by shifts of ``N - 1`` steps. What commutes with shifts does not tell them apart;
    forcings and positions do.

    >>> from erlangen.actions import PeriodicField
    >>> x = torch.arange(9.0).view(1, 3, 3)
    >>> group = GridSymmetry("p4", 2).group
    >>> turn, quarter = PeriodicField(about_pixels(group, (3, 3)), (3, 3)), torch.tensor([[0, -1], [1, 0]])
    >>> g = next(g for g in turn.group.elements() if torch.equal(g[:, :2], quarter))
    >>> torch.equal(turn.act(g, x), torch.rot90(x, 1, (1, 2)))
    True
    """
    n = group.n
    eye = [[int(i == j) for j in range(n)] for i in range(n)]
    return group.transformed(eye, [Fraction(1 - size, 2 * size) for size in sizes], name=f"{group} about the pixels' centre")


def _named(group: str | CrystallographicGroup) -> CrystallographicGroup:
    if isinstance(group, CrystallographicGroup):
        return group
    if isinstance(group, str) and group in CUBIC:
        return SpaceGroup(CUBIC[group])
    if isinstance(group, str):
        name = SHORT_NAMES.get(group, group)
        if name in plane_symbols():
            return PlaneGroup(name)
    known = "p1, p2, p4, pm, pmm, p4m, the symbol of another plane group, O, Oh, or a CrystallographicGroup"
    raise ArgumentError("group", known, repr(group))


def _with_time(maps: Int[Tensor, "n d k"]) -> Int[Tensor, "n e l"]:
    d = maps.shape[1]
    wide = torch.zeros(len(maps), d + 1, d + 2, dtype=torch.int64)
    wide[:, :d, :d], wide[:, d, d] = maps[..., :-1], 1
    return wide


def _without_time(g: Tensor) -> Tensor:
    return torch.cat([g[..., :-1, :-2], g[..., :-1, -1:]], -1)


def _unshifted(g: Tensor) -> Tensor:
    return torch.cat([g[..., :-1], torch.zeros_like(g[..., -1:])], -1)
