"""`CircleField`: a real function on the circle, by its values on a grid."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import series
from erlangen.fields.spacetime.series import circle

#: What a function on the circle may be given as: itself, values on the grid, a constant, or a function of the angles.
Given = Any


class CircleField:
    """A real function on the circle, or a batch of them: a trigonometric polynomial by its values at ``2 pi j / N``, N even.

    Args:
        values: ``[*batch, N]``, real.
        fourier: instead of values, coefficients ``[*batch, N / 2 + 1]`` of ``exp(i k phi)`` for ``k = 0 ... N / 2``; those of negative
            ``k`` are their conjugates, and the last one stands for ``cos(N phi / 2)``.

    Raises:
        ArgumentError: values that are not real and finite, an odd number of points (their antipodes are no grid points), fewer than 8,
            both or none of the two arguments, a constant or last coefficient that is not real.

    >>> f = CircleField.of(lambda phi: torch.sin(2 * phi), 16)
    >>> f.derivative(), float(f.at(torch.tensor([0.25 * torch.pi])).round(decimals=12))
    (CircleField(16 points), 1.0)
    >>> CircleField(torch.ones(15))
    Traceback (most recent call last):
    ...
    erlangen.errors.ArgumentError: argument 'values': expected fields [*batch, N], N even and at least 8; got shape (15,). ...
    """

    values: Float[Tensor, "*batch n"]

    def __init__(self, values: Any = None, fourier: Any = None) -> None:
        if (values is None) == (fourier is None):
            raise ArgumentError("values", "either values or fourier coefficients", "both" if values is not None else "neither")
        self.values = checked(values, "values") if fourier is None else _from_fourier(fourier)

    @classmethod
    def of(cls, function: Callable[[Tensor], Tensor], n: int) -> CircleField:
        """The field of a function of the angles ``[n]``."""
        return cls(function(circle(n)))

    @classmethod
    def random(
        cls, n: int, *batch: int, band: int = 6, scale: float = 1.0, generator: torch.Generator | None = None
    ) -> CircleField:
        """Random fields with modes up to ``band``, whose coefficients are normal with deviation ``scale / (1 + k)``."""
        if not 0 <= band < n // 2:
            raise ArgumentError("band", f"a highest mode from 0 to {n // 2 - 1}", repr(band))
        phi, k = circle(n), torch.arange(band + 1, dtype=torch.float64)
        c = torch.randn(*batch, 2, band + 1, generator=generator, dtype=torch.float64) * (scale / (1 + k))
        return cls((c[..., 0, :] @ torch.cos(k[:, None] * phi)) + (c[..., 1, :] @ torch.sin(k[:, None] * phi)))

    # ---- what it is ----

    @property
    def n(self) -> int:
        """How many points the grid has."""
        return self.values.shape[-1]

    @property
    def fourier(self) -> Tensor:
        """Coefficients ``[*batch, N / 2 + 1]`` of ``exp(i k phi)``."""
        return series.waves(self.values)

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """The mean over the circle."""
        return self.values.mean(-1)

    @property
    def integral(self) -> Float[Tensor, "*batch"]:
        """The integral over the circle."""
        return 2 * torch.pi * self.values.mean(-1)

    @property
    def tail(self) -> Float[Tensor, "*batch"]:
        """The largest coefficient of the upper third of the modes relative to the largest of all: what truncation may hide."""
        return series.tail(self.values)

    def at(self, angles: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch p"]:
        """The values at any angles, to 1e-13 of the largest in double precision; differentiable in both."""
        (found,) = series.Series(self.values)(torch.as_tensor(angles, dtype=self.values.dtype, device=self.values.device))
        return found

    # ---- what is made of it ----

    def derivative(self, order: int = 1) -> CircleField:
        """The derivative of this order. Of odd orders the highest mode is dropped."""
        if not isinstance(order, int) or order < 0:
            raise ArgumentError("order", "a whole number of at least 0", repr(order))
        return _made(series.derivatives(self.values, order)[0])

    def shift(self, angle: float) -> CircleField:
        """The field ``phi -> v(phi + angle)``; by half a turn exactly."""
        return _made(series.shifted(self.values, angle))

    def resample(self, n: int) -> CircleField:
        """The same function on ``n`` points, without the modes that these cannot hold."""
        circle(n)
        return _made(series.resampled(self.values, n))

    def dealiased(self) -> CircleField:
        """Without the upper third of the modes."""
        return _made(series.dealiased(self.values))

    def _other(self, other: Any) -> Tensor | float:
        return as_values(other, self.n, "other", self.values) if isinstance(other, (CircleField, Tensor)) else other

    def __add__(self, other: Any) -> CircleField:
        return _made(self.values + self._other(other))

    def __sub__(self, other: Any) -> CircleField:
        return _made(self.values - self._other(other))

    def __mul__(self, other: Any) -> CircleField:
        """The product on the grid: exact where the highest modes of both add up to less than N / 2; ask :attr:`tail`."""
        return _made(self.values * self._other(other))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> CircleField:
        return -self + other

    def __neg__(self) -> CircleField:
        return _made(-self.values)

    def __repr__(self) -> str:
        batch = f"{tuple(self.values.shape[:-1])}, " if self.values.ndim > 1 else ""
        return f"CircleField({batch}{self.n} points)"


def _made(values: Tensor) -> CircleField:
    field = CircleField.__new__(CircleField)
    field.values = values
    return field


def checked(values: Any, argument: str, n: int | None = None) -> Float[Tensor, "*batch n"]:
    """Real, finite values on a grid, as a tensor in float32 or float64 (of whole numbers: float64).

    Raises:
        ArgumentError: naming ``argument``.
    """
    if isinstance(values, CircleField):
        values = values.values
    if not isinstance(values, Tensor):
        try:
            values = torch.as_tensor(values)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ArgumentError(argument, "numbers on a grid of the circle, [*batch, N]", type(values).__name__) from error
        if values.dtype == torch.float32:
            values = values.double()  # a list of Python's numbers, which are double
    if values.is_complex():
        raise ArgumentError(argument, "real values", f"{values.dtype}", "give real and imaginary parts as two fields")
    if values.dtype not in (torch.float32, torch.float64):
        values = values.double()
    if values.ndim < 1 or values.shape[-1] < 8 or values.shape[-1] % 2:
        raise ArgumentError(
            argument,
            "fields [*batch, N], N even and at least 8",
            f"shape {tuple(values.shape)}",
            "the antipode of a grid point is one only when N is even",
        )
    if n is not None and values.shape[-1] != n:
        raise ArgumentError(argument, f"a field on {n} points, as the others", f"{values.shape[-1]} points", "resample one of them")
    if not bool(values.detach().isfinite().all()):
        raise ArgumentError(argument, "finite numbers", "NaN or infinity")
    return values


def as_values(given: Given, n: int, argument: str, like: Tensor | None = None) -> Float[Tensor, "*batch n"]:
    """Values on ``n`` points of what a function on the circle is given as (:data:`Given`).

    Raises:
        ArgumentError: naming ``argument``.
    """
    dtype, device = (like.dtype, like.device) if like is not None else (torch.float64, None)
    if callable(given) and not isinstance(given, (CircleField, Tensor)):
        given = given(circle(n, dtype, device))
    if isinstance(given, Real) and not isinstance(given, bool):
        given = torch.tensor(float(given), dtype=dtype, device=device)
    if isinstance(given, Tensor) and given.ndim == 0 and not given.is_complex():
        return checked(given.to(dtype=dtype, device=device).expand(n), argument, n)
    return checked(given, argument, n)


def grid_of(argument: str, *given: Given, n: int | None = None) -> int:
    """The number of points of the first that has one, else ``n``.

    Raises:
        ArgumentError: nothing says how many points there are.
    """
    for one in given:
        if isinstance(one, CircleField):
            return one.n
        if isinstance(one, Tensor) and one.ndim:
            return one.shape[-1]
        if isinstance(one, (list, tuple)) or (hasattr(one, "shape") and len(one.shape)):
            return checked(one, argument).shape[-1]
    if n is None:
        raise ArgumentError(argument, "a field on a grid", "constants or functions alone", "say n, the number of points")
    return n


def _from_fourier(fourier: Any) -> Tensor:
    c = torch.as_tensor(fourier)
    c = c if c.dtype in (torch.complex64, torch.complex128) else c.to(torch.complex128)
    if c.ndim < 1 or c.shape[-1] < 5:
        raise ArgumentError("fourier", "coefficients [*batch, N / 2 + 1], at least 5", f"shape {tuple(c.shape)}")
    ends = c[..., [0, -1]].imag.detach().abs()
    if bool((ends > 1e-12 * c.detach().abs().amax(-1, keepdim=True)).any()):
        raise ArgumentError(
            "fourier", "a constant and a last coefficient that are real, as of real fields", "imaginary parts there"
        )
    return checked(series.points(c, 2 * (c.shape[-1] - 1)), "fourier")
