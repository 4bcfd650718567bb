"""Names of subgroups for people: what they are as groups, which class, and which of the class; of dihedral groups those in use."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from erlangen.groups.cyclic import Dihedral
from erlangen.groups.finite import element_orders, is_abelian
from erlangen.groups.recognise import recognised
from erlangen.groups.subgroups import Subgroup, SubgroupLattice


def subgroup_names(lattice: SubgroupLattice) -> list[str]:
    """A name of its own for each subgroup of a lattice, in the order of ``lattice.subgroups``.

    Of a dihedral group ``D_n``: ``H_d``, the rotations by multiples of ``d`` corners, for ``d`` that divides ``n`` (``H_n`` is trivial);
    and ``H_d_l``, these and the reflections ``i -> l - i`` modulo ``d``, ``0 <= l < d`` (``H_1_0`` is the whole group).

    Of any other group: ``1``, the group's own name, and for what lies between :func:`structure`; where several classes have that, a letter
    for the class, and where a class has several members, a number behind a point.

    Source: H. Dong et al., "Symmetry-aware robot design with structured subgroups", ICML 2023, arXiv:2306.00036 (dihedral groups).

    >>> from erlangen.groups import Dihedral, Symmetric, subgroup_lattice
    >>> subgroup_names(subgroup_lattice(Dihedral(3)))
    ['H_3', 'H_3_0', 'H_3_1', 'H_3_2', 'H_1', 'H_1_0']
    >>> subgroup_names(subgroup_lattice(Symmetric(3)))
    ['1', 'C_2.0', 'C_2.1', 'C_2.2', 'C_3', 'S_3']
    """
    known = recognised(lattice.group)
    if isinstance(known, Dihedral):
        return [_dihedral(known, subgroup) for subgroup in lattice.subgroups]
    kinds = [structure(lattice.subgroups[members[0]]) for members in lattice.classes]
    several, letters, names = Counter(kinds), Counter[str](), [""] * len(lattice.subgroups)
    for kind, members in zip(kinds, lattice.classes):
        mark = _letters(letters[kind]) if several[kind] > 1 else ""
        letters[kind] += 1
        for number, place in enumerate(members):
            names[place] = f"{kind}{mark}" + (f".{number}" if len(members) > 1 else "")
    names[-1] = lattice.group.name
    names[0] = "1"
    return names


def structure(subgroup: Subgroup) -> str:
    """What a subgroup is as a group: ``1``, ``C_n``, a product of these, ``D_n``, or else its order in words.

    >>> from erlangen.groups import Symmetric, subgroup_lattice
    >>> lattice = subgroup_lattice(Symmetric(4))
    >>> [structure(lattice.subgroups[members[0]]) for members in lattice.classes]
    ['1', 'C_2', 'C_2', 'C_3', 'C_2xC_2', 'C_2xC_2', 'C_4', 'D_3', 'D_4', 'order 12', 'order 24']
    """
    group = subgroup.group()
    orders = element_orders(group)
    if subgroup.order == 1:
        return "1"
    if is_abelian(group):
        return "x".join(f"C_{d}" for d in _invariant_factors(orders))
    half = subgroup.order // 2
    turns = (orders == half).nonzero().flatten()
    if half * 2 == subgroup.order and len(turns):
        turned = {0}
        g = turn = int(turns[0])
        while g:
            turned.add(g)
            g = int(group.table[g, turn])
        if all(int(orders[g]) == 2 for g in range(subgroup.order) if g not in turned):
            return f"D_{half}"
    return f"order {subgroup.order}"


def _dihedral(group: Dihedral, subgroup: Subgroup) -> str:
    turns, flips = group.parts(subgroup.elements)
    step = group.corners // int((flips == 0).sum())
    mirrors = turns[flips == 1]
    return f"H_{step}" if not len(mirrors) else f"H_{step}_{int(mirrors.min())}"


def _invariant_factors(orders: Tensor) -> list[int]:
    """Of an abelian group, ``d_1 | d_2 | ...`` from the orders of its elements: the largest order is one of them, and so on for the rest.

    The number of elements whose order divides ``m`` is the product over the factors of ``gcd(d, m)``; dividing out the largest leaves that
    of the others.
    """
    size, factors = len(orders), []
    counts = {m: int((m % orders == 0).sum()) for m in range(1, size + 1) if size % m == 0}
    while counts[max(counts)] > 1:
        largest = min(m for m, n in counts.items() if n == counts[max(counts)])
        factors.append(largest)
        counts = {m: n // int(torch.gcd(torch.tensor(largest), torch.tensor(m))) for m, n in counts.items()}
    return factors[::-1]


def _letters(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
