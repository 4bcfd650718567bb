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


class Balls:
    """For profiles, the balls around each agent that reach as far as it has to go; and for each group of agents, a common point.

    Exact and batched on the line, with the maximum norm (boxes), with the Manhattan norm in the plane (boxes of another basis), and with
    the Euclidean norm in the plane (discs, whose common part has its corners where two circles meet). Elsewhere one convex problem
    for each group.

    Args:
        x: profiles.
        costs: the radii.
        norm: the order of the norm.
        size: of each profile, for tolerances.
    """

    def __init__(
        self, x: Float[Tensor, "count n d"], costs: Float[Tensor, "count n"], norm: float, size: Float[Tensor, " count"]
    ) -> None:
        self.x, self.costs, self.norm, self.size = x, costs, norm, size
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

    def common(self, group: Sequence[int]) -> tuple[Bool[Tensor, " count"], Float[Tensor, "count d"], Float[Tensor, " count"]]:
        """Whether the group's balls meet; a common point that is best for somebody; and how much the member gains there that gains most."""
        group = list(group)
        x, costs = self.x[:, group], self.costs[:, group]
        if self.kind == "boxes":
            meet, points = self._boxes(x, costs)
        elif self.kind == "discs":
            meet, points = self._discs(group)
        else:
            meet, points = _convex(x, costs, self.norm, self.size)
        own = torch.linalg.vector_norm(points.unsqueeze(2) - x.unsqueeze(1), ord=self.norm, dim=-1)
        off = (own - costs.unsqueeze(1)).amax(-1)
        gain = (costs.unsqueeze(1) - own).amax(-1)
        # Of points that all members accept the one where somebody gains most.
        accepted = off <= 10 * ON * self.size[:, None]
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
        for sign in (1, -1):
            found.append(foot + sign * across.unsqueeze(-1) * normal)
            of += pairs
    return torch.cat(found, 1), of


def _convex(x: Tensor, costs: Tensor, norm: float, size: Tensor) -> tuple[Tensor, Tensor]:
    """For each profile the point that is the most welcome to the member it suits least, and those reached from there."""
    meet, points = [], []
    for one, radii, scale in zip(x.numpy(), costs.numpy(), size.tolist(), strict=True):
        point, slack = most_welcome(one, radii, norm)
        meet.append(slack >= -1e-9 * scale)
        points.append(point)
    return torch.tensor(meet), torch.from_numpy(np.array(points)).unsqueeze(1)


def most_welcome(x: Float[np.ndarray, "n d"], radii: Float[np.ndarray, " n"], norm: float) -> tuple[Float[np.ndarray, " d"], float]:
    """The point deepest inside of all balls, and how deep: ``max_y min_i radius_i - |x_i - y|`` (negative: they do not meet).

    Manhattan and maximum norm by a linear program, others by sequential quadratic programming.
    """
    _n, d = x.shape
    if norm == 1 or math.isinf(norm):
        return _by_program(x, radii, norm)
    from scipy.optimize import minimize

    scale = float(np.abs(radii).max() + np.ptp(x, axis=0).max()) or 1.0
    q, r = (x - x.mean(0)) / scale, radii / scale

    def slack(z: np.ndarray) -> np.ndarray:
        return r - np.linalg.norm(q - z[:d], ord=norm, axis=1) - z[d]

    best: tuple[np.ndarray, float] | None = None
    for start in (q.mean(0), *q):
        begin = np.append(start, (r - np.linalg.norm(q - start, ord=norm, axis=1)).min())
        found = minimize(
            lambda z: -z[d],
            begin,
            jac=lambda z: np.append(np.zeros(d), -1.0),
            constraints={"type": "ineq", "fun": slack},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 200},
        )
        depth = float((r - np.linalg.norm(q - found.x[:d], ord=norm, axis=1)).min())
        if best is None or depth > best[1]:
            best = (found.x[:d], depth)
    assert best is not None
    return best[0] * scale + x.mean(0), best[1] * scale


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
    found = linprog(cost, np.array(rows), np.array(bounds), bounds=[(None, None)] * (d + 1) + [(0, None)] * aside, method="highs")
    return found.x[:d], float(found.x[d])
