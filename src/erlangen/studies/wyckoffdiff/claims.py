"""What the run claims, from the numbers of all rows."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

from erlangen.fields.crystals.wyckoffdiff import ProtostructureMetrics, Realisation
from erlangen.reporting import Claim, PlusMinus, format_value, repeated
from erlangen.studies.wyckoffdiff.rows import Learnt
from erlangen.studies.wyckoffdiff.settings import (
    ALONE,
    FLOOR,
    LONG,
    MODEL,
    ONLY_COMPARED,
    ONLY_LONG,
    PARTS,
    SOURCE,
    TEMPLATES,
    Config,
)


def claims_of(
    config: Config,
    table: dict[str, list[ProtostructureMetrics]],
    learnt: dict[str, list[Learnt]],
    crystals: list[Realisation],
    numbers: dict[str, Any],
    scale: str,
) -> tuple[list[Claim], dict[str, str]]:
    """The claims, and why others were not measured. Those of several seeds are about means."""

    def each(name: str, what: str) -> list[float]:
        return [getattr(one, what) for one in table[name]]

    fwd = {name: statistics.mean(each(name, "fwd")) for name in table}
    spread = {name: repeated(each(name, "fwd")) for name in table}
    model = {what: repeated(each(MODEL, what)) for what in ("valid", "novel", "elements")}
    valid, novel, elements = (statistics.mean(each(MODEL, what)) for what in model)
    nats = {name: statistics.mean(one.nats for one in found) for name, found in learnt.items()}
    bounds: float | PlusMinus = repeated([one.nats for one in learnt[MODEL]])
    symmetries = Counter(one.symmetry for one in crystals)
    sampling = repeated([1000 * one.sampling / config.samples for one in learnt[MODEL]])
    slowest = max(1000 * one.sampling / config.samples for one in learnt[MODEL])
    ahead = sum(ours < statistics.mean(each(ALONE, "fwd")) for ours in each(MODEL, "fwd"))
    below = sum(ours <= fwd[TEMPLATES] / 4 for ours in each(MODEL, "fwd"))
    long = config.seconds >= LONG
    claims = [
        Claim(
            "FWD[icsd] lies between the floor and training prototypes with other elements, and is a quarter of the latter's at most",
            None,
            spread[MODEL],
            fwd[FLOOR] < fwd[MODEL] <= fwd[TEMPLATES] / 4,
            baseline=spread[TEMPLATES],
            scale=scale,
            note=f"by means; so in {below} of {len(each(MODEL, 'fwd'))} seeds; floor {fwd[FLOOR]:.3f}; distances of one encoder only can "
            "be compared",
            key="order",
        ),
        Claim(
            "FWD[icsd] is less than that of independent positions",
            "competitive FWD",
            spread[MODEL],
            fwd[MODEL] < fwd[ALONE],
            baseline=spread[ALONE],
            scale=scale,
            note=f"by means; so in {ahead} of {len(each(MODEL, 'fwd'))} seeds",
            source=SOURCE,
            key="independent",
        ),
        Claim(
            "held-out crystals are likelier than if all entries were independent: the bound on their log-probability is above the latter's",
            None,
            bounds,
            all(one.nats > numbers["independent_nats"] for one in learnt[MODEL]),
            baseline=numbers["independent_nats"],
            scale=f"{config.bounded} test crystals, given their groups, every seed",
            unit="nats",
            note="the model's is a lower bound, the baseline's exact; both of canonical descriptions. One in the "
            f"letters of the file has {numbers['independent_nats_in_these_letters']:.2f}",
            key="likelihood",
        ),
        Claim(
            "SMACT can balance at least 60 percent, 95 percent are new, and they have at most 3.8 elements in the mean",
            None,
            f"{valid:.1%}, {novel:.1%}, {elements:.2f}",
            valid >= 0.6 and novel >= 0.95 and elements <= 3.8,
            baseline=f"{statistics.mean(each(ALONE, 'valid')):.1%} of independent positions are balanced",
            scale=scale,
            note=f"means; with deviations: {', '.join(format_value(value) for value in model.values())}",
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
            sampling,
            slowest <= 60,
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
    return claims, left_out
