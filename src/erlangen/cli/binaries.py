"""``erlangen binaries orientations|degeneracy``: the commands, their flags, and what they do."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg, subcommand

#: Elements of a group that are listed at the prompt, at most.
MOST_SHIFTS = 1000


@dataclass(frozen=True)
class BinaryOrientations:
    """Which directions may the orbits of binaries point in? From inclinations, position angles and ephemerides of a table."""

    table: Positional[Path]
    """A table with units that astropy reads (.ecsv, .fits, .vot): name, place on the sky, inclination, psi; if known, errors, the waves'
    phase, an ephemeris."""
    write_example: bool = False
    """Write an example to TABLE instead, to look at and to change."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class BinaryDegeneracy:
    """What can some channels not tell of a binary? The group of turns on the sky and shifts of the orbit that none of them sees."""

    channels: Positional[tuple[str, ...]]
    """Channels, such as "gravitational waves" eclipses ellipsoidal astrometry "radial velocity"; or pairs of harmonics like 2,-2."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Binaries:
    """Binaries of white dwarfs: what gravitational waves and timing tell of the directions of their orbits."""

    do: Annotated[
        Annotated[BinaryOrientations, subcommand(name="orientations")] | Annotated[BinaryDegeneracy, subcommand(name="degeneracy")],
        arg(name=""),
    ]


def run_binaries(args: Binaries) -> None:
    """``erlangen binaries orientations TABLE.ecsv`` and ``erlangen binaries degeneracy CHANNEL ...``."""
    if isinstance(args.do, BinaryDegeneracy):
        _degeneracy(args.do)
    else:
        _orientations(args.do)


def _degeneracy(do: BinaryDegeneracy) -> None:
    import math
    import re

    from erlangen.fields import binaries
    from erlangen.reporting import plain

    pair = re.compile(r"\s*\(?\s*(-?\d+)\s*,\s*(-?\d+)\s*\)?\s*")
    read = [tuple(int(x) for x in found.groups()) if (found := pair.fullmatch(c)) else c for c in do.channels]
    group = binaries.degeneracy_group(read)
    finite = group.order < math.inf
    values = "any position angle" if group.psi_values == math.inf else f"{group.psi_values} position angles"
    answer = f"They leave {values}: the group is {group}, {f'of order {group.order}' if finite else 'infinite'}."
    shifts = [[str(x) for x in s] for s in group.shifts()] if group.order <= MOST_SHIFTS else None
    if do.json:
        print(json.dumps(plain({"answer": answer, "order": group.order if finite else None, "shifts in turns": shifts}), indent=2))
        return
    print(answer)
    if shifts is not None:
        print("turns on the sky and of the orbit: " + "; ".join(", ".join(s) for s in shifts))
    elif finite:
        print(f"They are too many to be listed (above {MOST_SHIFTS}).")


def _orientations(do: BinaryOrientations) -> None:
    from erlangen.cli.telling import tell
    from erlangen.errors import ArgumentError
    from erlangen.fields import binaries
    from erlangen.fields.binaries.report import orientation_outcome
    from erlangen.reporting import check_folder, plain, run_directory

    if do.write_example:
        if do.table.suffix != ".ecsv" or do.table.exists():
            raise ArgumentError("table", "a new file that ends in .ecsv, for the example", repr(str(do.table)))
        check_folder(do.table.parent, "table")
        binaries.example_table().write(do.table, format="ascii.ecsv")
        print(f"an example: {do.table}")
        return
    check_folder(do.out, "out")
    started = time.perf_counter()
    sources = binaries.read_table(do.table)
    found = binaries.orientations(sources, quiet=do.json)
    outcome = orientation_outcome(sources, found, plain(do), time.perf_counter() - started)
    directory = run_directory(outcome.name, do.out)

    def write(path: Path) -> None:
        binaries.candidate_table(found).write(path, format="ascii.ecsv")

    path = outcome.save(directory, {"candidates.ecsv": write})
    tell(outcome, path, do.json, f"the directions: {directory / 'candidates.ecsv'}")
