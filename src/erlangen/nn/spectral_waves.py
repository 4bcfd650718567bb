"""`Waves`: fields on a periodic grid to their lowest Fourier coefficients and back, by products of small matrices.

Of ``N`` coefficients along an axis a Fourier operator keeps a dozen or two. A fast Fourier transform makes all of them and throws most
away; the product with the matrix of those that are kept costs about as much arithmetic, runs at the speed of matrix products, needs no
array of zeros on the way back, and compiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError


class Waves:
    """The waves of a grid with wave numbers ``|k_i| <= n_modes[i] - 1`` along each axis; along the last one only ``k >= 0``.

    Coefficients are means, ``c(k) = mean_x f(x) exp(-2 pi i k.x)``, so that they do not depend on the grid where it resolves the field.
    They are laid out ``[*modes, 2, *lead]``: real and imaginary parts, the axes of the field behind them.

    Args:
        sizes: the grid.
        n_modes: for each axis how many wave numbers from 0 on.
        dtype, device: of the fields; the coefficients of half-precision fields are in single precision.

    Raises:
        ArgumentError: the grid is too coarse: a wave number reaches half the number of points, where rotations mix it with its image.

    >>> x = torch.randn(5, 9, 9, dtype=torch.float64)
    >>> waves = Waves((9, 9), (5, 5), torch.float64)
    >>> c = waves.analyse(x)
    >>> c.shape, torch.allclose(waves.synthesise(c), x)           # all wave numbers of 9 points: nothing is lost
    (torch.Size([9, 5, 2, 5]), True)
    """

    def __init__(
        self, sizes: Sequence[int], n_modes: Sequence[int], dtype: torch.dtype, device: torch.device | str | None = None
    ) -> None:
        if len(sizes) != len(n_modes):
            raise ArgumentError("sizes", f"{len(n_modes)} axes", tuple(sizes))
        for size, modes in zip(sizes, n_modes):
            if 2 * (modes - 1) >= size:
                raise ArgumentError("n_modes", f"at most {(size + 1) // 2} along an axis of {size} points", tuple(n_modes))
        self.sizes, self.n_modes = tuple(sizes), tuple(n_modes)
        #: Shape of the coefficients' first axes.
        self.shape = (*(2 * m - 1 for m in n_modes[:-1]), n_modes[-1])
        #: The position of the mode 0 among all modes: the middle of those that are both ways, the first of the last axis.
        self.zero = (math.prod(self.shape[:-1]) // 2) * n_modes[-1]
        self.dtype = torch.promote_types(dtype, torch.float32)
        phases = [_phases(size, k, device) for size, k in zip(self.sizes, wave_numbers(n_modes))]
        cos, sin = phases[-1]
        twice = torch.tensor([1.0] + [2.0] * (n_modes[-1] - 1), dtype=torch.float64, device=device).unsqueeze(1)
        self._last_in = (torch.cat([cos, -sin]).T / sizes[-1]).to(self.dtype)
        self._last_out = torch.cat([twice * cos, -twice * sin]).to(self.dtype)
        # A product of complex numbers as one of real matrices, [(k, part), (x, part)].
        self._others = [
            torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], 1).flatten(0, 1).flatten(1).to(self.dtype)
            for c, s in phases[:-1]
        ]

    def analyse(self, x: Float[Tensor, "*lead *grid"]) -> Float[Tensor, "*modes 2 *lead"]:
        """The coefficients of fields."""
        d = len(self.sizes)
        lead = x.shape[:-d]
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.dtype).reshape(math.prod((*lead, *self.sizes[:-1])), self.sizes[-1])
            c = (x @ self._last_in).view(math.prod(lead), *self.sizes[:-1], 2, self.n_modes[-1]).movedim((0, -1), (-1, -3))
            for axis, (matrix, size) in enumerate(zip(self._others, self.sizes)):
                c = self._along(axis, matrix / size, c)
        return c.reshape(*self.shape, 2, *lead)

    def synthesise(self, c: Float[Tensor, "*modes 2 *lead"]) -> Float[Tensor, "*lead *grid"]:
        """The fields that have these coefficients, and no others."""
        lead = c.shape[len(self.sizes) + 1 :]
        with torch.autocast(c.device.type, enabled=False):
            c = c.to(self.dtype).reshape(*self.shape, 2, math.prod(lead))
            for axis, matrix in enumerate(self._others):
                c = self._along(axis, matrix.T, c)
            flat = c.movedim((-1, -3), (0, -1)).reshape(math.prod((*lead, *self.sizes[:-1])), 2 * self.n_modes[-1])
            return (flat @ self._last_out).view(*lead, *self.sizes)

    @property
    def multiplicity(self) -> Float[Tensor, "*modes"]:
        """How many waves of the field a coefficient stands for: those of the last axis with ``k > 0`` for two, for the field is real."""
        twice = torch.full(self.shape, 2.0, dtype=self.dtype, device=self._last_in.device)
        twice[..., 0] = 1
        return twice

    def _along(self, axis: int, matrix: Tensor, c: Tensor) -> Tensor:
        """Coefficients for points, or points for coefficients, along one axis of ``[*axes, 2, count]``."""
        d = len(self.sizes)
        first = c.movedim((axis, d), (0, 1))
        rest = first.shape[2:]
        made = matrix @ first.reshape(matrix.shape[1], math.prod(rest))
        return made.view(matrix.shape[0] // 2, 2, *rest).movedim((0, 1), (axis, d))


def wave_numbers(n_modes: Sequence[int]) -> list[Int[Tensor, " k"]]:
    """The wave numbers along each axis: from ``1 - n`` to ``n - 1``, along the last one from 0.

    >>> [k.tolist() for k in wave_numbers((2, 2))]
    [[-1, 0, 1], [0, 1]]
    """
    return [*(torch.arange(1 - m, m) for m in n_modes[:-1]), torch.arange(n_modes[-1])]


def _phases(size: int, k: Tensor, device: torch.device | str | None) -> tuple[Tensor, Tensor]:
    """Cosine and sine of ``2 pi k x / size``, ``[k, x]``; whole turns are taken off in integers."""
    turns = k.to(device).unsqueeze(1) * torch.arange(size, device=device) % size
    angle = (2 * math.pi / size) * turns.to(torch.float64)
    return angle.cos(), angle.sin()
