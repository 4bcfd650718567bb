"""Space groups, operations and letters of 1000 real crystals: ours beside pymatgen's analyzer, and reading the database.

python benchmarks/crystal_symmetry.py
"""

from __future__ import annotations

import time
import warnings

from _timing import show

from erlangen.fields.crystals import icsd, spglib_symmetry, stored_protostructures


def ours(crystals) -> int:
    found = (spglib_symmetry(one) for one in crystals)
    return sum(len(one.space_group.elements()) + len(one.letters) for one in found)


def peers(structures) -> int:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    total = 0
    for one in structures:
        analyzer = SpacegroupAnalyzer(one)
        total += len(analyzer.get_symmetry_operations()) + len(analyzer.get_symmetry_dataset().wyckoffs)
    return total


def timed(run, *arguments) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    icsd()
    seconds = min(timed(icsd) for _ in range(3))
    data = icsd()
    print(f"reading {len(data)} crystals: {seconds:.2f} s (target 3)")
    protos = stored_protostructures(data)
    seconds = timed(lambda: [one.canonical() for one in protos])
    print(f"canonical descriptions of {len(protos)} protostructures, the tables not yet read: {seconds:.2f} s (target 3)")
    chosen = list(data[::32][:1000])
    structures = [one.to_pymatgen() for one in chosen]
    ours(chosen[:50])
    peers(structures[:50])
    times = [(timed(ours, chosen), timed(peers, structures)) for _ in range(2)]
    show("symmetry of 1000 crystals", min(t for t, _ in times), min(t for _, t in times), "pymatgen", "1.0")
