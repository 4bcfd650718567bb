"""Rows of an experiment: each target with students of several seeds, trained side by side, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.equivariance import equivariance_error
from erlangen.fitting import Curve, train_student
from erlangen.parallel import run_jobs
from erlangen.reporting import Claim, Figure, Line, lines_with_band, repeated
from erlangen.studies.hardness.study import Config
from erlangen.training import TrainingConfig

HARD, EASY = "hard", "easy"

#: Points on a training curve.
POINTS = 20


class Row(NamedTuple):
    """What one student is taught: the family's size, hard or easy, the seed of target and student, and the student's width."""

    family: str
    n: int
    k: int
    kind: str
    width: int
    seed: int
    steps: int

    @property
    def name(self) -> str:
        """Without the seed."""
        return f"{self.family} {self.kind}, n = {self.n}" + (f", k = {self.k}" if self.k else "") + f", width {self.width}"


class Setting(NamedTuple):
    """A target, a student made for it, and how to train it."""

    target: Callable[[Tensor], Tensor]
    student: Callable[[], nn.Module]
    inputs: Callable[[int, torch.Generator], Tensor]
    batch: int
    lr: float


def train_row(setting: Callable[[Row], Setting], row: Row) -> Curve:
    """Train one student; weights, target and inputs depend on the row's seed alone."""
    made = setting(row)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(row.seed)
        student = made.student()
    config = TrainingConfig(
        steps=row.steps, batch_size=made.batch, lr=made.lr, evaluate_every=max(1, row.steps // POINTS), seed=row.seed
    )
    return train_student(made.target, student, made.inputs, config)


def train_rows(work: Callable[[Row], Curve], rows: Sequence[Row], config: Config, quiet: bool, what: str) -> dict[str, list[Curve]]:
    """The curves of all rows, by name, in order; a job each, the longest first."""
    order = sorted(range(len(rows)), key=lambda i: -rows[i].n * rows[i].width * rows[i].steps)
    found = dict(zip(order, run_jobs(work, [rows[i] for i in order], jobs=config.jobs, description="" if quiet else what)))
    curves: dict[str, list[Curve]] = {}
    for i, row in enumerate(rows):
        curves.setdefault(row.name, []).append(found[i])
    return curves


def final(curves: Sequence[Curve]) -> float:
    """The mean of the last errors."""
    return sum(c.final for c in curves) / len(curves)


def cells(name: str, curves: Sequence[Curve]) -> list[Any]:
    """A line of the table of errors."""
    return [
        name,
        repeated([c.final for c in curves]),
        repeated([c.baseline for c in curves]),
        repeated([c.variance for c in curves]),
        sum(c.seconds for c in curves) / len(curves),
    ]


HEADS = ["target and student", "error", "mean predictor", "label variance", "seconds"]


def figure(curves: Mapping[str, Sequence[Curve]], title: str, caption: str) -> Figure:
    """Training curves, with a band of one standard deviation where there are several seeds."""
    lines = {}
    for name, runs in curves.items():
        steps, errors = list(runs[0].steps), [list(c.errors) for c in runs]
        lines[name] = Line.of_runs(steps, errors) if len(runs) > 1 else Line(steps, errors[0])
    return lines_with_band(
        lines,
        title=title,
        x_label="step",
        y_label="error / label variance",
        log_y=True,
        caption=f"{caption} Bands: one standard deviation over seeds.",
    )


def invariance(functions: Mapping[str, Any], x: Tensor, action: Any) -> dict[str, float]:
    """The largest relative change of each function under random elements."""
    invariant = action.group.scalar
    return {
        name: equivariance_error(f, x.to(_dtype(f)), action, invariant, generator=torch.Generator().manual_seed(0))["worst"]
        for name, f in functions.items()
    }


def _dtype(f: Any) -> torch.dtype:
    parameters = list(f.parameters()) if isinstance(f, nn.Module) else []
    return parameters[0].dtype if parameters else torch.float64


def invariance_claim(changes: Mapping[str, float], group: str) -> Claim:
    """Teachers in double and students in single precision are invariant before any training."""
    teachers = max(v for name, v in changes.items() if "student" not in name)
    students = max(v for name, v in changes.items() if "student" in name)
    return Claim(
        f"teachers and untrained students are invariant under {group}",
        "exact",
        max(teachers, students),
        teachers <= 1e-10 and students <= 1e-5,
        scale=f"teachers (float64) {teachers:.1e}, students (float32) {students:.1e}",
        note="largest relative change",
        key="invariant",
    )


def room_claim(errors: Sequence[float], what: str) -> Claim:
    """A student of the very shape that is trained is the hard target, for weights written down by hand."""
    return Claim(
        f"the student has room: with weights written down by hand it is the hard target ({what})",
        "exact",
        max(errors),
        max(errors) <= 1e-8,
        baseline=1.0,
        scale=f"{len(errors)} targets; float32",
        note="error over label variance; so what fails below is the search, not the network",
        key="room",
    )


def wide_claim(what: str, errors: Sequence[float], least: float, scale: str, source: str) -> Claim:
    """More units than the default do not help."""
    return Claim(
        f"no width of the student makes it learn {what} (at least {least})",
        "over-parametrised networks fail",
        min(errors),
        min(errors) >= least,
        scale=scale,
        note="smallest error over label variance",
        source=source,
        key="width",
    )
