"""The group elements that a score is taken over: all, a set that is given, or random ones for each datum."""

from __future__ import annotations

from typing import Any, NamedTuple

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Element, Group
from erlangen.groups.recognise import recognised

#: A group with more elements than this is never gone through.
LARGEST_GROUP = 1_000_000
#: Sets up to this size are looked at for closure under the product.
LARGEST_SET = 256


class Elements(NamedTuple):
    """Group elements for ``B`` data.

    Attributes:
        elements: ``[k, *element_shape]`` when all data share them, else ``[B, k, ...]``.
        per_datum: ``[B, k, *element_shape]``.
        drawn: they are random.
        whole: they are the whole group.
        about: what a reader must know of them.
    """

    elements: Element
    per_datum: Element
    drawn: bool
    whole: bool
    about: str


def elements_for(
    inp: Action, x: Any, size: int, n: int | None, elements: Element | None, generator: torch.Generator | None
) -> Elements:
    """``n`` random elements for each of ``size`` data, or the given ones, or all.

    Where a group has no Haar samples to draw, ``about`` says by what law it draws instead, for a mean over them is a mean by that law.

    Raises:
        ArgumentError: the group is too large to go through, or ``n`` or ``elements`` are not what they should be.
        UnsupportedError: the batch is ragged.
    """
    from erlangen.actions.ragged import segment_of

    group = inp.group
    if segment_of(inp, x) is not None:
        raise UnsupportedError("explanations are compared datum by datum, which a ragged batch does not allow; pad it")
    if elements is None and n is not None:
        if not isinstance(n, int) or n < 1:
            raise ArgumentError("n", "a positive number of random elements", repr(n))
        leaf = next((t for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()), None)
        dtype = torch.get_default_dtype() if leaf is None else leaf.dtype
        source = group if group.has_haar else recognised(group)  # somebody's class of rotations may draw them by any law
        drawn = source.sample(size, n, generator=generator, dtype=dtype)
        law = "" if source.has_haar else f", not uniform but by {source.measure}"
        return Elements(drawn, drawn, True, False, f", {n} random elements for each{law}")
    whole = elements is None
    if elements is None:
        if not group.is_finite or group.order > LARGEST_GROUP:
            order = f"{group.order:,}" if group.is_finite else "infinitely many"
            raise ArgumentError(
                "n", f"a number of random elements, for {group} is too large to go through", f"None: {order} elements"
            )
        elements = group.elements()
    if len(group.batch_shape(elements)) != 1:
        raise ArgumentError("elements", "group elements [k, *element_shape]", f"batch {group.batch_shape(elements)}")
    if not whole:
        group.check(elements, "elements")
    shared = group.map(lambda e, shape: e.unsqueeze(0).expand(size, *e.shape), elements)
    return Elements(elements, shared, False, whole, "" if whole else _closure(group, elements))


def inverse(group: Group, g: Element) -> Element:
    """The inverses of elements ``[B, k]``; computed once where all data share them."""
    if any(t.stride(0) for t in optree.tree_leaves(g)):
        return group.inverse(g)
    (size, *_) = group.batch_shape(g)
    one = group.inverse(group.take(g, 0))
    return group.map(lambda e, shape: e.unsqueeze(0).expand(size, *e.shape), one)


def _closure(group: Group, elements: Element) -> str:
    """Whether a given set of discrete elements is closed under the product: only then is its average a group's."""
    leaves = optree.tree_leaves(elements)
    (k,) = group.batch_shape(elements)
    if k > LARGEST_SET or any(t.is_floating_point() for t in leaves):
        return f", a set of {k} elements"
    every = group.map(lambda e, shape: e.unsqueeze(1), elements)
    products = optree.tree_leaves(group.multiply(every, elements))
    closed = len(_rows(products, k * k)) == len(_rows(leaves, k))
    return f", a set of {k} elements that is {'' if closed else 'not '}closed under the product"


def _rows(leaves: list[Tensor], count: int) -> set[bytes]:
    """The distinct elements among ``count``."""
    return {row.tobytes() for row in torch.cat([t.reshape(count, -1) for t in leaves], 1).numpy()}
