"""Whether a transformation is to be predicted and ignored at once, which no feature can do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.images import Images
from erlangen.actions.members import Members, Parts
from erlangen.discover.essl.transforms import Factors, GridShifts
from erlangen.errors import ArgumentError
from erlangen.groups.torus import Torus

#: Images that the ignored transformations may make of one; what lies beyond is not looked at.
LARGEST = 5_000


def overlap(predicted: Action, ignored: Sequence[Action], shape: Sequence[int]) -> tuple[Action, Sequence[Action]] | None:
    """The predicted factor of which an element, not the identity, is also made by the ignored actions, and those actions.

    Finite groups are compared by what they make of one random image, products of ignored transformations included. Of infinite ones
    it is known when turns of images contain other turns, and shifts of the torus other shifts.

    Args:
        predicted: the action whose elements are to be predicted.
        ignored: the actions that features shall not see.
        shape: of a sample, ``[channels, height, width]``.

    >>> from erlangen.discover.essl.transforms import mirrors, turns
    >>> from erlangen.groups import Cyclic, Dihedral
    >>> overlap(turns(Cyclic(4)), [mirrors()], (1, 8, 8)) is None
    True
    >>> overlap(turns(Dihedral(4)), [mirrors()], (1, 8, 8))
    (Images(scalars on ρ1 of D_4), [Images(scalars on ρ1 + ρ0 of C_2)])
    """
    parts = (*predicted.parts, predicted) if isinstance(predicted, Factors) else (predicted,)
    for part in parts:
        for action in ignored:
            if _contains(action, part):
                return part, [action]
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    usable = [action for action in ignored if action.group.is_finite and _acts(action, x)]
    made = _closure(usable, x)
    for part in parts:
        if part.group.is_finite and _acts(part, x):
            count = int(part.group.order)
            every = part.group.elements()
            if any(Parts(part.act(part.group.take(every, i), x)) in made for i in range(1, min(count, LARGEST))):
                return part, usable
    return None


def _contains(larger: Action, smaller: Action) -> bool:
    """Whether an infinite group's action is known to contain an element of another, beside the identity."""
    if isinstance(larger, Images) and isinstance(smaller, Images) and not larger.group.is_finite:
        if larger.space != larger.group.vector or larger.space.dim != smaller.space.dim:
            return False
        if not smaller.group.is_finite:
            return True
        g = smaller.group.take(smaller.group.elements(), slice(1, None))
        return bool(larger.group.contains(smaller.linear.matrix(g).double(), 1e-5).any())
    if isinstance(larger, GridShifts) and isinstance(smaller, GridShifts) and isinstance(larger.group, Torus):
        return bool(set(smaller.axes) & set(larger.axes))
    return False


def _acts(action: Action, x: Tensor) -> bool:
    """Whether the action can move such data at all; where it cannot, using it will say so."""
    try:
        action.act(action.group.identity(), x)
    except ArgumentError:
        return False
    return True


def _closure(actions: Sequence[Action], x: Tensor) -> Members:
    """Everything that the actions' generators make of ``x``."""
    steps = []
    for action in actions:
        gens = action.group.generators
        if gens is not None:
            steps += [(action, action.group.take(gens, i)) for i in range(action.group.batch_shape(gens)[0])]
    seen, queue = Members(), [x]
    seen.add(Parts(x))
    for y in queue:
        for action, g in steps:
            z = action.act(g, y)
            if len(queue) < LARGEST and seen.add(Parts(z)):
                queue.append(z)
    return seen
