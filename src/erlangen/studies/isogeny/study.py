"""The study of isogenies: its five parts, one after another."""

from __future__ import annotations

import time

from erlangen.errors import ArgumentError
from erlangen.parallel import one_thread
from erlangen.reporting import Claims, KeyNumber, Outcome
from erlangen.studies.base import Study
from erlangen.studies.isogeny.census import census
from erlangen.studies.isogeny.degrees import degrees
from erlangen.studies.isogeny.large import large
from erlangen.studies.isogeny.quaternions import rank_four
from erlangen.studies.isogeny.settings import CLAIMS, SOURCE, Config
from erlangen.studies.isogeny.toy import toy


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the five parts, on one thread."""
    if (
        config.largest < 67
        or config.bits < 16
        or config.steps < 2
        or config.quaternions < 11
        or config.traces < 1
        or not 1 <= config.searched <= 4
    ):
        raise ArgumentError(
            "config", "largest >= 67, traces >= 1, searched from 1 to 4, quaternions >= 11, bits >= 16, steps >= 2", repr(config)
        )
    started = time.perf_counter()
    with one_thread():
        parts = [census(config, quiet), toy(), degrees(config), large(config), rank_four(config, quiet)]
    claims = Claims([claim for part in parts for claim in part[0]])
    metrics = {name: value for part in parts for name, value in part[2].items()}
    toy_numbers = metrics["toy"]
    counted, rivals = metrics["census"], metrics["walk"].pop("rivals")
    return Outcome(
        name="isogeny",
        title="Isogenies of elliptic curves as ideals",
        config=config,
        claims=claims,
        metrics=metrics,
        rivals=rivals,
        sections=[part[1] for part in parts],
        seconds=time.perf_counter() - started,
        answer=f"Counted by explicit points, the index of {counted['equal']} of {counted['subgroups']} subgroups is the theorem's.",
        key_numbers=[
            KeyNumber("subgroups whose index is the formula's", f"{counted['equal']} of {counted['subgroups']}"),
            KeyNumber(f"curves under {toy_numbers['group']} over the field of 419", toy_numbers["classes"]),
            KeyNumber(f"{config.steps} steps at {config.bits} bits", f"{metrics['walk']['seconds']:.2f} s"),
            KeyNumber("largest minimal degree / sqrt p in rank four", metrics["rank four"]["largest ratio"]),
        ],
    )


STUDY = Study(
    name="isogeny",
    system=26,
    title="Isogenies of elliptic curves over finite fields: Hom as an ideal, class groups on curves, minimal degrees",
    source=SOURCE,
    config=Config,
    run=run,
    claims=CLAIMS,
)
