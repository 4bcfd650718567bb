"""The study of PONITA, one part at a time: `part` is `nbody`, `forces`, `molecules` or `rung`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Bekkers, Vadgama, Hesselink, van der Linden & Romero, ICLR 2024, arXiv:2310.02970"


@dataclass(frozen=True)
class Config:
    """Positions and orientations on charged bodies, on a molecule, on graphs that are hard to tell apart."""

    part: Literal["nbody", "forces", "molecules", "rung"] = "nbody"
    """Which of the four."""
    seconds: float = 0.0
    """CPU seconds for each training; 0 takes the part's default."""
    samples: int = 1000
    """Systems or frames of the trajectory to learn from; of molecules three times as many."""
    test: int = 400
    """And to judge by; of frames at most 300."""
    hidden: int = 32
    """Channels of PONITA."""
    layers: int = 3
    """Layers of PONITA."""
    inits: int = 10
    """Rung: random networks for each pair of graphs."""
    seed: int = 0
    """The first: of data, weights and batches."""
    seeds: int = 3
    """Repetitions with seeds of their own, but for rung, which has random networks of its own."""
    curve: bool = False
    """Forces: their errors over the number of frames to learn from, beside a kernel and a fitted force field; four minutes."""
    full: bool = False
    """The source's widths and depths: 128 channels, 5 layers; 3000 systems; hours."""


PARTS = {
    "nbody": Announced(
        "Where charged bodies go",
        {
            RIVAL: RIVAL_CLAIM,
            "bodies-accuracy": "at equal CPU time PONITA has a smaller error than EGNN",
            "bodies-level": "and at most 0.011, within 20 %, and a fifth of that of straight lines",
            "bodies-turned": "trained on moved systems, a grid of twelve does as well on turned ones",
        },
    ),
    "forces": Announced(
        "Forces of ethanol: what directions add",
        {
            RIVAL: RIVAL_CLAIM,
            "forces-bonds": "on the graph of bonds directions are worth a lot: errors at most 0.6 times those of distances alone",
            "forces-complete": "on all pairs, where distances say all, directions need not pay in a short training",
            "forces-conservative": "forces are gradients: they sum to zero",
        },
    ),
    "molecules": Announced(
        "Molecules of QM9: bonds as orientations",
        {
            RIVAL: RIVAL_CLAIM,
            "molecules-directions": "on the graph of bonds orientations lower the errors of dipoles and orbitals",
            "molecules-composition": "every network tells more than the composition does",
        },
    ),
    "rung": Announced(
        "What PONITA tells apart",
        {
            RIVAL: RIVAL_CLAIM,
            "rung-chains": "chains of k bodies from k // 2 + 1 layers on, as the geometric Weisfeiler-Leman test",
            "rung-invariant": "its twin without orientations tells none of them apart",
            "rung-bonds": "with bonds for orientations nothing passes along a straight chain",
        },
    ),
}


STUDY = Study.of_parts(
    "ponita",
    system=18,
    title="PONITA: charged bodies, the forces of a molecule, and what it can tell apart",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.ponita",
    parts=PARTS,
)
