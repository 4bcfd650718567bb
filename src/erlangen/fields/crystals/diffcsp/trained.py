"""A model of one's own, trained once on the crystals that come along and kept; there is nowhere to fetch weights from."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import torch

from erlangen.data.packaged import cache_folder
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.conventional import conventional
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.asked import count
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.settings import Settings
from erlangen.fields.crystals.diffcsp.symmetric import SymmetricDiffCSP
from erlangen.fields.crystals.diffcsp.worth import HeldOut, of_compositions, of_groups
from erlangen.fields.crystals.icsd import icsd_clean, split_by
from erlangen.reporting import progress
from erlangen.serialization import read_json, write_json
from erlangen.training import TrainingConfig

Model = TypeVar("Model", DiffCSP, SymmetricDiffCSP)

#: The size of the network and its training: some minutes on two cores. In these a network learns crystals of one size; shown those of
#: all sizes up to 20 atoms it matched 2 % of held-out crystals after twice the time, where a look-up matched 75 %.
SIZE, STEPS = {"width": 64, "layers": 3, "frequencies": 12}, 6000
RATE = 5e-3
#: Steps for given space groups.
GROUPED_STEPS = 2000
#: Crystals of a batch, and pairs of atoms in it: large cells are fewer, and batches cost alike.
BATCH, BATCH_PAIRS = 256, 6400
#: At least so many crystals are learned from: of the asked number of atoms, or of the nearest numbers.
ENOUGH = 500
#: Share of the formulas that are not shown, to say what the model is worth; at most so many crystals, and fewer say nothing.
HELD, FEWEST, MOST = 0.1, 20, 120
#: How far atoms may be off for the space groups of known crystals, angstrom.
SYMPREC = 0.01


def model_folder(atoms: int, steps: int = STEPS, symmetric: bool = False) -> Path:
    """Where the model of so many atoms and steps, or that for given space groups, is kept: in the user's cache."""
    return cache_folder() / "models" / f"diffcsp-icsd-{'symmetric-' if symmetric else ''}{atoms}-atoms-{steps}"


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
    place = _place(atoms, folder, steps, symmetric=False)
    if (place / "model.json").is_file():
        return DiffCSP.load(place)
    shown, hidden = _parts(_known(atoms, quiet) if data is None else data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DiffCSP(**SIZE)
    model.fit(shown, _training(shown, steps), checkpoint=place / "checkpoint", quiet=quiet)
    return _keep(model, place, None if hidden is None else of_compositions(model, shown, hidden))


def trained_symmetric(
    atoms: int,
    folder: str | Path | None = None,
    *,
    steps: int = GROUPED_STEPS,
    data: CrystalDataset | None = None,
    quiet: bool = False,
) -> SymmetricDiffCSP:
    """The same for given space groups: :class:`SymmetricDiffCSP`, trained on crystals that were made symmetric.

    Crystals in which no symmetry is found are left out. What :func:`held_out` tells is of predictions that were given the true group,
    beside the nearest known crystal of that group.

    Args:
        atoms, folder, steps, data, quiet: as for :func:`trained`.

    Raises:
        ArgumentError: as for :func:`trained`, or no crystal has a symmetry that is found.
        KeyboardInterrupt: on Ctrl-C, when the step was finished and kept.
    """
    place = _place(atoms, folder, steps, symmetric=True)
    if (place / "model.json").is_file():
        return SymmetricDiffCSP.load(place)
    shown, hidden = _parts(_with_groups(_known(atoms, quiet) if data is None else data, quiet))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SymmetricDiffCSP(**SIZE)
    model.fit(shown, _training(shown, steps), checkpoint=place / "checkpoint-symmetric", quiet=quiet)
    return _keep(model, place, None if hidden is None else of_groups(model, shown, hidden))


def is_plain(folder: str | Path) -> bool:
    """Whether a folder holds a :class:`DiffCSP`, which can be given a space group but was not trained for it."""
    path = Path(folder) / "model.json"
    return path.is_file() and "diffcsp" in read_json(path, "folder")


def _place(atoms: int, folder: str | Path | None, steps: int, symmetric: bool) -> Path:
    steps, atoms = count("steps", steps, "training steps"), count("atoms", atoms, "atoms")
    if atoms > (most := Settings().max_atoms):
        raise ArgumentError("atoms", f"at most {most} atoms in a cell", repr(atoms))
    place = model_folder(atoms, steps, symmetric) if folder is None else Path(folder)
    if place.exists() and not place.is_dir():
        raise ArgumentError("folder", "a folder", f"the file {str(place)!r}")
    return place


def _known(atoms: int, quiet: bool) -> CrystalDataset:
    return of_size(icsd_clean(Settings().max_atoms, quiet=quiet), atoms)


def _parts(data: CrystalDataset) -> tuple[CrystalDataset, CrystalDataset | None]:
    """What is learned from, and what tells what the model is worth, if there is enough."""
    shown, hidden = (data[part] for part in split_by(data.formulas(), (1 - HELD, HELD)))
    hidden = hidden[:MOST]
    return (shown, hidden) if len(hidden) >= FEWEST else (data, None)


def _training(shown: CrystalDataset, steps: int) -> TrainingConfig:
    batch = max(1, min(BATCH, round(BATCH_PAIRS / float(shown.sizes.double().square().mean()))))
    return TrainingConfig(steps=steps, batch_size=batch, lr=RATE, weight_decay=0.0, clip=1.0)


def _with_groups(data: CrystalDataset, quiet: bool) -> CrystalDataset:
    """The crystals in which a symmetry is found, in primitive cells; the column ``found_group`` has their space groups."""
    kept: list[Crystal] = []
    groups: list[int] = []
    with progress(len(data), "space groups", quiet=quiet) as bar:
        for one in data:
            try:
                found = conventional(one, SYMPREC)
            except ArgumentError:
                continue
            finally:
                bar.advance(1)
            kept.append(found.primitive)
            groups.append(found.protostructure.space_group)
    if not kept:
        raise ArgumentError("data", "crystals with a symmetry that is found", f"none among {len(data)}")
    return CrystalDataset.from_structures(kept, found_group=groups)


def _keep(model: Model, place: Path, worth: HeldOut | None) -> Model:
    if worth is not None:
        write_json(place / "held_out.json", asdict(worth))
    model.save(place)
    for name in ("checkpoint", "checkpoint-symmetric"):
        shutil.rmtree(place / name, ignore_errors=True)
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
