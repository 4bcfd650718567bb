"""`Pullback`: a representation of one group through a homomorphism into another: restriction, factors of a product, quotients."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import optree
import torch
from torch import Tensor

from erlangen.groups.base import Element, Group
from erlangen.reps.base import Rep


class Pullback(Rep):
    """``rho(h(g))`` for a homomorphism ``h`` from ``group`` to the group of ``rep``.

    Args:
        rep: a representation of the target group.
        group: the group that acts.
        homomorphism: takes elements of ``group`` to elements of ``rep.group``; ``None`` when they already are (a subgroup). Its
            derivative is taken by forward differentiation, or from its own ``derivative(a)`` where it has one.

    >>> from erlangen.groups import MatrixGroup, SO
    >>> quarter = MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    >>> V = Pullback(SO(2).vector, quarter)
    >>> V.dim, V.group.order
    (2, 4)
    """

    def __init__(self, rep: Rep, group: Group, homomorphism: Callable[[Element], Element] | None = None) -> None:
        super().__init__(group)
        self.rep, self.homomorphism = rep, homomorphism
        self.dim, self.symbol, self.is_orthogonal = rep.dim, rep.symbol, rep.is_orthogonal

    def equality_key(self) -> Hashable:
        return (self.rep, self.homomorphism)

    def _through(self, g: Element) -> Element:
        return g if self.homomorphism is None else self.homomorphism(g)

    def matrix(self, g: Element) -> Tensor:
        return self.rep.matrix(self._through(g))

    def apply(self, g: Element, x: Tensor) -> Tensor:
        return self.rep.apply(self._through(g), x)

    def algebra(self, a: Element) -> Tensor:
        if self.homomorphism is None:
            return self.rep.algebra(a)
        if not self.rep.group.dim:  # the image is discrete: nothing moves
            leaf = next(t for t in optree.tree_leaves(a) if t.is_floating_point())
            return leaf.new_zeros(*self.group.batch_shape(a), self.dim, self.dim)
        derivative = getattr(self.homomorphism, "derivative", None)
        if derivative is not None:
            return self.rep.algebra(derivative(a))
        here = optree.tree_map(torch.clone, self.group.identity_like(a))  # forward mode takes no expanded tensors
        return self.rep.algebra(torch.func.jvp(self.homomorphism, (here,), (a,))[1])
