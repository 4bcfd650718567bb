"""The study of hardness: `part` is `tables`, `graphs`, `circles`, `polynomials`, or `all`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Kiani, Le, Lawrence, Jegelka & Weber 2024, arXiv:2401.01869"


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
    spectra: int = 20_000
    """Inputs on a circle from which boosting on spectra learns."""
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


INVARIANT = "teachers and untrained students are invariant"
ROOM = "students have room: with weights written down by hand they are the hard target"
NOT_LEARNED = (
    "students with the right symmetry and enough room stay at the error of a constant; small targets and easy "
    "functions of the same shape are learned"
)
WIDTH = "no width of the student changes that (--full)"
PARTS = {
    "tables": Announced(
        "Exact correlations of hard symmetric functions",
        {
            RIVAL: RIVAL_CLAIM,
            "exact": "correlations are exact: two ways to compute them agree",
            "correlations": "hard symmetric functions are hardly correlated: as n^(-k/2) on average, and queries about "
            "correlations tell little",
        },
    ),
    "graphs": Announced(
        "Message passing on hard functions of graphs",
        {
            RIVAL: RIVAL_CLAIM,
            "invariant": INVARIANT,
            "room": ROOM,
            "not-learned": NOT_LEARNED,
            "width": WIDTH,
        },
    ),
    "circles": Announced(
        "Circular convolutions on hard functions of circles",
        {
            RIVAL: RIVAL_CLAIM,
            "invariant": INVARIANT,
            "room": ROOM,
            "not-learned": NOT_LEARNED,
            "grows": "the error grows with n and with k",
            "width": WIDTH,
        },
    ),
    "polynomials": Announced(
        "Sparse invariant polynomials, by queries and by training",
        {
            RIVAL: RIVAL_CLAIM,
            "invariant": INVARIANT,
            "found": "sparse invariant polynomials, hard for correlations, are found exactly by queries about the square of "
            "the target",
        },
    ),
}


STUDY = Study.of_parts(
    "hardness",
    system=22,
    title="Hardness of learning under symmetries: exact tables, graphs, circles, sparse polynomials",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.hardness",
    parts={
        "all": Announced("How hard symmetric functions are to learn", {k: v for p in PARTS.values() for k, v in p.claims.items()}),
        **PARTS,
    },
)
