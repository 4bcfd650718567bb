"""What the study sets out to show, its settings, and the numbers that it compares with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Section

PEER = "gbgpu 1.2.4 with lisaanalysistools 1.2.8, four years, SciRDv1 and foreground"
HERMES = "Hermes et al. 2012, arXiv:1208.5051"
RATIOS = {
    "HM Cnc": 145.0,
    "V407 Vul": 130.5,
    "ES Cet": 122.0,
    "SDSS J065133.34+284423.4": 81.7,
    "AM CVn": 77.0,
    "SDSS J093506.92+441107.0": 41.0,
}
#: Errors of the position angle of J0651 (rad) by inclination: without timing, with the waves' phase to 0.1 and to 0.01.
SIGMA_PSI = {
    86.9: (0.0061, 0.0061, 0.0061),
    60.0: (0.0173, 0.0164, 0.0106),
    30.0: (0.240, 0.0495, 0.0093),
    10.0: (18.7, 0.0505, 0.0086),
}
J0651 = 11
CLAIMS = {
    "group": "waves leave four position angles, waves and a timed phase two, timing alone all of them",
    "ratios": "signal-to-noise ratios are those of an independent code within 5 %",
    "four": "waves alone give exactly four modes for every loud binary that is not nearly face-on",
    "two": "with a timed phase (0.1 rad) exactly two",
    "penalty": "the wrong pair is less likely by pi^2 / (2 sigma^2)",
    "sigma": "errors of the position angle of J0651 are those of an independent code within 2 %, and a singular matrix is not inverted",
    "copies": "posterior samples copied by the group have the same likelihood",
    RIVAL: RIVAL_CLAIM,
    "old": "the ephemeris of J0651 of 2012 does not decide in 2036: its error exceeds a quarter of the period",
    "cured": "were the period's rate known to 1e-14, it would be under a quarter of the period",
    "light": "left out, the light travel time across the Earth's orbit gives the wrong pair",
    "scales": "left out, the difference of TCB and TDB gives the wrong pair",
    "aligned": "a quadrupole of 0.2 is found in 2000 binaries, best with known directions, then with two, then with four",
    "even": "without one none is found",
    "small": "10 000 binaries show a quadrupole of 0.05",
}


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        full: 10 000 binaries in the population, and a quadrupole of 0.05 as well.
        binaries: verification binaries, at most; 0: all sixteen.
        population: how many binaries of the bulge.
        sigma: error of the waves' phase by timing, radians.
        seed: of orientations and noise.
    """

    full: bool = False
    binaries: int = 0
    population: int = 2000
    sigma: float = 0.1
    seed: int = 0


#: What a part returns: claims, the section of the report, numbers.
Found = tuple[list[Claim], Section, Mapping[str, Any]]
