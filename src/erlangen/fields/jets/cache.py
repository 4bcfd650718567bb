"""`jets`: the jets that ship with the library, instantly and without any engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from erlangen.data import DataSet, Split, check_split
from erlangen.fields.jets.table import JetTable

CACHE = Path(__file__).with_name("jets.npz")
TRAINING_JETS = 4000  # of 6000; labels alternate, so both parts are balanced


def jets(split: Split = "train", constituents: int = 20) -> DataSet:
    """Top-quark and QCD jets as four-momenta ``(E, px, py, pz)`` in GeV, hardest particle first.

    ``x`` is float64 ``[N, constituents, 4]``; a jet with fewer particles is padded with zero four-vectors, so
    ``x[..., 0] > 0`` is the mask of real particles. ``y`` is 1 for a top quark's jet and 0 for a light quark's or
    gluon's. 4000 training and 2000 test jets, from different collisions, half of each kind. Every particle is on its
    mass shell to float64 rounding. Made by ``python -m erlangen.fields.jets`` with the settings in
    :mod:`erlangen.fields.jets.live`.

    Args:
        split: ``"train"``, ``"test"`` or ``"all"``.
        constituents: how many of the hardest particles, at most 20.

    Raises:
        ArgumentError: ``split`` or ``constituents`` is out of range.

    >>> print(jets("test", constituents=2))
    jets: 2000 samples of 2 tokens in R^4 (E, px, py, pz; GeV), class target (class 0: 1000, class 1: 1000)
    """
    return cached(split).data(constituents, source="Pythia 8.317 and FastJet 3.5, seed 1")


def cached(split: Split = "all") -> JetTable:
    """The cached jets with everything stored about them: momenta, particle ids, whole-jet momenta, counts."""
    check_split(split)
    table = JetTable.load(CACHE)
    if split == "all":
        return table
    training = np.arange(len(table)) < TRAINING_JETS
    return table.subset(training if split == "train" else ~training)
