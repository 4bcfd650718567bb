"""`TrainingConfig` and `History`: what decides a training, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from erlangen.errors import ArgumentError


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: number of optimisation steps.
        batch_size: samples in a step, over all processes together.
        lr, weight_decay: of AdamW.
        schedule: ``"constant"``, or ``"cosine"`` down to zero at the last step; both after ``warmup`` linear steps.
        clip: largest norm of the gradient; 0 leaves it alone.
        evaluate_every: steps between evaluations.
        patience: stop after so many evaluations without a better one; 0 never stops early.
        checkpoint_every: steps between checkpoints.
        seed: of the batches and of the process's random numbers.
        mixed_precision: ``"no"``, ``"fp16"`` or ``"bf16"``.
    """

    steps: int = 1000
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.01
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: int = 0
    clip: float = 0.0
    evaluate_every: int = 50
    patience: int = 0
    checkpoint_every: int = 200
    seed: int = 0
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ArgumentError(name, "a positive number", getattr(self, name))
        if self.lr <= 0:
            raise ArgumentError("lr", "a positive learning rate", self.lr)

    def rate(self, step: int) -> float:
        """The learning rate of a step, a pure function of it, so that resuming needs no scheduler."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if self.schedule == "constant":
            return self.lr
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))


@dataclass
class History:
    """What happened in a training.

    Attributes:
        losses: the loss of every step.
        evaluations: ``(step, metric)``, where larger metrics are better.
        best: the best metric, ``best_step`` its step.
        seconds: time spent in steps, over all resumed runs.
        stopped: ``"steps"`` or ``"patience"``.
    """

    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    best: float = -math.inf
    best_step: int = 0
    seconds: float = 0.0
    stopped: str = ""

    @property
    def seconds_per_step(self) -> float:
        """Mean time of a step, evaluation left out."""
        return self.seconds / max(1, len(self.losses))

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**vars(self), "evaluations": [list(pair) for pair in self.evaluations]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> History:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**data, "evaluations": [(int(step), float(value)) for step, value in data["evaluations"]]})
