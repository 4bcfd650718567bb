"""Actions of a group that translates, as actions of its linear part: what a datum does once it is seen from its own centre."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import Edges, PerDatum, PerEdge, Segment, bare, is_still
from erlangen.actions.records import Record
from erlangen.groups.affine import linear_part
from erlangen.groups.base import Element, Group
from erlangen.groups.recognise import recognised
from erlangen.reps.affine import Point
from erlangen.reps.base import Rep
from erlangen.reps.basic import Trivial
from erlangen.reps.pullback import Pullback


def of_linear_part(action: Any) -> Any:
    """The action of the linear part (of the elements that leave the origin where it is): points become vectors.

    >>> from erlangen.groups import SE
    >>> of_linear_part(SE(3).point), of_linear_part(SE(3).vector)
    (V of SO(3), V of SO(3))
    """
    if isinstance(action, Record):
        leaves = [of_linear_part(leaf) for leaf in action.leaves]
        return Record(action.unflatten(leaves), action.group.linear_part)
    if action is None or not action.group.translates:
        return action
    group: Any = recognised(action.group)
    linear: Any = group.linear_part
    if isinstance(action, Point):
        return of_linear_part(action.linear)
    if isinstance(action, Pullback) and action.homomorphism is linear_part and action.rep.group == linear:
        return action.rep
    if isinstance(action, PerDatum):
        return type(action)(linear if action.moves is None else of_linear_part(action.moves))
    if isinstance(action, (Segment, Edges, PerEdge, Trivial)):
        return type(action)(linear)
    if isinstance(action, Rep):
        return Pullback(action, linear, group.element)
    return _Restricted(action, linear, group)


def is_vector(action: Any) -> bool:
    """Whether a part moves as vectors that the group's matrices multiply, whoever wrote its representation.

    >>> from erlangen.groups import SO
    >>> from erlangen.reps import MatrixRep
    >>> [is_vector(a) for a in (SO(3).vector, MatrixRep(SO(3), lambda g: g, 3), SO(3).scalar, None)]
    [True, True, False, False]
    """
    action = bare(action)
    return isinstance(action, Rep) and action.is_defining


class _Restricted(Action):
    """Any other action, for the elements without translation."""

    def __init__(self, action: Action, linear: Group, affine: Any) -> None:
        super().__init__(linear)
        self.action, self.affine, self.data_shape = action, affine, action.data_shape

    def act(self, g: Element, x: Any) -> Any:
        return self.action.act(self.affine.element(g), x)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        return self.action.example(*batch, generator=generator, dtype=dtype)


def is_moved_by_translations(action: Any) -> bool:
    """Whether a translation may change data of this action; vectors, tensors and scalars it leaves alone.

    >>> from erlangen.groups import SE
    >>> [is_moved_by_translations(a) for a in (SE(3).point, SE(3).vector, SE(3).scalar, None)]
    [True, False, False, False]
    """
    if is_still(action) or isinstance(action := bare(action), Trivial):
        return False
    return not (isinstance(action, Pullback) and action.homomorphism is linear_part)


def from_centre(action: Action, part: Tensor, centre: Tensor) -> Tensor:
    """The part moved by ``-centre``, ``[rows, d]``, a translation for each of its rows."""
    if isinstance(bare(action), Point):
        shift = centre.reshape(centre.shape[0], *[1] * (part.ndim - 2), centre.shape[-1])
        return (part.double() - shift).to(part.dtype)
    group: Any = recognised(action.group)
    return action.act(group.element(translation=-centre.to(part.dtype)), part)
