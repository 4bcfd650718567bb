"""The study of explanation robustness: outlines of leaves, small images, or both."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claims, Outcome
from erlangen.studies.base import Part, Study

SOURCE = "Crabbé & van der Schaar 2023, arXiv:2304.06715"
PARTS = ("outlines", "images")


@dataclass(frozen=True)
class Config:
    """Explainers of networks that are invariant, trained to be nearly so, or not at all."""

    part: Literal["all", "outlines", "images"] = "all"
    """Outlines of leaves under cyclic shifts, small images under shifts in two directions, or both."""
    steps: int = 0
    """Training steps of each network; 0 takes the part's default."""
    samples: int = 0
    """Training images; 0 takes the default, 6000. Outlines: always all."""
    explained: int = 0
    """Test data of each seed whose explanations are scored; 0 takes 3, with --full 100."""
    draws: int = 2
    """Random group elements for explainers that are costly; four times as many for networks that are not invariant."""
    seeds: int = 3
    """Networks of each kind, each with test data of its own to explain."""
    seed: int = 0
    """The first seed: of weights, batches, draws and noise, and of which test data are explained."""
    full: bool = False
    """Images of 28 x 28 and shifts by up to 10; outlines of 427 points; wider networks; 100 explained data (500 in the source)."""

    @property
    def explain(self) -> int:
        """How many test data are explained."""
        return self.explained or (100 if self.full else 3)


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for, or both.

    Raises:
        ArgumentError: there is no such part.
        MissingExtra: the outlines alone are asked for, and the package with them is not installed.
    """
    from erlangen.studies.explain.part import run_setting

    if config.part not in (*PARTS, "all"):
        raise ArgumentError("part", f"one of {', '.join(PARTS)}, all", repr(config.part))
    started = time.perf_counter()
    found: dict[str, Part] = {}
    missing: dict[str, str] = {}
    with one_thread():
        for name in PARTS if config.part == "all" else (config.part,):
            try:
                found[name] = run_setting(name, config, quiet)
            except MissingExtra as error:
                if config.part != "all":
                    raise
                missing[name] = str(error)
    claims = Claims(claim for part in found.values() for claim in part.claims)
    reasons = {key: reason for part in found.values() for key, reason in part.left_out.items()}
    if not found:
        reasons = dict.fromkeys(STUDY.claims, "; ".join(missing.values()))
    elif missing and "averaging" in reasons:
        reasons["averaging"] = missing["outlines"]
    measured = {claim.key for claim in claims} | {RIVAL for part in found.values() if part.rivals}
    return Outcome(
        name="explain",
        title="Do explanations respect the symmetry of what they explain?",
        config=config,
        claims=claims,
        left_out={key: reason for key, reason in reasons.items() if key not in measured},
        metrics={name: part.numbers for name, part in found.items()} | {"left out": missing},
        sections=[section for part in found.values() for section in part.sections],
        seconds=time.perf_counter() - started,
        answer=" ".join(part.answer for part in found.values()),
        rivals=[rival for part in found.values() for rival in part.rivals],
    )


STUDY = Study(
    name="explain",
    system=7,
    title="Explanation invariance and equivariance, guaranteed, measured and enforced",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "guaranteed": "explainers with a guarantee score 1 on an invariant network, and those without score less",
        "relaxed": "a network that is trained to be nearly invariant has explanations that are more robust, and not exactly so",
        "order": "random and ill-fitting explainers come in the source's order",
        "averaging": "averaging over a few elements helps, and over the group makes any explanation robust exactly",
    },
)
