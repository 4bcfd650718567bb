"""`Symmetrized`: any model, made symmetric by averaging over a frame. One formula:

f_sym(x) = sum_i  w_i  out.act(g_i, f(inp.act(g_i^-1, x)))      with {(w_i, g_i)} the frame of x
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.ragged import ragged_refusal, some_of
from erlangen.actions.records import Record, as_action, takes_names
from erlangen.errors import ArgumentError
from erlangen.groups.membership import may_look
from erlangen.symmetrize.batch import Batch, Copies, Reduction, at_least_single, refuse_integers, weighted_sum
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.selfcheck import check_when_wrapped


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
        if (kept := self._kept(batch, frame)) is not None:
            return self._over_kept(batch, frame, kept, rest, reduce)
        copies = batch.copies(frame.elements, frame.mixed)
        size, k = copies.size, copies.k
        if self.chunk is None or self.chunk >= k or frame.mixed:
            return self._average(copies, frame.weights, rest, reduce)
        weights = frame.weights
        if weights is None:
            leaf = batch.leaf
            weights = torch.full(
                (size, k), 1 / k, dtype=leaf.dtype if leaf.is_floating_point() else torch.get_default_dtype(), device=leaf.device
            )
        chunks = []
        for start in range(0, k, self.chunk):
            part = slice(start, start + self.chunk)
            some = batch.copies(self.inp.group.take(frame.elements, (slice(None), part)))
            chunks.append(self._average(some, weights[:, part], rest, reduce))
        if not isinstance(self.out, Record):
            return sum(chunks[1:], chunks[0])
        gathered = zip(self.out.leaves, zip(*map(self.out.flatten, chunks)))
        return self.out.unflatten([_gather(action, parts) for action, parts in gathered])

    def _kept(self, batch: Batch, frame: Weighted) -> tuple[Tensor, Tensor] | None:
        """Which datum and which of its elements have a weight, where most have none: a few data near a tie need many, the others one."""
        weights = frame.weights
        if weights is None or frame.mixed or self.chunk is not None or batch.index is not None or not may_look(weights):
            return None
        if (weights.requires_grad and not frame.skips) or (isinstance(self.out, Record) and None in self.out.leaves):
            return None
        kept = (weights.detach() != 0).nonzero()
        return (kept[:, 0], kept[:, 1]) if 4 * len(kept) <= 3 * weights.numel() else None

    def _over_kept(
        self, batch: Batch, frame: Weighted, kept: tuple[Tensor, Tensor], rest: dict[str, Any], reduce: Reduction
    ) -> Any:
        """The same average, of the elements alone that have a weight: each is a datum of its own to the model."""
        assert frame.weights is not None
        rows, places = kept
        elements = self.inp.group.take(frame.elements, (rows.unsqueeze(1), places.unsqueeze(1)))
        some = Batch(self.inp, some_of(self.inp, batch.x, rows)).copies(elements)
        weights, size = frame.weights[rows, places], len(frame.weights)

        def total(_: Action | None, part: Tensor) -> Tensor:
            refuse_integers(part)
            wide = at_least_single(part.dtype)
            weighted = torch.einsum("n,n...->n...", weights.to(wide), part.to(wide))
            return part.new_zeros(size, *part.shape[1:], dtype=weighted.dtype).index_add(0, rows, weighted).to(part.dtype)

        found = self._average(some, None, rest, reduce)
        return self.out.map(total, found) if isinstance(self.out, Record) else total(self.out, found)

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

    def _average(self, copies: Copies, weights: Tensor | None, rest: dict[str, Any], reduce: Reduction) -> Any:
        batch, record = copies.batch, self.out if isinstance(self.out, Record) else None
        y = self._call(copies.inputs(weights), rest, copies)
        leaves, parts = (record.leaves, record.flatten(y, "model", "outputs")) if record is not None else ([self.out], [y])
        low = torch.is_autocast_enabled(batch.leaf.device.type)
        with batch.full_precision():
            found = [copies.average(action, part, weights, reduce, low) for action, part in zip(leaves, parts)]
        return found[0] if record is None else record.unflatten(found)

    def _call(self, seen: Any, rest: dict[str, Any], copies: Copies) -> Any:
        rest = dict(rest)
        keywords = rest.pop(_KEYWORDS, False) or self._named

        def call() -> Any:
            if keywords:
                return self.model(**seen, **rest)
            return (
                self.model(*seen, **rest) if isinstance(seen, tuple) and isinstance(self.inp, Record) else self.model(seen, **rest)
            )

        if copies.seen == 1 or torch.compiler.is_compiling():
            return call()
        try:
            return call()
        except Exception as error:
            named = [(name or "x", action, part) for name, action, part in copies.batch.named]
            shared = [
                name
                for name, action, part in [*named, *((name, None, part) for name, part in rest.items())]
                if copies.puzzling(action, part)
            ]
            if shared:
                error.add_note(
                    f"The model saw {copies.seen} copies of each datum, but {', '.join(shared)} once, as shared by the whole batch. "
                    "If it is something that each datum has for itself, say so in inp: erlangen.frames.PerDatum(group); in ragged "
                    "batches PerNode, PerEdge or Edges"
                )
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


#: Marks, in the rest of a call, that the datum itself came as keywords.
_KEYWORDS = "\0keywords"


def symmetrize(
    model: nn.Module,
    inp: Any,
    out: Any,
    *,
    frame: Frame | None = None,
    chunk: int | None = None,
    check: bool = True,
    example: Any = None,
) -> Symmetrized:
    """Make a model symmetric.

    Args:
        model: any module, called with a leading batch axis.
        inp: how the group acts on the model's input: an action (``G.vector``, ``G.point``, ...), or a dict/tuple/dataclass of
            actions for models that take several things. ``None`` inside: a part that the whole batch shares, handed on as it is;
            ``er.frames.PerDatum(G)``: one that each datum has for itself and nothing moves (masks, labels, charges).
        out: the same for the output; ``G.scalar`` makes it invariant.
        frame: how; by default :func:`erlangen.symmetrize.choose.choose_frame` picks an exact one.
        chunk: at most so many frame elements in one forward pass, to bound memory.
        check: make sure that the frame moves along with the data, on made-up ones or on ``example``.
        example: a batch of data (what the model is called with), on which the wrapped model is checked too: its symmetry, in float64,
            and that a datum's result does not depend on the rest of the batch.

    Returns:
        a module that is called as ``model`` is.

    Raises:
        ArgumentError: ``inp`` and ``out`` belong to different groups, the frame cannot serve them, or a check fails (with the size of
            the error).

    Source: Puny et al., "Frame Averaging for Invariant and Equivariant Network Design", ICLR 2022, arXiv:2110.03336.

    >>> import torch
    >>> import erlangen as er
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(15, 1)).double()
    >>> model = er.symmetrize(net, er.SO(3).vector, er.SO(3).scalar)
    >>> x, g = torch.randn(8, 5, 3, dtype=torch.float64), er.SO(3).sample(8, dtype=torch.float64)
    >>> torch.allclose(model(x), model(er.SO(3).vector.act(g, x)))
    True
    """
    from erlangen.symmetrize.choose import choose_frame

    if not callable(model):
        raise ArgumentError("model", "a torch.nn.Module", type(model).__name__)
    inp, out = as_action(inp, "inp"), as_action(out, "out")
    if inp.group != out.group:
        raise ArgumentError("out", f"an action of {inp.group}, as inp", f"one of {out.group}")
    if reason := ragged_refusal(inp):
        raise ArgumentError("inp", "a Segment, which says what each node belongs to", reason)
    if frame is None:
        frame = choose_frame(inp)
    elif not isinstance(frame, Frame):
        raise ArgumentError("frame", "a Frame, e.g. erlangen.frames.Principal()", type(frame).__name__)
    if reason := frame.refuse(inp):
        raise ArgumentError("frame", f"a frame that serves {inp!r}", f"{type(frame).__name__}: {reason}")
    if reason := frame.refuse_output(out):
        raise ArgumentError("frame", f"a frame that serves the output {out!r}", f"{type(frame).__name__}: {reason}")
    wrapped = Symmetrized(model, frame, inp, out, chunk)
    if check:
        check_when_wrapped(wrapped, example)
    return wrapped


def _gather(action: Action | None, parts: tuple[Any, ...]) -> Any:
    """A part of the output from its chunks."""
    if action is not None:
        return sum(parts[1:], parts[0])
    return torch.cat(parts, 1) if isinstance(parts[0], Tensor) else parts[-1]
