"""The study of geometric Weisfeiler-Leman tests, one part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part

SOURCE = "Joshi et al. 2023, arXiv:2301.09308"
TITLES = {
    "synthetic": "Chains, stars and counterexamples: what tests prove and what networks do",
    "molecules": "Conformers and enantiomers: what their bonds tell a network",
    "qm9": "Small organic molecules: how many each test tells apart",
}


@dataclass(frozen=True)
class Config:
    """What geometric networks can tell apart: exact tests, and probes of networks with random weights."""

    part: Literal["synthetic", "molecules", "qm9"] = "synthetic"
    """Which of the three."""
    inits: int = 10
    """Synthetic: random initialisations of each network."""
    molecules: int = 5000
    """QM9: so many of the first molecules."""
    cutoff: float = 4.0
    """QM9: radius of the second graph, angstrom."""
    conformers: int = 20
    """Molecules: conformers of hexane."""
    seed: int = 0
    """Of weights and conformers."""
    full: bool = False
    """The source's scale: networks are trained as well (synthetic); all of QM9."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for."""
    return run_part("gwl", "erlangen.studies.gwl", TITLES, config, quiet)


STUDY = Study(
    name="gwl",
    system=4,
    title="Geometric Weisfeiler-Leman tests: what networks on geometric graphs can tell apart",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "chains of k bodies need k // 2 + 1 equivariant layers and no number of invariant ones",
        "networks separate no pair that the test of their class does not, and separation falls with depth",
        "conformers need equivariance, enantiomers a group without reflections",
    ),
)
