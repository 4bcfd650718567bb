"""Errors on held-out data of linear models that are free, exactly equivariant or softly so: each fold from the others' moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.discover.soft.least_squares import allowed
from erlangen.discover.soft.ridge import SoftEquivariantRidge
from erlangen.maps.subspaces import Candidate
from erlangen.reps import Rep
from erlangen.reps.layout import Layout

#: Standard errors beyond which a difference counts.
CERTAIN = 3.0
#: Parts of the variance that rounding may leave.
ROUNDING = 1e-9
#: Weight decays tried: features have mean square one.
DECAYS = (1e-7, 1e-5, 1e-3, 1e-1)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Features and outputs in folds.

    Args:
        x, y: ``[N, n]`` and ``[N, m]`` in float64.
        source, target: what they are.
        fold: of each sample, ``[N]``.
        kinds: which samples have the same input, ``[N]``: they are one piece of evidence.
    """

    x: Tensor
    y: Tensor
    source: Layout
    target: Layout
    fold: Tensor
    kinds: Tensor

    @cached_property
    def moments(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each fold: its mask, and the means of ``x x^T`` and ``y x^T`` over the other folds."""
        found = []
        for k in range(int(self.fold.max()) + 1):
            kept = self.fold != k
            x, y = self.x[kept], self.y[kept]
            found.append((~kept, x.mT @ x / len(x), y.mT @ x / len(x)))
        return found

    def squares(self, weights: Sequence[Tensor]) -> Float[Tensor, " N"]:
        """Squared error of each sample under its own fold's weights."""
        errors = self.x.new_empty(len(self.x))
        for k, w in enumerate(weights):
            held = self.fold == k
            errors[held] = (self.y[held] - self.x[held] @ w.mT).square().sum(1)
        return errors

    def free(self) -> tuple[Tensor, float]:
        """Squared errors of ridge regression with the best weight decay, and that decay."""
        return self._best([self._free(gram, cross) for _, gram, cross in self.moments])

    def hard(self, *vectors: Rep) -> tuple[Tensor, Tensor]:
        """Squared errors of the best model that is exactly equivariant under all these groups, and its errors ``[N, m]`` themselves."""
        bases = {kind: allowed(vectors, kind, self.source) for kind in self.target.places}
        paths = [self._hard(gram, cross, bases) for _, gram, cross in self.moments]
        squares, decay = self._best(paths)
        missed = torch.zeros_like(self.y)
        for k, path in enumerate(paths):
            held = self.fold == k
            missed[held] = self.y[held] - self.x[held] @ path[DECAYS.index(decay)].mT
        return squares, missed

    def soft(self, vectors: dict[str, Candidate], strength: float, weight_decay: float) -> tuple[Tensor, dict[str, float]]:
        """Squared errors of :class:`SoftEquivariantRidge` with all groups, and the mean degree of each."""
        weights, degrees = [], []
        for _, gram, cross in self.moments:
            ridge = SoftEquivariantRidge(vectors, strengths=strength, weight_decay=weight_decay)
            ridge.fit_moments(gram, cross, self.source, self.target)
            weights.append(torch.cat([ridge.coef_, ridge.intercept_[:, None]], 1))
            degrees.append(ridge.degrees())
        return self.squares(weights), {name: sum(d[name] for d in degrees) / len(degrees) for name in vectors}

    def _best(self, paths: list[list[Tensor]]) -> tuple[Tensor, float]:
        """Of the same decays in every fold, those with the least error."""
        tried = [self.squares([path[i] for path in paths]) for i in range(len(DECAYS))]
        best = min(range(len(DECAYS)), key=lambda i: float(tried[i].sum()))
        return tried[best], DECAYS[best]

    def _free(self, gram: Tensor, cross: Tensor) -> list[Tensor]:
        values, vectors = torch.linalg.eigh(gram)
        turned = cross @ vectors
        return [turned / (values.clamp_min(0) + decay) @ vectors.mT for decay in DECAYS]

    def _hard(self, gram: Tensor, cross: Tensor, bases: dict) -> list[Tensor]:
        weights = [torch.zeros_like(cross) for _ in DECAYS]
        n = len(gram)
        for kind, above in self.target.places.items():
            basis = bases[kind]
            if not basis.shape[1]:
                continue
            size = above.shape[1]
            moved = torch.matmul(gram, basis.view(size, n, -1)).reshape(size * n, -1)
            values, vectors = torch.linalg.eigh(basis.mT @ moved)
            columns = basis @ vectors
            right = columns.mT @ cross[above].flatten(1).mT
            for w, decay in zip(weights, DECAYS):
                w[above] = (columns @ (right / (values.clamp_min(0) + decay)[:, None])).mT.reshape(*above.shape, n)
        return weights


def folds(kinds: Int[Tensor, " N"], parts: int, seed: int) -> Int[Tensor, " N"]:
    """A random part for each sample, one for all of a kind, all parts of nearly as many kinds."""
    count = int(kinds.max()) + 1
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return (order * parts // count).clamp_max(parts - 1)[kinds]


@dataclass(frozen=True)
class Excess:
    """How much of the target's amplitude a model loses: the estimate, its far end, and whether it is certain that there is some."""

    told: float
    upper: float
    certain: bool


def compared(squares: Tensor, best: Tensor, spread: float, kinds: Tensor) -> Excess:
    """By how much a model's squared errors exceed those of the best model, sample by sample; samples of one kind vary together."""
    excess = (squares - best) / spread
    mean, count = float(excess.mean()), int(kinds.max()) + 1
    sums = torch.zeros(count, dtype=excess.dtype).index_add(0, kinds, excess - mean)
    deviation = float(sums.square().sum() * count / (count - 1)) ** 0.5 / len(excess)
    upper = amplitude(mean + CERTAIN * deviation)
    return Excess(amplitude(mean), upper, mean > max(CERTAIN * deviation, ROUNDING))


def left_over(missed: Tensor, low: Tensor, spread: float, kinds: Tensor, generator: torch.Generator, flips: int = 48) -> Excess:
    """How much of a model's errors products of low degree still predict: a violation that the comparison of models is too weak to see.

    The share that regression on ``low`` explains is set against the same for errors with random signs, which keep everything but their
    dependence on the data.

    Args:
        missed: held-out errors ``[N, m]``.
        low: features ``[N, p]``, orthonormal columns.
        kinds: of the samples ``[N]``, which have one sign each.
    """
    total = float(missed.square().sum())
    if total <= ROUNDING * spread * len(missed):
        return Excess(0.0, 0.0, False)
    signs = (torch.randint(2, (flips, int(kinds.max()) + 1), generator=generator).to(missed) * 2 - 1)[:, kinds]
    explained = float((low.mT @ missed).square().sum()) / total
    null = torch.einsum("np,fn,nm->fpm", low, signs, missed).square().sum((1, 2)) / total
    middle, deviation = float(null.mean()), float(null.std())
    scale = total / len(missed) / spread / max(1e-3, 1 - middle)
    excess, slack = explained - middle, CERTAIN * deviation
    return Excess(amplitude(scale * excess), amplitude(scale * (max(0.0, excess) + slack)), excess > slack)


def amplitude(excess: float) -> float:
    """The root of a part of the variance; 0 where there is none."""
    return math.sqrt(max(0.0, excess))
