"""Makes the tables of the 230 space groups anew: ``python -m erlangen.groups.tables.make_space_groups``.

Operations and settings come from spglib (BSD), Wyckoff positions from PyXtal (MIT); neither is needed to use the tables. Every row is
compared with a second library in ``tests/groups/space``. The tables of the 17 plane groups are short and were written by hand from the
International Tables for Crystallography, Volume A.
"""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from erlangen.groups.rational_maps import STANDARD_DENOMINATOR, format_map

FOLDER = Path(__file__).parent
#: Rhombohedral axes (obverse) in terms of the hexagonal ones, as columns, times 3.
RHOMBOHEDRAL = np.array([[2, -1, -1], [1, 1, -2], [1, 1, 1]])


def _spglib() -> Any:
    import spglib

    return spglib


def operations(hall: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations ``[m, 3, 3]`` and translations ``[m, 3]`` in 24ths of a setting of spglib's list."""
    found = _spglib().get_symmetry_from_database(hall)
    return found["rotations"].astype(int), np.rint(found["translations"] * STANDARD_DENOMINATOR).astype(int)


def standard_settings(kinds: dict[int, Any]) -> dict[int, int]:
    """The setting of each group that the International Tables put first; origin choice 2 and hexagonal axes where there is a choice."""
    chosen: dict[int, int] = {}
    for hall, kind in kinds.items():
        if kind.number not in chosen or kind.choice in ("2", "H"):
            chosen[kind.number] = hall
    return chosen


def transform(standard: int, hall: int, choice: str, places: dict[str, np.ndarray]) -> str:
    """The map from coordinates in a setting to those in the standard one: operations go to operations, and letters to letters.

    Origins that differ by a symmetry of the group's normalizer serve for the operations; only some name positions as the tables do.
    """
    rotations, shifts = operations(standard)
    wanted_rotations, wanted_shifts = operations(hall)
    wanted, turns = _keys(wanted_rotations, wanted_shifts), set(map(tuple, wanted_rotations.reshape(-1, 9)))
    if choice == "R":
        if not _same_letters(hall, RHOMBOHEDRAL / 3, np.zeros(3), places):
            raise ValueError(f"letters of setting {hall}")
        return ",".join(f"{a}x{b:+}y{c:+}z" for a, b, c in RHOMBOHEDRAL)  # in thirds
    for basis in _bases():
        back = np.rint(np.linalg.inv(basis)).astype(int)
        moved = back @ rotations @ basis
        if set(map(tuple, moved.reshape(-1, 9))) != turns:
            continue
        for origin in itertools.product(range(0, STANDARD_DENOMINATOR, 3), repeat=3):
            p = np.array(origin)
            if _keys(moved, (shifts + rotations @ p - p) @ back.T) != wanted:
                continue
            if _same_letters(hall, basis, p / STANDARD_DENOMINATOR, places):
                return format_map(torch.tensor(np.concatenate([basis, p[:, None]], 1)))
    raise ValueError(f"no transformation from setting {standard} to {hall}")


def _same_letters(hall: int, basis: np.ndarray, origin: np.ndarray, places: dict[str, np.ndarray]) -> bool:
    """Whether spglib gives points of the standard positions, moved to a setting, the same letters there."""
    rotations, shifts = operations(hall)
    back, rng = np.linalg.inv(basis), np.random.default_rng(0)

    def orbit(point: np.ndarray) -> np.ndarray:
        points = (rotations @ point + shifts / STANDARD_DENOMINATOR) % 1
        first: list[np.ndarray] = []
        for one in points:
            if all(np.abs((one - other + 0.5) % 1 - 0.5).max() > 1e-6 for other in first):
                first.append(one)
        return np.array(first)

    general = [orbit(rng.random(3)), orbit(rng.random(3))]
    lattice = _cell(rotations)
    for letter, place in places.items():
        atoms = [*general, orbit(back @ (place - origin))]
        kinds = [i for i, points in enumerate(atoms) for _ in points]
        found = _spglib().get_symmetry_dataset((lattice, np.concatenate(atoms), kinds), symprec=1e-5, hall_number=hall)
        if found is None or found.hall_number != hall or found.wyckoffs[-1] != letter:
            return False
    return True


def _cell(rotations: np.ndarray) -> np.ndarray:
    """A cell without more symmetry than the rotations ask for: the average over them of a general metric, as rows."""
    general = np.array([[26.0, 1.3, 2.1], [1.3, 38.0, 3.4], [2.1, 3.4, 53.0]])
    metric = np.mean([turn.T @ general @ turn for turn in rotations], 0)
    return np.linalg.cholesky(metric)


def _bases() -> list[np.ndarray]:
    every = (np.array(entries).reshape(3, 3) for entries in itertools.product((-1, 0, 1), repeat=9))
    proper = [m for m in every if round(np.linalg.det(m)) == 1]
    return sorted(proper, key=lambda m: (np.abs(m).sum(), -np.trace(m)))


def _keys(rotations: np.ndarray, shifts: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, np.concatenate([rotations.reshape(-1, 9), shifts % STANDARD_DENOMINATOR], 1).tolist()))


def generators(hall: int) -> str:
    """A few operations that generate a group together with the lattice."""
    rotations, shifts = operations(hall)
    maps = torch.tensor(np.concatenate([rotations, shifts[:, :, None]], -1))
    from erlangen.groups.crystallographic import close_maps

    chosen = close_maps(maps, 3, STANDARD_DENOMINATOR)[1]
    return "; ".join(format_map(one) for one in chosen) or "x,y,z"


def main() -> None:
    from pyxtal.symmetry import Group

    kinds = {hall: _spglib().get_spacegroup_type(hall) for hall in range(1, 531)}
    chosen = standard_settings(kinds)
    with (FOLDER / "space_group_settings.csv").open("w", newline="") as file:
        write = csv.writer(file, lineterminator="\n")
        write.writerow(
            ["hall", "number", "choice", "symbol", "full_symbol", "schoenflies", "hall_symbol", "to_standard", "generators"]
        )
        for hall, kind in kinds.items():
            standard = chosen[kind.number]
            own = hall == standard
            rng = np.random.default_rng(kind.number)
            places = {w.letter: w.ops[0].operate(rng.random(3)) for w in Group(kind.number)}
            there = "x,y,z" if own else transform(standard, hall, kind.choice, places)
            symbols = [kind.choice, kind.international_short, kind.international_full, kind.schoenflies, kind.hall_symbol]
            write.writerow([hall, kind.number, *symbols, there, generators(hall) if own else ""])
    with (FOLDER / "space_group_positions.csv").open("w", newline="") as file:
        write = csv.writer(file, lineterminator="\n")
        write.writerow(["number", "letter", "multiplicity", "site_symmetry", "representative"])
        for number in range(1, 231):
            for position in reversed(list(Group(number))):
                position.get_site_symmetry()
                representative = position.ops[0].as_xyz_str().replace(" ", "")
                write.writerow([number, position.letter, position.multiplicity, position.site_symm, representative])


def renamings() -> None:
    """Write a few renamings of the Wyckoff positions of each group that generate all of them."""
    from erlangen.groups.closure import close_objects
    from erlangen.groups.normalizer import LARGEST_ORDER, found_letter_maps
    from erlangen.groups.space_groups import SpaceGroup

    with (FOLDER / "space_group_renamings.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "renaming"])
        for number in range(1, 231):
            group = SpaceGroup(number)
            identity = tuple(range(len(group.wyckoff_positions)))
            kept: list[tuple[int, ...]] = []
            reached = {identity}
            for one in found_letter_maps(group):
                if one not in reached:
                    kept.append(one)
                    closed = close_objects(
                        identity, kept, lambda second, first: tuple(second[i] for i in first), lambda x: x, LARGEST_ORDER
                    )
                    assert closed is not None
                    reached = set(closed[0])
            writer.writerows([number, " ".join(map(str, one))] for one in kept)


if __name__ == "__main__":
    main()
    renamings()
