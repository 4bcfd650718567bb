"""`BMS3Element`: finite transformations of BMS3, how they compose, and how they move generators."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import diffeos, series
from erlangen.fields.spacetime.fields import Given, as_values, checked, grid_of
from erlangen.fields.spacetime.series import circle
from erlangen.fields.spacetime.vectors import BMS3Vector, check_G, made


class BMS3Element:
    """A transformation ``(f, alpha)``: first the superrotation ``f``, then the supertranslation ``alpha``; or a batch of them.

    It moves boundary data by pulling them back, ``Theta -> f'^2 Theta(f) - 2 S[f]`` (:meth:`BoundaryData.act`), and ``g @ h`` is
    *first h, then g*: ``act(g, act(h, x)) = act(g @ h, x)``, a left action, in which the diffeomorphism of ``h`` stands outside,
    ``f_gh = f_h(f_g)``, and ``alpha_gh = alpha_g + alpha_h(f_g) / f_g'``. With this order the Lie bracket is that of
    :meth:`BMS3Vector.bracket`.

    Args:
        f: an increasing map of degree one by its values ``[*batch, N]`` (any branch of the angle), or a function of the angles.
        alpha: a field ``[*batch, N]``, a number or a function.
        n: the number of points, where neither says it.

    Raises:
        ArgumentError: ``f`` is not increasing, does not wind once, is not resolved by so many points; not real or finite; grids of
            different lengths.

    >>> g = BMS3Element(lambda phi: phi + 0.5 * torch.sin(phi), torch.cos, n=256)
    >>> one = g @ g.inverse()
    >>> bool(one.h.abs().max() < 1e-12), bool(one.alpha.abs().max() < 1e-10)
    (True, True)
    """

    h: Float[Tensor, "*batch n"]
    """The displacement ``f(phi) - phi``."""
    alpha: Float[Tensor, "*batch n"]

    def __init__(self, f: Given = None, alpha: Given = 0, *, n: int | None = None) -> None:
        size = grid_of("f", f, alpha, n=n)
        phi = circle(size)
        values = phi if f is None else as_values(f, size, "f")
        self.h = _displacement(values)
        self.alpha = as_values(alpha, size, "alpha", self.h)

    # ---- named ones ----

    @classmethod
    def from_displacement(cls, h: Given, alpha: Given = 0, *, n: int | None = None) -> BMS3Element:
        """The element with ``f(phi) = phi + h(phi)``: a few digits more exact than by ``f`` itself.

        Raises:
            ArgumentError: ``phi + h`` is not increasing.
        """
        size = grid_of("h", h, alpha, n=n)
        h = as_values(h, size, "h")
        check_increasing(h, "h")
        return built(h, as_values(alpha, size, "alpha", h))

    @classmethod
    def identity(cls, n: int) -> BMS3Element:
        """What moves nothing."""
        zero = torch.zeros_like(circle(n))
        return built(zero, zero)

    @classmethod
    def rotation(cls, angle: float, n: int) -> BMS3Element:
        """``f = phi + angle``."""
        if not math.isfinite(angle):
            raise ArgumentError("angle", "a finite angle", repr(angle))
        zero = torch.zeros_like(circle(n))
        return built(zero + angle, zero)

    @classmethod
    def boost(cls, rapidity: float | Tensor, n: int, *, fixed: float = 0.0) -> BMS3Element:
        """``tan((f - c) / 2) = e^rapidity tan((phi - c) / 2)``, which leaves the directions ``c`` and ``c + pi`` and the vacuum alone.

        Args:
            rapidity: a number, or ``[*batch]`` of them.
            fixed: the direction ``c``.

        Raises:
            ArgumentError: a rapidity that is not finite, or that needs more points. Modes fall like the powers of ``tanh(rapidity / 2)``.
        """
        half = torch.tanh(torch.as_tensor(rapidity, dtype=torch.float64).unsqueeze(-1) / 2)
        phi = circle(n) - fixed
        h = 2 * torch.atan(half * torch.sin(phi) / (1 - half * torch.cos(phi)))
        check_increasing(h, "rapidity")
        series.watch("this boost", h, scale=1.0)
        return built(h, torch.zeros_like(h))

    @classmethod
    def exp(cls, vector: BMS3Vector, time: float = 1.0) -> BMS3Element:
        """The one-parameter group of a generator: the flow of ``Y``, and ``alpha = int T(f_s) / f_s' ds``.

        To 1e-13 where the flow is resolved by the grid; see :mod:`erlangen.fields.spacetime.diffeos`.
        """
        h, alpha = diffeos.flow(vector.T, vector.Y, time)
        check_increasing(h, "vector")
        series.watch("this exponential", h, scale=1.0)
        series.watch("the supertranslation of this exponential", alpha, scale=size_of(vector.T))
        return built(h, alpha)

    @classmethod
    def random(
        cls, n: int, *batch: int, band: int = 6, slope: float = 0.5, generator: torch.Generator | None = None
    ) -> BMS3Element:
        """Random elements with modes up to ``band``; ``|f' - 1| <= slope < 1``."""
        if not 0 < slope < 1:
            raise ArgumentError("slope", "a number between 0 and 1", repr(slope))
        if not 1 <= band < n // 2:
            raise ArgumentError("band", f"a highest mode from 1 to {n // 2 - 1}", repr(band))
        k, phi = torch.arange(1, band + 1, dtype=torch.float64)[:, None], circle(n)
        waves = torch.cat([torch.cos(k * phi), torch.sin(k * phi)])
        draw = torch.randn(2, *batch, 2 * band + 1, generator=generator, dtype=torch.float64)
        fall = (1 / k.flatten() ** 2).repeat(2)
        c = draw[0, ..., :-1] * fall
        c = c * (slope / (c.abs() * k.flatten().repeat(2)).sum(-1, keepdim=True))
        h = c @ waves + draw[0, ..., -1:]
        return built(h, (draw[1, ..., :-1] * fall) @ waves + draw[1, ..., -1:])

    # ---- what it is ----

    @property
    def n(self) -> int:
        """How many points the grid has."""
        return self.h.shape[-1]

    @property
    def f(self) -> Float[Tensor, "*batch n"]:
        """The diffeomorphism on the grid, as one that increases beyond ``2 pi``."""
        return self.h + circle(self.n, self.h.dtype, self.h.device)

    @property
    def slope(self) -> Float[Tensor, "*batch n"]:
        """``f'``."""
        return 1 + series.derivatives(self.h, 1)[0]

    @property
    def tail(self) -> Float[Tensor, "*batch"]:
        """The largest coefficient of the upper third of the modes of ``h`` or of ``alpha``, relative to the largest (of ``h``: to 1 where
        that is more): about how exact compositions are. Data that it moves have a tail of their own, :attr:`BoundaryData.tail`."""
        return torch.maximum(*torch.broadcast_tensors(series.tail(self.h, scale=1.0), series.tail(self.alpha)))

    # ---- the group ----

    def __matmul__(self, other: BMS3Element) -> BMS3Element:
        """*First other, then this one.*"""
        if not isinstance(other, BMS3Element) or other.n != self.n:
            raise ArgumentError("other", f"an element on {self.n} points", f"one on {getattr(other, 'n', '?')}: {other!r}")
        return built(*multiplied(self.h, self.alpha, other.h, other.alpha))

    compose = __matmul__

    def inverse(self) -> BMS3Element:
        """``(f^-1, -(f' alpha)(f^-1))``, by Newton's method."""
        return built(*inverted(self.h, self.alpha))

    def shift(self, angle: float) -> BMS3Element:
        """The element turned by an angle: ``f(phi + angle) - angle, alpha(phi + angle)``."""
        return built(series.shifted(self.h, angle), series.shifted(self.alpha, angle))

    # ---- generators ----

    def adjoint(self, vector: BMS3Vector) -> BMS3Vector:
        """``Ad_g (T, Y) = (T~ + alpha Y~' - Y~ alpha', Y~)``, where ``~`` is the pullback of vector fields, ``Y(f) / f'``.

        ``g exp(X) g^-1 = exp(Ad_g X)``, and ``Q_(Ad_g X)(g x) = Q_X(x) +`` :meth:`cocycle`.
        """
        if vector.n != self.n:
            raise ArgumentError("vector", f"a generator on {self.n} points", f"one on {vector.n}")
        t, y = series.Series(vector.T, vector.Y)(self.f)
        t, y = t / self.slope, y / self.slope
        (dy,), (da,) = series.derivatives(y, 1), series.derivatives(self.alpha, 1)
        t = t + self.alpha * dy - y * da
        series.watch("a moved generator's Y", y, scale=size_of(vector.Y))
        series.watch("a moved generator's T", t, scale=torch.maximum(*sizes(vector.T, self.alpha)))
        return made(t, y)

    def coadjoint(
        self, theta: Float[Tensor, "*batch n"], xi: Float[Tensor, "*batch n"], *, central: bool = True
    ) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n"]]:
        """How it moves boundary data ``(Theta, Xi)``; without the central terms, as covectors of the algebra alone."""
        theta, xi = checked(theta, "theta", self.n), checked(xi, "xi", self.n)
        return moved(self.h, self.alpha, theta, xi, central=central)

    def cocycle(self, vector: BMS3Vector, G: float = 1.0) -> Float[Tensor, "*batch"]:
        """What a charge gains beyond the coadjoint action: ``Q_X`` of the data that it makes of zero."""
        if vector.n != self.n:
            raise ArgumentError("vector", f"a generator on {self.n} points", f"one on {vector.n}")
        zero = torch.zeros_like(self.h)
        theta, xi = self.coadjoint(zero, zero)
        return (vector.T * theta + 2 * vector.Y * xi).mean(-1) / (8 * check_G(G))

    def __getitem__(self, index: Any) -> BMS3Element:
        """Some of a batch."""
        h, alpha = torch.broadcast_tensors(self.h, self.alpha)
        return built(h[index], alpha[index])

    def __repr__(self) -> str:
        batch = torch.broadcast_shapes(self.h.shape[:-1], self.alpha.shape[:-1])
        return f"BMS3Element({f'{tuple(batch)}, ' if batch else ''}{self.n} points)"


def built(h: Tensor, alpha: Tensor) -> BMS3Element:
    """An element of values that are known to be sound."""
    element = BMS3Element.__new__(BMS3Element)
    element.h, element.alpha = h, alpha
    return element


# ---- on tensors ----


def moved(h: Tensor, alpha: Tensor, theta: Tensor, xi: Tensor, *, central: bool = True) -> tuple[Tensor, Tensor]:
    """The data that ``(phi + h, alpha)`` makes of ``(Theta, Xi)``.

    Warns:
        Unresolved: so many points do not hold them.
    """
    found = series.in_parts(partial(_moved, central), h, alpha, theta, xi)
    # Beside 1, which is the vacuum's; and beside what came, so that what a transformation takes back is not rounding alone.
    series.watch("the mass aspect of moved data", found[0], scale=size_of(theta).clamp_min(1))
    series.watch("the angular momentum aspect of moved data", found[1], scale=torch.maximum(*sizes(xi, alpha)))
    return found  # type: ignore[return-value]


def size_of(values: Tensor) -> Tensor:
    """The root of the mean square."""
    return values.detach().square().mean(-1).sqrt()


def sizes(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return tuple(torch.broadcast_tensors(size_of(a), size_of(b)))  # type: ignore[return-value]


def _moved(central: bool, h: Tensor, alpha: Tensor, theta: Tensor, xi: Tensor) -> tuple[Tensor, Tensor]:
    slope, curvature = diffeos.schwarzian(h)
    theta, xi = series.Series(theta, xi)(h + circle(h.shape[-1], h.dtype, h.device))
    square = slope.square()
    theta = square * theta - 2 * curvature if central else square * theta
    first, third = series.derivatives(alpha, 1, 3)
    xi = square * xi + 0.5 * alpha * series.derivatives(theta, 1)[0] + first * theta
    return theta, (xi - third if central else xi)


def multiplied(h: Tensor, alpha: Tensor, h2: Tensor, alpha2: Tensor) -> tuple[Tensor, Tensor]:
    """``(h, alpha) (h2, alpha2)``: first the second, then the first.

    Warns:
        Unresolved: so many points do not hold it.
    """
    found = series.in_parts(_multiplied, h, alpha, h2, alpha2)
    series.watch("this composition", found[0], scale=1.0)
    series.watch("the supertranslation of this composition", found[1], scale=torch.maximum(*sizes(alpha, alpha2)))
    return found  # type: ignore[return-value]


def _multiplied(h: Tensor, alpha: Tensor, h2: Tensor, alpha2: Tensor) -> tuple[Tensor, Tensor]:
    moved_h, moved_alpha = series.Series(h2, alpha2)(h + circle(h.shape[-1], h.dtype, h.device))
    return h + moved_h, alpha + moved_alpha / (1 + series.derivatives(h, 1)[0])


def inverted(h: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of ``(h, alpha)``.

    Warns:
        Unresolved: so many points do not hold it.
    """
    back = diffeos.inverse(h)
    (lift,) = series.Series(alpha * (1 + series.derivatives(h, 1)[0]))(back + circle(h.shape[-1], h.dtype, h.device))
    series.watch("this inverse", back, scale=1.0)
    series.watch("the supertranslation of this inverse", lift, scale=size_of(alpha))
    return back, -lift


def check_increasing(h: Tensor, argument: str) -> None:
    """Raise ArgumentError unless ``phi + h`` increases, on the grid and between its points."""
    if not h.numel():
        return
    fine = series.resampled(h.detach(), 2 * h.shape[-1])
    least = float(1 + series.derivatives(fine, 1)[0].min())
    if not least > 0:
        raise ArgumentError(
            argument,
            "an increasing map of the circle, f' > 0",
            f"one whose slope goes down to {least:.3g}",
            "where f itself increases, more points resolve it",
        )


def _displacement(f: Tensor) -> Tensor:
    """``f - phi`` without jumps, of values in any branch."""
    f = checked(f, "f")
    h = f - circle(f.shape[-1], f.dtype, f.device)
    steps = torch.cat([h[..., 1:], h[..., :1]], -1) - h
    turns = (steps.detach() / (2 * math.pi)).round()
    winding = 1 + (turns.sum(-1) * -1)
    if bool((winding != 1).any()):
        raise ArgumentError(
            "f",
            "an increasing map that winds about the circle once",
            f"one that winds {int(winding[winding != 1].flatten()[0])} times",
        )
    back = torch.cat([torch.zeros_like(turns[..., :1]), turns[..., :-1].cumsum(-1)], -1)
    h = h - 2 * math.pi * back
    check_increasing(h, "f")
    return h
