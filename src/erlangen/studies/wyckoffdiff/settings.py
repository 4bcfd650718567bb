"""Settings, and what the rows of the table are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SOURCE = "Ekström Kelvinius, Andersson, Parackal, Qian, Armiento & Lindsten 2025, arXiv:2502.06485"
FLOOR, ALONE, TEMPLATES = "training crystals (floor)", "independent positions", "training prototypes, other elements"
#: What the models of a comparison differ in.
BASES: dict[str, dict[str, Any]] = {"uniform base": {"base": "uniform"}, "marginal base": {"base": "marginal"}}
PARTS: dict[str, dict[str, Any]] = {
    "frequencies pooled": {"beforehand": "pooled"},
    "without an entry's own evidence": {"evidence": False},
    "without tables of pairs": {"company": False},
    "as the source: pooled, nothing added": {
        "beforehand": "pooled",
        "evidence": False,
        "company": False,
        "norm": False,
        "normalised": True,
        "layers": 3,
        "rank": None,
    },
}
MODEL = "WyckoffDiff, zeros base"
#: CPU seconds from which on a run is the long one.
LONG = 600.0
ONLY_LONG = f"measured with --seconds {LONG:.0f} or more"
ONLY_COMPARED = "measured with --compare"


@dataclass(frozen=True)
class Config:
    """Protostructures of real crystals, generated."""

    seconds: float = 20.0
    """CPU seconds of training for each model."""
    seeds: int = 3
    """Models of each kind, of other first weights, batches and samples; crystals are parted once."""
    compare: bool = False
    """Also train with the other two bases, and without what is added to the source's network, each for the same time."""
    crystals: int = 0
    """Real crystals to take, at random; 0 for all that are clean."""
    samples: int = 500
    """Protostructures to generate."""
    draws: int = 2
    """Sets of each baseline."""
    noise_steps: int = 100
    """Steps of the noise."""
    most: int = 8
    """Orbits of one element on a position; crystals with more are left out."""
    hidden: int = 128
    """Features of a position."""
    width: int = 128
    """Width of hidden layers."""
    layers: int = 2
    """Rounds of attention."""
    rank: int = 3
    """Rank of the head of counts; 0 for the full one."""
    batch: int = 64
    """Crystals in a batch."""
    lr: float = 8e-3
    """Learning rate at the start; it falls to zero as a cosine."""
    encoder_steps: int = 1000
    """Training steps of the encoder of formation energies."""
    bounded: int = 500
    """Test crystals whose likelihood is bounded."""
    looked_at: int = 200
    """Training crystals whose stated group is compared with what spglib finds."""
    realised: int = 12
    """Samples that become crystals, as many of each seed."""
    atoms: int = 24
    """Atoms in the primitive cell of these at most."""
    relaxation: int = 15
    """Steps of their relaxation."""
    seed: int = 0
    """First seed; crystals are parted by it."""
    full: bool = False
    """The source's sizes: 256 features, counts to 54, 1000 steps of noise, eight hours for each model."""
