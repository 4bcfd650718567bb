"""Permittivities as Fourier coefficients: what the plane-wave method reads, from pixels or from exact shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.photonics.cells import pixel_waves


@dataclass(frozen=True, eq=False)
class FourierCells:
    """Unit cells by the Fourier coefficients of their permittivity.

    Attributes:
        coefficients: ``[*cells, m, m]``, ``m = 4 order + 1``: all differences of the plane waves with ``|n|, |m| <= order``. The
            coefficient of ``exp(2 pi i (n x + m y))`` stands at ``[..., 2 order + n, 2 order + m]``.

    Raises:
        ArgumentError: not a square of ``4 order + 1`` complex numbers.
    """

    coefficients: Complex[Tensor, "*cells m m"]

    def __post_init__(self) -> None:
        c = self.coefficients
        if not isinstance(c, Tensor) or not c.is_complex() or c.ndim < 2 or c.shape[-1] != c.shape[-2] or c.shape[-1] % 4 != 1:
            got = f"{c.dtype} of shape {tuple(c.shape)}" if isinstance(c, Tensor) else type(c).__name__
            raise ArgumentError("coefficients", "a complex tensor [*cells, 4 order + 1, 4 order + 1]", got)

    @property
    def order(self) -> int:
        """Plane waves go from ``-order`` to ``order`` along each axis."""
        return (self.coefficients.shape[-1] - 1) // 4

    @property
    def mean(self) -> Float[Tensor, "*cells"]:
        """The permittivity averaged over the cell."""
        return self.coefficients[..., 2 * self.order, 2 * self.order].real

    @property
    def matrix(self) -> Complex[Tensor, "*cells p p"]:
        """The permittivity between plane waves, ``B[G, G'] = eps(G - G')``, Hermitian."""
        g = plane_waves(self.order, self.coefficients.device)
        difference = g[:, None] - g[None] + 2 * self.order
        return self.coefficients[..., difference[..., 0], difference[..., 1]]


def plane_waves(order: int, device: torch.device | None = None) -> Int[Tensor, "p 2"]:
    """All integer ``(n, m)`` with ``|n|, |m| <= order``; reversed, the list is its own negative."""
    line = torch.arange(-order, order + 1, device=device)
    return torch.cartesian_prod(line, line)


def fourier(eps: Any, n_waves: int = 81) -> FourierCells:
    """Fourier coefficients of permittivities given on pixels, sampled at the pixels' centres.

    Args:
        eps: positive ``[*cells, size, size]``, torch or NumPy; columns go along x, rows against y.
        n_waves: plane waves of the expansion, the square of an odd number.

    Raises:
        ArgumentError: not square images, values not positive and finite, or too few pixels for the plane waves.

    >>> cells = fourier(np.full((2, 32, 32), 4.0))
    >>> cells.order, cells.mean
    (4, tensor([4., 4.], dtype=torch.float64))
    """
    order = order_of(n_waves)
    values = torch.as_tensor(eps)
    if not isinstance(eps, (Tensor, np.ndarray)) or values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        got = f"shape {tuple(values.shape)}" if isinstance(eps, (Tensor, np.ndarray)) else type(eps).__name__
        raise ArgumentError("eps", "permittivities [*cells, size, size] as a tensor or array", got)
    size = values.shape[-1]
    if size <= 4 * order:
        hint = f"differences of {n_waves} plane waves reach harmonic {2 * order}"
        raise ArgumentError("eps", f"more than {4 * order} pixels per side", f"{size}", hint)
    values = values.to(torch.float64)
    if not bool(((values > 0) & values.isfinite()).all()):
        raise ArgumentError("eps", "permittivities that are positive and finite", f"values from {values.min()} to {values.max()}")
    waves = pixel_waves(torch.arange(-2 * order, 2 * order + 1, device=values.device), size, values.dtype) / size
    # Rows count against y: row j has its centre where row size - 1 - j would have it along y.
    return FourierCells(waves @ (waves.flip(1) @ values.to(waves.dtype)).mT)


def rods(radius: float, eps_rod: float, eps_background: float = 1.0, n_waves: int = 81) -> FourierCells:
    """One round rod at the centre of the cell, by the exact coefficients of a disc (a Bessel function), without pixels.

    Args:
        radius: in units of the lattice constant, at most 1/2.
        eps_rod, eps_background: permittivities.
        n_waves: plane waves, the square of an odd number.

    Raises:
        ArgumentError: a radius outside (0, 1/2] or a permittivity that is not positive.

    >>> round(float(rods(0.2, 12.0).mean), 4)               # 1 + 11 pi 0.04
    2.3823
    """
    from scipy.special import j1

    if not 0 < radius <= 0.5:
        raise ArgumentError("radius", "a number in (0, 1/2] lattice constants", repr(radius))
    for name, value in (("eps_rod", eps_rod), ("eps_background", eps_background)):
        if not 0 < value < math.inf:
            raise ArgumentError(name, "a positive permittivity", repr(value))
    order = order_of(n_waves)
    line = np.arange(-2 * order, 2 * order + 1)
    x = 2 * math.pi * radius * np.hypot(line[:, None], line)
    x[2 * order, 2 * order] = 1.0
    disc = math.pi * radius**2 * 2 * j1(x) / x
    disc[2 * order, 2 * order] = math.pi * radius**2
    # The centre is at (1/2, 1/2): every odd harmonic changes its sign.
    c = (eps_rod - eps_background) * disc * (-1.0) ** np.add.outer(line, line)
    c[2 * order, 2 * order] += eps_background
    return FourierCells(torch.from_numpy(c).to(torch.complex128))


def order_of(n_waves: int) -> int:
    """``m`` of ``(2 m + 1)^2`` plane waves."""
    side = math.isqrt(n_waves) if isinstance(n_waves, int) and n_waves > 0 else 0
    if side < 3 or side % 2 == 0 or side * side != n_waves:
        raise ArgumentError("n_waves", "the square of an odd number from 3 on (9, 25, 49, 81, ...)", repr(n_waves))
    return side // 2
