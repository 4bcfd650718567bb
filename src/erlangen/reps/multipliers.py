"""`ActivationClass`: which rescalings of its argument a scalar function turns into rescalings of its value.

For a function ``f: R -> R`` the multiplier group is ``M(f) = {lambda != 0 : there is c with f(lambda t) = c f(t) for all t}``, and ``c``
is its character. For a continuous ``f`` that is not affine it is one of few closed subgroups of the non-zero numbers, and it decides
with which representations ``f`` commutes when applied coordinate by coordinate (:mod:`erlangen.reps.admissible`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Multipliers:
    """A closed subgroup of the non-zero real numbers with a character: ``f(lambda t) = c(lambda) f(t)``.

    Args:
        power: all positive numbers belong to it, with ``c(lambda) = lambda ** power``; ``None`` when they do not.
        ratio: ``(q, c(q))`` when the positive members are the powers of ``q > 1`` (a log-periodic function); else ``None``.
        reflection: ``(r, c(-r))`` for the negative member nearest to -1, ``-r``; ``None`` when there is no negative one.

    >>> Multipliers(power=1.0)                       # of the rectifier
    Multipliers(R>0, c = λ^1)
    >>> Multipliers(power=2.0).values(torch.tensor([3.0, -3.0], dtype=torch.float64))
    tensor([9., nan], dtype=torch.float64)
    """

    power: float | None = None
    ratio: tuple[float, float] | None = None
    reflection: tuple[float, float] | None = None

    def values(self, entries: Float[Tensor, "*shape"], tol: float = 1e-10) -> Float[Tensor, "*shape"]:
        """The character of each number; ``nan`` where a number (to relative ``tol``) is no member."""
        size = entries.abs()
        negative = entries < 0
        factor = torch.ones_like(size)
        if self.reflection is not None:
            r, c = self.reflection
            # lambda = (-r) mu with mu > 0.
            size, factor = torch.where(negative, size / r, size), torch.where(negative, torch.full_like(size, c), factor)
        else:
            factor = torch.where(negative, torch.full_like(size, math.nan), factor)
        if self.power is not None:
            return factor * (size if self.power == 1.0 else size**self.power)
        if self.ratio is None:
            return torch.where((size - 1).abs() <= tol, factor, torch.full_like(size, math.nan))
        q, c = self.ratio
        steps = (size.log() / math.log(q)).round()
        inside = (size / q**steps - 1).abs() <= tol * (1 + steps.abs())
        return torch.where(inside, factor * torch.full_like(size, c) ** steps, torch.full_like(size, math.nan))

    @property
    def keeps_entries(self) -> bool:
        """Whether ``c(lambda) = lambda`` for all members: then the output has the type of the input."""
        return (
            self.power in (None, 1.0)
            and (self.ratio is None or math.isclose(*self.ratio, rel_tol=1e-12))
            and (self.reflection is None or math.isclose(self.reflection[0], -self.reflection[1], rel_tol=1e-12))
        )

    def on_signs(self) -> Multipliers:
        """The part that matters to matrices whose entries are 0, 1 and -1."""
        return Multipliers(reflection=self.reflection if self.reflection is not None and self.reflection[0] == 1.0 else None)

    @property
    def symbol(self) -> str:
        """The group in the field's notation."""
        if self.power is not None:
            return "R>0" if self.reflection is None else "R*"
        if self.ratio is None:
            return "{1}" if self.reflection is None else "{1,-1}"
        q = f"{self.ratio[0]:.6g}"
        if self.reflection is None:
            return f"{q}^Z"
        return f"±{q}^Z" if self.reflection[0] == 1.0 else f"(-{self.reflection[0]:.6g})^Z"

    def __repr__(self) -> str:
        laws = []
        if self.power is not None:
            laws.append(f"c = λ^{self.power:.6g}" if self.reflection is None else f"|c| = |λ|^{self.power:.6g}")
        if self.ratio is not None:
            laws.append(f"c({self.ratio[0]:.6g}) = {self.ratio[1]:.6g}")
        if self.reflection is not None:
            laws.append(f"c({-self.reflection[0]:.6g}) = {self.reflection[1]:.6g}")
        return f"Multipliers({', '.join([self.symbol, *laws])})"


@dataclass(frozen=True)
class ActivationClass:
    """What matters about a scalar function.

    Attributes:
        name: the function, for people.
        multipliers: ``M(f)`` and its character. Of an affine function that is not linear (``a t + b``) those of the constant part.
        affine: ``(a, b)`` when ``f(t) = a t + b``; then every matrix, not only a monomial one, may be admissible.
        how: ``"table"`` for named activations, ``"numerical"`` when it was found by evaluating the function in float64.

    >>> from erlangen.reps.classify import classify
    >>> print(classify(torch.tanh))
    tanh: odd, M = {1,-1} (by table)
    >>> print(classify(lambda t: t * t.abs()))
    <lambda>: odd power 2, M = R* (found numerically)
    """

    name: str
    multipliers: Multipliers
    affine: tuple[float, float] | None = None
    how: Literal["table", "numerical"] = "table"

    @property
    def is_affine(self) -> bool:
        return self.affine is not None

    @property
    def is_linear(self) -> bool:
        return self.affine is not None and self.affine[1] == 0.0

    @property
    def is_constant(self) -> bool:
        return self.affine is not None and self.affine[0] == 0.0

    @property
    def is_odd(self) -> bool:
        return self.multipliers.reflection is not None and self.multipliers.reflection == (1.0, -1.0)

    @property
    def is_even(self) -> bool:
        return self.multipliers.reflection is not None and self.multipliers.reflection == (1.0, 1.0)

    @property
    def power(self) -> float | None:
        """The degree of a function that is homogeneous under all positive factors."""
        return self.multipliers.power

    @property
    def kind(self) -> str:
        """The class in words."""
        if self.affine is not None:
            a, b = self.affine
            if a == 0.0:
                return "zero" if b == 0.0 else "constant"
            return "linear" if b == 0.0 else "affine with a bias"
        parity = "odd" if self.is_odd else "even" if self.is_even else ""
        if self.power is not None:
            return f"{parity} power {self.power:.6g}" if parity else f"positively homogeneous of degree {self.power:.6g}"
        if self.multipliers.ratio is not None:
            return f"{parity} log-periodic".strip()
        return parity or "without a scaling law"

    def __str__(self) -> str:
        found = "by table" if self.how == "table" else "found numerically"
        group = "all numbers" if self.is_linear else self.multipliers.symbol
        return f"{self.name}: {self.kind}, M = {group} ({found})"


NONE = Multipliers()
ODD = Multipliers(reflection=(1.0, -1.0))
EVEN = Multipliers(reflection=(1.0, 1.0))
LINEAR = Multipliers(power=1.0, reflection=(1.0, -1.0))


def two_slopes(name: str, right: float, left: float, power: float = 1.0, how: Any = "table") -> ActivationClass:
    """The class of ``right t^p`` for ``t >= 0`` and ``left (-t)^p`` for ``t < 0``.

    >>> two_slopes("leaky rectifier of slope -1", 1.0, 1.0).kind
    'even power 1'
    """
    if right == left == 0.0:
        return affine_class(name, 0.0, 0.0, how)
    if right == -left:
        if power == 1.0:
            return affine_class(name, right, 0.0, how)
        return ActivationClass(name, Multipliers(power, None, (1.0, -1.0)), how=how)
    if right == left:
        return (
            affine_class(name, 0.0, right, how)
            if power == 0.0
            else ActivationClass(name, Multipliers(power, None, (1.0, 1.0)), how=how)
        )
    return ActivationClass(name, Multipliers(power), how=how)


def affine_class(name: str, a: float, b: float, how: Any = "table") -> ActivationClass:
    """The class of ``a t + b``."""
    if b == 0.0:
        return ActivationClass(name, LINEAR, (a, b), how)
    # A constant has every multiplier, with c = 1; with a slope and a bias there is none but 1.
    return ActivationClass(name, Multipliers(0.0, None, (1.0, 1.0)) if a == 0.0 else NONE, (a, b), how)
