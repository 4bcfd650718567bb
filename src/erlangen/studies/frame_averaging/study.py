"""The study of frame averaging, one part at a time: `part` is `nbody`, `graphs` or `normals`."""

from __future__ import annotations

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part
from erlangen.studies.frame_averaging.config import Config

SOURCE = "Puny et al. 2022, arXiv:2110.03336"
TITLES = {
    "nbody": "Frames of moving charges: one network, different frames, equal CPU time",
    "graphs": "Frames of graphs: what plain networks tell apart in canonical orders",
    "normals": "Frames of solids: normals of turned parts",
}


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for."""
    return run_part("frame-averaging", "erlangen.studies.frame_averaging", TITLES, config, quiet)


STUDY = Study(
    name="frame-averaging",
    system=11,
    title="Frame averaging: charged bodies, graphs and solids by networks without symmetry of their own",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "at equal CPU time stochastic frames beat the network without a frame and match augmentation; exact models do not mind moves",
        "in canonical orders plain networks tell apart all graphs that message passing cannot",
        "networks over frames find the normals of turned solids as well as of those that stand",
    ),
)
