"""What the parts of the study share: their configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """Frames on charged bodies, on graphs or on the normals of solids."""

    part: Literal["nbody", "graphs", "normals"] = "nbody"
    """Which of the three."""
    seconds: float = 0.0
    """CPU seconds for each training; 0 takes the part's default."""
    samples: int = 0
    """Training systems, graphs or solids; 0 takes the part's default."""
    inits: int = 10
    """Graphs: random initialisations that separate pairs."""
    steps: int = 1500
    """Graphs: optimisation steps on the labels of hard pairs."""
    seed: int = 0
    """Of data, weights and batches."""
    full: bool = False
    """The source's scale: 3000 systems and 1000 epochs, 100 initialisations, more solids and steps."""
