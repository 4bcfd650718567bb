"""Views of a sample of tokens that a predictor sees: all numbers, a few tokens beside the mean, or averages over the tokens."""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.polynomials import Polynomials, count

#: Numbers of a sample that are looked at one by one; of longer samples, so many of the leading tokens beside the mean of all.
NUMBERS = 12
#: Features at most.
FEATURES = 260


class View(Protocol):
    """Features of tokens with their derivatives."""

    @property
    def power(self) -> Tensor:
        """Of each feature, a number for its kind: features of one kind share a prior."""

    @property
    def degree(self) -> Tensor:
        """Of each feature, the degree of what it is made of, from one on."""

    def __call__(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N P"]: ...

    def gradient(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N P T n"]: ...


class Mixed:
    """Monomials of ``S`` fixed combinations of the tokens.

    A combination whose coefficients add up to one moves like a token, under translations, too.

    Args:
        x: the data that decide the scales.
        mixing: ``[S, T]``; ``None`` takes the tokens as they are.
        degree: of the monomials.
    """

    def __init__(self, x: Float[Tensor, "N T n"], mixing: Float[Tensor, "S T"] | None, degree: int) -> None:
        self._mixing = mixing
        self._monomials = Polynomials(self._seen(x), degree)
        self.power = self._monomials.power
        self.degree = self.power + 1

    def _seen(self, x: Tensor) -> Tensor:
        return (x if self._mixing is None else self._mixing @ x).flatten(1)

    def __call__(self, x: Tensor) -> Tensor:
        return self._monomials(self._seen(x))

    def gradient(self, x: Tensor) -> Tensor:
        slope = self._monomials.gradient(self._seen(x)).unflatten(2, (-1, x.shape[2]))  # [N, P, S, n]
        return slope if self._mixing is None else torch.einsum("npsi,st->npti", slope, self._mixing)


class Averaged:
    """Means over the tokens of the monomials of one token: what sums over tokens are made of."""

    def __init__(self, x: Float[Tensor, "N T n"], degree: int) -> None:
        self._monomials = Polynomials(x.flatten(0, 1), degree)
        self.power = self._monomials.power
        self.degree = self.power + 1
        self._mean, self._spread = torch.zeros(()), torch.ones(())
        raw = self(x)
        spread = raw.std(0)
        self._mean, self._spread = raw.mean(0), torch.where(spread > 0, spread, torch.ones_like(spread))

    def __call__(self, x: Tensor) -> Tensor:
        return (self._monomials(x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean(1) - self._mean) / self._spread

    def gradient(self, x: Tensor) -> Tensor:
        slope = self._monomials.gradient(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # [N, T, P, n]
        return slope.movedim(1, 2) / (x.shape[1] * self._spread[:, None, None])


def views_of(x: Float[Tensor, "N T n"]) -> list[tuple[str, int, View]]:
    """The views that fit the data's size, each with a name and the degree of its monomials."""
    tokens, n = x.shape[1:]
    mixing, name = None, "all tokens"
    if tokens * n > NUMBERS and tokens > 2:
        leading = max(1, min(tokens, NUMBERS // n - 1))
        mixing = torch.zeros(leading + 1, tokens, dtype=x.dtype)
        mixing[range(leading), range(leading)] = 1.0
        mixing[leading] = 1 / tokens
        name = f"the first {leading} tokens and the mean of all"
    numbers = n * (tokens if mixing is None else len(mixing))
    found: list[tuple[str, int, View]] = [
        (name, degree, Mixed(x, mixing, degree)) for degree in (1, 2, 3) if degree == 1 or count(numbers, degree) <= FEATURES
    ]
    if mixing is not None:
        found += [("means over tokens", degree, Averaged(x, degree)) for degree in (2, 3) if count(n, degree) <= FEATURES]
        mean = mixing[-1:]
        found += [("the mean of all tokens", degree, Mixed(x, mean, degree)) for degree in (2, 3) if count(n, degree) <= FEATURES]
    return found
