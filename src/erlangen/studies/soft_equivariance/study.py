"""The study of soft equivariance, one part at a time: `satellites`, `linear` or `inertia`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Kim, Lee, Yang, Lee, ICML 2023, arXiv:2306.00356"


@dataclass(frozen=True)
class Config:
    """Default: each part within three minutes on two cores."""

    part: Literal["satellites", "linear", "inertia"] = "satellites"
    """Orbit normals by ridge regression; the moment of inertia by ridge regression; the same by networks."""
    full: bool = False
    """Of the networks: 16000 steps on batches of 500, width 128, five seeds, as the source."""
    seeds: int = 5
    """Repetitions of the ridge regressions."""
    days: tuple[float, ...] = (0.1, 2.0, 6.0)
    """How far ahead orbit normals are predicted."""
    satellites: int = 60
    """Training satellites."""
    noise: float = 0.5
    """Of the training targets: degrees of the orbit normals, units of the moments of inertia."""
    sizes: tuple[int, ...] = (40, 80, 200, 500)
    """Training samples of the linear moment of inertia."""
    broken: float = 0.3
    """How much of the moment of inertia an axis adds."""
    samples: int = 1000
    """Training samples of the networks; as many for validation and for testing."""
    steps: int = 1500
    """Training steps of the networks."""
    batch_size: int = 200
    """Samples in a step."""
    width: int = 60
    """Numbers between layers."""
    strength: float = 10.0
    """Full strength of the penalty; targets are scaled to variance one. The warm-up has a hundredth of it."""
    power: float = 5.0
    """How sharply a worse residual releases a group."""
    seed: int = 0
    """First seed."""


PARTS = {
    "satellites": Announced(
        "Orbit normals over an oblate Earth: which rotations are a symmetry, and how nearly",
        {
            RIVAL: RIVAL_CLAIM,
            "pole": "satellites: rotations about the pole are found to be the symmetry, and forecasts come near to those "
            "that know it",
            "nothing-released": "satellites: where all rotations nearly are symmetries, none is released",
        },
    ),
    "linear": Announced(
        "The moment of inertia with a broken axis, by ridge regression",
        {
            RIVAL: RIVAL_CLAIM,
            "tuned": "linear: soft equivariance tuned by itself is far better than ridge regression and than the largest "
            "group imposed",
            "axis": "linear: the true axis keeps the largest strength",
            "dimensions": "linear: equivariant weights are as many as counted by hand",
        },
    ),
    "inertia": Announced(
        "The moment of inertia with a broken axis, by networks",
        {
            RIVAL: RIVAL_CLAIM,
            "penalty": "inertia: the network with the penalty is at least as good as the perceptron and as all models that "
            "are not told the axis",
            "best": "inertia: it is the best of all models",
            "true-axis": "inertia: it keeps the true axis",
        },
    ),
}


STUDY = Study.of_parts(
    "soft-equivariance",
    system=12,
    title="Soft equivariance under mixed approximate symmetries",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.soft_equivariance",
    parts=PARTS,
)


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def plain(numbers: dict[Any, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Medians by name."""
    return {str(key): {name: median(values) for name, values in found.items()} for key, found in numbers.items()}
