"""Graphs: relabelling the nodes permutes node features, both axes of the adjacency matrix, and the numbers in an edge list."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.actions.axes import OnAxes
from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.reps.basic import Permutation


def nodes(group: Group) -> OnAxes:
    """Permutations on the node axis of features ``[*batch, n, c]``."""
    return OnAxes({-2: _relabelling(group)})


def adjacency(group: Group) -> OnAxes:
    """Permutations on rows and columns of ``[*batch, n, n]``."""
    rep = _relabelling(group)
    return OnAxes({-2: rep, -1: rep})


class EdgeList(Action):
    """Permutations on an edge list ``[*batch, 2, e]`` of node numbers: node ``i`` becomes node ``g(i)``.

    >>> from erlangen.groups import Symmetric
    >>> EdgeList(Symmetric(3)).act(torch.tensor([1, 2, 0]), torch.tensor([[0, 1], [1, 2]]))
    tensor([[1, 2],
            [2, 0]])
    """

    data_shape = (2, None)

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.n = _relabelling(group).dim

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        lead = [max(a, b) for a, b in zip(g.shape[:-1], x.shape[:-2])]
        index = x.expand(*lead, *x.shape[-2:]).flatten(-2)
        return g.expand(*lead, self.n).gather(-1, index).unflatten(-1, x.shape[-2:])

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return torch.randint(self.n, (*batch, 2, 6), generator=generator)


def graph(group: Group, **extra: Action | None) -> Record:
    """Graphs as records ``{"nodes": [*batch, n, c], "adjacency": [*batch, n, n]}`` and whatever else is named.

    >>> from erlangen.groups import Symmetric
    >>> S = Symmetric(4)
    >>> act = graph(S)
    >>> moved = act.act(S.sample(2), {"nodes": torch.randn(2, 4, 3), "adjacency": torch.ones(2, 4, 4)})
    >>> moved["nodes"].shape
    torch.Size([2, 4, 3])
    """
    return Record({"nodes": nodes(group), "adjacency": adjacency(group), **extra})


def _relabelling(group: Group) -> Permutation:
    rep = group.vector
    if not isinstance(rep, Permutation):
        raise ArgumentError("group", "a group of permutations of the nodes", repr(group))
    return rep
