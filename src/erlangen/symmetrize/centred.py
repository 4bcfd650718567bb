"""`Centred`: the frame of a group that also translates, from one of its linear part; and the base of frames that clouds span."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import is_by_node, segment_of
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.axial import across
from erlangen.groups.base import Group
from erlangen.groups.recognise import recognised
from erlangen.symmetrize.cloud import Cloud, cloud_of, cloud_refusal, named_parts
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.linear_parts import from_centre, is_moved_by_translations, of_linear_part


class CloudFrame(Frame):
    """The base of frames that a cloud of points or vectors spans, written for vectors and a linear group alone.

    A subclass implements :meth:`spanned` and :meth:`refuse_linear`. Where the group translates, the datum is seen from its centre, the
    linear part acts, and the translation to the centre is put back.

    Attributes:
        of, weights: the names of the parts that span the frame and weigh its points; see :func:`~erlangen.symmetrize.cloud.cloud_of`.
        others: whether the cloud's other vectors are wanted.
    """

    of: str | None = None
    weights: str | None = None
    others: bool = False

    @abstractmethod
    def spanned(self, inp: Action, x: Any, cloud: Cloud) -> Weighted:
        """The frame of each datum for an action of a linear group, given the cloud that spans it."""

    @abstractmethod
    def refuse_linear(self, group: Group) -> str:
        """Why a linear group cannot be served, as what follows its name: ``"does not rotate space"``; empty when it can."""

    def prepared(self, cloud: Cloud) -> Cloud:
        """The cloud as the frame wants it, before it is centred: without gradient, in another precision."""
        return cloud

    def forward(self, inp: Action, x: Any) -> Weighted:
        cloud = self.prepared(cloud_of(inp, x, self.of, self.weights, self.others))
        with torch.autocast(cloud.points.device.type, enabled=False):  # eight bits tell no axes apart
            if not inp.group.translates:
                return self.spanned(inp, x, cloud)
            return centred(self.spanned, inp, x, cloud)

    def refuse(self, inp: Action) -> str:
        if reason := self.refuse_linear(inp.group.linear_part):
            return f"{inp.group} {reason}"
        return cloud_refusal(inp)


class Centred(Frame):
    """The frame of rigid motions, or of any group with translations, from a frame of its linear part.

    The centre of the cloud moves along with it, so ``F(x) = t(x) F0(t(x)^-1 x)`` is a frame, where ``t`` is the translation to the
    centre and ``F0`` a frame of the linear part for the datum seen from its centre. The library's frames of clouds do so by themselves;
    wrap one of your own, written for vectors.

    Args:
        frame: serves the linear part (for a group of translations alone: any, it is not asked).
        of, weights: the parts that have the centre, as for :class:`Principal`.

    >>> from erlangen.groups import SE
    >>> from erlangen.symmetrize import Phase
    >>> Centred(Phase())(SE(2).point, torch.randn(8, 5, 2)).elements.shape
    torch.Size([8, 1, 3, 3])
    """

    def __init__(self, frame: Frame, of: str | None = None, weights: str | None = None) -> None:
        super().__init__()
        if not isinstance(frame, Frame):
            raise ArgumentError("frame", "a Frame of the linear part", type(frame).__name__)
        self.frame, self.of, self.weights = frame, of, weights
        self.is_exact = frame.is_exact
        self.differentiable = frame.differentiable

    def forward(self, inp: Action, x: Any) -> Weighted:
        frame = self.frame
        if isinstance(frame, CloudFrame) and (frame.of or self.of, frame.weights) == (self.of, self.weights):
            # Of the same cloud it is told how far rounding moved it before it was centred: equal points are nothing but that afterwards.
            cloud = frame.prepared(cloud_of(inp, x, self.of, self.weights, frame.others))
            with torch.autocast(cloud.points.device.type, enabled=False):
                return centred(frame.spanned, inp, x, cloud)
        cloud = cloud_of(inp, x, self.of, self.weights)
        return centred(lambda inp, x, cloud: frame(inp, x), inp, x, cloud)

    def refuse(self, inp: Action) -> str:
        if not inp.group.translates:
            return f"{inp.group} does not translate"
        if reason := cloud_refusal(inp):
            return reason
        return "" if inp.group.linear_part.order == 1 else self.frame.refuse(of_linear_part(inp))


def centred(find: Callable[[Action, Any, Cloud], Weighted], inp: Action, x: Any, cloud: Cloud) -> Weighted:
    """The frame that ``find`` gives of the datum seen from the cloud's centre, moved there.

    Args:
        find: called with the action of the linear part, the datum and the cloud seen from the centre.
        inp, x, cloud: the action of the group that translates, the datum, and its cloud.
    """
    group: Any = recognised(inp.group)
    centre = cloud.centre()
    if (axis := getattr(group, "axis", None)) is not None:  # translations across an axis only
        plane: Tensor = across(axis).to(centre)
        centre = centre @ plane @ plane.mT
    if group.linear_part.order == 1:
        return Weighted(group.element(translation=centre.to(cloud.points.dtype).unsqueeze(1)))
    found = find(of_linear_part(inp), seen_from(inp, x, centre), cloud.minus(centre))
    turns = found.elements
    return found._replace(elements=group.element(turns, centre.to(turns.dtype).unsqueeze(1).expand(*turns.shape[:2], -1)))


def seen_from(inp: Action, x: Any, centre: Float[Tensor, "B d"]) -> Any:
    """The datum moved by ``-centre``."""
    index = segment_of(inp, x)

    def move(action: Action | None, part: Any) -> Any:
        if action is None or not is_moved_by_translations(action):
            return part
        return from_centre(action, part, centre[index] if index is not None and is_by_node(action, part, index) else centre)

    parts = [move(action, part) for _, action, part in named_parts(inp, x)]
    return inp.unflatten(parts) if isinstance(inp, Record) else parts[0]
