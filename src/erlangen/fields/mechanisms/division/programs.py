"""Integer programs (HiGHS by way of SciPy): the best sum of utilities with EF1, a better allocation, the largest product."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron, vstack

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.classes import guaranteed
from erlangen.fields.mechanisms.division.enumeration import LARGEST_COUNT, totals_of, unranked
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.verdict import Verdict

#: Seconds that one program may take.
SECONDS = 60.0
#: Whole numbers up to this are given to the engine as they are: sums of them stay whole.
LARGEST_WHOLE = 2**40
#: So many of its answers are looked at.
CANDIDATES = 50


def in_floats(inst: Instance) -> np.ndarray:
    """Utilities ``[n, m]`` in float64 for an engine, each agent's such that the largest is one."""
    largest = [max((abs(v) for v in row), default=0) or 1 for row in inst.numbers.tolist()]
    return np.array([[v / top for v in row] for row, top in zip(inst.numbers.tolist(), largest)], dtype=float).reshape(
        inst.n, inst.m
    )


def _each_item_once(n: int, m: int) -> csr_array:
    """Sums over agents of variables ``x[i, o]``, ``[m, n m]``."""
    return csr_array(kron(np.ones((1, n)), eye_array(m)))


def _worth(u: np.ndarray) -> csr_array:
    """What each agent has, ``[n, n m]``, of variables ``x[i, o]``."""
    n, m = u.shape
    rows = np.repeat(np.arange(n), m)
    return csr_array(coo_array((u.ravel(), (rows, np.arange(n * m))), shape=(n, n * m)))


def _owner(x: np.ndarray, n: int, m: int) -> np.ndarray:
    return np.asarray(x[: n * m].reshape(n, m).argmax(0), dtype=np.int64)


def in_whole_units(inst: Instance) -> np.ndarray:
    """Utilities ``[n, m]`` in float64, each agent's in whole multiples of the largest unit that makes them whole; where such numbers are
    above ``LARGEST_WHOLE``, such that the largest is that."""
    rows = []
    for row in inst.numbers.tolist():
        top = max(map(abs, row), default=0) or 1
        unit = math.gcd(*row) if inst.exact else 0
        rows.append(
            [v // unit for v in row] if unit and top // unit <= LARGEST_WHOLE else [float(v / top) * LARGEST_WHOLE for v in row]
        )
    return np.array(rows, dtype=float).reshape(inst.n, inst.m)


def better_allocation(allocation: Allocation, *, seconds: float = SECONDS) -> tuple[np.ndarray | None, str]:
    """The owners of an allocation that is better for somebody and worse for nobody, and what the engine says.

    What it finds is compared exactly, so that an answer is never wrong. A candidate that is no better, because the engine rounds, is
    excluded, and the next one asked for. None: there is none up to the engine's tolerances, or it stopped before it knew; the second
    answer says which.
    """
    inst, n, m = allocation.instance, allocation.instance.n, allocation.instance.m
    u = in_whole_units(inst)
    here = np.array([math.fsum(u[i, allocation.owner == i]) for i in range(n)])
    whole = inst.exact and bool((u == np.rint(u)).all())
    gain = 0.5 if whole else 0.0  # of whole numbers the sum grows by one at least
    rows = [
        LinearConstraint(_each_item_once(n, m), 1, 1),
        LinearConstraint(_worth(u), here - (0.5 if whole else LARGEST_WHOLE * 1e-9), np.inf),
        LinearConstraint(csr_array(u.reshape(1, -1)), here.sum() + gain, np.inf),
    ]
    until, old = time.monotonic() + seconds, allocation.values.diagonal()
    for _ in range(CANDIDATES):
        # Any better one will do where it is better for sure: then the engine stops at the first.
        options = {"time_limit": max(0.01, until - time.monotonic()), "mip_rel_gap": 1e9 if whole else 0.0}
        found = milp(-u.ravel(), constraints=rows, bounds=Bounds(0, 1), integrality=np.ones(n * m), options=options)
        if found.x is None:
            if found.status == 2:
                return None, "integer programming finds no allocation that is better for all, up to the engine's tolerances"
            return None, f"undecided: integer programming found none that is better in {seconds:g} s"
        owner = _owner(found.x, n, m)
        there = Allocation(inst, owner).values.diagonal()
        if (there >= old - inst.slack).all() and (there > old + inst.slack).any():
            return owner, ""
        chosen = np.zeros((n, m))
        chosen[owner, np.arange(m)] = 1
        rows.append(LinearConstraint(csr_array(chosen.reshape(1, -1)), -np.inf, m - 1))
    return None, f"undecided: the {CANDIDATES} best that integer programming found are better by its rounding only"


def utilitarian_ef1(inst: Instance, *, seconds: float = SECONDS) -> tuple[Allocation | None, Verdict]:
    """The largest sum of utilities of all EF1 allocations, by integer programming.

    One variable says who has an item; one for each ordered pair and item says that it is the one without which there is no envy; these
    need not be integers, for of several the one that helps most will do.

    Args:
        inst: the instance; the program has ``n m (2 n - 1)`` variables at most.
        seconds: before the engine stops.

    Returns:
        The allocation (None where the engine found none in its time) and a verdict, whether it is EF1 and its sum is the largest: EF1 is
        checked exactly; the number ``bound`` is what no sum exceeds, by the engine (left out beyond floating-point numbers), and ``gap``
        how far from it one is, relatively.

    >>> answer, verdict = utilitarian_ef1(Instance([[5, 4, 3], [3, 3, 1]], ["Ann", "Bob"]))
    >>> answer.owner.tolist(), answer.utilitarian, verdict.holds
    ([0, 1, 0], 11, True)
    """
    n, m = inst.n, inst.m
    if not m:
        return Allocation(inst, [], algorithm="utilitarian_ef1"), Verdict(True, "the sum is the largest of EF1", "exact")
    scale = max((abs(v) for row in inst.numbers.tolist() for v in row), default=0) or 1
    u = np.array([[v / scale for v in row] for row in inst.numbers.tolist()], dtype=float)
    rows, columns, entries = [], [], []  # of the constraints of pairs
    upper_rows, upper_columns, upper_entries = [], [], []  # what is taken away is there
    once_rows, once_columns = [], []
    pair, upper, at = 0, 0, n * m
    scaled = in_floats(inst)
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            for o in range(m):
                if scaled[i, o]:
                    rows += [pair, pair]
                    columns += [i * m + o, j * m + o]
                    entries += [scaled[i, o], -scaled[i, o]]
                    # Taken from j where i likes it, from i where i dislikes it.
                    holder = j if scaled[i, o] > 0 else i
                    rows.append(pair)
                    columns.append(at)
                    entries.append(abs(scaled[i, o]))
                    upper_rows += [upper, upper]
                    upper_columns += [at, holder * m + o]
                    upper_entries += [1.0, -1.0]
                    once_rows.append(pair)
                    once_columns.append(at)
                    at, upper = at + 1, upper + 1
            pair += 1
    shape = (max(pair, 1), at)
    constraints = [LinearConstraint(hstack([_each_item_once(n, m), csr_array((m, at - n * m))]).tocsr(), 1, 1)]
    if at > n * m:
        constraints += [
            LinearConstraint(csr_array(coo_array((entries, (rows, columns)), shape=shape)), 0, np.inf),
            LinearConstraint(csr_array(coo_array((upper_entries, (upper_rows, upper_columns)), shape=(upper, at))), -np.inf, 0),
            LinearConstraint(csr_array(coo_array((np.ones(len(once_rows)), (once_rows, once_columns)), shape=shape)), -np.inf, 1),
        ]
    cost = np.concatenate([-u.ravel(), np.zeros(at - n * m)])
    integers = np.concatenate([np.ones(n * m), np.zeros(at - n * m)])
    options = {"time_limit": seconds, "mip_rel_gap": 0}
    found = milp(cost, constraints=constraints, bounds=Bounds(0, 1), integrality=integers, options=options)
    claim = "the sum of utilities is the largest of all EF1 allocations"
    if found.x is None:
        return None, Verdict(False, claim, "search", reason=f"the engine found none: {found.message}")
    answer = Allocation(inst, _owner(found.x, n, m), algorithm="utilitarian_ef1")
    fair = check_allocation(answer, "EF1")
    reached = float(sum(u[i, o] for o, i in enumerate(answer.owner)))
    bound = -float(found.mip_dual_bound)
    gap = max(0.0, bound - reached) / max(1.0, abs(bound))
    holds = bool(fair) and gap <= 1e-6
    unit = Fraction(scale) / inst.denominator
    numbers = {"gap": gap}
    if abs(unit) * m < Fraction(2) ** 1000:  # else the bound is beyond what floats hold
        numbers["bound"] = bound * float(unit)
    reason = "by integer programming (HiGHS)" if holds else fair.reason or "the time was over before the bound was met"
    return answer, Verdict(holds, claim, "search", numbers=numbers, reason=reason)


def max_nash_welfare(inst: Instance, *, seconds: float = SECONDS) -> Allocation:
    """The largest product of utilities of goods: EF1 and PO. What a user would pick where nobody dislikes anything.

    Where not all can have something they like, as many as can have, and the product is theirs. Up to ten million allocations are gone
    through exactly. Of more, integer programs bound the logarithms by tangents until bound and product agree to one part in ten million;
    nothing is promised then: check it. Of several largest sets of people who can have something, the first found is taken then.

    Raises:
        ArgumentError: somebody dislikes an item; the programs did not end in time.

    Source: I. Caragiannis, D. Kurokawa, H. Moulin, A. Procaccia, N. Shah, J. Wang, The unreasonable fairness of maximum Nash welfare, ACM
    TEAC 7 (2019).

    >>> max_nash_welfare(Instance([[6, 3, 1], [5, 4, 1]])).owner.tolist()
    [0, 1, 1]
    """
    if "goods" not in inst.utility_classes:
        i, o = np.argwhere(inst.numbers < 0)[0].tolist()
        raise ArgumentError("inst", "goods only, utilities from 0 up", f"{inst.agents[i]} dislikes {inst.items[o]!r}")
    if inst.n**inst.m <= LARGEST_COUNT:
        return Allocation(inst, _largest_product(inst), guaranteed("max_nash_welfare", inst), "max_nash_welfare")
    return Allocation(inst, _by_tangents(inst, seconds), algorithm="max_nash_welfare")


def _largest_product(inst: Instance) -> np.ndarray:
    """By all allocations: heads one after another, tails in a table; products are compared as integers where logarithms are near."""
    n, m = inst.n, inst.m
    tails = max(0, min(m, int(math.log(1 << 15) / math.log(max(n, 2)))))
    tail = totals_of(inst, range(m - tails, m))
    heads = totals_of(inst, range(m - tails))
    best: tuple[int, Any] = (-1, 0)
    where = (0, 0)
    for number, head in enumerate(heads):
        reached = head + tail
        positive = (reached > 0).sum(1)
        if positive.max() < best[0]:
            continue
        logs = _logarithms(np.where(reached > 0, reached, 1)).sum(1)
        logs[positive < positive.max()] = -np.inf
        for k in np.flatnonzero(logs >= logs.max() - 1e-9).tolist():
            value = (int(positive[k]), math.prod(v for v in reached[k].tolist() if v > 0))
            if value > best:
                best, where = value, (number, k)
    return np.concatenate([unranked(where[0], n, m - tails), unranked(where[1], n, tails)])


def _logarithms(values: np.ndarray) -> np.ndarray:
    """Of positive numbers; Python's integers may be larger than floats."""
    if values.dtype != object:
        return np.log(values)
    return np.array([[math.log(v) for v in row] for row in values.tolist()])


def _by_tangents(inst: Instance, seconds: float) -> np.ndarray:
    n, m = inst.n, inst.m
    u = in_floats(inst)
    whole, worth = _each_item_once(n, m), _worth(u)
    # As many as can have something they like.
    pick = hstack([_worth((u > 0).astype(float)), -eye_array(n)]).tocsr()
    base = LinearConstraint(hstack([whole, csr_array((m, n))]).tocsr(), 1, 1)
    integers = np.concatenate([np.ones(n * m), np.ones(n)])
    until = time.monotonic() + seconds

    def options() -> dict[str, float]:
        return {"time_limit": max(0.01, until - time.monotonic()), "mip_rel_gap": 0.0}

    first = milp(
        np.concatenate([np.zeros(n * m), -np.ones(n)]), constraints=[base, LinearConstraint(pick, 0, np.inf)], bounds=Bounds(0, 1),
        integrality=integers, options=options(),
    )  # fmt: skip
    if first.status != 0:
        raise ArgumentError("seconds", "time enough for the first program", repr(seconds))
    chosen = np.flatnonzero(first.x[n * m :] > 0.5)
    owner = _owner(first.x, n, m)
    integers = np.concatenate([np.ones(n * m), np.zeros(n)])
    low = np.concatenate([np.zeros(n * m), np.full(n, -100.0)])
    high = np.concatenate([np.ones(n * m), np.full(n, math.log(m) + 1)])
    cost = np.zeros(n * m + n)
    cost[n * m + chosen] = -1
    points = [np.maximum(u[chosen].sum(1) / n, 1e-3)]
    cuts: list[Any] = []
    best, reached = owner, -math.inf
    for _ in range(100):
        for point in points:
            # log w + (x - w) / w bounds the logarithm from above.
            tangent = hstack([-worth[chosen] / point[:, None], eye_array(n).tocsr()[chosen]])
            cuts.append((tangent, np.log(point) - 1))
        constraints = [base, LinearConstraint(vstack([c for c, _ in cuts]).tocsr(), -np.inf, np.concatenate([b for _, b in cuts]))]
        found = milp(cost, constraints=constraints, bounds=Bounds(low, high), integrality=integers, options=options())
        if found.x is None or time.monotonic() > until:
            raise ArgumentError("seconds", "time enough for the programs", repr(seconds))
        owner = _owner(found.x, n, m)
        have = np.array([u[i, owner == i].sum() for i in chosen])
        value = float(np.log(have).sum()) if (have > 0).all() else -math.inf
        if value > reached:
            best, reached = owner, value
        if -found.mip_dual_bound - reached <= 1e-7:
            return best
        points = [np.maximum(have, 1e-6)]
    raise ArgumentError("inst", "an instance whose programs end", "bounds that do not meet after 100 of them")
