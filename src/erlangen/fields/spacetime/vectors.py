"""`BMS3Vector`: generators, their bracket and its central extension."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import series
from erlangen.fields.spacetime.fields import CircleField, Given, as_values, grid_of


class BMS3Vector:
    """A generator ``(T, Y)``: a supertranslation ``T`` and a superrotation ``Y``, functions on the circle; or a batch of them.

    At future null infinity it is the vector field ``(T + u Y') d_u + Y d_phi + O(1/r)``, at past null infinity the same with ``v``.

    Args:
        T, Y: fields, values ``[*batch, N]``, numbers, or functions of the angles.
        n: the number of points, where neither says it.

    Raises:
        ArgumentError: naming the field that is not real, not finite, or not on the same grid.

    >>> boost = BMS3Vector(0, torch.sin, n=16)
    >>> shift = BMS3Vector(torch.cos, 0, n=16)
    >>> boost.bracket(shift).T.round(decimals=12)[:3]      # sin (cos)' - cos (sin)' = -1
    tensor([-1., -1., -1.], dtype=torch.float64)
    """

    T: Float[Tensor, "*batch n"]
    Y: Float[Tensor, "*batch n"]

    def __init__(self, T: Given = 0, Y: Given = 0, *, n: int | None = None) -> None:
        size = grid_of("T", T, Y, n=n)
        self.T, self.Y = as_values(T, size, "T", _tensor(Y)), as_values(Y, size, "Y", _tensor(T))

    @property
    def n(self) -> int:
        """How many points the grid has."""
        return self.T.shape[-1]

    @classmethod
    def random(cls, n: int, *batch: int, band: int = 6, generator: torch.Generator | None = None) -> BMS3Vector:
        """Random generators with modes up to ``band``."""
        draw = CircleField.random(n, 2, *batch, band=band, generator=generator).values
        return cls(draw[0], draw[1])

    def bracket(self, other: BMS3Vector, *, dealias: bool = True) -> BMS3Vector:
        """``(Y1 T2' - Y2 T1' + T1 Y2' - T2 Y1', Y1 Y2' - Y2 Y1')``.

        Exact where the modes of both stay below a third of the grid's points together; what is above is dropped, which is the truncation
        of this algebra.

        Args:
            dealias: drop the modes from ``N / 3`` on, of which some are aliases, and warn :class:`Unresolved` where they are more than
                1e-4 of the largest. Without, what aliases stays.
        """
        _same_grid(self, other)
        t1, y1, t2, y2 = self.T, self.Y, other.T, other.Y
        together = torch.stack(torch.broadcast_tensors(t1, y1, t2, y2))
        dt1, dy1, dt2, dy2 = series.derivatives(together, 1)[0].unbind(0)
        t, y = y1 * dt2 - y2 * dt1 + t1 * dy2 - t2 * dy1, y1 * dy2 - y2 * dy1
        if dealias:
            least = together.detach().abs().amax((0, -1))
            series.watch("a bracket", t, y, scale=least)
            t, y = series.dealiased(torch.stack(torch.broadcast_tensors(t, y))).unbind(0)
        return made(t, y)

    def central(self, other: BMS3Vector, G: float = 1.0) -> Float[Tensor, "*batch"]:
        """The cocycle ``K = -(1 / 8 pi G) int (T1 Y2''' + Y1 T2''')``: what Poisson brackets of charges have beyond the algebra's.

        It makes ``c_M = 3 / G`` and ``c_L = 0``.
        """
        _same_grid(self, other)
        check_G(G)
        (dt,), (dy,) = series.derivatives(other.T, 3), series.derivatives(other.Y, 3)
        return -(self.T * dy + self.Y * dt).mean(-1) / (4 * G)

    def shift(self, angle: float) -> BMS3Vector:
        """``T(phi + angle), Y(phi + angle)``."""
        return made(series.shifted(self.T, angle), series.shifted(self.Y, angle))

    def __add__(self, other: BMS3Vector) -> BMS3Vector:
        _same_grid(self, other)
        return made(self.T + other.T, self.Y + other.Y)

    def __sub__(self, other: BMS3Vector) -> BMS3Vector:
        return self + (-other)

    def __mul__(self, factor: float | Tensor) -> BMS3Vector:
        """Multiply by numbers ``[*batch]``."""
        factor = torch.as_tensor(factor, dtype=self.T.dtype, device=self.T.device).unsqueeze(-1)
        return made(self.T * factor, self.Y * factor)

    __rmul__ = __mul__

    def __neg__(self) -> BMS3Vector:
        return made(-self.T, -self.Y)

    def __getitem__(self, index: Any) -> BMS3Vector:
        """Some of a batch."""
        t, y = torch.broadcast_tensors(self.T, self.Y)
        return made(t[index], y[index])

    def __repr__(self) -> str:
        batch = torch.broadcast_shapes(self.T.shape[:-1], self.Y.shape[:-1])
        return f"BMS3Vector({f'{tuple(batch)}, ' if batch else ''}{self.n} points)"


def made(T: Tensor, Y: Tensor) -> BMS3Vector:
    """A vector of values that are known to be sound."""
    vector = BMS3Vector.__new__(BMS3Vector)
    vector.T, vector.Y = T, Y
    return vector


def isometries(n: int, end: str = "future") -> dict[str, BMS3Vector]:
    """The six Killing vectors of Minkowski space by name, as they look at one end: translations, the rotation, boosts.

    A translation by ``(a0, a)`` is ``T = a0 - a . n(phi)`` at the future end and ``a0 + a . n(phi)`` at the past end; the boost along x is
    ``Y = -sin phi`` at the future, ``sin phi`` at the past end.

    >>> x, y = (isometries(16)[name] for name in ("boost x", "boost y"))
    >>> x.bracket(y).Y.round(decimals=12)[:2]
    tensor([1., 1.], dtype=torch.float64)
    """
    sign = check_end(end)
    phi = series.circle(n)
    zero, one = torch.zeros_like(phi), torch.ones_like(phi)
    return {
        "time": made(one, zero),
        "x": made(-sign * torch.cos(phi), zero),
        "y": made(-sign * torch.sin(phi), zero),
        "rotation": made(zero, one),
        "boost x": made(zero, -sign * torch.sin(phi)),
        "boost y": made(zero, sign * torch.cos(phi)),
    }


def check_end(end: str) -> int:
    """1 at the future, -1 at the past end.

    Raises:
        ArgumentError: another word.
    """
    if end not in ("future", "past"):
        raise ArgumentError("end", "'future' or 'past'", repr(end))
    return 1 if end == "future" else -1


def check_G(G: float) -> float:
    """Newton's constant.

    Raises:
        ArgumentError: it is not positive and finite.
    """
    if isinstance(G, bool) or not isinstance(G, Real) or not 0 < G < math.inf:
        raise ArgumentError("G", "a positive Newton's constant", repr(G))
    return float(G)


def _tensor(given: Given) -> Tensor | None:
    value = given.values if isinstance(given, CircleField) else given
    return value if isinstance(value, Tensor) and value.is_floating_point() else None


def _same_grid(a: BMS3Vector, b: BMS3Vector) -> None:
    if not isinstance(b, BMS3Vector):
        raise ArgumentError("other", "a BMS3Vector", type(b).__name__)
    if a.n != b.n:
        raise ArgumentError("other", f"generators on {a.n} points", f"{b.n} points")
