"""What a chemist would write down of a molecule: how many of which surroundings there are, and the dipole moment by bonds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from erlangen.fields.molecules import Molecule
from erlangen.studies.rivals import Simple, boosters, machines, simplest

#: Electronegativities by L. Pauling, from which moments of bonds start, and what holds them there beside the data.
NEGATIVITY = {1: 2.2, 6: 2.55, 7: 3.04, 8: 3.44, 9: 3.98}
START, HOLD = 0.5, 0.3
#: Kinds of surroundings that fewer molecules have than this are not counted.
LEAST = 15


def predictions(found: Sequence[Molecule], y: np.ndarray, learn: int) -> tuple[np.ndarray, list[Simple]]:
    """Lengths of dipole moments and orbital energies of all molecules, learned from the first ones.

    Args:
        found: molecules; the first ``learn`` are learned from.
        y: ``[N, 2]``, of which the first ``learn`` rows are read.
        learn: how many.

    Returns:
        ``[N, 2]``, and the model of each column: of counts, and for the dipole moment that by bonds as well.
    """
    counts, moments = zip(*map(_seen, found))
    x, bonds = _table(counts, learn), _table(moments, learn)
    x = np.concatenate([x, _by_bonds(bonds, _kinds(moments, learn), y[:, 0], learn)[:, None]], 1)
    candidates = {**boosters(False, rates=(0.05,), leaves=(15,)), **machines(False, strengths=(1.0, 10.0))}
    models, out = [], []
    for column in y.T:
        mean, spread = column[:learn].mean(), column[:learn].std()
        model = simplest(candidates, x[:learn], (column[:learn] - mean) / spread, score=lambda a, b: -float(np.abs(a - b).mean()))
        models.append(model)
        out.append(model.predict(x).numpy() * spread + mean)
    return np.stack(out, 1), models


def _seen(m: Molecule) -> tuple[Counter[Any], dict[Any, np.ndarray]]:
    """Counts of heavy atoms by element and bonds, with their neighbours, and pairwise; and sums of bonds' vectors by their two ends."""
    near: list[list[int]] = [[] for _ in m.numbers]
    for a, b in m.bonds().T.tolist():
        near[a].append(b)
    kind = [(z, len(n)) for z, n in zip(m.numbers, near)]
    pos = m.pos.numpy()
    counts: Counter[Any] = Counter()
    along: dict[Any, np.ndarray] = {}
    for a, z in enumerate(m.numbers):
        if z == 1:
            continue
        counts[kind[a]] += 1
        counts[kind[a], tuple(sorted(kind[b] for b in near[a]))] += 1
        for b in near[a]:
            ends = kind[a], kind[b]
            counts[ends] += 1
            along[ends] = along.get(ends, np.zeros(3)) + pos[b] - pos[a]
    return counts, along


def _kinds(found: Sequence[Mapping[Any, Any]], learn: int) -> list[Any]:
    many = Counter(key for one in found[:learn] for key in one)
    return [key for key, count in many.items() if count >= min(LEAST, learn // 10)]


def _table(found: Sequence[Mapping[Any, Any]], learn: int) -> np.ndarray:
    kinds = _kinds(found, learn)
    nothing = 0 * next(iter(found[0].values()))
    return np.array([[one.get(key, nothing) for key in kinds] for one in found], dtype=float)


def _by_bonds(bonds: np.ndarray, kinds: list[Any], dipoles: np.ndarray, learn: int) -> np.ndarray:
    """Lengths of ``sum over bonds of (moment of their kind) times (vector)``, the moments fitted to the first dipoles."""
    from scipy.optimize import least_squares

    start = np.array([START * (NEGATIVITY[b[0]] - NEGATIVITY[a[0]]) for a, b in kinds])
    first, wanted = bonds[:learn], dipoles[:learn]

    def vectors(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = np.einsum("ntc,t->nc", first, moments)
        return p, np.sqrt(np.square(p).sum(1) + 1e-6)

    def off(moments: np.ndarray) -> np.ndarray:
        return np.concatenate([vectors(moments)[1] - wanted, HOLD * (moments - start)])

    def slopes(moments: np.ndarray) -> np.ndarray:
        p, length = vectors(moments)
        return np.concatenate([np.einsum("ntc,nc->nt", first, p / length[:, None]), HOLD * np.eye(len(moments))])

    moments = least_squares(off, start, slopes, max_nfev=50).x
    return np.linalg.norm(np.einsum("ntc,t->nc", bonds, moments), axis=1)
