"""`Gram`: pairwise inner products of functions under a law of inputs, exact or by Monte Carlo with standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from erlangen.equivariance.error import seeded
from erlangen.errors import ArgumentError

#: Inputs in one pass of a Monte Carlo estimate.
BATCH = 4096


@dataclass(frozen=True)
class Gram:
    """The matrix of ``E f_i(x) f_j(x)``.

    Attributes:
        values: ``[N, N]``, float64.
        errors: ``[N, N]`` standard errors; None where the values are exact.
        samples: how many inputs a Monte Carlo estimate has seen; 0 where the values are exact.

    >>> Gram(torch.eye(3, dtype=torch.float64)).exact
    True
    """

    values: Float[Tensor, "N N"]
    errors: Float[Tensor, "N N"] | None = None
    samples: int = 0

    def __post_init__(self) -> None:
        v = self.values
        if v.ndim != 2 or v.shape[0] != v.shape[1] or not len(v) or not torch.allclose(v, v.mT, atol=1e-8):
            raise ArgumentError("gram", "a symmetric matrix [N, N] with N >= 1", f"shape {tuple(v.shape)}")
        if not bool((v.diagonal() > 0).all()):
            raise ArgumentError(
                "gram", "functions that are not zero: a positive diagonal", f"smallest {float(v.diagonal().min()):.3g}"
            )

    @property
    def exact(self) -> bool:
        """Whether the values are exact."""
        return self.errors is None

    def correlations(self) -> Float[Tensor, "N N"]:
        """The values after every function is brought to norm 1."""
        size = self.values.diagonal().rsqrt()
        found = size[:, None] * self.values * size
        # Symmetric to the last bit: a threshold at one entry must not part it from its mirror image.
        return (found + found.mT) / 2

    def magnitudes(self, confidence: float = 0.95) -> Float[Tensor, "N N"]:
        """Upper bounds of ``|correlation|``: the values themselves if exact, else all at once with this confidence (a normal law,
        Bonferroni over the pairs; the error of the norms is neglected beside that of the products)."""
        size, pairs = self.correlations().abs(), max(1, len(self.values) * (len(self.values) - 1) // 2)
        if self.errors is None:
            return size
        norm = self.values.diagonal().rsqrt()
        return size + float(stats.norm.isf((1 - confidence) / (2 * pairs))) * norm[:, None] * self.errors * norm


def monte_carlo_gram(
    functions: Sequence[Callable[[Tensor], Tensor]],
    sample_inputs: Callable[[int, torch.Generator | None], Tensor],
    samples: int = 100_000,
    *,
    generator: torch.Generator | None = None,
) -> Gram:
    """The Gram matrix of any callables by averages over random inputs, with standard errors.

    Args:
        functions: each takes a batch of inputs and returns ``[B]`` or ``[B, 1]``: targets, networks, anything.
        sample_inputs: ``sample_inputs(B, generator)``, a batch of inputs.
        samples: how many inputs.
        generator: source of randomness; by default one with a fixed seed.

    Raises:
        ArgumentError: no function, fewer than two samples, or outputs that are not one number per input.

    >>> draw = lambda count, generator: torch.randn(count, 2, generator=generator)
    >>> g = monte_carlo_gram([lambda x: x[:, 0], lambda x: x[:, 1]], draw, 20_000, generator=torch.Generator().manual_seed(0))
    >>> bool(((g.values - torch.eye(2)).abs() < 5 * g.errors).all())
    True
    """
    if not functions:
        raise ArgumentError("functions", "at least one callable", "none")
    if samples < 2:
        raise ArgumentError("samples", "at least two inputs", repr(samples))
    generator = seeded(generator)
    first = torch.zeros(len(functions), len(functions), dtype=torch.float64)
    second = torch.zeros_like(first)
    with torch.no_grad():
        for start in range(0, samples, BATCH):
            count = min(BATCH, samples - start)
            x = sample_inputs(count, generator)
            values = torch.stack([_numbers(f(x), count) for f in functions])
            first += values @ values.mT
            second += values.square() @ values.square().mT
    mean = first / samples
    spread = (second / samples - mean.square()).clamp_min(0) * samples / (samples - 1)
    return Gram(mean, (spread / samples).sqrt(), samples)


def _numbers(y: Tensor, count: int) -> Tensor:
    if tuple(y.shape) not in ((count,), (count, 1)):
        raise ArgumentError("functions", f"one number for each of {count} inputs", f"shape {tuple(y.shape)}")
    return y.reshape(count).double()


def as_gram(gram: Gram | Tensor) -> Gram:
    """A tensor ``[N, N]`` as an exact :class:`Gram`."""
    return gram if isinstance(gram, Gram) else Gram(torch.as_tensor(gram).detach().double())
