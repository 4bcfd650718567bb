"""`Domain`: finitely many points to report and places to choose, their profiles, and these up to the order of the agents."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from erlangen.actions import Action
from erlangen.errors import ArgumentError
from erlangen.groups import Symmetric
from erlangen.reps import PointSet


@dataclass(frozen=True, eq=False)
class Domain:
    """What can be reported, and what can be chosen.

    Args:
        points: ``[m, d]``, each once: where agents may be.
        outcomes: ``[c, d]``: where places may be; by default at the points.

    Raises:
        ArgumentError: naming what is wrong.

    >>> Domain.grid(4, 3).points.shape
    (12, 2)
    """

    points: np.ndarray
    outcomes: np.ndarray = field(default=None)  # type: ignore[assignment, arg-type]

    def __post_init__(self) -> None:
        points = _points(self.points, "domain")
        outcomes = points if self.outcomes is None else _points(self.outcomes, "outcomes")
        if outcomes.shape[1] != points.shape[1]:
            raise ArgumentError(
                "outcomes", f"places of {points.shape[1]} coordinates, as the domain's points", f"{outcomes.shape[1]} coordinates"
            )
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "outcomes", outcomes)

    @classmethod
    def grid(cls, *sizes: int) -> Domain:
        """The points ``0 .. size - 1`` of each axis."""
        if not sizes or any(not isinstance(s, int) or s < 1 for s in sizes):
            raise ArgumentError("sizes", "positive whole numbers", repr(sizes))
        return cls(np.array(list(itertools.product(*(range(s) for s in sizes))), dtype=np.float64))

    @property
    def dimension(self) -> int:
        return int(self.points.shape[1])

    def __len__(self) -> int:
        return len(self.points)

    def profiles(self, n: int) -> Int[np.ndarray, "count n"]:
        """All ``m^n`` profiles as numbers of points, in alphabetical order."""
        return np.indices((len(self),) * n).reshape(n, len(self) ** n).T

    def orbits(self, n: int) -> Int[np.ndarray, "count n"]:
        """One profile of each orbit of the agents' permutations: the multisets, as ascending numbers of points, in alphabetical order.

        In closed form; :meth:`profile_set` has the same by the core's enumeration, which the tests compare.
        """
        count = math.comb(len(self) + n - 1, n)
        every = itertools.chain.from_iterable(itertools.combinations_with_replacement(range(len(self)), n))
        return np.fromiter(every, np.int64, count * n).reshape(count, n)

    def profile_set(self, n: int) -> PointSet:
        """The profiles as a finite set on which the symmetric group acts, with its orbits and its Schreier graph (small domains only)."""
        return PointSet(Agents(n), [tuple(profile) for profile in self.profiles(n).tolist()])

    def choices(self, k: int) -> Int[np.ndarray, "count k"]:
        """All multisets of ``k`` places, as ascending numbers of outcomes."""
        count = math.comb(len(self.outcomes) + k - 1, k)
        every = itertools.chain.from_iterable(itertools.combinations_with_replacement(range(len(self.outcomes)), k))
        return np.fromiter(every, np.int64, count * k).reshape(count, k)

    @cached_property
    def scale(self) -> float:
        """The longest side of the box around all points and outcomes, by which tolerances are measured."""
        every = np.concatenate([self.points, self.outcomes])
        return float(np.ptp(every, axis=0).max()) or 1.0

    def locations(self, profiles: Int[np.ndarray, "*batch n"]) -> Float[torch.Tensor, "*batch n d"]:
        """Where the agents of profiles are."""
        return torch.from_numpy(self.points[profiles])

    def __repr__(self) -> str:
        more = "" if self.outcomes is self.points else f", {len(self.outcomes)} outcomes"
        return f"Domain({len(self)} points in R^{self.dimension}{more})"


class Agents(Action):
    """Permutations of agents on profiles, tuples of what each reports."""

    def __init__(self, n: int) -> None:
        super().__init__(Symmetric(n))

    def act(self, g: torch.Tensor, x: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(x[i] for i in self.group.inverse(g).tolist())


def as_domain(domain: Any, outcomes: Any = None) -> Domain:
    """A domain from itself or from its points."""
    if isinstance(domain, Domain):
        return domain if outcomes is None else Domain(domain.points, outcomes)
    return Domain(domain, outcomes)


def _points(given: Any, argument: str) -> np.ndarray:
    try:
        points = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise ArgumentError(argument, "points [m, d]", f"{type(given).__name__}: {problem}") from None
    if points.ndim != 2 or not points.size:
        raise ArgumentError(argument, "at least one point, [m, d]", f"shape {points.shape}")
    if not np.isfinite(points).all():
        where = np.argwhere(~np.isfinite(points))[0]
        raise ArgumentError(argument, "finite coordinates", f"{points[tuple(where)]} at {where.tolist()}")
    if len(np.unique(points, axis=0)) != len(points):
        raise ArgumentError(argument, "each point once", f"{len(points) - len(np.unique(points, axis=0))} of {len(points)} again")
    return points
