"""The detector: where its three spacecraft are, and how strong its noise is."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.binaries.constants import ARM, AU, F_STAR, GM_SUN, C
from erlangen.fields.binaries.geometry import Numbers, checked, tensor

#: The fitted foreground of unresolved Galactic binaries: spans of data (s), and what belongs to them (Karnesis et al., arXiv:2103.14598,
#: in the numbers of lisaanalysistools 1.2.8).
DAY, MONTH, JULIAN = 86_400.0, 30.5 * 86_400.0, 365.25 * 86_400.0
SPANS = (DAY, 3 * MONTH, 6 * MONTH, JULIAN, 2 * JULIAN, 4 * JULIAN, 10 * JULIAN)
KNEES = (1.15120924e-02, 4.01884128e-03, 3.47302482e-03, 2.77606177e-03, 2.41178384e-03, 2.09278117e-03, 1.57362626e-03)
BELOW = (9.41315118e02, 1.36887568e03, 1.68729474e03, 1.76327234e03, 2.32678814e03, 3.01430978e03, 3.74970124e03)
BEYOND = (1.03239773e02, 1.03351646e03, 1.62204855e03, 1.68631844e03, 2.06821665e03, 2.95774596e03, 3.15199454e03)
FOREGROUND, EXPONENT = 3.26651613e-44, 1.18300266e00


def spacecraft(t: Numbers) -> Float[Tensor, "*batch 3 3"]:
    """Places of the spacecraft 1, 2, 3 (axis -2) in ecliptic coordinates at the sun, metres, at times in seconds.

    Equal and rigid arms: Kepler's orbits to first order in their eccentricity.

    >>> P = spacecraft(torch.tensor([0.0, 1e7]))
    >>> ((P[..., 0, :] - P[..., 1, :]).norm(dim=-1) / 1e9).round(decimals=4).tolist()
    [2.5, 2.5]
    """
    t = tensor(t)
    lag = 2 * math.pi / 3 * torch.arange(3, dtype=t.dtype, device=t.device)
    turn = (math.sqrt(GM_SUN / AU**3) * t)[..., None]
    wide = ARM / (2 * math.sqrt(3))
    x = AU * turn.cos() + wide / 2 * ((2 * turn - lag).cos() - 3 * lag.cos())
    y = AU * turn.sin() + wide / 2 * ((2 * turn - lag).sin() - 3 * lag.sin())
    return torch.stack([x, y, -math.sqrt(3) * wide * (turn - lag).cos()], -1)


def noise(f: Numbers, span: float | None = None) -> Tensor:
    """The one-sided power spectral density of the channels A and E (each), fractional frequency, 1/Hz.

    The requirements of the detector (SciRDv1: 15 pm of optical metrology, 3 fm/s^2 of acceleration) in TDI of generation 1.5, and the
    fitted foreground of the Galaxy.

    Args:
        f: frequencies (Hz).
        span: seconds of data, which decide how much of the foreground is left; ``None`` for the instrument alone.

    Raises:
        ArgumentError: a frequency that is not positive, a span outside of the fit (a day to ten years).

    >>> f"{float(noise(3e-3, 4 * 31557600.0)):.2e}"
    '1.32e-42'
    """
    f = checked("f", f, 0.0, open_low=True)
    x = f / F_STAR
    shift = (2 * math.pi * f / C) ** 2
    metrology = (15e-12) ** 2 * (1 + (2e-3 / f) ** 4) * shift
    acceleration = (3e-15) ** 2 * (1 + (0.4e-3 / f) ** 2) * (1 + (f / 8e-3) ** 4) * (2 * math.pi * f) ** -4 * shift
    total = 8 * x.sin() ** 2 * ((2 + x.cos()) * metrology + 2 * (3 + 2 * x.cos() + (2 * x).cos()) * acceleration)
    if span is not None:
        total = total + 6 * x**2 * x.sin() ** 2 * foreground(f, span)
    return total


def foreground(f: Tensor, span: float) -> Tensor:
    """The strain density of unresolved Galactic binaries after ``span`` seconds of data, 1/Hz."""
    if not SPANS[0] <= span <= SPANS[-1] * 1.01:
        raise ArgumentError("span", "seconds of data, from a day to ten years", repr(span))
    place = min(sum(span >= s for s in SPANS), len(SPANS) - 1)
    share = (span - SPANS[place - 1]) / (SPANS[place] - SPANS[place - 1])
    knee, below, beyond = (v[place - 1] + share * (v[place] - v[place - 1]) for v in (KNEES, BELOW, BEYOND))
    return FOREGROUND / 2 * (-(f**EXPONENT) * below).exp() * f ** (-7 / 3) * (1 + (-(f - knee) * beyond).tanh())
