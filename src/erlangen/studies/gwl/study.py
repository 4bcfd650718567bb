"""The study of geometric Weisfeiler-Leman tests, one part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Joshi et al. 2023, arXiv:2301.09308"


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


PARTS = {
    "synthetic": Announced(
        "Chains, stars and counterexamples: what tests prove and what networks do",
        {
            RIVAL: RIVAL_CLAIM,
            "chains": "chains of k bodies need k // 2 + 1 equivariant layers and no number of invariant ones",
            "body-order": "counterexamples need the body order that they were made for",
            "stars": "stars of L spokes are seen to be turned by features of degree L and by none below",
            "bounded": "networks separate no pair that the test of their class does not, and separation falls with depth",
        },
    ),
    "molecules": Announced(
        "Conformers and enantiomers: what their bonds tell a network",
        {
            RIVAL: RIVAL_CLAIM,
            "conformers": "conformers need equivariance",
            "enantiomers": "enantiomers need a group without reflections",
        },
    ),
    "qm9": Announced(
        "Small organic molecules: how many each test tells apart",
        {
            RIVAL: RIVAL_CLAIM,
            "ladder": "each test of the ladder tells at least as many molecules apart as the one before",
            "lengths": "lengths of bonds alone tell all molecules apart",
        },
    ),
}


STUDY = Study.of_parts(
    "gwl",
    system=4,
    title="Geometric Weisfeiler-Leman tests: what networks on geometric graphs can tell apart",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.gwl",
    parts=PARTS,
)
