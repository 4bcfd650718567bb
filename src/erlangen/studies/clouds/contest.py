"""A contest: each network gets the same data, the same CPU time and the same care, and a row of what it reached and costs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from erlangen.actions import Action, Record
from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.training import TrainingConfig, steps_within, train

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
PIECE = 100
Way = Literal["built in", "on a grid", "frame"]


@dataclass(frozen=True)
class Contender:
    """A network that takes part.

    Attributes:
        name: of the row.
        way: how it is symmetric: exactly by construction, by a grid (exactly under the grid's own rotations alone), or by a frame.
        make: a new one; called after the seed is set.
    """

    name: str
    way: Way
    make: Callable[[], nn.Module]

    @property
    def exact(self) -> bool:
        return self.way != "on a grid"


@dataclass(frozen=True)
class Row:
    """What one network reached and costs; of several seeds, what it reached on the mean.

    Attributes:
        name, way: as of its :class:`Contender`.
        errors: the mean over the test data, of each seed; of a closed form, one.
        median: over the test data.
        moved: the mean over test data each moved by a random element of the group.
        apart: the largest relative difference between the errors of a seed on test data as they are and moved.
        equivariance: mean relative error of equivariance.
        parameters, steps: of the network, of its training.
        seconds: CPU time of a training, without the search for the rate.
        latency: CPU seconds for :data:`PIECE` data.
        rate: the learning rate that was best on validation data.
    """

    name: str
    way: str
    errors: tuple[float, ...]
    median: float
    moved: float
    apart: float
    equivariance: float
    parameters: int
    steps: int
    seconds: float
    latency: float
    rate: float

    @property
    def error(self) -> float:
        return statistics.fmean(self.errors)

    @property
    def uncertainty(self) -> float:
        """The standard error of the mean over seeds; 0 of one."""
        return statistics.stdev(self.errors) / math.sqrt(len(self.errors)) if len(self.errors) > 1 else 0.0

    def below(self, other: Row) -> bool:
        """Whether the error is smaller, by more than two standard errors of the difference."""
        return self.error + 2 * math.hypot(self.uncertainty, other.uncertainty) < other.error


@dataclass(frozen=True)
class Reached:
    """What one network with one seed reached: as in :class:`Row`."""

    error: float
    median: float
    moved: float
    equivariance: float
    parameters: int
    seconds: float
    latency: float


def closed_form(name: str, errors: Tensor, parameters: int) -> Row:
    """The row of a closed form that is exactly equivariant, by its error for each datum of the test."""
    mean = float(errors.mean())
    return Row(name, "closed form", (mean,), float(errors.median()), mean, 0.0, 0.0, parameters, 0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Contest:
    """The task: models are called with the parts of ``x`` by name.

    Attributes:
        inp, out: how the group acts on inputs and targets.
        learn, hold, test: ``(x, y)`` to learn from, to choose by, and to judge by.
        unit: what errors are divided by in the loss.
        score: of predictions and targets, the error of each datum.
        batch: data in a step.
        seed: of weights, batches and moves.
    """

    inp: Record
    out: Action
    learn: tuple[dict[str, Tensor], Tensor]
    hold: tuple[dict[str, Tensor], Tensor]
    test: tuple[dict[str, Tensor], Tensor]
    unit: float
    score: Callable[[Tensor, Tensor], Tensor]
    batch: int
    seed: int

    def run(self, contenders: Sequence[Contender], seconds: float, seeds: int, quiet: bool) -> list[Row]:
        """Train and measure one after the other, each with so many seeds."""
        return [self.row(contender, seconds, seeds, quiet) for contender in contenders]

    def row(self, contender: Contender, seconds: float, seeds: int, quiet: bool, rate: float | None = None) -> Row:
        """Choose the rate with the first seed where none is given, train with it and every seed for all of the time, measure."""
        steps = steps_within(seconds, self.new(contender), self.flat(self.learn), self.loss(), self.settings(RATES[0], 1))
        rate = rate or self.rate(contender, steps, quiet)
        each = [replace(self, seed=self.seed + k).once(contender, rate, steps, quiet) for k in range(seeds)]
        return Row(
            contender.name,
            contender.way,
            tuple(one.error for one in each),
            statistics.fmean(one.median for one in each),
            statistics.fmean(one.moved for one in each),
            max(abs(one.moved / one.error - 1) for one in each),
            statistics.fmean(one.equivariance for one in each),
            each[0].parameters,
            steps,
            statistics.fmean(one.seconds for one in each),
            statistics.fmean(one.latency for one in each),
            rate,
        )

    def rate(self, contender: Contender, steps: int, quiet: bool) -> float:
        """Of all rates the one that a fifth of the time leaves with the smallest loss on validation data."""
        tried = {}
        for rate in RATES:
            short = self.new(contender)
            try:
                self.train(short, rate, max(1, steps // 5), f"{contender.name}, rate {rate:g}", quiet)
            except ArgumentError:  # the loss was not finite
                tried[rate] = math.inf
            else:
                tried[rate] = float(self.loss()(short, *self.flat(self.hold)).detach())
        return min(RATES, key=tried.__getitem__)

    def once(self, contender: Contender, rate: float, steps: int, quiet: bool) -> Reached:
        """Train one network and measure it."""
        model = self.new(contender)
        started = time.process_time()
        self.train(model, rate, steps, f"{contender.name}, seed {self.seed}", quiet)
        spent = time.process_time() - started
        x, y = self.test
        errors, moved = self.errors(model, x, y), self.errors(model, *self.moved(x, y, torch.Generator().manual_seed(self.seed)))
        few = {name: part[:PIECE] for name, part in x.items()}
        apart = equivariance_error(
            lambda data: model(**data), few, self.inp, self.out, elements=4, generator=torch.Generator().manual_seed(self.seed)
        )
        return Reached(
            float(errors.mean()),
            float(errors.median()),
            float(moved.mean()),
            apart["mean"],
            sum(p.numel() for p in model.parameters()),
            spent,
            latency(model, few),
        )

    def new(self, contender: Contender) -> nn.Module:
        """The network with the weights of the seed."""
        torch.manual_seed(self.seed)
        return contender.make()

    def train(self, model: nn.Module, rate: float, steps: int, name: str, quiet: bool) -> None:
        """Leave the weights that are best on the validation data."""
        train(
            model,
            self.flat(self.learn),
            self.loss(),
            self.settings(rate, steps),
            validation=self.flat(self.hold),
            description=name,
            quiet=quiet,
        )

    def settings(self, rate: float, steps: int) -> TrainingConfig:
        one = TrainingConfig(batch_size=self.batch, lr=rate, weight_decay=0.0, clip=1.0, seed=self.seed)
        return replace(one, steps=steps, warmup=steps // 10, evaluate_every=max(1, steps // 10))

    def loss(self) -> Callable[..., Tensor]:
        """The mean square; in training the data are moved at random, which changes nothing for what is equivariant."""
        generator, names = torch.Generator().manual_seed(self.seed + 1), list(self.learn[0])

        def loss(model: nn.Module, *parts: Tensor) -> Tensor:
            x, y = dict(zip(names, parts[:-1])), parts[-1]
            if model.training:
                x, y = self.moved(x, y, generator)
            return ((model(**x) - y) / self.unit).square().mean()

        return loss

    def moved(self, x: dict[str, Tensor], y: Tensor, generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
        g = self.inp.group.sample(len(y), generator=generator, dtype=y.dtype)
        return self.inp.act(g, x), self.out.act(g, y)

    def errors(self, model: nn.Module, x: Mapping[str, Tensor], y: Tensor) -> Tensor:
        """Of each datum."""
        found = []
        for start in range(0, len(y), PIECE):
            some = slice(start, start + PIECE)
            with torch.no_grad():
                found.append(self.score(model(**{name: part[some] for name, part in x.items()}), y[some]))
        return torch.cat(found)

    @staticmethod
    def flat(data: tuple[dict[str, Tensor], Tensor]) -> tuple[Tensor, ...]:
        return (*data[0].values(), data[1])


@torch.no_grad()
def latency(model: nn.Module, x: Mapping[str, Tensor], repeats: int = 7) -> float:
    """Median CPU seconds of an evaluation, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        started = time.process_time()
        model(**x)
        times.append(time.process_time() - started)
    return statistics.median(times[1:])


def as_numbers(rows: Sequence[Row]) -> dict[str, Any]:
    """Every number of every row, by name."""
    return {
        row.name: {**asdict(row), "errors": list(row.errors), "error": row.error, "uncertainty": row.uncertainty} for row in rows
    }
