"""`check_allocation`: whether an allocation satisfies an axiom, with a witness where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import Axiom
from erlangen.fields.mechanisms.axioms import axiom as named
from erlangen.fields.mechanisms.division.allocation import Allocation, bundle_extremes
from erlangen.fields.mechanisms.division.batches import ENVY
from erlangen.fields.mechanisms.division.efficiency import SECONDS, fractional_optimality, pareto_optimality
from erlangen.fields.mechanisms.division.envy import PARTS, Envy, broken, witness
from erlangen.verdict import Verdict


def check_allocation(allocation: Allocation, axiom: str | Axiom, *, seconds: float = SECONDS) -> Verdict:
    """Whether an axiom holds of an allocation.

    Envy of ``i`` towards ``j`` is ``u_i(A_i) < u_i(A_j)``. EF1: without some one item of both bundles it is gone. EFX: without any one item
    that ``i`` has and dislikes, and without any one that ``j`` has and ``i`` likes, it is gone; EFX0 counts items worth nothing, too.
    EF13 and EFX3 ask this of all items, of those that ``i`` likes and of those that ``i`` dislikes.

    Args:
        allocation: who gets what.
        axiom: one that is asked of an allocation, in any of its spellings.
        seconds: of PO, of more than ten million allocations: how long integer programming may look for a better one.

    Returns:
        A verdict whose witness is an :class:`~.envy.Envy`; of PROP and PROP1 the agent's name; of PO an allocation that is better; of
        fPO a :class:`~.efficiency.Trade`. The number ``broken`` says of how many pairs (or agents) it does not hold.

    Raises:
        ArgumentError: there is no such axiom, or it is not asked of an allocation.

    Source: M. Aleksandrov, T. Walsh (2020), arXiv:2007.04129.

    >>> from erlangen.fields.mechanisms.division import Instance
    >>> inst = Instance([[2, -1, -1], [2, -1, -1]], ["Ann", "Bob"], ["cake", "dishes", "dust"])
    >>> check_allocation(Allocation(inst, [0, 0, 0]), "EFX").holds
    True
    >>> verdict = check_allocation(Allocation(inst, [0, 0, 0]), "EFX3")
    >>> verdict.holds, verdict.witness
    (False, Envy(i='Ann', j='Bob', item='dishes', part='disliked'))
    """
    if not isinstance(allocation, Allocation):
        raise ArgumentError("allocation", "an Allocation", type(allocation).__name__)
    name = named(axiom, "allocation").name
    if name == "fPO":
        return fractional_optimality(allocation)
    if name == "PO":
        return pareto_optimality(allocation, seconds)
    if name in ("PROP", "PROP1"):
        return _proportional(allocation, name)
    kind, parts = ENVY[name]
    inst, owner = allocation.instance, allocation.owner
    found: Envy | None = None
    count = 0
    for part in parts:
        pairs = broken(inst, owner, kind, part)
        count += int(pairs.sum())
        if found is None and pairs.any():
            i, j = np.argwhere(pairs)[0].tolist()
            found = witness(inst, owner, kind, part, i, j)
    return Verdict(
        count == 0,
        f"the allocation is {name}",
        "exact",
        numbers={"broken": float(count)},
        witness=found,
        reason=inst.within if found is None else "; ".join(filter(None, (in_words(found), inst.within))),
    )


def in_words(envy: Envy) -> str:
    """A pair that breaks an axiom as a sentence."""
    seen = "" if envy.part == "all" else f", counting only {PARTS[envy.part].replace('the person', envy.i)},"
    without = "" if envy.item is None else f", even without {envy.item!r}"
    return f"{envy.i} would{seen} rather have what {envy.j} has{without}"


def _proportional(allocation: Allocation, name: str) -> Verdict:
    inst, owner = allocation.instance, allocation.owner
    own, total, n = allocation.values.diagonal(), inst.totals, inst.n
    best: Any = np.zeros_like(own)
    if name == "PROP1" and inst.m:
        u = inst.numbers
        held = u[owner, np.arange(inst.m)][None]
        worst = np.minimum(bundle_extremes(np.minimum, held, owner, n, 0)[0], 0)
        others = u.copy()
        others[owner, np.arange(inst.m)] = 0  # what one has already cannot be had once more
        best = np.maximum(np.maximum(others.max(1), -worst), 0)
    short = n * (own + best) < total - inst.slack
    who = next((inst.agents[i] for i in np.flatnonzero(short)), None)
    reason = "" if who is None else f"{who} has less than one part in {n} of what everything is worth to them"
    return Verdict(
        who is None,
        f"the allocation is {name}",
        "exact",
        numbers={"broken": float(short.sum())},
        witness=who,
        reason="; ".join(filter(None, (reason, inst.within))),
    )
