"""Radial potentials about a centre: rings, traps, hills, hard cores, sums and tables of them.

``rho`` is the distance from the centre. A potential says its energy and, in closed form, its slope. Parameters may be numbers or
tensors that ask for gradients.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: A Gaussian is cut at so many widths, where it has fallen to 1.5e-8 of its depth.
WIDTHS = 6.0
#: Distances below this are the centre.
_CENTRE = 1e-18


class Potential(ABC):
    """A radial potential.

    A subclass has :meth:`energy`, :meth:`slope` and :attr:`range`; potentials add up with ``+``. The force at the centre itself, where a
    ring has no direction, is zero.
    """

    #: Beyond this distance it is zero.
    range: float = math.inf
    #: The largest curvature in energy over squared length, where the scheme's stability depends on it and it is known.
    stiffness: float = 0.0
    #: The diameter of a hard core; infinite where there is none.
    core: float = math.inf

    @abstractmethod
    def energy(self, rho: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """``U(rho)``."""

    @abstractmethod
    def slope(self, rho: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """``U'(rho)``."""

    def __add__(self, other: Potential) -> Sum:
        if not isinstance(other, Potential):
            return NotImplemented
        return Sum([*_parts(self), *_parts(other)])

    def _within(self, rho: Tensor, value: Tensor) -> Tensor:
        return value if math.isinf(self.range) else value * (rho < self.range)


class Harmonic(Potential):
    """``U = k rho^2 / 2``; a negative ``k`` repels.

    >>> Harmonic(3.0).energy(torch.tensor(2.0))
    tensor(6.)
    """

    def __init__(self, k: Any) -> None:
        self.k = k
        self.stiffness = _number("k", k)

    def energy(self, rho: Tensor) -> Tensor:
        return self.k * rho.square() / 2

    def slope(self, rho: Tensor) -> Tensor:
        return self.k * rho


class Annular(Potential):
    """A ring of radius ``R``: ``U = k (rho - R)^2 / 2``.

    Without a cut the second neighbours of a crystal are pulled inward too and compress it: for crystals give ``cut``, beyond which
    there is no force (the energy is there made zero by a shift), or take :class:`Ring`.

    >>> Annular(2.0, R=1.0).slope(torch.tensor([0.5, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, k: Any, R: Any, cut: float | None = None) -> None:
        self.k, self.R = k, R
        self.stiffness = _number("k", k)
        _length("R", R)
        if cut is not None:
            _length("cut", cut)
            self.range = float(cut)

    def energy(self, rho: Tensor) -> Tensor:
        here = self.k * (rho - self.R).square() / 2
        return here if math.isinf(self.range) else self._within(rho, here - self.k * (self.range - self.R) ** 2 / 2)

    def slope(self, rho: Tensor) -> Tensor:
        return self._within(rho, self.k * (rho - self.R))


class Ring(Potential):
    """A well in the form of a Gaussian ring: ``U = -U0 exp(-(rho - R)^2 / (2 w^2))``; zero farther than ``6 w`` from it.

    >>> Ring(R=1.0, U0=4.0, w=0.1).energy(torch.tensor([1.0, 2.0])).tolist()
    [-4.0, -0.0]
    """

    def __init__(self, R: Any, U0: Any, w: Any) -> None:
        self.R, self.U0, self.w = R, U0, w
        self.range = _length("R", R) + WIDTHS * _positive("w", w)
        self.stiffness = _number("U0", U0) / _positive("w", w) ** 2

    def energy(self, rho: Tensor) -> Tensor:
        return _gaussian(rho - self.R, self.w) * -self.U0

    def slope(self, rho: Tensor) -> Tensor:
        away = rho - self.R
        return _gaussian(away, self.w) * away * (self.U0 / self.w**2)


class Hill(Potential):
    """A repulsive Gaussian: ``U = U0 exp(-rho^2 / (2 b^2))``; zero beyond ``6 b``. A negative ``U0`` is a well.

    >>> Hill(2.0, 1.0).energy(torch.tensor(0.0))
    tensor(2.)
    """

    def __init__(self, U0: Any, b: Any) -> None:
        self.U0, self.b = U0, b
        self.range = WIDTHS * _positive("b", b)
        self.stiffness = abs(_number("U0", U0)) / _positive("b", b) ** 2

    def energy(self, rho: Tensor) -> Tensor:
        return _gaussian(rho, self.b) * self.U0

    def slope(self, rho: Tensor) -> Tensor:
        return _gaussian(rho, self.b) * rho * (-self.U0 / self.b**2)


class WCA(Potential):
    """A hard core (Weeks, Chandler, Andersen 1971): ``4 e ((s / rho)^12 - (s / rho)^6) + e`` for ``rho < 2^(1/6) s``.

    >>> WCA(1.0).energy(torch.tensor([1.0, 1.2])).tolist()
    [1.0, 0.0]
    """

    def __init__(self, sigma: Any = 1.0, epsilon: Any = 1.0) -> None:
        self.sigma, self.epsilon = sigma, epsilon
        self.range = 2 ** (1 / 6) * _positive("sigma", sigma)
        self.core = float(sigma)
        self.stiffness = 36 * 2 ** (2 / 3) * _positive("epsilon", epsilon) / float(sigma) ** 2

    def energy(self, rho: Tensor) -> Tensor:
        # With (s / rho)^6 = u this is e (2 u - 1)^2 up to the minimum at u = 1/2.
        return self.epsilon * (2 * self._sixth(rho) - 1).clamp_min(0.0).square()

    def slope(self, rho: Tensor) -> Tensor:
        u = self._sixth(rho)
        return _at_least(2 * u - 1, 0.0) * u / _at_least(rho, _CENTRE) * (-24 * self.epsilon)

    def _sixth(self, rho: Tensor) -> Tensor:
        ratio = self.sigma / _at_least(rho, _CENTRE)
        square = ratio * ratio
        return square * square * square


class Table(Potential):
    """A potential by its values at distances, with a cubic spline between them (not-a-knot); zero beyond the last.

    Args:
        rho: distances, increasing, at least four.
        values: energies there. The last is taken off all, so that the energy ends at zero.

    >>> table = Table(torch.linspace(0, 2, 41), torch.linspace(0, 2, 41) ** 2)
    >>> round(float(table.slope(torch.tensor(1.0))), 4)
    2.0
    """

    def __init__(self, rho: Any, values: Any) -> None:
        from scipy.interpolate import CubicSpline

        x, y = (torch.as_tensor(v, dtype=torch.float64).detach() for v in (rho, values))
        if x.ndim != 1 or x.shape != y.shape or len(x) < 4 or not bool((x.diff() > 0).all()) or not bool(y.isfinite().all()):
            raise ArgumentError(
                "rho", "increasing distances [n] with finite energies [n], n >= 4", f"shapes {tuple(x.shape)}, {tuple(y.shape)}"
            )
        spline = CubicSpline(x.numpy(), (y - y[-1]).numpy())
        self._knots, self._c = x, torch.as_tensor(spline.c)
        self.range = float(x[-1])
        self.stiffness = float((2 * self._c[1]).max().clamp_min(0))

    def _at(self, rho: Tensor) -> tuple[Tensor, Tensor]:
        piece = (torch.searchsorted(self._knots, rho.detach().double().contiguous(), right=True) - 1).clamp(0, self._c.shape[1] - 1)
        return self._c.to(rho)[:, piece], rho - self._knots.to(rho)[piece]

    def energy(self, rho: Tensor) -> Tensor:
        c, s = self._at(rho)
        return self._within(rho, ((c[0] * s + c[1]) * s + c[2]) * s + c[3])

    def slope(self, rho: Tensor) -> Tensor:
        c, s = self._at(rho)
        return self._within(rho, (3 * c[0] * s + 2 * c[1]) * s + c[2])


class Sum(Potential):
    """Potentials about one centre, added.

    >>> both = Ring(1.0, 4.0, 0.08) + Ring(2**0.5, 4.0, 0.08)
    >>> len(both.parts), round(both.range, 3)
    (2, 1.894)
    """

    def __init__(self, parts: Sequence[Potential]) -> None:
        if not parts or not all(isinstance(part, Potential) for part in parts):
            raise ArgumentError("parts", "potentials, at least one", repr(parts))
        self.parts = tuple(parts)
        self.range = max(part.range for part in parts)
        self.stiffness = max(part.stiffness for part in parts)
        self.core = min(part.core for part in parts)

    def energy(self, rho: Tensor) -> Tensor:
        total = self.parts[0].energy(rho)
        for part in self.parts[1:]:
            total = total + part.energy(rho)
        return total

    def slope(self, rho: Tensor) -> Tensor:
        total = self.parts[0].slope(rho)
        for part in self.parts[1:]:
            total = total + part.slope(rho)
        return total


def rings(radii: Sequence[Any], U0: Any, w: Any) -> Potential:
    """Rings of one width; ``U0`` is one depth or one for each.

    >>> rings([1.0, 2**0.5], [4.0, 2.0], 0.08).parts[1].U0
    2.0
    """
    depths = list(U0) if isinstance(U0, (list, tuple)) else [U0] * len(radii)
    if len(depths) != len(radii):
        raise ArgumentError("U0", f"{len(radii)} depths", f"{len(depths)}")
    return Sum([Ring(R, depth, w) for R, depth in zip(radii, depths)])


def _parts(potential: Potential) -> tuple[Potential, ...]:
    return potential.parts if isinstance(potential, Sum) else (potential,)


def takes_arrays(potential: Potential) -> bool:
    """Whether its slope is also right for NumPy arrays: one of the closed forms here, whose parameters are numbers.

    NumPy needs a third of torch's time for each operation on a few hundred pairs.
    """
    if type(potential) is Sum:
        return all(takes_arrays(part) for part in potential.parts)
    closed = type(potential) in (Harmonic, Annular, Ring, Hill, WCA)
    return closed and not any(isinstance(value, Tensor) for value in vars(potential).values())


def _at_least(x: Any, least: float) -> Any:
    return x.clamp_min(least) if isinstance(x, Tensor) else np.maximum(x, least)


def _gaussian(away: Any, width: Any) -> Any:
    """``exp(-away^2 / (2 width^2))``, zero beyond the cut; of tensors or arrays."""
    if not isinstance(away, Tensor):
        power = away * away * (-0.5 / width**2)
        return np.exp(power) * (power > -(WIDTHS**2) / 2)
    return torch.nn.functional.threshold(away.square() * (-0.5 / width**2), -(WIDTHS**2) / 2, -math.inf).exp()


def _number(name: str, value: Any) -> float:
    number = float(value.detach()) if isinstance(value, Tensor) else float(value)
    if not math.isfinite(number):
        raise ArgumentError(name, "a finite number", repr(value))
    return number


def _positive(name: str, value: Any) -> float:
    number = _number(name, value)
    if number <= 0:
        raise ArgumentError(name, "a positive number", repr(value))
    return number


def _length(name: str, value: Any) -> float:
    number = _number(name, value)
    if number < 0:
        raise ArgumentError(name, "a length, not negative", repr(value))
    return number
