"""Windows: which part of the coordinates that are not compact is sampled, and with what density."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


class Window(Protocol):
    """A law of ``d`` coordinates, as a function of uniform numbers."""

    def place(self, u: Float[Tensor, "*batch d"]) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Points, and minus the logarithm of their density."""
        ...


@dataclass(frozen=True)
class Ball:
    """The coordinates of length at most ``radius``, uniformly.

    >>> points, log_volume = Ball(2.0).place(torch.tensor([[0.5, 0.5], [0.1, 0.9]], dtype=torch.float64))
    >>> bool((points.norm(dim=-1) <= 2).all()), round(float(log_volume[0].exp() / torch.pi), 6)
    (True, 4.0)
    """

    radius: float

    def __post_init__(self) -> None:
        if isinstance(self.radius, bool) or not isinstance(self.radius, (int, float)) or not 0 < self.radius < math.inf:
            raise ArgumentError("window", "a positive radius, or a Ball, Box or Normal", repr(self.radius))

    def place(self, u: Tensor) -> tuple[Tensor, Tensor]:
        d = u.shape[-1]
        z = torch.special.ndtri(u)
        square = z.square().sum(-1, keepdim=True)
        # The share of a normal law within |z| is uniform; the length that encloses this share of a ball takes its place.
        share = torch.special.gammainc(torch.full_like(square, 0.5 * d), 0.5 * square)
        length = self.radius * share ** (1 / d)
        log_volume = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1) + d * math.log(self.radius)
        return z * (length / square.sqrt().clamp_min(1e-30)), torch.full_like(square[..., 0], log_volume)


@dataclass(frozen=True)
class Box:
    """Each coordinate between a low and a high number, uniformly; one number for all, or one for each."""

    low: float | Sequence[float]
    high: float | Sequence[float]

    def __post_init__(self) -> None:
        low, high = torch.as_tensor(self.low), torch.as_tensor(self.high)
        if low.ndim > 1 or high.ndim > 1 or not bool((torch.isfinite(low) & torch.isfinite(high) & (low < high)).all()):
            raise ArgumentError("window", "a box whose low sides are below its high ones", f"{self.low} to {self.high}")

    def place(self, u: Tensor) -> tuple[Tensor, Tensor]:
        d = u.shape[-1]
        low, high = (torch.as_tensor(side, dtype=u.dtype, device=u.device) for side in (self.low, self.high))
        for side in (low, high):
            if side.ndim and len(side) != d:
                raise ArgumentError("window", f"a box of {d} coordinates", f"one of {len(side)}")
        size = (high - low).expand(d)
        return low + u * size, size.log().sum().expand(u.shape[:-1])


@dataclass(frozen=True)
class Normal:
    """All coordinates, independent and normal with deviation ``scale``: a window without a border."""

    scale: float

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not isinstance(self.scale, (int, float)) or not 0 < self.scale < math.inf:
            raise ArgumentError("window", "a positive deviation of the normal law", repr(self.scale))

    def place(self, u: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.special.ndtri(u)
        return self.scale * z, 0.5 * z.square().sum(-1) + u.shape[-1] * (math.log(self.scale) + 0.5 * math.log(2 * math.pi))


def as_window(window: float | Window) -> Window:
    """A number is the radius of a ball.

    Raises:
        ArgumentError: it is not positive.
    """
    return window if hasattr(window, "place") else Ball(window)  # type: ignore[return-value, arg-type]


#: The granularity of Sobol points; uniform numbers keep half of it away from 0 and 1, where normal quantiles are infinite.
GRAIN = 2.0**-31


def uniforms(count: int, dim: int, kind: str, generator: torch.Generator | None) -> Float[Tensor, "count dim"]:
    """Points of the unit cube in float64: independent ones ("random"), or a scrambled Sobol sequence ("sobol").

    Raises:
        ArgumentError: ``count`` is not positive, or another ``kind``.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError("count", "a positive number of points", repr(count))
    if kind == "random":
        device = "cpu" if generator is None else generator.device
        u = torch.rand(count, dim, generator=generator, dtype=torch.float64, device=device).cpu()
    elif kind == "sobol":
        if not dim:
            return torch.zeros(count, 0, dtype=torch.float64)
        device = "cpu" if generator is None else generator.device
        seed = int(torch.randint(2**31, (), generator=generator, device=device))
        u = torch.quasirandom.SobolEngine(dim, scramble=True, seed=seed).draw(count, dtype=torch.float64)
    else:
        raise ArgumentError("kind", "'sobol', 'random' or 'grid'", repr(kind))
    return u.clamp(GRAIN, 1 - GRAIN)
