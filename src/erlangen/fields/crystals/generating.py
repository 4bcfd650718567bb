"""Crystals of a wanted space group: protostructures by WyckoffDiff, realised, and kept where engines find the group that was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from erlangen.data import package_file
from erlangen.data.packaged import cache_folder
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import atomic_number
from erlangen.fields.crystals.icsd import MEMBER, PACKAGE, icsd_clean, stored_protostructures
from erlangen.fields.crystals.protostructure import Protostructure, wyckoff_table
from erlangen.fields.crystals.resuming import Journal
from erlangen.fields.crystals.wyckoffdiff import Realisation, WyckoffDiff, atomic_volumes, realise
from erlangen.reporting import progress
from erlangen.training import TrainingConfig

#: What the model that is kept was made with; another number in the name whenever these change.
MODEL, MOST, STEPS = "wyckoffdiff-icsd-2", 8, 8000
#: So many samples are drawn for each crystal that is wanted before it is said that they do not come.
DRAWS = 20


@dataclass(frozen=True, eq=False)
class Generated:
    """What :func:`generate` made.

    Attributes:
        crystals: those that were kept.
        asked: how many were wanted.
        rejected: samples that were not kept, and why: reason -> how many.
        known: how many of those kept have a protostructure that is in the training data.
    """

    crystals: tuple[Realisation, ...]
    asked: int
    rejected: dict[str, int]
    known: int

    @property
    def drawn(self) -> int:
        """All samples."""
        return len(self.crystals) + sum(self.rejected.values())

    def __repr__(self) -> str:
        return f"Generated({len(self.crystals)} of {self.asked} crystals, from {self.drawn} samples)"


def known_protostructures(*, quiet: bool = False) -> list[Protostructure]:
    """Those of the clean ICSD crystals with at most eight orbits of an element on a position: what the kept model learnt from."""
    return list(_real(quiet)[0])


def wyckoff_model(folder: str | Path | None = None, *, steps: int = STEPS, quiet: bool = False) -> WyckoffDiff:
    """The WyckoffDiff of 26 231 real crystals: kept in the user's cache folder, trained there by the first call.

    That takes five minutes or so on two cores. A training that was interrupted goes on where it was.

    Args:
        folder: where it is kept, instead of the cache folder.
        steps: of the training, where there is one.
        quiet: no progress.
    """
    place = cache_folder() / "models" if folder is None else Path(folder)
    path = place / f"{MODEL}{'' if steps == STEPS else f'-{steps}'}.safetensors"
    if path.is_file():
        return WyckoffDiff.load(path)
    if not quiet:
        print(f"No model yet: one is trained on crystals of the ICSD, once (minutes), and kept as {path}")
    torch.manual_seed(0)
    model = WyckoffDiff(
        "zeros",
        elements=94,
        most=MOST,
        steps=100,
        hidden=128,
        width=128,
        layers=2,
        norm=True,
        rank=3,
        company=True,
        relabel="canonical",
        normalised=False,
    )
    config = TrainingConfig(steps=steps, batch_size=64, lr=8e-3, weight_decay=0.0, clip=5.0, warmup=20)
    model.fit(known_protostructures(quiet=quiet), config, checkpoint=path.with_suffix(".training"), quiet=quiet)
    model.save(path)
    return model


def generate(
    n: int,
    space_group: int | None = None,
    *,
    elements: Sequence[str | int] | None = None,
    max_atoms: int = 60,
    model: WyckoffDiff | None = None,
    calculator: Any = None,
    n_tries: int = 4,
    novel: bool = False,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    quiet: bool = False,
) -> Generated:
    """New crystals: samples of the model, realised; kept are distinct ones in which spglib finds the group that was asked for.

    What is made is a guess at what might exist: without a calculator nothing was relaxed, and with one nothing says that it is stable.

    Args:
        n: how many are wanted.
        space_group: of all of them; by default groups are drawn as often as they occur among real crystals.
        elements: the only ones that may occur.
        max_atoms: in the primitive cell; larger samples are left out.
        model: by default :func:`wyckoff_model`.
        calculator, n_tries: of :func:`~erlangen.fields.crystals.wyckoffdiff.realise`.
        novel: leave out protostructures of the training data.
        seed: of the samples; the same crystals come again, one after another.
        checkpoint: a file in which each crystal is kept once it is realised: the same call goes on where it was interrupted.
        quiet: no progress.

    Raises:
        ArgumentError: numbers out of range, an unknown element, ``max_atoms`` smaller than any crystal of the group, or a checkpoint of
            another call.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ArgumentError("n", "a positive whole number", repr(n))
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ArgumentError("seed", "a whole number", repr(seed))
    if space_group is not None:
        table = wyckoff_table(space_group)
        least = int(table.multiplicities.min()) // table.centring
        if max_atoms < least:
            raise ArgumentError("max_atoms", f"at least {least}, the fewest that space group {space_group} has", repr(max_atoms))
    numbers = None if elements is None else [atomic_number(one, "elements") for one in elements]
    model = wyckoff_model(quiet=quiet) if model is None else model
    learnt, volumes = _learnt(quiet), _real(quiet)[1]
    settings: dict[str, Any] = {
        "n": n,
        "space_group": space_group,
        "elements": numbers,
        "max_atoms": max_atoms,
        "novel": novel,
        "n_tries": n_tries,
    }
    settings |= {"calculator": calculator if isinstance(calculator, str | None) else type(calculator).__name__, "seed": seed}
    journal = Journal(checkpoint, {**settings, "model": model.digest()} if checkpoint is not None else settings)
    kept: list[Realisation] = []
    seen: set[Protostructure] = set()
    rejected: Counter[str] = Counter()
    count = max(n, 16)
    with progress(n, "crystals", quiet=quiet) as bar:
        for batch in range(DRAWS):
            generator = torch.Generator().manual_seed((seed * 1_000_003 + batch) % 2**63)
            samples = model.sample(count, space_group=space_group, elements=numbers, generator=generator)
            seeds = torch.randint(2**62, (count,), generator=generator).tolist()  # each sample's own: none depends on others
            for i, sample in enumerate(samples):
                reason, made = _reason(sample, seen, learnt, volumes, max_atoms, novel), None
                if reason is None and sample is not None:
                    number = batch * count + i
                    made = journal.get(number)
                    if made is None:
                        own = torch.Generator().manual_seed(seeds[i])
                        made = realise(sample, n_tries, calculator, volumes=volumes, generator=own)
                        journal.add(number, made)
                    reason = None if made.symmetry == "kept" else f"another space group once realised ({made.symmetry})"
                    seen.add(sample.canonical())
                if reason is not None or made is None:
                    rejected[str(reason)] += 1
                    continue
                kept.append(made)
                bar.advance()
                if len(kept) == n:
                    return _result(kept, n, rejected, learnt)
    return _result(kept, n, rejected, learnt)


def _real(quiet: bool) -> tuple[tuple[Protostructure, ...], dict[int, float]]:
    """The protostructures of the training data, and the volumes of atoms in real crystals of at most 20."""
    package_file(PACKAGE, MEMBER, quiet=quiet)  # the one part that shows progress
    return _read()


@lru_cache(maxsize=1)
def _read() -> tuple[tuple[Protostructure, ...], dict[int, float]]:
    data = icsd_clean(quiet=True)
    every = stored_protostructures(data)
    known = tuple(one for one in every if max(count for _, _, count in one.sites) <= MOST)
    return known, atomic_volumes(data[data.sizes <= 20])


def _learnt(quiet: bool) -> frozenset[Protostructure]:
    """The training data in their canonical descriptions."""
    _real(quiet)
    return _canonical()


@lru_cache(maxsize=1)
def _canonical() -> frozenset[Protostructure]:
    return frozenset(one.canonical() for one in _read()[0])


def _result(kept: list[Realisation], n: int, rejected: Counter[str], learnt: Set[Protostructure]) -> Generated:
    known = sum(one.protostructure.canonical() in learnt for one in kept)
    return Generated(tuple(kept), n, dict(rejected), known)


def _reason(
    sample: Protostructure | None,
    seen: Set[Protostructure],
    learnt: Set[Protostructure],
    volumes: Mapping[int, float],
    max_atoms: int,
    novel: bool,
) -> str | None:
    """Why a sample is not kept."""
    if sample is None:
        return "without an atom"
    if sample.n_atoms() > max_atoms:
        return f"more than {max_atoms} atoms"
    if not all(volumes.get(element, 0) > 0 for element in sample.counts):
        return "an element whose atoms have no known volume"
    canonical = sample.canonical()
    if canonical in seen:
        return "a protostructure that was there before"
    if novel and canonical in learnt:
        return "a protostructure of the training data"
    return None
