"""``erlangen crystals symmetry|generate|predict|convert``: the commands, their flags, and what they do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg, subcommand


@dataclass(frozen=True)
class CrystalsSymmetry:
    """Space group and Wyckoff positions of a crystal, by two engines and at several tolerances, with a report."""

    path: Positional[Path]
    """A file: .cif, POSCAR, .extxyz, or another that ASE reads."""
    index: int | None = None
    """Which crystal of the file, from 0, where it has several."""
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
class CrystalsPredict:
    """Crystal structures of a composition, by diffusion (DiffCSP) and by look-up, with a report.

    The first time a model is trained on real crystals of as many atoms and kept: some minutes. Ctrl-C stops it, the same command goes on.
    """

    formula: Positional[str]
    """The atoms of one primitive cell: BaTiO3, Ti2O4."""
    n: int = 20
    """Crystals to make."""
    model: Path | None = None
    """A folder with a saved model, or where one shall be trained and kept; by default in the user's cache."""
    train_steps: int | None = None
    """Steps of the training, if there is one; more are better, and slower. By default 6000, given a space group 2000."""
    space_group: int | None = None
    """1 to 230: structures with this symmetry, exactly, by a model that is trained for it the first time and kept, too."""
    rank: Literal["auto", "energy", "relax", "none"] = "auto"
    """Order by CHGNet's energies of the structures as they are (energy), or after each is relaxed (relax: seconds each; both need the extra
    chgnet), or not at all (none); auto: by energy where CHGNet is installed."""
    steps: int = 200
    """Strides of the sampler."""
    gamma: float = 1e-5
    """Size of the corrector's steps; 0 for none, in half the time."""
    symprec: float = 0.1
    """How far atoms may be off for the space groups that are shown, in angstrom."""
    seed: int = 0
    """Seed of the crystals."""
    out: Path | None = None
    """Write those that are kept to this file (.cif, .extxyz), and the look-up's to another beside it (-look-up)."""
    runs: Path = Path("runs")
    """Where reports are kept: RUNS/NAME/DATE."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress and no table."""


@dataclass(frozen=True)
class CrystalsGenerate:
    """New crystals of a space group: which elements stand where by diffusion, then coordinates and a cell; a file, and a report."""

    space_group: int | None = None
    """1 to 230; by default groups occur as often as among real crystals."""
    n: int = 20
    """How many."""
    out: Path = Path("crystals.cif")
    """The file to write: .cif or .extxyz."""
    elements: str = ""
    """The only elements that may occur, e.g. "Ba Ti O"."""
    max_atoms: int = 60
    """Atoms in the primitive cell at most."""
    novel: bool = False
    """Leave out what real crystals of the training data have."""
    relax: bool = False
    """Relax each under its symmetry with CHGNet (needs the extra chgnet; seconds for each)."""
    tries: int = 4
    """Cells and coordinates that are tried for each, of which the best is taken."""
    model: Path | None = None
    """A model saved by WyckoffDiff; by default one that is trained on the ICSD by the first call (minutes) and kept."""
    runs: Path = Path("runs")
    """Where reports are kept: RUNS/NAME/DATE."""
    seed: int = 0
    """Seed of everything random. Ctrl-C stops; the same command goes on."""
    quiet: bool = False
    """No progress: only the answer, and where file and report are."""


@dataclass(frozen=True)
class Crystals:
    """Crystals: the symmetry of one, new ones, structures of a composition, and their files."""

    do: Annotated[
        Annotated[CrystalsSymmetry, subcommand(name="symmetry")]
        | Annotated[CrystalsGenerate, subcommand(name="generate")]
        | Annotated[CrystalsPredict, subcommand(name="predict")]
        | Annotated[CrystalsConvert, subcommand(name="convert")],
        arg(name=""),
    ]


def run_crystals(args: Crystals) -> None:
    """``erlangen crystals symmetry|generate|predict|convert``."""
    do = args.do
    if isinstance(do, CrystalsConvert):
        _convert(do)
    elif isinstance(do, CrystalsPredict):
        _predict(do)
    elif isinstance(do, CrystalsGenerate):
        _generate(do)
    else:
        _symmetry(do)


def _generate(args: CrystalsGenerate) -> None:
    import dataclasses

    from erlangen.errors import ArgumentError
    from erlangen.fields import crystals
    from erlangen.fields.crystals.wyckoffdiff import WyckoffDiff
    from erlangen.reporting import check_folder, run_directory

    check_folder(args.runs, "runs")
    check_folder(args.out.parent, "out")
    if args.out.suffix.lower() not in (".cif", ".extxyz"):
        raise ArgumentError("out", "a file whose name ends with .cif or .extxyz", repr(str(args.out)))
    model = crystals.wyckoff_model(quiet=args.quiet) if args.model is None else WyckoffDiff.load(args.model)
    unfinished = args.out.with_name(f"{args.out.name}.unfinished.json")
    made = crystals.generate(
        args.n,
        args.space_group,
        elements=args.elements.replace(",", " ").split() or None,
        max_atoms=args.max_atoms,
        model=model,
        calculator="chgnet" if args.relax else None,
        n_tries=args.tries,
        novel=args.novel,
        seed=args.seed,
        checkpoint=unfinished,
        quiet=args.quiet,
    )
    outcome = crystals.generated_outcome(made, dataclasses.asdict(args))
    print(outcome.answer)
    if made.crystals:
        each = [crystals.conventional(one.crystal) for one in made.crystals]
        print(f"written: {crystals.write_crystals(args.out, each)}")
    print(f"report: {outcome.save(run_directory('crystals-generate', args.runs))}")
    unfinished.unlink(missing_ok=True)


def _check_file(path: Path | None, argument: str, n: int = 1) -> None:
    """Whether crystals can be written to a file, before they are computed.

    Raises:
        ArgumentError: its name tells no format, it holds one crystal and there are several, or its folder cannot be written to.
    """
    from erlangen.errors import ArgumentError
    from erlangen.fields.crystals.files import file_format
    from erlangen.reporting import check_folder

    if path is None:
        return
    if file_format(path, argument) == "poscar" and n != 1:
        raise ArgumentError(argument, "a file of several crystals, .cif or .extxyz", f"{str(path)!r} for {n}")
    check_folder(path.parent, argument)


def _convert(args: CrystalsConvert) -> None:
    from erlangen.fields import crystals
    from erlangen.fields.crystals.found import check_tolerance

    _check_file(args.to, "to")
    if args.symprec:
        check_tolerance(args.symprec)
    found = crystals.read_crystals(args.path)
    _check_file(args.to, "to", len(found))
    path = crystals.write_crystals(args.to, found, symprec=args.symprec or None)
    print(f"{len(found)} crystal{'s' if len(found) != 1 else ''}: {path}")


def _symmetry(args: CrystalsSymmetry) -> None:
    from erlangen.fields import crystals
    from erlangen.fields.crystals.found import check_tolerance
    from erlangen.reporting import check_folder, run_directory

    check_folder(args.out, "out")
    check_tolerance(args.tolerance, "tolerance")
    _check_file(args.write, "write")
    tolerances = sorted({*args.tolerances, args.tolerance})
    study = crystals.symmetry(crystals.read_crystal(args.path, args.index), tolerances)
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


def _predict(args: CrystalsPredict) -> None:
    import dataclasses

    from erlangen.errors import StorageError
    from erlangen.fields import crystals
    from erlangen.fields.crystals import diffcsp
    from erlangen.fields.crystals.diffcsp.orbits import assignments
    from erlangen.fields.crystals.found import check_tolerance
    from erlangen.reporting import check_folder, run_directory

    counts = crystals.composition(args.formula, "formula")
    check_tolerance(args.symprec)
    check_folder(args.runs, "runs")
    beside = None if args.out is None else args.out.with_stem(f"{args.out.stem}-look-up")
    _check_file(args.out, "out", args.n)
    if args.space_group is not None:  # before anything is trained
        assignments(counts, args.space_group)
    atoms = sum(counts.values())
    grouped = args.space_group is not None
    steps = args.train_steps
    if steps is None:
        steps = diffcsp.GROUPED_STEPS if grouped else diffcsp.STEPS
    folder = diffcsp.model_folder(atoms, steps, grouped) if args.model is None else args.model
    # A model of one's own that knows nothing of groups may have one forced on it; the report says so.
    symmetric = grouped and not diffcsp.is_plain(folder)
    quiet = args.quiet or args.json
    if not (folder / "model.json").is_file() and not quiet:
        print(
            f"There is no model {'for space groups ' if symmetric else ''}in {folder} yet: one is trained on crystals of the ICSD with "
            f"{atoms} atoms in the cell and kept there. "
            "Ctrl-C stops; the same command goes on."
        )
    train = diffcsp.trained_symmetric if symmetric else diffcsp.trained
    model = train(atoms, folder, steps=steps, quiet=quiet)
    try:
        known = crystals.icsd_clean(quiet=quiet)
    except StorageError as problem:
        known = None
        if not quiet:
            print(f"no look-up: {problem}")
    found = diffcsp.predicted(
        model,
        counts,
        args.n,
        known=known,
        spacegroup=args.space_group,
        rank=args.rank,
        symprec=args.symprec,
        seed=args.seed,
        quiet=quiet,
        steps=args.steps,
        gamma=args.gamma,
    )
    outcome = diffcsp.predicted_outcome(
        found, dataclasses.asdict(args) | {"model": str(folder), "train_steps": steps}, diffcsp.held_out(folder)
    )
    written = [
        str(crystals.write_crystals(path, [one.crystal for one in part], symprec=None))
        for path, part in ((args.out, found.made), (beside, found.looked_up))
        if path is not None and part
    ]
    report = outcome.save(run_directory("crystals-predict", args.runs))
    if args.json:
        print(json.dumps({**outcome.metrics, "model": str(folder), "written": written, "report": str(report)}, indent=2))
        return
    print(outcome.answer)
    if not args.quiet:
        from rich.console import Console
        from rich.table import Table as Rows

        for title, part in (("The model's structures", found.made), ("The look-up's structures", found.looked_up)):
            table = Rows(title=title, title_justify="left")
            for head in ("", "space group", "a, b, c", "angles", "A^3/atom", "known", "eV/atom"):
                table.add_column(head)
            for i, one in enumerate(part, 1):
                lengths, angles = one.crystal.lengths_angles()
                table.add_row(
                    str(i),
                    " or ".join(dict.fromkeys(one.groups)),
                    " ".join(f"{v:.2f}" for v in lengths),
                    " ".join(f"{v:.0f}" for v in angles),
                    f"{one.crystal.volume / len(one.crystal):.1f}",
                    "" if one.known is None else one.known.formula,
                    "" if one.energy is None else f"{one.energy:.3f}",
                )
            if part:
                Console().print(table)
        for reason, number in found.rejected.items():
            print(f"thrown away: {number}, {reason}")
        print("\n".join(outcome.sections[0].paragraphs[1:]))
    for path in written:
        print(f"written: {path}")
    print(f"report: {report}")
