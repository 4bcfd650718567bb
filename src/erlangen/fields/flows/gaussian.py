"""`GaussianRandomField`: smooth random fields on a periodic square."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.flows.spectral import Plane


class GaussianRandomField:
    """Gaussian fields of covariance ``sigma^2 (-laplacian + tau^2)^-alpha`` and mean zero on the periodic unit square.

    The mean wave is left out, and with it the constant part of the covariance. The law is invariant under shifts and under all turns and
    reflections of the square. The defaults are those of the usual Navier-Stokes data; their fields have a deviation of 0.185.

    Args:
        size: points along each side.
        alpha, tau: how fast and from which wave number on the spectrum falls.
        sigma: ``tau^(alpha - 1)`` by default, so that the deviation hardly depends on ``tau``.

    Raises:
        ArgumentError: a number is not positive, or ``alpha`` is not above 1, below which fields are not continuous.

    Source: Z. Li et al., "Fourier neural operator for parametric partial differential equations", 2021, arXiv:2010.08895, section A.3.

    >>> w = GaussianRandomField(32).sample(100, generator=torch.Generator().manual_seed(0))
    >>> w.shape, bool(w.mean().abs() < 1e-12), round(w.std().item(), 1)
    (torch.Size([100, 32, 32]), True, 0.2)
    """

    def __init__(self, size: int, alpha: float = 2.5, tau: float = 7.0, sigma: float | None = None) -> None:
        for name, value, least in (("alpha", alpha, 1.0), ("tau", tau, 0.0), ("sigma", 1.0 if sigma is None else sigma, 0.0)):
            if not least < value < math.inf:
                raise ArgumentError(name, f"a number above {least:g}", repr(value))
        self.plane = Plane(size)
        self.sigma = tau ** (alpha - 1) if sigma is None else sigma
        whole = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
        squared = (2 * math.pi) ** 2 * (whole[:, None].square() + whole.square())
        #: Root of the variance of every wave, times what makes a field of complex noise.
        self.amplitude = size**2 * math.sqrt(2) * self.sigma * (squared + tau**2) ** (-alpha / 2)
        self.amplitude[0, 0] = 0.0

    def sample(self, *batch: int, generator: torch.Generator | None = None) -> Float[Tensor, "*batch n n"]:
        """Random fields, in double precision."""
        shape = (*batch, *self.amplitude.shape)
        parts = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]
        return torch.fft.ifft2(self.amplitude * torch.complex(*parts) / math.sqrt(2)).real

    def variance(self) -> float:
        """Of the field at any point: the sum over waves.

        >>> round(GaussianRandomField(64).variance() ** 0.5, 3)
        0.185
        """
        return float((self.amplitude / self.plane.size**2).square().sum() / 2)
