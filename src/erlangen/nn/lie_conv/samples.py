"""`Samples`: points of a linear group of the plane, with the weights that make sums over them integrals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.image_moments import planar_linear_part
from erlangen.errors import ArgumentError
from erlangen.groups import SL
from erlangen.groups.base import Group
from erlangen.groups.decompositions import PolarDecomposition
from erlangen.groups.haar import planar_rotation
from erlangen.nn.lie_conv.kernels import check_count

Kind = Literal["grid", "sobol", "random"]


class Samples(nn.Module):
    """Elements of GL+(2), SL(2) or SO(2) for group convolutions, a buffer that is saved with the weights.

    The rotations are covered whole. Stretches lie in a window: logarithms of at most ``stretch``, in the norm of their entries (a
    stretch by ``e^s`` along one axis and ``e^-s`` across has ``sqrt(2) s``), and scales ``e^s`` with ``|s| <= scale``. Weights are the
    invariant measure over the density of the points, so that with many of them sums become integrals and convolutions equivariant, as far
    as the window reaches.

    Args:
        group: GL+(2), SL(2), SO(2), or one of them with translations, which are not sampled: they are the image's own grid.
        angles: of the grid of rotations.
        stretches: how many stretches for each angle.
        stretch, scale: the window; of SL(2) only the first is used, of SO(2) none.
        kind: ``"grid"``, equidistant rotations times stretches that all of them share, which the rotations by ``2 pi / angles``
            leave as it is; ``"sobol"``, ``angles x stretches`` scrambled points, each with a stretch of its own; or ``"random"``.
        seed: of the points.

    Attributes:
        elements: ``[N, 2, 2]``, always in double precision: rounded rotations are no grid.
        log_weights: ``[N]``.

    >>> import erlangen as er
    >>> samples = Samples(er.Affine(2), angles=8, stretches=4)
    >>> samples.elements.shape, bool((torch.linalg.det(samples.elements).log().abs() <= 2 * 0.3 + 1e-6).all())
    (torch.Size([32, 2, 2]), True)
    """

    elements: Tensor
    log_weights: Tensor

    def __init__(
        self,
        group: Group,
        angles: int = 8,
        stretches: int = 4,
        stretch: float = 0.5,
        scale: float = 0.3,
        kind: Kind = "grid",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.kind = planar_linear_part(group)
        check_count("angles", angles)
        check_count("stretches", stretches)
        for name, size in (("stretch", stretch), ("scale", scale)):
            if isinstance(size, bool) or not isinstance(size, (int, float)) or not 0 < size < math.inf:
                raise ArgumentError(name, "a positive size of the window", repr(size))
        if kind not in ("grid", "sobol", "random"):
            raise ArgumentError("kind", "'grid', 'sobol' or 'random'", repr(kind))
        self.group, self.angles, self.stretch, self.scale = group, angles, float(stretch), float(scale)
        elements, log_weights = self.drawn(stretches, kind, torch.Generator().manual_seed(seed))
        self.register_buffer("elements", elements)
        self.register_buffer("log_weights", log_weights)

    def drawn(self, stretches: int, kind: Kind, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Other points of the same window: elements ``[N, 2, 2]`` and log weights ``[N]``, in float64; of SO(2) always the rotations."""
        if self.kind == "SO":
            turns = planar_rotation(2 * math.pi * torch.arange(self.angles, dtype=torch.float64) / self.angles)
            return turns, torch.zeros(self.angles, dtype=torch.float64)
        count = self.angles * stretches
        how = PolarDecomposition(SL(2))
        points = how.points(count, self.stretch, kind, angles=self.angles, generator=generator, dtype=torch.float64)
        if self.kind == "SL":
            return points.elements, points.log_weights
        # GL+(2) is SL(2) times scales, and so is its measure: a scale for each stretch, one in each of as many equal parts.
        scales = stretches if kind == "grid" else count
        order = torch.randperm(scales, generator=generator) if scales > 1 else torch.zeros(1)
        within = torch.rand(scales, generator=generator, dtype=torch.float64) if scales > 1 else torch.full((1,), 0.5)
        factors = (self.scale * (2 * (order + within) / scales - 1)).exp()
        if kind == "grid":
            factors = factors.repeat(self.angles)
        return factors[:, None, None] * points.elements, points.log_weights

    def weights(self) -> Float[Tensor, " N"]:
        """Relative weights: their mean is one."""
        return torch.softmax(self.log_weights, 0) * len(self.log_weights)

    def relative(self) -> Float[Tensor, "N N 2 2"]:
        """``h_i^-1 h_j``."""
        return torch.linalg.inv(self.elements).unsqueeze(1) @ self.elements

    def resample(self, stretches: int, kind: Kind = "grid", seed: int = 0) -> None:
        """Take other points, perhaps more of them; weights of networks stay as they are."""
        check_count("stretches", stretches)
        elements, log_weights = self.drawn(stretches, kind, torch.Generator().manual_seed(seed))
        self.elements, self.log_weights = elements.to(self.elements.device), log_weights.to(self.elements.device)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Samples:
        kept = self.elements, self.log_weights
        super()._apply(fn, recurse)
        self.elements, self.log_weights = (t.to(self.elements.device) for t in kept)
        return self

    def largest(self) -> float:
        """The largest factor by which an element of the window stretches any vector."""
        stretch, scale = {"SO": (0.0, 0.0), "SL": (self.stretch, 0.0), "GL": (self.stretch, self.scale)}[self.kind]
        return math.exp(stretch / 2**0.5 + scale)

    def __len__(self) -> int:
        return len(self.elements)

    def extra_repr(self) -> str:
        return f"{len(self)} of {self.group}, stretch={self.stretch}, scale={self.scale}"
