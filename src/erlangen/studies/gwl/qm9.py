"""Part three: the molecules of QM9, on their bonds and within a radius."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import islice
from typing import Any

import torch

from erlangen.fields.molecules import Molecule, read_qm9
from erlangen.measure.gwl import GWL, WL, GeometricGraph, as_graph
from erlangen.reporting import Claim, Rival, Section, Table, progress
from erlangen.studies.base import Part
from erlangen.studies.gwl.fingerprints import sorted_distances
from erlangen.studies.gwl.study import Config

#: Angstrom. Bond lengths of thousands of molecules lie so dense that steps of 1e-5 would join them all.
TOLERANCE = 1e-8


def run(config: Config, quiet: bool) -> Part:
    """Count the classes of each test on both graphs, and list the molecules that share one."""
    found = list(read_qm9() if config.full else islice(read_qm9(), config.molecules))
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
                started = time.process_time()
                classes = test.classes(graphs)
                seconds[f"{kind}, {name}"] = time.process_time() - started
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
    began = time.process_time()
    prints = {
        (kinds, lengths.round(decimals=6).numpy().tobytes())
        for kinds, lengths in (sorted_distances(m.pos, m.numbers) for m in found)
    }
    rival = Rival(
        "sorting all distances by elements", "GWL on bonds", f"molecules told apart, of {len(found):,}", rows[0][-1], len(prints), "higher",
        seconds=seconds["bonds, GWL"], rival_seconds=time.process_time() - began, settings="rounded to 1e-6 angstrom", scale=scale,
        note="relaxed geometries never coincide, so that any number of them will do",
    )  # fmt: skip
    return Part(claims, [Section("QM9", tables=tables)], numbers, answer, rivals=[rival])


def bonds(molecule: Molecule) -> GeometricGraph:
    """Atoms that are bonded, by their distance."""
    return GeometricGraph.from_index(molecule.pos, molecule.bonds(), labels=torch.tensor(molecule.numbers))


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
