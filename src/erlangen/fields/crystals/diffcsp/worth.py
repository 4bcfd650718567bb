"""What a kept model is worth: first predictions of crystals whose formulas it was not shown, and a look-up's beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.baselines import Retrieval
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.orbits import assignments
from erlangen.fields.crystals.diffcsp.symmetric import SymmetricDiffCSP
from erlangen.fields.crystals.metrics.matching import csp
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.radii import without_radius
from erlangen.serialization import read_json


@dataclass(frozen=True)
class HeldOut:
    """What a model is worth on crystals whose formulas it was not shown.

    Attributes:
        crystals: how many.
        model: the share that its first prediction matches.
        look_up: the share that the nearest known crystal with its elements exchanged matches.
        grouped: whether both were told the space group: then the look-up is among known crystals of that group only.
    """

    crystals: int
    model: float
    look_up: float
    grouped: bool = False

    def error(self, rate: float) -> float:
        """The binomial standard error of one of the shares."""
        return math.sqrt(rate * (1 - rate) / self.crystals)


def held_out(folder: str | Path) -> HeldOut | None:
    """What was measured of the model in a folder when it was trained there; None for a model from elsewhere.

    Raises:
        ArgumentError: the file is damaged.
    """
    path = Path(folder) / "held_out.json"
    if not path.is_file():
        return None
    about = read_json(path, "folder")
    try:
        grouped = about.get("grouped", False)
        return HeldOut(int(about["crystals"]), float(about["model"]), float(about["look_up"]), bool(grouped))
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ArgumentError("folder", "a folder with a saved DiffCSP", f"'{path}', which is damaged ({problem})") from None


def of_compositions(model: DiffCSP, shown: CrystalDataset, hidden: CrystalDataset) -> HeldOut:
    """Of a model that is told compositions."""
    truth, known = list(hidden), Retrieval(shown)
    made = model.predict([one.counts for one in truth], seed=0)
    return HeldOut(len(truth), _matched(made, truth), _matched([_looked_up(known, one) for one in truth], truth))


def of_groups(model: SymmetricDiffCSP, shown: CrystalDataset, hidden: CrystalDataset) -> HeldOut:
    """Of a model that is told compositions and space groups; the column ``found_group`` of both parts has the groups.

    Each crystal's atoms are put on positions drawn from all ways; one with more ways than are listed counts as not matched, for it could
    not be asked for.
    """
    truth, source = list(hidden), torch.Generator().manual_seed(0)
    number, groups = torch.tensor(shown.columns["found_group"].tolist()), hidden.columns["found_group"].tolist()
    chosen: list[Protostructure | None] = []
    for one, group in zip(truth, groups):
        try:
            ways = assignments(one.counts, group)
        except ArgumentError:
            chosen.append(None)
        else:
            chosen.append(ways[int(torch.randint(len(ways), (), generator=source))])
    asked = [one for one in chosen if one is not None]
    drawn = iter(model.predict(asked, generator=source) if asked else [])
    made = [None if one is None else next(drawn) for one in chosen]
    known = {group: Retrieval(shown[number == group]) for group in set(groups) if bool((number == group).any())}
    looked = [_looked_up(known.get(group), one) for one, group in zip(truth, groups)]
    return HeldOut(len(truth), _matched(made, truth), _matched(looked, truth), grouped=True)


def _looked_up(known: Retrieval | None, one: Crystal) -> Crystal | None:
    found = [] if known is None or without_radius(one.counts) else known.predict(one.counts)
    return found[0] if found else None


def _matched(made: Sequence[Crystal | None], truth: Sequence[Crystal]) -> float:
    """The share of all that is matched; what was not made matches nothing."""
    pairs = [(one, other) for one, other in zip(made, truth) if one is not None]
    return csp([one for one, _ in pairs], [other for _, other in pairs]).match_rate() * len(pairs) / len(truth) if pairs else 0.0
