"""Names of groups of permutations and of signed permutations, for people."""

from __future__ import annotations

import math

import torch

from erlangen.groups.finite import orbits_of
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.permutation import PermutationGroup
from erlangen.groups.recognise import recognised


def permutations_named(group: PermutationGroup) -> str:
    """``"S_4"``, ``"C_4"``, ``"D_4"``; ``"S_2 on {0, 1} x S_3 on {2, 3, 5}"``; else by order.

    >>> permutations_named(PermutationGroup(["(0 1)", "(2 3)", "(3 5)"], degree=6))
    'S_2 on {0, 1} x S_3 on {2, 3, 5}'
    """
    named = recognised(group)
    if named is not group:
        return repr(named)
    orbits = [sorted(orbit.tolist()) for orbit in orbits_of(group.generators) if len(orbit) > 1]
    if group.order == math.prod(math.factorial(len(orbit)) for orbit in orbits):
        return " x ".join(f"S_{len(orbit)} on {{{', '.join(map(str, orbit))}}}" for orbit in sorted(orbits))
    return f"a group of order {group.order}"


def signed_named(group: MatrixGroup, order: int) -> str:
    """``"Z_2^3"`` of signs alone, ``"S_3"`` of permutations alone, ``"D_4"`` of both in the plane, ``"B_n"`` in more dimensions, ``"O(3)"``
    with a continuous part; else by order.

    Args:
        group: its generators are signed permutation matrices.
        order: of the group, up to its continuous part.

    >>> signed_named(MatrixGroup([torch.diag(torch.tensor([-1.0, 1.0])), torch.tensor([[0.0, 1.0], [1.0, 0.0]])]), 8)
    'D_4'
    """
    matrices = group.generators
    assert matrices is not None
    if group.dim:
        named = recognised(group)
        return repr(named) if named is not group else f"{order} pieces of a continuous group"
    if bool((matrices.abs() == torch.eye(group.n)).all()):
        count = order.bit_length() - 1
        return "Z_2" if count == 1 else f"Z_2^{count}"
    if order == 2**group.n * math.factorial(group.n):
        return "D_4" if group.n == 2 else f"B_{group.n}"
    if bool((matrices >= 0).all()):
        return permutations_named(PermutationGroup(matrices.argmax(1)))
    if group.n == 2 and order == 4 and bool((torch.linalg.det(matrices) > 0).all()):
        return "C_4"
    return f"a group of order {order}"
