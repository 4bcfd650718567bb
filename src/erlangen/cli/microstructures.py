"""``erlangen microstructures mate|check|bounds|keff``: the commands, their flags, and what they do."""

from __future__ import annotations

import dataclasses
import json
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
        | Annotated[MicroBounds, subcommand(name="bounds")]
        | Annotated[MicroKeff, subcommand(name="keff")],
        arg(name=""),
    ]


def run_microstructures(args: Microstructures) -> None:
    """``erlangen microstructures mate|check|bounds|keff``."""
    from erlangen.fields import microstructures as micro
    from erlangen.fields.microstructures import report
    from erlangen.reporting import check_folder

    do = args.do
    check_folder(do.out, "out")
    if isinstance(do, MicroMate):
        _mate(do)
        return
    config = {name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(do).items()}
    if isinstance(do, MicroCheck):
        a, b = micro.read_structure(do.a, "a"), micro.read_structure(do.b, "b")
        same, relation = micro.equivalent(a, b), micro.related(a, b, do.relations)
        outcome = report.check_outcome(a, b, same, relation, config)
    elif isinstance(do, MicroBounds):
        outcome = report.bounds_outcome(micro.read_structure(do.path), do.k, config)
    else:
        outcome = report.conductivity_outcome(micro.read_structure(do.path), do.k, do.refine, do.method, config)
    _tell(outcome, do.out, do.json)


def _tell(outcome: Outcome, out: Path, as_json: bool) -> None:
    from erlangen.reporting import plain, run_directory

    path = outcome.save(run_directory(outcome.name, out))
    if as_json:
        print(json.dumps(plain({"answer": outcome.answer, **outcome.metrics, "report": str(path)}), indent=2))
        return
    print(outcome.answer)
    print(f"report: {path}")


def _mate(args: MicroMate) -> None:
    import time

    import numpy as np

    from erlangen.fields import microstructures as micro
    from erlangen.fields.microstructures import report
    from erlangen.fitting.run import Stopped
    from erlangen.reporting import plain, run_directory

    started = time.perf_counter()
    S = micro.read_structure(args.path)
    directory = args.resume or run_directory("microstructures-mate", args.out)
    try:
        verdict = micro.find_mate(
            S, args.relations, largest=args.largest, checkpoint=directory / "search.json", quiet=args.quiet or args.json
        )
    except KeyboardInterrupt:
        raise Stopped(directory) from None
    config = {name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(args).items()}
    outcome = report.mate_outcome(S, verdict, config, time.perf_counter() - started)
    pair = verdict.witness
    files = {} if pair is None else {"mate.npy": lambda path: np.save(path, pair.b), "pair.npz": pair.save}
    path = outcome.save(directory, files)
    if args.json:
        print(json.dumps(plain({"answer": outcome.answer, **outcome.metrics, "report": str(path)}), indent=2))
        return
    print(outcome.answer)
    if not verdict:
        print(verdict.reason)
    else:
        print(f"the mate: {directory / 'mate.npy'}; both with their origin: {directory / 'pair.npz'}")
    print(f"report: {path}")
