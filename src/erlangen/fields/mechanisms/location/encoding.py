"""A finite domain's mechanisms as a formula: one variable for each profile and each outcome it may have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from erlangen.actions import Action
from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.domain import Domain
from erlangen.fields.mechanisms.location.profiles import agent_costs
from erlangen.groups.finite import orbits_of
from erlangen.reps import PointSet

#: A cost counts as less from this share of the domain's size on.
LESS = 1e-9
#: A formula has at most so many pairs of variables to compare.
LARGEST = 400_000_000
#: Pairs are compared so many at a time.
CHUNK = 4_000_000
#: A table of all tuples of points has at most so many entries.
LARGEST_TABLE = 50_000_000


@dataclass(frozen=True, eq=False)
class Encoding:
    """What a mechanism on a domain has to satisfy, for a SAT solver.

    With anonymity, profiles are orbits of the agents' permutations; with Pareto optimality, a profile's variables are its optimal
    outcomes among the domain's. Two neighbouring profiles differ in one agent, at ``a`` in the first and at ``b`` in the second;
    strategy-proofness forbids every two outcomes of which one would tempt the agent to report the other's point. An outcome at most for
    each profile need not be asked: of several true ones any can be taken, since no two true ones are forbidden together.

    Args:
        domain: points and outcomes.
        n, k: how many agents and places.
        norm: the order of the norm.
        axioms: ``ANON``, ``PO``, ``SP``, ``UNAN``.
        action: on the points of the domain; the mechanism is then equivariant under its group.
        only: numbers of profiles; the others are left out.
    """

    domain: Domain
    n: int
    k: int
    norm: float
    axioms: frozenset[str]
    action: Action | None = None
    only: tuple[int, ...] | None = field(default=None)

    @cached_property
    def every_profile(self) -> Int[np.ndarray, "profiles n"]:
        """The domain's profiles, or one of each orbit, as numbers of points."""
        return self.domain.orbits(self.n) if "ANON" in self.axioms else self.domain.profiles(self.n)

    @cached_property
    def profiles(self) -> Int[np.ndarray, "profiles n"]:
        """Those that the formula speaks of."""
        return self.every_profile if self.only is None else self.every_profile[list(self.only)]

    @cached_property
    def choices(self) -> Int[np.ndarray, "outcomes k"]:
        return self.domain.choices(self.k)

    @cached_property
    def costs(self) -> Float[np.ndarray, "points outcomes"]:
        """What an agent at each point pays under each outcome."""
        points, places = torch.from_numpy(self.domain.points), torch.from_numpy(self.domain.outcomes[self.choices])
        return np.ascontiguousarray(agent_costs(points.unsqueeze(0), places, self.norm).numpy().T)

    @cached_property
    def ranks(self) -> Int[np.ndarray, "points outcomes"]:
        """The costs' places in the order of each agent's likings, equal ones (up to rounding) having one place: exact to compare."""
        order = self.costs.argsort(1)
        ordered = np.take_along_axis(self.costs, order, 1)
        steps = np.diff(ordered, axis=1) > LESS * self.domain.scale
        places = np.concatenate([np.zeros((len(order), 1), np.int64), steps.cumsum(1)], 1)
        ranks = np.empty_like(places)
        np.put_along_axis(ranks, order, places, 1)
        return ranks.astype(np.int16 if ranks.max(initial=0) < 2**15 else np.int32)

    @cached_property
    def allowed(self) -> Bool[np.ndarray, "profiles outcomes"]:
        """Which outcomes a profile may have."""
        result = np.ones((len(self.profiles), len(self.choices)), bool)
        if "PO" in self.axioms:
            step = max(1, CHUNK // len(self.choices) ** 2)
            for start in range(0, len(result), step):
                ranks = self.ranks[self.profiles[start : start + step]]  # [profiles, n, outcomes]
                # Outcome q dominates o where it is nowhere worse and somewhere better: nowhere worse and a smaller sum of places.
                no_worse = np.ones((len(ranks), ranks.shape[2], ranks.shape[2]), bool)
                for agent in range(self.n):
                    no_worse &= ranks[:, agent, None, :] <= ranks[:, agent, :, None]
                total = ranks.sum(1, dtype=np.int64)
                result[start : start + step] = ~(no_worse & (total[:, None, :] < total[:, :, None])).any(2)
        if "UNAN" in self.axioms:
            same = (self.profiles == self.profiles[:, :1]).all(1)
            result[same] &= self.costs[self.profiles[same, 0]] <= LESS * self.domain.scale
        return result

    @cached_property
    def first(self) -> Int[np.ndarray, " profiles_and_one"]:
        """Where each profile's variables begin, from 0; variables of the solver are numbered from 1."""
        return np.concatenate([[0], self.allowed.sum(1).cumsum()])

    @cached_property
    def outcome(self) -> Int[np.ndarray, " variables"]:
        """The outcome of each variable."""
        return np.nonzero(self.allowed)[1]

    @property
    def variables(self) -> int:
        return int(self.first[-1])

    def index(self, profiles: Int[np.ndarray, "count n"]) -> Int[np.ndarray, " count"]:
        """The numbers of profiles among those of the formula; -1 of others."""
        table = self._table
        weights = len(self.domain) ** np.arange(self.n - 1, -1, -1)
        return table[(np.sort(profiles, 1) if "ANON" in self.axioms else profiles) @ weights]

    @cached_property
    def _table(self) -> np.ndarray:
        m = len(self.domain)
        if m**self.n > LARGEST_TABLE:
            raise ArgumentError("domain", f"at most {LARGEST_TABLE} tuples of points", f"{m} points and n = {self.n}")
        table = np.full(m**self.n, -1, np.int64)
        table[self.profiles @ (m ** np.arange(self.n - 1, -1, -1))] = np.arange(len(self.profiles))
        return table

    def neighbours(self) -> Int[np.ndarray, "edges 4"]:
        """Pairs of profiles that differ in one agent, each once: ``(first, second, its point in the first, its point in the second)``."""
        m = len(self.domain)
        a, b = np.triu_indices(m, 1)
        rest = self.domain.orbits(self.n - 1) if "ANON" in self.axioms else self.domain.profiles(self.n - 1)
        edges = []
        for where in range(1 if "ANON" in self.axioms else self.n):
            both = []
            for point in (a, b):
                whole = np.insert(np.repeat(rest, len(a), 0), where, np.tile(point, len(rest)), 1)
                both.append(self.index(whole))
            edges.append(np.stack([*both, np.tile(a, len(rest)), np.tile(b, len(rest))], 1))
        every = np.concatenate(edges)
        return every[(every[:, :2] >= 0).all(1)]

    def forbidden(self) -> Iterator[Int[np.ndarray, "pairs 2"]]:
        """Pairs of variables, from 0, that strategy-proofness forbids together, some at a time."""
        if "SP" not in self.axioms:
            return
        edges, counts = self.neighbours(), np.diff(self.first)
        pairs = counts[edges[:, 0]] * counts[edges[:, 1]]
        if pairs.sum() > LARGEST:
            raise ArgumentError(
                "domain",
                f"at most {LARGEST} pairs of outcomes of neighbouring profiles",
                f"{pairs.sum()}",
                "fewer points, or fewer places; without PO every outcome counts",
            )
        # Edges whose two profiles have equally many outcomes are compared all at once.
        kinds = counts[edges[:, 0]] * (int(counts.max(initial=0)) + 1) + counts[edges[:, 1]]
        order = kinds.argsort(kind="stable")
        for same in np.split(order, np.nonzero(np.diff(kinds[order]))[0] + 1):
            if not len(same) or not pairs[same[0]]:
                continue
            for part in np.array_split(edges[same], -(-int(pairs[same].sum()) // CHUNK)):
                p, q, a, b = part.T
                u = self.first[p][:, None] + np.arange(counts[p[0]])
                v = self.first[q][:, None] + np.arange(counts[q[0]])
                here, there = self.outcome[u], self.outcome[v]
                a, b = a[:, None], b[:, None]
                tempted = self.ranks[a, there][:, None, :] < self.ranks[a, here][:, :, None]
                tempted |= self.ranks[b, here][:, :, None] < self.ranks[b, there][:, None, :]
                edge, i, j = np.nonzero(tempted)
                yield np.stack([u[edge, i], v[edge, j]], 1)

    @cached_property
    def merged(self) -> Int[np.ndarray, " variables"]:
        """The variable that stands for each one: under a group, the first of its orbit."""
        if self.action is None:
            return np.arange(self.variables)
        if self.only is not None:
            raise ArgumentError("only", "all profiles, of an equivariant mechanism", "some")
        points, places = (self._moved(which) for which in (self.domain.points, self.domain.outcomes))
        rank = {tuple(choice): number for number, choice in enumerate(self.choices.tolist())}
        images = []
        for move, shift in zip(points, places, strict=True):
            if not np.allclose(self._single[move][:, shift], self._single, atol=LESS * self.domain.scale, rtol=0):
                raise ArgumentError("equivariant", "moves that keep all distances", f"one of {self.action.group} that does not")
            new_profile = self.index(move[self.profiles])
            new_choice = np.array([rank[tuple(choice)] for choice in np.sort(shift[self.choices], 1).tolist()])
            # The number of a profile's outcome among those it may have.
            place = self.allowed.cumsum(1) - 1
            profile = np.nonzero(self.allowed)[0]
            target, chosen = new_profile[profile], new_choice[self.outcome]
            images.append(self.first[target] + place[target, chosen])
        found = np.arange(self.variables)
        for orbit in orbits_of(torch.from_numpy(np.array(images))):
            found[orbit.numpy()] = int(orbit.min())
        return found

    @cached_property
    def _single(self) -> np.ndarray:
        points, places = torch.from_numpy(self.domain.points), torch.from_numpy(self.domain.outcomes)
        return agent_costs(points.unsqueeze(0), places.unsqueeze(1), self.norm).numpy().T

    def _moved(self, points: np.ndarray) -> Sequence[np.ndarray]:
        assert self.action is not None
        try:
            return list(PointSet(self.action, torch.from_numpy(points)).images.numpy())
        except ArgumentError as problem:
            raise ArgumentError(
                "equivariant",
                f"an action that takes the domain to itself, with axes of {points.shape[1]} coordinates",
                str(problem),
            ) from None

    def clauses(self) -> tuple[list[list[int]], Int[np.ndarray, "pairs 2"]]:
        """For each profile its variables, of which one is true, and the pairs that are not both true; numbered from 1."""
        merged = self.merged + 1
        least = [merged[self.first[i] : self.first[i + 1]].tolist() for i in range(len(self.profiles))]
        parts = [merged[part] for part in self.forbidden()]
        if self.action is not None:  # of several outcomes of a symmetric profile, none could be taken without breaking the symmetry
            parts += [np.stack([merged[u], merged[v]], 1) for u, v in self._rivals()]
        pairs = np.concatenate(parts) if parts else np.empty((0, 2), np.int64)
        if self.action is not None:
            pairs = np.unique(np.sort(pairs, 1), axis=0)
        return least, pairs

    def _rivals(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for i in range(len(self.profiles)):
            u, v = np.triu_indices(int(self.first[i + 1] - self.first[i]), 1)
            yield u + self.first[i], v + self.first[i]


def plain_pairs(encoding: Encoding) -> set[tuple[int, int]]:
    """The forbidden pairs by a plain loop over profiles, agents and reports: what the arrays are compared with, and raced against."""
    forbidden = set()
    domain, anonymous = encoding.domain, "ANON" in encoding.axioms
    number = {tuple(profile): i for i, profile in enumerate(encoding.profiles.tolist())}
    allowed = [np.nonzero(row)[0].tolist() for row in encoding.allowed]
    ranks = encoding.ranks.tolist()
    first = encoding.first.tolist()
    for i, profile in enumerate(encoding.profiles.tolist()):
        for agent, a in enumerate(profile):
            for b in range(len(domain)):
                if a == b:
                    continue
                changed = [*profile[:agent], b, *profile[agent + 1 :]]
                j = number[tuple(sorted(changed) if anonymous else changed)]
                for u, here in enumerate(allowed[i]):
                    for v, there in enumerate(allowed[j]):
                        if ranks[a][there] < ranks[a][here]:
                            x, y = first[i] + u, first[j] + v
                            forbidden.add((min(x, y), max(x, y)))
    return forbidden


def counted(m: int, n: int) -> int:
    """How many profiles of ``n`` agents on ``m`` points there are up to the agents' order.

    >>> counted(12, 4)
    1365
    """
    return math.comb(m + n - 1, n)
