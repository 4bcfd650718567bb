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
#: A program's bound is that exact, relative to what is added up for the pre-activation: ten times the solver's tolerance. One that is
#: nearer to zero has no sign.
SOLVED = 1e-6


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
        raise ArgumentError("box", "(low, high) with low <= high", repr(box))
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
    """The linear program of the layers before one: variables ``x, a_1, ..., a_k``, constraints ``rows @ v <= sides``.

    The solver's tolerances are absolute, so each variable is counted in a unit of its own, about as large as it gets.
    """

    def __init__(self, network: ReluNetwork, low: list[Tensor], high: list[Tensor], box: Box) -> None:
        widths = network.widths[: len(low) + 1]
        starts = np.cumsum([0, *widths])
        self.size, self.last = int(starts[-1]), slice(int(starts[-2]), int(starts[-1]))
        rows: list[np.ndarray] = []
        sides: list[float] = []
        self.units = _units(network, len(low), box)
        self.limits: list[tuple[float | None, float | None]] = [
            (None, None) if box is None else (box[0] / unit, box[1] / unit) for unit in self.units[: widths[0]]
        ]
        for layer, n in enumerate(widths[1:]):
            w, b = network.weights[layer].numpy(), network.biases[layer].numpy()
            before = slice(int(starts[layer]), int(starts[layer + 1]))
            for j in range(n):
                least, most = float(low[layer][j]), float(high[layer][j])
                if most <= 0:
                    self.limits.append((0.0, 0.0))
                    continue
                own = self.units[starts[layer + 1] + j]
                self.limits.append((0.0, most / own if np.isfinite(most) else None))
                row = np.zeros(self.size)
                row[before], row[starts[layer + 1] + j] = w[j] * self.units[before] / own, -1.0
                rows.append(row)  # a >= z
                sides.append(-b[j] / own)
                if least >= 0:
                    rows.append(-row)  # a = z
                    sides.append(b[j] / own)
                elif np.isfinite(most) and np.isfinite(least):
                    slope = most / (most - least)
                    chord = np.zeros(self.size)
                    chord[before], chord[starts[layer + 1] + j] = -slope * w[j] * self.units[before] / own, 1.0
                    rows.append(chord)  # a <= slope (z - least)
                    sides.append(slope * (b[j] - least) / own)
        self.rows = np.array(rows) if rows else None
        self.sides = np.array(sides) if rows else None

    def largest(self, w: Tensor, b: float) -> float:
        """The largest ``w . a_k + b``; above zero where the solver's tolerance leaves its sign open."""
        cost = np.zeros(self.size)
        cost[self.last] = -w.numpy() * self.units[self.last]
        total = float(np.abs(cost).sum()) + abs(b) or 1.0
        found = linprog(cost / total, self.rows, self.sides, bounds=self.limits, method="highs")
        if found.status != 0:
            return float("inf")
        value = -float(found.fun) * total + b
        return value if value > 0 or value <= -SOLVED * total else SOLVED * total


def _units(network: ReluNetwork, layers: int, box: Box) -> np.ndarray:
    """About how large inputs and the activations of the first layers are: the sums that are formed, from the ends of the box, or from
    inputs that come up to the largest bias."""
    if box is not None:
        first = torch.full((network.widths[0],), max(abs(box[0]), abs(box[1])) or 1.0, dtype=torch.float64)
    else:
        steepest = network.weights[0].abs().amax(0)
        level = max(float(b.abs().max()) for b in network.biases[: layers + 1]) or 1.0
        first = torch.where(steepest > 0, level / steepest.clamp_min(1e-300), 1.0)
    units = [first]
    for w, b in zip(network.weights[:layers], network.biases[:layers]):
        size = w.abs() @ units[-1] + b.abs()
        units.append(torch.where(size > 0, size, 1.0))
    return torch.cat(units).numpy()
