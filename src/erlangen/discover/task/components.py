"""Components of tokens that take two values alone, and generators that leave them where they are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def two_valued(x: Float[Tensor, "N T n"]) -> Tensor:
    """``[n]``: which components take exactly two values. Between them there is no slope, and no move stays among them.

    >>> two_valued(torch.tensor([[[0.0, 1.0, 5.0]], [[1.0, 2.0, 5.0]], [[0.0, 3.0, 5.0]]])).tolist()
    [True, False, False]
    """
    return torch.tensor([len(component.unique()) == 2 for component in x.flatten(0, 1).mT])


def standard(x: Float[Tensor, "N T n"]) -> Float[Tensor, "N T n"]:
    """Components that vary, of mean zero and deviation one each."""
    if not x.shape[2]:
        return x
    flat = x.flatten(0, 1)
    return (x - flat.mean(0)) / flat.std(0)


class Among:
    """Vectors and generators of some components as such of all ``n``: zero elsewhere.

    Args:
        there: ``[n]``, which components.

    >>> turn = torch.tensor([[[0.0, -1.0, 2.0], [1.0, 0.0, 3.0]]])
    >>> Among(torch.tensor([True, False, True])).generators(turn)[0].tolist()
    [[0.0, 0.0, -1.0, 2.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 3.0]]
    """

    def __init__(self, there: Tensor) -> None:
        self._n, self._places = len(there), there.nonzero()[:, 0]

    def vectors(self, vectors: Float[Tensor, "*b r"]) -> Float[Tensor, "*b n"]:
        """Vectors."""
        found = vectors.new_zeros(*vectors.shape[:-1], self._n)
        found[..., self._places] = vectors
        return found

    def generators(self, generators: Float[Tensor, "k r c"]) -> Float[Tensor, "k n m"]:
        """Generators ``(A | b)``, or ``A`` alone."""
        k, r, c = generators.shape
        found = generators.new_zeros(k, self._n, self._n + c - r)
        rows = generators.new_zeros(k, r, self._n + c - r)
        rows[..., self._places], rows[..., self._n :] = generators[..., :r], generators[..., r:]
        found[:, self._places] = rows
        return found
