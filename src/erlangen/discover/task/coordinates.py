"""Coordinates in which tokens have mean zero and covariance one, whatever their units, on the plane that they span."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

#: Directions of a smaller part of the variance, each component by its own, are none: the tokens lie in a plane across them.
FLAT = 1e-10
#: Numbers whose deviation is no larger a part of the largest one are the same but for rounding.
ROUNDING = 1e-14


class Coordinates:
    """Tokens with mean zero and covariance one, and generators in them and back.

    Components count by their own units; tokens that lie in a plane have as many coordinates as that has dimensions, and generators do
    nothing across it.

    Args:
        x: tokens.
        affine: whether the mean is taken out, or zero is a point of its own.

    Attributes:
        scale: ``[n]``, the deviation of each component.
        stretch: ``[n, r]``: coordinates are ``(x - shift) @ stretch``.
        back: ``[r, n]``: tokens are ``shift + z @ back``.
    """

    def __init__(self, x: Float[Tensor, "N T n"], affine: bool) -> None:
        self.affine = affine
        flat = x.flatten(0, 1)
        self.shift = flat.mean(0) if affine else torch.zeros_like(flat[0])
        spread = (flat - self.shift).square().mean(0).sqrt()
        constant = spread <= ROUNDING * flat.abs().amax(0)
        self.scale = torch.where(constant, 1.0, spread)
        centred = torch.where(constant, 0.0, (flat - self.shift) / self.scale)
        values, vectors = torch.linalg.eigh(centred.mT @ centred / len(flat))
        kept = values > FLAT * values[-1]
        values, vectors = values[kept], vectors[:, kept]
        # Near the given axes where all components that vary are told apart, else along the principal ones.
        axes = vectors[~constant].mT if len(values) == int((~constant).sum()) else torch.eye(len(values), dtype=x.dtype)
        self.stretch = vectors * values.rsqrt() @ axes / self.scale[:, None]
        self.back = (vectors * values.sqrt() @ axes).mT * self.scale

    @property
    def dim(self) -> int:
        """How many coordinates there are."""
        return self.stretch.shape[1]

    def inside(self, x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b r"]:
        """Tokens."""
        return (x - self.shift) @ self.stretch

    def along(self, vectors: Float[Tensor, "*b n"]) -> Float[Tensor, "*b r"] | None:
        """Vectors; ``None`` where some point out of the tokens' plane."""
        inside = vectors @ self.stretch
        missed = (vectors - inside @ self.back) / self.scale
        return inside if float(missed.abs().max()) <= FLAT**0.5 * float((vectors / self.scale).abs().max()) else None

    def out(self, generators: Float[Tensor, "k r c"]) -> Float[Tensor, "k n m"]:
        """Generators of the given coordinates, always with a column for translations."""
        r = self.dim
        A = self.back.mT @ generators[..., :r] @ self.stretch.mT
        b = generators[..., r:] if generators.shape[2] > r else torch.zeros_like(generators[..., :1])
        return torch.cat([A, self.back.mT @ b - A @ self.shift[:, None]], 2)

    def into(self, generators: Float[Tensor, "k n m"]) -> Float[Tensor, "k r c"]:
        """Generators of these coordinates."""
        n = generators.shape[1]
        A = self.stretch.mT @ generators[..., :n] @ self.back.mT
        b = self.stretch.mT @ (generators[..., n:] + generators[..., :n] @ self.shift[:, None])
        return torch.cat([A, b], 2) if self.affine else A
