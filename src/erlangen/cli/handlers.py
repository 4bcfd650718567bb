"""What each command does: a few public calls. Each imports what it needs when it runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import arg

from erlangen.cli.commands import Adapt, Audit, Discover, Expressivity, Fit, List, ReluDimension
from erlangen.cli.models import action_named, build_model, explained
from erlangen.errors import ArgumentError

if TYPE_CHECKING:
    from erlangen.studies import Study


def run_fit(args: Fit) -> None:
    """``erlangen fit DATA``."""
    from erlangen.data import resolve
    from erlangen.fitting import FitConfig, fit
    from erlangen.training.processes import is_main

    train, test = (
        resolve(args.data, split=split, target=args.target, tokens=args.tokens, kind=args.kind, as_=args.as_)
        for split in ("train", "test")
    )
    config = FitConfig(
        group=args.group, soft=args.soft, seeds=args.seeds, steps=args.steps, discover_steps=args.discover_steps, seed=args.seed
    )
    fitted = fit(train, test, config, root=args.out, resume=args.resume, quiet=args.quiet)
    if args.quiet and is_main():  # no progress and no tables, but what was asked for
        print(fitted.outcome.answer)
        print(f"report: {fitted.directory / 'report.html'}")


def run_discover(args: Discover) -> None:
    """``erlangen discover DATA``."""
    from erlangen.data import DataSet, names, resolve
    from erlangen.discover import discover
    from erlangen.training.processes import is_main

    if args.steps is not None and args.steps < 1:
        raise ArgumentError("steps", "a positive number of steps", repr(args.steps))
    data = resolve(
        args.data, split="train" if args.data in names() else "all", target=args.target, tokens=args.tokens, kind=args.kind
    )
    if not isinstance(data, DataSet):
        raise ArgumentError("data", "tokens [N, T, d]; for other data `erlangen fit` tries the groups of their kind", str(data))
    found = discover(
        data.x,
        data.y,
        names=data.names,
        kind=data.target,
        kinds=None if args.kinds is None else args.kinds.replace(",", " ").split(),
        steps=args.steps,
        sequences=args.sequences,
        seed=args.seed,
        quiet=args.quiet or args.json or not is_main(),
    )
    if not is_main():
        return
    if args.json:
        print(json.dumps(found.as_dict(), indent=2))
        return
    print(found)
    from rich.console import Console

    Console().print(findings_table(found))


def findings_table(found: Any) -> Any:
    """What each discoverer found, side by side, for a terminal; the notes are in the text above it."""
    from rich.table import Table

    from erlangen.discover.finding import FINDING_COLUMNS
    from erlangen.reporting import format_value

    table = Table(title="What each discoverer found", title_justify="left")
    shown = FINDING_COLUMNS[:-1]
    for column in shown:
        table.add_column(column, justify="right" if column in ("confidence", "seconds") else "left")
    for finding in found.findings:
        table.add_row(*(format_value(cell) for cell in finding.row()[: len(shown)]))
    return table


def run_audit(args: Audit) -> None:
    """``erlangen audit FILE.py:FACTORY``."""
    import optree
    import torch

    from erlangen.actions import as_action
    from erlangen.data import DataSet, read
    from erlangen.equivariance.error import call_model
    from erlangen.fitting import load_fitted
    from erlangen.fitting.kinds import actions_of
    from erlangen.fitting.store import imposed_on
    from erlangen.groups import DirectProduct
    from erlangen.groups.names import parse_group
    from erlangen.measure import audit
    from erlangen.measure.audit_report import audit_outcome
    from erlangen.reporting import check_folder
    from erlangen.training.processes import is_main

    if not is_main():
        return
    check_folder(args.report.parent, "report")
    is_fit, vector = Path(args.model).is_dir(), args.out == "vector"
    if args.group is not None:
        group = parse_group(args.group)
    elif is_fit:
        group, vector = imposed_on(args.model)
    else:
        raise ArgumentError("group", "the name of a group, which a Python file does not tell", "none")
    dtype = torch.float64 if args.float64 else torch.float32
    model = load_fitted(args.model).to(dtype) if is_fit else build_model(args.model, args.weights, dtype).eval()
    data = read(args.data, tokens=args.tokens, as_=args.as_, inputs_only=True)
    if args.group is not None and isinstance(data, DataSet) and not isinstance(group, DirectProduct):
        x: Any = data.x
        inp, out = (action_named(group, name, argument) for argument, name in (("inp", args.inp), ("out", args.out)))
    else:
        x, inp, out = actions_of(data, group, vector=vector)
    x = optree.tree_map(lambda part: part.to(dtype) if part.is_floating_point() else part, x)
    shapes = ", ".join(str(tuple(part.shape)) for part in optree.tree_leaves(x))
    with explained(Path(args.model.rpartition(":")[0]), f"a module that takes data of shape {shapes}"), torch.no_grad():
        call_model(model, as_action(inp), optree.tree_map(lambda part: part[:2], x))
    result = audit(model, x, inp, out, elements=args.elements, generator=torch.Generator().manual_seed(args.seed))
    path = result.report(args.report)
    if args.json:
        print(json.dumps(result.as_dict(), indent=2))
        return
    print(audit_outcome(result).answer if args.quiet else result)
    print(f"report: {path}")


def run_adapt(args: Adapt) -> None:
    """``erlangen adapt MODEL DATA``."""
    from erlangen.data import read_texts
    from erlangen.fitting.adapting import AdaptConfig, adapt, block_numbers, module_names
    from erlangen.training.processes import is_main

    own = {field.name for field in dataclasses.fields(AdaptConfig)} & {field.name for field in dataclasses.fields(Adapt)}
    given = {name: getattr(args, name) for name in own}
    given |= {"target_modules": module_names(args.target_modules), "layers": block_numbers(args.layers)}
    config = AdaptConfig(**given)
    data = read_texts(args.data, args.text, args.target, args.kind)
    kind: Any = "class" if data.classes else "scalar"
    test = None if args.test is None else read_texts(args.test, args.text, args.target, kind, data.classes)
    adapted = adapt(args.model, data, test, config, root=args.out, resume=args.resume, quiet=args.quiet)
    if args.quiet and is_main():
        print(adapted.outcome.answer)
        print(f"report: {adapted.directory / 'report.html'}")


def run_expressivity(args: Expressivity) -> None:
    """``erlangen expressivity A B``."""
    from erlangen.fields.molecules import compare_structures

    ladder = compare_structures(args.a, args.b, cutoff=args.cutoff, group=args.group, tol=args.tol)
    print(json.dumps(ladder.to_dict(), indent=2) if args.json else ladder)


def run_relu_dimension(args: ReluDimension) -> None:
    """``erlangen relu-dimension --arch 5-5-5-5-1``."""
    from erlangen.parallel import one_thread
    from erlangen.parameters.hidden import functional_dimension_at_init
    from erlangen.reporting import to_json

    with one_thread():
        found = functional_dimension_at_init(
            args.arch,
            args.inits,
            init=args.init,
            bias_std=args.bias_std,
            multiple=args.multiple,
            seed=args.seed,
            quiet=args.quiet or args.json,
        )
    print(to_json(found).rstrip() if args.json else found)


def run_study(study: Study, argv: list[str]) -> None:
    """``erlangen run STUDY [its flags]``."""
    from erlangen.reporting import check_folder, run_directory
    from erlangen.training.processes import is_main

    def collect(config: Any, out: Path = Path("runs"), quiet: bool = False) -> tuple[Any, Path, bool]:
        return config, out, quiet

    # The configuration's fields become flags of their own, without a prefix.
    collect.__annotations__ = {"config": Annotated[study.config, arg(name="")], "out": Path, "quiet": bool}
    config, out, quiet = tyro.cli(collect, prog=f"erlangen run {study.name}", args=argv, description=study.title)
    check_folder(out, "out")
    check_counts(config)
    outcome = study.run(config, quiet=quiet or not is_main())
    if not is_main():
        return
    path = outcome.save(run_directory(study.name, out))
    from rich.console import Console

    console = Console()
    console.print(outcome.claims.table())
    for key, reason in outcome.left_out.items():
        console.print(f"left out: {key}: {reason}", soft_wrap=True, markup=False)
    console.print(f"report: {path}", soft_wrap=True, markup=False)


#: Fields of a study's configuration that count something of which there must be one.
COUNTS = ("seeds", "steps", "samples", "epochs", "networks")


def check_counts(config: Any) -> None:
    """Refuse numbers of a study's configuration that no run can have: negative ones, and none of what there must be one of.

    Raises:
        ArgumentError: there is such a number.
    """
    for field in dataclasses.fields(config):
        value, default = getattr(config, field.name), field.default
        if type(value) is not int or type(default) is not int or field.name == "seed":
            continue
        least = 1 if field.name in COUNTS and default > 0 else min(0, default)
        if value < least:
            raise ArgumentError(field.name, f"at least {least}", value)


def run_list(args: List) -> None:
    """``erlangen list``."""
    from erlangen.studies import catalogue, catalogue_table

    if args.json:
        print(json.dumps(catalogue(), indent=2))
        return
    from rich.console import Console

    Console().print(catalogue_table(claims=args.claims))
    if not args.claims:
        print("what each claims: erlangen list --claims; its flags: erlangen run STUDY --help")
