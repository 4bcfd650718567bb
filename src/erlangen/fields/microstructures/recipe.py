"""Recipes: operations on structures as data, which are kept as JSON and replayed on either of two mates."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.microstructures import operations
from erlangen.fields.microstructures.structure import as_structure

#: What a step may be called, and the argument that its value is.
STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "extend": operations.extend,
    "kernels": operations.apply_kernels,
    "kernel-extend": operations.kernel_extend,
    "coalesce": operations.coalesce,
    "transform": operations.transform,
    "tile": operations.tile,
    "product": operations.product,
}


@dataclass(frozen=True)
class Recipe:
    """Steps that are done one after another; each keeps equal correlations equal.

    Args:
        steps: names and values: ``("extend", z)``, ``("kernels", kernels)``, ``("kernel-extend", kernels)``, ``("coalesce", groups)``,
            ``("transform", matrix)``, ``("tile", times)``, ``("product", structure)``, as for the functions of these names.

    Raises:
        ArgumentError: a step has no such name, or a value that is not made of integers.

    >>> recipe = Recipe([("extend", [2]), ("coalesce", [[1, 3]])])
    >>> recipe([1, 2, 1])
    array([1, 1, 2, 1, 1, 1])
    >>> Recipe.from_json(recipe.to_json()) == recipe
    True
    """

    steps: tuple[tuple[str, Any], ...]

    def __init__(self, steps: Sequence[tuple[str, Any]] = ()) -> None:
        object.__setattr__(self, "steps", tuple(_step(step) for step in steps))

    def __call__(self, S: Any) -> Any:
        """The structure that the steps make of ``S``."""
        as_structure(S)
        for name, value in self.steps:
            S = STEPS[name](S, value)
        return S

    def __add__(self, other: Recipe) -> Recipe:
        """First these steps, then the other's."""
        return Recipe([*self.steps, *other.steps])

    def to_json(self) -> str:
        """The steps as text."""
        return json.dumps([[name, value] for name, value in self.steps])

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """What :meth:`to_json` wrote.

        Raises:
            ArgumentError: it is none.
        """
        try:
            steps = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise ArgumentError("text", "the JSON of a recipe", f"{text[:40]!r} ({problem})") from None
        if not isinstance(steps, list):
            raise ArgumentError("text", "the JSON of a recipe, a list of steps", repr(text[:40]))
        return cls(steps)


def _step(step: Any) -> tuple[str, Any]:
    if not isinstance(step, (tuple, list)) or len(step) != 2 or step[0] not in STEPS:
        raise ArgumentError("steps", f"pairs of a name ({', '.join(STEPS)}) and a value", repr(step))
    return step[0], _integers(step[1])


def _integers(value: Any) -> Any:
    """Nested tuples of integers."""
    if isinstance(value, np.ndarray) and value.dtype == bool:  # a kernel
        value = value.astype(np.int64)
    if isinstance(value, np.ndarray) or hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(_integers(part) for part in value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentError("steps", "values made of integers", repr(value))
    return value
