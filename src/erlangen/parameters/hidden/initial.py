"""`functional_dimension_at_init`: how the functional dimension is distributed over random initialisations of one architecture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, get_args

import torch
from scipy.stats import beta
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.dimension import functional_dimension
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.ranks import Method
from erlangen.reporting import Table, progress

Init = Literal["he", "lecun"]
#: Variance of a weight times its fan-in.
GAINS: dict[str, float] = {"he": 2.0, "lecun": 1.0}


@dataclass(frozen=True, eq=False)
class InitialDimensions:
    """Functional dimensions at random parameters.

    Attributes:
        widths: the architecture ``(n_0, ..., n_d)``.
        dims: one functional dimension for each initialisation ``[inits]``, int64.
        max_dim: D - H.
        multiple: inputs over ``max_dim``; infinite where all regions were enumerated.
        gap: the smallest ratio of singular values that decided one of the ranks.
        init, bias_std, seed: how the parameters were drawn.
    """

    widths: tuple[int, ...]
    dims: Tensor = field(repr=False)
    max_dim: int
    multiple: float
    gap: float
    init: str
    bias_std: float
    seed: int

    @property
    def mean_ratio(self) -> float:
        """The mean dimension over the largest."""
        return float(self.dims.double().mean()) / self.max_dim

    @property
    def mean_error(self) -> float:
        """The standard error of :attr:`mean_ratio`."""
        spread = float(self.dims.double().std()) if len(self.dims) > 1 else float("nan")
        return spread / self.max_dim / math.sqrt(len(self.dims))

    @property
    def full(self) -> float:
        """The share of initialisations without hidden infinitesimal symmetries."""
        return float((self.dims == self.max_dim).double().mean())

    def full_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """An interval for the probability of full dimension (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934)."""
        if not 0 < confidence < 1:
            raise ArgumentError("confidence", "a number between 0 and 1", repr(confidence))
        n, k, tail = len(self.dims), int((self.dims == self.max_dim).sum()), (1 - confidence) / 2
        low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
        high = float(beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
        return low, high

    def row(self) -> list[object]:
        """The cells of :func:`init_table` for this architecture."""
        low, high = self.full_interval()
        interval = f"{low:.3f} to {high:.3f}"
        name = "-".join(map(str, self.widths))
        return [name, len(self.dims), self.multiple, self.max_dim, self.mean_ratio, self.mean_error, self.full, interval]

    def __repr__(self) -> str:
        low, high = self.full_interval()
        inputs = "all regions" if math.isinf(self.multiple) else f"{self.multiple:g} times as many inputs"
        return "\n".join(
            [
                f"functional dimension of {'-'.join(map(str, self.widths))} at {len(self.dims)} initialisations ({inputs})",
                f"  largest possible  {self.max_dim}",
                f"  mean over largest {self.mean_ratio:.3f} +- {self.mean_error:.3f}",
                f"  P(full)           {self.full:.3f} (95% interval {low:.3f} to {high:.3f})",
                f"  smallest, median  {int(self.dims.min())}, {int(self.dims.median())}",
            ]
        )


def init_table(found: Sequence[InitialDimensions], title: str = "Functional dimension at initialisation") -> Table:
    """One line for each architecture."""
    columns = ["architecture", "inits", "inputs / max", "max", "mean / max", "standard error", "P(full)", "95% interval"]
    return Table(title, columns, [one.row() for one in found])


def initial_networks(
    widths: Sequence[int], count: int, generator: torch.Generator, init: Init = "he", bias_std: float = 0.1
) -> ReluNetwork:
    """A batch ``[count]`` of networks with normal weights of variance 2 / fan-in (``"he"``) or 1 / fan-in (``"lecun"``), and normal
    biases."""
    weights = [
        torch.randn(count, n, m, generator=generator, dtype=torch.float64) * math.sqrt(GAINS[init] / m) for m, n in pairwise(widths)
    ]
    biases = [bias_std * torch.randn(count, n, generator=generator, dtype=torch.float64) for n in widths[1:]]
    return ReluNetwork(tuple(weights), tuple(biases))


def functional_dimension_at_init(
    widths: Sequence[int] | str,
    n_init: int = 100,
    *,
    init: Init = "he",
    bias_std: float = 0.1,
    multiple: float = 100,
    scale: float | Sequence[float] = 1.0,
    method: Method = "auto",
    seed: int = 0,
    quiet: bool = False,
) -> InitialDimensions:
    """The functional dimension at random initialisations, with fresh inputs for each.

    Args:
        widths: ``(n_0, ..., n_d)``, or the same as text, ``"5-5-5-1"``.
        n_init: how many initialisations.
        init, bias_std: law of weights and spread of biases, see :func:`initial_networks`.
        multiple, scale, method: inputs and ranks, as for :func:`functional_dimension`.
        seed: of parameters, inputs and sketches.
        quiet: show no progress.

    Raises:
        ArgumentError: fewer than two widths, one that is not positive, or another argument out of range.

    >>> functional_dimension_at_init("3-4-1", 10, quiet=True)
    functional dimension of 3-4-1 at 10 initialisations (100 times as many inputs)
      largest possible  17
      mean over largest 1.000 +- 0.000
      P(full)           1.000 (95% interval 0.692 to 1.000)
      smallest, median  17, 17
    """
    sizes = _widths(widths)
    if init not in get_args(Init):
        raise ArgumentError("init", "'he' or 'lecun'", repr(init))
    if not isinstance(n_init, int) or n_init < 1:
        raise ArgumentError("n_init", "a positive number of initialisations", repr(n_init))
    if not (math.isfinite(bias_std) and bias_std >= 0):
        raise ArgumentError("bias_std", "a number that is not negative", repr(bias_std))
    generator = torch.Generator().manual_seed(seed)
    batch = initial_networks(sizes, n_init, generator, init, bias_std)
    dims, gap = [], float("inf")
    with progress(n_init, f"functional dimension of {'-'.join(map(str, sizes))}", quiet=quiet) as bar:
        for i in range(n_init):
            found = functional_dimension(batch.member(i), multiple=multiple, scale=scale, method=method, generator=generator)
            dims.append(found.dim)
            gap = min(gap, found.gap)
            bar.advance(1)
    every = float("inf") if sizes[0] == 1 else multiple
    return InitialDimensions(sizes, torch.tensor(dims), batch.num_params - batch.num_hidden, every, gap, init, bias_std, seed)


def _widths(widths: Sequence[int] | str) -> tuple[int, ...]:
    if isinstance(widths, str):
        parts = widths.split("-")
        if not all(part.strip().isdigit() for part in parts):
            raise ArgumentError("widths", "numbers joined by '-', as in 5-5-5-1", repr(widths))
        widths = [int(part) for part in parts]
    sizes = tuple(widths)
    if len(sizes) < 2 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ArgumentError("widths", "at least two positive widths (n_0, ..., n_d)", sizes)
    return sizes
