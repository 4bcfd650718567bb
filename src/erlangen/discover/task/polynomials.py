"""Monomials of a few degrees, standardised, with their derivatives: what an index network sees."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor


class Polynomials:
    """All monomials of degree 1 to ``degree`` in ``D`` variables, each shifted and scaled to mean 0 and deviation 1 on given data.

    Args:
        x: ``[N, D]``, the data that decide shift and scale.
        degree: the largest degree.

    >>> x = torch.tensor([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0]])
    >>> Polynomials(x, 2)(x).shape, count(2, 2)
    (torch.Size([3, 5]), 5)
    """

    def __init__(self, x: Float[Tensor, "N D"], degree: int) -> None:
        self.variables = x.shape[1]
        self._index = [
            torch.tensor(list(combinations_with_replacement(range(self.variables), power)), device=x.device)
            for power in range(1, degree + 1)
        ]
        #: Of each feature, its degree minus one.
        self.power = torch.cat([torch.full((len(index),), k) for k, index in enumerate(self._index)])
        raw = self._raw(x)
        self._mean = raw.mean(0)
        spread = raw.std(0)
        self._spread = torch.where(spread > 1e-12 * raw.abs().amax(0), spread, torch.ones_like(spread))

    def __len__(self) -> int:
        return len(self.power)

    def _raw(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, index].prod(-1) for index in self._index], 1)

    def __call__(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N P"]:
        return (self._raw(x) - self._mean) / self._spread

    def gradient(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N P D"]:
        """The derivative of every feature in every variable."""
        parts = []
        for index in self._index:
            values = x[:, index]  # [N, P_k, k]
            part = x.new_zeros(len(x), len(index), self.variables)
            for a in range(index.shape[1]):
                others = torch.cat([values[..., :a], values[..., a + 1 :]], -1).prod(-1, keepdim=True)
                part.scatter_add_(2, index[:, a].view(1, -1, 1).expand(len(x), -1, 1), others)
            parts.append(part)
        return torch.cat(parts, 1) / self._spread[:, None]


def count(variables: int, degree: int) -> int:
    """How many monomials of degree 1 to ``degree`` there are."""
    return comb(variables + degree, degree) - 1
