"""What the parts of the study share: their configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """Learned poses of rotated images or of charged bodies, or for a pretrained classifier."""

    part: Literal["images", "nbody", "adapt"] = "images"
    """Which of the three."""
    seconds: float = 0.0
    """CPU seconds for each training; 0 takes the part's default."""
    samples: int = 0
    """Training images or systems; 0 takes the part's default."""
    seed: int = 0
    """Of data, weights and batches."""
    full: bool = False
    """Towards the source's scale: all images or 3000 systems, and twenty times the training."""
