"""The study of learned canonicalization, one part at a time: `part` is `images`, `nbody` or `adapt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Kaba, Mondal, Zhang, Bengio & Ravanbakhsh 2023, arXiv:2211.06489"


@dataclass(frozen=True)
class Config:
    """Learned poses of rotated images or of charged bodies, or for a pretrained classifier."""

    part: Literal["images", "nbody", "adapt"] = "images"
    """Which of the three."""
    seconds: float = 0.0
    """CPU seconds for each training; 0 takes the part's default."""
    samples: int = 0
    """Training images or systems; 0 takes the part's default."""
    seeds: int = 3
    """Repetitions with other data and weights."""
    seed: int = 0
    """Of data, weights and batches."""
    curve: bool = False
    """Images: errors over the number of training images, beside simple models; some six CPU minutes."""
    full: bool = False
    """Towards the source's scale: all images or 3000 systems, and twenty times the training or more."""


PARTS = {
    "images": Announced(
        "Learned canonicalization of rotated images",
        {
            RIVAL: RIVAL_CLAIM,
            "fewer-errors": "behind a learned canonicalization a network has fewer errors than alone and than with augmentation",
            "learning-helps": "learning the canonicalization does not hurt",
            "quarter-turns": "behind a canonicalization quarter turns never change a network's classes",
        },
    ),
    "nbody": Announced(
        "Learned poses of moving charges",
        {
            RIVAL: RIVAL_CLAIM,
            "learned-pose": "the pose of charged bodies that is learned is as good as the principal axes at short training, "
            "better at long, and level with a frozen random one or better",
            "moved-bodies": "models in a canonical pose have one error on data as they are and on moved data",
        },
    ),
    "adapt": Announced(
        "A pretrained classifier learns to stand turned images",
        {
            RIVAL: RIVAL_CLAIM,
            "adapted": "a frozen classifier, lost on turned images, keeps nine tenths of its accuracy when a small network "
            "turns them up",
            "four-turns": "and has one accuracy in all four turns",
            "upright": "upright images are left upright",
        },
    ),
}


STUDY = Study.of_parts(
    "canonicalize",
    system=27,
    title="Learned canonicalization: rotated images, charged bodies, and a pretrained classifier",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.canonicalize",
    parts=PARTS,
)
