"""Wyckoff positions: the orbits of points under a space group, sorted by how special their points are.

Source: International Tables for Crystallography, Volume A (Aroyo, 2016), chapters 1.4 and 2.1.
"""

from __future__ import annotations

import csv
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.rational_maps import STANDARD_DENOMINATOR, compose, format_map, left_kernel, modulo, parse_map
from erlangen.groups.settings import TABLES
from erlangen.groups.space_groups import TabulatedGroup


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """One Wyckoff position of a group: a point with free parameters, and its orbit.

    Attributes:
        group: the group, in its setting.
        letter: "a" for the most special; after "z" comes "A".
        multiplicity: points of an orbit in the unit cell.
        site_symmetry: the symbol of the points' stabilizer, oriented as in the standard setting.
        representative: the first point as a map from the coordinates x, y, z to its place, ``[n, n + 1]``, the last column in units of
            ``1 / denominator``.
        denominator: of the translations.

    >>> from erlangen.groups import SpaceGroup
    >>> O = SpaceGroup(221).wyckoff_positions[2]
    >>> O, O.site_symmetry, O.dof, O.text
    (3c of Pm-3m, '4/mm.m', 0, '0,1/2,1/2')
    """

    group: CrystallographicGroup
    letter: str
    multiplicity: int
    site_symmetry: str
    representative: Tensor
    denominator: int

    @cached_property
    def _free(self) -> list[int]:
        """Which of the variables x, y, z occur: the position's free parameters."""
        return self.representative[:, :-1].any(0).nonzero().flatten().tolist()

    @property
    def dof(self) -> int:
        """How many coordinates are free: 0 for a point, 1 for a line, 2 for a plane, 3 for the general position."""
        return len(self._free)

    @property
    def text(self) -> str:
        """The representative as the tables write it."""
        return format_map(self.representative, self.denominator)

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _points(self) -> tuple[Int[Tensor, "m n k"], Int[Tensor, "m n k"]]:
        """Of each point of the orbit its map and the first element that takes the representative to it."""
        unit = self.denominator // self.group.denominator
        every = self.group.elements()
        scaled = every.clone()
        scaled[..., -1] *= unit
        images = modulo(compose(scaled, self.representative), self.denominator)
        first = {tuple(one.flatten().tolist()): i for i, one in reversed(list(enumerate(images)))}
        kept = sorted(first.values())
        return images[kept], every[kept]

    @property
    def representatives(self) -> Int[Tensor, "m n k"]:
        """One map for each point of the orbit, the representative first; in units of ``1 / denominator``, taken into [0, 1)."""
        return self._points[0]

    @property
    def cosets(self) -> Int[Tensor, "m n k"]:
        """The elements of the group that take the representative to each of :attr:`representatives`, the identity first."""
        return self._points[1]

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def stabilizer(self) -> Int[Tensor, "s n k"]:
        """The elements that keep the representative, up to whole translations, whatever its free parameters: the site symmetry group."""
        unit = self.denominator // self.group.denominator
        every = self.group.elements()
        scaled = every.clone()
        scaled[..., -1] *= unit
        moved = modulo(compose(scaled, self.representative), self.denominator)
        return every[(moved == modulo(self.representative, self.denominator)).flatten(1).all(1)]

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def conditions(self) -> list[tuple[Tensor, Tensor]]:
        """For each point of the orbit the rows ``N`` and the shift ``w`` with: ``p`` lies on it just when ``N (p - w)`` is whole."""
        return [(left_kernel(one[:, self._free]), one[:, -1]) for one in self.representatives]

    def coordinates(self, free: Float[Tensor, "*batch dof"] | None = None) -> Float[Tensor, "*batch m n"]:
        """The points of orbits, fractional coordinates in [0, 1), in the order of :attr:`representatives`.

        Args:
            free: the values of the variables that occur in :attr:`text`, in alphabetical order; may be left out when there are none.

        Raises:
            ArgumentError: a wrong number of them.

        >>> from erlangen.groups import SpaceGroup
        >>> SpaceGroup(221).wyckoff_positions[4].coordinates(torch.tensor([0.2])).shape
        torch.Size([6, 3])
        """
        if free is None:
            free = torch.zeros(0, dtype=torch.get_default_dtype())
        if not isinstance(free, Tensor) or not free.is_floating_point() or free.ndim < 1 or free.shape[-1] != self.dof:
            got = f"shape {tuple(free.shape)}" if isinstance(free, Tensor) else type(free).__name__
            raise ArgumentError("free", f"a floating-point tensor [*batch, {self.dof}] for {self}", got)
        maps = self.representatives.to(free.device)
        linear, shift = maps[..., self._free].to(free.dtype), maps[..., -1].to(free.dtype) / self.denominator
        points = torch.einsum("mnd,...d->...mn", linear, free) + shift
        inside = points - points.floor()
        return torch.where(inside == 1, 0, inside)  # -1e-17 is just below 1, and rounds to it

    def __repr__(self) -> str:
        return f"{self.multiplicity}{self.letter} of {self.group}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WyckoffPosition) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> Hashable:
        # Two settings may have the same operations and yet exchange letters.
        return (self.group, self.letter, self.denominator, tuple(self.representative.flatten().tolist()))


@torch.inference_mode(False)  # what is kept must serve training too
def positions_of(group: TabulatedGroup, kind: str) -> tuple[WyckoffPosition, ...]:
    """The positions of a group in its setting, from the table of the standard one."""
    standard = group.standard
    made = []
    for letter, count, symmetry, text in _table(kind)[group.number]:
        representative = _in_setting(parse_map(text, group.n), group)
        multiplicity = count * group.order // standard.order  # cells of other settings may hold fewer lattice points
        made.append(WyckoffPosition(group, letter, multiplicity, symmetry, representative, group.denominator))
    return tuple(made)


def _in_setting(representative: Int[Tensor, "n k"], group: TabulatedGroup) -> Int[Tensor, "n k"]:
    """The representative in the group's own coordinates, ``P^-1 (A u + w - p)``; ``P^-1`` is whole in all settings of the table."""
    if group.is_standard:
        return representative
    basis, origin = group.to_standard
    back = torch.linalg.inv(torch.tensor([[float(v) for v in row] for row in basis], dtype=torch.float64)).round().to(torch.int64)
    shift = torch.tensor([int(v * group.denominator) for v in origin])
    scaled = representative.clone()
    scaled[:, -1] = scaled[:, -1] * group.denominator // STANDARD_DENOMINATOR - shift
    return modulo((back.unsqueeze(-1) * scaled).sum(-2), group.denominator)


def position_index(group: TabulatedGroup, x: Float[Tensor, "*batch n"], tolerance: float) -> Int[Tensor, "*batch"]:
    """Which of ``group.wyckoff_positions`` each point belongs to: the most special one that has a point of its orbit within the tolerance.

    See :meth:`erlangen.groups.SpaceGroup.position_index`.
    """
    found = torch.full(x.shape[:-1], -1, dtype=torch.int64, device=x.device)
    for i, position in enumerate(group.wyckoff_positions):
        for linear_kernel, shift in position.conditions:
            rows, offset = linear_kernel.to(x), shift.to(x) / position.denominator
            away = (x - offset) @ rows.mT
            near = ((away - away.round()).abs() <= tolerance * rows.abs().sum(1)).all(-1)
            found = torch.where((found < 0) & near, i, found)
    return found


@lru_cache
def _table(kind: str) -> dict[int, list[tuple[str, int, str, str]]]:
    table: dict[int, list[tuple[str, int, str, str]]] = {}
    with (TABLES / f"{kind}_group_positions.csv").open(newline="") as file:
        for number, letter, multiplicity, symmetry, text in list(csv.reader(file))[1:]:
            table.setdefault(int(number), []).append((letter, int(multiplicity), symmetry, text))
    return table
