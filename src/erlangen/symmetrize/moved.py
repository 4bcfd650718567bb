"""Data moved by the inverse of frame elements: the canonical forms that a model sees, and learned frames too."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor
from erlangen.actions.ragged import is_still, segment_of
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.symmetrize.cloud import named_parts
from erlangen.symmetrize.copies import Copies, RaggedCopies


def copies_of(inp: Action, x: Any, elements: Element) -> Copies:
    """How the copies of the data, one for each of the elements ``[B, k]``, lie in one tensor."""
    size, k = inp.group.batch_shape(elements)
    index = segment_of(inp, x)
    return Copies(size, k) if index is None else RaggedCopies(index, size, k)


def canonical(inp: Action, x: Any, elements: Element, copies: Copies | None = None) -> Any:
    """``g^-1 x`` for each datum and each of its elements ``[B, k]``, leading axes ``[B * k, ...]``.

    Parts that are there for each datum, node or edge come once for each copy (:mod:`erlangen.actions.ragged`); shared parts, with
    ``None``, as they are. Data are moved in single precision or better, whatever autocast says.

    >>> from erlangen.groups import SO
    >>> canonical(SO(3).vector, torch.randn(8, 5, 3), SO(3).sample(8, 4)).shape
    torch.Size([32, 5, 3])
    """
    copies = copies_of(inp, x, elements) if copies is None else copies
    group = inp.group
    # The same elements for all data (a whole group): each moves the batch at once, which is cheaper where places are computed.
    shared = (
        not isinstance(copies, RaggedCopies) and copies.size > 1 and all(t.stride(0) == 0 for t in optree.tree_leaves(elements))
    )
    # A frame that comes in double precision was worth it: move the data in it, too.
    precision = a_tensor(elements).dtype

    def move(name: str | None, action: Action | None, part: Any) -> Any:
        if action is None or is_still(action):
            return copies.still(action, part, name or "x")
        action.check(part, name or "x")
        wide = part.to(at_least_single(part.dtype, precision)) if part.is_floating_point() else part
        if shared:
            moved = action.act(inverse, wide.unsqueeze(0)).transpose(0, 1)
        else:
            moved = action.act(copies.take(group, inverse, copies.rows(action, part.shape[0], name or "x")), wide.unsqueeze(1))
        return copies.join(moved).to(part.dtype).contiguous()

    with full_precision(x):
        inverse = group.inverse(group.take(elements, 0) if shared else elements)
        parts = [move(*leaf) for leaf in named_parts(inp, x)]
    return inp.unflatten(parts) if isinstance(inp, Record) else parts[0]


def mixture(inp: Action, x: Any, copies: Any, weights: Float[Tensor, "B k"]) -> Any:
    """``sum_i w_i g_i^-1 x`` of canonical forms ``[B * k, ...]``, for each datum; parts that nothing moves are those of ``x``.

    Raises:
        ArgumentError: a part that moves cannot be mixed, for it holds integers, or the batch is ragged.
    """
    if segment_of(inp, x) is not None:
        raise ArgumentError("x", "a batch that is not ragged, to mix moved data", "a Segment", "train with trick=None")

    def mix(name: str | None, action: Action | None, part: Tensor, moved: Tensor) -> Tensor:
        if is_still(action):
            return part
        if not moved.is_floating_point():
            raise ArgumentError(name or "x", "floating-point data, to mix moved ones", str(moved.dtype), "train with trick=None")
        return weighted_sum(weights, moved.unflatten(0, tuple(weights.shape)))

    moved = inp.flatten(copies) if isinstance(inp, Record) else [copies]
    with full_precision(x):
        parts = [mix(*leaf, own) for leaf, own in zip(named_parts(inp, x), moved)]
    return inp.unflatten(parts) if isinstance(inp, Record) else parts[0]


def weighted_sum(weights: Float[Tensor, "B k"], parts: Float[Tensor, "B k ..."]) -> Float[Tensor, "B ..."]:
    """``sum_k w_k y_k`` of real or complex parts, summed in single precision or better and returned in the parts' own.

    >>> weighted_sum(torch.tensor([[0.25, 0.75]]), torch.tensor([[[4.0], [8.0]]]))
    tensor([[7.]])
    """
    wide = at_least_single(parts.dtype)
    return torch.einsum("bk,bk...->b...", weights.to(wide), parts.to(wide)).to(parts.dtype)


def at_least_single(*dtypes: torch.dtype) -> torch.dtype:
    """The widest of the dtypes, and not below single precision."""
    wide = torch.float32
    for dtype in dtypes:
        wide = torch.promote_types(wide, dtype)
    return wide


def full_precision(x: Any) -> AbstractContextManager[Any]:
    """Where frames are found and data are moved: without autocast, which would round coordinates to eight bits."""
    kind = a_tensor(x).device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def for_network(network: nn.Module, x: Any) -> Any:
    """Data in the precision of a network's parameters: a frame's own network need not have that of the data."""
    weight = next((p for p in network.parameters() if p.is_floating_point()), None)
    if weight is None:
        return x
    return optree.tree_map(lambda t: t.to(weight.dtype) if isinstance(t, Tensor) and t.is_floating_point() else t, x)
