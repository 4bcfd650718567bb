"""Groups tried on held-out data: symmetric networks beside the plain one, larger groups first, until one loses nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.fitting.config import FitConfig
from erlangen.fitting.kinds import Candidate
from erlangen.fitting.members import Kind, Members, predict, target, train_members
from erlangen.fitting.problem import Problem
from erlangen.groups.base import Group
from erlangen.reporting import Section, Table

#: A first seed that loses by so many standard errors decides.
CLEAR = 3


@dataclass(frozen=True)
class Trial:
    """How one candidate went.

    Attributes:
        candidate: the group and what spoke for it.
        loss, plain: mean losses on the held-out data, over seeds, of the symmetric networks and of the plain ones.
        error: the standard error of their difference, over the held-out data and over seeds.
        holds: whether the symmetric networks lose no more than that.
    """

    candidate: Candidate
    loss: float
    plain: float
    error: float

    @property
    def holds(self) -> bool:
        return self.loss - self.plain <= self.error

    @property
    def reason(self) -> str:
        """In one sentence."""
        verdict = "loses nothing" if self.holds else "loses"
        return (
            f"{self.candidate.group} ({self.candidate.why}) {verdict} on held-out data: loss {self.loss:.4g}, without it {self.plain:.4g}, "
            f"standard error of the difference {self.error:.2g}."
        )


@dataclass(frozen=True)
class Tried:
    """What the trials of a fit came to.

    Attributes:
        group: the first that holds; ``None`` where none does.
        trials: in order.
        members: the trained models: the plain ones, and those of ``group``.
    """

    group: Group | None
    trials: tuple[Trial, ...]
    members: dict[str, Members]

    @property
    def reason(self) -> str:
        """In a few sentences, for the report."""
        return " ".join(trial.reason for trial in self.trials)

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        rows = [
            {
                "group": str(t.candidate.group),
                "why": t.candidate.why,
                "loss": t.loss,
                "plain": t.plain,
                "error": t.error,
                "holds": t.holds,
            }
            for t in self.trials
        ]
        return {"group": None if self.group is None else str(self.group), "trials": rows}


def symmetrized_kind(problem: Problem, group: Group, how: str) -> Kind:
    """The kind of model that imposes a group; ``how`` it was come by."""
    return Kind("symmetrized", f"the network for {problem.kind.name} made symmetric under {group}, {how}", "symmetrized", group)


def plain_kind(problem: Problem) -> Kind:
    """The kind of model without a group."""
    return Kind("plain", f"the network for {problem.kind.name} on the data as they stand")


def try_candidates(problem: Problem, config: FitConfig, checkpoints: Path, quiet: bool = False) -> Tried:
    """Train the plain networks, then symmetric ones for one candidate after another, until one holds on the held-out data.

    A symmetric network must not lose against the plain one by more than the standard error of the difference of their losses, sample by
    sample and seed by seed. Where the first seed loses by three times that of its samples, others are not trained.

    Args:
        problem: of a kind with candidates.
        config: seeds, steps and so on.
        checkpoints: trainings are kept there, a folder for each candidate.
        quiet: no progress bars.
    """
    plain = train_members(plain_kind(problem), problem, config, checkpoints, quiet)
    members: dict[str, Members] = {"plain": plain}
    trials: list[Trial] = []
    group = None
    losses = held_losses(plain, problem)
    for candidate in problem.kind.candidates():
        kind, kept = symmetrized_kind(problem, candidate.group, candidate.why), checkpoints / f"candidate-{len(trials)}"
        found = train_members(kind, problem, config, kept, quiet, which=[0])
        trial = _trial(candidate, held_losses(found, problem), losses[:1])
        if config.seeds > 1 and trial.loss - trial.plain <= CLEAR * trial.error:
            rest = train_members(kind, problem, config, kept, quiet, which=range(1, config.seeds))
            found = Members(kind, found.models + rest.models, found.histories + rest.histories)
            trial = _trial(candidate, held_losses(found, problem), losses)
        trials.append(trial)
        if trial.holds:
            group, members["symmetrized"] = candidate.group, found
            break
    return Tried(group, tuple(trials), members)


def _trial(candidate: Candidate, own: Tensor, plain: Tensor) -> Trial:
    """The trial that losses ``[seeds, N]`` make."""
    return Trial(candidate, float(own.mean()), float(plain.mean()), _error(own - plain))


def held_losses(members: Members, problem: Problem) -> Tensor:
    """The loss of each held-out sample with each seed, ``[seeds, N]``."""
    losses = []
    for model in members.models:
        y = target(model, problem.held)
        predicted = predict(model, problem.inputs(problem.held))
        losses.append(torch.stack([problem.task.loss(predicted[i : i + 1], y[i : i + 1]) for i in range(len(y))]))
    return torch.stack(losses).double()


def _error(difference: Tensor) -> float:
    """The standard error of the mean of ``[seeds, N]``: samples vary, and, where there are several, trainings too."""
    seeds, size = difference.shape
    square = float(difference.mean(0).var()) / size
    if seeds > 1:
        square += float(difference.mean(1).var()) / seeds
    return math.sqrt(square)


def tried_section(tried: Tried) -> Section:
    """The report's section on the candidates."""
    rows = [[str(t.candidate.group), t.candidate.why, t.loss, t.plain, t.error, "yes" if t.holds else "no"] for t in tried.trials]
    table = Table(
        "Groups tried on held-out data",
        ["group", "why", "loss", "without it", "standard error", "holds"],
        rows,
        caption="Larger groups first; a group holds where its network loses no more than the standard error of the difference.",
    )
    text = (
        "No discoverer looks at data of this kind: groups that are usual for it are imposed on networks, and held-out data judge."
    )
    return Section("The symmetry", [text, tried.reason or "No group is usual for these data."], tables=[table] if rows else [])
