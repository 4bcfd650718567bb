"""Algorithms that divide: the two of Aleksandrov and Walsh, adjusted winner for two, and what they are measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.classes import guaranteed
from erlangen.fields.mechanisms.division.envy import broken
from erlangen.fields.mechanisms.division.instance import Instance

#: How equal choices are decided: the first in the list; or, ``"random"``, by one order of items and one of agents that ``generator`` draws
#: for the whole run, so that who comes first in one tie comes first in all. Who picks first in turn is no tie: that is ``order``.
Ties = Literal["index", "random"]


def double_round_robin(
    inst: Instance, order: Sequence[int] | None = None, *, ties: Ties = "index", generator: torch.Generator | None = None
) -> Allocation:
    """Algorithm 1 of Aleksandrov and Walsh: what all dislike is picked in turn, then what somebody likes, in the reverse order.

    Items that nobody likes and somebody does not mind go to these. Of the others that nobody likes people pick in turn the one that they
    mind least, filled up with nothings so that all rounds are full: the first then take the nothings. Of the items that somebody
    likes they pick in the reverse order the one that they like most, and pass where they like none.

    It reaches EF13 of any utilities, with PO (and fPO) of absolute identical and of -alpha/0/beta utilities, and EFX3 with PO of
    -alpha/0/alpha. It does not depend on the unit of any person's utilities. O(n m log m).

    Args:
        inst: what is divided.
        order: of agents by number or name, who is the first to pick; by default as they are listed.
        ties: ``"index"``: of items that are worth the same the first is picked, and of agents who do not mind what nobody likes the first
            has it; ``"random"``: the first of one random order of items, and of one of agents, drawn once for the run.
        generator: of these orders.

    Raises:
        ArgumentError: ``order`` is none of all agents, ``ties`` is unknown.

    Source: M. Aleksandrov, T. Walsh, Two algorithms for additive and fair division of mixed manna, KI 2020, arXiv:2007.04129.

    >>> inst = Instance([[2, 1, -3], [1, 2, -3]], ["Ann", "Bob"], ["cake", "dishes", "dust"])
    >>> print(double_round_robin(inst))
    Ann: cake; Bob: dishes, dust
    """
    return _run(_double_round_robin, inst, order, ties, generator, "double_round_robin")


def greedy_magnitude(
    inst: Instance, order: Sequence[int] | None = None, *, ties: Ties = "index", generator: torch.Generator | None = None
) -> Allocation:
    """Algorithm 2 of Aleksandrov and Walsh: the items that matter most first, each to who has least, or can best bear it.

    By the largest ``|u|`` that anybody gives an item: one that somebody likes goes to who has least among those who like it; one that
    nobody likes and somebody does not mind goes to these; one that all dislike goes to who has most so far.

    It reaches EFX and PO (and fPO) of absolute identical (so of identical) and of -alpha/0/beta utilities; of others it promises nothing.
    Utilities are added and compared between people, so that another unit for one of them may change the result. O(m log m + n m).

    Args:
        inst: what is divided.
        order: of agents by number or name; of several who have the same, the first in it gets the item.
        ties: between items of one size, and between agents who have the same: the first; or the first of one random order of items and
            (where no ``order`` is given) of agents, drawn once for the run.
        generator: of these orders.

    Source: M. Aleksandrov, T. Walsh (2020), arXiv:2007.04129.

    >>> print(greedy_magnitude(Instance([[5, 3, -2], [5, 3, -2]], ["Ann", "Bob"], ["sofa", "lamp", "dust"])))
    Ann: sofa, dust; Bob: lamp
    """
    return _run(_greedy_magnitude, inst, order, ties, generator, "greedy_magnitude")


def adjusted_winner(
    inst: Instance, order: Sequence[int] | None = None, *, ties: Ties = "index", generator: torch.Generator | None = None
) -> Allocation:
    """Generalised adjusted winner for two: EF1 and fPO (so PO) of any utilities. O(m log m).

    The first of ``order`` begins with all that both like, the second with all that both dislike; items change hands, those that matter
    most to the second relative to the first before others, until the second envies by no more than one item.

    Raises:
        ArgumentError: there are not two agents.

    Source: H. Aziz, I. Caragiannis, A. Igarashi, T. Walsh, Fair allocation of indivisible goods and chores, JAAMAS 36 (2022),
    arXiv:1807.10684.

    >>> print(adjusted_winner(Instance([[4, 3, -2], [2, 3, -1]], ["Ann", "Bob"], ["sofa", "lamp", "dust"])))
    Ann: sofa; Bob: lamp, dust
    """
    if inst.n != 2:
        raise ArgumentError("inst", "two agents", f"{inst.n}")
    return _run(_adjusted_winner, inst, order, ties, generator, "adjusted_winner")


def round_robin(
    inst: Instance, order: Sequence[int] | None = None, *, ties: Ties = "index", generator: torch.Generator | None = None
) -> Allocation:
    """Each in turn picks what is worth most to them, liked or not. EF1 where all is liked or all disliked; of mixed items it may fail.

    Source: the folklore baseline of fair division.
    """
    return _run(_round_robin, inst, order, ties, generator, "round_robin")


def plain_double_round_robin(
    inst: Instance, order: Sequence[int] | None = None, *, ties: Ties = "index", generator: torch.Generator | None = None
) -> Allocation:
    """Double round robin as Aziz and others have it: items that nobody likes in turn, those that some do not mind among them. EF1.

    Source: Aziz, Caragiannis, Igarashi, Walsh (2022), arXiv:1807.10684, algorithm 1.
    """
    return _run(_plain_double_round_robin, inst, order, ties, generator, "plain_double_round_robin")


def utilitarian_greedy(
    inst: Instance, order: Sequence[int] | None = None, *, ties: Ties = "index", generator: torch.Generator | None = None
) -> Allocation:
    """Each item to somebody who values it most: the largest sum of utilities, so fPO; it may be as unfair as can be."""
    return _run(_utilitarian_greedy, inst, order, ties, generator, "utilitarian_greedy")


def _run(
    core: Callable[[Instance, np.ndarray], Any], inst: Instance, order: Sequence[int] | None, ties: Ties,
    generator: torch.Generator | None, name: str,
) -> Allocation:  # fmt: skip
    """Run an algorithm on the instance with its items in the order in which ties are decided, its agents in that in which they pick, and
    the order of agents by which ties between them are decided."""
    if not isinstance(inst, Instance):
        raise ArgumentError("inst", "an Instance", type(inst).__name__)
    given = list(range(inst.n)) if order is None else order.tolist() if hasattr(order, "tolist") else list(order)
    agents = np.array([inst.agent(a) for a in given], dtype=np.int64)
    if sorted(agents.tolist()) != list(range(inst.n)):
        raise ArgumentError("order", f"each of the {inst.n} agents once", repr(given))
    if ties not in ("index", "random"):
        raise ArgumentError("ties", "'index' or 'random'", repr(ties))
    items = np.arange(inst.m) if ties == "index" else torch.randperm(inst.m, generator=generator).numpy()
    first = torch.randperm(inst.n, generator=generator).numpy() if ties == "random" and order is None else np.arange(inst.n)
    owner = np.empty(inst.m, dtype=np.int64)
    owner[items] = agents[np.asarray(core(inst.take(agents, items), first), dtype=np.int64)]
    return Allocation(inst, owner, guaranteed(name, inst), name)


def _picks(inst: Instance, items: np.ndarray, turns: range | list[int], nothings: int, only_liked: bool, owner: list[int]) -> None:
    """People pick in turn what is worth most to them of some items and of ``nothings`` that are worth 0, until all are gone."""
    # Each person's list of the items, the best first, is gone through once.
    u = inst.numbers[:, items]
    small = u.dtype == np.int64 and u.size and max(u.max(), -u.min()) < 2**15
    key = (-u).astype(np.int16) if small else -u  # NumPy sorts these by their digits, in linear time
    ranked = [items[row].tolist() for row in np.argsort(key, axis=1, kind="stable")]
    liked = (u > 0).sum(1).tolist()
    ends = liked if only_liked else [len(items)] * inst.n
    at = [0] * inst.n
    taken = bytearray(inst.m)
    left = len(items) + nothings
    while left:
        for i in turns:
            p, mine, end = at[i], ranked[i], ends[i]
            while p < end and taken[mine[p]]:
                p += 1
            at[i] = p
            if nothings and p >= liked[i]:  # a nothing is worth more than what is disliked, and no more than what is not
                nothings -= 1
                left -= 1
            elif p < end:
                taken[mine[p]] = 1
                owner[mine[p]] = i
                left -= 1
            if not left:
                return


def _double_round_robin(inst: Instance, first: np.ndarray) -> list[int]:
    best = inst.numbers.max(0)
    owner = [0] * inst.m
    for o in np.flatnonzero(best == 0).tolist():
        owner[o] = int(first[(inst.numbers[first, o] == 0).argmax()])
    bads, goods = np.flatnonzero(best < 0), np.flatnonzero(best > 0)
    _picks(inst, bads, range(inst.n), -len(bads) % inst.n, False, owner)
    _picks(inst, goods, range(inst.n - 1, -1, -1), 0, True, owner)
    return owner


def _plain_double_round_robin(inst: Instance, first: np.ndarray) -> list[int]:
    owner, best = [0] * inst.m, inst.numbers.max(0)
    bads, goods = np.flatnonzero(best <= 0), np.flatnonzero(best > 0)
    _picks(inst, bads, range(inst.n), -len(bads) % inst.n, False, owner)
    _picks(inst, goods, range(inst.n - 1, -1, -1), 0, True, owner)
    return owner


def _round_robin(inst: Instance, first: np.ndarray) -> list[int]:
    owner = [0] * inst.m
    _picks(inst, np.arange(inst.m), range(inst.n), 0, False, owner)
    return owner


def _utilitarian_greedy(inst: Instance, first: np.ndarray) -> Any:
    return first[inst.numbers[first].argmax(0)]


def _greedy_magnitude(inst: Instance, first: np.ndarray) -> np.ndarray:
    owner = [0] * inst.m
    columns = np.ascontiguousarray(inst.numbers[first].T)
    best = inst.numbers.max(0).tolist()
    have = np.zeros(inst.n, dtype=inst.numbers.dtype)
    slack = inst.slack.max()  # people who have the same up to rounding are taken in their order
    for o in np.argsort(-np.abs(inst.numbers).max(0), kind="stable").tolist():
        column = columns[o]
        if best[o] > 0:
            likers = (column > 0).nonzero()[0]
            theirs = have[likers]
            i = int(likers[(theirs <= theirs.min() + slack).argmax()])
        elif best[o] == 0:
            i = int((column == 0).argmax())
        else:
            i = int((have >= have.max() - slack).argmax())
        owner[o] = i
        have[i] += column[i]
    return first[np.array(owner, dtype=np.int64)]


def _adjusted_winner(inst: Instance, first: np.ndarray) -> np.ndarray:
    owner = np.zeros(inst.m, dtype=np.int64)
    first, second = inst.numbers
    good, bad = (first > 0) & (second > 0), (first < 0) & (second < 0)
    # What one likes and the other does not, or one does not mind and the other dislikes, has its place.
    owner[bad | ((second > 0) & (first <= 0)) | ((second == 0) & (first < 0))] = 1

    def rate(o: int) -> Fraction:
        return abs(Fraction(second.item(o)) / Fraction(first.item(o)))

    both = np.array(sorted(np.flatnonzero(good | bad).tolist(), key=rate, reverse=True), dtype=np.int64)

    def after(count: int) -> np.ndarray:
        changed = owner.copy()
        changed[both[:count]] = 1 - changed[both[:count]]
        return changed

    # All that is met on this way is fPO. Where the second envies too much before a step and not after it, the first does not envy without
    # the item of this step: else both would gain by exchanging the rest. So any such step will do, and halving finds one.
    low, high = -1, len(both)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if broken(inst, after(middle), "EF1")[1, 0] else (low, middle)
    return after(high)
