"""The study of learned canonicalization, one part at a time: `part` is `images`, `nbody` or `adapt`."""

from __future__ import annotations

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part
from erlangen.studies.canonicalize.config import Config

SOURCE = "Kaba, Mondal, Zhang, Bengio & Ravanbakhsh 2023, arXiv:2211.06489"
TITLES = {
    "images": "Learned canonicalization of rotated images",
    "nbody": "Learned poses of moving charges",
    "adapt": "A pretrained classifier learns to stand turned images",
}


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for."""
    return run_part("canonicalize", "erlangen.studies.canonicalize", TITLES, config, quiet)


STUDY = Study(
    name="canonicalize",
    system=27,
    title="Learned canonicalization: rotated images, charged bodies, and a pretrained classifier",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "behind a learned canonicalization a network has fewer errors than with augmentation, and quarter turns never change its classes",
        "the pose of charged bodies that is learned is as good as the principal axes at short training, better at long",
        "a frozen classifier keeps nine tenths of its accuracy on turned images when a small network turns them up",
    ),
)
