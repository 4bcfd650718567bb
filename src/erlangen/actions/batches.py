"""What every batch of data tells: how many there are, and a tensor for dtype and device."""

from __future__ import annotations

from typing import Any

import optree
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import segment_of
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError


def batch_size(inp: Action, x: Any) -> int:
    """The length of the leading axis of all parts that have an action.

    Raises:
        ArgumentError: a part has no batch axis, or parts disagree.
    """
    if (index := segment_of(inp, x)) is not None:
        return int(index.max()) + 1
    pairs = zip(inp.leaves, inp.flatten(x)) if isinstance(inp, Record) else [(inp, x)]
    sizes = []  # no set: a free size of an exported model has no hash
    for action, part in pairs:
        if action is None:
            continue
        action.check(part)
        if part.ndim <= action.data_ndim:
            raise ArgumentError(
                "x", f"a leading batch axis before the datum's own {action.data_ndim}", f"shape {tuple(part.shape)}"
            )
        sizes.append(part.shape[0])
    if not sizes or any(size != sizes[0] for size in sizes[1:]):
        raise ArgumentError("x", "one batch size in all parts", sorted(set(sizes)))
    return sizes[0]


def a_tensor(x: Any) -> Tensor:
    """Some floating-point tensor of the data, for dtype and device."""
    leaves = [leaf for leaf in optree.tree_leaves(x) if isinstance(leaf, Tensor)]
    return next((leaf for leaf in leaves if leaf.is_floating_point()), leaves[0])
