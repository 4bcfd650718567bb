"""The study of geometric-algebra attention, one part at a time: `crystals`, `forces` or `backmapping`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Spellings 2021, arXiv:2110.02393"


@dataclass(frozen=True)
class Config:
    """Default: each part within two minutes on one core."""

    part: Literal["crystals", "forces", "backmapping"] = "crystals"
    """Which crystal an atom is in, by its twelve nearest neighbours; energies and forces of a molecule; atoms of proteins from beads."""
    width: int = 32
    """Numbers of each point."""
    blocks: int = 2
    """Crystals: blocks of attention before the pooling one."""
    count: int = 400
    """Crystals: atoms of each, for each noise; a fifth is for testing."""
    steps: int = 450
    """Crystals: training steps of rank 2; the other networks train as long as these take, in CPU time."""
    molecule: Literal["ethanol", "malonaldehyde"] = "ethanol"
    """Forces: of which molecule."""
    frames: int = 1000
    """Forces: frames to learn from; others are for testing."""
    force_blocks: int = 2
    """Forces: the same; with two, learning starts later than the time lasts."""
    test: int = 400
    """Forces: frames for testing."""
    proteins: int = 50
    """Backmapping: so many of the proteins; a fifth is for testing."""
    beads: int = 8
    """Backmapping: the residue's own bead, its neighbours in the chain and the nearest others."""
    seconds: float = 0.0
    """CPU seconds of training for each network; 0: forces 40 (after ten none has begun to learn), backmapping 10."""
    lr: float = 3e-3
    """Learning rate at the start; it falls to zero as a cosine."""
    batch: int = 64
    """Clouds in a step; of forces an eighth as many frames, of residues a quarter as many."""
    seed: int = 0
    """The first: of data, weights and batches."""
    seeds: int = 0
    """Repetitions with seeds of their own; 0: three of backmapping, one of crystals and forces, where a seed takes over a minute."""
    curve: bool = False
    """Crystals: shares named rightly over the number of atoms to learn from; two minutes."""
    full: bool = False
    """Crystals: 6000 steps; forces and backmapping: an hour for each network."""


PARTS = {
    "crystals": Announced(
        "Crystals told apart by what their atoms see",
        {
            RIVAL: RIVAL_CLAIM,
            "crystals": "crystals: attention of rank 2 names the crystal of at least 91 of 100 atoms",
            "perceptron": "crystals: a perceptron on sorted coordinates, shown random turns, is worse by 20 of 100 or more",
            "angles": "crystals: rank 2, which sees angles, is better than rank 1, which sees distances",
            "triples": "crystals: rank 3 is not better by 1 of 100 in the same time",
            "forest": "crystals: rank 2 is at least as good as a random forest on bond orders and kinds of neighbours",
            "turned": "crystals: predictions for turned atoms are the same, every one",
        },
    ),
    "forces": Announced(
        "Energies and forces of a molecule",
        {
            RIVAL: RIVAL_CLAIM,
            "pairs": "forces: rank 2 has at most 0.4 times the error of forces of rank 1, which sees distances of pairs",
            "conservative": "forces: they are the gradient of the energy, sum to zero and turn along",
            "egnn": "forces: rank 2 is at least as good as EGNN in the same time",
            "smaller": "forces: rank 2 is better than the mean of the forces, and its errors fall with training",
        },
    ),
    "backmapping": Announced(
        "Atoms of proteins from beads",
        {
            RIVAL: RIVAL_CLAIM,
            "template": "backmapping: atoms of other proteins are nearer than at their mean positions in the chain's frame",
            "turned-perceptron": "backmapping: and than a perceptron shown random turns puts them in the same time",
            "along": "backmapping: they turn along with the beads",
        },
    ),
}

STUDY = Study.of_parts(
    "gaattention",
    system=16,
    title="Geometric-algebra attention for small point clouds",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.gaattention",
    parts=PARTS,
)
