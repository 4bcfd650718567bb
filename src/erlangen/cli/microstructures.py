"""``erlangen microstructures mate|check|search|child|bounds|keff``: the commands, their flags, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg, subcommand

if TYPE_CHECKING:
    from erlangen.reporting import Outcome

Relations = Literal["translations", "inversion", "axis-reflections", "point-group", "automorphisms"]


@dataclass(frozen=True)
class MicroMate:
    """Has a structure a mate, another with the same two-point correlations? Find it, prove that there is none, or say what was tried."""

    path: Positional[Path]
    """A .npy file: phases 1 .. n as integers, one axis for each dimension."""
    relations: Relations = "axis-reflections"
    """What does not count as another structure."""
    largest: int = 200_000_000
    """Go through all structures where there are no more than this."""
    out: Path = Path("runs")
    """Where runs are kept: OUT/NAME/DATE."""
    resume: Path | None = None
    """Continue an interrupted search in this directory."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress: only the answer, and where the report is."""


@dataclass(frozen=True)
class MicroCheck:
    """Have two structures the same two-point correlations, and are they one structure but for a symmetry? Both answers are exact."""

    a: Positional[Path]
    """A .npy file."""
    b: Positional[Path]
    """Another one, of the same shape."""
    relations: Relations = "axis-reflections"
    """What does not count as another structure."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class MicroSearch:
    """All structures of a small grid with given numbers of sites: which of them share their two-point correlations with unrelated ones?"""

    sizes: Positional[tuple[int, ...]]
    """The grid's sides; one number is a ring."""
    counts: tuple[int, ...]
    """Sites of each phase; one more phase takes the rest."""
    relations: Relations = "axis-reflections"
    """What does not count as another structure."""
    phase_swap: bool = False
    """Keep classes, too, that an exchange of phases explains."""
    max_results: int = 12
    """Classes to keep and to draw; all are counted."""
    seed: int | None = None
    """Draw those that are kept at random; by default the first."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress: only the answer, and where the report is."""


@dataclass(frozen=True)
class MicroChild:
    """Children of two mates: what a recipe makes of both, which are mates again; checked, not believed."""

    path: Positional[Path]
    """A pair, as mate and search write it: pair.npz."""
    recipe: str
    """JSON, or a file with it: a list of steps, e.g. '[["kernel-extend", [[[1, 1], [1, 1]]]], ["tile", [2, 2]]]'; steps are extend,
    kernels, kernel-extend, coalesce, transform, tile and product."""
    write: Path | None = None
    """Write the children to this file, too: .npz, .h5, or .vtk to look at."""
    relations: Relations = "axis-reflections"
    """What does not count as another structure."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class MicroBounds:
    """Bounds on the effective conductivity: Reuss, Hashin-Shtrikman, Voigt."""

    path: Positional[Path]
    """A .npy file."""
    k: tuple[float, ...]
    """The conductivity of each phase."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class MicroKeff:
    """The effective conductivity of a periodic structure, by finite elements."""

    path: Positional[Path]
    """A .npy file."""
    k: tuple[float, ...]
    """The conductivity of each phase."""
    refine: int = 4
    """Elements along each edge of a site."""
    method: Literal["auto", "direct", "fft"] = "auto"
    """A sparse factorisation, or conjugate gradients with Fourier transforms."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Microstructures:
    """Microstructures: what two-point correlations do not tell, and effective properties."""

    do: Annotated[
        Annotated[MicroMate, subcommand(name="mate")]
        | Annotated[MicroCheck, subcommand(name="check")]
        | Annotated[MicroSearch, subcommand(name="search")]
        | Annotated[MicroChild, subcommand(name="child")]
        | Annotated[MicroBounds, subcommand(name="bounds")]
        | Annotated[MicroKeff, subcommand(name="keff")],
        arg(name=""),
    ]


def run_microstructures(args: Microstructures) -> None:
    """``erlangen microstructures mate|check|search|child|bounds|keff``."""
    from erlangen.fields import microstructures as micro
    from erlangen.fields.microstructures import report
    from erlangen.reporting import check_folder, plain

    do = args.do
    check_folder(do.out, "out")
    if isinstance(do, MicroMate):
        _mate(do)
        return
    if isinstance(do, MicroSearch):
        _search(do)
        return
    if isinstance(do, MicroChild):
        _child(do)
        return
    config = plain(do)
    if isinstance(do, MicroCheck):
        a, b = micro.read_structure(do.a, "a"), micro.read_structure(do.b, "b")
        same, relation = micro.equivalent(a, b), micro.related(a, b, do.relations)
        outcome = report.check_outcome(a, b, same, relation, config)
    elif isinstance(do, MicroBounds):
        outcome = report.bounds_outcome(micro.read_structure(do.path), do.k, config)
    else:
        outcome = report.conductivity_outcome(micro.read_structure(do.path), do.k, do.refine, do.method, config)
    _tell(outcome, do.out, do.json)


def _tell(
    outcome: Outcome, out: Path, as_json: bool, files: Mapping[str, Callable[[Path], object]] | None = None, said: str = ""
) -> None:
    from erlangen.cli.telling import tell
    from erlangen.reporting import run_directory

    directory = run_directory(outcome.name, out)
    path = outcome.save(directory, files)
    tell(outcome, path, as_json, *([said.format(directory)] if said else []))


def _search(args: MicroSearch) -> None:
    import time

    import numpy as np

    from erlangen.errors import ArgumentError
    from erlangen.fields import microstructures as micro
    from erlangen.fields.microstructures import report
    from erlangen.reporting import plain

    if args.max_results < 1:
        raise ArgumentError("max_results", "at least 1", repr(args.max_results))
    started = time.perf_counter()
    try:
        found = micro.search_roots(
            args.sizes,
            args.counts,
            args.relations,
            phase_swap=args.phase_swap,
            max_results=args.max_results,
            seed=args.seed,
            quiet=args.quiet or args.json,
        )
    except ArgumentError as problem:
        if problem.argument != "P":
            raise
        raise ArgumentError("sizes", problem.expected, problem.got, problem.hint) from None
    outcome = report.search_outcome(found, plain(args), time.perf_counter() - started)
    origin = {"found by": "search", "sizes": found.sizes, "counts": found.counts, "relations": args.relations}
    pairs = {
        f"pair-{i}.npz": micro.Pair(root.members[0], root.members[1], {**origin, "class": i}).save
        for i, root in enumerate(found.roots, start=1)
    }

    def members(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez_compressed(stream, **{f"class_{i}": root.members for i, root in enumerate(found.roots, start=1)})  # type: ignore[arg-type]

    said = f"pairs for `child`: {{0}}/pair-1.npz{f' to pair-{len(pairs)}.npz' if len(pairs) > 1 else ''}" if pairs else ""
    _tell(outcome, args.out, args.json, {**pairs, "members.npz": members} if pairs else None, said)


def _child(args: MicroChild) -> None:
    from erlangen.cli.written import check_written
    from erlangen.errors import ArgumentError
    from erlangen.fields import microstructures as micro
    from erlangen.fields.microstructures import report
    from erlangen.reporting import plain

    if args.write is not None:
        if args.write.suffix not in (".npz", ".h5", ".vtk"):
            raise ArgumentError("write", "a file that ends in .npz, .h5 or .vtk", repr(str(args.write)))
        check_written(args.write, args.path, "PATH")
    pair = micro.load_pair(args.path)
    try:
        text = args.recipe if args.recipe.lstrip().startswith("[") else Path(args.recipe).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ArgumentError("recipe", "the JSON of a recipe, a list of steps, or a file with it", repr(args.recipe)) from None
    try:
        child = pair.child(micro.Recipe.from_json(text))
    except ArgumentError as problem:
        raise ArgumentError("recipe", problem.expected, problem.got, problem.hint) from None
    outcome = report.child_outcome(pair, child, args.relations, plain(args))
    if args.write is not None:
        child.save(args.write)
    _tell(outcome, args.out, args.json, {"pair.npz": child.save}, "the children: {0}/pair.npz")


def _mate(args: MicroMate) -> None:
    import time

    import numpy as np

    from erlangen.cli.telling import tell
    from erlangen.errors import ArgumentError
    from erlangen.fields import microstructures as micro
    from erlangen.fields.microstructures import report
    from erlangen.fitting.run import Stopped
    from erlangen.reporting import plain, run_directory

    started = time.perf_counter()
    S = micro.read_structure(args.path)
    if args.resume is not None and not (args.resume / "search.json").is_file():
        raise ArgumentError("resume", "the folder of an interrupted search, with its search.json", repr(str(args.resume)))
    if args.largest < 0:  # before a folder is made
        raise ArgumentError("largest", "a whole number from 0 up", repr(args.largest))
    directory = args.resume or run_directory("microstructures-mate", args.out)
    try:
        verdict = micro.find_mate(
            S, args.relations, largest=args.largest, checkpoint=directory / "search.json", quiet=args.quiet or args.json
        )
    except KeyboardInterrupt:
        raise Stopped(directory) from None
    except ArgumentError as problem:
        if problem.argument != "checkpoint":
            raise
        raise ArgumentError("resume", problem.expected, problem.got, problem.hint) from None
    outcome = report.mate_outcome(S, verdict, plain(args), time.perf_counter() - started)
    pair = verdict.witness
    files = {} if pair is None else {"mate.npy": lambda path: np.save(path, pair.b), "pair.npz": pair.save}
    path = outcome.save(directory, files)
    written = f"the mate: {directory / 'mate.npy'}; both with their origin: {directory / 'pair.npz'}"
    tell(outcome, path, args.json, written if verdict else verdict.reason)
