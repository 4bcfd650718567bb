"""Subgroups of a finite group up to conjugacy, without listing all of them or making a multiplication table; marks and characters.

Every subgroup is reached from the trivial one by adding elements of prime-power order. It is enough to add them to one subgroup of each
class, and to add one element of each orbit of its normalizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen.errors import unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.finite import conjugacy_classes, element_orders
from erlangen.groups.lookup import Lookup
from erlangen.groups.subgroups import Subgroup

#: Largest order of a group whose classes of subgroups are listed.
LARGEST = 5_040


@dataclass(frozen=True)
class SubgroupClass:
    """A conjugacy class of subgroups.

    Attributes:
        representative: one of them.
        size: how many there are, the index of the normalizer.
        generators: positions of a few elements that generate the representative.
    """

    representative: Subgroup
    size: int
    generators: tuple[int, ...]

    @property
    def order(self) -> int:
        """The order of each of them."""
        return self.representative.order


@dataclass(frozen=True)
class LinearCharacter:
    """A homomorphism ``chi: H -> {1, -1}``.

    Attributes:
        subgroup: ``H``.
        signs: ``chi`` of each element of the whole group in the order of its ``elements()``, 1 outside of ``H``.
    """

    subgroup: Subgroup
    signs: tuple[int, ...]

    @property
    def is_trivial(self) -> bool:
        return -1 not in self.signs


def subgroup_classes(group: Group) -> list[SubgroupClass]:
    """One subgroup of each conjugacy class, by order: the trivial one first, the whole group last.

    Raises:
        UnsupportedError: the order is above 5040.

    >>> from erlangen.groups import Symmetric
    >>> [c.order for c in subgroup_classes(Symmetric(4))]
    [1, 2, 2, 3, 4, 4, 4, 6, 8, 12, 24]
    """
    return _Search(group).classes()


def table_of_marks(group: Group, classes: list[SubgroupClass] | None = None) -> np.ndarray:
    """Burnside's table: entry ``[i, j]`` is how many cosets of subgroup ``i`` subgroup ``j`` fixes, ``int64 [k, k]``, lower triangular.

    >>> from erlangen.groups import Symmetric
    >>> table_of_marks(Symmetric(3)).tolist()
    [[6, 0, 0, 0], [3, 1, 0, 0], [2, 0, 2, 0], [1, 1, 1, 1]]
    """
    search = _Search(group)
    classes = search.classes() if classes is None else classes
    marks = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for i, h in enumerate(classes):
        conjugates = search.orbit(_mask(h.representative.positions, search.order))
        weight = search.order // (h.order * h.size)  # the index of H in its normalizer
        for j, k in enumerate(classes[: i + 1]):
            marks[i, j] = weight * conjugates[:, list(k.generators)].all(1).sum() if k.generators else weight * h.size
    return marks


def permutation_characters(group: Group, classes: list[SubgroupClass] | None = None) -> np.ndarray:
    """The characters of the permutation representations on ``G/H``, one row for each class of ``H``, one column for each conjugacy class.

    Columns are in the order of :func:`~erlangen.groups.finite.conjugacy_classes`.

    >>> from erlangen.groups import Symmetric
    >>> permutation_characters(Symmetric(3)).tolist()            # identity, transpositions, 3-cycles
    [[6, 0, 0], [3, 1, 0], [2, 0, 2], [1, 1, 1]]
    """
    classes = subgroup_classes(group) if classes is None else classes
    columns = conjugacy_classes(group)
    return np.stack([_induced(group, columns, c.representative, None) for c in classes])


def induced_character(group: Group, character: LinearCharacter) -> np.ndarray:
    """The character of ``Ind_H^G(chi)`` on the conjugacy classes of the group, ``int64``.

    >>> from erlangen.groups import Symmetric
    >>> S = Symmetric(3)
    >>> sign = linear_characters(S, subgroup_classes(S)[1].representative)[1]      # of a transposition
    >>> induced_character(S, sign).tolist()
    [3, -1, 0]
    """
    return _induced(group, conjugacy_classes(group), character.subgroup, np.array(character.signs))


def linear_characters(group: Group, subgroup: Subgroup) -> list[LinearCharacter]:
    """All homomorphisms from a subgroup to ``{1, -1}``, the trivial one first.

    They are the functionals of the largest elementary abelian 2-quotient, ``H`` by the subgroup of its squares.
    """
    search = _Search(group)
    members = sorted(subgroup.positions)
    squares = search.closure([int(search.row(h)[h]) for h in members])
    label = np.full(search.order, -1, dtype=np.int64)
    label[squares] = 0
    rank = 0
    for h in members:
        if label[h] < 0:
            known = np.flatnonzero(label >= 0)
            label[search.row(h)[known]] = label[known] + (1 << rank)
            rank += 1
    inside = label >= 0
    found = []
    for functional in range(1 << rank):
        overlap = np.where(inside, label & functional, 0)
        parity = np.array([bin(v).count("1") % 2 for v in range(1 << rank)])[overlap]
        found.append(LinearCharacter(subgroup, tuple((1 - 2 * parity).tolist())))
    return found


class _Search:
    """Rows of the multiplication table made when first needed, and conjugation by the group's generators."""

    def __init__(self, group: Group) -> None:
        if not group.is_finite or group.order > LARGEST:
            unsupported(group, f"list of classes of subgroups (order above {LARGEST})", "generate the subgroups you need")
        self.group, self.order, self.elements = group, int(group.order), group.elements()
        self._position: Any = getattr(group, "index", None) or Lookup(group).find
        self._rows: dict[int, np.ndarray] = {}
        gens = group.generators
        letters = [self._at(gens, i) for i in range(group.batch_shape(gens)[0])]
        self.steps = [self._positions(group.conjugate(s, self.elements)) for s in letters]

    def _at(self, g: Element, i: int) -> Element:
        return self.group.take(g, slice(i, i + 1))

    def _positions(self, g: Element) -> np.ndarray:
        return self._position(g).numpy().astype(np.int32)

    def row(self, g: int) -> np.ndarray:
        """Positions of ``g h`` for all ``h``."""
        if g not in self._rows:
            self._rows[g] = self._positions(self.group.multiply(self._at(self.elements, g), self.elements))
        return self._rows[g]

    def closure(self, generators: list[int]) -> np.ndarray:
        """Positions that some elements generate, as a mask."""
        mask = np.zeros(self.order, dtype=bool)
        mask[0] = True
        rows = [self.row(g) for g in generators]
        fresh = np.flatnonzero(mask)
        while len(fresh):
            before = mask.copy()
            for row in rows:
                mask[row[fresh]] = True
            fresh = np.flatnonzero(mask & ~before)
        return mask

    def orbit(self, mask: np.ndarray) -> np.ndarray:
        """All conjugates of a subset, as masks ``[count, order]``."""
        found, seen, next_one = [mask], {_key(mask)}, 0
        while next_one < len(found):
            here = found[next_one]
            next_one += 1
            for step in self.steps:
                moved = np.zeros_like(here)
                moved[step[here]] = True
                key = _key(moved)
                if key not in seen:
                    seen.add(key)
                    found.append(moved)
        return np.stack(found)

    def normalizer(self, mask: np.ndarray, generators: list[int]) -> np.ndarray:
        """Which elements take a subgroup to itself: its generators must stay inside."""
        inside = np.ones(self.order, dtype=bool)
        for h in generators:
            inside &= mask[self._positions(self.group.conjugate(self.elements, self._at(self.elements, h)))]
        return inside

    def extensions(self, mask: np.ndarray, generators: list[int], powers: list[int]) -> list[int]:
        """Elements of prime-power order outside of a subgroup, one of each orbit of its normalizer, one of each cyclic group."""
        normal = np.flatnonzero(self.normalizer(mask, generators)).tolist()
        movers = self.group.take(self.elements, torch.tensor(normal))
        chosen, seen = [], mask.copy()
        for z in powers:
            if not seen[z]:
                chosen.append(z)
                seen[self._positions(self.group.conjugate(movers, self._at(self.elements, z)))] = True
        return chosen

    def classes(self) -> list[SubgroupClass]:
        from sympy import factorint

        orders = element_orders(self.group).tolist()
        # One generator of each cyclic group of prime-power order, the others being powers of it.
        powers, covered = [], np.zeros(self.order, dtype=bool)
        for z in range(self.order):
            if not covered[z] and len(factorint(orders[z])) == 1:
                powers.append(z)
                generated = self.closure([z])
                covered |= generated & (np.array(orders) == orders[z])
        trivial = np.zeros(self.order, dtype=bool)
        trivial[0] = True
        known = {_key(trivial)}
        found: list[tuple[np.ndarray, int, list[int]]] = [(trivial, 1, [])]
        for mask, _, generators in found:  # grows while it is gone through
            for z in self.extensions(mask, generators, powers):
                larger = self.closure([*generators, z])
                if _key(larger) not in known:
                    conjugates = self.orbit(larger)
                    known.update(_key(c) for c in conjugates)
                    found.append((larger, len(conjugates), [*generators, z]))
        found.sort(key=lambda entry: (int(entry[0].sum()), np.flatnonzero(entry[0]).tolist()))
        return [
            SubgroupClass(Subgroup(self.group, frozenset(np.flatnonzero(mask).tolist())), size, tuple(generators))
            for mask, size, generators in found
        ]


def _induced(group: Group, columns: list[Any], subgroup: Subgroup, signs: np.ndarray | None) -> np.ndarray:
    """``|G| / (|H| |C|)`` times the sum of ``chi`` over ``C`` intersected with ``H``, for each conjugacy class ``C``."""
    weights = np.zeros(int(group.order), dtype=np.int64)
    members = sorted(subgroup.positions)
    weights[members] = 1 if signs is None else signs[members]
    sums = [int(weights[c.numpy()].sum()) * subgroup.index for c in columns]
    return np.array([s // len(c) for s, c in zip(sums, columns)], dtype=np.int64)


def _mask(positions: frozenset[int], order: int) -> np.ndarray:
    mask = np.zeros(order, dtype=bool)
    mask[list(positions)] = True
    return mask


def _key(mask: np.ndarray) -> bytes:
    return np.packbits(mask).tobytes()
