"""`Centred`: the frame of a group that also translates, from one of its linear part."""

from __future__ import annotations

from typing import Any

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.cloud import CloudFrame, centred, cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.linear_parts import of_linear_part
from erlangen.symmetrize.symmetrized import Batch


class Centred(Frame):
    """The frame of rigid motions, or of any group with translations, from a frame of its linear part.

    The centre of the cloud moves along with it, so ``F(x) = t(x) F0(t(x)^-1 x)`` is a frame, where ``t`` is the translation to the
    centre and ``F0`` a frame of the linear part for the datum seen from its centre. The library's frames of clouds do so by themselves;
    wrap one of your own, written for vectors.

    Args:
        frame: serves the linear part (for a group of translations alone: any, it is not asked).
        of, weights: the parts that have the centre, as for :class:`Principal`.

    >>> import torch
    >>> from erlangen.groups import SE
    >>> from erlangen.symmetrize import Phase
    >>> _ = torch.manual_seed(0)  # no datum near a tie
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
        return Centred.of_batch(self, Batch(inp, x))

    def of_batch(self, batch: Batch) -> Weighted:
        frame = self.frame
        if isinstance(frame, CloudFrame) and (frame.of or self.of, frame.weights) == (self.of, self.weights):
            # Of the same cloud it is told how far rounding moved it before it was centred: equal points are nothing but that afterwards.
            cloud = frame.prepared(cloud_of(batch, self.of, self.weights, frame.others))
            with batch.full_precision():
                return centred(frame.spanned, batch, cloud)
        return centred(lambda batch, cloud: frame.of_batch(batch), batch, cloud_of(batch, self.of, self.weights))

    def refuse(self, inp: Action) -> str:
        if not inp.group.translates:
            return f"{inp.group} does not translate"
        if reason := cloud_refusal(inp):
            return reason
        return "" if inp.group.linear_part.order == 1 else self.frame.refuse(of_linear_part(inp))
