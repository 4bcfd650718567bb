"""Which frame to take when the user names none: the cheapest exact one."""

from __future__ import annotations

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import AllElements, Frame, Haar
from erlangen.symmetrize.gram_schmidt import GramSchmidt
from erlangen.symmetrize.phase import Phase
from erlangen.symmetrize.principal import Principal

#: A finite group of at most this order is averaged over as a whole.
LARGEST_AVERAGE = 1024


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
