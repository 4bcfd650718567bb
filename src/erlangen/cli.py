"""The command line: ``erlangen fit | discover | audit | run | zoo | list``. Thin: each command is a few public calls.

Nothing heavy is imported before a command is known, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg, subcommand

from erlangen.errors import ArgumentError, ErlangenError


@dataclass(frozen=True)
class Fit:
    """Discover the symmetry of DATA, train a plain and a symmetric network side by side, audit both, and write a report."""

    data: Positional[str]
    """A built-in name (jets, two-body) or a file: .npz, .csv or .parquet."""
    target: str | None = None
    """The array or column(s) to predict; by default 'y'."""
    tokens: str | None = None
    """Columns of a table that form vectors: "q1 q2, p1 p2" makes two tokens of dimension 2."""
    kind: Literal["scalar", "vector", "class"] | None = None
    """What the target is; by default it is recognised. Text labels need "class"."""
    group: str | None = None
    """Use this group, e.g. "SO(3)", instead of discovering one."""
    seeds: int = 3
    """Networks of each kind to train."""
    steps: int = 1500
    """Training steps of each network."""
    discover_steps: int | None = None
    """Training steps of the discoverer; by default its own."""
    out: Path = Path("runs")
    """Where runs are kept: OUT/NAME/DATE."""
    resume: Path | None = None
    """Continue an interrupted run in this directory."""
    seed: int = 0
    """Seed of everything random."""
    quiet: bool = False
    """No progress bars."""


@dataclass(frozen=True)
class Discover:
    """Which symmetry do DATA have? Run all discoverers that fit and print one comparable table."""

    data: Positional[str]
    """A built-in name (jets, two-body) or a file: .npz, .csv or .parquet."""
    target: str | None = None
    """The array or column(s) that belong to the inputs; by default 'y' where present."""
    tokens: str | None = None
    """Columns of a table that form vectors: "q1 q2, p1 p2" makes two tokens of dimension 2."""
    kind: Literal["scalar", "vector", "class"] | None = None
    """What the target is; by default it is recognised. Text labels need "class"."""
    steps: int | None = None
    """Training steps of the learned discoverer."""
    seed: int = 0
    """Seed of everything random."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress bars."""


@dataclass(frozen=True)
class Audit:
    """Measure a model of yours under a group: equivariance, explanations, cost."""

    model: Positional[str]
    """FILE.py:FACTORY, a Python file and the function in it that builds the module."""
    data: Path
    """A .npz, .csv or .parquet file with the inputs."""
    group: str
    """The group, e.g. "SO(3)"."""
    weights: Path | None = None
    """Weights in a .safetensors file."""
    inp: str = "vector"
    """How the last axis of the input moves: vector, point, scalar or pseudoscalar."""
    out: str = "scalar"
    """How the output moves: vector, point, scalar or pseudoscalar."""
    tokens: str | None = None
    """Columns of a table that form vectors."""
    report: Path = Path("audit.html")
    """Where to write the report."""
    elements: int = 32
    """Group elements to try."""
    float64: bool = True
    """Compute in double precision."""
    seed: int = 0
    """Seed of the group elements."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Run:
    """Run one study: `erlangen run STUDY --help` shows its own flags."""

    study: Positional[str]
    """Its name; `erlangen list` shows all."""


@dataclass(frozen=True)
class List:
    """The systems and their studies, with what each claims."""

    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class ZooMake:
    """Train a zoo of small networks on handwritten digits, all at once, and write it as one file."""

    path: Positional[Path]
    """Where to write it (.safetensors)."""
    networks: int = 2000
    """How many networks."""
    seed: int = 0
    """Seed of everything random."""
    quiet: bool = False
    """No progress bars."""


@dataclass(frozen=True)
class ZooPredict:
    """Learn from some networks of a zoo to tell, from weights alone, how well the others do."""

    path: Positional[Path]
    """A file that `zoo make` wrote."""
    functional: Literal["UNF", "StatNN", "deep set"] = "UNF"
    """What reads the weights."""
    epochs: int = 30
    """Passes over the zoo."""
    judged: int = 300
    """Networks that are kept apart, and as many again to choose the epoch."""
    seed: int = 0
    """Seed of the training."""
    weights: Path | None = None
    """Where to write the trained predictor (.safetensors)."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress bars."""


@dataclass(frozen=True)
class Zoo:
    """Zoos of trained networks: make one, or predict accuracy from weights."""

    do: Annotated[Annotated[ZooMake, subcommand(name="make")] | Annotated[ZooPredict, subcommand(name="predict")], arg(name="")]


Command = (
    Annotated[Fit, arg(name="fit")]
    | Annotated[Discover, arg(name="discover")]
    | Annotated[Audit, arg(name="audit")]
    | Annotated[Run, arg(name="run")]
    | Annotated[Zoo, arg(name="zoo")]
    | Annotated[List, arg(name="list")]
)


def main(argv: list[str] | None = None) -> None:
    """Parse and run one command; exit code 2 for unusable input, 130 when interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["run"] and argv[1:] and not argv[1].startswith("-"):
            run_study(argv[1], argv[2:])
            return
        command = tyro.cli(Command, prog="erlangen", args=argv, description="Symmetry in data, models and designs.")  # type: ignore[arg-type]
        handlers: dict[type, Callable[[Any], None]] = {
            Fit: run_fit,
            Discover: run_discover,
            Audit: run_audit,
            List: run_list,
            Zoo: run_zoo,
        }
        handlers[type(command)](command)
    except ErlangenError as error:
        print(f"erlangen: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt as stop:
        print(f"\nerlangen: interrupted{f': {stop}' if str(stop) else ''}", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        _leave_together()


def _leave_together() -> None:
    """End the communication of several processes before the first of them exits: the others would abort."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def run_fit(args: Fit) -> None:
    """``erlangen fit DATA``."""
    from erlangen.data import resolve
    from erlangen.fitting import FitConfig, fit

    train, test = (
        resolve(args.data, split=split, target=args.target, tokens=args.tokens, kind=args.kind) for split in ("train", "test")
    )
    config = FitConfig(group=args.group, seeds=args.seeds, steps=args.steps, discover_steps=args.discover_steps, seed=args.seed)
    fit(train, test, config, root=args.out, resume=args.resume, quiet=args.quiet)


def run_discover(args: Discover) -> None:
    """``erlangen discover DATA``."""
    from erlangen.data import names, resolve
    from erlangen.discover import discover

    data = resolve(
        args.data, split="train" if args.data in names() else "all", target=args.target, tokens=args.tokens, kind=args.kind
    )
    found = discover(data.x, data.y, steps=args.steps, seed=args.seed, quiet=args.quiet or args.json)
    print(json.dumps(found.as_dict(), indent=2) if args.json else found)


def run_audit(args: Audit) -> None:
    """``erlangen audit FILE.py:FACTORY``."""
    import torch

    from erlangen.data import read
    from erlangen.groups.names import parse_group
    from erlangen.measure import audit

    group = parse_group(args.group)
    actions = {name: _action(group, name, argument) for argument, name in (("inp", args.inp), ("out", args.out))}
    model = build_model(args.model, args.weights)
    data = read(args.data, tokens=args.tokens)
    dtype = torch.float64 if args.float64 else torch.float32
    rng = torch.Generator().manual_seed(args.seed)
    x = data.x.to(dtype)
    result = audit(model.to(dtype).eval(), x, actions[args.inp], actions[args.out], elements=args.elements, generator=rng)
    path = result.report(args.report)
    print(json.dumps(result.as_dict(), indent=2) if args.json else result)
    if not args.json:
        print(f"report: {path}")


def build_model(spec: str, weights: Path | None) -> Any:
    """The module that ``FILE.py:FACTORY`` builds, with weights from a safetensors file."""
    import importlib.util

    import torch

    from erlangen.serialization import load_weights

    path, _, factory = spec.partition(":")
    if not factory or not path.endswith(".py"):
        raise ArgumentError("model", "FILE.py:FACTORY", spec)
    if not Path(path).is_file():
        raise ArgumentError("model", "an existing Python file before the colon", path)
    loaded = importlib.util.spec_from_file_location("audited_model", path)
    if loaded is None or loaded.loader is None:
        raise ArgumentError("model", "a Python file before the colon", path)
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    if not callable(getattr(module, factory, None)):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise ArgumentError("model", f"a function of {path} after the colon ({', '.join(names) or 'it has none'})", factory)
    model = getattr(module, factory)()
    if not isinstance(model, torch.nn.Module):
        raise ArgumentError("model", f"{factory}() to return a torch.nn.Module", type(model).__name__)
    if weights is not None:
        load_weights(model, weights)
    return model


def run_study(name: str, argv: list[str]) -> None:
    """``erlangen run STUDY [its flags]``."""
    from erlangen.reporting import run_directory
    from erlangen.studies import load_study

    study = load_study(name)

    def collect(config: Any, out: Path = Path("runs"), quiet: bool = False) -> tuple[Any, Path, bool]:
        return config, out, quiet

    # The configuration's fields become flags of their own, without a prefix.
    collect.__annotations__ = {"config": Annotated[study.config, arg(name="")], "out": Path, "quiet": bool}
    config, out, quiet = tyro.cli(collect, prog=f"erlangen run {name}", args=argv, description=study.title)
    outcome = study.run(config, quiet=quiet)
    path = outcome.save(run_directory(name, out))
    from rich.console import Console

    console = Console()
    console.print(outcome.claims.table())
    console.print(f"report: {path}", soft_wrap=True)


def run_list(args: List) -> None:
    """``erlangen list``."""
    from erlangen.studies import catalogue, catalogue_table

    if args.json:
        print(json.dumps(catalogue(), indent=2))
        return
    from rich.console import Console

    Console().print(catalogue_table())


def run_zoo(args: Zoo) -> None:
    """``erlangen zoo make|predict``."""
    import torch

    from erlangen.data.digits import split_digits
    from erlangen.parameters.mlp_zoo import ZooConfig, load_zoo, train_zoo
    from erlangen.parameters.predict import PredictionConfig, fit_predictor, functionals, kendall_tau
    from erlangen.serialization import save_weights

    do = args.do
    if isinstance(do, ZooMake):
        config = ZooConfig(networks=do.networks, seed=do.seed)
        (x, y), (held_x, held_y) = split_digits(seed=do.seed)
        zoo = train_zoo(x, y, held_x, held_y, config, quiet=do.quiet)
        lowest, middle, highest = torch.quantile(zoo.accuracy, torch.tensor([0.0, 0.5, 1.0])).tolist()
        print(
            f"{len(zoo)} networks, accuracy {lowest:.2f} to {highest:.2f}, half of them above {middle:.2f}: {zoo.save(do.path, config)}"
        )
        return
    zoo = load_zoo(do.path)
    if not 0 < 2 * do.judged < len(zoo):
        raise ArgumentError("judged", f"less than half of the zoo's {len(zoo)} networks", do.judged)
    seen, unseen = zoo[: len(zoo) - do.judged], zoo[len(zoo) - do.judged :]
    torch.manual_seed(do.seed)
    made, settings = functionals(zoo.spec)[do.functional](), PredictionConfig(epochs=do.epochs, validation=do.judged, seed=do.seed)
    fitted = fit_predictor(
        made, zoo.spec, seen.params, seen.accuracy, settings, description=do.functional, quiet=do.quiet or do.json
    )
    with torch.no_grad():
        tau = float(kendall_tau(fitted(unseen.params), unseen.accuracy))
    written = None if do.weights is None else str(save_weights(fitted, do.weights))
    told = {"functional": do.functional, "tau": tau, "learned_from": len(seen) - do.judged, "judged": do.judged, "weights": written}
    if do.json:
        print(json.dumps(told, indent=2))
    else:
        print(f"{do.functional}: Kendall's tau {tau:.3f} on {do.judged} unseen networks, learned from {told['learned_from']}")


def _action(group: Any, name: str, argument: str) -> Any:
    known = ("scalar", "pseudoscalar", "vector", "point")
    if name not in known:
        raise ArgumentError(argument, f"one of {', '.join(known)}", name)
    return getattr(group, name)
