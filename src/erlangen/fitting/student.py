"""`train_student`: a network learns a function from fresh inputs, and how far its error falls below that of a constant."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.training import TrainingConfig


@dataclass(frozen=True)
class Curve:
    """How a student fared.

    Attributes:
        steps: after which it was tested.
        errors: its mean squared error on the test inputs over the variance of their labels, so that 1 is the constant that is right on
            average.
        baseline: the same ratio for the mean of the labels seen in training, a predictor that has learned nothing else.
        variance: of the test labels; an error of 0.05 means nothing without it.
        seconds: of CPU, for training.
    """

    steps: tuple[int, ...]
    errors: tuple[float, ...]
    baseline: float
    variance: float
    seconds: float

    @property
    def final(self) -> float:
        """The last error."""
        return self.errors[-1]


def train_student(
    target: Callable[[Tensor], Tensor],
    student: nn.Module,
    sample_inputs: Callable[[int, torch.Generator], Tensor],
    config: TrainingConfig | None = None,
    *,
    test: int = 4000,
) -> Curve:
    """Fit ``student`` to ``target`` by Adam on the square loss, a fresh batch of inputs at every step, and test it along the way.

    No input is seen twice, so what is learned is not memorised; the gradients are noisy answers to correlational queries.

    Args:
        target: any callable that takes a batch of inputs and returns ``[B]`` or ``[B, 1]``.
        student: any network; it is trained in place.
        sample_inputs: ``sample_inputs(B, generator)``.
        config: steps, batch, rate, schedule, ``evaluate_every`` and the seed of inputs; the rest is not used.
        test: test inputs, from a generator of their own.

    Raises:
        ArgumentError: the target is constant on the test inputs, or shapes do not fit.

    >>> draw = lambda count, generator: torch.randn(count, 3, generator=generator)
    >>> curve = train_student(lambda x: x[:, 0], nn.Linear(3, 1), draw, TrainingConfig(steps=300, lr=0.05))
    >>> curve.final < 0.01 < 0.9 < curve.baseline
    True
    """
    config = config or TrainingConfig()
    x_test = sample_inputs(test, torch.Generator().manual_seed(2**40 + config.seed))
    with torch.no_grad():
        y_test = _column(target(x_test), test, "target")
    variance = float(y_test.var())
    if not variance > 0:
        raise ArgumentError("target", "a function that varies over the inputs", f"{float(y_test[0]):.3g} for all {test} of them")
    generator = torch.Generator().manual_seed(config.seed)
    optimizer = torch.optim.Adam(student.parameters(), lr=config.lr)
    seen, started, steps, errors = 0.0, time.process_time(), [], []
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate(step)
        x = sample_inputs(config.batch_size, generator)
        with torch.no_grad():
            y = _column(target(x), config.batch_size, "target")
        seen += float(y.mean())
        loss = (_column(student(x), config.batch_size, "student") - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % config.evaluate_every == 0 or step + 1 == config.steps:
            with torch.no_grad():
                error = float((_column(student(x_test), test, "student") - y_test).square().mean())
            steps.append(step + 1)
            errors.append(error / variance)
    baseline = float((y_test - seen / config.steps).square().mean()) / variance
    return Curve(tuple(steps), tuple(errors), baseline, variance, time.process_time() - started)


def _column(y: Tensor, count: int, who: str) -> Tensor:
    if tuple(y.shape) not in ((count,), (count, 1)):
        raise ArgumentError(who, f"one number for each of {count} inputs", f"shape {tuple(y.shape)}")
    return y.reshape(count)
