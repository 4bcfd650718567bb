"""Space groups and plane groups by their numbers, in any setting, with their Wyckoff positions.

Their standard settings are those of the International Tables; :mod:`erlangen.groups.settings` says which where there are several.
"""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.rational_maps import STANDARD_DENOMINATOR, parse_map
from erlangen.groups.settings import Setting, chosen, map_to_standard, plane_symbols, settings_of

if TYPE_CHECKING:
    from erlangen.groups.wyckoff import WyckoffPosition

#: Crystal systems by the last number of their space groups.
SYSTEMS = (
    (2, "triclinic"),
    (15, "monoclinic"),
    (74, "orthorhombic"),
    (142, "tetragonal"),
    (167, "trigonal"),
    (194, "hexagonal"),
    (230, "cubic"),
)
PLANE_SYSTEMS = ((2, "oblique"), (9, "rectangular"), (12, "square"), (17, "hexagonal"))


class TabulatedGroup(CrystallographicGroup):
    """What the groups of the two tables share."""

    #: "space" or "plane": which tables they are in.
    kind: str
    number: int
    choice: str
    setting: Setting
    to_standard: tuple[list[list[Fraction]], list[Fraction]]

    @property
    @abstractmethod
    def standard(self) -> TabulatedGroup:
        """The group of this type in its standard setting."""

    @property
    def is_standard(self) -> bool:
        """Whether this is the standard setting."""
        return bool(self.setting.generators)

    @property
    @abstractmethod
    def crystal_system(self) -> str:
        """The crystal system, in lower case."""

    @cached_property
    def wyckoff_positions(self) -> tuple[WyckoffPosition, ...]:
        """The Wyckoff positions in the order of their letters, from the most special ("a") to the general one."""
        from erlangen.groups.wyckoff import positions_of

        return positions_of(self, self.kind)

    def position_index(self, x: Float[Tensor, "*batch n"], tolerance: float = 1e-4) -> Int[Tensor, "*batch"]:
        """Which of :attr:`wyckoff_positions` points belong to: the most special one with a place within the tolerance.

        Args:
            x: fractional coordinates.
            tolerance: how far off each coordinate may be.

        Raises:
            ArgumentError: ``x`` has a wrong shape or is not finite, or the tolerance is not below 1/48, where positions run together.

        >>> G = SpaceGroup(221)
        >>> [G.wyckoff_positions[i].letter for i in G.position_index(torch.tensor([[0.5, 0.5, 1.0], [0.1, 0.2, 0.3]]))]
        ['c', 'n']
        """
        from erlangen.groups.wyckoff import position_index

        if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 1 or x.shape[-1] != self.n:
            got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise ArgumentError("x", f"fractional coordinates [*batch, {self.n}]", got)
        if not bool(x.isfinite().all()):
            raise ArgumentError("x", "finite coordinates", "NaN or infinity")
        if not 0 < tolerance < 1 / 48:
            raise ArgumentError("tolerance", "a positive number below 1/48", repr(tolerance))
        return position_index(self, x, tolerance)

    @property
    def normalizer(self) -> CrystallographicGroup:
        """The maps that take the group's elements to each other; see :func:`erlangen.groups.normalizer.normalizer`."""
        from erlangen.groups.normalizer import normalizer

        return normalizer(self)


class SpaceGroup(TabulatedGroup):
    """One of the 230 space groups of three dimensions, by its number.

    Args:
        number: 1 to 230, as in the International Tables.
        choice: another setting than the standard one, in the words of spglib's table: ``"1"`` (origin choice 1), ``"R"`` (rhombohedral
            axes), ``"c"``, ``"b2"``, ``"cab"`` ...; :attr:`settings` lists those of the group.

    Raises:
        ArgumentError: there is no such group or setting; the message lists those that there are.

    Source: International Tables for Crystallography, Volume A (Aroyo, 2016).

    >>> G = SpaceGroup(225)
    >>> G, G.order, G.point_group.order, len(G.centring)
    (Fm-3m, 192, 48, 4)
    >>> [f"{p.multiplicity}{p.letter}" for p in G.wyckoff_positions][:4]
    ['4a', '4b', '8c', '24d']
    """

    kind = "space"

    def __init__(self, number: int, choice: str | None = None) -> None:
        rows = settings_of("space", number, 230)
        row = chosen(rows, choice, number)
        standard = next(one for one in rows if one.generators)
        maps = torch.stack([parse_map(text, 3) for text in standard.generators.split("; ")])
        self.number, self.choice, self.setting = number, row.choice, row
        basis, origin = map_to_standard(row, 3)
        if row is not standard:
            maps, denominator = CrystallographicGroup(maps)._transformed_maps(basis, origin)
            maps[..., -1] *= STANDARD_DENOMINATOR // denominator  # whole, for P^-1 is in all settings of the table
        super().__init__(maps, name=row.symbol)
        #: ``x_standard = P x + p``: the map to the standard setting, in rational numbers.
        self.to_standard = (basis, origin)

    @property
    def standard(self) -> SpaceGroup:
        return self if self.is_standard else SpaceGroup(self.number)

    @property
    def settings(self) -> tuple[str, ...]:
        """The choices of setting that this group has; the empty text is one without a choice."""
        return tuple(row.choice for row in settings_of("space", self.number, 230))

    @property
    def crystal_system(self) -> str:
        """Triclinic, monoclinic, orthorhombic, tetragonal, trigonal, hexagonal or cubic."""
        return next(name for last, name in SYSTEMS if self.number <= last)


class PlaneGroup(TabulatedGroup):
    """One of the 17 plane groups, by its number or its symbol.

    >>> PlaneGroup("p4gm").order, PlaneGroup(17), PlaneGroup("cm").crystal_system
    (8, p6mm, 'rectangular')
    """

    kind = "plane"

    def __init__(self, number: int | str) -> None:
        if isinstance(number, str):
            names = plane_symbols()
            if number not in names:
                raise ArgumentError("number", f"1 to 17 or one of {', '.join(names)}", repr(number))
            number = names[number]
        (row,) = settings_of("plane", number, 17)
        self.number, self.choice, self.setting = number, "", row
        super().__init__(row.generators.split("; "), name=row.symbol)
        self.to_standard = map_to_standard(row, 2)

    @property
    def standard(self) -> PlaneGroup:
        return self

    @property
    def crystal_system(self) -> str:
        """Oblique, rectangular, square or hexagonal."""
        return next(name for last, name in PLANE_SYSTEMS if self.number <= last)
