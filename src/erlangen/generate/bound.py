"""`Bound`: the variational bound on the log-likelihood, term by term and part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.generate.together import Batch, Together

#: Data at steps ``t`` to what a network says of their parts.
Predict = Callable[[Batch, Tensor], Batch]


@dataclass(frozen=True, eq=False)
class Bound:
    """Unbiased estimates of what the bound is made of, in nats; each a dict of ``[B]``, by part.

    Attributes:
        prior: what ``x_T`` still says of a datum.
        steps: the sum over the steps that end above 0.
        reconstruction: minus the log-probability (of real numbers the density) of a datum given the last noisy one.
    """

    prior: dict[str, Tensor]
    steps: dict[str, Tensor]
    reconstruction: dict[str, Tensor]

    @property
    def parts(self) -> dict[str, Float[Tensor, " B"]]:
        """The bound on each part's share of the log-likelihood, in nats."""
        return {name: -(self.prior[name] + self.steps[name] + self.reconstruction[name]) for name in self.prior}

    @property
    def nats(self) -> Float[Tensor, " B"]:
        """The bound on the log-likelihood of each datum."""
        return torch.stack(list(self.parts.values())).sum(0)

    @property
    def bits(self) -> Float[Tensor, " B"]:
        """The same in bits."""
        return self.nats / math.log(2)


def likelihood_bound(
    process: Together,
    predict: Predict,
    data: Mapping[str, Tensor],
    *,
    steps: int | None = None,
    samples: int | None = None,
    generator: torch.Generator | None = None,
) -> Bound:
    """A lower bound on ``log p(x)`` of the chain that a network makes; see :meth:`erlangen.generate.Diffusion.log_likelihood_bound`."""
    grid = times(process.steps, process.steps if steps is None else steps)
    data, size = process.there(data), process.size(data)
    if samples is not None and (not isinstance(samples, int) or samples < 1):
        raise ArgumentError("samples", "a positive number of steps to look at, or None for all of them", repr(samples))

    def nats(t: Tensor, s: Tensor) -> Batch:
        x_t, _ = process.noise(data, t, generator=generator)
        return process.step_nats(data, x_t, predict(x_t, t), t, s, generator=generator)

    device = next(data[name].device for name in process.parts)
    pairs = torch.tensor(list(pairwise(grid[:-1])), dtype=torch.int64, device=device).reshape(-1, 2)
    last = torch.tensor(grid[-2:], device=device).repeat(size, 1)
    reconstruction = nats(last[:, 0], last[:, 1])
    total = {name: torch.zeros_like(value) for name, value in reconstruction.items()}
    looked, weight = range(len(pairs)), 1.0
    if samples is not None and len(pairs):
        looked, weight = range(samples), len(pairs) / samples
    for i in looked:
        if samples is None:
            t, s = pairs[i].expand(size, 2).unbind(1)
        else:
            source = device if generator is None else generator.device
            t, s = pairs[torch.randint(len(pairs), (size,), generator=generator, device=source).to(device)].unbind(1)
        for name, value in nats(t, s).items():
            total[name] = total[name] + weight * value
    return Bound(process.prior_nats(data), total, reconstruction)


def times(start: int, steps: int) -> list[int]:
    """Steps from ``start`` down to 0 in so many strides, as even as whole numbers can be.

    Raises:
        ArgumentError: fewer than one stride, or more than there are steps.

    >>> times(10, 4)
    [10, 7, 5, 2, 0]
    """
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= start:
        raise ArgumentError("steps", f"a number of steps from 1 to {start}", repr(steps))
    return [start - (start * i + steps // 2) // steps for i in range(steps + 1)]
