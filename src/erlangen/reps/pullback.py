"""`Pullback`: a representation of one group through a homomorphism into another: restriction, factors of a product, quotients."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from erlangen.errors import UnsupportedError
from erlangen.groups.base import Element, Group
from erlangen.reps.base import Rep


class Pullback(Rep):
    """``rho(h(g))`` for a homomorphism ``h`` from ``group`` to the group of ``rep``.

    Args:
        rep: a representation of the target group.
        group: the group that acts.
        homomorphism: takes elements of ``group`` to elements of ``rep.group``; ``None`` when they already are (a subgroup).

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

    def _value(self) -> Hashable:
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
        try:
            return self.rep.algebra(torch.func.jvp(self.homomorphism, (self.group.identity_like(a),), (a,))[1])
        except RuntimeError as error:
            raise UnsupportedError(f"{self!r} cannot differentiate its homomorphism: {error}") from error
