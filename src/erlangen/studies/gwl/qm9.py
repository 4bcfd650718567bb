"""Part three: the molecules of QM9, on their bonds and within a radius."""

from __future__ import annotations

import csv
import importlib.util
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.measure.gwl import GWL, WL, GeometricGraph, as_graph
from erlangen.reporting import Claim, Section, Table, progress
from erlangen.studies.base import Part
from erlangen.studies.gwl.study import Config

#: Atomic numbers of the five elements.
NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
#: Atoms nearer than this are bonded, angstrom: with hydrogen, and without. In QM9 no pair without a bond is nearer than 1.8.
WITH_HYDROGEN, HEAVY = 1.3, 1.75
#: A second tolerance, angstrom: geometries that no model of forces at room temperature needs to keep apart.
COARSE = 0.02


class Molecule(NamedTuple):
    """One molecule: name, SMILES, atomic numbers, positions in angstrom."""

    name: str
    smiles: str
    numbers: list[int]
    pos: torch.Tensor


def run(config: Config, quiet: bool) -> Part:
    """Count the classes of each test on both graphs, at two tolerances."""
    count = None if config.full else config.molecules
    found = [m for m, _ in zip(read(), range(count))] if count is not None else list(read())
    tests = {
        "WL": lambda tol: WL(),
        "IGWL(2)": lambda tol: GWL(body_order=2, tol=tol),
        "IGWL(3)": lambda tol: GWL(body_order=3, tol=tol),
        "IGWL": lambda tol: GWL(invariant=True, tol=tol),
        "GWL": lambda tol: GWL(tol=tol),
    }
    rows, numbers, collapsed = [], {}, []
    kinds = {"bonds": bonds, f"{config.cutoff:g} angstrom": lambda m: within(m, config.cutoff)}
    with progress(2 * len(kinds) * len(tests), "colouring QM9", quiet=quiet) as bar:
        for kind, make in kinds.items():
            graphs = [make(m) for m in found]
            for tol in (None, COARSE):
                row: list[Any] = [kind, "1e-5 median edges" if tol is None else f"{tol} angstrom"]
                for name, test in tests.items():
                    started = time.perf_counter()
                    classes = test(tol).classes(graphs)
                    row.append(int(classes.max()) + 1)
                    key = f"{kind}, {name}, {row[1]}"
                    numbers[key], numbers[f"{key}, seconds"] = row[-1], time.perf_counter() - started
                    collapsed += [[kind, row[1], name, *_names(found, pair)] for pair in _collapsed(classes) if name != "WL"]
                    bar.advance()
                rows.append(row)
    head = ["graph", "tolerance", *tests]
    ladder = all(row[2:] == sorted(row[2:]) for row in rows)
    fine = [row for row in rows if row[1].startswith("1e-5")]
    claims = [
        Claim(
            "each test of the ladder tells at least as many molecules apart as the one before",
            "WL <= IGWL(2) <= IGWL(3) <= IGWL <= GWL",
            "; ".join(str(row[2:]) for row in rows),
            ladder,
            scale=f"{len(found):,} molecules",
        ),
        Claim(
            "all molecules differ for every test that sees distances",
            len(found),
            str([row[3] for row in fine]),
            all(row[3] == len(found) for row in fine),
            baseline=fine[0][2],
            scale=f"{len(found):,} molecules; baseline: WL on bonds",
            note="relaxed geometries never coincide to five digits",
        ),
    ]
    tables = [Table("Number of classes", head, rows)]
    if collapsed:
        tables.append(Table("Molecules in one class, the first 50", ["graph", "tolerance", "test", "one", "other"], collapsed[:50]))
    answer = f"{fine[0][2]:,} of {len(found):,} molecules differ as abstract graphs, {fine[0][3]:,} by the lengths of their bonds."
    return Part(claims, [Section("QM9", tables=tables)], numbers, answer)


def read() -> Iterator[Molecule]:
    """The molecules in the order of their files, one by one.

    Raises:
        MissingExtra: the package ``qm9pack`` is not installed (extra ``qm9``, 103 MB). Its files are read; it is not imported.
        ArgumentError: a file of it is not there.
    """
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("qm9", "qm9pack")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    for part in (1, 2, 3):
        path = folder / f"qm9_part{part}.csv"
        if not path.is_file():
            raise ArgumentError("qm9pack", f"a file {path.name} in the package", "none")
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                elements = json.loads(row["Elements"].replace("'", '"'))
                pos = torch.tensor(json.loads(row["XYZ_Ang"]), dtype=torch.float64)
                yield Molecule(row["XYZ_file"].removesuffix(".xyz"), row["SMILES"], [NUMBERS[e] for e in elements], pos)


def bonds(molecule: Molecule) -> GeometricGraph:
    """Atoms that are bonded, by their distance."""
    numbers = torch.tensor(molecule.numbers)
    light = numbers == 1
    reach = torch.where(light[:, None] | light, WITH_HYDROGEN, HEAVY).masked_fill(light[:, None] & light, 0.0)
    near = (torch.cdist(molecule.pos, molecule.pos) < reach).fill_diagonal_(False)
    return GeometricGraph.from_index(molecule.pos, near.nonzero().T, labels=numbers)


def within(molecule: Molecule, cutoff: float) -> GeometricGraph:
    """Atoms within a radius."""
    return as_graph({"pos": molecule.pos, "z": molecule.numbers}, cutoff=cutoff)


def _collapsed(classes: torch.Tensor) -> list[tuple[int, int]]:
    members = defaultdict(list)
    for i, c in enumerate(classes.tolist()):
        members[c].append(i)
    return [(m[0], other) for m in members.values() for other in m[1:]]


def _names(found: list[Molecule], pair: tuple[int, int]) -> list[str]:
    return [f"{found[i].name} {found[i].smiles}" for i in pair]
