"""The detector's answer to a binary: slow amplitudes at few times, one Fourier transform, shifted by the carrier.

Own formulation of the fast waveforms of N. J. Cornish, T. B. Littenberg (2007), arXiv:0704.1808, with time-delay interferometry of
generation 1.5 for equal, rigid arms. Parameters are those of gbgpu: ``phi0`` is the phase of the waves at ``t = 0``, twice that of
the orbit (see :func:`~erlangen.fields.binaries.to_peer_phase`), ecliptic longitude and latitude, radians and SI units throughout.

Everything is a tensor with the same leading axes, differentiable and good for ``torch.func.vmap``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.binaries.constants import ARM, AU, F_STAR, FOUR_YEARS, YEAR_SIDEREAL, C
from erlangen.fields.binaries.detector import spacecraft
from erlangen.fields.binaries.geometry import Numbers, checked, sky_basis, tensor
from erlangen.groups.membership import may_look

#: The parameters of a waveform, in this order.
NAMES = ("amp", "f0", "fdot", "fddot", "phi0", "iota", "psi", "lam", "beta")
#: So many waveforms are made at once: more at a time leave the processor's memory and are slower.
AT_ONCE = 100
#: Lines, for each year of data, by which the detector's own turning widens a signal: four harmonics of a year on either side.
TURNING = 8


#: What parameters may be.
BOUNDS = {"amp": (0.0,), "iota": (0.0, math.pi), "beta": (-math.pi / 2, math.pi / 2)}


class Waveform(NamedTuple):
    """Fourier coefficients of the channels A, E, T, one-sided, in 1/Hz.

    Attributes:
        channels: ``[*batch, 3, N]`` complex.
        first: the number of the first frequency, ``[*batch]`` (float64, whole): frequency ``j`` is ``(first + j) / span``.
        span: seconds of data.
    """

    channels: Tensor
    first: Tensor
    span: float

    @property
    def frequencies(self) -> Float[Tensor, "*batch N"]:
        """Hz."""
        count = torch.arange(self.channels.shape[-1], dtype=torch.float64, device=self.first.device)
        return (self.first[..., None] + count) / self.span


def waveform(
    amp: Numbers,
    f0: Numbers,
    fdot: Numbers,
    fddot: Numbers,
    phi0: Numbers,
    iota: Numbers,
    psi: Numbers,
    lam: Numbers,
    beta: Numbers,
    *,
    span: float = FOUR_YEARS,
    N: int = 256,
) -> Waveform:
    """The channels A, E, T of binaries.

    The strain is ``A_plus cos(Phi)`` and ``A_cross sin(Phi)`` with ``A_plus = amp (1 + cos(iota)^2)``, ``A_cross = -2 amp cos(iota)``,
    and ``amp`` that of :func:`~erlangen.fields.binaries.amplitude`. X is the arm 1-2 less the arm 1-3.

    Args:
        amp, f0, fdot, fddot, phi0, iota, psi, lam, beta: numbers or tensors ``[*batch]``.
        span: seconds of data, from ``t = 0``.
        N: times at which the slow part is sampled, and frequencies that come out; 256 do for four years up to 8 mHz.

    Raises:
        ArgumentError: ``N`` or ``span`` is no positive number, or ``N`` is less than the lines of a signal, so that its ends would fold
            onto each other; a frequency that is not positive, an amplitude below zero, an inclination outside of 0 to pi, a latitude
            outside of -pi/2 to pi/2, numbers that are not finite.

    >>> h = waveform(1e-22, 2.61e-3, 3.3e-17, 0.0, 0.7, 0.9, 0.4, 1.77, 0.1)
    >>> h.channels.shape, int(h.first)
    (torch.Size([3, 256]), 329339)
    """
    given = torch.broadcast_tensors(*(tensor(x) for x in (amp, f0, fdot, fddot, phi0, iota, psi, lam, beta)))
    if may_look(*given):
        for name, x in zip(NAMES, given):
            checked(name, x, *BOUNDS.get(name, (-math.inf,)))
    shape = given[0].shape
    if shape.numel() > AT_ONCE:
        pieces = zip(*(x.reshape(-1).split(AT_ONCE) for x in given))
        every = [waveform(*piece, span=span, N=N) for piece in pieces]
        channels, first = torch.cat([w.channels for w in every]), torch.cat([w.first for w in every])
        return Waveform(channels.unflatten(0, shape), first.unflatten(0, shape), span)
    size, f, df, ddf, phase, tilt, angle, lon, lat = given
    plus, cross = polarisations(size, phase, tilt, angle)
    made = polarised(f, df, ddf, lon, lat, span=span, N=N)
    total = plus[..., None, None] * made.channels[..., 0, :, :] + cross[..., None, None] * made.channels[..., 1, :, :]
    return Waveform(total, made.first, span)


def polarisations(amp: Tensor, phi0: Tensor, iota: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
    """The complex amplitudes ``[*batch]`` by which the two answers of :func:`polarised` are multiplied."""
    plus, cross = amp * (1 + iota.cos() ** 2), -2 * amp * iota.cos()
    c, s = (2 * psi).cos(), (2 * psi).sin()
    turn = torch.complex(phi0.cos(), phi0.sin())
    return turn * torch.complex(plus * c, -cross * s), turn * torch.complex(-plus * s, -cross * c)


def polarised(
    f0: Numbers, fdot: Numbers, fddot: Numbers, lam: Numbers, beta: Numbers, *, span: float = FOUR_YEARS, N: int = 256
) -> Waveform:
    """The answers to either polarisation of unit amplitude and phase zero, ``[*batch, 2, 3, N]``; all waveforms are their sums.

    Raises:
        ArgumentError: as :func:`waveform`.
    """
    if not isinstance(N, int) or isinstance(N, bool) or N < 2:
        raise ArgumentError("N", "a number of samples of at least 2", repr(N))
    if not (isinstance(span, (int, float)) and 0 < span < math.inf):
        raise ArgumentError("span", "a positive number of seconds", repr(span))
    f, df, ddf, lon, lat = torch.broadcast_tensors(*(tensor(x) for x in (f0, fdot, fddot, lam, beta)))
    if may_look(f, df, ddf, lat):
        checked("f0", f, 0.0, open_low=True)
        lines = _lines(f.detach(), df.detach(), ddf.detach(), checked("beta", lat, *BOUNDS["beta"]).detach(), span)
        if lines.numel() and not bool(lines.max() <= N):
            raise ArgumentError("N", f"at least {float(lines.max()):.0f} samples, for signals that wide", repr(N))
    at = sky_basis(lon, lat)
    t = torch.arange(N, dtype=f.dtype, device=f.device) * (span / N)
    P = spacecraft(t)  # [N, 3, 3]
    arms = (P.roll(-1, -2) - P) / ARM  # 1-2, 2-3, 3-1: [N, arm, 3]

    def along(v: Tensor, of: Tensor) -> Tensor:  # [*batch, arm or craft, N]
        return (v @ of.reshape(-1, 3).mT).unflatten(-1, (N, 3)).transpose(-1, -2)

    north, east = along(at.north, arms), along(at.east, arms)
    travel = -along(at.k, P) / C  # waves come from the source: their direction is -k
    slope = -along(at.k, arms)
    tensors = torch.stack([east**2 - north**2, 2 * north * east], -3)  # [*batch, 2, arm, N]
    start, drift, bend = (x[..., None, None] for x in (f, df, ddf))
    bins = (f.detach() * span).round()
    late = t - travel
    frequency = start + drift * late + bend / 2 * late**2
    phase = 2 * math.pi * ((start - (bins / span)[..., None, None]) * t - start * travel)
    phase = phase + math.pi * drift * late**2 + math.pi / 3 * bend * late**3
    # Light that runs along an arm one way or the other meets the waves at its middle; how much of them it averages depends on its way.
    x = frequency / F_STAR
    middle = phase - x / 2 * (1 + slope)
    there, back = _sinc(x / 2 * (1 + slope)), _sinc(x.roll(-1, -2) / 2 * (1 - slope))
    now = (f[..., None] + df[..., None] * t + ddf[..., None] / 2 * t**2) / F_STAR
    delay = torch.polar(torch.ones_like(now), -now)
    link = torch.polar(torch.ones_like(middle), middle)[..., None, :, :] * tensors
    # A round trip from one spacecraft along an arm: from where it starts, and from the other end.
    near = link * (there + back * delay[..., None, :])[..., None, :, :]
    far = link * (back + there * delay[..., None, :])[..., None, :, :]
    outer = (now * now.sin() * delay)[..., None, None, :]
    # X: 1-2-1 less 1-3-1; arms are 1-2, 2-3, 3-1
    michelson = outer * (near - far.roll(1, -2))
    X, Y, Z = torch.fft.fftshift(torch.fft.fft(michelson, dim=-1), dim=-1).unbind(-2)
    scale = span / (2 * N)
    channels = torch.stack([(Z - X) / math.sqrt(2), (X - 2 * Y + Z) / math.sqrt(6), (X + Y + Z) / math.sqrt(3)], -2)
    return Waveform(scale * channels, bins - N // 2, span)


def _lines(f: Tensor, df: Tensor, ddf: Tensor, lat: Tensor, span: float) -> Tensor:
    """Over how many frequencies a signal spreads: the Doppler shift of the orbit about the sun, the detector's turning, the drift."""
    years = span / YEAR_SIDEREAL
    doppler = 4 * math.pi * f * lat.cos() * (AU / C) * years
    return doppler + TURNING * years + 2 * (df.abs() * span + ddf.abs() * span**2 / 2) * span


def _sinc(x: Tensor) -> Tensor:
    return torch.sinc(x / math.pi)
