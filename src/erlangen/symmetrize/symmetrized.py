"""`Symmetrized`: any model, made symmetric by averaging over a frame. One formula:

f_sym(x) = sum_i  w_i  out.act(g_i, f(inp.act(g_i^-1, x)))      with {(w_i, g_i)} the frame of x
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted, a_tensor
from erlangen.symmetrize.moved import canonical, copies_of, mixture
from erlangen.symmetrize.ragged import Copies
from erlangen.symmetrize.selfcheck import check_when_wrapped


class Symmetrized(nn.Module):
    """A model averaged over a frame. Make it with :func:`erlangen.symmetrize`.

    It is called as the model is: one argument, several (when ``inp`` is a tuple), or keywords (when ``inp`` is a dict and the call
    uses its names). All data have a leading batch axis; the ``B x k`` evaluations are one forward pass, or several of at most
    ``chunk`` frame elements to bound memory. A part of the output whose action is ``None`` is not averaged: a tensor comes back
    for each frame element, ``[B, k, ...]``, anything else as the model gave it (of the last chunk).

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

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        x, rest = self._datum(args, kwargs)
        return self._over(x, self.frame(self.inp, x), rest)

    def with_losses(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Tensor]]:
        """The output, and what a learned frame asks to be added to the training loss, by name (nothing, for frames without parameters)."""
        x, rest = self._datum(args, kwargs)
        frame = self.frame(self.inp, x)
        return self._over(x, frame, rest), dict(frame.losses)

    def _over(self, x: Any, frame: Weighted, rest: dict[str, Any]) -> Any:
        group = self.inp.group
        size, k = group.batch_shape(frame.elements)
        weights = frame.weights
        if weights is None:
            leaf = a_tensor(x)
            weights = torch.full(
                (size, k), 1 / k, dtype=leaf.dtype if leaf.is_floating_point() else torch.get_default_dtype(), device=leaf.device
            )
        if self.chunk is None or self.chunk >= k or frame.mixed:
            return self._average(x, Weighted(frame.elements, weights, mixed=frame.mixed), rest)
        chunks = []
        for start in range(0, k, self.chunk):
            part = slice(start, start + self.chunk)
            chunks.append(self._average(x, Weighted(group.take(frame.elements, (slice(None), part)), weights[:, part]), rest))
        if not isinstance(self.out, Record):
            return sum(chunks[1:], chunks[0])
        gathered = zip(self.out.leaves, zip(*map(self.out.flatten, chunks)))
        return self.out.unflatten([_gather(action, parts) for action, parts in gathered])

    def frames(self, *args: Any, **kwargs: Any) -> Weighted:
        """The frame of the given input alone."""
        return self.frame(self.inp, self._datum(args, kwargs)[0])

    def canonical_inputs(self, *args: Any, **kwargs: Any) -> Any:
        """What the model sees: the input moved by the inverse of each frame element, leading axes ``[B * k, ...]``."""
        x, _ = self._datum(args, kwargs)
        frame = self.frame(self.inp, x)
        seen = canonical(self.inp, x, frame.elements)
        return mixture(self.inp, x, seen, frame.weights) if frame.mixed else seen

    # ---- the formula ----

    def _average(self, x: Any, frame: Weighted, rest: dict[str, Any]) -> Any:
        group, elements, weights = self.inp.group, frame.elements, frame.weights
        assert weights is not None
        copies = copies_of(self.inp, x, elements)
        seen = canonical(self.inp, x, elements, copies)
        if frame.mixed:
            seen, copies = mixture(self.inp, x, seen, weights), Copies(copies.size, 1)
        rest = {name: copies.repeat(value) for name, value in rest.items()}
        if rest.pop(_KEYWORDS, False):
            y = self.model(**seen, **rest)
        elif isinstance(seen, tuple) and isinstance(self.inp, Record):
            y = self.model(*seen, **rest)
        else:
            y = self.model(seen, **rest)

        def back(action: Action | None, part: Any) -> Any:
            if action is None:
                return copies.split(part) if isinstance(part, Tensor) else part
            part = copies.split(part)
            action.check(part, "out")
            part = action.act(copies.take(group, elements, len(part)), part)
            return torch.einsum("bk,bk...->b...", copies.take_weights(weights, len(part)).to(part.dtype), part)

        if isinstance(self.out, Record):
            return self.out.unflatten([back(action, part) for action, part in zip(self.out.leaves, self.out.flatten(y))])
        return back(self.out, y)

    def _datum(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The part of the call that the group acts on, and the rest."""
        spec = self.inp.parts if isinstance(self.inp, Record) else None
        if isinstance(spec, tuple) and len(args) == len(spec) > 1:
            return args, kwargs
        if isinstance(spec, dict) and not args:
            missing = [name for name in spec if name not in kwargs]
            if missing:
                raise ArgumentError(missing[0], f"the keywords {', '.join(spec)}", ", ".join(kwargs) or "no argument")
            datum = {name: kwargs[name] for name in spec}
            return datum, {_KEYWORDS: True} | {name: value for name, value in kwargs.items() if name not in spec}
        if len(args) != 1:
            raise ArgumentError("x", f"one datum for {self.inp!r}", f"{len(args)} positional arguments")
        return args[0], kwargs

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
            actions for models that take several things; ``None`` inside leaves a part alone.
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
