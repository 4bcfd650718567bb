"""What the parts of the study share: its configuration, and one training for all models."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Rival, Section
from erlangen.reps import Rep
from erlangen.training import TrainingConfig, supervised, train_members

F64 = torch.float64
#: Samples of the O(5) task along its curve.
CURVE = (100, 300, 1000, 3000)
#: An augmentation of a batch.
Move = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
#: What a part gives to the report: claims, sections, numbers, and what a user would pick instead.
Part = tuple[list[Claim], list[Section], dict[str, Any], list[Rival]]


@dataclass(frozen=True)
class Config:
    """About a minute; every model of a part has the same steps, batches, learning rate and choice of best weights."""

    steps: int = 700
    """Steps of each model on beams and on molecules."""
    regression_steps: int = 2500
    """Steps of each model of the O(5) task."""
    samples: int = 1000
    """Beams, and fragments of molecules, to train on; as many beams and half as many fragments to test on."""
    sizes: tuple[int, ...] = (100, 1000)
    """Training samples of the O(5) task."""
    seeds: int = 3
    """Repetitions with other data and other weights."""
    curve: bool = False
    """The O(5) task from 100, 300, 1000 and 3000 samples, beside what one would pick instead."""
    full: bool = False
    """Five seeds at least, and the task that tells vectors from pseudovectors."""
    seed: int = 0
    """First seed."""

    @property
    def every_seed(self) -> range:
        return range(self.seed, self.seed + (max(5, self.seeds) if self.full else self.seeds))

    @property
    def every_size(self) -> tuple[int, ...]:
        """Of the O(5) task, in ascending order."""
        return tuple(sorted({*self.sizes, *(CURVE if self.curve else ())}))


def fit(
    make: Callable[[], nn.Module],
    data: Sequence[tuple[Tensor, Tensor]],
    steps: int,
    config: Config,
    move: Move | None,
    description: str,
    quiet: bool,
    dtype: torch.dtype = F64,
) -> tuple[list[nn.Module], float]:
    """Train one model for each seed, all at once, each on its own data; a fifth of the samples chooses the best weights.

    Args:
        make: a model in float64.
        data: of each seed.
        steps, config, description, quiet: of the training.
        move: the augmentation, applied to every batch.
        dtype: in which to train; the models come back in float64.

    Returns:
        the models, and a model's share of the CPU seconds.
    """
    clock = time.process_time()
    settings = TrainingConfig(steps=steps, batch_size=100, lr=3e-3, weight_decay=0.0)
    loss = supervised(lambda p, y: (p - y).square().mean(), move)
    held = [max(1, len(x) // 5) for x, _ in data]
    train = [torch.cat([pair[k][h:] for pair, h in zip(data, held)]).to(dtype) for k in (0, 1)]
    validation = [torch.cat([pair[k][:h] for pair, h in zip(data, held)]).to(dtype) for k in (0, 1)]
    seeds = range(config.seed, config.seed + len(data))
    models, _ = train_members(
        lambda seed: make().to(dtype), seeds, train, loss, settings, validation=validation, apart=True, description=description, quiet=quiet
    )  # fmt: skip
    return [model.to(F64) for model in models], (time.process_time() - clock) / len(data)


def plain_network(inputs: int, outputs: int, width: int = 256, hidden: int = 2) -> nn.Module:
    """A plain multilayer perceptron in float64."""
    return perceptron(inputs, *[width] * hidden, outputs, activation=nn.SiLU).to(F64)


def moved_by(source: Rep, target: Rep) -> Move:
    """Augmentation: a random group element for each sample."""

    def move(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        g = source.group.sample(len(x), dtype=x.dtype)
        return source.act(g, x), target.act(g, y)

    return move


def medians(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(runs) for name, runs in values.items()}


def of_seeds(config: Config) -> str:
    count = len(config.every_seed)
    return f"{count} seeds" if count > 1 else "1 seed"
