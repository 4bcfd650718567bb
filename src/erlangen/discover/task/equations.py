"""The linear problem behind a task's infinitesimal symmetries, and its spectrum.

``f(exp(tL) x) = exp(tC) f(x)`` for all t says ``J_f(x) (A x + b) = C f(x) + c``, which is linear in everything unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.predictor import Predictor

#: How much a row counts less where the members' slopes disagree, beside where they are long.
DISTRUST = 10.0

#: Draws of samples and members for the interval of a gap.
DRAWS = 60

Law = Literal["none", "own", "vector"]


@dataclass(frozen=True)
class Slopes:
    """Where a task goes, as its predictor sees it.

    Attributes:
        x: tokens ``[N, T, n]``.
        values: predictions ``[N, m]`` of the members, averaged.
        mean: their derivatives ``[N, m, T, n]``, averaged.
        each: those of every member ``[E, N, m, T, n]``.
        weights: ``[N]``: long slopes and those that the members do not agree on count less.
        shares: ``[E]``, how much each member counts.
    """

    x: Tensor
    values: Tensor
    mean: Tensor
    each: Tensor
    weights: Tensor
    shares: Tensor

    def along(self, many: int) -> Slopes:
        """In the first ``many`` components of the tokens: the others stay."""
        return replace(self, x=self.x[..., :many], mean=self.mean[..., :many], each=self.each[..., :many])


def slopes_of(predictor: Predictor, x: Float[Tensor, "N T n"]) -> Slopes:
    """Ask every member at the data."""
    values, slopes = zip(*(member.jacobian(x) for member in predictor.members))
    each = torch.stack(slopes)
    shares = predictor.shares
    mean = torch.einsum("e,e...->...", shares, each)
    length = mean.square().sum((1, 2, 3))
    apart = torch.einsum("e,e...->...", shares, (each - mean).square()).sum((1, 2, 3))
    # Far from the step between two classes there is no slope, and no direction: such samples say nothing.
    typical = length.mean() if predictor.labels else length.median()
    weights = 1 / (length + typical + DISTRUST * apart).clamp_min(1e-300)
    return Slopes(x, torch.einsum("e,e...->...", shares, torch.stack(values)), mean, each, weights, shares)


@dataclass(frozen=True)
class Spectrum:
    """How much every direction of the affine algebra contradicts a task.

    A violation is the part of a random move's effect that a direction has: 0 for a symmetry, about 1 for what has nothing to do with it.

    Attributes:
        violations: ascending, ``[d]``.
        noise: of each, how far the members of the predictor are apart in it.
        directions: ``[d, d]``, rows, orthonormal in ``chance``; of unknowns ``(A | b)``, flattened.
        told: ``[d, d]``, the quadratic form of violations squared.
        chance: ``[d, d]``, the quadratic form of what unrelated moves of the same size do.
        affine: whether translations are among the unknowns.
        entries: which of the flattened unknowns there are; the others are zero, and ``d`` counts these alone. ``None``: all.
    """

    violations: Tensor
    noise: Tensor
    directions: Tensor
    told: Tensor
    chance: Tensor
    affine: bool
    entries: Tensor | None = None

    def of(self, generators: Float[Tensor, "k D"]) -> float:
        """The violation of a span of directions, flattened: the root of the mean over an orthonormal basis."""
        generators = generators if self.entries is None else generators[:, self.entries]
        factor = torch.linalg.cholesky(self.chance)
        rows = generators @ factor
        # Generators that are nearly dependent here (turns about a point far away) still span something.
        basis = torch.linalg.qr((rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-300)).mT).Q.mT
        told = torch.linalg.solve_triangular(factor, basis, upper=False, left=False)
        return float(((told @ self.told * told).sum() / len(generators)).clamp_min(0).sqrt())


def spectrum_of(slopes: Slopes, law: Law, affine: bool = True, entries: Tensor | None = None) -> Spectrum:
    """Solve the problem.

    Args:
        slopes: of a predictor at the data.
        law: whether targets stay, move by an unknown affine law ``(C | c)``, or are vectors that move by ``A`` as the tokens do.
        affine: whether translations are looked for.
        entries: ``[n (n + 1)]``, which unknowns there are; ``None``: all.
    """
    x, J = slopes.x, slopes.mean
    N, _, T, n = J.shape
    ones = x.new_ones(N, T, 1)
    points = torch.cat([x, ones], -1) if affine else x
    root = slopes.weights.sqrt()[:, None, None]
    moved = torch.cat([slopes.values, x.new_ones(N, 1)], 1) if law == "own" else None
    vectors = slopes.values.unflatten(1, (-1, n)) if law == "vector" else None

    def rows(slope: Tensor) -> Tensor:
        effect = torch.einsum("nmti,ntj->nmij", slope, points)
        if vectors is not None:
            along = torch.einsum("ai,ntj->ntaij", torch.eye(n, dtype=x.dtype), vectors).flatten(1, 2)
            effect = torch.cat([effect[..., :n] - along, effect[..., n:]], -1)
        effect = (root[..., None] * effect).flatten(2)  # [N, m, d]
        effect = effect if entries is None else effect[..., entries]
        if moved is None:
            return effect.flatten(0, 1)
        # Each output has an unknown row of the law of its own: what the law can explain is taken out.
        basis = torch.linalg.qr(root[:, 0] * moved).Q
        return (effect - torch.einsum("nk,lk,lmd->nmd", basis, basis, effect)).flatten(0, 1)

    M = rows(J)
    chance = sum(
        torch.kron(
            torch.einsum("n,nmi,nmj->ij", slopes.weights, J[:, :, t], J[:, :, t]).contiguous(),
            (points[:, t].mT @ points[:, t] / N).contiguous(),
        )
        for t in range(T)
    )
    assert isinstance(chance, Tensor)
    chance = chance if entries is None else chance[entries][:, entries]
    chance = chance + 1e-10 * chance.diagonal().mean() * torch.eye(len(chance), dtype=x.dtype)
    told = M.mT @ M
    factor = torch.linalg.cholesky(chance)
    half = torch.linalg.solve_triangular(factor, told, upper=False)
    values, axes = torch.linalg.eigh(torch.linalg.solve_triangular(factor, half.mT, upper=False))
    directions = torch.linalg.solve_triangular(factor.mT, axes, upper=True)
    noise = torch.zeros_like(values)
    for share, slope in zip(slopes.shares, slopes.each):
        noise = noise + share * ((rows(slope) - M) @ directions).square().sum(0)
    return Spectrum(values.clamp_min(0).sqrt(), noise.sqrt(), directions.mT, told, chance, affine, entries)


def gap_interval(
    slopes: Slopes, law: Law, affine: bool, inside: int, seed: int, entries: Tensor | None = None
) -> Float[Tensor, "2 2"]:
    """Between which numbers the two sides of a gap lie in nine of ten draws of samples and of members, with replacement.

    Args:
        slopes, law, affine, entries: of the problem.
        inside: how many directions lie before the gap; there are more.
        seed: of the draws.

    Returns:
        rows: the largest violation inside and the smallest outside; columns: the 5 and 95 % quantiles.
    """
    rng = torch.Generator().manual_seed(seed)
    count, members = len(slopes.x), len(slopes.shares)
    sides = []
    for _ in range(DRAWS):
        drawn = torch.bincount(torch.randint(count, (count,), generator=rng), minlength=count).to(slopes.weights)
        some = torch.multinomial(slopes.shares, members, replacement=True, generator=rng)
        seen = replace(slopes, mean=slopes.each[some].mean(0), each=slopes.each[:0], weights=slopes.weights * drawn)
        violations = spectrum_of(seen, law, affine, entries).violations
        sides.append(violations[inside - 1 : inside + 1])
    return torch.stack(sides).quantile(torch.tensor([0.05, 0.95], dtype=slopes.x.dtype), dim=0, interpolation="nearest").mT
