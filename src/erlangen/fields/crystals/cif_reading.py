"""CIFs read: one atom of each orbit, and the group that the file says: its operations, or a symbol that leaves no choice of setting."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError, ErlangenError
from erlangen.extras import engine
from erlangen.fields.crystals.composition import NUMBERS
from erlangen.fields.crystals.crystal import Crystal, cell_of
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.settings import Setting, settings_of, settings_table
from erlangen.groups.space_groups import SpaceGroup

#: Images of an atom are one atom on a special position if they are nearer than its digits tell, between these bounds in angstrom.
SAME = (1e-3, 0.05)
#: What stands between blanks: a value in quotes, a comment, or anything else.
TOKEN = re.compile(r"""'.*?'(?!\S)|".*?"(?!\S)|\#.*|\S+""")
#: By how much of its longest edge a cell may miss what its group wants; files have three digits and more.
FITS = 1e-2
#: Names are small and without dots here: dictionaries of another style write _cell.length_a and _space_group.IT_number.
OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_ref",
    "_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_full",
)
NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
#: How names begin that say something of symmetry, and those of them that say nothing of which atoms there are.
SYMMETRY = ("_symmetry_", "_space_group")
LATTICE = ("_symmetry_cell_setting", "_space_group_crystal_system", "_space_group_bravais_type", "_space_group_laue_class")


def read_cif(path: Path) -> list[Crystal]:
    """All crystals of a CIF, in the cells and of the origins that it has; blocks without cell or atoms are passed over.

    Where a file lists no operations, its Hall symbol decides, or a Hermann-Mauguin symbol or number whose setting is plain from the cell.
    A file that says nothing of symmetry holds all its atoms.

    Raises:
        ArgumentError: the file is none, or lacks a coordinate; an unknown element, a shared or partly filled site; a symbol with two
            possible origins or settings; operations that the cell does not keep; symmetry in words that are not read, as of magnetic CIFs.
    """
    try:
        text = _without_comments(path.read_text(encoding="utf-8-sig", errors="replace"))
        blocks = [
            (block.name, {name.replace(".", "_"): block[name] for name in block})
            for block in engine("crystals", "ase.io.cif").parse_cif(StringIO(text))
        ]
    except Exception as problem:  # ASE's parser raises whatever it meets
        raise ArgumentError("path", "a CIF", f"'{path.name}' ({problem})") from problem
    return [
        _crystal(block, f"block '{name}' of '{path.name}'")
        for name, block in blocks
        if "_cell_length_a" in block and any(f"_atom_site_{axes}_x" in block for axes in ("fract", "cartn"))
    ]


def _without_comments(text: str) -> str:
    """A CIF without comments, of which ASE's parser knows only some.

    >>> _without_comments("_cell_length_a 5.4 # angstrom\\n_chemical_name 'a # b' # two")
    "_cell_length_a 5.4 \\n_chemical_name 'a # b' "
    """
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith(";"):
            inside = not inside
        if not inside:
            start = next((token.start() for token in TOKEN.finditer(line) if token[0].startswith("#")), len(line))
            line = line[:start]
        lines.append(line)
    return "\n".join(lines)


def _crystal(block: Mapping[str, Any], where: str) -> Crystal:
    lengths = [_number(block.get(f"_cell_length_{axis}"), "lengths of the cell", where) for axis in "abc"]
    angles = [_number(block.get(f"_cell_angle_{axis}"), "angles of the cell", where) for axis in ("alpha", "beta", "gamma")]
    cell = cell_of(lengths, angles)
    columns = {name: _column(block.get(f"_atom_site_{name}")) for name in ("label", "type_symbol", "occupancy", "calc_flag")}
    axes = [_column(block.get(f"_atom_site_fract_{axis}")) for axis in "xyz"]
    if not axes[0]:
        raise ArgumentError("path", "fractional coordinates", f"Cartesian ones alone in {where}")
    sites, numbers = [], []
    for i in range(len(axes[0])):
        one = {name: values[i] if i < len(values) else None for name, values in columns.items()}
        if str(one["calc_flag"]).lower() == "dum":
            continue
        number = _element(one["type_symbol"], one["label"], where)
        share = 1.0 if _unknown(one["occupancy"]) else _number(one["occupancy"], "occupancies", where)
        if not math.isclose(share, 1, abs_tol=1e-3):
            got = f"{share:g} of {one['label'] or one['type_symbol']} in {where}"
            raise ArgumentError("path", "sites of one element each, all of them filled", got)
        sites.append([_number(axis[i] if i < len(axis) else None, "coordinates of every atom", where) for axis in axes])
        numbers.append(number)
    if not sites:
        raise ArgumentError("path", "at least one atom", f"none in {where}")
    group = _group(block, cell, where)
    return _filled(group, cell, torch.tensor(sites, dtype=torch.float64), numbers, where)


def _filled(group: CrystallographicGroup, cell: Tensor, sites: Float[Tensor, "s 3"], numbers: Sequence[int], where: str) -> Crystal:
    """All atoms; those near a special position are taken onto it, and what stands twice in the list is one atom."""
    every = group.elements()
    linear, shift = every[..., :-1].to(sites.dtype), every[..., -1].to(sites.dtype) / group.denominator
    points: list[Tensor] = []
    made: list[int] = []
    for site, number in zip(sites, numbers):
        reach = _reach(site.tolist(), cell)
        apart = linear @ site + shift - site
        apart = apart - apart.round()
        near = (apart @ cell).norm(dim=1) < reach
        site = site + apart[near].mean(0)
        images = into_cell(linear @ site + shift)
        between = images.unsqueeze(1) - images
        same = ((between - between.round()) @ cell).norm(dim=-1) < 0.1 * reach
        orbit = images[same.to(torch.int8).argmax(1) == torch.arange(len(images))]
        if len(orbit) * int(near.sum()) != group.order:
            got = f"{site.tolist()} in {where}, {len(orbit)} images under {group.order} operations"
            raise ArgumentError("path", "atoms on special positions or well off them", got)
        for point in orbit:
            away = torch.stack(points) - point if points else torch.zeros(0, 3, dtype=sites.dtype)
            there = ((away - away.round()) @ cell).norm(dim=1) < reach
            if not bool(there.any()):
                points.append(point)
                made.append(number)
            elif made[int(there.nonzero()[0])] != number:
                raise ArgumentError(
                    "path", "sites of one element each, all of them filled", f"two elements at {point.tolist()} in {where}"
                )
    return Crystal(cell, torch.stack(points), torch.tensor(made))


def _reach(site: Sequence[float], cell: Tensor) -> float:
    """How far apart images of a point may be for the digits it is written with: a third is 0.333 or 0.333333."""
    digits = [len(f"{v:.12f}".rstrip("0").partition(".")[2]) for v in site if abs(24 * v - round(24 * v)) > 1e-12]
    low, high = SAME
    edges = cell.norm(dim=1)
    return min(max(low, 2 * 10.0 ** -min(digits, default=12) * float(edges.max())), high, 0.01 * float(edges.min()))


def _group(block: Mapping[str, Any], cell: Tensor, where: str) -> CrystallographicGroup:
    texts = next((_column(block.get(tag)) for tag in OPERATIONS if tag in block), [])
    texts = [_operation(str(text)) for text in texts if not _unknown(text)]
    if texts:
        try:
            group = CrystallographicGroup(texts)
        except ErlangenError as problem:
            raise ArgumentError(
                "path", "operations such as '-x, y+1/2, -z'", f"{getattr(problem, 'got', problem)} in {where}"
            ) from None
        if group.order != len(set(texts)):
            raise ArgumentError("path", "operations that form a group", f"{len(set(texts))} that make {group.order} in {where}")
        if not _keeps(group, cell):
            raise ArgumentError("path", "a cell that the operations of the file keep", f"another one in {where}")
        return group
    hall, symbol, number = (
        next((block[tag] for tag in tags if not _unknown(block.get(tag))), None) for tags in (HALL, SYMBOLS, NUMBER)
    )
    if hall is None and symbol is None and number is None:
        if other := [name for name, value in block.items() if name.startswith(SYMMETRY) and _says(name, value)]:
            hint = "Write the operations as _space_group_symop_operation_xyz"
            raise ArgumentError(
                "path", "operations, or a symbol of the tables of space groups", f"only {other[0]} in {where}", hint
            )
        return CrystallographicGroup(["x,y,z"])
    what = f"no operations, and {hall or symbol or f'number {number}'} in {where}"
    rows = _meant(hall, symbol, number)
    if not rows:
        raise ArgumentError("path", "operations, or a symbol of the tables of space groups", what)
    fitting = [row for row in rows if _keeps(SpaceGroup(row.number, row.choice), cell)]
    if {"1", "2"} <= {row.choice for row in fitting}:
        hint = "Write the operations, or ':1' or ':2' behind the symbol"
        raise ArgumentError("path", "operations, or a symbol with its choice of origin", what, hint)
    standard = [row for row in fitting if row.generators] or fitting
    if len(standard) != 1:
        raise ArgumentError(
            "path", "operations, or a symbol of one setting that the cell fits", f"{what}, {len(standard)} settings"
        )
    return SpaceGroup(standard[0].number, standard[0].choice)


def _meant(hall: Any, symbol: Any, number: Any) -> list[Setting]:
    """The settings that a file's symbols can mean."""
    rows = [row for several in settings_table("space").values() for row in several]
    if number is not None:
        rows = list(settings_of("space", int(number), 230)) if str(number).isdecimal() and 1 <= int(number) <= 230 else []
    if hall is not None:
        return [row for row in rows if _plain(row.hall_symbol) == _plain(hall)]
    if symbol is None:
        return rows
    name, _, choice = str(symbol).partition(":")
    if not choice and (match := re.fullmatch(r"(.*\S)\s*([SZ])", name)):
        name, choice = match[1], {"S": "1", "Z": "2"}[match[2]]
    named = [row for row in rows if _plain(name) in _names(row)]
    choice = choice.strip().upper()
    return [row for row in named if row.choice.upper() == choice] if choice else named


def _names(row: Setting) -> set[str]:
    """A setting's symbols; the short ones of monoclinic groups leave out the axes without symmetry."""
    names = {row.symbol, row.full_symbol}
    if 3 <= row.number <= 15:
        lattice, *axes = row.full_symbol.split()
        names.add(lattice + "".join(axis for axis in axes if axis != "1"))
    if row.number >= 195:  # the older symbols had no bar over the 3
        names.add(row.symbol.replace("-3", "3"))
    return {_plain(name) for name in names}


def _plain(symbol: Any) -> str:
    return re.sub(r"[\s_'\"]", "", str(symbol)).lower()


def _keeps(group: CrystallographicGroup, cell: Tensor) -> bool:
    """Whether the group's rotations are isometries of the cell, as exactly as files are."""
    metric = cell @ cell.mT
    rotations = group.generators[..., :-1].to(cell.dtype)
    lengths = metric.diagonal().sqrt()
    off = (rotations.mT @ metric @ rotations - metric).abs() / lengths / lengths.unsqueeze(1)
    return not off.numel() or float(off.max()) < FITS


def _operation(text: str) -> str:
    """An operation in small letters, decimals as fractions."""
    return re.sub(r"\d*\.\d+", lambda one: str(Fraction(one[0]).limit_denominator(24)), text.lower().replace(" ", ""))


def _element(kind: Any, label: Any, where: str) -> int:
    """The atomic number that a type or, without one, a label begins with."""
    for text, of_label in ((kind, False), (label, True)):
        if _unknown(text):
            continue
        letters = (re.match(r"[A-Za-z]*", str(text)) or [""])[0]
        two, one = letters[:2].capitalize(), letters[:1].upper()
        if of_label and len(letters) > 1 and letters[1].isupper() and two in NUMBERS and one in NUMBERS:
            hint = "Write the elements as _atom_site_type_symbol"
            raise ArgumentError("path", "labels that name one element", f"{text!r} in {where}, {two} or {one}", hint)
        if two in NUMBERS and (not of_label or len(letters) < 3 or letters[1].islower()):
            return NUMBERS[two]
        if one in NUMBERS and (len(letters) == 1 or (of_label and letters[1].isupper())):
            return NUMBERS[one]
        if letters.upper() in ("D", "T"):  # isotopes of hydrogen
            return 1
        raise ArgumentError("path", "elements", f"{text!r} in {where}")
    raise ArgumentError("path", "an element of every atom", f"none in {where}")


def _number(value: Any, what: str, where: str) -> float:
    """A number, without the digits in brackets that say how uncertain it is."""
    try:
        made = float(re.sub(r"\(\d*\)", "", str(value)))
    except ValueError:
        made = math.nan
    if not math.isfinite(made):
        raise ArgumentError("path", what, f"{value!r} in {where}")
    return made


def _says(name: str, value: Any) -> bool:
    """Whether a name that begins as those of symmetry do tells which operations there are."""
    return name not in LATTICE and not name.endswith("id") and any(not _unknown(one) for one in _column(value))


def _unknown(value: Any) -> bool:
    return value is None or str(value).strip() in ("", "?", ".")


def _column(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
