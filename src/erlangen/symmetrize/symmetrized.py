"""`Symmetrized`: any model, made symmetric by averaging over a frame. One formula:

f_sym(x) = sum_i  w_i  out.act(g_i, f(inp.act(g_i^-1, x)))      with {(w_i, g_i)} the frame of x

`Batch` is the data of one call, taken apart once; `Copies` what the model sees of it, one for each frame element, there and back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import optree
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor
from erlangen.actions.ragged import segment_of
from erlangen.actions.records import Record, takes_names
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.symmetrize.frames import Frame, Weighted
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
        if self.index is None:
            return Copies(self, elements, mixed)
        from erlangen.symmetrize.ragged_copies import RaggedCopies

        return RaggedCopies(self, elements, mixed)


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
        parts = [elements] if fits else optree.tree_leaves(elements)
        self._shared = batch.index is None and self.size > 1 and all(t.stride(0) == 0 for t in parts)
        self._parts: Any = None
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
            moved = action.act_inverse(self._apart(action, self._each) if rows is None else self.take(self._each, rows), wide)
        else:
            moved = action.act(self.take(self._inverse, rows), wide)
        return self.join(moved.transpose(0, 1) if self._shared else moved).to(part.dtype).contiguous()

    def _apart(self, action: Action, elements: Element) -> Element:
        """All elements as the action needs them, taken apart once for both ways."""
        if action.apart is None or self._shared:
            return elements
        if self._parts is None:
            self._parts = action.apart(elements)
        return self._parts

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
        moved = action.act(self._apart(action, self.elements) if rows is None else self.take(self.elements, rows), part.to(wide))
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
        if not leads(part, self.size * self.seen):
            raise ArgumentError("model", f"an output with leading axis {self.size} x {self.seen} (batch x frame)", shape_of(part))
        return part.reshape(self.size, self.seen, *part.shape[1:])

    def still(self, action: Action | None, part: Any, argument: str) -> Any:
        """The copies of a part that nothing moves; what is shared, as it is.

        Raises:
            ArgumentError: a part does not lead with what it was said to lead with.
        """
        if action is None:
            return part
        if not leads(part, self.size):
            raise ArgumentError(argument, f"a tensor that leads with the {self.size} data", shape_of(part), SHARED)
        return part.repeat_interleave(self.k, 0)

    def explain(self, error: Exception, rest: dict[str, Any]) -> None:
        """Add to a model's error that it saw a part once for all copies, where that may be why."""
        if self.seen == 1:
            return
        parts = [(name or "x", action, part) for name, action, part in self.batch.named]
        shared = [name for name, action, part in parts if self.puzzling(action, part)]
        if shared := shared + [name for name, part in rest.items() if self.puzzling(None, part)]:
            error.add_note(
                f"The model saw {self.seen} copies of each datum, but {', '.join(shared)} once, as shared by the whole batch. "
                "If it is something that each datum has for itself, say so in inp: erlangen.frames.PerDatum(group); in ragged "
                "batches PerNode, PerEdge or Edges"
            )

    def puzzling(self, action: Action | None, part: Any) -> bool:
        """Whether a shared part has a leading axis as if it were none: for the hint beside a model's error, never for the result."""
        return action is None and leads(part, self.size)


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
        if dtype is not wide:
            wide = torch.promote_types(wide, dtype)
    return wide


def _a_leaf(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else a_tensor(x)


def leads(part: Any, rows: int) -> bool:
    return isinstance(part, Tensor) and part.ndim > 0 and part.shape[0] == rows


def shape_of(part: Any) -> Any:
    return tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__


#: Marks, in the rest of a call, that the datum itself came as keywords.
_KEYWORDS = "\0keywords"
#: Beside the error of a part whose length does not fit.
SHARED = "None in the record shares a part with the whole batch; PerNode, PerEdge and Edges are for ragged batches"


class Symmetrized(nn.Module):
    """A model averaged over a frame. Make it with :func:`erlangen.symmetrize`.

    It is called as the model is: one argument, several (when ``inp`` is a tuple), or keywords (when ``inp`` is a dict and the call
    uses its names; the dict itself serves as well where the model takes several arguments of these names). All data have a leading batch
    axis; the ``B x k`` evaluations are one forward pass, or several of at most ``chunk`` frame elements to bound memory. A part of the
    input whose action is ``None``, and a keyword that ``inp`` does not name, is shared by the whole batch: the model gets it as it is,
    whatever its length. What each datum has for itself and nothing moves is said with :class:`~erlangen.symmetrize.PerDatum`.

    A part of the output whose action is ``None`` is not averaged: a tensor comes back for each frame element, ``[B, k, ...]``, anything
    else as the model gave it (of the last chunk). Labels and masks (integers, booleans) have no average: where a frame has several
    elements, they are refused.

    What the model draws at random (dropout) it draws for every frame element, so with it the symmetry holds in evaluation, in training
    in distribution only. Batch normalization sees ``B x k`` samples.

    Attributes:
        model: the wrapped model; its ``state_dict`` is unchanged under the prefix ``model.``.
        frame: the frame, a module too.
        inp, out: the actions on the model's input and output.
    """

    def __init__(self, model: nn.Module, frame: Frame, inp: Action, out: Action, chunk: int | None = None) -> None:
        super().__init__()
        self.model, self.frame = model, frame
        self.inp, self.out, self.chunk = inp, out, chunk
        self._named = takes_names(model, inp)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        batch, rest = self._batch(args, kwargs)
        return self._over(batch, self._frame(batch), rest)

    def over(self, frame: Weighted, *args: Any, **kwargs: Any) -> Any:
        """The output, averaged over a frame of the input that :meth:`frames` gave before.

        A frame without parameters need not be found anew in every step of a training: it is a function of the data alone.

        >>> import erlangen as er
        >>> model = er.symmetrize(nn.Sequential(nn.Flatten(), nn.Linear(15, 1)), er.SO(3).vector, er.SO(3).scalar)
        >>> x = torch.randn(8, 5, 3)
        >>> torch.equal(model.over(model.frames(x), x), model(x))
        True
        """
        batch, rest = self._batch(args, kwargs)
        return self._over(batch, frame, rest)

    def with_losses(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Tensor]]:
        """The output, and what a learned frame asks to be added to the training loss, by name (nothing, for frames without parameters)."""
        batch, rest = self._batch(args, kwargs)
        frame = self._frame(batch)
        return self._over(batch, frame, rest), dict(frame.losses)

    def summed(self, *args: Any, **kwargs: Any) -> Any:
        """The root mean square, over the frame, of what the output averages: the size that the average was rounded at.

        An output that vanishes by symmetry is zero up to this times the precision, and no relative error of it makes sense.
        """
        batch, rest = self._batch(args, kwargs)
        squares = self._over(batch, self._frame(batch), rest, lambda weights, parts: weighted_sum(weights, parts.abs().square()))
        if not isinstance(self.out, Record):
            return squares.sqrt()
        return self.out.map(lambda action, part: part.sqrt(), squares)

    def _over(self, batch: Batch, frame: Weighted, rest: dict[str, Any], reduce: Reduction = weighted_sum) -> Any:
        if (frame.weights is not None or self.chunk is not None) and not frame.mixed:
            from erlangen.symmetrize.portions import over_chunks, over_kept

            found = (over_kept if self.chunk is None else over_chunks)(self, batch, frame, rest, reduce)
            if found is not None:
                return found
        return self.average(batch.copies(frame.elements, frame.mixed), frame.weights, rest, reduce)

    def frames(self, *args: Any, **kwargs: Any) -> Weighted:
        """The frame of the given input alone."""
        return self._frame(self._batch(args, kwargs)[0])

    def canonical_inputs(self, *args: Any, **kwargs: Any) -> Any:
        """What the model sees: the input moved by the inverse of each frame element, leading axes ``[B * k, ...]``."""
        batch, _ = self._batch(args, kwargs)
        frame = self._frame(batch)
        return batch.copies(frame.elements, frame.mixed).inputs(frame.weights)

    @property
    def is_exact(self) -> bool:
        """Whether the average is symmetric to rounding: the frame is exact, and so is how the group moves the data."""
        return self.frame.exact_on(self.inp) and self.frame.exact_on(self.out)

    # ---- the formula ----

    def _frame(self, batch: Batch) -> Weighted:
        with batch.full_precision():
            return self.frame.of_batch(batch)

    def average(self, copies: Copies, weights: Tensor | None, rest: dict[str, Any], reduce: Reduction = weighted_sum) -> Any:
        """The model's output on the copies, moved back and averaged: the formula, of a frame that was found."""
        batch, record = copies.batch, self.out if isinstance(self.out, Record) else None
        y = self._call(copies.inputs(weights), rest, copies)
        leaves, parts = (record.leaves, record.flatten(y, "model", "outputs")) if record is not None else ([self.out], [y])
        low = torch.is_autocast_enabled(batch.leaf.device.type)
        with batch.full_precision():
            found = [copies.average(action, part, weights, reduce, low) for action, part in zip(leaves, parts)]
        return found[0] if record is None else record.unflatten(found)

    def _call(self, seen: Any, rest: dict[str, Any], copies: Copies) -> Any:
        args: tuple[Any, ...] = seen if isinstance(seen, tuple) and isinstance(self.inp, Record) else (seen,)
        if self._named or _KEYWORDS in rest:
            args, rest = (), seen | {name: value for name, value in rest.items() if name != _KEYWORDS}
        if copies.seen == 1 or torch.compiler.is_compiling():
            return self.model(*args, **rest)
        try:
            return self.model(*args, **rest)
        except Exception as error:
            copies.explain(error, rest)
            raise

    def _batch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Batch, dict[str, Any]]:
        """The part of the call that the group acts on, and the rest."""
        spec = self.inp.parts if isinstance(self.inp, Record) else None
        if isinstance(spec, tuple) and len(args) == len(spec) > 1:
            return Batch(self.inp, args), kwargs
        if isinstance(spec, dict) and not args:
            missing = [name for name in spec if name not in kwargs]
            if missing:
                raise ArgumentError(missing[0], f"the keywords {', '.join(spec)}", ", ".join(kwargs) or "no argument")
            datum = {name: kwargs[name] for name in spec}
            rest = {name: value for name, value in kwargs.items() if name not in spec}
            return Batch(self.inp, datum), {_KEYWORDS: True} | rest
        if len(args) != 1:
            raise ArgumentError("x", f"one datum for {self.inp!r}", f"{len(args)} positional arguments")
        return Batch(self.inp, args[0]), kwargs

    def extra_repr(self) -> str:
        return f"inp={self.inp!r}, out={self.out!r}"
