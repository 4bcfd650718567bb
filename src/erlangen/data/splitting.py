"""`parted`: samples in two disjoint random parts, copies of one in the same part, classes in proportion."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.data.distinct import arranged
from erlangen.errors import ArgumentError


def parted(kinds: Int[Tensor, " N"], labels: Tensor | None, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Numbers of the samples of either part, the first with about ``fraction`` of them.

    Args:
        kinds: samples of one number are copies (:func:`erlangen.data.distinct.distinct`): none is in both parts.
        labels: classes ``[N]`` that keep their proportions, as far as copies allow.
        fraction: strictly between 0 and 1.
        seed: of the random order.

    Raises:
        ArgumentError: ``fraction`` is not between 0 and 1, one part would be empty, or all samples are the same.

    >>> first, rest = parted(torch.arange(10), None, 0.7, seed=0)
    >>> len(first), sorted(torch.cat([first, rest]).tolist()) == list(range(10))
    (7, True)
    """
    if not 0 < fraction < 1:
        raise ArgumentError("fraction", "a number strictly between 0 and 1", repr(fraction))
    size = len(kinds)
    count = round(fraction * size)
    if count in (0, size):
        raise ArgumentError("fraction", f"a fraction that leaves both parts of {size} samples filled", repr(fraction))
    order = arranged(kinds, torch.Generator().manual_seed(seed))
    if labels is not None:
        # Each sample's rank within its class, as a fraction: cutting there cuts every class alike. Copies take their mean.
        position = torch.empty(size, dtype=torch.float64)
        for label in labels.unique():
            members = order[labels[order] == label]
            position[members] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
        total = torch.zeros(int(kinds.max()) + 1, dtype=torch.float64).index_add(0, kinds, position)
        order = order[torch.argsort((total / kinds.bincount())[kinds[order]], stable=True)]
    cuts = 1 + kinds[order].diff().nonzero().flatten()
    if not len(cuts):
        raise ArgumentError("x", "at least two different samples to split", f"{size} copies of one")
    first = int(cuts[(cuts - count).abs().argmin()])
    return order[:first], order[first:]
