"""Orientations of white-dwarf binaries: four directions by gravitational waves, two with a timed phase, and what populations show.

Source: N. Seto, "A Multimessenger Strategy for Downselecting the Orientations of Galactic Close White Dwarf Binaries" (2025),
arXiv:2507.01250. It argues and has no table; numbers to compare with are those of gbgpu 1.2.4 with lisaanalysistools 1.2.8, computed
once, and of published ephemerides.
"""

from __future__ import annotations

import time
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.fields.binaries.report import GLOSSARY
from erlangen.parallel import one_thread
from erlangen.reporting import Claims, KeyNumber, Outcome
from erlangen.studies.base import ONLY_FULL, Study
from erlangen.studies.lisa_orientations.claims import CLAIMS, Config
from erlangen.studies.lisa_orientations.fits import fits, groups
from erlangen.studies.lisa_orientations.populations import populations
from erlangen.studies.lisa_orientations.precision import precision, timing
from erlangen.studies.lisa_orientations.rival import rivals


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Fit the verification binaries, look at J0651 and its ephemeris, and at populations; on one thread."""
    if config.binaries < 0 or config.population < 100:
        raise ArgumentError("population", "at least 100 binaries, and binaries of at least 0", f"{config}")
    started = time.perf_counter()
    with one_thread():
        parts = [groups(), fits(config, quiet), precision(config), timing(), populations(config)]
        beside = rivals(config.seed)
    claims = Claims([claim for part in parts for claim in part[0]])
    metrics: dict[str, Any] = {}
    for part in parts:
        metrics.update(part[2])
    fitted = metrics["fits"]
    return Outcome(
        name="lisa-orientations",
        title="Orientations of white-dwarf binaries: four directions, then two",
        config=config,
        claims=claims,
        left_out={} if config.full else {"small": ONLY_FULL},
        metrics=metrics,
        sections=[part[1] for part in parts],
        seconds=time.perf_counter() - started,
        answer=f"Waves leave four directions in {fitted['four']} of {fitted['loud']} loud binaries, a timed phase two "
        f"in {fitted['two']}.",
        key_numbers=[
            KeyNumber("loud binaries", metrics["fits"]["loud"]),
            KeyNumber("modes, waves alone", metrics["fits"]["modes, waves"]),
            KeyNumber("modes, with timing", metrics["fits"]["modes, timed"]),
        ],
        rivals=beside,
        glossary=GLOSSARY,
    )


STUDY = Study(
    name="lisa-orientations",
    system=9,
    title="Directions of the orbits of white-dwarf binaries: four by gravitational waves, two with a timed phase",
    source="N. Seto (2025), arXiv:2507.01250",
    config=Config,
    run=run,
    claims=CLAIMS,
)
