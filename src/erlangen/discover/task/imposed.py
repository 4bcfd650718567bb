"""Held-out evidence for an algebra: the predictor fitted anew, with data moved by it beside the data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.closure import homogeneous
from erlangen.discover.task.equations import Law, slopes_of
from erlangen.discover.task.least_squares import fit_by_evidence
from erlangen.discover.task.polynomial_model import PolynomialModel
from erlangen.discover.task.predictor import Predictor
from erlangen.linalg import matrix_exp

#: How far moves go, root mean square, in units of the tokens' deviation.
DISPLACEMENT = 0.5
#: Steps of each fit, which starts from the predictor's best model.
STEPS = 40
#: Imposing may raise the error to this multiple, or to this part of what unrelated moves raise it to, whichever is more.
DEARER, SHARE = 1.5, 0.5


@dataclass(frozen=True)
class Imposed:
    """Held-out squared errors, as parts of the target's variance. True where imposing the algebra costs next to nothing.

    Attributes:
        free: of a predictor without moved data.
        error: of one that also learned from data moved by the algebra.
        unrelated: of one that learned from data moved by as many unrelated generators, equally far.
    """

    free: float
    error: float
    unrelated: float

    def __bool__(self) -> bool:
        return self.error <= max(DEARER * self.free, SHARE * self.unrelated)

    def __str__(self) -> str:
        return f"error {self.free:.2g} free, {self.error:.2g} with it imposed, {self.unrelated:.2g} with unrelated moves imposed"

    def as_dict(self) -> dict[str, Any]:
        """The numbers."""
        return asdict(self)


def imposed(
    predictor: Predictor,
    x: Float[Tensor, "N T n"],
    y: Float[Tensor, "N m"],
    generators: Float[Tensor, "k n c"],
    law: Law,
    split: Callable[[int], tuple[Tensor, Tensor]],
    seed: int = 0,
    entries: Float[Tensor, "n c"] | None = None,
) -> tuple[Imposed, Float[Tensor, "k m c"] | None]:
    """Fit with the algebra, with unrelated generators and without, and compare on the same held-out data.

    ``entries`` says which entries of generators may be other than zero; by default all.

    Returns:
        the evidence, and the law ``(C | c)`` of the targets under each generator; ``None`` where they stay.
    """
    slopes = slopes_of(predictor, x)
    ones = x.new_ones(*x.shape[:2], 1)
    points = torch.cat([x, ones], -1) if generators.shape[2] > x.shape[2] else x

    def law_of(moves: Tensor) -> Tensor | None:
        if law == "none":
            return None
        if law == "vector":
            n = x.shape[2]
            C = torch.stack([torch.block_diag(*[a] * (y.shape[1] // n)) for a in moves[..., :n]])
            return torch.cat([C, torch.zeros_like(C[..., :1])], 2)
        root = slopes.weights.sqrt()[:, None]
        effect = torch.einsum("nmti,kij,ntj->nkm", slopes.mean, moves, points)
        known = torch.cat([slopes.values, slopes.values.new_ones(len(x), 1)], 1)
        solution = torch.linalg.lstsq(root * known, root * effect.flatten(1)).solution
        return solution.unflatten(1, (len(moves), -1)).permute(1, 2, 0)

    best = predictor.members[0]
    fit, validate = split(0)
    rng = torch.Generator().manual_seed(seed + 77)
    unrelated = torch.randn(generators.shape, generator=rng, dtype=x.dtype)
    unrelated = unrelated if entries is None else unrelated * entries

    def error(moves: Tensor | None) -> float:
        inputs, targets, count = x[fit], y[fit], len(x)
        if moves is not None:
            rate = torch.einsum("kij,ntj->knti", moves, points).square().sum(-1).mean().sqrt()
            reach = DISPLACEMENT * x.square().sum(-1).mean().sqrt() / (rate * len(moves) ** 0.5).clamp_min(1e-12)
            amounts = reach * torch.randn(count, len(moves), generator=rng, dtype=x.dtype).clamp(-2, 2)
            g = matrix_exp(homogeneous(torch.einsum("nk,kij->nij", amounts, moves)))
            n = x.shape[2]
            moved = torch.einsum("nij,ntj->nti", g[:, :n, :n], x)
            moved = moved + g[:, None, :n, n] if g.shape[1] > n else moved
            laws = law_of(moves)
            follow = y
            if laws is not None:
                h = matrix_exp(homogeneous(torch.einsum("nk,kij->nij", amounts, laws)))
                follow = torch.einsum("nij,nj->ni", h[:, :-1, :-1], y) + h[:, :-1, -1]
            inputs, targets = torch.cat([inputs, moved[fit]]), torch.cat([targets, follow[fit]])
        phi, phi_val = best.view(inputs), best.view(x[validate])
        if isinstance(best.model, PolynomialModel):
            return PolynomialModel(phi, targets, phi_val, y[validate]).error
        model = copy.copy(best.model)
        return fit_by_evidence(model, phi, targets, phi_val, y[validate], STEPS).error

    return Imposed(error(None), error(generators), error(unrelated)), law_of(generators)
