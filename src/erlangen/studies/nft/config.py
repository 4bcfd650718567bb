"""What the parts of the study share: their configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """A latent space in which an unknown motion is linear, with the closed forms beside it."""

    part: Literal["signals", "compress", "digits", "views"] = "signals"
    """Which of the four."""
    steps: int = 0
    """Training steps of each network; 0 takes the part's default."""
    samples: int = 0
    """Training sequences or pairs; 0 takes the part's default."""
    seed: int = 0
    """Of data, weights and batches."""
    full: bool = False
    """Towards the source's scale: more samples, and ten times the steps."""

    def scaled(self, steps: int, samples: int) -> tuple[int, int]:
        """Steps and samples, from a part's defaults."""
        return self.steps or steps * (10 if self.full else 1), self.samples or samples * (4 if self.full else 1)
