"""`TrainingConfig`: what decides a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

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
        patience: stop after so many evaluations in a row without a better one; 0 never stops early.
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
        if not 0 < self.lr < math.inf:
            raise ArgumentError("lr", "a positive learning rate", repr(self.lr))
        for name in ("weight_decay", "warmup", "clip", "patience"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(name, "zero or a positive number", getattr(self, name))
        for name in ("steps", "batch_size", "evaluate_every", "checkpoint_every", "warmup", "patience", "seed"):
            if getattr(self, name) != int(getattr(self, name)):
                raise ArgumentError(name, "a whole number", getattr(self, name))
        for name, known in (("schedule", ("constant", "cosine")), ("mixed_precision", ("no", "fp16", "bf16"))):
            if getattr(self, name) not in known:
                raise ArgumentError(name, " or ".join(map(repr, known)), repr(getattr(self, name)))

    def rate(self, step: int) -> float:
        """The learning rate of a step, a pure function of it, so that resuming needs no scheduler."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if self.schedule == "constant":
            return self.lr
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))
