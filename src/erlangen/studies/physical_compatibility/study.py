"""The study of physical compatibility, one part at a time: `part` is `cantilever`, `picture` or `stand`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Guo et al. 2024, arXiv:2405.20510"
METHODS = ("naive", "fixed point", "plastic", "direct")


@dataclass(frozen=True)
class Config:
    """A cantilever, a body from one picture, or bodies that are to stand."""

    part: Literal["cantilever", "picture", "stand"] = "cantilever"
    """Which of the three."""
    cells: int = 20
    """Cantilever: cells along; a fifth of it across."""
    edge: float = 0.025
    """Picture: length of edges at the rim, relative to the height."""
    plastic_steps: int = 20
    """Rest shapes that the plastic route tries (the source: up to 2000)."""
    angle: float = 10.0
    """Stand: by which the ground may be tilted afterwards, degrees."""
    full: bool = False
    """200 rest shapes of the plastic route; a finer horse; finer bodies that lean more ways."""


PARTS = {
    "cantilever": Announced(
        "Physical compatibility: four routes to the rest shape of a cantilever",
        {
            RIVAL: RIVAL_CLAIM,
            "cured": "left to its weight, the rest shape of the direct route comes to the wanted shape within 1e-8 m",
            "steps": "the direct route needs at most 12 steps of Newton's method, also where the droop is 45 % of the length",
            "nearer": "the direct route's largest error is a thousandth of the plastic route's or less",
            "faster": "the direct route takes at most a fifth of the plastic route's time",
        },
    ),
    "picture": Announced(
        "Physical compatibility: a horse from one picture",
        {
            RIVAL: RIVAL_CLAIM,
            "sag": "taken for the rest shape, the horse of 10 MPa sags by tenths of a millimetre, the order that an independent program "
            "found on another mesh",
            "horse-cured": "left to its weight, the rest shape of the direct route is the picture within 1e-9 m",
            "nearer": "the direct route's largest error is a thousandth of the plastic route's or less",
            "faster": "the direct route takes at most a fifth of the plastic route's time",
            "mirror": "the rest shape of a horse that is its own mirror image is one too, to rounding",
            "unstable": "at 3 MPa and below the exact rest shape is unstable, and its mode antisymmetric in the mirror",
            "topples": "the unstable one, left to its weight, topples by centimetres or more, as an independent program found",
        },
    ),
    "stand": Announced(
        "Physical compatibility: bodies that are made to stand",
        {
            RIVAL: RIVAL_CLAIM,
            "stand-rate": "bodies that all fall over in MuJoCo all stand after the least change that puts their centres over the base",
            "margin": "each has the margin that was asked for, to a millionth of its height",
            "least": "the change costs less elastic energy than shearing the body upright until it has the same margin",
        },
    ),
}


STUDY = Study.of_parts(
    "physical-compatibility",
    system=17,
    title="Physical compatibility: rest shapes whose equilibrium is the picture, and bodies that stand",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.physical_compatibility",
    parts=PARTS,
)
