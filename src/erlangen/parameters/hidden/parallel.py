"""Pairs of neurons of one layer whose incoming weights and biases are multiples of each other."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.parameters.hidden.network import ReluNetwork

#: Rows of length one, each weight times the size of what it multiplies, agree to this: what is left is rounding of the parameters.
CLOSE = 1e-12


def parallel_pairs(network: ReluNetwork, layer: int, acts: Tensor | None = None) -> list[tuple[int, int, float]]:
    """``(i, j, c)`` with row and bias of ``j`` equal to ``c`` times those of ``i`` (``c`` may be negative). Layers count from 1.

    Each neuron is paired with the first one that it is parallel to, in either sense.

    Args:
        acts: what arrives at the layer, ``[N, n]``; weights matter as much as it is large. One by default.

    >>> net = ReluNetwork((torch.tensor([[1.0], [2.0], [-1.0]]), torch.ones(1, 3)), (torch.zeros(3), torch.zeros(1)))
    >>> parallel_pairs(net, 1)
    [(0, 1, 2.0), (0, 2, -1.0)]
    """
    rows = torch.cat([weighed(network.weights[layer - 1], acts), network.biases[layer - 1].unsqueeze(-1)], -1)
    length = rows.norm(dim=-1)
    unit = rows / length.clamp_min(1e-300).unsqueeze(-1)
    same, opposite = (torch.cdist(unit, sign * unit, p=float("inf")) < CLOSE for sign in (1.0, -1.0))
    found = []
    for j in range(1, len(rows)):
        for i in range(j):
            if length[i] > 0 and length[j] > 0 and bool(same[i, j] | opposite[i, j]):
                found.append((i, j, float(length[j] / length[i]) * (1.0 if same[i, j] else -1.0)))
                break
    return found


def weighed(weights: Tensor, acts: Tensor | None) -> Tensor:
    """Weights ``[n, m]`` times the largest of what each multiplies (what never came counts as much as what came most)."""
    if acts is None:
        return weights
    size = acts.abs().amax(0)
    return weights * torch.where(size > 0, size, size.max() if bool((size > 0).any()) else 1.0)
