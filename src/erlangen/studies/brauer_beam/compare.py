"""What the parts of the study share: its configuration, and one training for all models."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Rival, Section
from erlangen.reps import Rep
from erlangen.training import TrainingConfig, supervised, train

F64 = torch.float64
#: An augmentation of a batch.
Move = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
#: What a part gives to the report: claims, sections, numbers, and what a user would pick instead.
Part = tuple[list[Claim], list[Section], dict[str, Any], list[Rival]]


@dataclass(frozen=True)
class Config:
    """About three minutes; every model of a part has the same steps, batches, learning rate and choice of best weights."""

    steps: int = 1500
    """Steps of each model on beams and on molecules."""
    regression_steps: int = 2500
    """Steps of each model of the O(5) task."""
    samples: int = 1000
    """Beams, and fragments of molecules, to train on; as many beams and half as many fragments to test on."""
    sizes: tuple[int, ...] = (100, 300, 1000, 3000)
    """Training samples of the O(5) task."""
    seeds: int = 1
    """Repetitions with other data and other weights; medians decide."""
    full: bool = False
    """Five seeds at least, and the task that tells vectors from pseudovectors."""
    seed: int = 0
    """First seed."""

    @property
    def every_seed(self) -> range:
        return range(self.seed, self.seed + (max(5, self.seeds) if self.full else self.seeds))


def fit(
    make: Callable[[], nn.Module], x: Tensor, y: Tensor, steps: int, seed: int, move: Move | None, description: str, quiet: bool
) -> nn.Module:
    """Train one model; a fifth of the samples chooses the best weights. ``move`` is the augmentation, applied to every batch."""
    torch.manual_seed(seed)
    model, held = make(), max(1, len(x) // 5)
    settings = TrainingConfig(steps=steps, batch_size=100, lr=3e-3, weight_decay=0.0, seed=seed)
    loss = supervised(lambda p, y: (p - y).square().mean(), move)
    train(model, (x[held:], y[held:]), loss, settings, validation=(x[:held], y[:held]), description=description, quiet=quiet)
    return model


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
    return f"median of {count} seeds" if count > 1 else "1 seed"
