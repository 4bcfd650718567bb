"""`BoundaryData`: what a vacuum solution is at null infinity, its charges, and how BMS3 moves it."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import monodromy, series
from erlangen.fields.spacetime.diffeos import flow_steps
from erlangen.fields.spacetime.elements import BMS3Element, moved, size_of, sizes
from erlangen.fields.spacetime.fields import CircleField, Given, as_values, grid_of
from erlangen.fields.spacetime.series import circle
from erlangen.fields.spacetime.vectors import BMS3Vector, check_end, check_G, made


class BoundaryData:
    """A vacuum solution of three-dimensional gravity, flat at infinity, by its mass and angular momentum aspects; or a batch of them.

    At the future end the metric is ``Theta du^2 - 2 du dr + 2 (Xi + u Theta'/2) du dphi + r^2 dphi^2``, at the past end ``Theta dv^2 +
    2 dv dr + 2 (Xi + v Theta'/2) dv dphi + r^2 dphi^2``. Minkowski space is ``Theta = -1, Xi = 0``; constants are ``Theta = 8 G M``,
    ``Xi = 4 G J``: a cone for ``-1 < Theta < 0``, a flat cosmology for ``Theta > 0``.

    Args:
        theta, xi: fields, values ``[*batch, N]``, numbers, or functions of the angles.
        end: ``"future"`` or ``"past"``.
        G: Newton's constant.
        n: the number of points, where neither field says it.

    Raises:
        ArgumentError: naming what is not real, not finite, on another grid, no end; ``G <= 0``.

    Source: G. Barnich, G. Compere (2007), arXiv:gr-qc/0610130; S. Prohazka, J. Salzer, F. Schoeller (2017), arXiv:1701.06573.

    >>> vacuum = BoundaryData(-1, 0, n=64)
    >>> vacuum.energy
    tensor(-0.1250, dtype=torch.float64)
    >>> moved = vacuum.act(BMS3Element(lambda phi: phi + 0.5 * torch.sin(phi), n=64))
    >>> round(float(moved.energy), 10)
    -0.1212874327
    """

    theta: Float[Tensor, "*batch n"]
    xi: Float[Tensor, "*batch n"]

    def __init__(self, theta: Given = -1.0, xi: Given = 0.0, end: str = "future", G: float = 1.0, *, n: int | None = None) -> None:
        size = grid_of("theta", theta, xi, n=n)
        like = next((_values(v) for v in (theta, xi) if isinstance(v, (Tensor, CircleField))), None)
        like = like if like is not None and like.is_floating_point() else None
        self.theta, self.xi = as_values(theta, size, "theta", like), as_values(xi, size, "xi", like)
        check_end(end)
        self.end, self.G = end, check_G(G)

    def _made(self, theta: Tensor, xi: Tensor, end: str | None = None) -> BoundaryData:
        data = BoundaryData.__new__(BoundaryData)
        data.theta, data.xi, data.end, data.G = theta, xi, end or self.end, self.G
        return data

    @classmethod
    def vacuum(cls, n: int, end: str = "future", G: float = 1.0) -> BoundaryData:
        """Minkowski space."""
        return cls(-1.0, 0.0, end, G, n=n)

    @classmethod
    def zero_mode(cls, mass: float, spin: float, n: int, end: str = "future", G: float = 1.0) -> BoundaryData:
        """The solution with constant aspects of this mass ``M`` and angular momentum ``J``."""
        return cls(8 * check_G(G) * mass, 4 * G * spin, end, G, n=n)

    @property
    def n(self) -> int:
        """How many points the grid has."""
        return self.theta.shape[-1]

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch axes."""
        return tuple(torch.broadcast_shapes(self.theta.shape[:-1], self.xi.shape[:-1]))

    @property
    def tail(self) -> Float[Tensor, "*batch"]:
        """The largest coefficient of the upper third of the modes of either aspect, relative to its largest (of ``Theta``: to 1 where that
        is more): what the grid may not hold. :meth:`act` warns above 1e-4. On the grid's points errors are some orders smaller, unless
        the element itself is not resolved, as some inverses: then up to about six times as large."""
        return torch.maximum(*torch.broadcast_tensors(series.tail(self.theta, scale=1.0), series.tail(self.xi)))

    # ---- charges ----

    def charge(self, T: Given | BMS3Vector, Y: Given = 0.0) -> Float[Tensor, "*batch"]:
        """``Q = (1 / 16 pi G) int (T Theta + 2 Y Xi) dphi`` of a generator, or of its two functions.

        >>> BoundaryData(-1, lambda phi: torch.cos(phi), n=16).charge(0, torch.cos)      # (1/8G) of the mean of 2 cos^2
        tensor(0.1250, dtype=torch.float64)
        """
        if isinstance(T, BMS3Vector):
            if T.n != self.n:
                raise ArgumentError("T", f"a generator on {self.n} points", f"one on {T.n}")
            t, y = T.T, T.Y
        else:
            t, y = as_values(T, self.n, "T", self.theta), as_values(Y, self.n, "Y", self.theta)
        t, y, theta, xi = series.alike(t, y, self.theta, self.xi)
        return (torch.linalg.vecdot(t, theta) + 2 * torch.linalg.vecdot(y, xi)) / (8 * self.G * self.n)

    def modes(self, m: int) -> tuple[Tensor, Tensor]:
        """``P_m`` and ``J_m``: the charges of ``(exp(i m phi), 0)`` and of ``(0, exp(i m phi))``, complex ``[*batch]``."""
        if isinstance(m, bool) or not isinstance(m, Integral) or abs(m) >= self.n // 2:
            raise ArgumentError("m", f"a whole number between -{self.n // 2} and {self.n // 2}", repr(m))
        wave = torch.polar(torch.ones_like(circle(self.n, self.theta.dtype, self.theta.device)), m * circle(self.n).to(self.theta))
        return (wave * self.theta).mean(-1) / (8 * self.G), (wave * self.xi).mean(-1) / (4 * self.G)

    @property
    def energy(self) -> Float[Tensor, "*batch"]:
        """The charge of time translations, ``Q(1, 0)``: of the vacuum ``-1 / 8 G``."""
        return self.theta.mean(-1) / (8 * self.G)

    @property
    def angular_momentum(self) -> Float[Tensor, "*batch"]:
        """The charge of rotations, ``Q(0, 1)``."""
        return self.xi.mean(-1) / (4 * self.G)

    # ---- how it is moved ----

    def act(self, element: BMS3Element) -> BoundaryData:
        """The data that an element makes of these: ``Theta~ = f'^2 Theta(f) - 2 S[f]``, ``Xi~ = f'^2 Xi(f) + alpha Theta~'/2 + alpha'
        Theta~ - alpha'''``. The same at both ends. ``act(g @ h)`` is ``act(h)``, and then ``act(g)``."""
        if not isinstance(element, BMS3Element) or element.n != self.n:
            got = f"one on {element.n}" if isinstance(element, BMS3Element) else type(element).__name__
            raise ArgumentError("element", f"a BMS3Element on {self.n} points", got)
        return self._made(*moved(element.h, element.alpha, self.theta, self.xi))

    def flow(self, vector: BMS3Vector, time: float = 1.0) -> BoundaryData:
        """``act(exp(time vector))`` without derivatives of the diffeomorphism above the first, and so more exact.

        The change at a time is the change at the beginning, moved along: ``d Theta / ds = f_s'^2 (delta Theta)(f_s)``, and the same for
        ``Xi``. It is summed by a quadrature of order 16 at each point, beside the flow itself.

        >>> data, boost = BoundaryData(-0.5, 0.1, n=96), BMS3Vector(torch.cos, torch.sin, n=96)
        >>> bool((data.flow(boost).xi - data.act(BMS3Element.exp(boost)).xi).abs().max() < 1e-8)
        True
        """
        if not isinstance(vector, BMS3Vector):
            raise ArgumentError("vector", "a BMS3Vector", type(vector).__name__)
        change = series.Series(*self.variation(vector))  # third derivatives, of each field in its own precision
        theta, xi, t, y = series.alike(self.theta, self.xi, vector.T, vector.Y)
        self, vector = self._made(theta, xi), made(t, y)
        for step in flow_steps(vector.T, vector.Y, time):
            read = change(step.f.flatten(-2))
            square = torch.exp(2 * step.stretch)
            theta_rate, xi_rate = (square * rate.unflatten(-1, square.shape[-2:]) for rate in read)
            (slope,), (lift,) = series.derivatives(theta_rate, 1), series.derivatives(step.alpha, 1)
            theta = theta + step.weights @ theta_rate
            xi = xi + step.weights @ (xi_rate + 0.5 * step.alpha * slope + lift * theta_rate)
        series.watch("the mass aspect of this flow", theta, scale=size_of(self.theta).clamp_min(1))
        series.watch("the angular momentum aspect of this flow", xi, scale=torch.maximum(*sizes(self.xi, vector.T)))
        return self._made(theta, xi)

    def variation(self, vector: BMS3Vector) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n"]]:
        """``delta Theta = Y Theta' + 2 Y' Theta - 2 Y'''`` and ``delta Xi = Y Xi' + 2 Y' Xi + T Theta'/2 + T' Theta - T'''``."""
        if vector.n != self.n:
            raise ArgumentError("vector", f"a generator on {self.n} points", f"one on {vector.n}")
        (d_theta,), (d_xi,) = series.derivatives(self.theta, 1), series.derivatives(self.xi, 1)
        (t1, t3), (y1, y3) = series.derivatives(vector.T, 1, 3), series.derivatives(vector.Y, 1, 3)
        theta = vector.Y * d_theta + 2 * y1 * self.theta - 2 * y3
        xi = vector.Y * d_xi + 2 * y1 * self.xi + 0.5 * vector.T * d_theta + t1 * self.theta - t3
        return theta, xi

    def poisson(self, first: BMS3Vector, second: BMS3Vector) -> Float[Tensor, "*batch"]:
        """``{Q1, Q2} = delta_2 Q1``, which is ``Q_[1,2] + K(1, 2)``."""
        theta, xi = self.variation(second)
        return (first.T * theta + 2 * first.Y * xi).mean(-1) / (8 * self.G)

    def mode_bracket(self, first: tuple[str, int], second: tuple[str, int]) -> Tensor:
        """``{Q_m, Q_n}`` of two modes such as ``("J", 2)`` and ``("P", -2)``, complex ``[*batch]``.

        >>> data = BoundaryData(-0.5, 0.1, n=16)
        >>> central = 1j * data.mode_bracket(("J", 2), ("P", -2)) - 4 * data.modes(0)[0]
        >>> round(float(central.real), 12)                                              # m^3 / 4 at G = 1
        2.0
        """
        a, b = _mode(first, self.n, "first"), _mode(second, self.n, "second")
        total = torch.zeros(self.batch, dtype=torch.complex128)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                total = total + (1j) ** (i + j) * self.poisson(x, y)
        return total

    # ---- invariants ----

    def monodromy(self) -> Float[Tensor, "*batch 2 2"]:
        """The monodromy of Hill's equation ``psi'' = (Theta / 4) psi`` over the circle; its trace is the same on the whole orbit.

        >>> round(float(BoundaryData(-0.36, 0, n=16).monodromy().diagonal(dim1=-2, dim2=-1).sum()), 10)
        -0.6180339887
        """
        return monodromy.monodromy(self.theta)

    def trace(self) -> Float[Tensor, "*batch"]:
        """The trace of the monodromy: ``2 cos(pi sqrt(-Theta))`` or ``2 cosh(pi sqrt(Theta))`` for constants, -2 for the vacuum."""
        return self.monodromy().diagonal(dim1=-2, dim2=-1).sum(-1)

    def rest(self) -> monodromy.Rest:
        """The orbit's constant data, mass and spin, and the diffeomorphism that leads there; see :class:`~.monodromy.Rest`."""
        return monodromy.rest(self.theta, self.xi, self.G)

    # ---- the solution ----

    def metric(self) -> Any:
        """The metric in coordinates ``(u, r, phi)`` or ``(v, r, phi)`` as a SymPy matrix, of one datum: its Fourier series, without the
        modes that are below 1e-14 of the largest.

        Raises:
            ArgumentError: a batch of data.
        """
        from erlangen.fields.spacetime.derivation import metric

        if self.batch:
            raise ArgumentError("self", "one datum", f"a batch {self.batch}")
        return metric(self.end, _expression(self.theta), _expression(self.xi))

    def __getitem__(self, index: Any) -> BoundaryData:
        """Some of a batch."""
        theta, xi = torch.broadcast_tensors(self.theta, self.xi)
        return self._made(theta[index], xi[index])

    def __repr__(self) -> str:
        batch = f"{self.batch}, " if self.batch else ""
        return f"BoundaryData({batch}{self.n} points, {self.end} end, G = {self.G:g})"


def _values(given: Tensor | CircleField) -> Tensor:
    return given.values if isinstance(given, CircleField) else given


def _mode(mode: tuple[str, int], n: int, argument: str) -> list[BMS3Vector]:
    kind, m = mode
    if kind not in ("P", "J") or not isinstance(m, int) or abs(m) >= n // 3:
        raise ArgumentError(argument, f"('P', m) or ('J', m), |m| < {n // 3}", repr(mode))
    phi = circle(n)
    parts = [torch.cos(m * phi), torch.sin(m * phi)]
    return [BMS3Vector(part, 0) if kind == "P" else BMS3Vector(0, part) for part in parts]


def _expression(values: Tensor) -> Any:
    """The trigonometric polynomial of a field as a SymPy expression of ``phi``."""
    import sympy as sp

    phi = sp.Symbol("phi", real=True)
    c = series.waves(values.detach().double())
    last = len(c) - 1
    large = float(c.abs().max())
    total = sp.Float(float(c[0].real), 17) if c[0].abs() > 0 else sp.Integer(0)
    for k in range(1, last + 1):
        if float(c[k].abs()) <= 1e-14 * large:
            continue
        twice = 1 if k == last else 2
        total += twice * (float(c[k].real) * sp.cos(k * phi) - float(c[k].imag) * sp.sin(k * phi))
    return total
