"""How much worse than the best a mechanism can be: worst cases by search, and those that are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.mechanism import Mechanism
from erlangen.fields.mechanisms.location.optimum import optimum
from erlangen.fields.mechanisms.location.profiles import Objective, draw, norm_order, social_cost
from erlangen.fields.mechanisms.location.rule import as_mechanism, expected_costs, outcomes_of
from erlangen.verdict import Verdict

#: An upper bound of the coordinate-wise median's ratio of total Euclidean costs in any dimension (N. Gravin and J. Jia, arXiv 2502.08578).
ANY_DIMENSION = math.sqrt(6 * math.sqrt(3) - 8)


@dataclass(frozen=True, eq=False)
class WorstCase:
    """The worst profile that was found.

    Attributes:
        ratio: what the mechanism costs there, over the least possible.
        profile: ``[n, d]``.
        places, best: the mechanism's places (of a lottery all outcomes), and the best, ``[k, d]``.
        cost, optimum: what they cost.
        tried: how many profiles were looked at.
    """

    ratio: float
    profile: np.ndarray
    places: np.ndarray
    best: np.ndarray
    cost: float
    optimum: float
    tried: int

    def within(self, bound: float) -> Verdict:
        """Whether no profile was found beyond a bound."""
        claim = f"costs at most {bound:.6g} times the least"
        return Verdict(
            self.ratio <= bound * (1 + 1e-9),
            claim,
            "search",
            self.tried,
            {"ratio": self.ratio, "bound": bound},
            witness=self.profile,
        )


def ratios(
    mechanism: Any, X: Float[Tensor, "*batch n d"], objective: Objective = "total", norm: float | str = 2
) -> Float[Tensor, "*batch"]:
    """What a mechanism costs on profiles, over the least possible; 1 where both are nothing.

    >>> from erlangen.fields.mechanisms.location import Mean
    >>> ratios(Mean(), torch.tensor([[0.0], [0.0], [3.0]], dtype=torch.float64)).item()
    1.3333333333333333
    """
    rule, p = as_mechanism(mechanism, True), norm_order(norm)
    y = outcomes_of(rule, X)
    cost = social_cost(expected_costs(X, y, p), objective)
    least = optimum(X, y.shape[-2], objective, p)[1]
    tiny = 1e-12 * X.abs().amax((-2, -1))
    nothing = least <= tiny
    return torch.where(
        nothing, torch.where(cost <= 10 * tiny, 1.0, math.inf), cost / torch.where(nothing, torch.ones_like(least), least)
    )


def worst_case(
    mechanism: Any,
    n: int = 3,
    d: int = 2,
    objective: Objective = "total",
    *,
    norm: float | str = 2,
    starts: int = 40,
    rounds: int = 120,
    seed: int = 0,
) -> WorstCase:
    """Search for the profile on which a mechanism is worst, in comparison with the best places.

    Many starts, some with ties, climb at once: agents are moved at random, put on another agent's place or coordinate, with steps that
    shrink where nothing is better. What is found is a lower bound of the true ratio.

    Args:
        mechanism: a :class:`Mechanism` or a callable on arrays of NumPy.
        n, d: agents and coordinates.
        objective: ``"total"``, ``"maximum"`` or the order of a norm.
        norm: of the distances.
        starts, rounds: how hard to try; 24 profiles are looked at for each start in each round.
        seed: of everything random.

    >>> from erlangen.fields.mechanisms.location import Median
    >>> round(worst_case(Median(), 3, 1, "maximum").ratio, 3)
    2.0
    """
    rule = as_mechanism(mechanism)
    for name, number in (("n", n), ("d", d), ("starts", starts), ("rounds", rounds)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ArgumentError(name, "a whole number of at least 1", repr(number))
    if rule.dimension not in (None, d):
        raise ArgumentError("d", f"{rule.dimension}, as {rule.name} takes", repr(d))
    rng = torch.Generator().manual_seed(seed)
    proposals = 24
    x = draw(starts * 8, n, d, generator=rng)
    value = _finite(ratios(rule, x, objective, norm))
    keep = value.topk(starts).indices
    x, value, tried = x[keep], value[keep], starts * 8
    step = torch.ones(starts, dtype=torch.float64)
    for _ in range(rounds):
        size = (x.amax(1) - x.amin(1)).amax(-1).clamp_min(1e-9)
        new = x.unsqueeze(1).repeat(1, proposals, 1, 1)
        noise = torch.randn(new.shape, generator=rng, dtype=torch.float64) * (step * size)[:, None, None, None]
        some = torch.rand(*new.shape[:3], 1, generator=rng, dtype=torch.float64) < 0.5
        new = new + noise * some
        # A third are tied: an agent takes another's coordinate, or all of them.
        who, whom = (torch.randint(n, (starts, proposals), generator=rng) for _ in range(2))
        at = torch.randint(d + 1, (starts, proposals), generator=rng)
        source = x.unsqueeze(1).expand(-1, proposals, -1, -1)
        told = source.gather(2, whom[..., None, None].expand(-1, -1, 1, d)).squeeze(2)
        own = source.gather(2, who[..., None, None].expand(-1, -1, 1, d)).squeeze(2)
        axis = torch.arange(d)
        mixed = torch.where((at.unsqueeze(-1) == d) | (at.unsqueeze(-1) == axis), told, own)
        tied = source.clone().scatter(2, who[..., None, None].expand(-1, -1, 1, d), mixed.unsqueeze(2))
        new[:, 2::3] = tied[:, 2::3]
        scored = _finite(ratios(rule, new, objective, norm))
        best, which = scored.max(1)
        better = best > value
        x = torch.where(better[:, None, None], new[torch.arange(starts), which], x)
        value = torch.where(better, best, value)
        step = torch.where(better, (step * 1.3).clamp_max(2.0), (step * 0.75).clamp_min(1e-9))
        tried += starts * proposals
    i = int(value.argmax())
    profile = x[i]
    y = outcomes_of(rule, profile)
    best, least = optimum(profile, y.shape[-2], objective, norm)
    cost = float(social_cost(expected_costs(profile, y, norm_order(norm)), objective))
    return WorstCase(
        float(value[i]), profile.numpy(), (y[0] if len(y) == 1 else y).numpy(), best.numpy(), cost, float(least), tried
    )


def _finite(values: Tensor) -> Tensor:
    """A profile whose best places cost nothing says nothing about a ratio that is told to rounding."""
    return torch.where(torch.isfinite(values), values, 1.0)


def known_ratio(mechanism: Mechanism, n: int, d: int, objective: Objective = "total", norm: float | str = 2) -> float | None:
    """The worst ratio that is proven to be reached or approached, where the library knows it; None elsewhere.

    Median of the line: 1 and 2. End points: n - 2 and 2 (A. Procaccia and M. Tennenholtz, 2013). Dictator: n - 1 and 2. Coordinate-wise
    median: 1 for total Manhattan costs; ``sqrt(2) sqrt(n^2 + 1) / (n + 1)`` for total Euclidean costs of an odd number in the plane
    (S. Goel and W. Hann-Caruthers, arXiv 2007.00903), and 2 for the largest.
    """
    from erlangen.fields.mechanisms.location.order import EndPoint, Median
    from erlangen.fields.mechanisms.location.places import Dictator

    p = norm_order(norm)
    if objective not in ("total", "maximum") or n < 2:
        return None
    if isinstance(mechanism, EndPoint) and n >= 3:
        return max(1.0, n - 2.0) if objective == "total" else 2.0
    if isinstance(mechanism, Dictator):
        return n - 1.0 if objective == "total" else 2.0
    if isinstance(mechanism, Median) and mechanism.basis is None:
        if d == 1 or p == 1:
            return 1.0 if objective == "total" else 2.0 if d == 1 else None
        if d == 2 and p == 2 and n % 2:
            return math.sqrt(2) * math.sqrt(n**2 + 1) / (n + 1) if objective == "total" else 2.0
    return None


def worst_profile(n: int) -> Float[Tensor, "n 2"]:
    """The worst profile of the coordinate-wise median for total Euclidean costs of ``n = 2 m + 1`` people in the plane.

    ``m`` people at (0, -1), the others at (a, 0) and (-a, 0) with ``a = (m + 1) / m``.

    >>> from erlangen.fields.mechanisms.location import Median
    >>> round(ratios(Median(), worst_profile(3)).item(), 6)
    1.118034
    """
    if not isinstance(n, int) or n < 3 or n % 2 == 0:
        raise ArgumentError("n", "an odd number of at least 3", repr(n))
    m = n // 2
    a = (m + 1) / m
    sides = [[a if i % 2 else -a, 0.0] for i in range(m + 1)]
    return torch.tensor([[0.0, -1.0]] * m + sides, dtype=torch.float64)
