"""Where several balls meet: what every agent of a group accepts, and whether somebody gains there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

#: Shares of the profile's size: how far outside of a ball still counts as on it, and how much somebody has to gain.
ON, GAIN = 1e-11, 1e-8
#: The same where the common point comes from an iteration: still less than a tenth of what somebody has to gain.
APART = 5e-10
#: Of linear programs, in units of the profile's size.
PRECISE = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
#: Deepest points of Euclidean balls are found among the supports where there are at most so many.
LARGEST_SUPPORTS = 2000


class Balls:
    """For profiles, the balls around each agent that reach as far as it has to go; and for each group of agents, a common point.

    Exact and batched on the line, with the maximum norm (boxes), with the Manhattan norm in the plane (boxes of another basis), and with
    the Euclidean norm in the plane (discs, whose common part has its corners where two circles meet). Elsewhere one convex problem
    for each group, solved to about 1e-10 of the profile's size: a linear program with the Manhattan norm; with the others the deepest
    point, beside all points where balls only touch: centres, the places of now, and where two balls touch.

    Args:
        x: profiles.
        y: the places of now, whose distances the radii are.
        costs: the radii.
        norm: the order of the norm.
        size: of each profile, for tolerances.
    """

    def __init__(
        self,
        x: Float[Tensor, "count n d"],
        y: Float[Tensor, "count k d"],
        costs: Float[Tensor, "count n"],
        norm: float,
        size: Float[Tensor, " count"],
    ) -> None:
        self.x, self.y, self.costs, self.norm, self.size = x, y, costs, norm, size
        self.slack = 10 * ON
        d = x.shape[-1]
        self.turn: Tensor | None = None
        if d == 1 or math.isinf(norm) or (norm == 1 and d == 2):
            self.kind = "boxes"
            if norm == 1 and d == 2:
                self.turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=x.dtype)
        elif norm == 2 and d == 2:
            self.kind = "discs"
            self.corners, self.of = _corners(x, costs)
            self.inside = torch.linalg.vector_norm(self.corners.unsqueeze(2) - x.unsqueeze(1), dim=-1) <= (
                costs + ON * size[:, None]
            ).unsqueeze(1)
        else:
            self.kind = "convex"
            self.slack = APART

    def common(self, group: Sequence[int]) -> tuple[Bool[Tensor, " count"], Float[Tensor, "count d"], Float[Tensor, " count"]]:
        """Whether the group's balls meet; a common point that is best for somebody; and how much the member gains there that gains most."""
        group = list(group)
        x, costs = self.x[:, group], self.costs[:, group]
        if self.kind == "boxes":
            meet, points = self._boxes(x, costs)
        elif self.kind == "discs":
            meet, points = self._discs(group)
        else:
            meet, points = _convex(x, self.y, costs, self.norm, self.size)
        own = torch.linalg.vector_norm(points.unsqueeze(2) - x.unsqueeze(1), ord=self.norm, dim=-1)
        off = (own - costs.unsqueeze(1)).amax(-1)
        gain = (costs.unsqueeze(1) - own).amax(-1)
        # Of points that all members accept the one where somebody gains most.
        accepted = off <= self.slack * self.size[:, None]
        gain, which = torch.where(accepted, gain, torch.full_like(gain, -math.inf)).max(1)
        point = points.gather(1, which[:, None, None].expand(-1, 1, points.shape[-1])).squeeze(1)
        return meet & accepted.any(1), point, gain

    def _boxes(self, x: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        u = x if self.turn is None else x @ self.turn.mT
        low = (u - costs.unsqueeze(-1)).amax(1)
        high = (u + costs.unsqueeze(-1)).amin(1)
        meet = (low <= high + ON * self.size[:, None]).all(-1)
        middle = (low + high) / 2
        low, high = torch.minimum(low, middle), torch.maximum(high, middle)
        nearest = torch.minimum(torch.maximum(u, low.unsqueeze(1)), high.unsqueeze(1))  # of each member, the best common point
        points = torch.cat([nearest, middle.unsqueeze(1)], 1)
        return meet, points if self.turn is None else points @ self.turn / 2

    def _discs(self, group: list[int]) -> tuple[Tensor, Tensor]:
        from_group = torch.tensor([set(pair) <= set(group) for pair in self.of])
        corners = self.corners[:, from_group]
        inside = self.inside[:, from_group][:, :, group].all(-1)
        # Two corners of a convex set have their middle in it, strictly inside of every disc; so has the middle of all corners.
        weight = inside.to(corners)
        centre = (corners * weight.unsqueeze(-1)).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1).unsqueeze(-1)
        first = corners.gather(1, inside.to(torch.int8).argmax(1)[:, None, None].expand(-1, 1, corners.shape[-1]))
        members = torch.where(inside.unsqueeze(-1), corners, first)
        return inside.any(1), torch.cat([centre, members], 1)


def _corners(
    x: Float[Tensor, "count n 2"], costs: Float[Tensor, "count n"]
) -> tuple[Float[Tensor, "count m 2"], list[tuple[int, ...]]]:
    """The centres, and where each two circles meet: points that a common part of discs has at least one of; and whose they are."""
    n = x.shape[1]
    pairs = list(itertools.combinations(range(n), 2))
    found = [x]
    of: list[tuple[int, ...]] = [(i,) for i in range(n)]
    if pairs:
        i, j = (list(side) for side in zip(*pairs, strict=True))
        between = x[:, j] - x[:, i]
        apart = torch.linalg.vector_norm(between, dim=-1)
        safe = torch.where(apart > 0, apart, torch.ones_like(apart))
        along = (apart**2 + costs[:, i] ** 2 - costs[:, j] ** 2) / (2 * safe)
        across = (costs[:, i] ** 2 - along**2).clamp_min(0).sqrt()
        unit = between / safe.unsqueeze(-1)
        normal = torch.stack([-unit[..., 1], unit[..., 0]], -1)
        foot = x[:, i] + along.unsqueeze(-1) * unit
        # Circles that touch do so at the foot itself: rounding would put the two corners aside of it by half of all digits.
        for sign in (1, 0, -1):
            found.append(foot + sign * across.unsqueeze(-1) * normal)
            of += pairs
    return torch.cat(found, 1), of


def _convex(x: Tensor, y: Tensor, costs: Tensor, norm: float, size: Tensor) -> tuple[Tensor, Tensor]:
    """For each profile points that all members accept, if there are any: one with the largest sum of gains where balls have flat sides,
    else the deepest one and those where balls may touch (round balls that touch have no other point in common)."""
    if norm == 1:
        found = [largest_gain(one, paid) for one, paid in zip(x.numpy(), costs.numpy(), strict=True)]
        meet = torch.tensor([point is not None for point in found])
        reached = np.array([x[i, 0].numpy() if point is None else point for i, point in enumerate(found)])
        return meet, torch.from_numpy(reached).unsqueeze(1)
    touching = _touching(x, y, costs)
    off = (torch.linalg.vector_norm(touching.unsqueeze(2) - x.unsqueeze(1), ord=norm, dim=-1) - costs.unsqueeze(1)).amax(-1)
    nearest = off.argmin(1)
    deepest = []
    for i, (one, radii) in enumerate(zip(x.numpy(), costs.numpy(), strict=True)):
        begin = touching[i, nearest[i]].numpy()
        # A ball of no radius has but its centre, and the places of now need no search where all are that deep already.
        deepest.append(begin if radii.min() == 0 else most_welcome(one, radii, norm, begin)[0])
    points = torch.cat([torch.from_numpy(np.array(deepest)).unsqueeze(1), touching], 1)
    return torch.ones(len(x), dtype=torch.bool), points


def _touching(x: Tensor, y: Tensor, costs: Tensor) -> Tensor:
    """Centres, the places of now, and for each two balls the point between their centres where they touch if they do."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1)
    both = (costs[:, i] + costs[:, j]).clamp_min(torch.finfo(x.dtype).tiny)
    return torch.cat([x, y, x[:, i] + (costs[:, i] / both).unsqueeze(-1) * (x[:, j] - x[:, i])], 1)


def most_welcome(
    x: Float[np.ndarray, "n d"],
    radii: Float[np.ndarray, " n"],
    norm: float,
    begin: Float[np.ndarray, " d"] | None = None,
) -> tuple[Float[np.ndarray, " d"], float]:
    """The point deepest inside of all balls, and how deep: ``max_y min_i radius_i - |x_i - y|`` (negative: they do not meet).

    Manhattan and maximum norm by a linear program. The Euclidean norm by the few balls that hold the point: it is as deep in at most
    ``d + 1`` of them, whose equations are solved. Others by sequential quadratic programming, from ``begin`` on.
    """
    scale = float(np.abs(radii).max() + np.ptp(x, axis=0).max()) or 1.0
    middle = x.mean(0)
    q, r = (x - middle) / scale, radii / scale
    if norm == 1 or math.isinf(norm):
        point, depth = _by_program(q, r, norm)
    elif norm == 2 and sum(math.comb(len(x), size) for size in range(2, x.shape[1] + 2)) <= LARGEST_SUPPORTS:
        point, depth = _by_supports(q, r)
    else:
        point, depth = _by_quadratics(q, r, norm, None if begin is None else (begin - middle) / scale)
    return point * scale + middle, depth * scale


def _depth(q: np.ndarray, r: np.ndarray, points: np.ndarray, norm: float) -> np.ndarray:
    return np.asarray((r - np.linalg.norm(q - points[..., None, :], ord=norm, axis=-1)).min(-1))


def _by_supports(q: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, float]:
    """``|q_i - y| = r_i - t`` for the members of every support: a line from the differences, and its quadratic equation."""
    n, d = q.shape
    points = [q]
    for size in range(2, min(n, d + 1) + 1):
        index = np.array(list(itertools.combinations(range(n), size)))
        first, edge = q[index[:, 0]], q[index[:, 1:]] - q[index[:, :1]]
        radius, other = r[index[:, 0]], r[index[:, 1:]]
        # With z = y - q_0 in the span of the edges and s = r_0 - t: 2 e.z = |e|^2 + s^2 - (s - r_0 + r_i)^2, linear in s.
        gap = other - radius[:, None]
        back = np.linalg.pinv(edge, rcond=1e-12)
        constant = (back @ ((np.square(edge).sum(-1) - gap**2) / 2)[..., None])[..., 0]
        slope = (back @ -gap[..., None])[..., 0]
        a = np.square(slope).sum(-1) - 1
        b = (constant * slope).sum(-1)
        c = np.square(constant).sum(-1)
        root = np.sqrt(np.maximum(b**2 - a * c, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            for s in ((-b - root) / a, (-b + root) / a, -c / (2 * b)):
                y = first + constant + s[:, None] * slope
                points.append(y[np.isfinite(y).all(-1)])
    every = np.concatenate(points)
    depth = _depth(q, r, every, 2)
    best = int(depth.argmax())
    return every[best], float(depth[best])


def _by_quadratics(q: np.ndarray, r: np.ndarray, norm: float, begin: np.ndarray | None) -> tuple[np.ndarray, float]:
    from scipy.optimize import minimize

    n, d = q.shape

    def slack(z: np.ndarray) -> np.ndarray:
        return np.asarray(r - np.linalg.norm(q - z[:d], ord=norm, axis=1) - z[d])

    def slopes(z: np.ndarray) -> np.ndarray:
        to = q - z[:d]
        length = np.maximum(np.linalg.norm(to, ord=norm, axis=1, keepdims=True), 1e-300)
        return np.hstack([np.sign(to) * (np.abs(to) / length) ** (norm - 1), -np.ones((n, 1))])

    starts = [q.mean(0), *([] if begin is None else [begin]), *q]
    best = max(starts, key=lambda point: float(_depth(q, r, point, norm)))
    # Convex: from anywhere the same depth; begun again where it stopped, until nothing is gained.
    for start in (q.mean(0), best, None, None, None):
        at = best if start is None else start
        found = minimize(
            lambda z: -z[d],
            np.append(at, _depth(q, r, at, norm)),
            jac=lambda z: np.append(np.zeros(d), -1.0),
            constraints={"type": "ineq", "fun": slack, "jac": slopes},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 300},
        )
        if np.isfinite(found.x).all() and _depth(q, r, found.x[:d], norm) > _depth(q, r, best, norm):
            best = found.x[:d]
    return best, float(_depth(q, r, best, norm))


def largest_gain(x: Float[np.ndarray, "n d"], costs: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"] | None:
    """The point with the largest sum of gains in the Manhattan norm that costs nobody more; None where there is none."""
    from scipy.optimize import linprog
    from scipy.sparse import bmat, eye, kron

    n, d = x.shape
    scale = float(costs.max() + np.ptp(x, axis=0).max()) or 1.0
    middle = x.mean(0)
    q, r = (x - middle) / scale, costs / scale
    # Variables: y (d), the parts |x_ic - y_c| (n d), the gains t (n): parts >= +-(y - x), sum of parts + t <= cost; maximise sum t.
    repeat, ones, parts = kron(np.ones((n, 1)), eye(d)), kron(eye(n), np.ones((1, d))), eye(n * d)
    rows = bmat([[repeat, -parts, None], [-repeat, -parts, None], [None, ones, eye(n)]], format="csr")
    limits = np.concatenate([q.ravel(), -q.ravel(), r])
    goal = np.concatenate([np.zeros(d + n * d), -np.ones(n)])
    found = linprog(
        goal, rows, limits, bounds=[(None, None)] * d + [(0, None)] * (n * d + n), method="highs", options=PRECISE
    )  # fmt: skip
    return None if found.x is None else found.x[:d] * scale + middle


def _by_program(x: np.ndarray, radii: np.ndarray, norm: float) -> tuple[np.ndarray, float]:
    from scipy.optimize import linprog

    n, d = x.shape
    # Variables: y (d), depth (1), and with the Manhattan norm |x_i - y| by coordinates (n d).
    aside = n * d if norm == 1 else 0
    rows, bounds = [], []
    for i in range(n):
        if norm == 1:
            for c in range(d):
                for sign in (1.0, -1.0):
                    row = np.zeros(d + 1 + aside)
                    row[c], row[d + 1 + i * d + c] = sign, -1.0
                    rows.append(row)
                    bounds.append(sign * x[i, c])
            row = np.zeros(d + 1 + aside)
            row[d], row[d + 1 + i * d : d + 1 + (i + 1) * d] = 1.0, 1.0
            rows.append(row)
            bounds.append(radii[i])
        else:
            for c in range(d):
                for sign in (1.0, -1.0):
                    row = np.zeros(d + 1)
                    row[c], row[d] = sign, 1.0
                    rows.append(row)
                    bounds.append(radii[i] + sign * x[i, c])
    cost = np.zeros(d + 1 + aside)
    cost[d] = -1.0
    found = linprog(
        cost,
        np.array(rows),
        np.array(bounds),
        bounds=[(None, None)] * (d + 1) + [(0, None)] * aside,
        method="highs",
        options=PRECISE,
    )
    return found.x[:d], float(found.x[d])
