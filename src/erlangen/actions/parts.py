"""Actions on one of several spaces: a block of a matrix, or one factor of a product."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.groups.affine import AffineMaps
from erlangen.groups.base import Element
from erlangen.groups.products import DirectProduct


class PartOf(Action):
    """An affine group of ``R^n_1 + R^n_2 + ...`` that mixes no two of these spaces, on the points of one: ``x -> A_k x + b_k``.

    Args:
        group: of homogeneous matrices.
        start, size: which components the space has.

    >>> import torch
    >>> from erlangen.groups.affine import AffineSubgroup
    >>> shift = torch.zeros(1, 3, 4)
    >>> shift[0, 2, 3] = 1.0
    >>> G = AffineSubgroup(shift)
    >>> g = G.exp(G.algebra.basis[0])
    >>> PartOf(G, 0, 2).act(g, torch.ones(2)).tolist(), PartOf(G, 2, 1).act(g, torch.ones(1)).tolist()
    ([1.0, 1.0], [2.0])
    """

    def __init__(self, group: AffineMaps, start: int, size: int) -> None:
        super().__init__(group)
        self.start, self.size, self.data_shape = start, size, (size,)

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        rows = g[..., self.start : self.start + self.size, :].to(x.dtype)
        turned = torch.einsum("...ij,...j->...i", rows[..., self.start : self.start + self.size], x)
        return turned + rows[..., -1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartOf) and (self.group, self.start, self.size) == (other.group, other.start, other.size)

    def __hash__(self) -> int:
        return hash((self.group, self.start, self.size))

    def __repr__(self) -> str:
        return f"PartOf({self.group}, components {self.start} to {self.start + self.size - 1})"


class OfFactor(Action):
    """A direct product acts as one of its factors does; the others move nothing.

    >>> import torch
    >>> from erlangen.groups import SE, SO
    >>> G = DirectProduct(SE(3), SO(3))
    >>> OfFactor(G, 0, SE(3).point).act(G.sample(4), torch.zeros(4, 3)).shape
    torch.Size([4, 3])
    """

    def __init__(self, group: DirectProduct, place: int, action: Action) -> None:
        super().__init__(group)
        self.place, self.action, self.data_shape = place, action, action.data_shape

    def act(self, g: Element, x: Tensor) -> Tensor:
        return self.action.act(g[self.place], x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfFactor) and (self.group, self.place, self.action) == (other.group, other.place, other.action)

    def __hash__(self) -> int:
        return hash((self.group, self.place, self.action))

    def __repr__(self) -> str:
        return f"OfFactor({self.group}, {self.place}, {self.action!r})"


def of_factor(group: DirectProduct, place: int, action: Action) -> Action:
    """An action of one factor as one of the product: a representation stays one."""
    from erlangen.reps.base import Rep

    return group.lift(place, action) if isinstance(action, Rep) else OfFactor(group, place, action)
