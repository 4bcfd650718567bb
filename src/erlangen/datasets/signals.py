"""`warped_signals`: waves on a warped time axis that shift by an angle per frame, and the sensors that may look at them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: How a sensor reads a signal: as it is, saturated, or with a quadratic distortion.
SENSORS: dict[str, Callable[[Tensor], Tensor]] = {
    "clean": lambda x: x,
    "tanh": lambda x: torch.tanh(1.5 * x),
    "quadratic": lambda x: x + 0.4 * x.square(),
}


class Signals(NamedTuple):
    """Sequences of signals.

    Attributes:
        x: ``[sequences, frames, points]``, float32.
        angles: the shift from one frame to the next, in radians, ``[sequences]``.
    """

    x: Float[Tensor, "n t points"]
    angles: Float[Tensor, " n"]


def warped_signals(
    count: int,
    frequencies: Sequence[int] = (2, 5, 9, 12, 14),
    *,
    frames: int = 3,
    points: int = 128,
    power: float = 3.0,
    sensor: str | Callable[[Tensor], Tensor] = "clean",
    noise: float = 0.0,
    angles: Float[Tensor, " n"] | None = None,
    phases: bool = False,
    seed: int = 0,
) -> Signals:
    """Sums of sines, ``x_t(u) = sum_k c_k sin(f_k (2 pi u^power - t angle))`` at ``u = 0, 1/points, ...``.

    The coefficients are uniform on the unit sphere, the angle of a sequence uniform in ``[0, pi]``. A shift of such a signal is no shift
    in ``u``, so a Fourier transform in ``u`` does not show the frequencies; but it is linear in the signal. Through a sensor it is not.

    Args:
        count: sequences.
        frequencies: of the waves; above ``points / (2 power)`` they alias at ``u = 1``.
        frames: in a sequence.
        points: of a signal.
        power: of the warp; 1 for none.
        sensor: one of :data:`SENSORS`, or a function of signals.
        noise: standard deviation of white noise, after the sensor.
        angles: those to use instead of random ones.
        phases: start each wave at a random phase, instead of all at 0 (then the first frame holds sines alone).
        seed: of everything random.

    Raises:
        ArgumentError: an unknown sensor, frequencies that alias, or another number of angles.

    Source: Koyama, Fukumizu, Hayashi & Miyato 2024, arXiv:2305.18484, section 5.1.

    >>> signals = warped_signals(4)
    >>> signals.x.shape, round(float(warped_signals(2000).x[:, 1].square().sum(1).mean()))
    (torch.Size([4, 3, 128]), 64)
    """
    read = SENSORS.get(sensor) if isinstance(sensor, str) else sensor
    if not callable(read):
        raise ArgumentError("sensor", f"one of {', '.join(SENSORS)}, or a function", repr(sensor))
    if not frequencies or max(frequencies) * power > points / 2:
        raise ArgumentError("frequencies", f"frequencies of at most {points / 2 / power:g}", list(frequencies), "higher ones alias")
    if angles is not None and tuple(angles.shape) != (count,):
        raise ArgumentError("angles", f"{count} angles", f"shape {tuple(angles.shape)}")
    generator = torch.Generator().manual_seed(seed)
    f = torch.tensor(frequencies, dtype=torch.float32)
    c = torch.nn.functional.normalize(torch.randn(count, len(f), generator=generator), dim=1)
    theta = math.pi * torch.rand(count, generator=generator) if angles is None else angles.float()
    start = 2 * math.pi * torch.rand(count, len(f), generator=generator) * phases
    waves = sines(frequencies, points, power)  # sin and cos, [2, K, points]
    phase = start[:, None] - torch.arange(frames)[:, None] * theta[:, None, None] * f  # [n, t, K]
    x = (c[:, None] * phase.cos()) @ waves[0] + (c[:, None] * phase.sin()) @ waves[1]
    x = read(x)
    return Signals(x + noise * torch.randn(x.shape, generator=generator) if noise else x, theta)


def sines(frequencies: Sequence[int], points: int = 128, power: float = 3.0) -> Float[Tensor, "2 k points"]:
    """Sine and cosine of each frequency on the warped axis.

    >>> sines([1], points=4, power=1)[0, 0].round(decimals=3).abs().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    u = (torch.arange(points, dtype=torch.float64) / points) ** power
    phase = 2 * math.pi * torch.tensor(frequencies, dtype=torch.float64)[:, None] * u
    return torch.stack([phase.sin(), phase.cos()]).float()


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
