"""Decompositions by name."""

from __future__ import annotations

from collections.abc import Callable

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition
from erlangen.groups.decompositions.cartan import CartanDecomposition
from erlangen.groups.decompositions.iwasawa import IwasawaDecomposition
from erlangen.groups.decompositions.polar import PolarDecomposition
from erlangen.groups.decompositions.semidirect import SemidirectDecomposition
from erlangen.groups.decompositions.triangular import TriangularDecomposition
from erlangen.groups.recognise import recognised

NAMED: dict[str, Callable[[Group], Decomposition]] = {
    "polar": PolarDecomposition,
    "iwasawa": IwasawaDecomposition,
    "cartan": CartanDecomposition,
    "ldu": TriangularDecomposition,
    "semidirect": SemidirectDecomposition,
}


def decomposition(group: Group, name: str) -> Decomposition:
    """See :meth:`erlangen.groups.Group.decomposition`."""
    if name not in NAMED:
        raise ArgumentError("name", f"one of {', '.join(map(repr, NAMED))}", repr(name))
    return NAMED[name](group)


def usual(group: Group) -> Decomposition:
    """The decomposition to integrate by: semidirect where the group translates, else polar."""
    return decomposition(group, "semidirect" if recognised(group).translates else "polar")
