"""The places that are best for everybody together: the least total or largest cost, exactly where there are few people."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.mechanisms.location.balls import most_welcome
from erlangen.fields.mechanisms.location.mechanism import ALWAYS, Mechanism, Property
from erlangen.fields.mechanisms.location.median import geometric_median
from erlangen.fields.mechanisms.location.profiles import Objective, agent_costs, as_profiles, norm_order, social_cost

#: All groupings of so many people are compared; of more, a local search (on the line: exact for any number).
LARGEST_GROUPING = 10
#: Smallest balls of so many points are found among the balls of few of them, many profiles at a time.
ENUMERATED = 10


def optimum(
    X: Float[Tensor, "*batch n d"], k: int = 1, objective: Objective = "total", norm: float | str = 2
) -> tuple[Float[Tensor, "*batch k d"], Float[Tensor, "*batch"]]:
    """The best ``k`` places and what they cost.

    One place: medians (Manhattan norm, line), the geometric median, the smallest ball (E. Welzl, 1991); exact to rounding. Several: all
    groupings of at most ten people. Other norms by convex optimisation, to about 1e-9.

    Raises:
        ArgumentError: naming the argument.
        UnsupportedError: several places for more than ten people: see :func:`best_found`.

    >>> places, cost = optimum(torch.tensor([[0.0], [1.0], [9.0], [10.0]]), k=2)
    >>> places.flatten().tolist(), cost.item()
    ([0.0, 9.0], 2.0)
    """
    x, _ = as_profiles(X)
    p = norm_order(norm)
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ArgumentError("k", "a whole number of at least 1", repr(k))
    batch, (n, d) = x.shape[:-2], x.shape[-2:]
    flat = x.reshape(-1, n, d)
    if not len(flat):
        return x.new_empty(*batch, k, d), x.new_empty(batch)
    one = _single(objective, p, d)
    if 1 < k < n:
        flat = _in_order(flat)  # of groupings that cost the same, the one that is taken does not depend on who is who
    if k == 1:
        places = one(flat).unsqueeze(1)
    elif k >= n:
        places = torch.cat([flat, flat[:, -1:].expand(-1, k - n, -1)], 1)
    elif n > LARGEST_GROUPING:
        unsupported(f"{n} people", f"list of all groupings (at most {LARGEST_GROUPING})", "take best_found")
    else:
        places = _grouped(flat, k, objective, p, one)
    places = places.to(flat)
    return places.reshape(*batch, k, d), social_cost(agent_costs(flat, places, p), objective).reshape(batch)


def _in_order(x: Tensor) -> Tensor:
    """The same points in alphabetical order."""
    for axis in reversed(range(x.shape[-1])):
        x = x.gather(1, x[..., axis].argsort(dim=1, stable=True).unsqueeze(-1).expand_as(x))
    return x


def _single(objective: Objective, norm: float, d: int) -> Callable[[Tensor], Tensor]:
    """What finds the best single place ``[count, d]`` for an objective and a norm."""
    social_cost(torch.zeros(1), objective)  # refuses what is none
    if objective == "total":
        if d == 1 or norm == 1:
            return lambda x: x.median(1).values
        if norm == 2:
            return geometric_median
    if objective == "maximum":
        if d == 1 or math.isinf(norm):
            return lambda x: (x.amin(1) + x.amax(1)) / 2
        if norm == 1 and d == 2:
            return _diamond
        if norm == 2:
            return smallest_ball
        return lambda x: torch.from_numpy(
            np.array([most_welcome(one, np.zeros(len(one)), norm)[0] for one in x.to(torch.float64).numpy()])
        )
    return lambda x: torch.from_numpy(np.array([_descended(one, objective, norm) for one in x.numpy()]))


def _diamond(x: Tensor) -> Tensor:
    turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=x.dtype)
    u = x @ turn.mT
    return (u.amin(1) + u.amax(1)) / 2 @ turn / 2


def _descended(x: np.ndarray, objective: Objective, norm: float) -> np.ndarray:
    from scipy.optimize import minimize

    middle, scale = x.mean(0), float(np.ptp(x, axis=0).max()) or 1.0
    x = ((x - middle) / scale).astype(np.float64)  # what the searches call near is near in any unit
    points = torch.from_numpy(x)

    def cost(y: np.ndarray) -> float:
        return float(social_cost(agent_costs(points, torch.from_numpy(y)[None], norm), objective))

    best: np.ndarray | None = None
    for start in (np.median(x, axis=0), x.mean(0)):
        found = minimize(
            cost, start, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-13, "maxfev": 4000, "maxiter": 4000}
        )
        found = minimize(cost, found.x, method="Powell", options={"xtol": 1e-12, "ftol": 1e-14})
        if best is None or cost(found.x) < cost(best):
            best = np.atleast_1d(found.x)
    assert best is not None
    return best * scale + middle


# ---- smallest balls ----


def smallest_ball(x: Float[Tensor, "count n d"]) -> Float[Tensor, "count d"]:
    """The centres of the smallest Euclidean balls around points.

    >>> smallest_ball(torch.tensor([[[0.0, 0.0], [2.0, 0.0], [1.0, 0.5]]]))
    tensor([[1., 0.]])
    """
    n, d = x.shape[1:]
    if n <= ENUMERATED and math.comb(n, d + 1) <= 300:
        return _of_supports(x)
    return torch.from_numpy(np.array([_welzl(one) for one in x.detach().numpy().astype(np.float64)])).to(x)


def _of_supports(x: Tensor) -> Tensor:
    n, d = x.shape[1:]
    if n == 1:
        return x[:, 0]
    best = torch.full((len(x),), math.inf, dtype=x.dtype)
    centre = x.mean(1)
    for size in range(2, min(n, d + 1) + 1):
        index = torch.tensor(list(itertools.combinations(range(n), size)))
        s = x[:, index]  # [count, supports, size, d]
        edge = s[:, :, 1:] - s[:, :, :1]
        gram = edge @ edge.mT
        half = gram.diagonal(dim1=-2, dim2=-1) / 2
        w, info = torch.linalg.solve_ex(gram, half)
        c = s[:, :, 0] + (w.unsqueeze(-2) @ edge).squeeze(-2)
        reach = torch.linalg.vector_norm(x.unsqueeze(1) - c.unsqueeze(2), dim=-1).amax(
            -1
        )  # whichever support it is, a ball around c
        reach = torch.where(torch.isfinite(reach) & (info == 0), reach, math.inf)
        least, which = reach.min(1)
        better = least < best
        best = torch.where(better, least, best)
        centre = torch.where(better[:, None], c.gather(1, which[:, None, None].expand(-1, 1, d)).squeeze(1), centre)
    # All points are one: no support of two has a ball.
    return torch.where(torch.isfinite(best)[:, None], centre, x[:, 0])


def _welzl(x: np.ndarray) -> np.ndarray:
    """E. Welzl, Smallest enclosing disks (balls and ellipsoids), 1991, with points that were outside moved to the front."""
    d = x.shape[1]
    order = list(np.random.default_rng(0).permutation(len(np.unique(x, axis=0))))
    points = np.unique(x, axis=0)
    slack = 1e-13 * (np.ptp(points, axis=0).max() or 1.0)

    def through(support: list[int]) -> tuple[np.ndarray, float]:
        if not support:
            return np.zeros(d), -1.0
        base = points[support[0]]
        if len(support) == 1:
            return base, 0.0
        edge = points[support[1:]] - base
        w = np.linalg.lstsq(edge @ edge.T, (edge**2).sum(1) / 2, rcond=None)[0]
        return base + w @ edge, float(np.linalg.norm(w @ edge))

    def ball(count: int, support: list[int]) -> tuple[np.ndarray, float]:
        centre, radius = through(support)
        if len(support) == d + 1:
            return centre, radius
        i = 0
        while i < count:
            at = order[i]
            if np.linalg.norm(points[at] - centre) > radius + slack:
                centre, radius = ball(i, [*support, at])
                order.insert(0, order.pop(i))
            i += 1
        return centre, radius

    return ball(len(order), [])[0]


# ---- several places ----


def _grouped(x: Tensor, k: int, objective: Objective, norm: float, one: Callable[[Tensor], Tensor]) -> Tensor:
    count, n, d = x.shape
    full = (1 << n) - 1
    q = 1.0 if objective == "total" else math.inf if objective == "maximum" else float(objective)
    place, cost = {}, {}
    for mask in range(1, full + 1):
        who = x[:, [a for a in range(n) if mask >> a & 1]]
        place[mask] = one(who)
        each = agent_costs(who, place[mask].unsqueeze(1), norm)
        cost[mask] = each.amax(-1) if math.isinf(q) else (each**q).sum(-1)
    join = torch.maximum if math.isinf(q) else torch.add
    best = [{0: torch.zeros(count, dtype=x.dtype)}]
    choice: list[dict[int, Tensor]] = [{}]
    for j in range(1, k + 1):
        best_j, choice_j = {}, {}
        for mask in [full] if j == k else range(1, full + 1):
            lowest = mask & -mask
            rest = part = mask ^ lowest
            top, which = torch.full((count,), math.inf, dtype=x.dtype), torch.zeros(count, dtype=torch.int64)
            while True:
                group = part | lowest
                other = mask ^ group
                if other in best[j - 1]:
                    value = join(cost[group], best[j - 1][other])
                    which = torch.where(value < top, group, which)
                    top = torch.minimum(value, top)
                if not part:
                    break
                part = (part - 1) & rest
            best_j[mask], choice_j[mask] = top, which
        best_j[0] = torch.zeros(count, dtype=x.dtype)
        best.append(best_j)
        choice.append(choice_j)
    places = torch.empty(count, k, d, dtype=x.dtype)
    for i in range(count):
        mask, found = full, []
        for level in range(k, 0, -1):
            if not mask:
                break
            group = int(choice[level][mask][i])
            found.append(place[group][i])
            mask ^= group
        places[i] = torch.stack(found + [found[-1]] * (k - len(found)))
    return places


def best_found(
    x: Float[Tensor, "n d"], k: int, objective: Objective = "total", norm: float | str = 2, *, starts: int = 20, seed: int = 0
) -> tuple[Float[Tensor, "k d"], float, bool]:
    """The best places for one profile of any size, what they cost, and whether that is proven to be the least.

    Proven for one place, for at most ten people, and on the line, where groups are intervals; else the best of several local searches:
    people go to the nearest place, and each place to what is best for its people.
    """
    p = norm_order(norm)
    n, d = x.shape
    if k == 1 or k >= n or n <= LARGEST_GROUPING:
        places, cost = optimum(x, k, objective, p)
        return places, float(cost), True
    one = _single(objective, p, d)
    if d == 1:
        return _on_the_line(x, k, objective)
    rng = np.random.default_rng(seed)
    x = _in_order(x[None])[0]
    best, least = x[:k], math.inf
    for _ in range(starts):
        places = x[torch.from_numpy(_spread_out(x.numpy(), k, rng))]
        before = math.inf
        while (now := float(social_cost(agent_costs(x, places, p), objective))) < before * (1 - 1e-12):
            before = now
            nearest = torch.linalg.vector_norm(x.unsqueeze(1) - places, ord=p, dim=-1).argmin(1)
            places = torch.stack([one(x[nearest == j][None])[0] if bool((nearest == j).any()) else places[j] for j in range(k)])
        if before < least:
            best, least = places, before
    return best, float(social_cost(agent_costs(x, best, p), objective)), False


def _spread_out(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Beginnings apart from each other (D. Arthur and S. Vassilvitskii, 2007)."""
    chosen = [int(rng.integers(len(x)))]
    while len(chosen) < k:
        far = np.square(x[:, None] - x[chosen]).sum(-1).min(1)
        chosen.append(int(rng.choice(len(x), p=far / far.sum())) if far.sum() > 0 else int(rng.integers(len(x))))
    return np.array(chosen)


def _on_the_line(x: Tensor, k: int, objective: Objective) -> tuple[Tensor, float, bool]:
    """Intervals of ordered people by dynamic programming."""
    ordered = np.sort(x.numpy()[:, 0])
    n = len(ordered)
    one = _single(objective, 2, 1)
    if objective not in ("total", "maximum"):
        raise ArgumentError("objective", "'total' or 'maximum' where there are more than ten people", repr(objective))
    sums = np.concatenate([[0.0], ordered.cumsum()])

    def costs(j: int) -> np.ndarray:
        """Of the people i .. j - 1, for each i < j."""
        i = np.arange(j)
        if objective == "maximum":
            return (ordered[j - 1] - ordered[i]) / 2
        middle = (i + j - 1) // 2
        return ordered[middle] * (2 * middle - i - j + 1) + sums[j] - sums[middle + 1] - (sums[middle] - sums[i])

    best = np.full((k + 1, n + 1), math.inf)
    best[:, 0] = 0
    cut = np.zeros((k + 1, n + 1), np.int64)
    for j in range(1, n + 1):
        each = costs(j)
        for level in range(1, k + 1):
            value = np.maximum(best[level - 1, :j], each) if objective == "maximum" else best[level - 1, :j] + each
            cut[level, j] = int(value.argmin())
            best[level, j] = value[cut[level, j]]
    places: list[float] = []
    j = n
    for level in range(k, 0, -1):
        if j == 0:
            break
        i = int(cut[level, j])
        places.append(float(one(torch.from_numpy(ordered[i:j].copy())[None, :, None])[0, 0]))
        j = i
    found = torch.tensor(sorted(places + [places[-1]] * (k - len(places))), dtype=x.dtype)[:, None]
    return found, float(social_cost(agent_costs(x, found, 2), objective)), True


class Optimal(Mechanism):
    """The places that are best for everybody together: what a planner without strategic people would take. Not strategy-proof.

    Args:
        k: how many places.
        objective: ``"total"`` (k medians), ``"maximum"`` (k centres), or the order of a norm of the costs (2: nearly k means).
        norm: of the distances.

    >>> Optimal(1, "maximum")(torch.tensor([[0.0], [1.0], [10.0]])).item()
    5.0
    """

    def __init__(self, k: int = 1, objective: Objective = "total", norm: float | str = 2) -> None:
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ArgumentError("k", "a whole number of at least 1", repr(k))
        social_cost(torch.zeros(1), objective)  # refuses what is none
        self.k, self.objective, self.norm = k, objective, norm_order(norm)
        what = {"total": "least total cost", "maximum": "least largest cost"}.get(
            str(objective), f"least {objective}-norm of costs"
        )
        self.name = f"optimum of {k}, {what}"
        total = objective == "total"
        self._known = {
            "ANON": ALWAYS,
            "UNAN": ALWAYS,
            "PO": Property(
                "of the total cost in its own norm", lambda n, d, norm: True if total and (norm == self.norm or d == 1) else None
            ),
            "TRANS": Property("where it is unique", lambda n, d, norm: True if k == 1 else None),
        }

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        return optimum(x, self.k, self.objective, self.norm)[0]
