"""The study of hidden symmetries, one part at a time: `part` is `init` or `training`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Grigsby, Lindsey & Rolnick, ICML 2023, arXiv:2306.06179"


@dataclass(frozen=True)
class Config:
    """The functional dimension at random initialisations, or in the course of training."""

    part: Literal["init", "training"] = "init"
    """Which of the two."""
    inits: int = 0
    """Initialisations of each architecture; 0 takes 200 at width 5, 40 at width 10 and 60 at width 8."""
    networks: int = 8
    """How many are trained for each weight decay."""
    epochs: int = 300
    """Of training."""
    seed: int = 0
    """Of parameters, inputs and batches."""
    full: bool = False
    """Towards the source's scale: 500 initialisations, width 15, a hundred inputs for each dimension; twenty networks."""


PARTS = {
    "init": Announced(
        "Hidden symmetries at initialisation",
        {
            RIVAL: RIVAL_CLAIM,
            "independent": "the functional dimension at random parameters is that of an independent computation",
            "full-dimension": "at random parameters, full functional dimension becomes rare with depth and more frequent "
            "with width and the number of inputs",
            "skewed": "its distribution is skewed to the left",
        },
    ),
    "training": Announced(
        "Hidden symmetries in the course of training",
        {
            RIVAL: RIVAL_CLAIM,
            "trained": "networks are trained until every sample is classified",
            "falls": "the functional dimension, over all inputs and on the data, falls in training, and weight decay lowers "
            "it on the data further",
            "simplified": "smaller networks with the same function are found, and are equal to rounding",
        },
    ),
}


STUDY = Study.of_parts(
    "hidden-symmetries",
    system=28,
    title="Hidden symmetries of ReLU networks: the functional dimension at initialisation and in training",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.hidden_symmetries",
    parts=PARTS,
)
