"""Where elements of a finite group stand in its list: a sorted projection finds the candidates, the elements themselves decide."""

from __future__ import annotations

import optree
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.groups.membership import LOOSE

#: Temporary tensors of a look-up stay below this many bytes, whatever the batch.
MEMORY = 64 * 2**20
#: How many float64 copies of an element are alive at once while it is looked up, counted generously.
COPIES = 16


class Lookup:
    """The positions of elements in ``group.elements()``, listed once.

    Each element is projected to a number, along a direction whose absolute entries add up to 1, so that projections differ by no more
    than elements do in their largest difference. The elements whose projection lies within the tolerance of the wanted one's are then
    compared in full: integers exactly, floating-point numbers as ``group.equal`` does (1e-9 of their size in float64, 1e-4 in narrower
    types), of which the nearest is taken. So the cost of one position grows with the logarithm of the order.

    >>> from erlangen.groups import Symmetric
    >>> Lookup(Symmetric(3)).find(torch.tensor([[0, 1, 2], [2, 1, 0]]))
    tensor([0, 5])
    """

    def __init__(self, group: Group) -> None:
        self._group, self._every = group, listed(group)
        numbers = _rows(group, self._every, (int(group.order),))
        direction = torch.rand(numbers.shape[-1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
        self._direction = direction / direction.sum()
        self._keys, self._places = (numbers @ self._direction).sort()

    def find(self, g: Element) -> Int[Tensor, "*batch"]:
        """The position of each element.

        Raises:
            ArgumentError: an element is not in the group.
        """
        place = torch.full(batch := batch_of(self._group, g), -1)
        leaves, tree = optree.tree_flatten(g)
        shapes = self._group._shapes()
        flat = [leaf.detach().expand((*batch, *shape)).reshape(-1, *shape) for leaf, shape in zip(leaves, shapes)]
        for part in chunks(place.numel(), len(self._direction)):
            place.view(-1)[part] = self._find_chunk(optree.tree_unflatten(tree, [leaf[part].cpu() for leaf in flat]))
        if bool((place < 0).any()):
            refuse(self._group, place < 0)
        return place.to(leaves[0].device)

    def _find_chunk(self, g: Element) -> Int[Tensor, " count"]:
        rows, atol = _rows(self._group, g, self._group.batch_shape(g)), _tolerance(g, self._every)
        size = rows.abs().amax(-1).clamp_min(1) if rows.shape[-1] else rows.new_ones(len(rows))
        # Rounding of the projection itself, of either element: far above what it is, far below what tells elements apart.
        reach = size * (atol + 1e-14 * len(self._direction))
        key = rows @ self._direction
        here, stop = torch.searchsorted(self._keys, key - reach), torch.searchsorted(self._keys, key + reach, right=True)
        place, nearest = torch.full_like(here, -1), torch.full_like(key, torch.inf)
        active = (here < stop).nonzero().flatten()
        while len(active):
            candidate, wanted = self._places[here[active]], self._group.take(g, active)
            known = self._group.take(self._every, candidate)
            same = self._group.equal(wanted, known, atol)
            distance = (rows[active] - _rows(self._group, known, (len(active),))).abs().amax(-1)
            better = active[same & (distance < nearest[active])]
            place[better], nearest[better] = self._places[here[better]], distance[same & (distance < nearest[active])]
            here[active] += 1
            active = active[here[active] < stop[active]]
        return place


def listed(group: Group) -> Element:
    """The elements of a finite group, as many as its order and the identity first, which is what everything that uses positions counts on.

    Raises:
        ArgumentError: its class lists another number of elements, or another one first.
    """
    every = group.elements()
    if group.batch_shape(every) != (int(group.order),):
        raise ArgumentError("elements", f"{group.order} elements of {group}, as many as its order", group.batch_shape(every))
    first = group.take(every, 0)
    if not bool(group.equal(first, group.identity_like(first))):
        raise ArgumentError("elements", f"the elements of {group}, the identity first", "another one first")
    return every


def batch_of(group: Group, g: Element) -> tuple[int, ...]:
    """The common batch axes of all tensors of ``g``.

    Raises:
        ArgumentError: ``g`` does not have the structure, the shape or the type of the group's elements.
    """
    group.batch_shape(g)
    batches = [leaf.shape[: leaf.ndim - len(shape)] for leaf, shape in zip(optree.tree_leaves(g), group._shapes())]
    return tuple(torch.broadcast_shapes(*batches))


def chunks(count: int, numbers: int) -> list[slice]:
    """Slices of ``count`` elements of ``numbers`` numbers each, so few at a time that temporaries fit :data:`MEMORY`."""
    step = max(1, MEMORY // (8 * COPIES * max(1, numbers)))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def nearest(group: Group, g: Element, every: Element) -> Element:
    """The nearest of the elements ``every`` to each of ``g``: generators given in float32 as the float64 elements that they mean."""
    if not any(leaf.is_floating_point() for leaf in optree.tree_leaves(g)):
        return g
    rows, known = _rows(group, g, group.batch_shape(g)), _rows(group, every, (int(group.order),))
    return group.take(every, torch.cdist(rows, known, p=torch.inf).argmin(-1))


def refuse(group: Group, strangers: Tensor, argument: str = "g") -> None:
    """Raise the error about elements that are not in the group."""
    count, first = int(strangers.sum()), strangers.nonzero()[0].tolist()
    where = f", the first at {first}" if first else ""
    raise ArgumentError(argument, f"elements of {group}", f"{count} of {strangers.numel()} that are not in it{where}")


def _rows(group: Group, g: Element, batch: tuple[int, ...]) -> Float[Tensor, "*batch numbers"]:
    """Elements as rows of float64 numbers."""
    return torch.cat([leaf.to(torch.float64).reshape(*batch, -1) for leaf in optree.tree_leaves(g)], -1)


def _tolerance(g: Element, every: Element) -> float:
    """What the narrowest floating-point type deserves; integers are exact."""
    kinds = {leaf.dtype for leaf in [*optree.tree_leaves(g), *optree.tree_leaves(every)] if leaf.is_floating_point()}
    return max((LOOSE.get(kind, 1e-4) for kind in kinds), default=0.0)
