"""Trigonometric series on a grid of the circle: derivatives, shifts, dealiasing, and values at any points.

Everything here takes values ``[*batch, N]`` at ``phi_j = 2 pi j / N``, N even, and understands them as the trigonometric polynomial through
them, whose highest mode is a cosine.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: Points of the fine grid that a value is interpolated from, and the degree of the polynomials their weights are.
WIDTH, DEGREE = 16, 18
#: The shape of the window: the Kaiser-Bessel function that is best for a fine grid of twice as many points.
BETA = 2.25 * WIDTH
#: So many numbers are gathered at a time: they stay in the processor's cache.
AT_ONCE = 1 << 17
#: Members of a batch that are transformed at a time.
ROWS = 128
#: What the upper third of the modes may hold beside the largest before :func:`watch` speaks.
UNRESOLVED = 1e-4
#: Rounding of a few steps, in units of the last place of the largest coefficient; and how far a coefficient stands out of rounding.
PLATEAU, STANDS_OUT = 16, 8


def circle(n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Float[Tensor, " n"]:
    """The angles ``2 pi j / n``.

    Raises:
        ArgumentError: ``n`` is odd or below 8. Antipodes of grid points are grid points only when ``n`` is even.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 8 or n % 2:
        raise ArgumentError("n", "an even number of points, at least 8, so that the antipode of each is one of them", repr(n))
    return torch.arange(n, dtype=dtype, device=device) * (2 * math.pi / n)


def waves(values: Float[Tensor, "*batch n"]) -> Tensor:
    """Coefficients ``[*batch, N / 2 + 1]`` of ``exp(i k phi)``, ``k = 0 ... N / 2``; those of ``-k`` are their conjugates, and the last
    one stands for the whole cosine."""
    if not values.numel():  # the library below refuses to transform nothing
        return values.new_zeros(*values.shape[:-1], values.shape[-1] // 2 + 1, dtype=_complex(values.dtype))
    return torch.fft.rfft(values, norm="forward")


def points(coefficients: Tensor, n: int) -> Float[Tensor, "*batch n"]:
    """Values on the grid; the inverse of :func:`waves`."""
    if not coefficients.numel():
        return coefficients.real.new_zeros(*coefficients.shape[:-1], n)
    return torch.fft.irfft(coefficients, n=n, norm="forward")


@lru_cache(maxsize=256)
def _factors(n: int, orders: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """What derivatives multiply each mode by, ``[orders, n / 2 + 1]``."""
    with torch.inference_mode(False):
        k = torch.arange(n // 2 + 1, dtype=torch.float64)
        rows = torch.stack([torch.complex(torch.zeros_like(k), k) ** order for order in orders])
        for row, order in zip(rows, orders):
            row[0] = 0.0 if order else 1.0
            if order % 2:
                row[-1] = 0.0
        return rows.to(_complex(dtype)).to(device)


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex64 if dtype == torch.float32 else torch.complex128


def derivatives(values: Float[Tensor, "*batch n"], *orders: int) -> tuple[Float[Tensor, "*batch n"], ...]:
    """Derivatives of these orders; of odd ones, the highest mode is dropped (the derivative of its cosine vanishes on the grid).

    Modes that are nothing but rounding are left out, which third derivatives would multiply by ``(N / 2)^3``.

    >>> phi = circle(16)
    >>> (slope,) = derivatives(torch.sin(2 * phi), 1)
    >>> bool((slope - 2 * torch.cos(2 * phi)).abs().max() < 1e-14)
    True
    """
    n, c = values.shape[-1], waves(values)
    if max(orders) >= 1:
        c = c - _rounding(c).detach()
    return points(c.unsqueeze(-2) * _factors(n, orders, values.dtype, values.device), n).unbind(-2)


def _rounding(c: Tensor) -> Tensor:
    """The coefficients that are nothing but rounding: those below that of the largest, and those after which no other stands out of what
    the last eighth of the modes hold, where these hold no more than rounding in a few steps of a calculation leaves."""
    square = c.real.square() + c.imag.square()  # some times faster than the modulus
    unit = torch.finfo(square.dtype).eps ** 2 * square.amax(-1, keepdim=True)
    floor = square[..., -(c.shape[-1] // 8) - 1 :].mean(-1, keepdim=True)
    floor = torch.where(floor < PLATEAU**2 * unit, STANDS_OUT**2 * floor, 0)
    stands = (square >= floor).flip(-1).cummax(-1).values.flip(-1)  # this one or one after it
    return torch.where((square < unit) | ~stands, c, 0)


def tail(*fields: Float[Tensor, "*batch n"], scale: float | Tensor = 0.0) -> Float[Tensor, "*batch"]:
    """The largest coefficient of the upper third of the modes relative to the largest of all, or to ``scale`` where that is more."""
    found = []
    for values in fields:
        size = waves(values).abs()
        least = torch.as_tensor(scale, dtype=size.dtype, device=size.device).clamp_min(torch.finfo(size.dtype).tiny)
        found.append(size[..., (values.shape[-1] + 2) // 3 :].amax(-1) / torch.maximum(size.amax(-1), least))
    return torch.stack(torch.broadcast_tensors(*found)).amax(0)


class Unresolved(UserWarning):
    """So many points do not hold a result: it may be wrong by a few times what the warning says, at the grid's points or between."""


def watch(what: str, *fields: Float[Tensor, "*batch n"], scale: float | Tensor = 0.0) -> None:
    """Warn :class:`Unresolved` where the :func:`tail` of a result is above :data:`UNRESOLVED`, or is not a number."""
    with torch.no_grad():
        off = tail(*(v.detach() for v in fields), scale=scale).flatten()
        bad = ~(off <= UNRESOLVED)
        try:
            count = int(bad.sum())
        except RuntimeError:  # under torch.func.vmap there is no number to look at
            return
    if count:
        many = f"{count} of {len(off)}: " if len(off) > 1 else ""
        warnings.warn(
            f"{what} is not resolved by {fields[0].shape[-1]} points ({many}the upper third of the modes holds "
            f"{float(off[bad].max()):.1e} of the largest): take more points, or a transformation that bends less",
            Unresolved,
            stacklevel=_outside(),
        )


def _outside() -> int:
    """How many frames above :func:`watch` the caller of this library is."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("erlangen."):
        frame, level = frame.f_back, level + 1
    return level


def alike(*fields: Float[Tensor, "*batch n"]) -> tuple[Float[Tensor, "*batch n"], ...]:
    """All in the widest of their dtypes."""
    kind = fields[0].dtype
    for v in fields[1:]:
        kind = torch.promote_types(kind, v.dtype)
    return tuple(v.to(kind) for v in fields)


def in_parts(
    function: Callable[..., tuple[Tensor, ...]], *fields: Float[Tensor, "*batch n"]
) -> tuple[Float[Tensor, "*batch n"], ...]:
    """``function(*fields)`` of a batch, :data:`ROWS` at a time: what a part needs stays near the processor. Where the first of the fields
    is not the whole batch, at once: what depends on it alone is then found once."""
    batch = torch.broadcast_shapes(*(f.shape[:-1] for f in fields))
    if fields[0].shape[:-1] != batch or math.prod(batch) <= ROWS:
        return function(*fields)
    flat = [f.expand(*batch, f.shape[-1]).reshape(-1, f.shape[-1]).split(ROWS) for f in fields]
    found = [function(*part) for part in zip(*flat)]
    return tuple(torch.cat(column).reshape(*batch, -1) for column in zip(*found))


def shifted(values: Float[Tensor, "*batch n"], angle: float) -> Float[Tensor, "*batch n"]:
    """``v(phi + angle)``; by a whole number of grid points exactly.

    By another angle the highest mode keeps the part that the grid sees, its cosine times ``cos(N angle / 2)``.
    """
    n = values.shape[-1]
    if not math.isfinite(angle):
        raise ArgumentError("angle", "a finite angle", repr(angle))
    steps = angle * n / (2 * math.pi)
    if abs(steps - round(steps)) < 1e-12 * max(1.0, abs(steps)):
        return torch.roll(values, -round(steps), -1)
    k = torch.arange(n // 2 + 1, dtype=values.dtype, device=values.device)
    turned = waves(values) * torch.polar(torch.ones_like(k), k * angle)
    return points(turned, n)


def dealiased(values: Float[Tensor, "*batch n"], keep: float = 2 / 3) -> Float[Tensor, "*batch n"]:
    """Only the modes below ``keep`` of the highest: of a product of two fields of that kind these are free of aliases.

    >>> phi = circle(12)
    >>> kept = dealiased(torch.cos(3 * phi) + torch.cos(4 * phi))     # 4 = 12 / 3 is no longer below
    >>> bool((kept - torch.cos(3 * phi)).abs().max() < 1e-14)
    True
    """
    n = values.shape[-1]
    c = waves(values)
    return points(c * (torch.arange(n // 2 + 1, device=values.device) < keep * n / 2).to(c.dtype), n)


def resampled(values: Float[Tensor, "*batch n"], n: int) -> Float[Tensor, "*batch m"]:
    """The same series on another number of points; of fewer, the modes that these can hold."""
    old = values.shape[-1]
    if n == old:
        return values
    c = waves(values)
    c = c[..., : n // 2 + 1].clone() if n < old else torch.nn.functional.pad(c, (0, (n - old) // 2)).clone()
    if n > old:
        c[..., old // 2] = c[..., old // 2] / 2  # the highest cosine is one of two conjugate modes now
    else:
        c[..., -1] = 2 * c[..., -1].real
    return points(c, n)


@lru_cache(maxsize=8)
def _window(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The window's weights as polynomials ``[DEGREE + 1, WIDTH]`` of the place between two points, from -1 to 1, and nodes and weights of
    its Fourier transform."""
    import numpy as np
    from scipy.special import i0e

    def window(t: np.ndarray) -> np.ndarray:
        square = np.clip((2 * t / WIDTH) ** 2, 0, 1)
        root = np.sqrt(1 - square)
        # I0(beta root) / I0(beta), without the digits that the exponential of a large number loses.
        return i0e(BETA * root) / i0e(BETA) * np.exp(-BETA * square / (1 + root))

    nodes = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    places = (nodes[:, None] + 1) / 2 + WIDTH / 2 - 1 - np.arange(WIDTH)  # of the value, seen from each point
    series = np.polynomial.chebyshev.chebvander(nodes, DEGREE).T @ window(places) * (2 / (DEGREE + 1))
    series[0] /= 2
    to_powers = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(DEGREE + 1):
        to_powers[: k + 1, k] = np.polynomial.chebyshev.cheb2poly([0.0] * k + [1.0])
    weights = to_powers @ series
    x = (np.arange(32 * WIDTH) + 0.5) / 32 - WIDTH / 2  # the window is smooth and ends at 1e-15: equal steps are best
    with torch.inference_mode(False):
        return tuple(  # type: ignore[return-value]
            torch.tensor(t, dtype=dtype, device=device) for t in (weights, x, window(x) / 32)
        )


@lru_cache(maxsize=64)
def _deconvolved(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What each mode is multiplied by before the fine grid is interpolated with the window, ``[n / 2 + 1]``."""
    _, nodes, weights = _window(torch.float64, torch.device("cpu"))
    with torch.inference_mode(False):
        k = torch.arange(n // 2 + 1, dtype=torch.float64)
        factors = 1 / (torch.cos(k[:, None] * nodes * (math.pi / n)) @ weights)
        factors[-1] = factors[-1] / 2  # the highest cosine is one of two conjugate modes on the fine grid
        return factors.to(dtype).to(device)


class Series:
    """Several series, ready to be read off at any angles: ``O(N log N + WIDTH p)``, to 1e-13 of their largest value in double precision.

    Each is put on a grid of twice as many points, each mode divided by the Fourier transform of a window, and read off by :data:`WIDTH`
    points of that window. Differentiable in the fields and in the angles.

    Source: A. H. Barnett, J. F. Magland, L. af Klinteberg, "A parallel non-uniform fast Fourier transform library based on an
    exponential of semicircle kernel" (2019), arXiv:1808.06736, for the method; the window is that of Kaiser and Bessel.

    Args:
        fields: values ``[*batch, n]``; batch axes broadcast.

    >>> phi = circle(16)
    >>> x = torch.tensor([0.1, 7.0, -3.0], dtype=torch.float64)
    >>> (values,) = Series(torch.cos(3 * phi + 1))(x)
    >>> bool((values - torch.cos(3 * x + 1)).abs().max() < 1e-13)
    True
    """

    def __init__(self, *fields: Float[Tensor, "*batch n"]) -> None:
        batch = torch.broadcast_shapes(*(f.shape[:-1] for f in fields))
        stacked = torch.stack([f.expand(*batch, f.shape[-1]) for f in fields], -2)
        n = stacked.shape[-1]
        grid = points(waves(stacked) * _deconvolved(n, stacked.dtype, stacked.device), 2 * n)
        self.n, self.grid = n, torch.cat([grid, grid[..., : WIDTH - 1]], -1)

    def __call__(self, at: Float[Tensor, "*batch p"]) -> tuple[Float[Tensor, "*batch p"], ...]:
        """The values of each field at these angles, of any size; batch axes broadcast."""
        kind = torch.promote_types(self.grid.dtype, at.dtype)
        at, own = at.to(kind), self.grid.to(kind)
        batch = torch.broadcast_shapes(own.shape[:-2], at.shape[:-1])
        (several, width), count, size = own.shape[-2:], at.shape[-1], math.prod(batch)
        place = at.expand(*batch, count) * (self.n / math.pi)
        left = place.detach().floor()
        offset = (2 * (place - left) - 1).reshape(size, count)
        first = ((left.to(torch.int64) - (WIDTH // 2 - 1)) % (2 * self.n)).reshape(size, count)
        grid = own.expand(*batch, several, width).reshape(size, several, width)
        rows = max(1, AT_ONCE // (count * WIDTH * several))
        if size <= rows:
            found = _read(grid, first, offset)
        else:
            parts = (_read(g, i, t) for g, i, t in zip(grid.split(rows), first.split(rows), offset.split(rows)))
            found = torch.cat(list(parts))
        return found.reshape(*batch, several, count).unbind(-2)


def _read(grid: Tensor, first: Tensor, offset: Tensor) -> Tensor:
    """``[b, fields, p]`` from fine grids ``[b, fields, m]``, the first of the points that are read ``[b, p]`` and the place between two."""
    polynomials, _, _ = _window(grid.dtype, grid.device)
    (b, several, _), count = grid.shape, first.shape[-1]
    place = offset.flatten()
    powers = [torch.ones_like(place), place]
    for k in range(2, DEGREE + 1):
        powers.append(powers[k // 2] * powers[k - k // 2])
    weights = (polynomials.mT @ torch.stack(powers)).view(WIDTH, b, count).transpose(0, 1)
    reach = (first.unsqueeze(1) + torch.arange(WIDTH, device=grid.device).unsqueeze(-1)).flatten(1)
    seen = grid.gather(-1, reach.unsqueeze(1).expand(b, several, WIDTH * count)).view(b, several, WIDTH, count)
    return (seen * weights.unsqueeze(1)).sum(-2)
