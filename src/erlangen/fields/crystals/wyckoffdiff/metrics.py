"""How good generated protostructures are: each share is of all that were asked for, the empty ones too."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.validity import smact14_valid
from erlangen.fields.crystals.wyckoffdiff.encoder import EnergyEncoder
from erlangen.fields.crystals.wyckoffdiff.frechet import frechet_distance
from erlangen.fields.crystals.wyckoffdiff.state import GROUPS


@dataclass(frozen=True)
class ProtostructureMetrics:
    """Of a set of generated protostructures.

    Attributes:
        requested: how many were asked for.
        empty: share without an atom.
        unique: distinct crystals, all descriptions of one counted once, over ``requested``.
        novel: share that does not occur in the training data in any description.
        new_prototype: share whose prototype does not.
        valid: share with a composition that SMACT (oxidation states of 2014) can balance.
        elements, atoms: mean number of elements, median number of atoms in the conventional cell, of what is not empty; NaN where all is.
        space_group_tv, space_group_js: distances of the histogram of groups to the reference's: total variation, and the Jensen-Shannon
            divergence in nats; NaN where all is empty.
        fwd, fwd_features: Fréchet distances to the reference in the encoder's features, and in those that it is given; None without one,
            NaN of fewer than two that are not empty, which have no spread.
    """

    requested: int
    empty: float
    unique: float
    novel: float
    new_prototype: float
    valid: float
    elements: float
    atoms: float
    space_group_tv: float
    space_group_js: float
    fwd: float | None
    fwd_features: float | None


class Judge:
    """Compares generated protostructures with those that were learnt from and with others that were not.

    Args:
        training: what must not be copied.
        reference: what generated ones should be like: held-out crystals.
        encoder: for the Fréchet distances.

    Raises:
        ArgumentError: no crystals in one of them.
    """

    def __init__(
        self, training: Sequence[Protostructure], reference: Sequence[Protostructure], encoder: EnergyEncoder | None = None
    ) -> None:
        for name, crystals in (("training", training), ("reference", reference)):
            if not len(crystals):
                raise ArgumentError(name, "at least one protostructure", "none")
        self.reference, self.encoder = list(reference), encoder
        self._embedded: dict[bool, torch.Tensor] = {}  # of the reference
        self._known = {one.canonical() for one in training}
        self._prototypes = {one.prototype() for one in self._known}

    def __call__(self, generated: Sequence[Protostructure | None]) -> ProtostructureMetrics:
        """The metrics of generated protostructures, None in the place of each empty one.

        Raises:
            ArgumentError: none were generated.
        """
        made, n = [one.canonical() for one in generated if one is not None], len(generated)
        if not n:
            raise ArgumentError("generated", "at least one protostructure, None in the place of an empty one", "none")
        tv = js = math.nan
        if made:
            tv, js = space_group_distances((one.space_group for one in made), (one.space_group for one in self.reference))
        return ProtostructureMetrics(
            requested=n,
            empty=1 - len(made) / n,
            unique=len(set(made)) / n,
            novel=sum(one not in self._known for one in made) / n,
            new_prototype=sum(one.prototype() not in self._prototypes for one in made) / n,
            valid=sum(smact14_valid(one.composition) for one in made) / n,
            elements=statistics.mean(len(one.counts) for one in made) if made else math.nan,
            atoms=statistics.median(one.n_atoms(primitive=False) for one in made) if made else math.nan,
            space_group_tv=tv,
            space_group_js=js,
            fwd=self._distance(made, True),
            fwd_features=self._distance(made, False),
        )

    def _distance(self, made: Sequence[Protostructure], trained: bool) -> float | None:
        if self.encoder is None:
            return None
        if min(len(made), len(self.reference)) < 2:
            return math.nan
        if trained not in self._embedded:
            self._embedded[trained] = self.encoder.embedded(self.reference, trained)
        return frechet_distance(self.encoder.embedded(made, trained), self._embedded[trained])


def space_group_distances(groups: Iterable[int], reference: Iterable[int]) -> tuple[float, float]:
    """Total variation and Jensen-Shannon divergence (nats) of two histograms of space groups.

    Raises:
        ArgumentError: one is of nothing.

    >>> tv, js = space_group_distances([225, 225], [225, 62])
    >>> tv, round(js, 4)
    (0.5, 0.2158)
    """
    shares = []
    for name, numbers in (("groups", groups), ("reference", reference)):
        counts = np.bincount(np.fromiter(numbers, dtype=np.int64), minlength=GROUPS).astype(float)
        if not counts.sum():
            raise ArgumentError(name, "at least one space group", "none")
        shares.append(counts / counts.sum())
    p, q = (torch.from_numpy(one) for one in shares)
    middle = (p + q) / 2
    js = sum(float(torch.xlogy(one, one).sum() - torch.xlogy(one, middle).sum()) for one in (p, q)) / 2
    return float((p - q).abs().sum()) / 2, js
