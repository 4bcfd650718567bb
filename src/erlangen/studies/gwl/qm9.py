"""Part three: the molecules of QM9, on their bonds and within a radius."""

from __future__ import annotations

import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import torch

from erlangen.errors import ArgumentError
from erlangen.extras import shipped
from erlangen.measure.gwl import GWL, WL, GeometricGraph, as_graph
from erlangen.reporting import Claim, Section, Table, progress
from erlangen.studies.base import Part
from erlangen.studies.gwl.study import Config

#: Atomic numbers of the five elements.
NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
BRACKETS = str.maketrans("", "", "[]")
#: Atoms nearer than this are bonded, angstrom: with hydrogen, and without. In QM9 no pair without a bond is nearer than 1.8.
WITH_HYDROGEN, HEAVY = 1.3, 1.75
#: Angstrom. Bond lengths of thousands of molecules lie so dense that steps of 1e-5 would join them all.
TOLERANCE = 1e-8


class Molecule(NamedTuple):
    """One molecule: name, SMILES, atomic numbers, positions in angstrom."""

    name: str
    smiles: str
    numbers: list[int]
    pos: torch.Tensor


def run(config: Config, quiet: bool) -> Part:
    """Count the classes of each test on both graphs, and list the molecules that share one."""
    found = list(read() if config.full else islice(read(), config.molecules))
    tests = {
        "WL": WL(),
        "IGWL(2)": GWL(body_order=2, tol=TOLERANCE),
        "IGWL(3)": GWL(body_order=3, tol=TOLERANCE),
        "IGWL": GWL(invariant=True, tol=TOLERANCE),
        "GWL": GWL(tol=TOLERANCE),
    }
    rows: list[list[Any]] = []
    seconds: dict[str, float] = {}
    collapsed = []
    kinds = {"bonds": bonds, f"{config.cutoff:g} angstrom": lambda m: within(m, config.cutoff)}
    with progress(len(kinds) * len(tests), "colouring QM9", quiet=quiet) as bar:
        for kind, make in kinds.items():
            graphs = [make(m) for m in found]
            rows.append([kind])
            for name, test in tests.items():
                started = time.perf_counter()
                classes = test.classes(graphs)
                seconds[f"{kind}, {name}"] = time.perf_counter() - started
                rows[-1].append(int(classes.max()) + 1)
                collapsed += [[kind, name, *_names(found, pair)] for pair in _collapsed(classes)]
                bar.advance()
    scale = f"{len(found):,} molecules, equal within {TOLERANCE:.0e} angstrom"
    claims = [
        Claim(
            "each test of the ladder tells at least as many molecules apart as the one before",
            "WL <= IGWL(2) <= IGWL(3) <= IGWL <= GWL",
            "; ".join(str(row[1:]) for row in rows),
            all(row[1:] == sorted(row[1:]) for row in rows),
            scale=scale,
            key="ladder",
        ),
        Claim(
            "lengths of bonds alone tell all molecules apart",
            None,
            rows[0][2],
            rows[0][2] == len(found),
            baseline=rows[0][1],
            scale=scale,
            note="relaxed geometries never coincide; baseline: WL on bonds",
            key="lengths",
        ),
    ]
    tables = [Table("Number of classes", ["graph", *tests], rows)]
    if collapsed:
        tables.append(Table("Molecules that share a class, the first 50", ["graph", "test", "one", "other"], collapsed[:50]))
    answer = f"{rows[0][1]:,} of {len(found):,} molecules differ as abstract graphs, {rows[0][2]:,} by the lengths of their bonds."
    numbers = {"classes": {row[0]: dict(zip(tests, row[1:])) for row in rows}, "seconds": seconds}
    return Part(claims, [Section("QM9", tables=tables)], numbers, answer)


def read() -> Iterator[Molecule]:
    """The molecules in the order of their files, one by one.

    Raises:
        MissingExtra: the package ``qm9pack`` is not installed (extra ``qm9``, 103 MB). Its files are read; it is not imported.
        ArgumentError: a file of it is not there.
    """
    folder = shipped("qm9", "qm9pack") / "data"
    for part in (1, 2, 3):
        path = folder / f"qm9_part{part}.csv"
        if not path.is_file():
            raise ArgumentError("qm9pack", f"a file {path.name} in the package", "none")
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                elements = json.loads(row["Elements"].replace("'", '"'))
                # Some numbers are written 0. or 2.*^-6, which is no JSON.
                numbers = row["XYZ_Ang"].translate(BRACKETS).replace("*^", "e").split(",")
                pos = torch.tensor([float(x) for x in numbers], dtype=torch.float64).reshape(-1, 3)
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
