"""`exists`: whether there is an allocation with given properties, by branch and bound over representatives of equal agents and items."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import Axiom, several
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.batches import ENVY, fair, undominated
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.classes import closure
from erlangen.fields.mechanisms.division.enumeration import LARGEST_COUNT
from erlangen.fields.mechanisms.division.envy import part_of
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.groups import PermutationGroup
from erlangen.groups.finite import orbits_of
from erlangen.verdict import Verdict

#: Partial allocations that are carried together.
BLOCK = 1 << 12


def exists(inst: Instance, properties: str | Axiom | Iterable[str | Axiom], *, largest: int = LARGEST_COUNT) -> Verdict:
    """Whether some allocation has all of these properties.

    Agents with equal utilities may be exchanged, and so may items that are worth the same to everybody: of each orbit of these exchanges
    only allocations are looked at that come before what a single exchange makes of them. Those whose first items leave somebody too
    much envy, whatever becomes of the rest, are not completed.

    Args:
        inst: the instance.
        properties: axioms of an allocation, in any of their spellings.
        largest: refuse where there may be more allocations to look at.

    Returns:
        A verdict, exhaustive; its witness is such an allocation. ``tried`` says how many complete ones were looked at; the numbers are
        ``allocations`` (of the instance) and ``symmetries`` (exchanges of equal agents and of equal items).

    Raises:
        ArgumentError: a property is unknown, or there may be more than ``largest`` allocations, up to exchanges.

    >>> exists(Instance([[2, -1, -1]] * 2), "EFX3").holds, exists(Instance([[2, -1, -1]] * 2), {"EFX", "PO"}).witness.owner.tolist()
    (False, [0, 0, 0])
    """
    wanted = several("properties", properties)
    claim = f"an allocation with {' and '.join(wanted) or 'no property'} exists"
    # What follows from another is not asked again.
    wanted = [p for p in wanted if not any(p in closure({q}) - {q} for q in wanted)]
    agents, items = (_sizes(group) for group in (equal_agents(inst), equal_items(inst)))
    symmetries = math.prod(map(math.factorial, [*agents, *items]))
    count = inst.n**inst.m
    if count > largest * symmetries or _most(inst.n, inst.m, agents, items, largest) > largest:
        raise ArgumentError("inst", f"at most {largest} allocations, up to exchanges of what is equal", f"{inst.n}^{inst.m}")
    numbers = {"allocations": float(min(count, 10**300)), "symmetries": float(symmetries)}
    tried = 0
    quick = [name for name in wanted if name in ENVY or name.startswith("PROP")]
    for block in representatives(inst, wanted):
        tried += len(block)
        for name in quick:
            block = block[fair(inst, block, name)]
        for owner in block:
            answer = Allocation(inst, owner, algorithm="exists")
            if all(check_allocation(answer, name) for name in wanted if name not in quick):
                return Verdict(True, claim, "exhaustive", tried, numbers, witness=answer, reason=str(answer))
    return Verdict(
        False, claim, "exhaustive", tried, numbers, reason="none exists: all allocations were looked at or excluded by bounds"
    )


def equal_agents(inst: Instance) -> PermutationGroup:
    """The group that exchanges agents with the same utilities, on their numbers."""
    return _exchanging(inst.numbers)


def equal_items(inst: Instance) -> PermutationGroup | None:
    """The group that exchanges items that are worth the same to everybody, on their numbers; None of no items."""
    return _exchanging(inst.numbers.T) if inst.m else None


def _exchanging(rows: np.ndarray) -> PermutationGroup:
    seen: dict[tuple[object, ...], int] = {}
    swaps = []
    for k, row in enumerate(map(tuple, rows.tolist())):
        if row in seen:
            swap = torch.arange(len(rows))
            swap[[seen[row], k]] = torch.tensor([k, seen[row]])
            swaps.append(swap)
        seen[row] = k
    return PermutationGroup(swaps or [torch.arange(len(rows))])


def _sizes(group: PermutationGroup | None) -> list[int]:
    """Of its orbits; the group is all permutations of each, where transpositions generate it."""
    return [] if group is None else [len(orbit) for orbit in orbits_of(group.generators)]


def _most(n: int, m: int, agents: list[int], items: list[int], largest: int) -> int:
    """No more than so many allocations are looked at: orbits have stabilizers, so that there may be many more than the quotient of orders.

    Equal items go to agents in ascending order; or else equal agents get their first items one after another, which is counted by
    Stirling's numbers of the second kind. Both hold, so the smaller number bounds.
    """
    by_items = math.prod(math.comb(size + n - 1, n - 1) for size in items)
    if by_items <= largest or m > 60:
        return by_items
    stirling = [[1] + [0] * m]
    for _ in range(m):
        row = stirling[-1]
        stirling.append([0] + [k * row[k] + row[k - 1] for k in range(1, m + 1)])
    by_agents = [1] + [0] * m
    for size in agents:
        own = [sum(row[: size + 1]) for row in stirling]
        by_agents = [sum(math.comb(j, k) * by_agents[k] * own[j - k] for k in range(j + 1)) for j in range(m + 1)]
    return min(by_items, by_agents[m])


def _before(group: PermutationGroup | None, size: int) -> list[int]:
    """For each point the one before it in its orbit; -1 of the first."""
    before = [-1] * size
    for orbit in orbits_of(group.generators) if group is not None else []:
        for a, b in zip(orbit.tolist(), orbit.tolist()[1:]):
            before[b] = a
    return before


def representatives(inst: Instance, wanted: Iterable[str] = ()) -> Iterator[np.ndarray]:
    """Blocks of allocations ``[B, m]``: of each orbit under exchanges of equal agents and of equal items at least one, but for orbits
    none of which can have what is wanted.

    Items are given out by size. Equal items go to agents in ascending order; of equal agents the first one gets its first item first.
    Both are what the first of an orbit, in the order of owners, fulfils.
    """
    wanted = set(wanted)
    n, m = inst.n, inst.m
    by_size = np.argsort(-np.abs(inst.numbers).max(0), kind="stable") if m else np.zeros(0, dtype=np.int64)
    sorted_inst = inst.take(range(n), by_size)
    u = sorted_inst.numbers
    item_before, agent_before = _before(equal_items(sorted_inst), m), _before(equal_agents(inst), n)
    allowed, efficient = np.ones((n, m), dtype=bool), bool(wanted & {"PO", "fPO"})
    if efficient:  # an item in such hands would make another one better off, and nobody worse
        allowed = ~(((u <= 0) & (u.max(0) > 0)) | ((u < 0) & (u.max(0) == 0))) if m else allowed
    bounds = _Bounds(sorted_inst, wanted)
    back = np.argsort(by_size)
    todo: list[np.ndarray] = [np.zeros((1, 0), dtype=np.int64)]
    while todo:
        block = todo.pop()
        k = block.shape[1]
        if k == m:
            yield block[:, back]
            continue
        longer = np.concatenate([np.repeat(block, n, 0), np.tile(np.arange(n), len(block))[:, None]], 1)
        last = longer[:, -1]
        keep = allowed[last, k]
        if item_before[k] >= 0:
            keep &= last >= longer[:, item_before[k]]
        for a in range(n):
            if agent_before[a] >= 0:
                keep &= (last != a) | (longer[:, :-1] == agent_before[a]).any(1)
        longer = longer[keep]
        longer = longer[bounds.possible(longer)]
        if (
            efficient
        ):  # what an optimal allocation does with some of the items is optimal for these: else it could be bettered there
            longer = longer[undominated(_own(u, longer), inst.slack)]
        todo += [longer[start : start + BLOCK] for start in range(0, len(longer), BLOCK)][::-1]


def _own(u: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """What each agent has of the first items, ``[B, n]``."""
    k = owners.shape[1]
    return np.stack([np.where(owners == i, u[i, :k], 0).sum(1) for i in range(len(u))], 1)


class _Bounds:
    """Whether the first items leave a way to what is wanted: everything liked of the rest to who envies, all else to the others."""

    def __init__(self, inst: Instance, wanted: set[str]) -> None:
        self.inst = inst
        u, none = inst.numbers, inst.numbers[:, :0].sum(1)
        #: Utilities of a part, with the most that taking an item away can help.
        self.envy = []
        for part, names in (("all", set(ENVY)), ("liked", {"EF13", "EFX3"}), ("disliked", {"EF13", "EFX3"})):
            if wanted & names:
                row = part_of(u, part)
                self.envy.append((row, none if "EF" in wanted or not inst.m else np.abs(row).max(1)))
        self.share = wanted & {"PROP", "PROP1"}
        self.help = none if "PROP" in wanted or not inst.m else np.abs(u).max(1)

    def possible(self, owners: np.ndarray) -> np.ndarray:
        inst, k = self.inst, owners.shape[1]
        good = np.ones(len(owners), dtype=bool)
        if not (self.envy or self.share):
            return good
        has = owners[:, None, :] == np.arange(inst.n)[:, None]
        for row, most in self.envy:
            hope = np.maximum(row[:, k:], 0).sum(1) - np.minimum(row[:, k:], 0).sum(1)
            for i in range(inst.n):
                worth = (has * row[i, :k]).sum(-1)
                good &= worth.max(1) - worth[:, i] - hope[i] <= most[i] + inst.slack[i]
        for i in range(inst.n) if self.share else ():
            own = (has[:, i] * inst.numbers[i, :k]).sum(-1) + np.maximum(inst.numbers[i, k:], 0).sum()
            good &= inst.n * (own + self.help[i]) >= inst.totals[i] - inst.slack[i]
        return good
