"""What the parts of the study share: their configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """Exact tables of hardness, and students that have the symmetry and still do not learn."""

    part: Literal["all", "tables", "graphs", "circles", "polynomials"] = "all"
    """Which part; all four by default."""
    steps: int = 0
    """Steps of each training; 0 takes the part's default."""
    seeds: int = 3
    """Targets, each with a student of its own, in each row."""
    functions: int = 200
    """Random members in each exact Gram matrix; a hundred times as many random pairs."""
    samples: int = 200_000
    """Samples of a sparse polynomial."""
    jobs: int = 2
    """Processes that train students side by side."""
    seed: int = 0
    """First seed of targets, weights and batches."""
    full: bool = False
    """Larger n and k, 3000 steps, at least five seeds, and wider students."""

    def first(self, default: int) -> int:
        """The number of steps of a part with this default."""
        return self.steps or (3000 if self.full else default)

    def repeats(self) -> range:
        """The seeds of the repetitions."""
        return range(self.seed, self.seed + (max(5, self.seeds) if self.full else self.seeds))
