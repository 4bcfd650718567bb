"""The data: stereocentres and their mirror images, split by molecules; and what needs no network to name them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from erlangen.fields.molecules import StereoOrbits, by_molecule, mirrored
from erlangen.groups import Alternating
from erlangen.studies.rivals import Simple, boosters, simplest


@dataclass(frozen=True)
class Task:
    """One split by molecules, mirrored, scaled by the training set: ``x`` is ``[N, 13, 4]``, a centre and its mirror image adjacent."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def prepare(orbits: StereoOrbits, seed: int, size: int | None = None, shuffled: bool = True, noise: float = 0.0) -> Task:
    """Split by molecules, keep ``size`` training centres, mirror, and scale by the training set's mean and spread.

    ``shuffled``: list the neighbours of each centre, and of its mirror image, in a random one of their twelve equivalent orders.
    ``noise``: the standard deviation of what is added to every number of a row, of a centre and its mirror image alike.
    """
    if noise:
        drawn = torch.randn(orbits.x.shape, generator=torch.Generator().manual_seed(seed), dtype=orbits.x.dtype)
        orbits = orbits._replace(x=orbits.x + noise * drawn)
    train_part, test_part = by_molecule(orbits.molecules, seed)
    if size is not None:
        train_part = train_part[torch.randperm(len(train_part), generator=torch.Generator().manual_seed(seed))[:size]]
    mean, spread = orbits.x[train_part].mean((0, 1)), orbits.x[train_part].std((0, 1)).clamp_min(1e-6)
    V, generator = Alternating(4).vector, torch.Generator().manual_seed(seed)
    parts = []
    for part in (train_part, test_part):
        x, y = mirrored((orbits.x[part] - mean) / spread, orbits.y[part])
        x = x.mT.float().contiguous()
        parts += [V.act(V.group.sample(len(x), generator=generator), x) if shuffled else x, y]
    return Task(*parts)


def trained_on(orbits: StereoOrbits, seeds: Iterable[int]) -> int:
    """How many centres every one of these splits has to train on: theirs are nearly as many, and members trained at once need as many."""
    return min(len(by_molecule(orbits.molecules, seed)[0]) for seed in seeds)


def sorted_rows(x: Tensor, step: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """What a rule sees of ``[N, 13, 4]``: rows in descending order with where neighbours agree, ``[N, 91]``, and the order's parity.

    ``step``: numbers are compared as the nearest multiples of it.
    """
    rows = x.mT.double().numpy()
    compared = np.round(rows / step) if step else rows
    order = np.stack([np.lexsort(one.T[::-1])[::-1] for one in compared])
    a, b = np.triu_indices(4, 1)
    there = np.take_along_axis(rows, order[..., None], 1)
    other = np.take_along_axis(compared, order[..., None], 1)
    same = other[:, 1:] == other[:, :-1]
    return np.concatenate([there.reshape(len(rows), -1), same.reshape(len(rows), -1)], 1), (order[:, a] > order[:, b]).sum(1) % 2


def by_parity(task: Task, seed: int, steps: tuple[float, ...] = (0.0,)) -> tuple[float, Simple]:
    """The accuracy without a network: the parity of the order in which rows sort, kept or turned as boosting on the sorted rows says.

    A centre and its mirror image sort to the same rows, so half of the training rows say all. Of several ``steps`` to which numbers are
    rounded before they are compared, that is taken with which one booster is right most often on a held-out quarter.
    """

    def trained(step: float, leaves: tuple[int, ...] = (15, 31)) -> Simple:
        rows, parity = sorted_rows(task.x[::2], step)
        right = (parity == task.y[::2].numpy()).astype(int)
        return simplest(boosters(classes=True, leaves=leaves), rows, right, seed=seed)

    clock = time.process_time()
    tried = {step: trained(step, (15,)) for step in steps} if len(steps) > 1 else {}
    step = max(tried, key=lambda step: max(tried[step].held.values())) if tried else steps[0]
    found = trained(step)
    rows, parity = sorted_rows(task.x_test, step)
    trusted = found.predict(rows).numpy() == 1
    found = replace(found, seconds=time.process_time() - clock)
    return float((np.where(trusted, parity, 1 - parity) == task.y_test.numpy()).mean()), found


def agreement(orbits: StereoOrbits, index: Tensor) -> tuple[float, float]:
    """How often the parity of the order in which four different rows sort is the label, and what fraction of centres have such."""
    right = []
    for rows, label in zip(orbits.x[index].tolist(), orbits.y[index].tolist()):
        order = sorted(range(4), key=lambda i: rows[i], reverse=True)
        if all(rows[a] != rows[b] for a, b in pairwise(order)):
            swaps = sum(order[i] > order[j] for i in range(4) for j in range(i + 1, 4))
            right.append(swaps % 2 == label)
    return (statistics.fmean(right) if right else 0.5), len(right) / max(1, len(index))
