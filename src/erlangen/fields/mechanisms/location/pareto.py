"""Pareto optimality: is there an outcome that is better for somebody and worse for nobody?"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.balls import GAIN, Balls, largest_gain
from erlangen.fields.mechanisms.location.profiles import agent_costs, spread

#: Several places are compared with all partitions of the agents up to so many of these.
LARGEST_PARTITION = 10
#: Segments between all pairs are looked at for up to so many agents.
PAIRED = 60
#: How far off the hull, as a share of the profile's size, still is on it.
OFF = 1e-9
#: What somebody has to gain where the better place is in closed form: a place off the hull by a share s wins but s^2 / 2 or so.
FINE = 1e-13
#: Rounding of coordinates, which were computed at a distance from zero of their own, in units in the last place.
ROUNDED = 64


def dominated(
    x: Float[Tensor, "count n d"], y: Float[Tensor, "count k d"], norm: float
) -> tuple[Bool[Tensor, " count"], Float[Tensor, "count k d"]]:
    """Whether an outcome of ``k`` places is dominated by any other in all of space; and by which (itself where by none).

    One place: on the line, outside of the interval of all agents; with a smooth norm, where the directions of all distances have no
    convex combination that vanishes (in the Euclidean norm: outside of the convex hull); with the Manhattan or the maximum norm, a linear
    program, which is in closed form where balls are boxes. Several places: what a group of agents accepts is where their balls meet, and
    every partition of the agents into ``k`` groups is looked at.

    A gain counts from 1e-8 of the profile's size on; in the Euclidean norm and on the line, of one place, from 1e-13 on.

    Raises:
        ArgumentError: several places and more than ten agents: there are too many partitions.
    """
    # Seen from the first agent, in a unit near the profile's size: neither a far origin nor a small or large unit costs digits.
    rounding, y_given = max(torch.finfo(x.dtype).eps, torch.finfo(y.dtype).eps), y
    x, y = x.to(torch.float64), y.to(torch.float64)
    origin, every = x[:, :1], torch.cat([x, y], -2)
    tiny = torch.finfo(x.dtype).tiny
    if not len(x):
        return torch.zeros(0, dtype=torch.bool), y_given
    unit = torch.exp2(spread(every).clamp_min(tiny).log2().floor())[:, None, None]
    noise = ROUNDED * rounding * every.abs().amax((1, 2)) / unit.flatten()
    found, better = _dominated((x - origin) / unit, (y - origin) / unit, norm, noise)
    return found, torch.where(found[:, None, None], (better * unit + origin).to(y_given), y_given)


def _dominated(x: Tensor, y: Tensor, norm: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    d, k = x.shape[-1], y.shape[-2]
    size = spread(torch.cat([x, y], -2)).clamp_min(torch.finfo(x.dtype).tiny)
    costs = agent_costs(x, y, norm)
    if k == 1 and d == 1:
        better = torch.minimum(torch.maximum(y, x.amin(-2, keepdim=True)), x.amax(-2, keepdim=True))
    elif k == 1 and 1 < norm < math.inf:
        better = _towards_all(x, y, norm, size)
    elif k == 1 and norm == 1:
        better = y.clone()
        left = (~_least_total(x, y.squeeze(1))).nonzero().flatten()
        if len(left):
            method = _by_program if d > 2 else _boxed
            better[left] = method(x[left], y[left], costs[left], size[left])
    else:
        better = _regrouped(x, y, costs, norm, size)
    gain = (costs - agent_costs(x, better, norm)) / size.unsqueeze(-1)
    least, lost = (FINE, FINE / 10) if k == 1 and (norm == 2 or d == 1) else (GAIN, OFF)
    return (gain.amax(-1) > least + noise) & (gain.amin(-1) >= -(lost + noise)), better


def _towards_all(x: Tensor, y: Tensor, norm: float, size: Tensor) -> Tensor:
    """One place moved where that is better for all: for a smooth norm, against the shortest combination of the distances' gradients."""
    better = y.clone()
    to = y - x
    r = torch.linalg.vector_norm(to, ord=norm, dim=-1)
    suspects = (r > OFF * size[:, None]).all(-1)  # on an agent's point nothing else is as good for that agent
    if norm == 2 and x.shape[-1] == 2 and x.shape[1] <= PAIRED:
        suspects &= ~_in_plane_hull(x, y.squeeze(1), size)
    for i in suspects.nonzero().flatten().tolist():
        better[i, 0] = torch.from_numpy(_improved(x[i].numpy(), y[i, 0].numpy(), norm))
    return better


def _improved(x: np.ndarray, y: np.ndarray, norm: float) -> np.ndarray:
    if norm == 2:
        return nearest_in_hull(x, y)
    to = y - x
    r = np.linalg.norm(to, ord=norm, axis=1)
    gradients = np.sign(to) * (np.abs(to) / r[:, None]) ** (norm - 1)
    down = -nearest_in_hull(gradients, np.zeros(len(y)))
    if np.linalg.norm(down) < 1e-7:
        return y
    best, least = y, 0.0
    for step in np.geomspace(1.0, 1e-8, 60) * r.max():
        moved = y + step * down
        worst = float((np.linalg.norm(moved - x, ord=norm, axis=1) - r).max())
        if worst < least:
            best, least = moved, worst
    return best


def nearest_in_hull(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """The point of the convex hull of ``x`` nearest to ``y``: in the Euclidean norm nearer than ``y`` to every point of the hull.

    By non-negative least squares with one more row, which holds the weights' sum at one.
    """
    from scipy.optimize import nnls

    scale = float(np.abs(x - y).max()) or 1.0
    q = (x - y) / scale
    # |q^T w|^2 + (1 - sum w)^2 is least at a multiple of the nearest point's weights.
    w, _ = nnls(np.vstack([q.T, np.ones(len(q))]), np.append(np.zeros(q.shape[1]), 1.0))
    return y + scale * (w / w.sum()) @ q


def _in_plane_hull(x: Tensor, y: Tensor, size: Tensor) -> Tensor:
    """Whether points of the plane lie in the hull of others: near a segment between two, or with no half-turn free of them."""
    n = x.shape[1]
    i, j = torch.triu_indices(n, n)
    a, b = x[:, i], x[:, j]
    along = b - a
    square = along.square().sum(-1)
    t = (((y.unsqueeze(1) - a) * along).sum(-1) / torch.where(square > 0, square, torch.ones_like(square))).clamp(0, 1)
    off = torch.linalg.vector_norm(y.unsqueeze(1) - a - t.unsqueeze(-1) * along, dim=-1).amin(1)
    to = x - y.unsqueeze(1)
    angle = torch.atan2(to[..., 1], to[..., 0]).sort(-1).values
    gaps = torch.cat([angle.diff(dim=-1), angle[:, :1] + 2 * math.pi - angle[:, -1:]], -1)
    return (off <= OFF * size) | (gaps.amax(-1) < math.pi)


def _least_total(x: Tensor, place: Tensor) -> Tensor:
    """Whether a place has the least total Manhattan cost: between the middle two of each coordinate. It is optimal then."""
    ordered = x.sort(1).values
    n = x.shape[1]
    return ((place >= ordered[:, (n - 1) // 2]) & (place <= ordered[:, n // 2])).all(-1)


def _boxed(x: Tensor, y: Tensor, costs: Tensor, size: Tensor) -> Tensor:
    """One place with the Manhattan norm in the plane, where balls are boxes of another basis."""
    return _regrouped(x, y, costs, 1, size)


def _by_program(x: Tensor, y: Tensor, costs: Tensor, size: Tensor) -> Tensor:
    """One place with the Manhattan norm in space: the largest sum of gains that no agent pays for."""
    found = [largest_gain(one, paid) for one, paid in zip(x.numpy(), costs.numpy(), strict=True)]
    points = [y[i, 0].numpy() if point is None else point for i, point in enumerate(found)]
    return torch.from_numpy(np.array(points)).unsqueeze(1)


def _regrouped(x: Tensor, y: Tensor, costs: Tensor, norm: float, size: Tensor) -> Tensor:
    """The best new places over all partitions of the agents into at most ``k`` groups that all accept theirs."""
    count, n, _d = x.shape
    k = y.shape[1]
    if k > 1 and n > LARGEST_PARTITION:
        raise ArgumentError(
            "X", f"at most {LARGEST_PARTITION} people where several places are tested for Pareto optimality", str(n)
        )
    balls = Balls(x, y, costs, norm, size)
    full = (1 << n) - 1
    groups = [full] if k == 1 else range(1, full + 1)
    members = {mask: [a for a in range(n) if mask >> a & 1] for mask in groups}
    meet, point, gain = {}, {}, {}
    for mask, who in members.items():
        ok, point[mask], profit = balls.common(who)
        meet[mask] = ok
        gain[mask] = torch.where(ok, profit / size, torch.full_like(profit, -math.inf))
    # best[j][mask]: the largest gain of anybody when the agents of the mask are served by j places; and by which groups.
    never = torch.full((count,), -math.inf, dtype=x.dtype)
    best: list[dict[int, Tensor]] = [{0: never.clone()}]
    served: list[dict[int, Tensor]] = [{0: torch.ones(count, dtype=torch.bool)}]
    choice: list[dict[int, Tensor]] = [{}]
    for j in range(1, min(k, n) + 1):
        best_j, served_j, choice_j = (
            {0: never.clone()},
            {0: torch.ones(count, dtype=torch.bool)},
            {0: torch.zeros(count, dtype=torch.int64)},
        )
        for mask in [full] if k == 1 or j == min(k, n) else range(1, full + 1):
            lowest = mask & -mask
            rest = mask ^ lowest
            top, possible, which = never.clone(), torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.int64)
            part = rest
            while True:
                group = part | lowest
                other = mask ^ group
                if group in meet and other in served[j - 1]:
                    ok = meet[group] & served[j - 1][other]
                    value = torch.where(ok, torch.maximum(gain[group], best[j - 1][other]), never)
                    take = (value > top) | (ok & ~possible)
                    top, which = torch.where(take, value, top), torch.where(take, group, which)
                    possible |= ok
                if not part:
                    break
                part = (part - 1) & rest
            best_j[mask], served_j[mask], choice_j[mask] = top, possible, which
        best.append(best_j)
        served.append(served_j)
        choice.append(choice_j)
    j = min(k, n)
    better = y.clone()
    for i in (best[j][full] > GAIN).nonzero().flatten().tolist():
        mask, level, places = full, j, []
        while mask and level:
            group = int(choice[level][mask][i])
            places.append(point[group][i])
            mask, level = mask ^ group, level - 1
        better[i] = torch.stack(places + [places[-1]] * (k - len(places)))
    return better


def dominated_among(
    x: Float[Tensor, "count n d"], y: Float[Tensor, "count k d"], choices: Float[Tensor, "outcomes k d"], norm: float
) -> tuple[Bool[Tensor, " count"], Float[Tensor, "count k d"]]:
    """Whether an outcome is dominated by one of finitely many; and by which (itself where by none)."""
    every = torch.cat([x, y], -2)
    rounding = torch.finfo(x.dtype).eps * every.abs().amax((1, 2))
    size = torch.maximum(spread(every), 1e9 * rounding).clamp_min(torch.finfo(x.dtype).tiny)  # GAIN of it is above all rounding
    costs = agent_costs(x, y, norm)
    flags, better = [], []
    step = max(1, 20_000_000 // (len(choices) * x.shape[1] * choices.shape[1] * x.shape[2]))
    for part, now, extent in zip(x.split(step), costs.split(step), size.split(step), strict=True):
        each = agent_costs(part.unsqueeze(1), choices, norm)
        gain = (now.unsqueeze(1) - each) / extent[:, None, None]
        total = torch.where(gain.amin(-1) >= -OFF, gain.amax(-1), -math.inf)
        value, which = total.max(1)
        flags.append(value > GAIN)
        better.append(choices[which])
    found = torch.cat(flags)
    return found, torch.where(found[:, None, None], torch.cat(better), y)
