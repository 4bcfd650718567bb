"""The study of hidden symmetries, one part at a time: `part` is `init` or `training`."""

from __future__ import annotations

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part
from erlangen.studies.hidden_symmetries.config import Config

SOURCE = "Grigsby, Lindsey & Rolnick, ICML 2023, arXiv:2306.06179"
TITLES = {
    "init": "Hidden symmetries at initialisation",
    "training": "Hidden symmetries in the course of training",
}


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for."""
    return run_part("hidden-symmetries", "erlangen.studies.hidden_symmetries", TITLES, config, quiet)


STUDY = Study(
    name="hidden-symmetries",
    system=28,
    title="Hidden symmetries of ReLU networks: the functional dimension at initialisation and in training",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "at random parameters, full functional dimension becomes rare with depth and more frequent with the number of inputs",
        "the functional dimension, over all inputs and on the data, falls in training, and weight decay lowers it on the data further",
        "smaller networks with the same function are found, and are equal to rounding",
    ),
)
