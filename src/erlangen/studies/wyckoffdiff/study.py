"""WyckoffDiff on the real crystals of the ICSD, on a few minutes of CPU, beside baselines that cost nothing."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch

from erlangen.fields.crystals.wyckoffdiff import Judge, ProtostructureMetrics, Realisation
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    KeyNumber,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.wyckoffdiff import rows
from erlangen.studies.wyckoffdiff.rows import Learnt

SOURCE = "Ekström Kelvinius, Andersson, Parackal, Qian, Armiento & Lindsten 2025, arXiv:2502.06485"
FLOOR, ALONE, TEMPLATES = "training crystals (floor)", "independent positions", "training prototypes, other elements"
#: What the models of a comparison differ in.
BASES: dict[str, dict[str, Any]] = {"uniform base": {"base": "uniform"}, "marginal base": {"base": "marginal"}}
PARTS: dict[str, dict[str, Any]] = {
    "frequencies pooled": {"beforehand": "pooled"},
    "without an entry's own evidence": {"evidence": False},
    "without tables of pairs": {"company": False},
    "as the source: pooled, nothing added": {
        "beforehand": "pooled",
        "evidence": False,
        "company": False,
        "norm": False,
        "normalised": True,
        "layers": 3,
        "rank": None,
    },
}
MODEL = "WyckoffDiff, zeros base"
#: CPU seconds from which on a run is the long one.
LONG = 600.0
ONLY_LONG = f"measured with --seconds {LONG:.0f} or more"
ONLY_COMPARED = "measured with --compare"


@dataclass(frozen=True)
class Config:
    """Protostructures of real crystals, generated."""

    seconds: float = 25.0
    """CPU seconds of training for each model."""
    seeds: int = 1
    """Models of each kind."""
    compare: bool = False
    """Also train with the other two bases, and without what is added to the source's network, each for the same time."""
    crystals: int = 0
    """Real crystals to take, at random; 0 for all that are clean."""
    samples: int = 1000
    """Protostructures to generate."""
    draws: int = 2
    """Sets of each baseline."""
    noise_steps: int = 100
    """Steps of the noise."""
    most: int = 8
    """Orbits of one element on a position; crystals with more are left out."""
    hidden: int = 128
    """Features of a position."""
    width: int = 128
    """Width of hidden layers."""
    layers: int = 2
    """Rounds of attention."""
    rank: int = 3
    """Rank of the head of counts; 0 for the full one."""
    batch: int = 64
    """Crystals in a batch."""
    lr: float = 8e-3
    """Learning rate at the start; it falls to zero as a cosine."""
    encoder_steps: int = 1000
    """Training steps of the encoder of formation energies."""
    bounded: int = 500
    """Test crystals whose likelihood is bounded."""
    looked_at: int = 200
    """Training crystals whose stated group is compared with what spglib finds."""
    realised: int = 20
    """Samples that become crystals."""
    atoms: int = 24
    """Atoms in the primitive cell of these at most."""
    relaxation: int = 15
    """Steps of their relaxation."""
    seed: int = 0
    """First seed."""
    full: bool = False
    """The source's sizes: 256 features, counts to 54, 1000 steps of noise, eight hours for each model."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train, generate, compare."""
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
        learnt = {
            name: [rows.learn(config, found, config.seed + i, quiet, **options) for i in range(config.seeds)]
            for name, options in kinds.items()
        }
        table |= {name: [judge(one.generated) for one in each] for name, each in learnt.items()}
        began = time.process_time()
        rows.independent_positions(config.samples, found.training, torch.Generator().manual_seed(config.seed))
        copying = time.process_time() - began
        crystals, spent = rows.realised(config, found, learnt[MODEL][0].generated)
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
    model = {what: statistics.mean(each(MODEL, what)) for what in ("valid", "novel", "elements", "fwd", "empty")}
    nats = {name: statistics.mean(one.nats for one in found) for name, found in learnt.items()}
    symmetries = Counter(one.symmetry for one in crystals)
    sampling = statistics.mean(one.sampling for one in learnt[MODEL])
    scale = (
        f"{numbers['sizes'][0]} crystals to learn from, {config.seconds:.0f} CPU seconds, {config.samples} samples against "
        f"{numbers['sizes'][2]} test crystals, {config.seeds} seed{'s' * (config.seeds > 1)}"
    )
    long = config.seconds >= LONG
    claims = [
        Claim(
            "FWD[icsd] lies between the floor and training prototypes with other elements, and is a quarter of the latter's at most",
            None,
            fwd[MODEL],
            fwd[FLOOR] < fwd[MODEL] <= fwd[TEMPLATES] / 4,
            baseline=fwd[TEMPLATES],
            scale=scale,
            note=f"floor {fwd[FLOOR]:.3f}; distances of one encoder only can be compared",
            key="order",
        ),
        Claim(
            "FWD[icsd] is less than that of independent positions",
            "competitive FWD",
            fwd[MODEL],
            fwd[MODEL] < fwd[ALONE],
            baseline=fwd[ALONE],
            scale=scale,
            source=SOURCE,
            key="independent",
        ),
        Claim(
            "held-out crystals are likelier than if all entries were independent: the bound on their log-probability is above the latter's",
            None,
            nats[MODEL],
            nats[MODEL] > numbers["independent_nats"],
            baseline=numbers["independent_nats"],
            scale=f"{config.bounded} test crystals, given their groups",
            unit="nats",
            note="the model's is a lower bound, the baseline's exact; both of canonical descriptions. One in the "
            f"letters of the file has {numbers['independent_nats_in_these_letters']:.2f}",
            key="likelihood",
        ),
        Claim(
            "SMACT can balance at least 60 percent, 95 percent are new, and they have at most 3.8 elements in the mean",
            None,
            f"{model['valid']:.1%}, {model['novel']:.1%}, {model['elements']:.2f}",
            model["valid"] >= 0.6 and model["novel"] >= 0.95 and model["elements"] <= 3.8,
            baseline=f"{statistics.mean(each(ALONE, 'valid')):.1%} of independent positions are balanced",
            scale=scale,
            key="samples",
        ),
        Claim(
            "every crystal that is realised and relaxed has the group that was asked for, or more symmetry",
            "symmetric by construction",
            f"{symmetries['kept']} kept, {symmetries['raised']} raised of {len(crystals)}",
            symmetries["kept"] + symmetries["raised"] == len(crystals) > 0,
            scale=f"{len(crystals)} samples, {config.relaxation} steps of CHGNet, spglib at 0.01 angstrom",
            source=SOURCE,
            key="symmetry",
        ),
        Claim(
            "a thousand protostructures take at most 60 CPU seconds",
            "fast sampling",
            1000 * sampling / config.samples,
            1000 * sampling / config.samples <= 60,
            scale=f"{config.noise_steps} steps, one thread",
            unit="s",
            source=SOURCE,
            key="speed",
        ),
    ]
    left_out = {}
    if long:
        holds = fwd[MODEL] <= 0.15 and fwd[MODEL] < fwd[ALONE]
        claims.append(
            Claim(
                "FWD[icsd] is at most 0.15 and less than that of independent positions",
                None,
                fwd[MODEL],
                holds,
                baseline=fwd[ALONE],
                scale=scale,
                key="long",
            )
        )
    else:
        left_out["long"] = ONLY_LONG
    if config.compare:
        best = min(fwd[MODEL], fwd["marginal base"])
        claims += [
            Claim(
                "the sparse bases, zeros and marginal, have a smaller FWD[icsd] than the uniform one",
                "suit the sparse occupancies better",
                max(fwd[MODEL], fwd["marginal base"]),
                max(fwd[MODEL], fwd["marginal base"]) < fwd["uniform base"],
                baseline=fwd["uniform base"],
                scale=scale,
                note=f"the better of them has {best:.3f}",
                source=SOURCE,
                key="bases",
            ),
            Claim(
                "frequencies of positions to start from and an entry's own evidence each make the bound on the likelihood higher",
                None,
                nats[MODEL],
                all(nats[MODEL] > nats[name] for name in PARTS),
                baseline=max(nats[name] for name in PARTS),
                scale=scale,
                unit="nats",
                key="parts",
            ),
        ]
    else:
        left_out |= dict.fromkeys(("bases", "parts"), ONLY_COMPARED)
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
            "realised": [_realisation(one) for one in crystals],
        },
        sections=[_table(table, learnt, numbers, config, fwd), _crystals(crystals)],
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
                settings="none",
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
                nats[MODEL],
                "nats",
                note=f"independent entries: {numbers['independent_nats']:.2f}",
            ),
        ],
    )


def _table(
    table: dict[str, list[ProtostructureMetrics]],
    learnt: dict[str, list[Learnt]],
    numbers: dict[str, Any],
    config: Config,
    fwd: dict[str, float],
) -> Section:
    names = (
        "fwd",
        "fwd_features",
        "unique",
        "novel",
        "new_prototype",
        "valid",
        "elements",
        "atoms",
        "space_group_tv",
        "space_group_js",
        "empty",
    )
    columns = [
        "",
        "FWD[icsd]",
        "FWD of features",
        "unique",
        "novel",
        "new prototype",
        "balanced",
        "elements",
        "atoms",
        "groups TV",
        "groups JS",
        "empty",
    ]
    cells = [[name, *(repeated([getattr(one, what) for one in found]) for what in names)] for name, found in table.items()]
    models: list[list[Any]] = [
        [name, repeated([one.nats for one in found]), found[0].steps, found[0].seconds, found[0].sampling]
        for name, found in learnt.items()
    ]
    models.insert(0, ["independent entries", numbers["independent_nats"], None, None, None])
    return Section(
        "Generated protostructures",
        [
            "A protostructure is a space group and which elements occupy which of its Wyckoff positions. FWD[icsd] is the Fréchet distance "
            "to test crystals in the last features of a network that predicts formation energies; it was trained in this run "
            f"({numbers['encoder_error']:.3f} eV per atom on test crystals, whose mean deviation is {numbers['encoder_deviation']:.3f}), "
            "so its distances cannot be compared with published ones. Crystals are parted by their formulas, all sets have the same "
            "number, and shares are of all that were asked for. Independent positions copy what stands on each position from a "
            "training crystal of the group, from another one for each: in rare groups that copies crystals.",
            f"spglib finds another group than the file states in {numbers['disagreement']:.1%} of {config.looked_at} training crystals "
            "(0.01 angstrom); the stated ones are learnt.",
        ],
        tables=[
            Table("Sets of protostructures", columns, cells, "The mean over sets, ± their deviation, where there are several."),
            Table(
                "Models", ["", "log-probability of a test crystal (nats)", "steps", "training (CPU s)", "sampling (CPU s)"], models
            ),
        ],
        figures=[
            bars_with_error(
                list(table),
                {"FWD[icsd]": list(fwd.values())},
                title="Distance to test crystals",
                y_label="FWD[icsd]",
                caption="The floor is that of real crystals at the same number.",
            )
        ],
    )


def _crystals(crystals: list[Realisation]) -> Section:
    columns = ["protostructure", "group", "found at 0.01", "at 0.1", "symmetry", "eV per atom", "closest"]
    cells = [
        [
            one.protostructure.label(),
            one.protostructure.space_group,
            one.found[0.01],
            one.found[0.1],
            one.symmetry,
            one.energy,
            one.closest,
        ]
        for one in crystals
    ]
    return Section(
        "As crystals",
        [
            "The first samples with few atoms, each with one random lattice and random free coordinates, relaxed by CHGNet under their "
            "symmetry for a few steps. Energies are the calculator's, of crystals that are not at rest yet: they say that a crystal is "
            "not absurd, not that it exists. Closest is the least distance of two atoms over the sum of their covalent radii."
        ],
        tables=[Table("Realised samples", columns, cells)],
    )


def _realisation(one: Realisation) -> dict[str, Any]:
    return {
        "label": one.protostructure.label(),
        "found": {str(tolerance): number for tolerance, number in one.found.items()},
        "symmetry": one.symmetry,
        "energy": one.energy,
        "closest": one.closest,
        "failed": one.failed,
    }


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
