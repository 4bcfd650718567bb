"""A model of one's own, trained once on the crystals that come along and kept; there is nowhere to fetch weights from."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from erlangen.data.packaged import cache_folder
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.icsd import icsd_clean
from erlangen.training import TrainingConfig

#: Atoms of the largest training cells, and the size of the network: what a laptop trains in hours.
ATOMS, SIZE = 20, {"width": 96, "layers": 4, "frequencies": 32}
STEPS = 20_000


def model_folder(steps: int = STEPS) -> Path:
    """Where the model of so many steps is kept: in the user's cache."""
    return cache_folder() / "models" / f"diffcsp-icsd-{ATOMS}-{steps}"


def trained(
    folder: str | Path | None = None,
    *,
    steps: int = STEPS,
    data: CrystalDataset | None = None,
    quiet: bool = False,
) -> DiffCSP:
    """The model that is kept in a folder, or, the first time, one that is trained on the ICSD's cells of at most 20 atoms and kept there.

    Training may be stopped and goes on where it was when it is asked for again.

    Args:
        folder: where it is, or shall be; by default :func:`model_folder`.
        steps: of training, of 128 crystals each.
        data: other crystals to learn from, the first time; their cells must have at most 52 atoms.
        quiet: no progress.

    Raises:
        ArgumentError: the folder holds something else; steps below 1.
        KeyboardInterrupt: on Ctrl-C, when the step was finished and kept.
    """
    if not isinstance(steps, int) or steps < 1:
        raise ArgumentError("steps", "a positive number of training steps", repr(steps))
    place = model_folder(steps) if folder is None else Path(folder)
    if (place / "model.json").is_file():
        return DiffCSP.load(place)
    data = icsd_clean(ATOMS, quiet=quiet) if data is None else data
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DiffCSP(**SIZE)
    config = TrainingConfig(steps=steps, batch_size=128, lr=1e-3, weight_decay=0.0, clip=1.0)
    model.fit(data, config, checkpoint=place / "checkpoint", quiet=quiet)
    model.save(place)
    shutil.rmtree(place / "checkpoint", ignore_errors=True)
    return model
