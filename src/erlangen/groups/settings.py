"""The tables of space and plane groups: their settings, names, generators and maps to the standard setting, read from CSV files.

The standard settings are those of the International Tables for Crystallography, Volume A, with unique axis b and cell choice 1, hexagonal
axes, and **origin choice 2** where there are two. Libraries differ here in 24 groups: spglib 2.8 takes origin choice 1 by default, moyopy
0.21 and PyXtal 1.1 take 2 (``SpaceGroup(227, choice="1")`` is spglib's).
"""

from __future__ import annotations

import csv
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from erlangen.errors import ArgumentError
from erlangen.groups.rational_maps import STANDARD_DENOMINATOR, parse_map

TABLES = Path(__file__).parent / "tables"


class Setting(NamedTuple):
    """A row of the table of settings.

    Attributes:
        hall: the number in spglib's list of 530.
        number, choice: the group and its setting.
        symbol, full_symbol, schoenflies, hall_symbol: its names.
        to_standard: the map from its coordinates to the standard setting's.
        generators: of the standard setting; empty for others.
    """

    hall: int
    number: int
    choice: str
    symbol: str
    full_symbol: str
    schoenflies: str
    hall_symbol: str
    to_standard: str
    generators: str


@lru_cache
def settings_table(kind: str) -> dict[int, tuple[Setting, ...]]:
    """The rows of the table of "space" or "plane" groups by number; read once."""
    with (TABLES / f"{kind}_group_settings.csv").open(newline="") as file:
        rows = [Setting(int(hall), int(number), *rest) for hall, number, *rest in list(csv.reader(file))[1:]]
    return {number: tuple(row for row in rows if row.number == number) for number in dict.fromkeys(row.number for row in rows)}


def plane_symbols() -> dict[str, int]:
    """The numbers of the plane groups by their symbols."""
    return {row.symbol: row.number for rows in settings_table("plane").values() for row in rows}


def settings_of(kind: str, number: int, largest: int) -> tuple[Setting, ...]:
    """The rows of one group.

    Raises:
        ArgumentError: no such number.
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= largest:
        raise ArgumentError("number", f"the number of a {kind} group, 1 to {largest}", repr(number))
    return settings_table(kind)[number]


def chosen(rows: tuple[Setting, ...], choice: str | None, number: int) -> Setting:
    """The row of a choice of setting, the standard one's for ``None``.

    Raises:
        ArgumentError: the group has no such setting.
    """
    if choice is None:
        return next(row for row in rows if row.generators)
    found = next((row for row in rows if row.choice == choice), None)
    if found is None:
        raise ArgumentError("choice", f"one of {[row.choice for row in rows]} for group {number}", repr(choice))
    return found


def map_to_standard(row: Setting, n: int) -> tuple[list[list[Fraction]], list[Fraction]]:
    """The map ``x_standard = P x + p`` of a row in rational numbers: ``P`` and ``p``."""
    scale = 3 if row.choice == "R" else 1  # the table holds thirds of hexagonal axes
    value = parse_map(row.to_standard, n).tolist()
    return [[Fraction(v, scale) for v in line[:-1]] for line in value], [Fraction(line[-1], STANDARD_DENOMINATOR) for line in value]
