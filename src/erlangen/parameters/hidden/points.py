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

#: Inputs that are run at once.
CHUNK = 4096


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


def gaussian(count: int, width: int, scales: Sequence[float], generator: torch.Generator) -> list[Tensor]:
    """``count`` inputs in all, an equal share from ``N(0, scale^2)`` for each scale (the first ones get one more)."""
    shares = [count // len(scales) + (i < count % len(scales)) for i in range(len(scales))]
    return [s * torch.randn(n, width, generator=generator, dtype=torch.float64) for n, s in zip(shares, scales)]


def sample_at(network: ReluNetwork, x: Tensor) -> Sample:
    """The inputs that are off all kinks, with their patterns."""
    found = [_patterns(network, part) for part in x.split(CHUNK)]
    smooth = torch.cat([ok for ok, _ in found])
    active = torch.cat([s for _, s in found])
    if not bool(smooth.all()):
        x, active = x[smooth], active[smooth]
    patterns = active.split(network.widths[1:-1], -1) if network.num_hidden else ()
    return Sample(x, tuple(patterns), keys_of(active), int((~smooth).sum()))


def _patterns(network: ReluNetwork, x: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each input is off all kinks ``[N]``, and which hidden neurons are active there ``[N, H]``."""
    smooth = torch.ones(len(x), dtype=torch.bool)
    active = torch.empty(len(x), network.num_hidden, dtype=torch.bool)
    # Inputs stand in columns: products of few neurons and many inputs are three times as fast so.
    x = x.mT
    size, stop = x.abs(), 0
    for w, b in zip(network.weights[:-1], network.biases[:-1]):
        z = torch.addmm(b.unsqueeze(1), w, x)
        size = torch.addmm(b.abs().unsqueeze(1), w.abs(), size)
        # Off a kink, and the sign is certain, where rounding of the sum that was formed cannot change it.
        smooth &= (z.abs() > network.rounding * size).all(0)
        start, stop = stop, stop + len(w)
        active[:, start:stop] = (z > 0).mT
        x = z.relu_()
        size *= x.sign()
    return smooth, active


def keys_of(active: Tensor) -> np.ndarray:
    """Patterns ``[N, H]`` packed into bytes ``[N, bytes]``."""
    return np.packbits(active.numpy(), axis=-1) if active.shape[1] else np.zeros((len(active), 1), dtype=np.uint8)


def as_words(keys: np.ndarray) -> np.ndarray:
    """Each row of bytes as one value that can be compared; up to eight bytes as a number, which sorts several times as fast."""
    width = keys.shape[1]
    if width <= 8:
        return np.pad(keys, ((0, 0), (0, 8 - width))).view(np.uint64).ravel()
    return np.ascontiguousarray(keys).view(np.dtype((np.void, width))).ravel()


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

    Kinks that rounding cannot tell apart are taken to be one. The inputs are the middle of an interval and one further on by the spread of
    all kinks: the pattern is the interval's, and the Jacobian is affine in the input, so the second need not lie inside.

    Raises:
        ArgumentError: a neuron whose pre-activation is zero on a whole interval: nothing is smooth there.
    """
    if network.widths[0] != 1:
        raise ArgumentError("points", "None for networks of one input", f"{network.widths[0]} inputs")
    kinks = blurs = np.zeros(0)
    # In each interval, of each neuron: its line, and the sums that were formed for its slope and offset, without cancellation.
    slope, offset = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    slopes, offsets = slope, offset
    patterns: list[Tensor] = []
    for w, b in zip(network.weights[:-1], network.biases[:-1]):
        slope, offset = slope @ w.mT, offset @ w.mT + b
        slopes, offsets = slopes @ w.abs().mT, offsets @ w.abs().mT + b.abs()
        slope = torch.where(slope.abs() > network.rounding * slopes, slope, 0.0)  # a root of rounding alone is none
        roots = (-offset / slope).numpy()
        doubt = (network.rounding * (offsets + (offset / slope).abs() * slopes) / slope.abs()).numpy()
        low, high = np.append(-np.inf, kinks)[:, None], np.append(kinks, np.inf)[:, None]
        inside = np.isfinite(roots) & (roots > low) & (roots < high)
        finer, blurs = _merged(np.concatenate([kinks, roots[inside]]), np.concatenate([blurs, doubt[inside]]))
        where = torch.from_numpy(np.searchsorted(kinks, middles(finer)))
        kinks = finer
        slope, offset, slopes, offsets = slope[where], offset[where], slopes[where], offsets[where]
        patterns = [s[where] for s in patterns]
        middle = torch.from_numpy(middles(kinks)).unsqueeze(-1)
        value = slope * middle + offset
        if bool((value.abs() <= network.rounding * (slopes * middle.abs() + offsets)).any()):
            hint = "simplify removes such neurons"
            raise ArgumentError("model", "neurons that are zero at single inputs alone", "one that is zero on an interval", hint)
        patterns.append(value > 0)
        slope, offset = slope * patterns[-1], offset * patterns[-1]
        slopes, offsets = slopes * patterns[-1], offsets * patterns[-1]
    at = torch.from_numpy(middles(kinks)).unsqueeze(-1)
    doubled = [s.repeat_interleave(2, 0) for s in patterns]
    active = torch.cat(doubled, -1) if doubled else torch.zeros(2, 0, dtype=torch.bool)
    x = torch.stack([at, at + _spread(kinks)], 1).flatten(0, 1)
    return Sample(x, tuple(doubled), keys_of(active), 0)


def middles(kinks: np.ndarray) -> np.ndarray:
    """A point in each of the intervals that sorted kinks cut the line into."""
    if not len(kinks):
        return np.zeros(1)
    far = _spread(kinks)
    return np.concatenate([kinks[:1] - far, (kinks[:-1] + kinks[1:]) / 2, kinks[-1:] + far])


def _spread(kinks: np.ndarray) -> float:
    """The length on which kinks differ: a unit of the input. Of a single one, its distance from zero."""
    if not len(kinks):
        return 1.0
    return float(kinks[-1] - kinks[0]) or float(abs(kinks[0])) or 1.0


def _merged(kinks: np.ndarray, blurs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted kinks, of those nearer to each other than some times their rounding only the first; and how far each may be off."""
    order = np.argsort(kinks)
    kinks, blurs = kinks[order], blurs[order]
    far = np.diff(kinks) > 8 * (blurs[1:] + blurs[:-1])
    kept = np.append(True, far) if len(kinks) else np.zeros(0, dtype=bool)
    return kinks[kept], blurs[kept]
