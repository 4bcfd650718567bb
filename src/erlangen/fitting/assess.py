"""What a fit measures of trained models: scores in and out of distribution, equivariance, explanations, cost."""

from __future__ import annotations

import copy
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.equivariance import equivariance_error
from erlangen.errors import UnsupportedError
from erlangen.fitting.config import FitConfig
from erlangen.fitting.members import Members, predict, target
from erlangen.fitting.problem import Problem, drawn
from erlangen.fitting.task import Task
from erlangen.groups.base import Group
from erlangen.measure import Cost, explanation_equivariance, measure_cost
from erlangen.verdict import Verdict

#: Data that equivariance and explanations are measured on.
SAMPLE = 128
#: Of more test samples, so many are moved.
MOST_MOVED = 20_000


@dataclass(frozen=True)
class Assessment:
    """What was measured of all models of one kind.

    Attributes:
        name, about: of the kind.
        scores: on the test data, one for each seed.
        ensemble: on the test data, of the seeds' mean prediction; ``None`` for one model alone.
        errors, moved_errors: mean square errors on the test data and on moved ones, for numbers and vectors.
        moved: on test data moved by random group elements, one for each seed (the mean over several moves); empty without a group.
        equivariance: verdicts of the best model by precision: ``"float64"`` (everything), ``"mixed"`` (network in float32, data in
            float64, as trained) and ``"float32"`` (everything).
        explanations: of the best model's gradients; ``None`` where they are not defined.
        seconds_per_step: of training, the median over seeds.
        cost: of evaluating the best model.
    """

    name: str
    about: str
    scores: list[float]
    ensemble: float | None = None
    errors: list[float] = field(default_factory=list)
    moved_errors: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    equivariance: dict[str, Verdict] = field(default_factory=dict)
    explanations: Verdict | None = None
    seconds_per_step: float = 0.0
    cost: Cost | None = None

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        return {
            "name": self.name,
            "scores": self.scores,
            "ensemble": self.ensemble,
            "moved": self.moved,
            "errors": self.errors,
            "moved_errors": self.moved_errors,
            "equivariance": {name: verdict.as_dict() for name, verdict in self.equivariance.items()},
            "explanations": None if self.explanations is None else self.explanations.as_dict(),
            "seconds_per_step": self.seconds_per_step,
            "cost": None if self.cost is None else vars(self.cost).copy(),
        }


def moved_copies(problem: Problem, group: Group, config: FitConfig) -> list[tuple[Any, Tensor]]:
    """The test data (of more than 20,000 samples a draw), each moved by its own random element (targets too, if they are vectors),
    several times."""
    rng = torch.Generator().manual_seed(config.seed + 77)
    test = drawn(problem.test, MOST_MOVED, config.seed)
    elements = (group.sample(len(test), generator=rng, dtype=torch.float64, scale=config.spread) for _ in range(config.moves))
    return [problem.moved(test, group, g) for g in elements]


def ensemble(models: Sequence[nn.Module], x: Any, task: Task) -> Tensor:
    """The mean prediction of models, of classes the mean of the logarithms of their probabilities."""
    outputs = [predict(model, x) for model in models]
    return torch.stack([o.log_softmax(-1) if task.kind == "class" else o for o in outputs]).mean(0)


def assess(members: Members, problem: Problem, group: Group | None, config: FitConfig) -> Assessment:
    """Measure the models of one kind; ``group`` is the one that data are moved by (also for plain models)."""
    task, test = problem.task, problem.test

    def by(measure: Callable[[Tensor, Tensor], float], x: Any, y: Tensor) -> list[float]:
        return [measure(predict(model, x), y) for model in members.models]

    x, y = problem.inputs(test), target(members.models[0], test)
    best, first = members.best, _rows(x, slice(SAMPLE))
    common: dict[str, Any] = {
        "name": members.kind.name,
        "about": members.kind.about,
        "scores": by(task.score, x, y),
        "errors": [] if task.error is None else by(task.error, x, y),
        "ensemble": task.score(ensemble(members.models, x, task), y) if len(members.models) > 1 else None,
        "seconds_per_step": statistics.median(h.seconds_per_step for h in members.histories) if members.histories else 0.0,
        "cost": measure_cost(lambda: best(first), min(SAMPLE, len(test)), best),
    }
    if group is None:
        return Assessment(**common)
    inp, out = problem.kind.moved_by(group)
    copies = moved_copies(problem, group, config)
    moved = [statistics.mean(member) for member in zip(*(by(task.score, *c) for c in copies))]
    if task.error is not None:
        common["moved_errors"] = [statistics.mean(member) for member in zip(*(by(task.error, *c) for c in copies))]
    some = _rows(x, torch.randperm(len(test), generator=torch.Generator().manual_seed(config.seed))[:SAMPLE])

    def error(model: nn.Module, data: Any, tolerance: float) -> Verdict:
        rng = torch.Generator().manual_seed(config.seed + 5)
        return equivariance_error(model, data, inp, out, scale=config.spread, generator=rng, tolerance=tolerance)

    double = copy.deepcopy(best).double()
    verdicts = {
        "float64": error(double, _to(some, torch.float64), 1e-10),
        "mixed": error(best, _to(some, torch.float64), 1e-4),
        "float32": error(best, _to(some, torch.float32), 1e-4),
    }
    if not members.histories:  # trees: piecewise constant, without gradients to explain them by
        return Assessment(**common, moved=moved, equivariance=verdicts)
    try:
        rng = torch.Generator().manual_seed(config.seed + 6)
        with warnings.catch_warnings():
            # Frames that hold their axes fixed in gradients say so in the report.
            warnings.filterwarnings("ignore", "the gradient of the model is not what its output does")
            explained: Verdict | None = explanation_equivariance(
                double, _to(some, torch.float64), inp, out, scale=config.spread, generator=rng
            )
        if explained is not None and explained["degenerate"] == 1:  # gradients that are zero everywhere explain nothing
            explained = None
    except UnsupportedError:
        explained = None
    return Assessment(**common, moved=moved, equivariance=verdicts, explanations=explained)


def _rows(x: Any, index: Tensor | slice) -> Any:
    return optree.tree_map(lambda part: part[index], x)


def _to(x: Any, dtype: torch.dtype) -> Any:
    return optree.tree_map(lambda part: part.to(dtype) if part.is_floating_point() else part, x)
