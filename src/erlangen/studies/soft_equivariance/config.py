"""What decides a run of the soft equivariance study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SOURCE = "Kim, Lee, Yang, Lee, ICML 2023, arXiv:2306.00356"


@dataclass(frozen=True)
class Config:
    """Default: each part within three minutes on two cores."""

    part: Literal["satellites", "linear", "inertia"] = "satellites"
    """Orbit normals by ridge regression; the moment of inertia by ridge regression; the same by networks."""
    full: bool = False
    """Of the networks: 16000 steps on batches of 500, width 128, five seeds, as the source."""
    seeds: int = 5
    """Repetitions of the ridge regressions."""
    days: tuple[float, ...] = (0.1, 2.0, 6.0)
    """How far ahead orbit normals are predicted."""
    satellites: int = 60
    """Training satellites."""
    noise: float = 0.5
    """Of the training targets: degrees of the orbit normals, units of the moments of inertia."""
    sizes: tuple[int, ...] = (40, 80, 200)
    """Training samples of the linear moment of inertia."""
    broken: float = 0.3
    """How much of the moment of inertia an axis adds."""
    samples: int = 1000
    """Training samples of the networks; as many for validation and for testing."""
    steps: int = 1500
    """Training steps of the networks."""
    batch_size: int = 200
    """Samples in a step."""
    width: int = 60
    """Numbers between layers."""
    strength: float = 10.0
    """Full strength of the penalty; targets are scaled to variance one. The warm-up has a hundredth of it."""
    power: float = 5.0
    """How sharply a worse residual releases a group."""
    seed: int = 0
    """First seed."""
