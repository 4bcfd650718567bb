"""The fingerprint that one would write down at once: all distances of a cloud, sorted by the kinds of their ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def sorted_distances(pos: Tensor, labels: Sequence[int] | Tensor | None = None) -> tuple[tuple[int, ...], Tensor]:
    """Kinds of all pairs of points and their distances, by kind and then by length: what no motion, mirror image or renumbering changes.

    >>> square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> sorted_distances(square)[1]
    tensor([1.0000, 1.0000, 1.0000, 1.0000, 1.4142, 1.4142])
    """
    n = len(pos)
    kinds = torch.zeros(n, dtype=torch.int64) if labels is None else torch.as_tensor(labels).reshape(n)
    i, j = torch.triu_indices(n, n, 1)
    pair = torch.minimum(kinds[i], kinds[j]) * 1000 + torch.maximum(kinds[i], kinds[j])
    distances = (pos[i] - pos[j]).norm(dim=-1)
    by_length = distances.argsort()
    order = by_length[pair[by_length].argsort(stable=True)]
    return tuple(pair[order].tolist()), distances[order]


def differ(one: tuple[tuple[int, ...], Tensor], other: tuple[tuple[int, ...], Tensor], tolerance: float) -> bool:
    """Whether two fingerprints are of different clouds."""
    return one[0] != other[0] or float((one[1] - other[1]).abs().max()) > tolerance
