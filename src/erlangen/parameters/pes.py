"""Persistent evolution strategies: unbiased gradients through long inner runs from short pieces of them.

Pairs of inner runs are perturbed to either side, anew for every piece; each pair keeps the sum of its perturbations since it began, and
the estimate is the mean of that sum times the difference of losses over twice the variance. With one piece for the whole run this is the
plain antithetic estimate.

Source: P. Vicol, L. Metz, J. Sohl-Dickstein, "Unbiased gradient estimation in unrolled computation graphs with persistent evolution
strategies", ICML 2021, arXiv:2112.13835.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optree
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError

#: ``start(pairs, generator)``: fresh inner states, every leaf ``[pairs, ...]``.
Start = Callable[[int, torch.Generator], Any]
#: ``unroll(theta [2 * pairs, d], states, steps, generator) -> (losses [2 * pairs], states)``; leaves ``[2 * pairs, ...]``, the first
#: half of them perturbed to the plus side. What is random must be the same for both halves.
Unroll = Callable[[Tensor, Any, int, torch.Generator], tuple[Tensor, Any]]


@dataclass(frozen=True)
class Particles:
    """Where the pairs of inner runs are.

    Attributes:
        inner: their states, leaves ``[2 * pairs, ...]``.
        perturbation: the sum of each pair's perturbations since its run began, ``[pairs, d]``.
        age: steps made of it, ``[pairs]``.
    """

    inner: Any
    perturbation: Float[Tensor, "pairs d"]
    age: Int[Tensor, " pairs"]


@dataclass(frozen=True)
class PES:
    """Gradient estimates of the loss of an inner run with respect to what steers it.

    Args:
        start, unroll: the inner run, for many at once; see :data:`Start` and :data:`Unroll`.
        horizon: steps of a run.
        truncation: steps between two estimates; it divides the horizon.
        sigma: standard deviation of perturbations.
        pairs: runs to either side.
        staggered: let the pairs begin at different times, so that every estimate sees all ages.

    The expectation of the sum of the estimates over a run is the gradient of the summed losses, smoothed by the perturbations.

    >>> def start(pairs, generator):
    ...     return torch.zeros(pairs)
    >>> def unroll(theta, x, steps, generator):                    # x moves by theta; the loss is x squared at the end of the piece
    ...     x = x + steps * theta[:, 0]
    ...     return x ** 2, x
    >>> pes = PES(start, unroll, horizon=4, truncation=4, sigma=0.1, pairs=1000)
    >>> generator = torch.Generator().manual_seed(0)
    >>> gradient, loss, particles = pes.estimate(torch.tensor([1.0]), pes.begin(torch.tensor([1.0]), generator), generator)
    >>> abs(float(gradient) - 32) < 3                              # d (4 theta)^2 / d theta
    True
    """

    start: Start
    unroll: Unroll
    horizon: int
    truncation: int
    sigma: float = 0.01
    pairs: int = 8
    staggered: bool = False

    def __post_init__(self) -> None:
        if self.truncation < 1 or self.horizon % self.truncation:
            raise ArgumentError("truncation", f"a divisor of the horizon {self.horizon}", repr(self.truncation))
        if self.sigma <= 0 or self.pairs < 1:
            raise ArgumentError(
                "sigma" if self.sigma <= 0 else "pairs", "a positive number", self.sigma if self.sigma <= 0 else self.pairs
            )

    def begin(self, theta: Float[Tensor, " d"], generator: torch.Generator) -> Particles:
        """Fresh pairs. Staggered ones only count as older: their runs start now and are cut short once."""
        pieces = self.horizon // self.truncation
        age = torch.arange(self.pairs) % pieces * self.truncation if self.staggered else torch.zeros(self.pairs, dtype=torch.int64)
        inner = optree.tree_map(_twice, self.start(self.pairs, generator))
        return Particles(inner, theta.new_zeros(self.pairs, len(theta)), age)

    @torch.no_grad()
    def estimate(
        self, theta: Float[Tensor, " d"], particles: Particles, generator: torch.Generator
    ) -> tuple[Float[Tensor, " d"], float, Particles]:
        """The gradient estimate of the next piece, the mean loss in it, and where the runs are then.

        Pairs that have reached the horizon begin anew first.
        """
        moved, particles = self.perturbed(theta, particles, generator)
        losses, inner = self.unroll(moved, particles.inner, self.truncation, generator)
        return self.concluded(losses, inner, particles)

    @torch.no_grad()
    def perturbed(
        self, theta: Float[Tensor, " d"], particles: Particles, generator: torch.Generator
    ) -> tuple[Float[Tensor, "runs d"], Particles]:
        """The first half of an estimate: what steers each run, and the runs before the piece; those at the horizon begin anew."""
        over = particles.age >= self.horizon
        inner, total, age = particles.inner, particles.perturbation, particles.age
        if bool(over.any()):
            fresh = optree.tree_map(_twice, self.start(self.pairs, generator))
            inner = optree.tree_map(lambda new, old: torch.where(_like(_twice(over), new), new, old), fresh, inner)
            total, age = torch.where(over.unsqueeze(1), 0.0, total), torch.where(over, 0, age)
        noise = self.sigma * torch.randn(self.pairs, len(theta), generator=generator, dtype=theta.dtype)
        return torch.cat([theta + noise, theta - noise]), Particles(inner, total + noise, age)

    @torch.no_grad()
    def concluded(
        self, losses: Float[Tensor, " runs"], inner: Any, particles: Particles
    ) -> tuple[Float[Tensor, " d"], float, Particles]:
        """The second half: the estimate from the losses of the piece, and where the runs are then."""
        plus, minus = losses.chunk(2)
        gradient = (particles.perturbation * (plus - minus).unsqueeze(1)).mean(0) / (2 * self.sigma**2)
        return gradient, float(losses.mean()), Particles(inner, particles.perturbation, particles.age + self.truncation)


def _twice(x: Tensor) -> Tensor:
    return torch.cat([x, x])


def _like(mask: Tensor, x: Tensor) -> Tensor:
    return mask.reshape(-1, *[1] * (x.ndim - 1))
