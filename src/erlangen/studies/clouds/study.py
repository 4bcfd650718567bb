"""The study of networks of points side by side, one task at a time: `part` is `nbody` or `forces`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study


@dataclass(frozen=True)
class Config:
    """All networks of points that the library has, and one of e3nn, on one task with equal care."""

    part: Literal["nbody", "forces"] = "nbody"
    """Which of the two tasks."""
    seconds: float = 7.0
    """CPU seconds for a training of each; finding its learning rate takes four fifths of that besides."""
    samples: int = 1000
    """Systems or frames of the trajectory to learn from."""
    held: int = 200
    """And to choose weights and learning rates by; of frames at most 100."""
    test: int = 400
    """And to judge by; of frames at most 300."""
    size: float = 1.0
    """Widths of all networks, relative to their own."""
    seeds: int = 3
    """Trainings of each, on the same data."""
    curve: bool = False
    """Bodies: errors over the number of systems to learn from (100 to 1000), beside ridge regression, too."""
    seed: int = 0
    """Of data; the first one of weights and batches."""
    full: bool = False
    """Ten minutes for each training, 3000 systems."""


CLAIMS = {
    RIVAL: RIVAL_CLAIM,
    "closed-form": "every network has a smaller error than what a closed form fits to the same data",
    "moved-same": "networks that are exactly equivariant have the same error on moved data",
    "built-in": "the best network with its symmetry built in has a smaller error than the best behind a frame, beyond two standard errors",
    "peer": "the best of ours has a smaller error than the network of e3nn's products, beyond two standard errors",
}
PARTS = {
    "nbody": Announced("Where charged bodies go, by all networks of points", CLAIMS),
    "forces": Announced("Forces of ethanol, by all networks of points", CLAIMS),
}

STUDY = Study.of_parts(
    "clouds",
    system=18,
    title="Networks of points side by side: charged bodies, and the forces of a molecule",
    source="Erlangen; the networks' sources stand with each",
    config=Config,
    package="erlangen.studies.clouds",
    parts=PARTS,
)
