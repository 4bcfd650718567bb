"""Designs as pytrees of tensors: looked at before they are used, named on disk; and seeds that follow from others."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import optree
import torch
from torch import Tensor

from erlangen.errors import ArgumentError


def seed_from(*numbers: int) -> int:
    """A seed that follows from others.

    >>> seed_from(0, 1) == seed_from(0, 1), seed_from(0, 1) == seed_from(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def whole_number(value: Any, least: int, argument: str) -> int:
    """A whole number of at least ``least``; NumPy's and one-element tensors' too, for they would not be written as JSON.

    Raises:
        ArgumentError: it is none.
    """
    try:
        number = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ArgumentError(argument, f"a whole number of at least {least}", repr(value))
    return number


def real_number(value: Any, low: float, high: float, argument: str, *, open_below: bool = False) -> float:
    """A number from ``low`` (or above it) to ``high``.

    Raises:
        ArgumentError: it is none.
    """
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not (low < number if open_below else low <= number) or not number <= high or number == math.inf:
        wanted = f"a number {'above' if open_below else 'of at least'} {low:g}" + (
            "" if high == math.inf else f", at most {high:g}"
        )
        raise ArgumentError(argument, wanted, repr(value))
    return number


def checked(design: Any, like: Any, argument: str) -> Any:
    """A copy of a design without gradients, after a look at its shapes and numbers.

    Raises:
        ArgumentError: naming ``argument``: no tensors, other ones than in ``like`` (where that is given), or NaN or infinity.
    """
    leaves, tree = optree.tree_flatten(design, none_is_leaf=True)
    if not leaves or not all(isinstance(t, Tensor) for t in leaves):
        what = ", ".join(sorted({type(t).__name__ for t in leaves})) or "nothing"
        raise ArgumentError(argument, "a tensor, or a dict or tuple of tensors, as the design", what)
    if like is not None:
        others, other = optree.tree_flatten(like, none_is_leaf=True)
        shapes, wanted = ([(tuple(t.shape), str(t.dtype)) for t in found] for found in (leaves, others))
        if tree != other or shapes != wanted:
            raise ArgumentError(argument, f"a function whose value is a design like that given, of {wanted}", f"one of {shapes}")
    for t in leaves:
        if not bool(torch.isfinite(t).all()):
            raise ArgumentError(argument, "finite numbers in the design", "NaN or infinity")
    return optree.tree_unflatten(tree, [t.detach().clone() for t in leaves])


def shapes_of(design: Any) -> list[list[Any]]:
    """The shape and type of each tensor, as JSON."""
    return [[list(t.shape), str(t.dtype)] for t in optree.tree_leaves(design)]


def differences(kept: dict[str, Any], now: dict[str, Any]) -> str:
    """In which settings what was kept differs from what is wanted now; empty where in none."""
    found = []
    for name, value in now.items():
        had = kept.get(name)
        if isinstance(had, dict) and isinstance(value, dict) and had.keys() == value.keys():
            found += [f"{name}: {inside}" for inside in [differences(had, value)] if inside]
        elif had != value:
            found.append(f"{name} {had!r}, not {value!r}")
    return "; ".join(found)


def real_pair(t: Tensor) -> Tensor:
    """A tensor as files can hold it: complex numbers as pairs on one more axis, for safetensors has none in double precision."""
    return torch.view_as_real(t.resolve_conj()) if t.is_complex() else t


def from_real_pair(t: Tensor, like: Tensor) -> Tensor:
    """The inverse of :func:`real_pair` for a tensor of the type of ``like``."""
    return torch.view_as_complex(t.contiguous()) if like.is_complex() else t
