"""What every finite group shares: positions of elements, the multiplication table, conjugacy classes, the centre."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.closure import close_matrices
from erlangen.groups.lookup import Lookup, batch_of, chunks, nearest, refuse

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
    found = _table_by_generators(group)
    if found is not None:
        return found
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


def element_order(group: Group, g: Element) -> Int[Tensor, "*batch"]:
    """How often each element must be multiplied by itself to give the identity.

    For each prime power ``p^a`` in the group's order, ``g^(order / p^a)`` tells the part of ``p``: a few dozen products, so the group may
    be far too large to list.

    >>> from erlangen.groups import Cyclic
    >>> element_order(Cyclic(12), Cyclic(12).element(8))
    tensor(3)
    """
    from sympy import factorint

    if not group.is_finite:
        unsupported(group, "order that elements' orders divide (it is infinite)", "multiply elements directly")
    one = group.identity_like(g)
    orders = torch.ones(group.batch_shape(g), dtype=torch.int64, device=one.device if isinstance(one, Tensor) else None)
    for prime, most in factorint(int(group.order)).items():
        rest = group.power(g, int(group.order) // prime**most)
        for _ in range(most):
            orders = torch.where(group.equal(rest, one), orders, orders * prime)
            rest = group.power(rest, prime)
    return orders


def element_orders(group: Group) -> Int[Tensor, order]:
    """The order of each element, as :meth:`Group.elements` lists them."""
    return element_order(group, group.elements())


def exponent(group: Group) -> int:
    """The least number that every element's order divides.

    >>> from erlangen.groups import Symmetric
    >>> exponent(Symmetric(4))
    12
    """
    return math.lcm(*element_orders(group).unique().tolist())


def conjugacy_classes(group: Group) -> list[Int[Tensor, size]]:
    """The conjugacy classes as positions, each ascending, by their first members: the class of the identity first.

    They are what conjugation by generators connects, so that no multiplication table is needed.

    >>> from erlangen.groups import Symmetric
    >>> [len(c) for c in conjugacy_classes(Symmetric(3))]
    [1, 3, 2]
    """
    moved = _conjugations(group)
    here = torch.arange(moved.shape[1])
    label = here.clone()
    # Everyone takes the smallest label among its neighbours, then that label's own, until nothing changes.
    while True:
        lower = label.clone()
        for step in moved:
            lower = torch.minimum(lower, label[step]).scatter_reduce(0, step, label, "amin")
        lower = torch.minimum(lower, lower[lower])
        if torch.equal(lower, label):
            break
        label = lower
    _, sizes = label.unique(return_counts=True)
    return list(label.argsort(stable=True).split(sizes.tolist()))


def centre(group: Group) -> Int[Tensor, size]:
    """The positions of the elements that commute with all."""
    moved = _conjugations(group)
    return (moved == torch.arange(moved.shape[1])).all(0).nonzero().flatten()


def _conjugations(group: Group) -> Int[Tensor, "m order"]:
    """Where each generator ``s`` takes each element ``g``: the position of ``s g s^-1``."""
    every, gens = group.elements(), group.generators
    position = getattr(group, "index", None) or Lookup(group).find
    if gens is None:
        return torch.arange(int(group.order)).unsqueeze(0)
    gens = nearest(group, gens, every)
    return torch.stack(
        [position(group.conjugate(group.take(gens, slice(i, i + 1)), every)) for i in range(group.batch_shape(gens)[0])]
    )


def _table_by_generators(group: Group) -> Int[Tensor, "order order"] | None:
    """The multiplication table from the generators' rows: that of ``s g`` reads the row of ``s`` where the row of ``g`` says.

    So only the generators are multiplied; ``None`` where none are known, or where they do not reach every element.
    """
    every, gens, order = group.elements(), group.generators, int(group.order)
    if gens is None:
        return None
    position = getattr(group, "index", None) or Lookup(group).find
    gens = nearest(group, gens, every)
    steps = [position(group.multiply(group.take(gens, slice(i, i + 1)), every)) for i in range(group.batch_shape(gens)[0])]
    table, reached = torch.empty(order, order, dtype=torch.int64), [0]
    table[0], known = torch.arange(order), {0}
    for g in reached:  # grows while it is walked
        for step in steps:
            h = int(step[g])
            if h not in known:
                known.add(h)
                reached.append(h)
                table[h] = step[table[g]]
    return table if len(reached) == order else None


__all__ = [
    "centre",
    "close_matrices",
    "conjugacy_classes",
    "element_order",
    "element_orders",
    "exponent",
    "index_of",
    "inverse_positions",
    "is_abelian",
    "multiplication_table",
]
