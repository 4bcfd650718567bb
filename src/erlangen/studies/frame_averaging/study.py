"""The study of frame averaging, one part at a time: `part` is `nbody`, `graphs` or `normals`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Puny et al. 2022, arXiv:2110.03336"


@dataclass(frozen=True)
class Config:
    """Frames on charged bodies, on graphs or on the normals of solids."""

    part: Literal["nbody", "graphs", "normals"] = "nbody"
    """Which of the three."""
    seconds: float = 0.0
    """CPU seconds for each training; 0 takes the part's default."""
    samples: int = 0
    """Training systems, graphs or solids; 0 takes the part's default."""
    inits: int = 10
    """Graphs: random initialisations that separate pairs."""
    steps: int = 1500
    """Graphs: optimisation steps on the labels of hard pairs."""
    seeds: int = 3
    """Bodies: runs, each with other systems and weights; graphs and normals are run once."""
    seed: int = 0
    """Of data, weights and batches; the first one."""
    full: bool = False
    """The source's scale: 3000 systems and 1000 epochs, 100 initialisations, more solids and steps."""


PARTS = {
    "nbody": Announced(
        "Frames of moving charges: one network, different frames, equal CPU time",
        {
            RIVAL: RIVAL_CLAIM,
            "stochastic-frames": "at equal CPU time stochastic frames beat the network without a frame and match augmentation",
            "moved-bodies": "exact models do not mind moves",
            "full-frame": "at equal numbers of epochs the full frame beats the network without one",
        },
    ),
    "graphs": Announced(
        "Frames of graphs: what plain networks tell apart in canonical orders",
        {
            RIVAL: RIVAL_CLAIM,
            "told-apart": "in canonical orders plain networks tell apart all graphs that message passing cannot",
            "whole-frames": "averages over whole frames do not change under relabelling",
            "labels-learned": "and the labels of graphs that message passing cannot tell apart are learned",
        },
    ),
    "normals": Announced(
        "Frames of solids: normals of turned parts",
        {
            RIVAL: RIVAL_CLAIM,
            "turned-solids": "networks over frames find the normals of turned solids as well as of those that stand, a plain "
            "one does not",
            "neighbourhoods": "frames of neighbourhoods are best on turned solids",
        },
    ),
}


STUDY = Study.of_parts(
    "frame-averaging",
    system=11,
    title="Frame averaging: charged bodies, graphs and solids by networks without symmetry of their own",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.frame_averaging",
    parts=PARTS,
)
