"""`measure_cost`: how long one call of a model takes, and how many numbers it trains."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Cost:
    """What one call of a model takes.

    Attributes:
        seconds: median over repeated calls on the whole batch, without gradients.
        samples_per_second: batch size over ``seconds``.
        parameters: number of trainable numbers; 0 for a plain function.
    """

    seconds: float
    samples_per_second: float
    parameters: int


def measure_cost(run: Callable[[], Any], samples: int, model: Any, repeats: int = 7) -> Cost:
    """Time ``run`` (the median of ``repeats`` after a warm-up, without gradients) on ``samples`` data."""
    times = []
    with torch.no_grad():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    seconds = statistics.median(times[1:])
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad) if isinstance(model, torch.nn.Module) else 0
    return Cost(seconds, samples / seconds, parameters)
