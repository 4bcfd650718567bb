r"""Likelihood of amplitude, inclination, position angle and phase, of a binary whose frequency and place are known.

All waveforms of such a binary are sums of four, so that the logarithm of the likelihood is ``x.c - x.M x / 2`` with a vector of four
numbers ``x`` that amplitude, inclination, position angle and phase decide: one Gram matrix and one vector say all that the data do
(P. Jaranowski, A. Krolak, B. Schutz (1998), arXiv:gr-qc/9804014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.binaries.constants import FOUR_YEARS
from erlangen.fields.binaries.detector import noise
from erlangen.fields.binaries.geometry import Numbers, tensor
from erlangen.fields.binaries.response import Waveform, polarisations, polarised

#: Noise channels that are used: T sees next to nothing of such binaries.
USED = 2


def inner(a: Tensor, b: Tensor, psd: Tensor, span: float) -> Tensor:
    """``4 sum Re(a* b) / (span S)`` over channels and frequencies (the last two axes).

    Args:
        a, b: ``[*batch, channels, N]``.
        psd: ``[*batch, N]``, or ``[*batch, channels, N]``.
        span: seconds.

    Raises:
        ArgumentError: a density that is not positive.
    """
    if psd.ndim and not bool((psd > 0).all()):
        raise ArgumentError("psd", "a positive noise density everywhere", f"{float(psd.min())!r}")
    psd = psd if psd.ndim >= 2 and psd.shape[-2] == a.shape[-2] and psd.ndim == a.ndim else psd[..., None, :]
    return 4 / span * ((a.conj() * b).real / psd).sum((-1, -2))


def parts(amp: Numbers, iota: Numbers, psi: Numbers, phi0: Numbers) -> Float[Tensor, "*batch 4"]:
    """The four numbers by which the four waveforms are multiplied: real and imaginary parts of both polarisations'."""
    plus, cross = polarisations(*torch.broadcast_tensors(*(tensor(x) for x in (amp, phi0, iota, psi))))
    return torch.stack([plus.real, plus.imag, cross.real, cross.imag], -1)


def from_parts(x: Float[Tensor, "*batch 4"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``amp, iota, psi, phi0`` of four numbers, ``psi`` in [0, pi / 2); the group has the others.

    The two circular parts ``p - i c`` and ``p + i c`` of the complex amplitudes of both polarisations have the sizes
    ``amp (1 + cos(iota))^2`` and ``amp (1 - cos(iota))^2`` and the phases ``phi0 + 2 psi`` and ``phi0 - 2 psi``.

    >>> amp, iota, psi, phi0 = from_parts(parts(2.0, 1.2, 0.4, 3.0))
    >>> [round(float(v), 9) for v in (amp, iota, psi, phi0)]
    [2.0, 1.2, 0.4, 3.0]
    """
    p, c = torch.complex(x[..., 0], x[..., 1]), torch.complex(x[..., 2], x[..., 3])
    a, b = p - 1j * c, p + 1j * c
    big, small = a.abs().sqrt(), b.abs().sqrt()  # sqrt(amp) (1 + cos iota), sqrt(amp) (1 - cos iota)
    total = big + small
    iota = torch.atan2(2 * (big * small).clamp_min(0).sqrt(), big - small)
    raw = (a.angle() - b.angle()) / 4
    turns = torch.floor(raw / (math.pi / 2))
    phi0 = (a.angle() + b.angle()) / 2 + turns * math.pi
    return total**2 / 4, iota, raw - turns * (math.pi / 2), phi0 % (2 * math.pi)


@dataclass(frozen=True)
class Grid:
    """Inclinations, position angles and phases at which likelihoods are wanted: values, ascending, that include neither 2 pi."""

    iota: Tensor
    psi: Tensor
    phi0: Tensor

    @classmethod
    def regular(cls, iota: int = 61, psi: int = 96, phi0: int = 96) -> Grid:
        """Evenly spaced: inclinations from 0 to pi, both ends; angles and phases all around."""
        return cls(
            torch.linspace(0, math.pi, iota, dtype=torch.float64),
            2 * math.pi / psi * torch.arange(psi, dtype=torch.float64),
            2 * math.pi / phi0 * torch.arange(phi0, dtype=torch.float64),
        )

    @cached_property
    def turned(self) -> Tensor:
        """The four numbers of ``A_plus = 1`` and of ``A_cross = 1`` over angles and phases, ``[2, psi phi0, 4]``."""
        psi, phi0 = torch.meshgrid(self.psi, self.phi0, indexing="ij")
        right = math.pi / 2
        plus = parts(torch.ones_like(psi), right * torch.ones_like(psi), psi, phi0).flatten(0, 1)
        whole = parts(torch.ones_like(psi), torch.zeros_like(psi), psi, phi0).flatten(0, 1)  # A_plus = 2, A_cross = -2
        return torch.stack([plus, (2 * plus - whole) / 2])

    @cached_property
    def shares(self) -> Tensor:
        """``A_plus`` and ``A_cross`` of unit amplitude over inclinations, ``[2, iota]``."""
        return torch.stack([1 + self.iota.cos() ** 2, -2 * self.iota.cos()])


class FourWaves:
    """What data say of a binary at a known place and frequency.

    Args:
        f0, fdot, fddot, lam, beta: as :func:`~erlangen.fields.binaries.waveform` takes them, ``[*batch]``.
        span: seconds.
        N: samples.
        psd: noise density ``[*batch, N]``; by default that of :func:`~erlangen.fields.binaries.noise` with the Galactic foreground.

    Attributes:
        waves: the four waveforms ``[*batch, 4, 2, N]`` of the channels A and E.
        gram: their products ``M``, ``[*batch, 4, 4]``.

    >>> b = FourWaves(2.61e-3, 3.3e-17, 0.0, 1.77, 0.1)
    >>> truth = dict(amp=1e-22, iota=0.9, psi=0.4, phi0=0.7)
    >>> c = b.correlate(b.data(**truth))
    >>> snr = b.snr(**truth)
    >>> torch.allclose(b.log_likelihood(c, **truth), snr**2 / 2, rtol=1e-12)
    True
    """

    def __init__(
        self,
        f0: Numbers,
        fdot: Numbers,
        fddot: Numbers,
        lam: Numbers,
        beta: Numbers,
        *,
        span: float = FOUR_YEARS,
        N: int = 256,
        psd: Tensor | None = None,
    ) -> None:
        made = polarised(f0, fdot, fddot, lam, beta, span=span, N=N)
        used = made.channels[..., :USED, :]
        self.waves = torch.stack([used, 1j * used], -3).flatten(-4, -3)
        self.template = Waveform(used, made.first, span)
        self.span = span
        self.psd = noise(self.template.frequencies, span) if psd is None else psd
        if not bool((self.psd > 0).all()):
            raise ArgumentError("psd", "a positive noise density everywhere", f"{float(self.psd.min())!r}")
        self._whitened = self.waves / self.psd[..., None, None, :]
        self.gram = self._products(self.waves)

    def _products(self, d: Tensor) -> Tensor:
        """``<waves_i | d_j>`` of ``[*batch, j, 2, N]``."""
        a, b = torch.view_as_real(self._whitened.contiguous()), torch.view_as_real(d.contiguous())
        return 4 / self.span * (a.flatten(-3) @ b.flatten(-3).mT)

    def data(self, amp: Numbers, iota: Numbers, psi: Numbers, phi0: Numbers) -> Tensor:
        """The waveform without noise, ``[*batch, 2, N]``."""
        x = parts(amp, iota, psi, phi0)
        return (x[..., None, None] * self.waves).sum(-3)

    def noise(self, generator: torch.Generator | None = None) -> Tensor:
        """Gaussian noise of the density, ``[*batch, 2, N]``."""
        shape = self.waves.shape[:-3] + self.waves.shape[-2:]
        size = (self.psd * self.span / 4).sqrt()[..., None, :]
        parts_ = torch.randn(2, *shape, dtype=torch.float64, generator=generator)
        return torch.complex(parts_[0] * size, parts_[1] * size)

    def correlate(self, data: Tensor) -> Float[Tensor, "*batch 4"]:
        """All that the likelihood needs of data ``[*batch, 2, N]``: their products with the four waveforms."""
        return self._products(data[..., None, :, :]).squeeze(-1)

    def snr(self, amp: Numbers, iota: Numbers, psi: Numbers, phi0: Numbers) -> Tensor:
        """The signal-to-noise ratio."""
        x = parts(amp, iota, psi, phi0)
        return torch.einsum("...i,...ij,...j->...", x, self.gram, x).sqrt()

    def log_likelihood(self, c: Tensor, amp: Numbers, iota: Numbers, psi: Numbers, phi0: Numbers) -> Tensor:
        """``ln L``, up to what the data alone decide; any leading axes that fit those of ``c``."""
        x = parts(amp, iota, psi, phi0)
        return (x * c).sum(-1) - torch.einsum("...i,...ij,...j->...", x, self.gram, x) / 2

    def best(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``amp, iota, psi, phi0`` of the largest likelihood, in closed form; ``psi`` in [0, pi / 2), the group has the others."""
        return from_parts(torch.linalg.solve(self.gram, c))

    def maximum(self, c: Tensor) -> Tensor:
        """The largest ``ln L``."""
        return (c * torch.linalg.solve(self.gram, c)).sum(-1) / 2

    def grid(self, c: Tensor, grid: Grid) -> Float[Tensor, "*batch iota psi phi0"]:
        """``ln L`` at the points of a grid, each at its best amplitude: ``max(0, x.c)^2 / (2 x.M x)``.

        Over angles and phases two numbers are linear in the data and three in the Gram matrix; inclinations mix them.
        """
        plus, cross = grid.turned.to(c.dtype)
        linear = torch.stack([plus @ c[..., :, None], cross @ c[..., :, None]], -3).squeeze(-1)  # [*batch, 2, points]
        left, right = plus @ self.gram, cross @ self.gram
        norms = torch.stack([(left * plus).sum(-1), 2 * (left * cross).sum(-1), (right * cross).sum(-1)], -2)
        s = grid.shares.to(c.dtype)
        top = s.mT @ linear
        under = torch.stack([s[0] ** 2, s[0] * s[1], s[1] ** 2], -1) @ norms
        value = top.clamp_min_(0).square_().div_(under.mul_(2))
        return value.unflatten(-1, (len(grid.psi), len(grid.phi0)))
