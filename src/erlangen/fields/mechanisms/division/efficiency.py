"""Pareto optimality: fractional by the cycles of a graph of exchanges, integral by all allocations or by integer programming."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.enumeration import LARGEST_COUNT, totals_of, unranked
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.verdict import How, Verdict

#: Up to so many agents the cycles are exact products of fractions; of more, sums of logarithms.
EXACT_AGENTS = 24
#: Rows of the table of all pairs of items that are looked at together.
STRIP = 256


class Trade(NamedTuple):
    """Exchanges of parts of items around a circle that leave nobody worse off and somebody better off.

    Attributes:
        steps: who gives a part of which item to whom; a part of a disliked item goes the other way round in worth.
        gain: the product of the rates at which the worth of each item changes from hand to hand: below 1, the surplus is what is gained.
            0 where an item is simply in the wrong hands.
    """

    steps: tuple[tuple[str, str, str], ...]
    gain: float


def fractional_optimality(allocation: Allocation) -> Verdict:
    """Whether nobody can be better off, and nobody worse, when items may be cut (fPO), exactly.

    It is so when there are positive weights of agents with which each item goes to who values it most, weighted; these exist when no
    circle of exchanges has rates whose product is below one.

    Source: the weights are those of the second welfare theorem; the circles those of F. Sandomirskiy, E. Segal-Halevi (2022), Efficient
    fair division with minimal sharing, Operations Research 70, arXiv:1908.01669.
    """
    inst, owner = allocation.instance, allocation.owner
    claim = "the allocation is fPO"
    u = inst.numbers
    held = u[owner, np.arange(inst.m)]
    wrong = np.argwhere(((held <= 0) & (u > 0)) | ((held < 0) & (u == 0)))
    if len(wrong):
        j, o = wrong[0].tolist()
        trade = Trade(((inst.agents[owner[o]], inst.items[o], inst.agents[j]),), 0.0)
        reason = f"{inst.agents[owner[o]]} gains or loses nothing by {inst.items[o]!r}, or dislikes it, and {inst.agents[j]} minds it less"
        return Verdict(False, claim, "exact", witness=trade, reason=reason)
    if (held >= u).all():
        return Verdict(True, claim, "exact", reason="every item is with somebody who values it most")
    exact = inst.exact and (inst.n <= EXACT_AGENTS or u.dtype == object)  # floats do not hold all of Python's integers
    rates, through = _rates(inst, owner, exact)
    cycle = _cycle_exact(rates) if exact else _cycle_of_logs(rates, 2 * inst.tolerance or 1e-12)
    if cycle is not None and inst.exact and not exact and math.prod(_rate(inst, owner, through[e], *e) for e in _edges(cycle)) >= 1:
        cycle = None  # what the logarithms found was rounding
    rounded = "" if exact else "rates as logarithms in floating point"
    if cycle is None:
        return Verdict(True, claim, "exact", reason="; ".join(filter(None, ("no exchange around a circle gains", rounded))))
    steps, gain = [], 1.0
    for a, b in _edges(cycle):
        o = through[a, b]
        gain *= float(_rate(inst, owner, o, a, b))
        giver, taker = (a, b) if owner[o] == a else (b, a)
        steps.append((inst.agents[giver], inst.items[o], inst.agents[taker]))
    told = ", ".join(f"a part of {o!r} from {a} to {b}" for a, o, b in steps)
    return Verdict(
        False, claim, "exact", numbers={"gain": gain}, witness=Trade(tuple(steps), gain), reason=f"an exchange gains: {told}"
    )


def _edges(cycle: list[int]) -> list[tuple[int, int]]:
    return list(zip(cycle, cycle[1:] + cycle[:1]))


def _rate(inst: Instance, owner: np.ndarray, o: int, a: int, b: int) -> Fraction:
    """The largest that the weight of ``b`` may be, with that of ``a`` one, by the item ``o`` of one of both."""
    ours, theirs = (Fraction(int(v) if inst.exact else float(v)) for v in inst.numbers[[a, b], o])
    return abs(ours) / abs(theirs)


def _rates(
    inst: Instance, owner: np.ndarray, exact: bool
) -> tuple[list[list[Fraction | None]] | np.ndarray, dict[tuple[int, int], int]]:
    """For each pair ``a, b`` the least rate of an item by which they can exchange, and the item."""
    n, u = inst.n, inst.numbers
    large = u.dtype == object
    sizes = np.ones(u.shape) if large else np.abs(u).astype(float)  # of large integers all items are compared exactly
    least = np.full((n, n), np.inf)
    through: dict[tuple[int, int], int] = {}
    table: list[list[Fraction | None]] = [[None] * n for _ in range(n)]
    for c in range(n):
        mine = np.flatnonzero(owner == c)
        for liked in (True, False):
            items = mine[u[c, mine] > 0] if liked else mine[u[c, mine] < 0]
            if not len(items):
                continue
            # Of what c likes, c gives to b who likes it; of what c dislikes, c passes it to a who dislikes it: a's weight bounds c's.
            both = (u[:, items] > 0) if liked else (u[:, items] < 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                rate = sizes[c, items] / sizes[:, items] if liked else sizes[:, items] / sizes[c, items]
            rate = np.where(both, rate, np.inf)
            for other in range(n):
                if other == c or not both[other].any():
                    continue
                a, b = (c, other) if liked else (other, c)
                low = rate[other].min()
                candidates = items[both[other] & (rate[other] <= low * (1 + 1e-9))] if exact else items[[int(rate[other].argmin())]]
                o = min(candidates.tolist(), key=lambda o: _rate(inst, owner, o, a, b)) if exact else int(candidates[0])
                if exact:
                    value, known = _rate(inst, owner, o, a, b), table[a][b]
                    if known is None or value < known:
                        table[a][b], through[a, b] = value, o
                elif low < least[a, b]:
                    least[a, b], through[a, b] = low, o
    return (table if exact else least), through


def _cycle_exact(rates: list[list[Fraction | None]] | np.ndarray) -> list[int] | None:
    """A circle whose product is below one, by Bellman and Ford on exact products."""
    n = len(rates)
    edges = [(a, b, r) for a in range(n) for b, r in enumerate(rates[a]) if r is not None]
    best, before = [Fraction(1)] * n, [-1] * n
    last = -1
    for _ in range(n):
        last = -1
        for a, b, r in edges:
            if best[a] * r < best[b]:
                best[b], before[b], last = best[a] * r, a, b
        if last < 0:
            return None
    return _back(last, before, n)


def _cycle_of_logs(rates: list[list[Fraction | None]] | np.ndarray, slack: float) -> list[int] | None:
    """The same by logarithms, whose sums must be negative beyond rounding."""
    log = np.log(np.asarray(rates, dtype=float)) + slack
    n = len(log)
    best, before = np.zeros(n), np.full(n, -1)
    last = -1
    for _ in range(n):
        through = best[:, None] + log
        who, value = through.argmin(0), through.min(0)
        better = value < best
        if not better.any():
            return None
        best, before = np.where(better, value, best), np.where(better, who, before)
        last = int(np.flatnonzero(better)[0])
    return _back(last, before.tolist(), n)


def _back(last: int, before: list[int], n: int) -> list[int]:
    for _ in range(n):
        last = before[last]
    cycle = [last]
    while before[cycle[-1]] != last:
        cycle.append(before[cycle[-1]])
    return cycle[::-1]


def pareto_optimality(allocation: Allocation) -> Verdict:
    """Whether no allocation of whole items is better for somebody and worse for nobody (PO).

    Where the allocation is fPO it is PO: a proof. Where giving one item away or exchanging two is better it is not. Else all allocations
    are gone through where there are no more than ten million; of more, integer programming (HiGHS) looks for a better one: one that is
    found is checked exactly, that none is found is a search.
    """
    inst, owner = allocation.instance, allocation.owner
    claim = "the allocation is PO"
    fractional = fractional_optimality(allocation)
    if fractional:
        return Verdict(True, claim, fractional.how, reason=f"not even when items may be cut: {fractional.reason}")
    if fractional.witness.gain == 0:  # a whole item in the wrong hands
        (step,) = fractional.witness.steps
        better = owner.copy()
        better[inst.item(step[1])] = inst.agent(step[2])
        return _improved(allocation, better, "exact", 0)
    swapped = _better_swap(allocation)
    if swapped is not None:
        return _improved(allocation, swapped, "exact", 0)
    if inst.n**inst.m <= LARGEST_COUNT:
        found, tried = _better_of_all(inst, allocation.values.diagonal())
        if found is not None:
            return _improved(allocation, found, "exhaustive", tried)
        return Verdict(True, claim, "exhaustive", tried=tried, reason="no allocation is better for somebody and worse for nobody")
    from erlangen.fields.mechanisms.division.programs import better_allocation

    found = better_allocation(allocation)
    if found is not None:
        return _improved(allocation, found, "search", 0)
    return Verdict(True, claim, "search", reason="integer programming finds no allocation that is better for all")


def _improved(allocation: Allocation, owner: np.ndarray, how: How, tried: int) -> Verdict:
    better = Allocation(allocation.instance, owner)
    who = [a for a, old in allocation.utilities.items() if better.utilities[a] > old]
    inst = allocation.instance
    moved = [f"{item!r} to {inst.agents[j]}" for item, i, j in zip(inst.items, allocation.owner, owner) if i != j]
    reason = f"better for {', '.join(who)} and worse for nobody: {', '.join(moved)}"
    return Verdict(False, "the allocation is PO", how, tried=tried, witness=better, reason=reason)


def _better_swap(allocation: Allocation) -> np.ndarray | None:
    """Two items of two owners whose exchange is better for one and worse for none; O(m^2), in strips of the table of all pairs."""
    inst, owner = allocation.instance, allocation.owner
    u, slack = inst.numbers, inst.slack[owner]
    held = u[owner, np.arange(inst.m)]
    for start in range(0, inst.m, STRIP):
        here = slice(start, start + STRIP)
        mine = u[owner[here]] - held[here, None]  # what the owner of o gains by p in its place, [strip, m]
        theirs = u[:, here][owner].T - held  # what the owner of p gains by o
        least = (mine >= 0) & (theirs >= 0) & ((mine > slack[here, None]) | (theirs > slack)) & (owner[here, None] != owner)
        if least.any():
            o, p = np.argwhere(least)[0].tolist()
            changed = owner.copy()
            changed[[start + o, p]] = owner[[p, start + o]]
            return changed
    return None


def _better_of_all(inst: Instance, here: np.ndarray) -> tuple[np.ndarray | None, int]:
    """The first allocation that dominates, of all, and how many were looked at; heads that cannot reach everybody's share are left out."""
    n, slack = inst.n, inst.slack
    tail_items = max(0, min(inst.m, int(math.log(1 << 15) / math.log(max(n, 2)))))
    head = inst.m - tail_items
    tail = totals_of(inst, range(head, inst.m))  # [n ** tail_items, n]
    hope = tail.max(0)
    tried = 0
    heads = totals_of(inst, range(head)) if head else np.zeros((1, n), dtype=tail.dtype)
    for number in np.flatnonzero((heads + hope >= here - slack).all(1)).tolist():
        reached = heads[number] + tail
        tried += len(tail)
        good = (reached >= here - slack).all(1) & (reached > here + slack).any(1)
        if good.any():
            owner = np.concatenate([unranked(number, n, head), unranked(int(good.argmax()), n, tail_items)])
            return owner, tried
    return None, tried
