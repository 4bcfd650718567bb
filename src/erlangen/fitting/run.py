"""`fit`: the main job. Raw arrays in; a symmetric, trained, audited model and a readable report out."""

from __future__ import annotations

import dataclasses
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.data import Collection, DataSet, collect
from erlangen.data.checks import FEWEST, check_enough_to_train
from erlangen.data.distinct import distinct
from erlangen.data.named import TRAIN_FRACTION
from erlangen.discover import Discovered, discover
from erlangen.discover.companions import task_belief
from erlangen.discover.samples import samples_of
from erlangen.discover.soft.belief import Belief
from erlangen.errors import ArgumentError, StorageError
from erlangen.fitting.assess import Assessment, assess
from erlangen.fitting.candidates import Tried, plain_kind, symmetrized_kind, try_candidates
from erlangen.fitting.choice import Choice, Symmetry, choose
from erlangen.fitting.companions import INVARIANTS, companions
from erlangen.fitting.config import FitConfig
from erlangen.fitting.enough import enough
from erlangen.fitting.kinds.order import Through
from erlangen.fitting.likeness import like
from erlangen.fitting.members import SOFT_STEPS, Kind, Members, train_members
from erlangen.fitting.problem import Problem
from erlangen.fitting.report import build_outcome
from erlangen.fitting.store import save_companion, save_fitted
from erlangen.fitting.ways import Attempt, can_impose, symmetrized_members, ways
from erlangen.groups import DirectProduct
from erlangen.groups.base import Group
from erlangen.groups.names import parse_group
from erlangen.parallel import one_thread
from erlangen.reporting import Outcome, run_directory
from erlangen.reps import Rep
from erlangen.serialization import read_json, write_json
from erlangen.training.batches import Samples
from erlangen.training.identity import fingerprint
from erlangen.training.lock import alone
from erlangen.training.processes import by_main, is_main


class Stopped(KeyboardInterrupt):
    """A fit was interrupted.

    Attributes:
        directory: with it the fit goes on: ``fit(..., resume=directory)``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(f"stopped; continue with resume={str(directory)!r}")


@dataclass(frozen=True)
class Fitted:
    """What :func:`fit` returns.

    Attributes:
        model: the best symmetrized model, or the best plain one where no symmetry was found.
        group: of the symmetrized model; ``None`` without one.
        found: the discoverer's answer; ``None`` when the group was given.
        assessments: what was measured, by kind of model.
        outcome: claims, figures and every number.
        directory: where all of it was written.
        tried: the groups that were tried on held-out data; ``None`` where discoverers looked, or the group was given.
    """

    model: nn.Module
    group: Group | None
    found: Discovered | None
    assessments: dict[str, Assessment]
    outcome: Outcome
    directory: Path
    tried: Tried | None = None


def fit(
    data: Any,
    test: Any = None,
    config: FitConfig | None = None,
    *,
    root: str | Path = "runs",
    resume: str | Path | None = None,
    quiet: bool = False,
) -> Fitted:
    """Discover the symmetry of data, train a plain and a symmetrized network on the same budget, audit both, write a report.

    Args:
        data: training data with a target: a :class:`~erlangen.data.DataSet` of tokens, a :class:`~erlangen.data.Collection` of another
            kind, or what :func:`erlangen.data.collect` makes one of (a list of ASE's ``Atoms``, of PyG's ``Data``).
        test: test data; by default 30 % of ``data``. Copies of one sample are never in both.
        config: see :class:`FitConfig`.
        root: the run is written to ``root/NAME/DATE``.
        resume: the directory of an interrupted run, to continue it instead.
        quiet: print nothing.

    Returns:
        :class:`Fitted`. The directory holds ``report.html``, ``metrics.json`` (every number), ``claims.json``, ``config.json``,
        ``model.safetensors`` and ``model.json`` (see :func:`erlangen.fitting.load_fitted`), and the same of the companion: gradient
        boosting on the invariants of the group, or on the raw numbers without one.

    Warns:
        UserWarning: samples of a given ``test`` are among the training samples.

    Raises:
        ArgumentError: no target, too few samples, test data of another layout or with classes that no training sample has,
            an unknown group or one that does not act on the data, a ``resume`` of other data
            or settings, or one that another process works in.
        StorageError: a file could not be written; the message says how to continue.
        Stopped: a KeyboardInterrupt that says how to continue.
    """
    config = config or FitConfig()
    data, test = collect(data), None if test is None else collect(test)
    if data.y is None:
        raise ArgumentError("target", "a target to predict", f"none in {data.name}")
    if test is None:
        check_enough_to_train("data", len(data), TRAIN_FRACTION)
        data, test = data.split(TRAIN_FRACTION, config.seed)
    else:
        test = like(data, test)
        _warn_seen(data, test)
    if len(data) < FEWEST:
        raise ArgumentError("data", f"at least {FEWEST} training samples", len(data))
    group = None if config.group is None else parse_group(config.group)
    problem = Problem.of(data, test, config)
    _check_parts(problem)
    if config.soft and not problem.kind.discovers:
        raise ArgumentError("soft", "tokens: other data have no soft penalty", problem.kind.name)
    if group is not None and problem.kind.input_action(group) is None:
        raise ArgumentError("group", f"a group that acts on {problem.kind} of {data.name}", repr(group))
    started = time.perf_counter()
    quiet = quiet or not is_main()
    directory = by_main(lambda: _open(data, test, config, root, resume))
    try:
        with alone(directory if is_main() else None, "resume"):
            return _fitted(problem, config, group, directory, quiet, started)
    except KeyboardInterrupt:
        raise Stopped(directory) from None
    except OSError as problem:
        where = f"'{problem.filename}'" if problem.filename else f"a file in '{directory}'"
        kept = f"what was finished is kept; continue with resume={str(directory)!r}"
        raise StorageError(f"{where}: {problem.strerror or problem}; {kept}") from problem


def _fitted(problem: Problem, config: FitConfig, group: Group | None, directory: Path, quiet: bool, started: float) -> Fitted:
    """Everything that a fit does in its directory."""
    data = problem.data
    if problem.kind.discovers:
        symmetry = _looked_for(problem, group, config, directory, quiet)
        kinds = _kinds(symmetry.group, symmetry.found, data.target, symmetry.choice)
    else:
        symmetry = _tried(problem, group, config, directory, quiet)
        kinds = _kinds_of(problem, symmetry)
    with one_thread():
        done = {} if symmetry.tried is None else symmetry.tried.members
        checkpoints = directory / "checkpoints"
        learned = enough(problem, symmetry.group)
        beside = companions(learned.problem, symmetry.group, config)
        # Held-out data have said, then, which arrangement of invariants is the better one.
        arrangement = next((c.model.columns.arrangement for c in beside if c.name == INVARIANTS), None)
        members: list[Members] = []
        attempts: list[Attempt] = []
        for kind in kinds:
            if kind.how == "symmetrized" and kind.name not in done:
                chosen, attempts = symmetrized_members(
                    ways(problem, kind, arrangement), learned.problem, config, checkpoints, quiet
                )
                members.append(chosen)
            else:
                members.append(done.get(kind.name) or train_members(kind, learned.problem, config, checkpoints, quiet))
        every = [*members, *(Members(Kind(c.name, c.about), [c.model], []) for c in beside)]
        assessments = {m.kind.name: assess(m, learned.problem, symmetry.group, config) for m in every}
    best = members[-1].best
    seconds = time.perf_counter() - started
    outcome = build_outcome(problem, config, symmetry, members, attempts, beside, assessments, learned.reason, seconds)
    if is_main():
        kept = save_fitted(best, members[-1].kind.group, problem.kind)
        outcome.save(directory, files=kept | (save_companion(beside[-1].model) if beside else {}))
    if not quiet:
        from rich.console import Console

        console = Console()
        console.print(outcome.claims.table())
        console.print(outcome.answer, markup=False)
        console.print(f"report: {directory / 'report.html'}", soft_wrap=True, markup=False)
    return Fitted(best, symmetry.group, symmetry.found, assessments, outcome, directory, symmetry.tried)


def _check_parts(problem: Problem) -> None:
    """Raise where a part is too small to be scored: a test of one sample, or one of two classes in none of a part's samples."""
    if len(problem.test) < 2:
        raise ArgumentError("test", "at least 2 test samples", len(problem.test))
    if problem.task.score_name != "AUC":
        return
    for about, part in (("held out", problem.held), ("for testing", problem.test)):
        assert part.y is not None
        if len(part.y.unique()) < 2:
            got = f"only one of them among the {len(part)} {about}"
            raise ArgumentError("target", "enough samples of both classes to have some in every part", got)


def _warn_seen(data: DataSet | Collection, test: DataSet | Collection) -> None:
    """Warn of test samples that are training samples, too: what is measured on them is memory."""
    x, other = (part.x if isinstance(part, DataSet) else part.fingerprints() for part in (data, test))
    if x.shape[1:] != other.shape[1:]:
        return
    kinds = distinct(torch.cat([x, other.to(x)]))
    seen = int(torch.isin(kinds[len(data) :], kinds[: len(data)]).sum())
    if seen:
        warnings.warn(
            f"{seen} of the {len(test)} samples of {test.name} are among the training samples of {data.name}: errors on them say little "
            "of new data; leave test away, and the split keeps copies together",
            stacklevel=3,
        )


def _open(
    data: DataSet | Collection, test: DataSet | Collection, config: FitConfig, root: str | Path, resume: str | Path | None
) -> Path:
    """The run's directory, with a note of what is being fitted, so that only the same fit can continue it."""
    sums = [fingerprint(Samples(_tensors(part)))["checksum"] for part in (data, test)]
    who = {
        "data": data.name,
        "shape": list(data.x.shape) if isinstance(data, DataSet) else str(data),
        "target": data.target,
        "training numbers": sums[0],
        "test numbers": sums[1],
        **dataclasses.asdict(config),
    }
    if resume is None:
        directory = run_directory(data.name, root)
        write_json(directory / "fit.json", who)
        return directory
    directory = Path(resume)
    note = directory / "fit.json"
    if not note.is_file():
        raise ArgumentError("resume", "the directory of an interrupted fit", f"'{directory}'")
    there, here = read_json(note, "resume"), json.loads(json.dumps(who))
    if different := [_difference(key, there.get(key), here[key]) for key in here if there.get(key) != here[key]]:
        raise ArgumentError("resume", "the directory of this fit", f"that of another in '{directory}' ({'; '.join(different)})")
    return directory


def _tensors(data: DataSet | Collection) -> list[Tensor]:
    inputs = [data.x] if isinstance(data, DataSet) else list(data.x.values())
    return inputs if data.y is None else [*inputs, data.y]


def _difference(key: str, there: Any, here: Any) -> str:
    return f"other {key}" if key.endswith("numbers") else f"{key}={there} there, {key}={here} here"


def _looked_for(problem: Problem, group: Group | None, config: FitConfig, directory: Path, quiet: bool) -> Symmetry:
    """The symmetry of tokens: given, or as the discoverers find it, and frame or penalty."""
    data = problem.data
    assert isinstance(data, DataSet)
    found = None
    if group is None:
        found = _discovered(data, config, directory, quiet)
        group = found.group if found else None
        if group is not None and not can_impose(problem, group):
            reason = f"{group} was found, but there is neither a frame for it nor are invariants of it known."
            return Symmetry(None, found, found.belief, Choice(None, reason=reason))
    belief = _belief(problem, group, found, config)
    if config.soft and group is not None and isinstance(problem.kind.input_action(group), Through):
        raise ArgumentError("soft", "a group of matrices: a penalty on tensors does not know the order of tokens", str(group))
    choice = choose(group, belief, config.soft)
    return Symmetry(group or choice.group, found, belief, choice)


def _tried(problem: Problem, group: Group | None, config: FitConfig, directory: Path, quiet: bool) -> Symmetry:
    """The symmetry of other kinds of data: given, or the largest candidate that loses nothing on held-out data."""
    if group is not None:
        return Symmetry(group, None, None, Choice(group))
    with one_thread():
        tried = try_candidates(problem, config, directory / "checkpoints", quiet)
    return Symmetry(tried.group, None, None, Choice(tried.group, reason=tried.reason), tried)


def _kinds_of(problem: Problem, symmetry: Symmetry) -> list[Kind]:
    group = symmetry.group
    return [plain_kind(problem), *([] if group is None else [symmetrized_kind(problem, group, symmetry.how)])]


def _discovered(data: DataSet, config: FitConfig, directory: Path, quiet: bool) -> Discovered:
    """Discover, or read what was discovered before the interruption."""
    path = directory / "discovered.safetensors"
    if by_main(path.is_file):
        return Discovered.load(path)
    found = discover(data.x, data.y, names=data.names, kind=data.target, steps=config.discover_steps, seed=config.seed, quiet=quiet)
    if is_main():
        found.save(path)
    if not quiet:
        from rich.console import Console

        Console().print(str(found), markup=False)
    return found


def _belief(problem: Problem, group: Group | None, found: Discovered | None, config: FitConfig) -> Belief | None:
    """How well the candidate groups fit the task: as discovered, or anew where the group was given or the answer was read from a file."""
    if found is not None and found.belief is not None:
        return found.belief
    data = problem.data
    assert isinstance(data, DataSet)
    linear = [group] if group is not None and isinstance(problem.kind.input_action(group), Rep) else []
    return task_belief(samples_of(data.x, data.y, data.target), linear, config.seed)


def _kinds(group: Group | None, found: Discovered | None, target: str | None, choice: Choice) -> list[Kind]:
    kinds = [Kind("plain", "a multilayer perceptron on the raw numbers")]
    if group is not None:
        how = "the group given" if found is None else "the group found"
        kinds += _augmented(group, found, target)
        kinds.append(Kind("symmetrized", f"the same perceptron behind a frame of {group}, {how}", "symmetrized", group))
    if choice.penalised:
        names = ", ".join(choice.penalised)
        about = f"a network of vectors and tensors with a soft penalty on {names}; its learning rate is {SOFT_STEPS:g} times the others'"
        kinds.append(Kind("soft", about, "soft", penalised=choice.penalised))
    return kinds


def _augmented(group: Group, found: Discovered | None, target: str | None) -> list[Kind]:
    """For vector targets, the softer ways beside: augmentation by the exact algebra and by the matrices as learned, and Augerino."""
    if target != "vector" or group.algebra is None or isinstance(group, DirectProduct) or group.translates:
        return []
    exact = group.algebra.basis
    kinds = [Kind("augmented", f"the plain perceptron, trained on data moved by {group.algebra}", "augmented", basis=exact)]
    learned = None if found is None else found.learned
    if learned is not None:
        learned = learned * (exact.norm() / learned.norm())
        kinds.insert(
            0, Kind("augmented-learned", "the same, by the matrices as the discoverer learned them", "augmented", basis=learned)
        )
    support = (exact.abs().amax(0) > 1e-9).float()
    support = ((support + support.mT + support @ support) > 0).float()
    kinds.insert(0, Kind("augerino", "moves learned together with the perceptron, in the same planes", "augerino", basis=support))
    return kinds
