"""What every finite group shares: positions of elements, the multiplication table, conjugacy classes, the centre."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.closure import close_matrices
from erlangen.groups.lookup import Lookup, batch_of, chunks, refuse

#: Largest order for which a multiplication table is made (200 MB at 5000).
LARGEST_TABLE = 5_000


def index_of(group: Group, g: Element) -> Int[Tensor, "*batch"]:
    """The position of each element in ``group.elements()``.

    By the group's own ``index`` where it has a closed form, after a test of membership; else by a look-up, exact for integers, the
    nearest element within 1e-9 of its size (1e-4 in types narrower than float64) for matrices.

    Raises:
        ArgumentError: an element is not in the group.

    >>> from erlangen.groups import Cyclic
    >>> index_of(Cyclic(5), Cyclic(5).element(3))
    tensor(3)
    """
    own = getattr(group, "index", None)
    if own is None:
        return Lookup(group).find(g)
    batch_of(group, g)
    inside = group.contains(g)
    if not bool(inside.all()):
        refuse(group, ~inside)
    return own(g)


def multiplication_table(group: Group) -> Int[Tensor, "order order"]:
    """``table[i, j]`` is the position of ``g_i g_j``.

    Raises:
        UnsupportedError: the order is above 5000.

    >>> from erlangen.groups import Cyclic
    >>> multiplication_table(Cyclic(3))
    tensor([[0, 1, 2],
            [1, 2, 0],
            [2, 0, 1]])
    """
    if not group.is_finite or group.order > LARGEST_TABLE:
        unsupported(group, f"multiplication table (order above {LARGEST_TABLE})", "multiply elements directly")
    every, order = group.elements(), int(group.order)
    position = getattr(group, "index", None) or Lookup(group).find  # products are members: no need to check
    numbers = sum(math.prod(shape) for shape in group._shapes())
    table = torch.empty(order * order, dtype=torch.int64)
    for part in chunks(order * order, numbers):
        pair = torch.arange(part.start, part.stop)
        table[part] = position(group.multiply(group.take(every, pair // order), group.take(every, pair % order)))
    return table.view(order, order)


def inverse_positions(table: Int[Tensor, "order order"]) -> Int[Tensor, order]:
    """The position of each element's inverse, from the multiplication table (the identity is at 0)."""
    return (table == 0).to(torch.uint8).argmax(1)


def is_abelian(group: Group) -> bool:
    """Whether all elements commute: it is enough that the generators do."""
    gens = group.generators
    if gens is None:
        return True
    left = group.map(lambda leaf, shape: leaf.unsqueeze(1), gens)
    right = group.map(lambda leaf, shape: leaf.unsqueeze(0), gens)
    return bool(group.equal(group.multiply(left, right), group.multiply(right, left)).all())


def element_orders(group: Group) -> Int[Tensor, order]:
    """How often each element must be multiplied by itself to give the identity."""
    table = multiplication_table(group)
    here = torch.arange(len(table))
    orders, power = torch.zeros_like(here), here.clone()
    for k in range(1, len(table) + 1):
        orders[(power == 0) & (orders == 0)] = k
        if bool((orders > 0).all()):
            break
        power = table[power, here]
    return orders


def conjugacy_classes(group: Group) -> list[Int[Tensor, size]]:
    """The conjugacy classes as positions, each ascending, the class of the identity first.

    >>> from erlangen.groups import Symmetric
    >>> [len(c) for c in conjugacy_classes(Symmetric(3))]
    [1, 3, 2]
    """
    table = multiplication_table(group)
    inverse = inverse_positions(table)
    here = torch.arange(len(table))
    # conjugates[g, h]: the position of g h g^-1.
    conjugates = table[table, inverse[:, None].expand_as(table)]
    left, classes = torch.ones(len(table), dtype=torch.bool), []
    for h in here.tolist():
        if left[h]:
            members = conjugates[:, h].unique()
            left[members] = False
            classes.append(members)
    return classes


def centre(group: Group) -> Int[Tensor, size]:
    """The positions of the elements that commute with all."""
    table = multiplication_table(group)
    return (table == table.T).all(1).nonzero().flatten()


__all__ = [
    "centre",
    "close_matrices",
    "conjugacy_classes",
    "element_orders",
    "index_of",
    "inverse_positions",
    "is_abelian",
    "multiplication_table",
]
