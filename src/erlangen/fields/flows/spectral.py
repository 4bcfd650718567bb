"""Spectral derivatives on a periodic square, dealiasing, and Runge-Kutta of order 4 behind an integrating factor."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.errors import ArgumentError


class Plane:
    """Wave numbers of the unit square, periodic, on ``size x size`` points; axis 0 of a field is x, axis 1 is y.

    Attributes:
        k: the two wave numbers times ``2 pi``, ``[2, size, size // 2 + 1]``, for ``torch.fft.rfft2``.
        kept: which waves the 2/3 rule keeps, so that products of two fields have no aliases among them.

    Raises:
        ArgumentError: the size is below 4.

    >>> plane = Plane(16)
    >>> x = torch.arange(16, dtype=torch.float64) / 16
    >>> wave = torch.sin(2 * torch.pi * x)[:, None].expand(16, 16)
    >>> slope = torch.fft.irfft2(1j * plane.k[0] * torch.fft.rfft2(wave))
    >>> torch.allclose(slope[:, 0], 2 * torch.pi * torch.cos(2 * torch.pi * x))
    True
    """

    k: Float[Tensor, "2 n half"]
    kept: Bool[Tensor, "n half"]

    def __init__(self, size: int, dtype: torch.dtype = torch.float64, device: torch.device | str | None = None) -> None:
        if not isinstance(size, int) or size < 4:
            raise ArgumentError("size", "at least 4 points a side", repr(size))
        self.size = size
        whole = torch.fft.fftfreq(size, 1 / size, dtype=dtype, device=device)
        half = torch.fft.rfftfreq(size, 1 / size, dtype=dtype, device=device)
        counts = torch.stack(torch.meshgrid(whole, half, indexing="ij"))
        self.k = 2 * math.pi * counts
        self.kept = (counts.abs() < size / 3).all(0)
        self.squared = self.k.square().sum(0)

    def to_waves(self, u: Float[Tensor, "*batch n n"]) -> Tensor:
        """The waves of a field that the 2/3 rule keeps."""
        return torch.fft.rfft2(u) * self.kept

    def to_points(self, waves: Tensor) -> Float[Tensor, "*batch n n"]:
        """The field on the grid."""
        return torch.fft.irfft2(waves, s=(self.size, self.size))


def integrate(
    waves: Tensor,
    damping: Float[Tensor, "n half"],
    slope: Callable[[Tensor], Tensor],
    dt: float,
    steps: int,
) -> Tensor:
    """``steps`` steps of ``dw/dt = -damping w + slope(w)``: the first part exactly, the second by Runge-Kutta of order 4.

    Source: for the integrating factor, L. N. Trefethen, "Spectral methods in MATLAB", SIAM 2000, chapter 10.

    >>> one = torch.ones(1, 1, dtype=torch.complex128)
    >>> end = integrate(one, torch.ones(1, 1, dtype=torch.float64), lambda w: 0.5 * w, 0.1, 10)     # exp(-0.5)
    >>> abs(end.real.item() - 0.6065307) < 1e-6
    True
    """
    half = torch.exp(-damping * (dt / 2))
    for _ in range(steps):
        a = slope(waves)
        b = slope(half * (waves + dt / 2 * a))
        c = slope(half * waves + dt / 2 * b)
        d = slope(half * (half * waves + dt * c))
        waves = half * (half * (waves + dt / 6 * a) + dt / 3 * (b + c)) + dt / 6 * d
    return waves


def check_square(u: Tensor, argument: str, channels: tuple[int, ...] = ()) -> int:
    """The side of square fields of finite real numbers, in single or double precision, ``[*batch, *channels, n, n]``.

    Raises:
        ArgumentError: they are none.
    """
    wanted = "".join(f"{c}, " for c in channels)
    if not isinstance(u, Tensor) or u.dtype not in (torch.float32, torch.float64):
        got = str(getattr(u, "dtype", type(u).__name__))
        raise ArgumentError(argument, f"real fields [*batch, {wanted}n, n] in float32 or float64", got)
    tail = u.shape[u.ndim - 2 - len(channels) :]
    if u.ndim < 2 + len(channels) or u.shape[-1] != u.shape[-2] or tuple(tail[:-2]) != channels:
        raise ArgumentError(argument, f"square fields [*batch, {wanted}n, n]", tuple(u.shape))
    if not bool(u.detach().isfinite().all()):
        raise ArgumentError(argument, "finite numbers", "NaN or infinity")
    return u.shape[-1]


def steps_between(every: float, dt: float) -> tuple[int, float]:
    """How many steps of at most ``dt`` lie between two frames, and how long they are.

    Raises:
        ArgumentError: a time is not positive.
    """
    for name, value in (("every", every), ("dt", dt)):
        if not 0 < value < math.inf:
            raise ArgumentError(name, "a positive time", repr(value))
    steps = math.ceil(every / dt - 1e-9)
    return steps, every / steps
