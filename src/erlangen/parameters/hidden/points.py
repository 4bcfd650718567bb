"""Inputs to look at a ReLU network from: random ones or given ones, away from kinks, and no more of a linear region than say something.

On one linear region the Jacobian is an affine function of the input, so as many affinely independent inputs as the region's span holds, at
most ``n_0 + 1``, give all its rows (a decisive set). Of one-dimensional inputs all regions are enumerated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import qr
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.network import ReluNetwork

#: An input is on a kink when a pre-activation is below this, relative to the terms that it is the sum of.
KINK = 1e-9


@dataclass(frozen=True, eq=False)
class Sample:
    """Inputs with their activation patterns, off all kinks.

    Attributes:
        x: inputs ``[N, n_0]``.
        patterns: for each hidden layer, which neurons are active ``[N, n_l]``.
        keys: each input's pattern as a row of bytes.
        dropped: how many inputs were on a kink.
    """

    x: Tensor
    patterns: tuple[Tensor, ...]
    keys: np.ndarray
    dropped: int

    @property
    def regions(self) -> int:
        """How many patterns there are."""
        return len(np.unique(as_words(self.keys)))


def gaussian(count: int, width: int, scales: Sequence[float], generator: torch.Generator) -> list[Tensor]:
    """``count`` inputs in all, an equal share from ``N(0, scale^2)`` for each scale (the first ones get one more)."""
    shares = [count // len(scales) + (i < count % len(scales)) for i in range(len(scales))]
    return [s * torch.randn(n, width, generator=generator, dtype=torch.float64) for n, s in zip(shares, scales)]


def sample_at(network: ReluNetwork, x: Tensor) -> Sample:
    """The inputs that are off all kinks, with their patterns."""
    smooth = torch.ones(len(x), dtype=torch.bool)
    patterns = []
    a = x
    for w, b in zip(network.weights[:-1], network.biases[:-1]):
        z = a @ w.mT + b
        smooth &= (z.abs() > KINK * (a.abs() @ w.abs().mT + b.abs())).all(-1)
        patterns.append(z > 0)
        a = z.relu()
    if not bool(smooth.all()):
        x, patterns = x[smooth], [s[smooth] for s in patterns]
    return Sample(x, tuple(patterns), keys_of(patterns, len(x)), int((~smooth).sum()))


def keys_of(patterns: Sequence[Tensor], count: int) -> np.ndarray:
    """Patterns packed into bytes ``[N, bytes]``."""
    if not patterns:
        return np.zeros((count, 1), dtype=np.uint8)
    return np.packbits(torch.cat(list(patterns), -1).numpy(), axis=-1)


def as_words(keys: np.ndarray) -> np.ndarray:
    """Each row of bytes as one value that can be compared."""
    return np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()


def decisive(sample: Sample, generic: bool) -> Sample:
    """At most ``n_0 + 1`` inputs of each region, with the same span of Jacobian rows.

    Args:
        generic: any inputs of a region are affinely independent, as those drawn at random are; otherwise independent ones are sought.
    """
    most = sample.x.shape[1] + 1
    _, which, counts = np.unique(as_words(sample.keys), return_inverse=True, return_counts=True)
    order = np.argsort(which, kind="stable")
    starts = np.cumsum(counts) - counts
    place = np.arange(len(order)) - np.repeat(starts, counts)
    keep = order[place < most]
    if not generic:
        crowded = np.flatnonzero(counts > most)
        keep = order[(place < most) & ~np.isin(which[order], crowded)]
        chosen = [_independent(sample.x, order[starts[r] : starts[r] + counts[r]], most) for r in crowded]
        keep = np.concatenate([keep, *chosen])
    index = torch.from_numpy(np.sort(keep))
    return Sample(sample.x[index], tuple(s[index] for s in sample.patterns), sample.keys[index.numpy()], sample.dropped)


def _independent(x: Tensor, index: np.ndarray, most: int) -> np.ndarray:
    """Inputs of one region whose ``[x; 1]`` are as independent as can be: pivots of a QR decomposition."""
    homogeneous = np.concatenate([x[index].numpy(), np.ones((len(index), 1))], 1)
    return index[qr(homogeneous.T, mode="r", pivoting=True)[1][:most]]


def on_a_line(network: ReluNetwork) -> Sample:
    """Two inputs for each interval on which a network of one input is affine: all there are.

    Kinks that agree to 1e-10 are taken to be one. The inputs are the middle of an interval and one a unit further on: the pattern is the
    interval's, and the Jacobian is affine in the input, so the second need not lie inside.

    Raises:
        ArgumentError: a neuron whose pre-activation is zero on a whole interval: nothing is smooth there.
    """
    if network.widths[0] != 1:
        raise ArgumentError("points", "None for networks of one input", f"{network.widths[0]} inputs")
    kinks = np.zeros(0)
    slope, offset = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)  # [intervals, neurons]
    patterns: list[Tensor] = []
    for w, b in zip(network.weights[:-1], network.biases[:-1]):
        slope, offset = slope @ w.mT, offset @ w.mT + b
        roots = (-offset / slope).numpy()
        low, high = np.append(-np.inf, kinks)[:, None], np.append(kinks, np.inf)[:, None]
        inside = np.isfinite(roots) & (roots > low) & (roots < high)
        finer = _merged(np.concatenate([kinks, roots[inside]]))
        where = torch.from_numpy(np.searchsorted(kinks, middles(finer)))
        kinks = finer
        slope, offset = slope[where], offset[where]
        patterns = [s[where] for s in patterns]
        middle = torch.from_numpy(middles(kinks)).unsqueeze(-1)
        value = slope * middle + offset
        if bool((value.abs() <= KINK * ((slope * middle).abs() + offset.abs())).any()):
            hint = "A neuron whose incoming weights and bias vanish has no derivative"
            raise ArgumentError("model", "neurons that are zero at single inputs alone", "one that is zero on an interval", hint)
        patterns.append(value > 0)
        slope, offset = slope * patterns[-1], offset * patterns[-1]
    at = torch.from_numpy(middles(kinks)).unsqueeze(-1)
    doubled = [s.repeat_interleave(2, 0) for s in patterns]
    x = torch.stack([at, at + 1], 1).flatten(0, 1)
    return Sample(x, tuple(doubled), keys_of(doubled, len(x)), 0)


def middles(kinks: np.ndarray) -> np.ndarray:
    """A point in each of the intervals that sorted kinks cut the line into."""
    if not len(kinks):
        return np.zeros(1)
    return np.concatenate([kinks[:1] - 1, (kinks[:-1] + kinks[1:]) / 2, kinks[-1:] + 1])


def _merged(kinks: np.ndarray) -> np.ndarray:
    kinks = np.sort(kinks)
    far = np.diff(kinks) > 1e-10 * np.maximum(1, np.abs(kinks[1:]))
    return kinks[np.append(True, far)] if len(kinks) else kinks
