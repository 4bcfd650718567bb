"""Angles that a group of shifts moves: what data with given harmonics cannot tell."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.annihilator import Annihilator
from erlangen.groups.base import Element


class AngleShifts(Action):
    """``x -> x + shift``, modulo a full turn: tensors of radians ``[*batch, n]``, or exact tuples of turns (``int``, ``Fraction``).

    >>> act = AngleShifts(Annihilator([(2, 2), (2, -2), (0, 1)]))
    >>> [[str(t) for t in x] for x in act.orbit((Fraction(1, 8), 0))]
    [['1/8', '0'], ['5/8', '0']]
    """

    group: Annihilator

    def __init__(self, group: Annihilator) -> None:
        if not isinstance(group, Annihilator):
            raise ArgumentError("group", "an Annihilator", repr(group))
        super().__init__(group)
        self.data_shape = (group.n,)

    def act(self, g: Element, x: Any) -> Any:
        if isinstance(x, tuple):
            return self._exact(g, x)
        g, x = self.align(g, x)
        return (x + self.group.angles(g).to(x.dtype)) % (2 * math.pi)

    def _exact(self, g: Element, x: tuple[Any, ...]) -> tuple[Fraction, ...]:
        if len(x) != self.group.n or any(not isinstance(value, (int, Fraction)) or isinstance(value, bool) for value in x):
            raise ArgumentError("x", f"{self.group.n} numbers, int or Fraction", repr(x))
        if self.group.dim:
            raise ArgumentError("x", f"a tensor, for {self.group} shifts by any angle", "exact numbers")
        whole = self.group.exponent
        steps = self.group.steps(g).tolist()
        return tuple((Fraction(value) + Fraction(step, whole)) % 1 for value, step in zip(x, steps))

    def compared(self, x: Any) -> Any:
        """Angles by their cosine and sine, which know that a full turn is none; exact numbers modulo 1."""
        if isinstance(x, tuple):
            return tuple(Fraction(value) % 1 for value in x)
        return torch.cat([x.cos(), x.sin()], -1)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return 2 * math.pi * torch.rand((*batch, self.group.n), generator=generator, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AngleShifts) and self.group == other.group

    def __hash__(self) -> int:
        return hash(("AngleShifts", self.group))
