"""The study of explanation robustness: outlines of leaves, small images, or both."""

from __future__ import annotations

import time

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.parallel import one_thread
from erlangen.reporting import Claims, Outcome
from erlangen.studies.base import Part, Study
from erlangen.studies.explain.config import Config
from erlangen.studies.explain.findings import SOURCE
from erlangen.studies.explain.part import run_setting

PARTS = ("outlines", "images")


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for, or both.

    Raises:
        ArgumentError: there is no such part.
        MissingExtra: the outlines alone are asked for, and the package with them is not installed.
    """
    if config.part not in (*PARTS, "all"):
        raise ArgumentError("part", f"one of {', '.join(PARTS)}, all", repr(config.part))
    started = time.perf_counter()
    found: dict[str, Part] = {}
    left_out: dict[str, str] = {}
    with one_thread():
        for name in PARTS if config.part == "all" else (config.part,):
            try:
                found[name] = run_setting(name, config, quiet)
            except MissingExtra as error:
                if config.part != "all":
                    raise
                left_out[name] = str(error)
    return Outcome(
        name="explain",
        title="Do explanations respect the symmetry of what they explain?",
        config=config,
        claims=Claims([claim for part in found.values() for claim in part.claims]),
        metrics={name: part.numbers for name, part in found.items()} | {"left out": left_out},
        sections=[section for part in found.values() for section in part.sections],
        seconds=time.perf_counter() - started,
        answer=" ".join(part.answer for part in found.values()),
    )


STUDY = Study(
    name="explain",
    system=7,
    title="Explanation invariance and equivariance, guaranteed, measured and enforced",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "explainers with a guarantee score 1 on an invariant network, and those without score less",
        "a network that is trained to be nearly invariant has explanations that are more robust, and not exactly so",
        "averaging over a few elements helps, and over the group makes any explanation robust exactly",
    ),
)
