"""The study of hardness: `part` is `tables`, `graphs`, `circles`, `polynomials`, or `all`."""

from __future__ import annotations

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part
from erlangen.studies.hardness.config import Config

SOURCE = "Kiani, Le, Lawrence, Jegelka & Weber 2024, arXiv:2401.01869"
TITLES = {
    "all": "How hard symmetric functions are to learn",
    "tables": "Exact correlations of hard symmetric functions",
    "graphs": "Message passing on hard functions of graphs",
    "circles": "Circular convolutions on hard functions of circles",
    "polynomials": "Sparse invariant polynomials, by queries and by training",
}


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for."""
    return run_part("hardness", "erlangen.studies.hardness", TITLES, config, quiet)


STUDY = Study(
    name="hardness",
    system=22,
    title="Hardness of learning under symmetries: exact tables, graphs, circles, sparse polynomials",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "hard symmetric functions are hardly correlated: as n^(-k/2) on average, and queries about correlations tell little",
        "students with the right symmetry and enough room stay at the error of a constant; easy functions of the same shape are learned",
        "sparse invariant polynomials, hard for correlations, are found exactly by queries about the square of the target",
    ),
)
