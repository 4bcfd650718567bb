"""Pareto optimality: fractional by the cycles of a graph of exchanges, integral by all allocations or by integer programming."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.enumeration import LARGEST_COUNT, totals_of, unranked
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.verdict import How, Verdict

#: Sums of logarithms that differ by less may be equal: fractions decide.
NEAR = 1e-9
#: Seconds that integer programming may look for a better allocation.
SECONDS = 60.0
#: Items that a reason names; its witness has all.
MOST_TOLD = 8
#: Rows of the table of all pairs of items that are looked at together.
STRIP = 256


class Trade(NamedTuple):
    """Exchanges of parts of items around a circle that leave nobody worse off and somebody better off.

    Attributes:
        steps: who gives a part of which item to whom; a part of a disliked item goes the other way round in worth.
        gain: the product of the rates at which the worth of each item changes from hand to hand: below 1, the surplus is what is gained.
            0 where a whole item is simply in the wrong hands.
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
    rates, through = _rates(inst, owner)
    cycle = _cycle(rates) if inst.exact else _cycle_of_logs(_logs(rates), -2 * (inst.tolerance or 1e-12))[0]
    if cycle is None:
        return Verdict(True, claim, "exact", reason="; ".join(filter(None, ("no exchange around a circle gains", inst.within))))
    steps, gain = [], Fraction(1)
    for a, b in _edges(cycle):
        o = through[a, b]
        gain *= rates[a, b]
        giver, taker = (a, b) if owner[o] == a else (b, a)
        steps.append((inst.agents[giver], inst.items[o], inst.agents[taker]))
    told = ", ".join(f"a part of {o!r} from {a} to {b}" for a, o, b in steps)
    product = min(max(float(gain), 5e-324), 1 - 2**-53)  # an exchange gains, however near its product is to one or nothing
    return Verdict(
        False, claim, "exact", numbers={"gain": product}, witness=Trade(tuple(steps), product),
        reason="; ".join(filter(None, (f"an exchange gains: {told}", inst.within))),
    )  # fmt: skip


def _edges(cycle: list[int]) -> list[tuple[int, int]]:
    return list(zip(cycle, cycle[1:] + cycle[:1]))


def _rates(inst: Instance, owner: np.ndarray) -> tuple[dict[tuple[int, int], Fraction], dict[tuple[int, int], int]]:
    """For each pair ``a, b`` that can exchange the largest that the weight of ``b`` may be, that of ``a`` one, exactly; and the item."""
    n, u = inst.n, inst.numbers
    sizes = _log_sizes(u)
    rates: dict[tuple[int, int], Fraction] = {}
    through: dict[tuple[int, int], int] = {}
    for c in range(n):
        mine = np.flatnonzero(owner == c)
        for liked in (True, False):
            items = mine[u[c, mine] > 0] if liked else mine[u[c, mine] < 0]
            if not len(items):
                continue
            # Of what c likes, c gives to b who likes it; of what c dislikes, c passes it to a who dislikes it: a's weight bounds c's.
            both = (u[:, items] > 0) if liked else (u[:, items] < 0)
            rate = sizes[c, items] - sizes[:, items] if liked else sizes[:, items] - sizes[c, items]
            rate = np.where(both, rate, np.inf)
            for other in np.flatnonzero(both.any(1)).tolist():
                if other == c:
                    continue
                a, b = (c, other) if liked else (other, c)
                near = items[
                    both[other] & (rate[other] <= rate[other].min() + NEAR)
                ].tolist()  # logarithms choose, fractions decide
                pairs: dict[tuple[Any, Any], int] = {}  # many items may be worth the same to both
                for o, pair in zip(near, u[[a, b]][:, near].T.tolist()):
                    pairs.setdefault(tuple(pair), o)
                for (ours, theirs), o in pairs.items():
                    value = abs(Fraction(ours) / Fraction(theirs))
                    if (a, b) not in rates or value < rates[a, b]:
                        rates[a, b], through[a, b] = value, o
    return rates, through


def _log_sizes(u: np.ndarray) -> np.ndarray:
    """Logarithms of sizes, of numbers beyond floats, too; 0 of nothing."""
    if u.dtype == object:
        return np.array([[math.log(abs(v)) if v else 0.0 for v in row] for row in u.tolist()]).reshape(u.shape)
    return np.log(np.where(u == 0, 1, np.abs(u)).astype(float))


def _logs(rates: dict[tuple[int, int], Fraction]) -> dict[tuple[int, int], float]:
    return {edge: math.log(rate.numerator) - math.log(rate.denominator) for edge, rate in rates.items()}


def _cycle(rates: dict[tuple[int, int], Fraction]) -> list[int] | None:
    """A circle whose product is below one, exactly: logarithms decide where nothing is near, fractions where something is."""
    logs = _logs(rates)
    if _cycle_of_logs(logs, NEAR)[0] is None:  # not even if each rate were less than it is
        return None
    cycle, best = _cycle_of_logs(logs, -NEAR)
    if cycle is not None and math.prod(rates[edge] for edge in _edges(cycle)) < 1:
        return cycle
    # A circle that gains has only edges that are nearly tight by these weights.
    slack = NEAR * (len(best) + 2)
    tight = {(a, b): rate for (a, b), rate in rates.items() if cycle is not None or best[a] + logs[a, b] - best[b] <= slack}
    return _cycle_exact(tight)


def _cycle_exact(rates: dict[tuple[int, int], Fraction]) -> list[int] | None:
    """By Bellman and Ford on exact products."""
    n = 1 + max((max(edge) for edge in rates), default=0)
    best, before = [Fraction(1)] * n, [-1] * n
    last = -1
    for _ in range(n):
        last = -1
        for (a, b), r in rates.items():
            if best[a] * r < best[b]:
                best[b], before[b], last = best[a] * r, a, b
        if last < 0:
            return None
    return _back(last, before, n)


def _cycle_of_logs(logs: dict[tuple[int, int], float], less: float) -> tuple[list[int] | None, np.ndarray]:
    """The same by sums of logarithms, each less by ``less``; and the logarithms of weights where there is no such circle."""
    n = 1 + max((max(edge) for edge in logs), default=0)
    table = np.full((n, n), np.inf)
    for edge, value in logs.items():
        table[edge] = value - less
    best, before = np.zeros(n), np.full(n, -1)
    last = -1
    for _ in range(n):
        through = best[:, None] + table
        who, value = through.argmin(0), through.min(0)
        better = value < best
        if not better.any():
            return None, best
        best, before = np.where(better, value, best), np.where(better, who, before)
        last = int(np.flatnonzero(better)[0])
    return _back(last, before.tolist(), n), best


def _back(last: int, before: list[int], n: int) -> list[int]:
    for _ in range(n):
        last = before[last]
    cycle = [last]
    while before[cycle[-1]] != last:
        cycle.append(before[cycle[-1]])
    return cycle[::-1]


def pareto_optimality(allocation: Allocation, seconds: float = SECONDS) -> Verdict:
    """Whether no allocation of whole items is better for somebody and worse for nobody (PO).

    Where the allocation is fPO it is PO: a proof. Where giving one item away or exchanging two is better it is not. Else all allocations
    are gone through where there are no more than ten million; of more, integer programming (HiGHS) looks for a better one for so many
    seconds: one that is found is checked exactly, that none is found is a search, whose reason says whether it came to its end.
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

    found, said = better_allocation(allocation, seconds=seconds)
    if found is not None:
        return _improved(allocation, found, "exact", 0)
    return Verdict(True, claim, "search", reason=said)


def _improved(allocation: Allocation, owner: np.ndarray, how: How, tried: int) -> Verdict:
    better = Allocation(allocation.instance, owner)
    who = [a for a, old in allocation.utilities.items() if better.utilities[a] > old]
    inst = allocation.instance
    moved = [f"{item!r} to {inst.agents[j]}" for item, i, j in zip(inst.items, allocation.owner, owner) if i != j]
    told = ", ".join(moved[:MOST_TOLD]) + (f" and {len(moved) - MOST_TOLD} more" if len(moved) > MOST_TOLD else "")
    reason = f"better for {', '.join(who)} and worse for nobody: {told}"
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
