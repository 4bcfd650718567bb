"""Data moved by the inverse of frame elements: the canonical forms that a model sees, and learned frames too."""

from __future__ import annotations

from typing import Any

import torch

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.groups.base import Element
from erlangen.symmetrize.cloud import named_parts
from erlangen.symmetrize.frames import a_tensor
from erlangen.symmetrize.ragged import Copies, RaggedCopies, segment_of


def copies_of(inp: Action, x: Any, elements: Element) -> Copies:
    """How the copies of the data, one for each of the elements ``[B, k]``, lie in one tensor."""
    size, k = inp.group.batch_shape(elements)
    index = segment_of(inp, x)
    return Copies(size, k) if index is None else RaggedCopies(index, size, k)


def canonical(inp: Action, x: Any, elements: Element, copies: Copies | None = None) -> Any:
    """``g^-1 x`` for each datum and each of its elements ``[B, k]``, leading axes ``[B * k, ...]``; parts without an action are repeated.

    >>> from erlangen.groups import SO
    >>> canonical(SO(3).vector, torch.randn(8, 5, 3), SO(3).sample(8, 4)).shape
    torch.Size([32, 5, 3])
    """
    copies = copies_of(inp, x, elements) if copies is None else copies
    group = inp.group
    inverse = group.inverse(elements)
    # A frame that comes in double precision was worth it: move the data in it, too.
    double = a_tensor(elements).dtype == torch.float64

    def move(name: str | None, action: Action | None, part: Any) -> Any:
        if action is None:
            return copies.repeat(part)
        if (numbers := copies.special(action, part)) is not None:
            return numbers
        action.check(part, name or "x")
        wide = part.double() if double and part.is_floating_point() else part
        moved = action.act(copies.take(group, inverse, len(part)), wide.unsqueeze(1))
        return copies.join(moved).to(part.dtype).contiguous()

    parts = [move(*leaf) for leaf in named_parts(inp, x)]
    return inp.unflatten(parts) if isinstance(inp, Record) else parts[0]
