"""What a discrete Fourier transform makes of warped signals: the power it shows, and what its low modes keep."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.signals.warped import sines


def lowpass(x: Float[Tensor, "*batch points"], modes: int) -> Float[Tensor, "*batch points"]:
    """The part of real signals in the Fourier modes ``0 .. modes - 1`` (a real number for mode 0, complex ones for the others).

    >>> lowpass(torch.tensor([1.0, 3.0]), 1)
    tensor([2., 2.])
    """
    if modes < 1:
        raise ArgumentError("modes", "at least one mode", repr(modes))
    spectrum = torch.fft.rfft(x)
    spectrum[..., modes:] = 0
    return torch.fft.irfft(spectrum, n=x.shape[-1])


def lowpass_error(frequencies: Sequence[int], modes: int, points: int = 128, power: float = 3.0) -> float:
    """What the low modes miss of the first frame of :func:`warped_signals` (sines): the expected sum of squares over its coefficients.

    >>> round(lowpass_error([3, 5, 11, 4, 7], 16), 4)
    5.9622
    """
    waves = sines(frequencies, points, power)[0].double()
    return float((waves - lowpass(waves, modes)).square().sum(-1).mean())


def dft_spectrum(x: Float[Tensor, "*batch points"]) -> Float[Tensor, " modes"]:
    """The mean power of each mode of signals, as a share of all.

    >>> dft_spectrum(torch.tensor([1.0, -1.0, 1.0, -1.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    power = torch.fft.rfft(x).abs().square().flatten(0, -2) if x.ndim > 1 else torch.fft.rfft(x).abs().square().unsqueeze(0)
    mean = power.mean(0)
    return mean / mean.sum()
