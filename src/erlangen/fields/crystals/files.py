"""Files of crystals, read and written with their hand: CIF, POSCAR, extended XYZ, and whatever else ASE reads."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.cif_reading import read_cif
from erlangen.fields.crystals.composition import SYMBOLS, formula_of, reduced
from erlangen.fields.crystals.conventional import Conventional, conventional
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.serialization import write_bytes

#: Formats that are written, by the ending of the file's name; POSCAR and CONTCAR are known by their names too.
WRITTEN = {".cif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".extxyz": "extxyz", ".xyz": "extxyz"}


def read_crystals(path: str | Path) -> list[Crystal]:
    """All crystals of a file: CIF, POSCAR, extended XYZ, or any other format that ASE knows by its name (extra ``crystals``).

    Raises:
        ArgumentError: ASE cannot read it; it holds no crystal, or one with sites that several elements share or that are not filled.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError("path", "a file of crystals", repr(str(path)))
    if path.suffix.lower() == ".cif":
        if not (crystals := read_cif(path)):
            raise ArgumentError("path", "at least one crystal", f"none in '{path.name}'")
        return crystals
    io = engine("crystals", "ase.io")
    try:
        found = io.read(path, index=":", do_not_split_by_at_sign=True)
    except Exception as problem:  # ASE's readers raise whatever they meet
        raise ArgumentError("path", "a file of crystals that ASE reads", f"'{path.name}' ({problem})") from problem
    if not found:
        raise ArgumentError("path", "at least one crystal", f"none in '{path.name}'")
    return [as_crystal(one, f"structure {i} of '{path.name}'") for i, one in enumerate(found)]


def read_crystal(path: str | Path, index: int | None = None) -> Crystal:
    """One crystal of a file; see :func:`read_crystals`.

    Args:
        path: the file.
        index: which of several, from 0; by default there must be one.

    Raises:
        ArgumentError: there are several and ``index`` says none, or there are fewer.
    """
    found = read_crystals(path)
    if index is not None:
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(found):
            raise ArgumentError("index", f"0 to {len(found) - 1}, a crystal of '{Path(path).name}'", repr(index))
        return found[index]
    if len(found) != 1:
        hint = "Say which: index=0 is the first"
        raise ArgumentError("path", "a file of one crystal", f"{len(found)} in '{Path(path).name}'", hint)
    return found[0]


def write_crystals(path: str | Path, structures: Iterable[Any] | Any, *, symprec: float | None = 1e-3) -> Path:
    """Write crystals to one file, by the ending of its name: ``.cif``, ``.vasp`` or ``.poscar`` (one crystal), ``.extxyz``.

    A CIF says the space group: the crystal is written in its conventional cell, with the group's operations and one atom of each orbit.
    CIF and POSCAR hold lattices that many readers rebuild from lengths and angles: what is written is in a right-handed basis, so that no
    reader mirrors it. An extended XYZ holds the vectors as they are.

    Args:
        path: the file; it is written whole or not at all.
        structures: crystals of ours, ASE's or pymatgen's, one or several; or :class:`~erlangen.fields.crystals.Conventional` ones.
        symprec: by which the symmetry is found that a CIF says, angstrom; ``None`` writes all atoms, with the group P1.

    Raises:
        ArgumentError: another ending, no crystals, several for a POSCAR, or no symmetry is found.
    """
    path = Path(path)
    one = (
        isinstance(structures, Crystal | Conventional)
        or hasattr(structures, "get_scaled_positions")
        or hasattr(structures, "lattice")
    )
    each = [structures] if one else list(structures)
    form = file_format(path)
    if not each:
        raise ArgumentError("structures", "at least one crystal", "none")
    if form == "cif":
        text = "\n".join(cif_text(one, symprec=symprec, name=_name(one, i)) for i, one in enumerate(each))
    else:
        crystals = [as_crystal(one, f"structures[{i}]") for i, one in enumerate(each)]
        if form == "poscar" and len(crystals) != 1:
            raise ArgumentError("structures", "one crystal for a POSCAR", f"{len(crystals)}")
        text = poscar_text(crystals[0]) if form == "poscar" else _extxyz(crystals)
    return write_bytes(path, text.encode())


def file_format(path: str | Path, argument: str = "path") -> str:
    """Which format a file is written in: ``"cif"``, ``"poscar"`` or ``"extxyz"``.

    Raises:
        ArgumentError: its name tells none.

    >>> file_format("new.cif"), file_format("POSCAR")
    ('cif', 'poscar')
    """
    path = Path(path)
    form = WRITTEN.get(path.suffix.lower()) or ("poscar" if path.name.upper().startswith(("POSCAR", "CONTCAR")) else None)
    if form is None:
        raise ArgumentError(argument, f"a file whose name ends with one of {', '.join(WRITTEN)}", repr(path.name))
    return form


def cif_text(structure: Any, *, symprec: float | None = 1e-3, name: str = "crystal") -> str:
    """A block of a CIF: cell, operations and one atom of each orbit; see :func:`write_crystals`.

    Source: S. R. Hall, F. H. Allen, I. D. Brown, Acta Cryst. A47 (1991) 655; the core dictionary of the IUCr.
    """
    if isinstance(structure, Conventional):
        one = structure
    elif symprec is None:
        return _p1(as_crystal(structure), name)
    else:
        one = conventional(structure, symprec)
    group = one.group
    operations = [group.operation(g) for g in group.elements()]
    sites = list(zip(one.numbers.tolist(), one.asymmetric.tolist(), one.letters))
    points = {position.letter: position.multiplicity for position in group.wyckoff_positions}
    head = [("_space_group_IT_number", str(group.number)), ("_space_group_name_H-M_alt", f"'{_spaced(group.name)}'")]
    return _block(name, one.crystal, head, operations, [(n, x, points[letter], letter) for n, x, letter in sites])


def poscar_text(crystal: Crystal) -> str:
    """A POSCAR (VASP 5), direct coordinates, atoms sorted by element, in a right-handed basis."""
    one = crystal.right_handed()
    kinds = list(dict.fromkeys(one.numbers.tolist()))
    counts = one.counts
    lines = [one.formula, "1.0", *(" ".join(f"{v: .16f}" for v in row) for row in one.cell.tolist())]
    lines += [" ".join(SYMBOLS[kind] for kind in kinds), " ".join(str(counts[kind]) for kind in kinds), "Direct"]
    for kind in kinds:
        lines += [" ".join(f"{v:.16f}" for v in row) for row in one.fractional[one.numbers == kind].tolist()]
    return "\n".join(lines) + "\n"


def _extxyz(crystals: Sequence[Crystal]) -> str:
    stream = StringIO()
    engine("crystals", "ase.io").write(stream, [one.to_ase() for one in crystals], format="extxyz")
    return stream.getvalue()


def _p1(crystal: Crystal, name: str) -> str:
    one = crystal.right_handed()
    head = [("_space_group_IT_number", "1"), ("_space_group_name_H-M_alt", "'P 1'")]
    sites = [(n, x, 1, "a") for n, x in zip(one.numbers.tolist(), one.fractional.tolist())]
    return _block(name, one, head, ["x,y,z"], sites)


def _block(
    name: str,
    crystal: Crystal,
    head: Sequence[tuple[str, str]],
    operations: Sequence[str],
    sites: Sequence[tuple[int, list[float], int, str]],
) -> str:
    lengths, angles = crystal.lengths_angles()
    counts = crystal.counts
    units = math.gcd(*counts.values())
    lines = [f"data_{re.sub(r'[^!-~]+', '_', name)}", f"_chemical_formula_structural {formula_of(reduced(counts))}"]
    lines.append(
        "_chemical_formula_sum '" + " ".join(f"{SYMBOLS[n]}{counts[n]}" for n in sorted(counts, key=lambda n: SYMBOLS[n])) + "'"
    )
    lines += [f"_cell_formula_units_Z {units}"]
    lines += [f"_cell_length_{axis} {value:.10f}" for axis, value in zip("abc", lengths)]
    lines += [f"_cell_angle_{axis} {value:.10f}" for axis, value in zip(("alpha", "beta", "gamma"), angles)]
    lines += [f"_cell_volume {crystal.volume:.8f}", *(f"{key} {value}" for key, value in head)]
    lines += ["loop_", "_space_group_symop_operation_xyz", *(f"'{one}'" for one in operations)]
    columns = ("label", "type_symbol", "symmetry_multiplicity", "Wyckoff_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    lines += ["loop_", *(f"_atom_site_{column}" for column in columns)]
    seen: dict[int, int] = {}
    for number, place, multiplicity, letter in sites:
        seen[number] = seen.get(number, 0) + 1
        fractions = " ".join(f"{value:.12f}" for value in place)
        lines.append(f"{SYMBOLS[number]}{seen[number]} {SYMBOLS[number]} {multiplicity} {letter} {fractions} 1")
    return "\n".join(lines) + "\n"


def _spaced(symbol: str) -> str:
    """A Hermann-Mauguin symbol with its parts apart, as CIFs write it: "P 31 2 1" for "P3_121"."""
    parts: list[str] = [symbol[0]]
    rest = symbol[1:]
    while rest:
        size = 2 if rest[0] == "-" else 1
        if rest[size : size + 1] == "_":
            size += 2
        if rest[size : size + 1] == "/":
            size += 2
        parts.append(rest[:size].replace("_", ""))
        rest = rest[size:]
    return " ".join(parts)


def _name(structure: Any, i: int) -> str:
    return f"{as_crystal(structure, f'structures[{i}]').formula}_{i + 1}"
