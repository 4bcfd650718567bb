"""What the parts of the study share: their configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """The functional dimension at random initialisations, or in the course of training."""

    part: Literal["init", "training"] = "init"
    """Which of the two."""
    inits: int = 0
    """Initialisations of each architecture; 0 takes 200 at width 5, 40 at width 10 and 60 at width 8."""
    networks: int = 8
    """How many are trained for each weight decay."""
    epochs: int = 300
    """Of training."""
    seed: int = 0
    """Of parameters, inputs and batches."""
    full: bool = False
    """Towards the source's scale: 500 initialisations, width 15, a hundred inputs for each dimension; twenty networks."""
