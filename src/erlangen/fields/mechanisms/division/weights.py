"""Divisions that are efficient by construction: each item to who values it most, weighted, with weights moved until envy is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from erlangen.fields.mechanisms.axioms import several
from erlangen.fields.mechanisms.division.allocation import Allocation, bundle_sums
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.instance import Instance

#: So often weights are moved, and so many seconds at most.
ROUNDS, SECONDS = 400, 5.0


def weighted_welfare(inst: Instance, names: str | Iterable[str], *, seconds: float = SECONDS) -> Allocation | None:
    """An allocation with these axioms among those whose weighted sum is the largest: these are fPO, up to rounding, by the second welfare
    theorem. None where no weights that are met give one, which says nothing about whether one exists.

    Each person's utilities are taken relative to the sum of their sizes, so that units do not matter. Who envies gains weight, in steps
    that become smaller. O(n m) a round, so that large tables take milliseconds; what is found is checked exactly.

    Args:
        inst: who values what how much.
        names: axioms of an allocation.
        seconds: before it stops.

    Source: the weights are the multipliers of the second welfare theorem; moving them by who envies follows S. Barman, S. Krishnamurthy,
    R. Vaish, Finding fair and efficient allocations, EC 2018, arXiv:1707.04731, without its rounded prices and its proof.

    >>> inst = Instance([[6, -3, 1, 2], [4, 5, 1, -1]], ["Ann", "Bob"], ["sofa", "piano", "lamp", "cooking"])
    >>> print(weighted_welfare(inst, ["EF", "PO"]))
    Ann: sofa, cooking; Bob: piano, lamp
    """
    u = np.array([[v / (sum(map(abs, row)) or 1) for v in row] for row in inst.numbers.tolist()], dtype=float)
    u = u.reshape(inst.n, inst.m)
    logs, until = np.zeros(inst.n), time.monotonic() + seconds
    seen = set()
    cheap_first = sorted(several("names", names), key=lambda name: name in ("PO", "fPO"))
    for k in range(ROUNDS):
        owner = (np.exp(logs - logs.max())[:, None] * u).argmax(0)
        if owner.tobytes() not in seen:
            seen.add(owner.tobytes())
            answer = Allocation(inst, owner, algorithm="weighted_welfare")
            if all(check_allocation(answer, name, seconds=max(0.01, until - time.monotonic())) for name in cheap_first):
                return answer
        if time.monotonic() > until:
            break
        worth = bundle_sums(u, owner, inst.n)
        envy = worth.max(1, initial=0) - worth.diagonal()
        logs = logs + 2 / (1 + k / 10) * envy / (np.abs(worth).max(initial=0) or 1)
    return None
