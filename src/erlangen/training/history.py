"""`History`: what came of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """What happened in a training.

    Attributes:
        losses: the loss of every step.
        evaluations: ``(step, metric)``, where larger metrics are better.
        best: the best metric, ``best_step`` its step; minus infinity and 0 when nothing was evaluated.
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

    def record(self, step: int, score: float, patience: int) -> bool:
        """Note an evaluation and whether it ends the training; true when it is the best so far."""
        self.evaluations.append((step, score))
        better = score > self.best
        if better:
            self.best, self.best_step = score, step
        waited = sum(at > self.best_step for at, _ in self.evaluations)
        if patience and waited >= patience:
            self.stopped = "patience"
        return better

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON (which has no infinity: ``best`` is ``None`` when nothing was evaluated)."""
        best = self.best if math.isfinite(self.best) else None
        return {**vars(self), "evaluations": [list(pair) for pair in self.evaluations], "best": best}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> History:
        """The inverse of :meth:`as_dict`."""
        best = -math.inf if data["best"] is None else data["best"]
        return cls(**{**data, "evaluations": [(int(step), float(value)) for step, value in data["evaluations"]], "best": best})
