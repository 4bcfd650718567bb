"""`HeldOut`: a predictor of a task, and how much worse it does on held-out samples that were moved."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data.distinct import arranged, boundary
from erlangen.discover.task.polynomial_model import PolynomialModel
from erlangen.discover.task.polynomials import Polynomials, count
from erlangen.discover.task.predictor import GOOD, fit_predictor, splits
from erlangen.discover.task.views import NUMBERS

#: Share of the samples that judge.
TEST = 0.3
#: Multiplications that the search for a predictor may cost: two to three seconds of one core.
BUDGET = 3e10
#: Standard errors that chance is granted.
ERRORS = 3.0
#: Samples of others that stand in for what a move moves, to see whether the task would notice.
DRAWS = 2
#: A violation of this part of an unrelated move's effect must be seen, or nothing is said.
RESOLVED = 0.3


@dataclass(frozen=True)
class Told:
    """What held-out samples say about one move, as parts of the target's variance.

    Attributes:
        excess: how much the squared error grows when the samples are moved.
        error: the standard error of that.
        unrelated: how much it grows when what the move moves is taken from another sample.
    """

    excess: float
    error: float
    unrelated: float

    @property
    def holds(self) -> bool:
        """Whether no growth is seen beyond chance, and one would have been seen."""
        return self.excess <= ERRORS * self.error + GOOD and self.resolution <= RESOLVED

    @property
    def violation(self) -> float:
        """What is seen, as a part of an unrelated move's effect (amplitudes, not squares)."""
        return (max(self.excess, 0.0) / max(self.unrelated, 1e-300)) ** 0.5

    @property
    def resolution(self) -> float:
        """The largest violation that the samples leave open."""
        open_ = max(self.excess, 0.0) + ERRORS * self.error + GOOD
        return (open_ / max(self.unrelated, 1e-300)) ** 0.5


class HeldOut:
    """A predictor fitted on one part of the samples, asked on the other.

    Where the predictor's features do not tell all tokens apart, polynomials that do are added to it if they improve it, so that a
    symmetry is never found because the model could not break it.

    Args:
        x: tokens ``[N, T, n]``.
        y: targets ``[N, m]``, of variance about one.
        kinds: which samples are the same (:func:`erlangen.data.distinct.distinct`).
        seed: of everything random.
    """

    def __init__(self, x: Float[Tensor, "N T n"], y: Float[Tensor, "N m"], kinds: Tensor, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        order = arranged(kinds, rng)
        cut = boundary(kinds, order, int(len(order) * TEST))
        test, rest = order[:cut], order[cut:]

        split = splits(kinds, rest, seed)
        self._mean, spread = x[rest].mean((0, 1)), x[rest].flatten(0, 1).std(0)
        self._spread = torch.where(spread > 0, spread, torch.ones_like(spread))
        self._centre, scale = y[rest].mean(0), y[rest].std(0)
        self._scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        z, t = self._inside(x), (y - self._centre) / self._scale
        self._predictor = fit_predictor(z, t, split, seed, BUDGET)
        self._correction = self._corrected(z, t, *split(0))
        self.x, self.y = x[test], y[test]
        self._draws = [torch.randperm(len(test), generator=rng) for _ in range(DRAWS)]
        self._losses = self.losses(self.x, self.y)
        #: Squared error on the held-out samples, and the variance there.
        self.error = float(self._losses.mean())
        self.variance = float((self.y - self.y.mean(0)).square().mean())

    @property
    def about(self) -> str:
        """What the predictor is."""
        return self._predictor.members[0].about

    def _inside(self, x: Tensor) -> Tensor:
        return (x - self._mean) / self._spread

    def _corrected(self, z: Tensor, t: Tensor, fit: Tensor, validate: Tensor) -> Callable[[Tensor], Tensor] | None:
        """Polynomials of all numbers of a sample, fitted to what the predictor leaves over."""
        numbers = z[0].numel()
        if numbers <= NUMBERS or z.shape[1] <= 2:
            return None
        left = t - self._predictor(z)
        best, error = None, float(left[validate].square().mean())
        for features in _features(z, len(fit)):
            phi = features(z)
            model = PolynomialModel(phi[fit], left[fit], phi[validate], left[validate])
            if model.error < error:
                best, error = _composed(model, features), model.error
        return best

    def __call__(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N m"]:
        """Predictions."""
        z = self._inside(x)
        t = self._predictor(z)
        if self._correction is not None:
            t = t + self._correction(z)
        return self._centre + self._scale * t

    def losses(self, x: Float[Tensor, "N T n"], y: Float[Tensor, "N m"]) -> Float[Tensor, " N"]:
        """The squared error of each sample."""
        return (self(x) - y).square().mean(1)

    def growth(self, *moved: tuple[Tensor, Tensor]) -> tuple[float, float]:
        """How much the error grows on the first held-out samples, moved in one way or in several, with its standard error.

        Args:
            moved: tokens ``[k, T, n]`` and targets ``[k, m]`` of the first ``k`` samples.
        """
        losses = torch.stack([self.losses(x, y) for x, y in moved]).mean(0)
        more = losses - self._losses[: len(losses)]
        return float(more.mean()), float(more.std()) / len(more) ** 0.5

    def unrelated(self, tokens: Collection[int], components: Collection[int]) -> tuple[float, float]:
        """How much the error grows when those components of those tokens are taken from other samples, with its standard error."""
        place = torch.zeros(self.x.shape[1:], dtype=torch.bool)
        place[torch.tensor(list(tokens))[:, None], torch.tensor(list(components))] = True
        return self.growth(*((torch.where(place, self.x[draw], self.x), self.y) for draw in self._draws))


def _features(z: Float[Tensor, "N T n"], most: int) -> list[Callable[[Tensor], Tensor]]:
    """Fewer than ``most`` features that tell all tokens apart: of each token by itself, and of all numbers together."""
    tokens, n = z.shape[1:]
    found: list[Callable[[Tensor], Tensor]] = []
    for degree in (1, 2):
        if tokens * count(n, degree) < most:
            found.append(_each(z, degree))
    if count(tokens * n, 2) < most:
        pairs = Polynomials(z.flatten(1), 2)
        found.append(lambda z: pairs(z.flatten(1)))
    return found


def _each(z: Float[Tensor, "N T n"], degree: int) -> Callable[[Tensor], Tensor]:
    each = [Polynomials(token, degree) for token in z.unbind(1)]
    return lambda z: torch.cat([features(token) for features, token in zip(each, z.unbind(1))], 1)


def _composed(model: PolynomialModel, features: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda z: model(features(z))
