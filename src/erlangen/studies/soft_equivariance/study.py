"""The three parts and what they claim."""

from __future__ import annotations

from typing import Any

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part
from erlangen.studies.soft_equivariance.config import SOURCE, Config

TITLES = {
    "satellites": "Orbit normals over an oblate Earth: which rotations are a symmetry, and how nearly",
    "linear": "The moment of inertia with a broken axis, by ridge regression",
    "inertia": "The moment of inertia with a broken axis, by networks",
}


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that ``config.part`` names."""
    return run_part("soft-equivariance", "erlangen.studies.soft_equivariance", TITLES, config, quiet)


STUDY: Study = Study(
    name="soft-equivariance",
    system=12,
    title="Soft equivariance under mixed approximate symmetries",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "satellites: rotations about the pole are found to be the symmetry, and forecasts come near to those that know it",
        "satellites: where all rotations nearly are symmetries, none is released",
        "linear: soft equivariance tuned by itself is far better than ridge regression and than the largest group imposed",
        "inertia: the network with the penalty is at least as good as the perceptron and keeps the true axis",
    ),
)


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def plain(numbers: dict[Any, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Medians by name."""
    return {str(key): {name: median(values) for name, values in found.items()} for key, found in numbers.items()}
