"""`Centred`: the frame of a group that also translates, from one of its linear part; and the base of frames that clouds span."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import is_by_node
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.axial import across
from erlangen.groups.base import Group
from erlangen.symmetrize.batch import Batch
from erlangen.symmetrize.cloud import Cloud, cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.linear_parts import from_centre, of_linear_part
from erlangen.symmetrize.outline import once


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
    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        """The frame of each datum for an action of a linear group (``batch.inp``), given the cloud that spans it."""

    @abstractmethod
    def refuse_linear(self, group: Group) -> str:
        """Why a linear group cannot be served, as what follows its name: ``"does not rotate space"``; empty when it can."""

    def prepared(self, cloud: Cloud) -> Cloud:
        """The cloud as the frame wants it, before it is centred: without gradient, in another precision."""
        return cloud

    def forward(self, inp: Action, x: Any) -> Weighted:
        return CloudFrame.of_batch(self, Batch(inp, x))  # also for a subclass that calls this from its own

    def of_batch(self, batch: Batch) -> Weighted:
        cloud = self.prepared(cloud_of(batch, self.of, self.weights, self.others))
        with batch.full_precision():  # eight bits tell no axes apart
            return centred(self.spanned, batch, cloud) if batch.outline.translates else self.spanned(batch, cloud)

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


def centred(find: Callable[[Batch, Cloud], Weighted], batch: Batch, cloud: Cloud) -> Weighted:
    """The frame that ``find`` gives of the datum seen from the cloud's centre, moved there.

    Args:
        find: called with the datum seen from the centre, under the linear part, and its cloud.
        batch, cloud: the datum under the group that translates, and its cloud.
    """
    outline, centre = batch.outline, cloud.centre()
    if outline.axis is not None:  # translations across an axis only
        plane: Tensor = across(outline.axis).to(centre)
        centre = centre @ plane @ plane.mT
    if not outline.turns:
        return Weighted(outline.group.element(translation=centre.to(cloud.dtype).unsqueeze(1)))
    found = find(SeenFrom(batch, centre), cloud.minus(centre))
    turns = found.elements
    shift = centre.to(turns.dtype).unsqueeze(1).expand(-1, turns.shape[1], -1)
    return found._replace(elements=outline.group.element(turns, shift))


class SeenFrom(Batch):
    """The data moved by ``-centre``, under the linear part of the group: moved when somebody asks for them, for most frames go by the
    cloud alone."""

    def __init__(self, batch: Batch, centre: Float[Tensor, "B d"]) -> None:
        self.batch, self.centre, self.outline, self.index = batch, centre, batch.outline.linear, batch.index
        self.inp = self.outline.inp

    @once
    def parts(self) -> list[Any]:  # type: ignore[override]
        index, centre = self.batch.index, self.centre

        def move(action: Action, part: Any) -> Any:
            return from_centre(action, part, centre[index] if index is not None and is_by_node(action, part, index) else centre)

        whole = self.batch.outline
        return [move(*leaf[1:]) if leaf[0] else leaf[2] for leaf in zip(whole.shifted, whole.leaves, self.batch.parts)]

    @once
    def x(self) -> Any:  # type: ignore[override]
        return self.inp.unflatten(self.parts) if isinstance(self.inp, Record) else self.parts[0]

    @property
    def leaf(self) -> Tensor:
        return self.batch.leaf
