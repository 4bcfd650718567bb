"""Bounds on pre-activations over all inputs, or over a box of them: a neuron that is proved to be off or on needs no sample.

First by intervals. Where those decide nothing, by a linear program over the layers before, in which an activation is at least zero and at
least its pre-activation (and no more than the chord between its bounds, where these are finite).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.network import ReluNetwork

Box = tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Bounds:
    """``low <= z_l <= high`` for the hidden layers l = 1 ... d - 1, each ``[n_l]``; infinite where nothing is known."""

    low: tuple[Tensor, ...]
    high: tuple[Tensor, ...]


def bounds(network: ReluNetwork, box: Box = None, wanted: tuple[Tensor, ...] | None = None) -> Bounds:
    """Bounds of all hidden pre-activations.

    Args:
        box: least and largest value of every input; None for all of ``R^{n_0}``.
        wanted: for each hidden layer, the neurons ``[n_l]`` for which a linear program is worth its time; none by default.

    Raises:
        ArgumentError: the box is empty.

    >>> net = ReluNetwork((torch.eye(2), -torch.ones(1, 2), torch.ones(1, 1)), (torch.zeros(2), -torch.ones(1), torch.zeros(1)))
    >>> bounds(net).high[1]                            # activations are not negative, so the second layer is at most its bias
    tensor([-1.], dtype=torch.float64)
    """
    if box is not None and not box[0] <= box[1]:
        raise ArgumentError("box", "(low, high) with low <= high", box)
    edge = (-float("inf"), float("inf")) if box is None else box
    low, high = (torch.full((network.widths[0],), float(e), dtype=torch.float64) for e in edge)
    lows: list[Tensor] = []
    highs: list[Tensor] = []
    for layer in range(len(network.weights) - 1):
        w, b = network.weights[layer], network.biases[layer]
        up, down = w.clamp(min=0), w.clamp(max=0)
        lows.append(_times(up, low) + _times(down, high) + b)
        highs.append(_times(up, high) + _times(down, low) + b)
        for neuron in () if wanted is None or not layer else torch.nonzero(wanted[layer]).flatten().tolist():
            if lows[layer][neuron] <= 0 <= highs[layer][neuron]:
                program = _Program(network, lows[:layer], highs[:layer], box)
                highs[layer][neuron] = min(float(highs[layer][neuron]), program.largest(w[neuron], float(b[neuron])))
                lows[layer][neuron] = max(float(lows[layer][neuron]), -program.largest(-w[neuron], -float(b[neuron])))
        low, high = lows[layer].clamp(min=0), highs[layer].clamp(min=0)
    return Bounds(tuple(lows), tuple(highs))


def _times(w: Tensor, edge: Tensor) -> Tensor:
    """``w @ edge``, where a zero weight does not see an infinite edge."""
    return torch.where(w == 0, 0.0, w * edge).sum(-1)


class _Program:
    """The linear program of the layers before one: variables ``x, a_1, ..., a_k``, constraints ``rows @ v <= sides``."""

    def __init__(self, network: ReluNetwork, low: list[Tensor], high: list[Tensor], box: Box) -> None:
        widths = network.widths[: len(low) + 1]
        starts = np.cumsum([0, *widths])
        self.size, self.last = int(starts[-1]), slice(int(starts[-2]), int(starts[-1]))
        rows: list[np.ndarray] = []
        sides: list[float] = []
        self.limits: list[tuple[float | None, float | None]] = [(None, None) if box is None else box] * widths[0]
        for layer, n in enumerate(widths[1:]):
            w, b = network.weights[layer].numpy(), network.biases[layer].numpy()
            before = slice(int(starts[layer]), int(starts[layer + 1]))
            for j in range(n):
                least, most = float(low[layer][j]), float(high[layer][j])
                if most <= 0:
                    self.limits.append((0.0, 0.0))
                    continue
                self.limits.append((0.0, most if np.isfinite(most) else None))
                row = np.zeros(self.size)
                row[before], row[starts[layer + 1] + j] = w[j], -1.0
                rows.append(row)  # a >= z
                sides.append(-b[j])
                if least >= 0:
                    rows.append(-row)  # a = z
                    sides.append(b[j])
                elif np.isfinite(most) and np.isfinite(least):
                    slope = most / (most - least)
                    chord = np.zeros(self.size)
                    chord[before], chord[starts[layer + 1] + j] = -slope * w[j], 1.0
                    rows.append(chord)  # a <= slope (z - least)
                    sides.append(slope * (b[j] - least))
        self.rows = np.array(rows) if rows else None
        self.sides = np.array(sides) if rows else None

    def largest(self, w: Tensor, b: float) -> float:
        """The largest ``w . a_k + b``."""
        cost = np.zeros(self.size)
        cost[self.last] = -w.numpy()
        found = linprog(cost, self.rows, self.sides, bounds=self.limits, method="highs")
        return -float(found.fun) + b if found.status == 0 else float("inf")
