"""A model of one's own, trained once on the crystals that come along and kept; there is nowhere to fetch weights from."""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from erlangen.data.packaged import cache_folder
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.asked import count
from erlangen.fields.crystals.diffcsp.baselines import Retrieval
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.settings import Settings
from erlangen.fields.crystals.icsd import icsd_clean, split_by
from erlangen.fields.crystals.metrics.matching import csp
from erlangen.serialization import read_json, write_json
from erlangen.training import TrainingConfig

#: The size of the network and its training: some minutes on two cores. In these a network learns crystals of one size; shown those of
#: all sizes up to 20 atoms it matched 2 % of held-out crystals after twice the time, where a look-up matched 75 %.
SIZE, STEPS = {"width": 64, "layers": 3, "frequencies": 12}, 6000
RATE = 5e-3
#: Crystals of a batch, and pairs of atoms in it: large cells are fewer, and batches cost alike.
BATCH, BATCH_PAIRS = 256, 6400
#: At least so many crystals are learned from: of the asked number of atoms, or of the nearest numbers.
ENOUGH = 500
#: Share of the formulas that are not shown, to say what the model is worth; at most so many crystals, and fewer say nothing.
HELD, FEWEST, MOST = 0.1, 20, 120


@dataclass(frozen=True)
class HeldOut:
    """What a model is worth on crystals whose formulas it was not shown.

    Attributes:
        crystals: how many.
        model: the share that its first prediction matches.
        look_up: the share that the nearest known crystal with its elements exchanged matches.
    """

    crystals: int
    model: float
    look_up: float

    def error(self, rate: float) -> float:
        """The binomial standard error of one of the shares."""
        return math.sqrt(rate * (1 - rate) / self.crystals)


def model_folder(atoms: int, steps: int = STEPS) -> Path:
    """Where the model of so many atoms and steps is kept: in the user's cache."""
    return cache_folder() / "models" / f"diffcsp-icsd-{atoms}-atoms-{steps}"


def trained(
    atoms: int,
    folder: str | Path | None = None,
    *,
    steps: int = STEPS,
    data: CrystalDataset | None = None,
    quiet: bool = False,
) -> DiffCSP:
    """The model that is kept in a folder, or, the first time, one that is trained on the ICSD's cells of so many atoms and kept there.

    Where the ICSD has fewer than 500, cells of the nearest numbers of atoms are taken, too. Training may be stopped and goes on where it
    was when it is asked for again. One formula in ten is not shown; :func:`held_out` tells how many of these the model finds, and how
    many a look-up of known crystals does.

    Args:
        atoms: of the primitive cell, at most 52.
        folder: where it is, or shall be; by default :func:`model_folder`.
        steps: of training, of 256 crystals of up to 5 atoms each, fewer of larger ones.
        data: other crystals to learn from, the first time, all of them.
        quiet: no progress.

    Raises:
        ArgumentError: the folder holds something else; steps or atoms out of range.
        KeyboardInterrupt: on Ctrl-C, when the step was finished and kept.
    """
    steps, atoms = count("steps", steps, "training steps"), count("atoms", atoms, "atoms")
    if atoms > (most := Settings().max_atoms):
        raise ArgumentError("atoms", f"at most {most} atoms in a cell", repr(atoms))
    place = model_folder(atoms, steps) if folder is None else Path(folder)
    if (place / "model.json").is_file():
        return DiffCSP.load(place)
    if place.exists() and not place.is_dir():
        raise ArgumentError("folder", "a folder", f"the file {str(place)!r}")
    if data is None:
        data = of_size(icsd_clean(most, quiet=quiet), atoms)
    shown, hidden = (data[part] for part in split_by(data.formulas(), (1 - HELD, HELD)))
    hidden = hidden[:MOST]
    if len(hidden) < FEWEST:
        shown, hidden = data, None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DiffCSP(**SIZE)
    batch = max(1, min(BATCH, round(BATCH_PAIRS / float(shown.sizes.double().square().mean()))))
    config = TrainingConfig(steps=steps, batch_size=batch, lr=RATE, weight_decay=0.0, clip=1.0)
    model.fit(shown, config, checkpoint=place / "checkpoint", quiet=quiet)
    if hidden is not None:
        write_json(place / "held_out.json", asdict(_measured(model, shown, hidden)))
    model.save(place)
    shutil.rmtree(place / "checkpoint", ignore_errors=True)
    return model


def of_size(data: CrystalDataset, atoms: int, enough: int = ENOUGH) -> CrystalDataset:
    """The crystals of so many atoms, and of the nearest numbers of atoms until there are enough.

    >>> from erlangen.fields.crystals import Crystal
    >>> data = [Crystal(9 * torch.eye(3), torch.rand(n, 3), ["O"] * n) for n in (1, 2, 2, 4, 5)]
    >>> [of_size(CrystalDataset.from_structures(data), 3, enough).sizes.tolist() for enough in (1, 4)]
    [[2, 2, 4], [1, 2, 2, 4, 5]]
    """
    away = (data.sizes - atoms).abs()
    reach = int(away.sort().values[min(enough, len(data)) - 1])
    return data[away <= reach]  # type: ignore[no-any-return]


def held_out(folder: str | Path) -> HeldOut | None:
    """What :func:`trained` measured when it made the model in a folder; None for a model from elsewhere.

    Raises:
        ArgumentError: the file is damaged.
    """
    path = Path(folder) / "held_out.json"
    if not path.is_file():
        return None
    about = read_json(path, "folder")
    try:
        return HeldOut(int(about["crystals"]), float(about["model"]), float(about["look_up"]))
    except (KeyError, TypeError, ValueError) as problem:
        raise ArgumentError("folder", "a folder with a saved DiffCSP", f"'{path}', which is damaged ({problem})") from None


def _measured(model: DiffCSP, shown: CrystalDataset, hidden: CrystalDataset) -> HeldOut:
    truth, known = list(hidden), Retrieval(shown)
    made = model.predict([one.counts for one in truth], seed=0)
    found = [known.predict(one.counts) for one in truth]
    looked = [i for i, one in enumerate(found) if one]
    matched = csp([found[i][0] for i in looked], [truth[i] for i in looked]).match_rate() * len(looked) if looked else 0.0
    return HeldOut(len(truth), csp(made, truth).match_rate(), matched / len(truth))
