"""Permutations, and products with them: how groups act on the places of sets, graphs and sequences."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.groups import Symmetric
from erlangen.groups.base import Element, Group
from erlangen.groups.products import DirectProduct
from erlangen.reps.base import Rep
from erlangen.reps.basic import Permutation


def relabelling(group: Group, size: int) -> Rep | None:
    """The permutations of so many places that a group is; ``None`` where it is none."""
    try:
        rep = group.vector
    except (TypeError, ValueError):
        return None
    return rep if isinstance(rep, Permutation) and rep.dim == size else None


def orders_all(group: Group, size: int) -> bool:
    """Whether a group is, or has as a factor, all permutations of so many places."""
    return any(factor == Symmetric(size) for factor in factors_of(group))


def factors_of(group: Group) -> tuple[Group, ...]:
    """The factors of a direct product; a group that is none has one, itself.

    >>> from erlangen.groups import SO
    >>> factors_of(DirectProduct(SO(3), Symmetric(4)))
    (SO(3), S_4)
    """
    return group.factors if isinstance(group, DirectProduct) else (group,)


def in_front(there: Bool[Tensor, "*batch n"]) -> Int[Tensor, "*batch n"]:
    """Where to take members from so that those that are there come first, in their order, as files have them.

    >>> in_front(torch.tensor([[False, True, False, True]])).tolist()
    [[1, 3, 0, 2]]
    """
    return there.to(torch.int8).argsort(dim=-1, descending=True, stable=True)


class Through(Action):
    """A direct product acts through some of its factors, one action after another.

    Args:
        group: the product; a group that is none is its only factor.
        by_factor: the action of each factor; ``None`` where it moves nothing here.
        shape: the trailing shape of one datum, ``None`` for a free size.

    >>> from erlangen.actions import nodes
    >>> from erlangen.groups import SO
    >>> G = DirectProduct(SO(3), Symmetric(4))
    >>> act = Through(G, (SO(3).vector, nodes(Symmetric(4))), (4, 3))
    >>> act.act(G.sample(2), torch.randn(2, 4, 3)).shape
    torch.Size([2, 4, 3])
    """

    def __init__(self, group: Group, by_factor: tuple[Action | None, ...], shape: tuple[int | None, ...]) -> None:
        super().__init__(group)
        self.by_factor, self.data_shape = by_factor, shape

    def act(self, g: Element, x: Tensor) -> Tensor:
        for part, action in zip(g if isinstance(self.group, DirectProduct) else (g,), self.by_factor):
            if action is not None:
                x = action.act(part, x)
        return x


class Reversal(Action):
    """The group of order two turns sequences ``[*batch, T, c]`` around.

    >>> from erlangen.groups import Cyclic
    >>> Reversal(Cyclic(2)).act(Cyclic(2).element(1), torch.tensor([[1.0], [2.0]])).flatten().tolist()
    [2.0, 1.0]
    """

    data_shape = (None, None)

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        return torch.where((g[..., 0] == 1)[..., None, None], x.flip(-2), x)
