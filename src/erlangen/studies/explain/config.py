"""What decides a run of the study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """Explainers of networks that are invariant, trained to be nearly so, or not at all."""

    part: Literal["all", "outlines", "images"] = "all"
    """Outlines of leaves under cyclic shifts, small images under shifts in two directions, or both."""
    steps: int = 0
    """Training steps of each network; 0 takes the part's default."""
    samples: int = 0
    """Training images; 0 takes the default, 6000. Outlines: always all."""
    explained: int = 12
    """Test data whose explanations are scored."""
    draws: int = 4
    """Random group elements for explainers that are costly, and for networks that are not invariant."""
    seed: int = 0
    """Of weights, batches, draws and noise."""
    full: bool = False
    """Images of 28 x 28 and shifts by up to 10; outlines of 427 points; wider networks; 100 explained data (500 in the source)."""
