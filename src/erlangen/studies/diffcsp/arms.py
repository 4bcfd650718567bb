"""Crystals to learn from and to predict, the arms of the comparison, and what each of them reaches."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from erlangen.fields.crystals import Crystal, CrystalDataset, DiffCSP, icsd_clean, split_by
from erlangen.fields.crystals.diffcsp import Retrieval, random_crystals
from erlangen.fields.crystals.metrics import Matched, csp
from erlangen.training import TrainingConfig

LOOKUP, CHANCE = "retrieval", "chance"
FULL, THIRD, NO_WAVES, NO_PRODUCT = "DiffCSP", "DiffCSP, a third of the steps", "without waves", "without inner products"


@dataclass(frozen=True)
class Arm:
    """One model of the comparison.

    Attributes:
        settings: of the model, beside its size.
        share: of the steps.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0


ARMS = {
    FULL: Arm(),
    THIRD: Arm(share=1 / 3),
    NO_WAVES: Arm({"fourier": False}, 1 / 3),
    NO_PRODUCT: Arm({"inner_product": False}, 1 / 3),
}


@dataclass(frozen=True)
class Split:
    """Crystals to learn from, and those to predict."""

    train: CrystalDataset
    test: CrystalDataset


@dataclass(frozen=True, eq=False)
class Score:
    """What one arm reached.

    Attributes:
        matched: its predictions beside the truth.
        lattice, coordinates: mean squared errors of the network on the test's crystals, 1 where nothing is known; NaN without a network.
        parameters, steps: of the network and its training.
        seconds: CPU time of training, ``sampling`` of predicting.
        made: first predictions of the first test crystals.
    """

    matched: Matched
    lattice: float = math.nan
    coordinates: float = math.nan
    parameters: int = 0
    steps: int = 0
    seconds: float = 0.0
    sampling: float = 0.0
    made: tuple[Crystal, ...] = ()

    @property
    def error(self) -> float:
        """Standard error of the match rate of first predictions."""
        rate = self.matched.match_rate(1)
        return math.sqrt(rate * (1 - rate) / len(self.matched.distances))


def crystals_of(atoms: int, exactly: bool, quiet: bool) -> CrystalDataset:
    """The cleaned crystals with as many atoms in the primitive cell, or at most so many."""
    data = icsd_clean(atoms, quiet=quiet)
    return data[data.sizes == atoms] if exactly else data  # type: ignore[no-any-return]


def splits(data: CrystalDataset, most: int | None) -> dict[str, Split]:
    """By formula and by prototype; 10 % are left for choices, and are no part of this. ``most`` cuts each part, for trials."""
    made = {}
    for name, groups in (("formula", data.formulas()), ("prototype", data.columns["prototype"].tolist())):
        train, _, test = split_by(groups)
        made[name] = Split(data[train[:most]], data[test[:most]])
    return made


def look_up(split: Split, samples: int) -> Score:
    """The nearest known crystals; where there are fewer than asked for, the last again, and where there are none, chance."""
    started = time.process_time()
    known, rng = Retrieval(split.train), torch.Generator().manual_seed(0)
    made = []
    for one in split.test:
        found = known.predict(one.counts, samples) or random_crystals(one.counts, split.train, 1, rng)
        made.append(found + [found[-1]] * (samples - len(found)))
    return _score(made, split, sampling=time.process_time() - started)


def chance(split: Split, samples: int, seed: int) -> Score:
    """Atoms anywhere in known cells."""
    rng = torch.Generator().manual_seed(seed)
    return _score([random_crystals(one.counts, split.train, samples, rng) for one in split.test], split)


def learned(
    arm: Arm,
    split: Split,
    size: tuple[int, int, int],
    training: TrainingConfig,
    samples: int,
    strides: int,
    gamma: float,
    quiet: bool,
) -> Score:
    """Train a model of ``(width, layers, frequencies)`` and let it predict."""
    width, layers, frequencies = size
    torch.manual_seed(training.seed)
    model = DiffCSP(width=width, layers=layers, frequencies=frequencies, **arm.settings)
    started = time.process_time()
    model.fit(split.train, training, quiet=quiet)
    trained = time.process_time()
    made = model.predict([one.counts for one in split.test], samples, steps=strides, gamma=gamma, seed=training.seed)
    sampled = time.process_time()
    errors = model.losses(split.test, repeats=8)
    return _score(
        [made[samples * i : samples * (i + 1)] for i in range(len(split.test))],
        split,
        lattice=errors["lattice"],
        coordinates=errors["frac"],
        parameters=sum(weight.numel() for weight in model.diffusion.network.parameters()),
        steps=training.steps,
        seconds=trained - started,
        sampling=sampled - trained,
    )


def _score(made: Sequence[Sequence[Crystal]], split: Split, **facts: Any) -> Score:
    return Score(csp(made, list(split.test)), made=tuple(one[0] for one in made[:3]), **facts)
