"""`symmetrize`: make a model symmetric; and which frame to take when none is named: the cheapest exact one."""

from __future__ import annotations

from typing import Any

from torch import nn

from erlangen.actions.base import Action
from erlangen.actions.ragged import ragged_refusal
from erlangen.actions.records import as_action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import AllElements, Frame, Haar
from erlangen.symmetrize.gram_schmidt import GramSchmidt
from erlangen.symmetrize.phase import Phase
from erlangen.symmetrize.principal import Principal
from erlangen.symmetrize.selfcheck import check_when_wrapped
from erlangen.symmetrize.symmetrized import Symmetrized

#: A finite group of at most this order is averaged over as a whole.
LARGEST_AVERAGE = 1024


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
        frame: how; by default :func:`choose_frame` picks an exact one.
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


def choose_frame(inp: Action) -> Frame:
    """The default frame for an input action: all elements of a small finite group, else the first exact frame that serves it.

    Raises:
        ArgumentError: no exact frame serves it; the message lists what was tried and why not.

    >>> from erlangen.groups import SE, SO, Symmetric
    >>> [type(choose_frame(a)).__name__ for a in (SE(3).point, SO(1, 3).vector, Symmetric(4).vector, 2 * SO(2).vector)]
    ['Principal', 'GramSchmidt', 'AllElements', 'Phase']
    """
    if inp.group.is_finite and inp.group.order <= LARGEST_AVERAGE:
        return AllElements()
    tried = []
    for frame in (Principal(), GramSchmidt(), Phase()):
        reason = frame.refuse(inp)
        if not reason:
            return frame
        tried.append(f"{type(frame).__name__}: {reason}")
    hint = "frame=erlangen.frames.Haar(k) averages over k random elements" if not Haar().refuse(inp) else ""
    raise ArgumentError("frame", f"a frame that serves {inp!r}", "; ".join(tried), hint)
