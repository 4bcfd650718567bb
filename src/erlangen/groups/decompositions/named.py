"""Decompositions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition, checked_values
from erlangen.groups.decompositions.cartan import CartanDecomposition
from erlangen.groups.decompositions.iwasawa import IwasawaDecomposition
from erlangen.groups.decompositions.polar import PolarDecomposition
from erlangen.groups.decompositions.semidirect import SemidirectDecomposition
from erlangen.groups.decompositions.triangular import TriangularDecomposition
from erlangen.groups.decompositions.window import Window
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


def integrate(
    group: Group,
    function: Callable[[Any], Tensor],
    window: float | Window,
    count: int,
    kind: str,
    name: str | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """See :meth:`erlangen.groups.Group.integrate`."""
    if name is None and group.is_finite:
        values = checked_values(function(group.elements()), int(group.order))
        value = values.to(torch.promote_types(values.dtype, torch.float64)).mean(0)
        return value, torch.zeros_like(value.real if value.is_complex() else value)
    if name is None:
        name = "semidirect" if recognised(group).translates else "polar"
        try:
            found = decomposition(group, name)
        except ArgumentError:
            instead = "integrate over its factors, or take means over samples by its Haar measure"
            unsupported(group, "integral by a decomposition", instead)
    else:
        found = decomposition(group, name)
    return found.integrate(function, window, count, kind, generator)
