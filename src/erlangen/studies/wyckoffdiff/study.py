"""WyckoffDiff on the real crystals of the ICSD, on a minute of CPU, beside baselines that cost nothing."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.wyckoffdiff import Judge, ProtostructureMetrics, Realisation
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claims, KeyNumber, Outcome, Rival, repeated
from erlangen.studies.base import Study
from erlangen.studies.wyckoffdiff import rows
from erlangen.studies.wyckoffdiff.claims import claims_of
from erlangen.studies.wyckoffdiff.report import as_numbers, crystal_section, table_section
from erlangen.studies.wyckoffdiff.rows import Learnt
from erlangen.studies.wyckoffdiff.settings import ALONE, BASES, FLOOR, MODEL, PARTS, SOURCE, TEMPLATES, Config


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train, generate, compare."""
    if config.seeds < 1:
        raise ArgumentError("seeds", "at least one", repr(config.seeds))
    started = time.perf_counter()
    if config.full:
        sizes: dict[str, Any] = {
            "hidden": 256,
            "width": 544,
            "most": 54,
            "noise_steps": 1000,
            "seconds": 28_800.0,
            "lr": 5e-4,
            "layers": 3,
        }
        config = replace(config, **sizes, compare=True, rank=32)
    with one_thread():
        found = rows.crystals(config, quiet)
        encoder, error, deviation = rows.encoder_of(config, found, quiet)
        judge = Judge(found.training, found.test, encoder)
        nats = rows.independent_nats(config, found)
        table = rows.baselines(config, found, judge)
        kinds: dict[str, dict[str, Any]] = {MODEL: {}, **(BASES | PARTS if config.compare else {})}
        learnt = {name: rows.learn(config, found, quiet, **options) for name, options in kinds.items()}
        table |= {name: [judge(one.generated) for one in each] for name, each in learnt.items()}
        began = time.process_time()
        rows.independent_positions(config.samples, found.training, torch.Generator().manual_seed(config.seed))
        copying = time.process_time() - began
        crystals, spent = rows.realised(config, found, [one.generated for one in learnt[MODEL]])
    numbers = {
        "encoder_error": error,
        "encoder_deviation": deviation,
        "independent_nats": nats[1],
        "independent_nats_in_these_letters": nats[0],
        "disagreement": found.disagreement,
        "sizes": [len(found.training), len(found.validation), len(found.test)],
        "realising_seconds": spent,
        "copying_seconds": copying,
    }
    return _outcome(config, table, learnt, crystals, numbers, time.perf_counter() - started)


def _outcome(
    config: Config,
    table: dict[str, list[ProtostructureMetrics]],
    learnt: dict[str, list[Learnt]],
    crystals: list[Realisation],
    numbers: dict[str, Any],
    seconds: float,
) -> Outcome:
    def each(name: str, what: str) -> list[float]:
        return [getattr(one, what) for one in table[name]]

    fwd = {name: statistics.mean(each(name, "fwd")) for name in table}
    model = {what: statistics.mean(each(MODEL, what)) for what in ("valid", "novel")}
    scale = (
        f"{numbers['sizes'][0]} crystals to learn from, {config.seconds:.0f} CPU seconds, {config.samples} samples against "
        f"{numbers['sizes'][2]} test crystals, {config.seeds} seed{'s' * (config.seeds > 1)}"
    )
    claims, left_out = claims_of(config, table, learnt, crystals, numbers, scale)
    return Outcome(
        name="wyckoffdiff",
        title="Diffusion over Wyckoff positions, on crystals of the ICSD",
        config=config,
        claims=Claims(claims),
        left_out=left_out,
        metrics={
            **numbers,
            "rows": {name: [vars(one) for one in found] for name, found in table.items()},
            "nats": {name: [one.nats for one in found] for name, found in learnt.items()},
            "steps": {name: [one.steps for one in found] for name, found in learnt.items()},
            "training_seconds": {name: [one.seconds for one in found] for name, found in learnt.items()},
            "sampling_seconds": {name: [one.sampling for one in found] for name, found in learnt.items()},
            "realised": [as_numbers(one) for one in crystals],
        },
        sections=[table_section(table, learnt, numbers, config, fwd), crystal_section(crystals)],
        seconds=seconds,
        rivals=[
            Rival(
                "copying each position from another crystal of the group",
                MODEL,
                "FWD[icsd] of generated protostructures",
                repeated(each(MODEL, "fwd")),
                repeated(each(ALONE, "fwd")),
                "lower",
                seconds=statistics.mean(one.seconds + one.sampling for one in learnt[MODEL]),
                rival_seconds=numbers["copying_seconds"],
                settings="no settings to choose",
                scale=scale,
                note=f"balanced: {model['valid']:.0%} and {statistics.mean(each(ALONE, 'valid')):.0%}; new: {model['novel']:.0%} and "
                f"{statistics.mean(each(ALONE, 'novel')):.0%}; in rare groups it copies crystals",
            )
        ],
        answer=f"On {config.seconds:.0f} CPU seconds FWD[icsd] is {fwd[MODEL]:.3f}: training crystals have {fwd[FLOOR]:.3f}, independent "
        f"positions {fwd[ALONE]:.3f}, training prototypes with other elements {fwd[TEMPLATES]:.3f}. SMACT balances {model['valid']:.0%} of "
        f"the samples, and {statistics.mean(each(ALONE, 'valid')):.0%} of independent positions.",
        key_numbers=[
            KeyNumber("FWD[icsd]", repeated(each(MODEL, "fwd")), note=f"independent positions: {fwd[ALONE]:.3f}"),
            KeyNumber(
                "balanced by SMACT",
                repeated(each(MODEL, "valid")),
                note=f"test-like floor: {statistics.mean(each(FLOOR, 'valid')):.2f}",
            ),
            KeyNumber(
                "log-probability of a test crystal",
                repeated([one.nats for one in learnt[MODEL]]),
                "nats",
                note=f"independent entries: {numbers['independent_nats']:.2f}",
            ),
        ],
    )


STUDY = Study(
    name="wyckoffdiff",
    system=3,
    title="WyckoffDiff on real crystals, against independent positions, prototypes with other elements and real crystals",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "order": "its distance to test crystals lies between that of real crystals and a quarter of prototypes with other elements",
        "independent": "and below that of independent positions",
        "likelihood": "held-out crystals are likelier than if all entries were independent",
        "samples": "most samples are balanced, new and of few elements",
        "symmetry": "realised crystals have the symmetry that was asked for",
        "speed": "a thousand samples take at most a minute",
        "long": "with ten minutes of training the distance is at most 0.15, and below that of independent positions",
        "bases": "bases that suit sparse occupancies are better than the uniform one",
        "parts": "what is added to the source's network helps",
    },
)
