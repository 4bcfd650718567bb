"""What a ReLU network does at many inputs: which neurons are active, what arrives at them, and whether they matter to the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.bounds import Bounds, Box, bounds
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.points import gaussian, on_a_line, sample_at

#: Inputs where none are given, and their spreads.
POINTS, SCALES = 30_000, (1.0, 3.0, 10.0)


@dataclass(frozen=True, eq=False)
class Observed:
    """Layers count from 1 as in the formulas; lists have an empty place for what a layer does not have.

    Attributes:
        network: what was observed.
        x: inputs off all kinks ``[N, n_0]``.
        acts: ``a_0 ... a_{d-1}``, each ``[N, n_l]``.
        z: ``z_1 ... z_{d-1}`` under their numbers.
        active: where ``z_l > 0``.
        formed: how large the sums are that make ``z_1 ... z_d``, see :meth:`ReluNetwork.formed`, under their numbers.
        matters: where a neuron is active and the output's derivative in it is not zero.
        proved: bounds of the hidden pre-activations.
        complete: whether all linear regions were seen.
    """

    network: ReluNetwork
    x: Tensor
    acts: list[Tensor]
    z: list[Tensor]
    active: list[Tensor]
    formed: list[Tensor]
    matters: list[Tensor]
    proved: Bounds
    complete: bool

    def off(self, layer: int) -> list[tuple[int, str]]:
        """Neurons of a layer that were never active, and how that is known."""
        never = torch.nonzero(~self.active[layer].any(0)).flatten().tolist()
        return [(j, self.evidence(bool(self.proved.high[layer - 1][j] <= 0))) for j in never]

    def on(self, layer: int) -> list[tuple[int, str]]:
        """Neurons of a layer that were always active, and how that is known."""
        always = torch.nonzero(self.active[layer].all(0)).flatten().tolist()
        return [(j, self.evidence(bool(self.proved.low[layer - 1][j] >= 0))) for j in always]

    def evidence(self, proved: bool = False) -> str:
        """``"bound"`` (proved), ``"all regions"`` (of a line) or ``"sampled"``."""
        return "bound" if proved else "all regions" if self.complete else "sampled"


def observe(network: ReluNetwork, points: Any, generator: torch.Generator, box: Box = None) -> Observed:
    """Run a network at given inputs (None: a mixture of normal ones of three spreads, and one in each region of a line).

    Raises:
        ArgumentError: no input, or none that is off all kinks.
    """
    line = network.widths[0] == 1 and points is None
    if points is None:
        x = torch.cat(gaussian(POINTS, network.widths[0], SCALES, generator))
        if line:
            x = torch.cat([x, on_a_line(network).x[::2]])
    else:
        x = network.inputs(points, "points")
        if x.ndim != 2 or not len(x):
            raise ArgumentError("points", f"inputs [N, {network.widths[0]}] with N >= 1", f"shape {tuple(x.shape)}")
    x = sample_at(network, x).x
    if not len(x):
        raise ArgumentError("points", "an input that is off all kinks", "none")
    z = [x[:, :0], *network.preactivations(x)[:-1]]
    acts = [x, *(t.relu() for t in z[1:])]
    active = [t > 0 for t in z]
    matters = list(active)
    outputs = network.widths[-1]
    delta = size = torch.eye(outputs, dtype=torch.float64).expand(len(x), outputs, outputs)
    for layer in range(len(network.weights) - 1, 0, -1):
        w, on = network.weights[layer], active[layer].unsqueeze(1)
        delta, size = delta @ w * on, size @ w.abs() * on
        matters[layer] = (delta.abs() > network.rounding * size).any(1)
    undecided = tuple(s.all(0) | ~s.any(0) for s in active[1:])
    formed = [x[:, :0], *network.formed(x, active[1:])]
    return Observed(network, x, acts, z, active, formed, matters, bounds(network, box, undecided), line)
