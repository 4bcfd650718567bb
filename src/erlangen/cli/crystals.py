"""``erlangen crystals symmetry|convert``: the commands, their flags, and what they do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg, subcommand


@dataclass(frozen=True)
class CrystalsSymmetry:
    """Space group and Wyckoff positions of a crystal, by two engines and at several tolerances, with a report."""

    path: Positional[Path]
    """A file of one crystal: .cif, POSCAR, .extxyz, or another that ASE reads."""
    tolerance: float = 0.01
    """How far atoms may be off, in angstrom; the answer is for this one."""
    tolerances: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 3e-2, 0.1)
    """Those that are compared."""
    write: Path | None = None
    """Write the crystal, averaged over its group, to this file (.cif, .vasp, .extxyz)."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """Only the answer, and where the report is."""


@dataclass(frozen=True)
class CrystalsConvert:
    """Write the crystals of a file in another format, none of them mirrored."""

    path: Positional[Path]
    """A file of crystals."""
    to: Positional[Path]
    """The file to write: .cif, .vasp (one crystal), .extxyz."""
    symprec: float = 1e-3
    """How far atoms may be off for the space group that a CIF says, in angstrom; 0 writes all atoms, without symmetry."""


@dataclass(frozen=True)
class Crystals:
    """Crystals: the symmetry of one, and their files."""

    do: Annotated[
        Annotated[CrystalsSymmetry, subcommand(name="symmetry")] | Annotated[CrystalsConvert, subcommand(name="convert")],
        arg(name=""),
    ]


def run_crystals(args: Crystals) -> None:
    """``erlangen crystals symmetry|convert``."""
    if isinstance(args.do, CrystalsConvert):
        _convert(args.do)
    else:
        _symmetry(args.do)


def _convert(args: CrystalsConvert) -> None:
    from erlangen.fields import crystals

    found = crystals.read_crystals(args.path)
    path = crystals.write_crystals(args.to, found, symprec=args.symprec or None)
    print(f"{len(found)} crystal{'s' if len(found) != 1 else ''}: {path}")


def _symmetry(args: CrystalsSymmetry) -> None:
    from erlangen.fields import crystals
    from erlangen.reporting import check_folder, run_directory

    check_folder(args.out, "out")
    tolerances = sorted({*args.tolerances, args.tolerance})
    study = crystals.symmetry(crystals.read_crystal(args.path), tolerances)
    outcome = crystals.symmetry_outcome(study, args.tolerance, source=args.path.name)
    written = None
    if args.write is not None:
        written = crystals.write_crystals(args.write, [crystals.conventional(study.crystal, found=study.at(args.tolerance))])
    path = outcome.save(run_directory("crystals-symmetry", args.out))
    if args.json:
        print(json.dumps({**outcome.metrics, "report": str(path), "written": None if written is None else str(written)}, indent=2))
        return
    print(outcome.answer)
    if not args.quiet:
        from rich.console import Console
        from rich.table import Table

        part = outcome.sections[1].tables[0]
        table = Table(title=part.title, title_justify="left")
        for head in part.columns:
            table.add_column(head)
        for row in part.rows:
            table.add_row(*map(str, row))
        Console().print(table)
        print("\n".join(outcome.sections[0].paragraphs))
    if written is not None:
        print(f"written: {written}")
    print(f"report: {path}")
