"""What mates differ in: effective conductivities, and how well these follow from statistics of second and third order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from erlangen.fields import microstructures as micro
from erlangen.reporting import progress

DELTAS = (0.4, 0.2, 0.1, 0.05, 0.025)


class Homogenised(NamedTuple):
    """Effective conductivities of two mates.

    Attributes:
        contrast: of the phases.
        refine: elements along the edge of a site.
        first, second: along both axes.
    """

    contrast: float
    refine: int
    first: list[float]
    second: list[float]


def conductivities(pair: np.ndarray, full: bool) -> list[Homogenised]:
    """Of the 4 x 3 root, for several contrasts and meshes; the poorer conductor of both along axis 0 first."""
    rows = []
    for contrast in (2.0, 10.0, 100.0):
        for refine in (4, 8, 16, 32, *((64,) if full else ())):
            each = sorted(np.diag(micro.effective_conductivity(S, (contrast, 1), refine)).tolist() for S in pair)
            rows.append(Homogenised(contrast, refine, *each))
    return rows


def expansion(pair: np.ndarray) -> list[tuple[float, float]]:
    """For small contrasts ``delta`` the largest difference of both conductivities over ``delta^3``."""
    found = []
    for delta in DELTAS:
        first, second = (micro.effective_conductivity(S, (1 + delta, 1), 4) for S in pair)
        found.append((delta, float(np.abs(first - second).max() / delta**3)))
    return found


class Annealed(NamedTuple):
    """Reconstructions from the correlations of one mate.

    Attributes:
        runs: how many.
        original, mate, neither: where those that reach the correlations exactly end, up to relations.
        residual: of those that do not, the mean of what is left, relative to the start.
    """

    runs: int
    original: int
    mate: int
    neither: int
    residual: float


def annealed(pair: np.ndarray, runs: int, steps: int, seed: int) -> Annealed:
    """Simulated annealing by exchanges of two sites (C. L. Y. Yeong, S. Torquato, PRE 57 (1998)), two phases."""
    target, rng = micro.two_point(pair[0])[0], np.random.default_rng(seed)
    ends, left = {"original": 0, "mate": 0, "neither": 0}, []
    for _ in range(runs):
        S = rng.permutation(pair[0].reshape(-1)).reshape(pair[0].shape)
        energy = start = float(((micro.two_point(S)[0] - target) ** 2).sum())
        temperature = max(start, 1.0) / 20
        for _ in range(steps):
            if energy == 0:
                break
            a, b = rng.choice(np.flatnonzero(S == 1)), rng.choice(np.flatnonzero(S == 2))
            T = S.copy()
            T.reshape(-1)[[a, b]] = 2, 1
            new = float(((micro.two_point(T)[0] - target) ** 2).sum())
            if new <= energy or rng.random() < np.exp((energy - new) / temperature):
                S, energy = T, new
            temperature *= 0.01 ** (1 / steps)
        if energy:
            left.append(energy / start)
        else:
            which = "original" if micro.related(S, pair[0]) else "mate" if micro.related(S, pair[1]) else "neither"
            ends[which] += 1
    return Annealed(runs, ends["original"], ends["mate"], ends["neither"], float(np.mean(left)) if left else 0.0)


class Regression(NamedTuple):
    """Conductivities predicted from statistics.

    Attributes:
        structures, judged: how many, and how many of them are judged (none of their correlations is learned from).
        spread: standard deviation of what is predicted, over those judged.
        floor: the least error that any function of two-point correlations has on structures that share them.
        mean, second, third: root mean square errors on judged structures with mates, of the mean, of ridge regression on two-point
            correlations and their squares, and with bispectra.
    """

    structures: int
    judged: int
    spread: float
    floor: float
    mean: float
    second: float
    third: float


def regression(sizes: tuple[int, ...], sites: int, seeds: Sequence[int], quiet: bool) -> list[Regression]:
    """Predict the conductivity along axis 0 at contrast 10 of all structures on a small grid, up to translation; for each seed anew."""
    every = micro.search_roots(sizes, (sites,), "translations").representatives
    y = np.empty(len(every))
    with progress(len(every), "conductivities", quiet) as bar:
        for i, S in enumerate(every):
            y[i] = micro.effective_conductivity(S, (10, 1), 2)[0, 0]
            bar.advance()
    C = micro.two_point(every, dims=len(sizes)).reshape(len(every), -1).astype(float)
    _, group = np.unique(C, axis=0, return_inverse=True)
    B = np.stack([micro.bispectrum(S)[0].reshape(-1) for S in every])
    upper = np.triu_indices(C.shape[1])
    second = np.concatenate([C, (C[:, :, None] * C[:, None])[:, upper[0], upper[1]]], 1)
    third = np.concatenate([second, B.real, B.imag], 1)
    return [_judged(y, group, second, third, np.random.default_rng(seed)) for seed in seeds]


def _judged(y: np.ndarray, group: np.ndarray, second: np.ndarray, third: np.ndarray, rng: np.random.Generator) -> Regression:
    """Whole classes of one correlation are learned from, choose the penalty, or are judged."""
    part = rng.permutation(group.max() + 1)[group] / (group.max() + 1)
    learn, choose, judge = part < 0.6, (part >= 0.6) & (part < 0.75), part >= 0.75
    members = np.bincount(group)[group]
    means = np.bincount(group, y)[group] / members
    shared = judge & (np.abs(y - means) > 1e-9)

    def rmse(prediction: np.ndarray) -> float:
        return float(np.sqrt(((prediction - y)[shared] ** 2).mean()))

    return Regression(
        len(y), int(shared.sum()), float(y[shared].std()), rmse(means), rmse(np.full(len(y), y[learn].mean())),
        *(rmse(_ridge(x, y, learn, choose)) for x in (second, third)),
    )  # fmt: skip


def _ridge(x: np.ndarray, y: np.ndarray, learn: np.ndarray, choose: np.ndarray) -> np.ndarray:
    """Predictions for all, with the penalty that does best on what is kept to choose it."""
    scale = x[learn].std(0)
    kept = scale > 1e-9 * max(1.0, float(scale.max()))
    z = (x[:, kept] - x[learn][:, kept].mean(0)) / scale[kept]
    offset = y[learn].mean()
    u, s, vt = np.linalg.svd(z[learn], full_matrices=False)
    inner = u.T @ (y[learn] - offset)
    found = [z @ (vt.T @ (s / (s**2 + penalty) * inner)) + offset for penalty in 10.0 ** np.arange(-4, 6)]
    return min(found, key=lambda p: float(((p - y)[choose] ** 2).sum()))
