"""How particles move: mean square displacements, exponents, diffusion coefficients, correlations of velocities and headings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from scipy.fft import next_fast_len
from torch import Tensor

from erlangen.errors import ArgumentError

#: Series that are transformed at once, in numbers.
_AT_ONCE = 2**19


@dataclass(frozen=True, eq=False)
class Displacements:
    """A mean square displacement over lags.

    Attributes:
        lags: times, from 0.
        msd: summed over dimensions, averaged over particles, replicas and times.
        error: standard error of :attr:`msd`, from independent groups of particles; NaN of a single particle.
        dim: dimensions.
    """

    lags: Float[Tensor, " lags"]
    msd: Float[Tensor, " lags"]
    error: Float[Tensor, " lags"]
    dim: int

    def exponent(self) -> Float[Tensor, " lags"]:
        """The local exponent ``d ln MSD / d ln t`` (central differences); NaN at lag 0, and where there are fewer than two others."""
        if len(self.lags) < 3:
            return torch.full_like(self.msd, torch.nan)
        t, y = self.lags[1:].log(), self.msd[1:].clamp_min(1e-300).log()
        return torch.cat([torch.full((1,), torch.nan, dtype=y.dtype), torch.gradient(y, spacing=(t,))[0]])

    def diffusion(self, first: float, last: float) -> tuple[float, float]:
        """The diffusion coefficient: the slope between two lags over ``2 dim``, and its standard error.

        Lags overlap, so that points are not independent: the error is that of the end points, which is an upper bound.

        Raises:
            ArgumentError: there are no two lags between.
        """
        here = (self.lags >= first - 1e-12) & (self.lags <= last + 1e-12)
        if int(here.sum()) < 2:
            raise ArgumentError("first", "at least two lags between first and last", f"{first!r} to {last!r}")
        t, y = self.lags[here], self.msd[here]
        slope = ((t - t.mean()) * (y - y.mean())).sum() / (t - t.mean()).square().sum()
        spread = (self.error[here][0] ** 2 + self.error[here][-1] ** 2).sqrt() / (t[-1] - t[0])
        return float(slope) / (2 * self.dim), float(spread) / (2 * self.dim)


def mean_square_displacement(
    positions: Float[Tensor, "frames *batch dim"], spacing: float = 1.0, most: int | None = None, groups: int = 20
) -> Displacements:
    """Over all particles and starting times, by Fourier transforms: ``O(T log T)``.

    The first position of each particle is subtracted, so that rounding does not depend on where they are (in freud 3.4 it does).

    Args:
        positions: unwrapped, ``[frames, *batch, dim]``, finite.
        spacing: time between frames.
        most: the largest lag, in frames; by default all there are.
        groups: of particles, for the error.

    Raises:
        ArgumentError: fewer than two frames, positions that are not finite, or no such lag.

    Source: the algorithm as in V. Calandrini et al. (2011), "nMoldyn: interfacing spectroscopic experiments, molecular dynamics".

    >>> steps = torch.arange(4.0).reshape(4, 1, 1)                              # one particle, one step to the right each time
    >>> mean_square_displacement(steps).msd.round(decimals=6).tolist()
    [0.0, 1.0, 4.0, 9.0]
    """
    if positions.ndim < 2 or len(positions) < 2:
        raise ArgumentError("positions", "[frames, *batch, dim] with at least two frames", f"shape {tuple(positions.shape)}")
    _finite(positions)
    frames, dim = len(positions), positions.shape[-1]
    most = _most(most, frames, 1)
    flat = positions.detach().reshape(frames, -1, dim)
    particles = flat.shape[1]
    if not particles:
        raise ArgumentError("positions", "at least one particle", f"shape {tuple(positions.shape)}")
    count = min(groups, particles)
    size = next_fast_len(2 * frames - 1, real=True)
    sums = []
    for part in range(count):
        members = flat[:, part * particles // count : (part + 1) * particles // count]
        power = torch.zeros(size // 2 + 1, dtype=torch.float64)
        squares = torch.zeros(frames, dtype=torch.float64)
        step = max(1, _AT_ONCE // (size * dim))
        for begin in range(0, members.shape[1], step):
            x = members[:, begin : begin + step].double()
            series = (x - x[0]).reshape(frames, -1).T.contiguous()
            hat = torch.view_as_real(torch.fft.rfft(series, n=size))
            power += hat.square().sum((0, 2))
            squares += series.square().sum(0)
        # The mean over starting times of |x(t + s)|^2 + |x(t)|^2 - 2 x(t + s) x(t).
        product = torch.fft.irfft(power.to(torch.complex128), n=size)[: most + 1]
        total = torch.cat([torch.zeros(1, dtype=torch.float64), squares.cumsum(0)])
        lag = torch.arange(most + 1)
        both = (total[-1] - total[lag]) + total[frames - lag]
        sums.append((both - 2 * product) / (frames - lag) / members.shape[1])
    each = torch.stack(sums)
    each[:, 0] = 0.0
    weights = torch.tensor([(p + 1) * particles // count - p * particles // count for p in range(count)], dtype=torch.float64)
    msd = (weights.unsqueeze(1) * each).sum(0) / particles
    error = each.std(0) / math.sqrt(count) if count > 1 else torch.full_like(msd, torch.nan)
    return Displacements(spacing * lag.double(), msd.clamp_min(0.0), error, dim)


def direct_mean_square_displacement(
    positions: Float[Tensor, "frames *batch dim"], most: int | None = None
) -> Float[Tensor, " lags"]:
    """The same by sums over all pairs of frames: the reference."""
    frames = len(positions)
    most = _most(most, frames, 0)
    return torch.stack([(positions[lag:] - positions[: frames - lag]).double().square().sum(-1).mean() for lag in range(most + 1)])


def autocorrelation(series: Float[Tensor, "frames *batch dim"], most: int | None = None) -> Float[Tensor, " lags"]:
    """``<u(t + s) . u(t)>`` over particles and times.

    >>> autocorrelation(torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(4, 1, 1)).round(decimals=6).tolist()
    [1.0, -1.0, 1.0, -1.0]
    """
    _finite(series)
    frames, dim = len(series), series.shape[-1]
    most = _most(most, frames, 0)
    flat = series.detach().double().reshape(frames, -1).T.contiguous()
    size = next_fast_len(2 * frames - 1, real=True)
    power = torch.view_as_real(torch.fft.rfft(flat, n=size)).square().sum((0, 2))
    lag = torch.arange(most + 1)
    return torch.fft.irfft(power.to(torch.complex128), n=size)[: most + 1] / (frames - lag) / (len(flat) / dim)


def velocity_correlation(
    positions: Float[Tensor, "frames *batch dim"], spacing: float, most: int | None = None
) -> Float[Tensor, " lags"]:
    """Of velocities by differences of frames."""
    return autocorrelation(positions.diff(dim=0) / spacing, most)


def headings(positions: Float[Tensor, "frames *batch dim"], stride: int) -> Float[Tensor, "m *batch dim"]:
    """Unit vectors along displacements over ``stride`` frames."""
    moved = _moved(positions, stride)
    return moved / moved.norm(dim=-1, keepdim=True).clamp_min(1e-30)


def rotational_diffusion(
    positions: Float[Tensor, "frames *batch two"], spacing: float, stride: int, first: float, last: float
) -> tuple[float, float]:
    """How fast headings diffuse in two dimensions, from the growth of the mean square angle between two lags, ``2 D_r t``.

    Args:
        positions: ``[frames, *batch, 2]``.
        spacing: time between frames.
        stride: a heading is the direction of the displacement over so many frames: the delay.
        first, last: lags of the fit; the first beyond the stride, whose displacements overlap.

    Returns:
        ``D_r`` and its standard error over particles.
    """
    if positions.shape[-1] != 2:
        raise ArgumentError("positions", "two dimensions", f"{positions.shape[-1]}")
    unit = headings(positions, stride)
    cross = unit[:-1, ..., 0] * unit[1:, ..., 1] - unit[:-1, ..., 1] * unit[1:, ..., 0]
    turned = torch.atan2(cross, (unit[:-1] * unit[1:]).sum(-1)).cumsum(0).reshape(len(unit) - 1, -1)
    a, b = round(first / spacing), round(last / spacing)
    if not 0 < a < b < len(turned):
        raise ArgumentError("last", f"a lag above the first and below {len(turned) * spacing:.6g}", repr(last))
    growth = ((turned[b:] - turned[:-b]).square().mean(0) - (turned[a:] - turned[:-a]).square().mean(0)) / (2 * (b - a) * spacing)
    return float(growth.mean()), float(growth.std() / math.sqrt(len(growth))) if len(growth) > 1 else math.nan


def speed(positions: Float[Tensor, "frames *batch dim"], spacing: float, stride: int) -> tuple[float, float]:
    """The mean length of displacements over ``stride`` frames by their time, and its standard error over particles."""
    lengths = _moved(positions, stride).norm(dim=-1).reshape(len(positions) - stride, -1).mean(0) / (stride * spacing)
    return float(lengths.mean()), float(lengths.std() / math.sqrt(len(lengths))) if len(lengths) > 1 else math.nan


def _moved(positions: Tensor, stride: int) -> Tensor:
    """Displacements over ``stride`` frames."""
    _finite(positions)
    if isinstance(stride, bool) or not isinstance(stride, int) or not 1 <= stride < len(positions):
        raise ArgumentError("stride", f"1 to {len(positions) - 1} frames", repr(stride))
    return positions[stride:] - positions[:-stride]


def _most(most: int | None, frames: int, least: int) -> int:
    """The largest lag, by default all."""
    most = frames - 1 if most is None else most
    if isinstance(most, bool) or not isinstance(most, int) or not least <= most < frames:
        raise ArgumentError("most", f"a lag of {least} to {frames - 1} frames", repr(most))
    return most


def _finite(x: Any) -> None:
    if not bool(x.isfinite().all()):
        raise ArgumentError("positions", "finite numbers", "NaN or infinity", "leave out the replicas that blew up")
