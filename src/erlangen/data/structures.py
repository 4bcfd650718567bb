"""Atoms: molecules and crystals from files that ASE or RDKit read, from ASE's and PyG's objects, and from arrays."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.checks import numeric
from erlangen.data.collection import Collection
from erlangen.data.columns import MOST_LABELS
from erlangen.data.dataset import Target
from erlangen.data.selection import listed
from erlangen.errors import ArgumentError
from erlangen.extras import engine

#: Files of structures, by ending.
STRUCTURES = (".extxyz", ".xyz", ".cif", ".sdf", ".mol", ".db", ".traj", ".vasp", ".poscar")
#: What is predicted where nobody says.
USUAL = ("energy", "y", "target")
#: Results of a calculation that each atom has for itself.
OF_ATOMS = ("forces", "charges", "magmoms", "energies", "stresses")


def atoms(pos: Sequence[Any], numbers: Sequence[Any], cell: Any = None, pbc: Any = None) -> dict[str, Tensor]:
    """Structures of different sizes as the parts of a collection: positions in angstrom and atomic numbers, one array for each.

    >>> x = atoms([np.zeros((1, 3)), np.ones((3, 3))], [[2], [8, 1, 1]])
    >>> x["pos"].shape, x["numbers"].tolist()
    (torch.Size([2, 3, 3]), [[2, 0, 0], [8, 1, 1]])
    """
    size, n = len(pos), max(map(len, numbers))
    places, kinds = torch.zeros(size, n, 3, dtype=torch.float64), torch.zeros(size, n, dtype=torch.int64)
    for i, (own, numbered) in enumerate(zip(pos, numbers)):
        where = numeric("pos", own)
        if where.shape != (len(numbered), 3) or not len(numbered):
            raise ArgumentError(
                "pos", f"positions [{len(numbered)}, 3] of at least one atom", f"shape {list(where.shape)} in structure {i}"
            )
        places[i, : len(numbered)] = torch.from_numpy(where)
        kinds[i, : len(numbered)] = torch.as_tensor(np.asarray(numbered, dtype=np.int64))
    cells = torch.zeros(size, 3, 3, dtype=torch.float64) if cell is None else torch.from_numpy(numeric("cell", cell))
    repeats = (cells != 0).any(-1) if pbc is None else torch.as_tensor(np.asarray(pbc), dtype=torch.bool)
    return {"pos": places, "numbers": kinds, "cell": cells, "pbc": repeats}


def atoms_of_ase(each: Sequence[Any]) -> dict[str, Tensor]:
    """From ASE's ``Atoms``, with their cells."""
    cells, repeats = np.stack([np.asarray(one.cell) for one in each]), np.stack([one.pbc for one in each])
    _check_elements([one.numbers for one in each])
    return atoms([one.positions for one in each], [one.numbers for one in each], cells, repeats)


def atoms_of_pyg(each: Sequence[Any]) -> dict[str, Tensor]:
    """From PyG ``Data`` with ``pos`` and ``z`` (or ``atomic_numbers``), and ``cell`` where there is one."""
    numbers = [one.z if getattr(one, "z", None) is not None else one.atomic_numbers for one in each]
    _check_elements(numbers)
    cells = None
    if getattr(each[0], "cell", None) is not None:
        cells = np.stack([np.asarray(one.cell).reshape(3, 3) for one in each])
    return atoms([one.pos for one in each], numbers, cells)


def _check_elements(numbers: Sequence[Any]) -> None:
    """Raise where an atom has no element: its 0 would say that there is no atom."""
    for i, own in enumerate(numbers):
        if nameless := int((np.asarray(own) < 1).sum()):
            raise ArgumentError(
                "numbers", "an element for every atom", f"{nameless} without one (atomic number 0) in structure {i}"
            )


def told(one: Any) -> dict[str, Any]:
    """What is known of an ASE structure besides its atoms, by name: results of a calculation, and its notes."""
    results = {} if one.calc is None else dict(one.calc.results)
    return {**results, **one.info}


def targets_of(each: Sequence[Mapping[str, Any]], target: str | None, file: str) -> tuple[str, list[Any]] | None:
    """The value that each structure has under a name: the one given, or a usual one that all have.

    Raises:
        ArgumentError: a structure lacks the target that was asked for.
    """
    if target is None:
        target = next((name for name in USUAL if all(name in one for one in each)), None)
        if target is None:
            return None
    for i, one in enumerate(each):
        if target not in one or one[target] is None:
            got = f"none in structure {i} of '{file}', which has: {listed(list(one), target) or 'nothing'}"
            raise ArgumentError("target", f"a value named '{target}' of every structure", got)
    return target, [one[target] for one in each]


def read_structures(path: Path, target: str | None = None, kind: Target | None = None, *, inputs_only: bool = False) -> Collection:
    """A file of structures, or a folder of such files and a ``.csv`` of their targets, the same for all structures of a file.

    ``target`` is a name of a calculated result, of the structure's notes (extended XYZ, SDF), or of a column of the folder's table,
    whose first column holds the files' names.

    Raises:
        ArgumentError: the file cannot be read, or structures lack the target.
        MissingExtra: ASE or RDKit is not installed (extra ``molecules``).
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in STRUCTURES)
        if not files:
            expected = "a folder of pictures in one folder for each class, or of files of structures"
            raise ArgumentError("data", expected, f"'{path}'")
        tables = sorted(path.glob("*.csv"))
    else:
        files, tables = [path], []
    of_files = [(file, one) for file in files for one in _structures(file)]
    x = atoms_of_ase([one for _, one in of_files])
    table = _table(tables[0]) if len(tables) == 1 else {}
    known = [{**told(one), **table.get(file.stem, table.get(file.name, {}))} for file, one in of_files]
    if len(tables) > 1 and target is not None and not any(target in one for one in known):
        raise ArgumentError("data", "one .csv of targets", f"{len(tables)} in '{path}': {listed([t.name for t in tables])}")
    found = None if inputs_only else targets_of(known, target, path.name)
    y = None if found is None else column_of(*found, [len(one) for _, one in of_files], kind)
    if found is not None and y is not None:
        kind = kind_of_column(found[0], y, kind)
    return Collection.of("atoms", x, y, target=kind, name=path.stem, source=str(path), inputs_only=inputs_only)


def column_of(name: str, values: Sequence[Any], sizes: Sequence[int], kind: Target | None = None) -> np.ndarray:
    """Targets of structures of so many atoms as numbers ``[N, ...]``; as text where they are classes.

    Raises:
        ArgumentError: each atom has a value for itself, or the values are no numbers of one shape.

    >>> column_of("energy", [[1.5], [2.5]], sizes=[3, 4]).tolist()
    [[1.5], [2.5]]
    """
    if kind == "class":
        return np.array([str(value) for value in values])
    try:
        each = [np.asarray(value, dtype=np.float64) for value in values]
    except (ValueError, TypeError) as problem:
        if all(isinstance(value, str) for value in values):
            return np.array(values)
        raise ArgumentError("target", f"numbers named '{name}'", f"{values[0]!r:.60} first") from problem
    by_atom = all(one.shape[:1] == (size,) for one, size in zip(each, sizes))
    vectors = all(one.ndim == 2 and one.shape[1] == 3 for one in each) and set(sizes) != {3}
    if by_atom and (name in OF_ATOMS or vectors or len(set(sizes)) > 1):
        got = f"one of each atom: '{name}' of shape {list(each[0].shape)} in a structure of {sizes[0]} atoms"
        raise ArgumentError("target", "one value of each structure", got, "for forces see the guide 'Materials'")
    if odd := next((i for i, one in enumerate(each) if one.shape != each[0].shape), 0):
        got = f"shape {list(each[0].shape)} in structure 0 and {list(each[odd].shape)} in structure {odd}"
        raise ArgumentError("target", f"numbers of one shape named '{name}'", got)
    return np.array(each)


def kind_of_column(name: str, y: np.ndarray, kind: Target | None) -> Target | None:
    """What a target is: as said; else a dipole is a vector, and text with few labels has classes.

    >>> kind_of_column("dipole", np.zeros((5, 3)), None)
    'vector'
    """
    if kind is None and name == "dipole":
        return "vector"
    return "class" if kind is None and y.dtype.kind == "U" and len(np.unique(y)) <= MOST_LABELS else kind


def _structures(path: Path) -> list[Any]:
    """All structures of a file, as ASE's ``Atoms``."""
    return _rdkit(path) if path.suffix.lower() in (".sdf", ".mol") else _ase(path)


def _ase(path: Path) -> list[Any]:
    io = engine("molecules", "ase.io")
    try:
        found = io.read(path, index=":")
    except Exception as problem:  # ASE's readers raise whatever they meet
        raise ArgumentError("data", "a file of structures that ASE reads", f"'{path.name}' ({problem})") from problem
    if not found:
        raise ArgumentError("data", "at least one structure", f"none in '{path.name}'")
    if path.suffix.lower() == ".cif":
        _check_symbols(path)
    return found


def _check_symbols(path: Path) -> None:
    """Raise where a CIF writes an element in capitals, of which ASE (3.29) drops the second letter: NA becomes nitrogen."""
    known, cif = engine("molecules", "ase.data").atomic_numbers, engine("molecules", "ase.io.cif")
    for block in cif.parse_cif(str(path)):
        for symbol in block.get("_atom_site_type_symbol") or block.get("_atom_site_label") or ():
            if (match := re.match(r"[A-Z][A-Z]", str(symbol))) and match[0].title() in known:
                hint = f"Write {match[0].title()}, or read it with erlangen.fields.crystals.read_crystals, which takes both"
                raise ArgumentError("data", "symbols of elements such as Na", f"{symbol!r} in '{path.name}'", hint)


def _rdkit(path: Path) -> list[Any]:
    chem, ase = engine("molecules", "rdkit.Chem"), engine("molecules", "ase")
    molecules = list(chem.SDMolSupplier(str(path), removeHs=False, sanitize=False))
    for i, molecule in enumerate(molecules):
        if molecule is None or not molecule.GetNumConformers():
            raise ArgumentError("data", "molecules with positions", f"none for molecule {i} of '{path.name}'")
    if not molecules:
        raise ArgumentError("data", "at least one molecule", f"none in '{path.name}'")
    return [
        ase.Atoms(
            numbers=[atom.GetAtomicNum() for atom in molecule.GetAtoms()],
            positions=molecule.GetConformer().GetPositions(),
            info=dict(molecule.GetPropsAsDict()),
        )
        for molecule in molecules
    ]


def _table(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a ``.csv``, by their first column."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if row]
    names = rows[0][1:]
    return {row[0].strip(): dict(zip(names, row[1:])) for row in rows[1:]}
