"""`Batch`: the data of one call, taken apart once; and `Copies`: what the model sees of it, one for each frame element, there and back."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import optree
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor
from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment, segment_of
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.symmetrize.outline import Outline, once, outline_of

#: Weights ``[B, k]`` (``None``: equal ones) and parts ``[B, k, ...]`` to ``[B, ...]``.
Reduction = Callable[[Tensor | None, Tensor], Tensor]


class Batch:
    """A batch of data under an action: made once in a call, and carried through check, frame, copies and output.

    Attributes:
        inp, x: how the group acts, and the data.
        outline: what the action says of its parts.

    >>> from erlangen.groups import SO
    >>> Batch(SO(3).vector, torch.randn(8, 5, 3)).copies(SO(3).sample(8, 4)).canonical().shape
    torch.Size([32, 5, 3])
    """

    def __init__(self, inp: Action, x: Any) -> None:
        self.inp, self.x = inp, x
        self.outline: Outline = getattr(inp, "_outline", None) or outline_of(inp)
        #: The data's parts, in the order of the action's leaves.
        self.parts: list[Any] = inp.flatten(x) if isinstance(inp, Record) else [x]
        #: The segment of a ragged batch: which datum each node belongs to.
        self.index: Int[Tensor, " N"] | None = segment_of(inp, x) if self.outline.is_ragged else None

    @property
    def named(self) -> list[tuple[str | None, Any, Any]]:
        """The parts with their actions and, in a flat dict, their names."""
        return list(zip(self.outline.names, self.outline.leaves, self.parts))

    @property
    def leaf(self) -> Tensor:
        """Some floating-point tensor of the data, for dtype and device."""
        return _a_leaf(self.x)

    def full_precision(self) -> AbstractContextManager[Any]:
        """Where frames are found and data are moved: without autocast, which would round coordinates to eight bits."""
        kind = self.leaf.device.type
        return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()

    def copies(self, elements: Element, mixed: bool = False) -> Copies:
        """The copies of the data, one for each of the elements ``[B, k]``, or their mixture."""
        return Copies(self, elements, mixed) if self.index is None else RaggedCopies(self, elements, mixed)


class Copies:
    """The copies of a batch, one for each frame element, and how they lie in one tensor: ``[B * k, ...]``, a datum's copies together.

    Attributes:
        batch, elements: the data, and the elements ``[B, k]``.
        size, k: how many data, and how many elements for each.
        mixed: whether the model sees the mixture of a datum's copies instead of each.
        seen: so how many of each datum it sees, ``k`` or 1.
    """

    def __init__(self, batch: Batch, elements: Element, mixed: bool = False) -> None:
        self.batch, self.elements = batch, elements
        self.group = group = batch.inp.group
        fits = isinstance(elements, Tensor) and elements.shape[2:] == group.element_shape and elements.ndim > 1
        self.size: int
        self.k: int
        self.size, self.k = elements.shape[:2] if fits else group.batch_shape(elements)
        self.mixed, self.seen = mixed, 1 if mixed else self.k
        # The same elements for all data (a whole group): each moves the batch at once, which is cheaper where places are computed.
        self._shared = batch.index is None and self.size > 1 and all(t.stride(0) == 0 for t in optree.tree_leaves(elements))
        self._each = group.take(elements, 0) if self._shared else elements

    # ---- there ----

    def inputs(self, weights: Float[Tensor, "B k"] | None) -> Any:
        """What the model sees, leading axes ``[B * k, ...]``, or ``[B, ...]`` of mixtures.

        Raises:
            ArgumentError: a part that moves cannot be mixed, for it holds integers, or the batch is ragged.
        """
        seen = self.canonical()
        return self._mixture(seen, weights) if self.mixed and weights is not None else seen

    def canonical(self) -> Any:
        """``g^-1 x`` for each datum and each of its elements, leading axes ``[B * k, ...]``.

        Parts that are there for each datum, node or edge come once for each copy (:mod:`erlangen.actions.ragged`); shared parts, with
        ``None``, as they are. Data are moved in single precision or better, whatever autocast says.
        """
        batch, outline = self.batch, self.batch.outline
        with batch.full_precision():
            parts = [
                self.still(action, part, name or "x") if still else self._moved(action, part, name or "x")
                for name, action, still, part in zip(outline.names, outline.leaves, outline.still, batch.parts)
            ]
        return batch.inp.unflatten(parts) if isinstance(batch.inp, Record) else parts[0]

    def _moved(self, action: Action, part: Tensor, name: str) -> Tensor:
        action.check(part, name)
        # A frame that comes in double precision was worth it: move the data in it, too.
        wide = part.to(at_least_single(part.dtype, _a_leaf(self.elements).dtype)) if part.is_floating_point() else part
        rows = self.rows(action, part.shape[0], name)
        wide = wide.unsqueeze(0 if self._shared else 1)
        if action.act_inverse is not None:
            moved = action.act_inverse(self.take(self._each, rows), wide)
        else:
            moved = action.act(self.take(self._inverse, rows), wide)
        return self.join(moved.transpose(0, 1) if self._shared else moved).to(part.dtype).contiguous()

    @once
    def _inverse(self) -> Element:
        return self.group.inverse(self._each)

    def _mixture(self, seen: Any, weights: Float[Tensor, "B k"]) -> Any:
        """``sum_i w_i g_i^-1 x`` of canonical forms ``[B * k, ...]``, for each datum; parts that nothing moves are those of ``x``."""

        def mix(name: str | None, still: bool, part: Tensor, moved: Tensor) -> Tensor:
            if still:
                return part
            if not moved.is_floating_point():
                raise ArgumentError(
                    name or "x", "floating-point data, to mix moved ones", str(moved.dtype), "train with trick=None"
                )
            return weighted_sum(weights, moved.unflatten(0, tuple(weights.shape)))

        batch, outline = self.batch, self.batch.outline
        moved = batch.inp.flatten(seen) if isinstance(batch.inp, Record) else [seen]
        with batch.full_precision():
            parts = [mix(*leaf) for leaf in zip(outline.names, outline.still, batch.parts, moved)]
        return batch.inp.unflatten(parts) if isinstance(batch.inp, Record) else parts[0]

    # ---- back ----

    def average(self, action: Action | None, part: Any, weights: Tensor | None, reduce: Reduction, low: bool) -> Any:
        """A part of what the model returned, moved back by each element and averaged; one without action comes back for each element.

        Args:
            action, part: how it moves, and what the model returned.
            weights, reduce: of the elements, and the average by them.
            low: whether autocast is on, so that the average stays in the precision it was summed in.

        Raises:
            ArgumentError: it does not lead with the copies, or has no average (integers) where there are several.
        """
        if action is None:
            return self.split(part) if isinstance(part, Tensor) else part
        part = self.split(part)
        action.check(part, "out")
        numbers = part.is_floating_point() or part.is_complex()
        if self.k > 1:
            refuse_integers(part)
        # Autocast lets a network compute in 16 bits, and its sums in 32; so do we.
        wide = at_least_single(part.dtype) if numbers else part.dtype
        rows = self.rows(action, part.shape[0], "out")
        moved = action.act(self.take(self.elements, rows), part.to(wide))
        if not numbers:
            return moved[:, 0]
        mean = reduce(weights if rows is None or weights is None else weights[rows], moved)
        return mean if low else mean.to(part.dtype)

    # ---- how they lie ----

    def rows(self, action: Action | None, count: int, argument: str = "x") -> Tensor | None:
        """Which datum each of the ``count`` rows of a part belongs to; ``None``: each to its own."""
        return None

    def take(self, elements: Element, rows: Tensor | None) -> Element:
        """Elements ``[B, k]`` as they belong to the rows of a part."""
        return elements if rows is None else self.group.take(elements, rows)

    def join(self, part: Tensor) -> Tensor:
        """``[rows, k, ...]`` to ``[rows * k, ...]``."""
        return part.flatten(0, 1)

    def split(self, part: Any) -> Tensor:
        """The way back, for what the model returns.

        Raises:
            ArgumentError: the leading axis is not that of the copies.
        """
        if not _leads(part, self.size * self.seen):
            raise ArgumentError("model", f"an output with leading axis {self.size} x {self.seen} (batch x frame)", _outline(part))
        return part.reshape(self.size, self.seen, *part.shape[1:])

    def still(self, action: Action | None, part: Any, argument: str) -> Any:
        """The copies of a part that nothing moves; what is shared, as it is.

        Raises:
            ArgumentError: a part does not lead with what it was said to lead with.
        """
        if action is None:
            return part
        if not _leads(part, self.size):
            raise ArgumentError(argument, f"a tensor that leads with the {self.size} data", _outline(part), SHARED)
        return part.repeat_interleave(self.k, 0)

    def puzzling(self, action: Action | None, part: Any) -> bool:
        """Whether a shared part has a leading axis as if it were none: for the hint beside a model's error, never for the result."""
        return action is None and _leads(part, self.size)


class RaggedCopies(Copies):
    """The same for ragged batches: ``[k * rows, ...]``, whole copies of the batch one after another."""

    def __init__(self, batch: Batch, elements: Element, mixed: bool = False) -> None:
        super().__init__(batch, elements, mixed)
        assert batch.index is not None
        self.index = index = batch.index
        #: As many nodes as data, but not each its own: what a part leads with, its length does not tell.
        self.unclear = len(index) == self.size and bool((index != torch.arange(self.size, device=index.device)).any())

    def _mixture(self, seen: Any, weights: Float[Tensor, "B k"]) -> Any:
        raise ArgumentError("x", "a batch that is not ragged, to mix moved data", "a Segment", "train with trick=None")

    def rows(self, action: Action | None, count: int, argument: str = "x") -> Tensor | None:
        nodes = len(self.index)
        if count not in (nodes, self.size):
            raise ArgumentError(
                argument, f"parts that lead with the {nodes} nodes or the {self.size} data", f"leading axis {count}"
            )
        if self.unclear and not isinstance(action, PerDatum):
            raise ArgumentError(
                argument,
                f"PerNode({action!r}) or PerDatum({action!r}) as its action, for there are as many nodes as data",
                repr(action),
            )
        if isinstance(action, PerDatum) and count != (nodes if isinstance(action, PerNode) else self.size):
            raise ArgumentError(argument, f"{nodes if isinstance(action, PerNode) else self.size} rows for {action!r}", count)
        by_node = isinstance(action, PerNode) or (count == nodes and not isinstance(action, PerDatum))
        return self.index if by_node else None

    def join(self, part: Tensor) -> Tensor:
        return part.transpose(0, 1).flatten(0, 1)

    def split(self, part: Any) -> Tensor:
        for rows in (len(self.index), self.size):
            if _leads(part, rows * self.k):
                return part.unflatten(0, (self.k, rows)).transpose(0, 1)
        expected = (
            f"an output with leading axis {len(self.index)} x {self.k} (nodes x frame) or {self.size} x {self.k} (data x frame)"
        )
        raise ArgumentError("model", expected, _outline(part))

    def still(self, action: Action | None, part: Any, argument: str) -> Any:
        if action is None:
            if self.k > 1 and isinstance(part, Tensor) and part.ndim == 2 and len(part) == 2 and part.dtype == torch.int64:
                warnings.warn(
                    f"'{argument}' of shape {_outline(part)} is None, shared by all copies of a ragged batch: if it holds edges, only the "
                    "first copy gets them; erlangen.frames.Edges gives each its own",
                    stacklevel=2,
                )
            return part
        if isinstance(action, Segment):
            return torch.cat([part + j * self.size for j in range(self.k)])
        if isinstance(action, Edges):
            action.check(part, argument)
            return torch.cat([part + j * len(self.index) for j in range(self.k)], -1)
        if not isinstance(action, PerEdge):
            rows = len(self.index) if isinstance(action, PerNode) else self.size
            if not _leads(part, rows):
                what = "nodes" if isinstance(action, PerNode) else "data"
                raise ArgumentError(argument, f"a tensor that leads with the {rows} {what}", _outline(part), SHARED)
        return part.repeat(self.k, *[1] * (part.ndim - 1))

    def puzzling(self, action: Action | None, part: Any) -> bool:
        edges = isinstance(part, Tensor) and part.ndim == 2 and len(part) == 2 and part.dtype == torch.int64
        return action is None and (_leads(part, len(self.index)) or _leads(part, self.size) or edges)


#: Beside the error of a part whose length does not fit.
SHARED = "None in the record shares a part with the whole batch; PerNode, PerEdge and Edges are for ragged batches"


def canonical(inp: Action, x: Any, elements: Element) -> Any:
    """:meth:`Copies.canonical` of data for elements ``[B, k]``.

    >>> from erlangen.groups import SO
    >>> canonical(SO(3).vector, torch.randn(8, 5, 3), SO(3).sample(8, 4)).shape
    torch.Size([32, 5, 3])
    """
    return Batch(inp, x).copies(elements).canonical()


def weighted_sum(weights: Float[Tensor, "B k"] | None, parts: Float[Tensor, "B k ..."]) -> Float[Tensor, "B ..."]:
    """``sum_k w_k y_k`` of real or complex parts (their mean, without weights), summed in single precision or better and returned in
    the parts' own.

    >>> weighted_sum(torch.tensor([[0.25, 0.75]]), torch.tensor([[[4.0], [8.0]]]))
    tensor([[7.]])
    """
    wide = at_least_single(parts.dtype)
    if weights is None:
        return parts.mean(1, dtype=wide).to(parts.dtype)
    return torch.einsum("bk,bk...->b...", weights.to(wide), parts.to(wide)).to(parts.dtype)


def refuse_integers(part: Tensor) -> None:
    """Raise an :class:`ArgumentError`, if a model's output has no average."""
    if not part.is_floating_point() and not part.is_complex():
        hint = "return scores (logits, probabilities) and decide after the average"
        raise ArgumentError("model", "floating-point outputs, which have an average over the frame", str(part.dtype), hint)


def at_least_single(*dtypes: torch.dtype) -> torch.dtype:
    """The widest of the dtypes, and not below single precision."""
    wide = torch.float32
    for dtype in dtypes:
        wide = torch.promote_types(wide, dtype)
    return wide


def for_network(network: nn.Module, x: Any) -> Any:
    """Data in the precision of a network's parameters: a frame's own network need not have that of the data."""
    weight = next((p for p in network.parameters() if p.is_floating_point()), None)
    if weight is None:
        return x
    return optree.tree_map(lambda t: t.to(weight.dtype) if isinstance(t, Tensor) and t.is_floating_point() else t, x)


def _a_leaf(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else a_tensor(x)


def _leads(part: Any, rows: int) -> bool:
    return isinstance(part, Tensor) and part.ndim > 0 and part.shape[0] == rows


def _outline(part: Any) -> Any:
    return tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
