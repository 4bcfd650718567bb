"""The data, the models and the rows of the table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import CrystalDataset, Protostructure, icsd_clean, spglib_symmetry, split_by, stored_protostructures
from erlangen.fields.crystals.wyckoffdiff import (
    EnergyEncoder,
    Judge,
    ProtostructureMetrics,
    Realisation,
    WyckoffDiff,
    atomic_volumes,
    independent_positions,
    known_crystals,
    other_elements,
    realise,
)
from erlangen.fields.crystals.wyckoffdiff.beforehand import frequencies
from erlangen.fields.crystals.wyckoffdiff.relabelings import Descriptions
from erlangen.fields.crystals.wyckoffdiff.state import States, encode, position_table
from erlangen.training import TrainingConfig, steps_within


@dataclass(frozen=True)
class Crystals:
    """Real crystals, parted by their reduced formulas.

    Attributes:
        training, validation, test: protostructures.
        canonical: the training ones in their canonical descriptions.
        energies: of formation of the training crystals, eV per atom.
        test_energies: of the test crystals.
        data: the training crystals themselves.
        disagreement: of a few hundred of them, the share in which spglib finds another group than the file states.
    """

    training: list[Protostructure]
    validation: list[Protostructure]
    test: list[Protostructure]
    canonical: list[Protostructure]
    energies: torch.Tensor
    test_energies: torch.Tensor
    data: CrystalDataset
    disagreement: float


def crystals(config: Any, quiet: bool) -> Crystals:
    """The cleaned crystals with at most so many orbits of one element on a position."""
    most, looked_at, seed = config.most, config.looked_at, config.seed
    data = icsd_clean(quiet=quiet)
    if config.crystals:
        data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[: config.crystals]]
    every = stored_protostructures(data)
    few = torch.tensor([max(count for _, _, count in one.sites) <= most for one in every])
    data, every = data[few], [one for one, kept in zip(every, few.tolist()) if kept]
    parts = split_by(data.formulas(), (0.8, 0.1, 0.1), seed)
    training, validation, test = ([every[i] for i in part.tolist()] for part in parts)
    energies = torch.as_tensor(data.columns["formation_energy"])
    some = torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))[:looked_at].tolist()
    learnt = data[parts[0]]
    other = sum(_group(learnt, i) != training[i].space_group for i in some)
    canonical, share = [one.canonical() for one in training], other / max(1, len(some))
    return Crystals(training, validation, test, canonical, energies[parts[0]], energies[parts[2]], learnt, share)


def _group(data: CrystalDataset, i: int) -> int:
    try:
        return spglib_symmetry(data[i], 0.01).number
    except ArgumentError:
        return 0


@dataclass(frozen=True)
class Learnt:
    """A trained model.

    Attributes:
        model: itself.
        steps, seconds: of training, CPU.
        sampling: CPU seconds for the samples.
        generated: the samples.
        nats: the bound on the log-probability of test crystals given their groups, mean over them.
    """

    model: WyckoffDiff
    steps: int
    seconds: float
    sampling: float
    generated: list[Protostructure | None]
    nats: float


def learn(config: Any, found: Crystals, quiet: bool, **options: Any) -> list[Learnt]:
    """A model of each seed, trained for the CPU time, and what it generates; all take as many steps."""
    settings = {
        "elements": 94,
        "most": config.most,
        "steps": config.noise_steps,
        "hidden": config.hidden,
        "width": config.width,
        "layers": config.layers,
        "rank": config.rank or None,
        "norm": True,
        "normalised": False,
        "company": True,
        "relabel": False,  # the descriptions that are learnt are the canonical ones, found once
        "seed": config.seed,
        **options,
    }
    training = TrainingConfig(batch_size=config.batch, lr=config.lr, clip=5.0, weight_decay=0.0, warmup=20, seed=config.seed)
    trial = WyckoffDiff(**settings).fit(found.canonical, replace(training, steps=1), quiet=True)

    def loss(model: Any, record: dict[str, torch.Tensor]) -> torch.Tensor:
        return model.loss({name: part[0] for name, part in record.items()})

    states = States(encode(found.canonical, 94, config.most))
    steps = steps_within(config.seconds, trial.diffusion, Descriptions(states, None), loss, training, trial=10)
    judged = [one.canonical() for one in found.test[: config.bounded]]
    made = []
    for seed in range(config.seed, config.seed + config.seeds):
        model = WyckoffDiff(**{**settings, "seed": seed})
        started = time.process_time()
        model.fit(found.canonical, replace(training, steps=steps, seed=seed), quiet=quiet)
        trained = time.process_time()
        generated = model.sample(config.samples, generator=torch.Generator().manual_seed(seed))
        sampled = time.process_time()
        bound = model.log_likelihood_bound(judged, samples=8, generator=torch.Generator().manual_seed(seed))
        made.append(Learnt(model, steps, trained - started, sampled - trained, generated, float(bound.nats.mean())))
    return made


def independent_nats(config: Any, found: Crystals) -> tuple[float, float]:
    """Mean log-probability of test crystals given their groups if all entries were independent, by smoothed frequencies.

    First in the letters that they have, then in canonical descriptions, as the networks see them.
    """
    row, nats = position_table().row, []
    test = found.test[: config.bounded]
    for learnt, held in ((found.training, test), (found.canonical, [one.canonical() for one in test])):
        states = States(encode(learnt, 94, config.most))
        batch = encode(held, 94, config.most)
        known, total = frequencies(states, config.most, None), 0.0
        for name, table in (("points", known.points), ("counts", known.counts)):
            at = table.double().log()[row[batch["group"][batch[f"{name}_of"]], batch[f"{name}_at"]]]
            total += float(at.gather(-1, batch[name].unsqueeze(-1)).sum()) / len(batch["group"])
        nats.append(total)
    return nats[0], nats[1]


def judged(
    judge: Judge, make: Callable[[torch.Generator], list[Protostructure | None]], draws: int, seed: int
) -> list[ProtostructureMetrics]:
    """The metrics of several sets drawn anew."""
    return [judge(make(torch.Generator().manual_seed(1000 * seed + i))) for i in range(draws)]


def baselines(config: Any, found: Crystals, judge: Judge) -> dict[str, list[ProtostructureMetrics]]:
    """Rows of what is simpler than a network."""
    n = config.samples
    return {
        "training crystals (floor)": judged(judge, lambda g: known_crystals(n, found.training, g), config.draws, config.seed),
        "independent positions": judged(judge, lambda g: independent_positions(n, found.training, g), config.draws, config.seed),
        "training prototypes, other elements": judged(
            judge, lambda g: other_elements(n, found.training, g), config.draws, config.seed
        ),
    }


def encoder_of(config: Any, found: Crystals, quiet: bool) -> tuple[EnergyEncoder, float, float]:
    """The encoder, its error on test crystals, and that of the mean (eV per atom)."""
    encoder = EnergyEncoder(found.training, found.energies, steps=config.encoder_steps, seed=config.seed, quiet=quiet)
    error = float((encoder.energies(found.test) - found.test_energies).abs().mean())
    return encoder, error, float((found.test_energies - found.energies.mean()).abs().mean())


def realised(config: Any, found: Crystals, sets: Sequence[list[Protostructure | None]]) -> tuple[list[Realisation], float]:
    """The first samples of each set with few enough atoms as crystals, relaxed by CHGNet; CPU seconds."""
    each = -(-config.realised // len(sets))
    small = [[one for one in made if one is not None and one.n_atoms() <= config.atoms][:each] for made in sets]
    volumes = atomic_volumes(found.data)
    usual = statistics.mean(volumes.values())
    volumes = {number: max(volumes.get(number, usual), 1.0) for number in range(1, 95)}
    generator = torch.Generator().manual_seed(config.seed)
    started = time.process_time()
    every = [one for some in small for one in some]
    made = [realise(one, 1, "chgnet", volumes=volumes, steps=config.relaxation, generator=generator) for one in every]
    return made, time.process_time() - started
