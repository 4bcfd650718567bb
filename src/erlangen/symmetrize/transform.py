"""`FrameTransform`: canonical coordinates made in a data set, so that the workers of a loader do it and the network stays bare."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import is_still
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.symmetrize.frames import Frame
from erlangen.symmetrize.stochastic import Stochastic
from erlangen.symmetrize.symmetrized import Batch


class FrameTransform:
    """Move one datum into a frame element that is drawn anew at every call; :meth:`back` moves predictions out of it again.

    What :class:`~erlangen.symmetrize.Symmetrized` with :class:`~erlangen.symmetrize.Stochastic` does in training, for data sets that
    hand out single data. Draws come from torch's own generator: each worker of a ``DataLoader`` has its own, new in every epoch and
    repeatable through the loader's ``generator``.

    Args:
        frame: the frame to draw from.
        inp: how the group acts on a datum: a dict of actions with the names of the datum's parts. Parts without an action, edges and
            segments are left alone, and so are parts that it does not name.

    Raises:
        ArgumentError: ``inp`` is no dict, or the frame cannot serve it.

    >>> import erlangen as er
    >>> G = er.SE(3)
    >>> into = FrameTransform(er.frames.Principal(), {"pos": G.point, "charge": None})
    >>> x = into({"pos": torch.randn(7, 3), "charge": torch.ones(7)})
    >>> x["pos"].shape, x["frame"].shape
    (torch.Size([7, 3]), torch.Size([4, 4]))
    """

    def __init__(self, frame: Frame, inp: Any) -> None:
        self.inp = as_action(inp, "inp")
        if not (isinstance(self.inp, Record) and isinstance(self.inp.parts, dict)):
            raise ArgumentError("inp", "a dict of actions", repr(inp))
        moving = {name: action for name, action in self.inp.parts.items() if _moves(action)}
        self.moving = Record(moving, group=self.inp.group)
        if reason := frame.refuse(self.moving):
            raise ArgumentError("frame", f"a frame that serves {self.moving!r}", f"{type(frame).__name__}: {reason}")
        self.draw = Stochastic(frame, always=True)

    def __call__(self, datum: dict[str, Any]) -> dict[str, Any]:
        """The datum in canonical coordinates, with the frame element beside it as ``"frame"``."""
        missing = [name for name in self.moving.parts if name not in datum]
        if missing:
            raise ArgumentError("datum", f"the parts {', '.join(self.moving.parts)}", f"none named {missing[0]!r}")
        batch = {name: datum[name].unsqueeze(0) for name in self.moving.parts}
        group = self.inp.group
        with torch.no_grad():
            element = group.take(self.draw(self.moving, batch).elements, (slice(None), 0))
        inverse = group.inverse(element)
        moved = {}
        for name, action, part in Batch(self.moving, batch).named:
            assert name is not None
            wide = part.double() if isinstance(element, Tensor) and element.dtype == torch.float64 else part
            moved[name] = action.act(inverse, wide).squeeze(0).to(part.dtype)
        return datum | moved | {"frame": group.take(element, 0)}

    def back(self, out: Action, prediction: Tensor, frame: Element) -> Tensor:
        """A prediction of the network for a datum (or a batch of data and their frames) as it is in the datum's own coordinates."""
        return out.act(frame, prediction)


def _moves(action: Action | None) -> bool:
    return not is_still(action)
