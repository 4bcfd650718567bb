"""Axioms of many allocations of one instance at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import several
from erlangen.fields.mechanisms.division.enumeration import totals_of, unranked
from erlangen.fields.mechanisms.division.envy import PARTS, part_of
from erlangen.fields.mechanisms.division.instance import Instance

#: Which kind of envy is looked at in which parts.
ENVY = {
    "EF": ("EF", ("all",)),
    "EF1": ("EF1", ("all",)),
    "EFX": ("EFX", ("all",)),
    "EFX0": ("EFX0", ("all",)),
    "EF13": ("EF1", tuple(PARTS)),
    "EFX3": ("EFX", tuple(PARTS)),
}
#: A table of properties of all allocations has at most so many rows.
LARGEST_TABLE = 20_000


def fair(inst: Instance, owners: np.ndarray, name: str) -> np.ndarray:
    """Which of the allocations ``[B, m]`` have an axiom of envy or a proportional one, ``[B]``."""
    holds = np.ones(len(owners), dtype=bool)
    has = owners[:, None, :] == np.arange(inst.n)[:, None]  # [B, n, m]
    if name in ("PROP", "PROP1"):
        for i, row in enumerate(inst.numbers):
            own, best = (has[:, i] * row).sum(-1), 0
            if name == "PROP1" and inst.m:
                best = np.maximum(np.where(has[:, i], -row, row).max(-1), 0)
            holds &= inst.n * (own + best) >= inst.totals[i] - inst.slack[i]
        return holds
    kind, parts = ENVY[name]
    for part in parts:
        u = part_of(inst.numbers, part)
        for i, row in enumerate(u):
            worth = (has * row).sum(-1)  # [B, n]
            slack = inst.slack[i]
            own = worth[:, i : i + 1]
            envies = own < worth - slack
            if kind != "EF" and inst.m:
                holds &= ~(envies & _left(kind, row, has, own, worth - slack, i)).any(1)
            else:
                holds &= ~envies.any(1)
    return holds


def _left(kind: str, row: np.ndarray, has: np.ndarray, own: np.ndarray, theirs: np.ndarray, i: int) -> np.ndarray:
    """Where there is envy still when an item is taken away: some one of EF1, any one of the others."""
    beyond: Any = 1 + np.abs(row).sum()
    mine = has[:, i]
    if kind == "EF1":
        worst = np.minimum(np.where(mine, row, 0).min(-1), 0)[:, None]
        best = np.maximum(np.where(has, row, 0).max(-1), 0)
        return (own - worst < theirs) & (own < theirs - best)
    good, bad = (row > 0, row < 0) if kind == "EFX" else (row >= 0, row <= 0)
    least_good = np.where(has & good, row, beyond).min(-1)
    least_bad = np.where(mine & bad, row, -beyond).max(-1)[:, None]
    return (own - least_bad < theirs) | (own < theirs - least_good)


def property_table(inst: Instance, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Which of all allocations have which axiom, ``[n ** m]`` each, in the order of :func:`~.enumeration.unranked`.

    Raises:
        ArgumentError: there are more than 20 000 allocations, or a name is none of an axiom of envy, PROP, PROP1 or PO.

    >>> table = property_table(Instance([[2, -1, -1]] * 2), ["EF1", "EFX", "EF13", "EFX3", "PO"])
    >>> {name: int(column.sum()) for name, column in table.items()}
    {'EF1': 6, 'EFX': 2, 'EF13': 4, 'EFX3': 0, 'PO': 8}
    """
    count = inst.n**inst.m
    if count > LARGEST_TABLE:
        raise ArgumentError("inst", f"at most {LARGEST_TABLE} allocations", f"{count}")
    owners = np.array([unranked(k, inst.n, inst.m) for k in range(count)]).reshape(count, inst.m)
    found = {}
    for name in several("names", names):
        if name == "PO":
            totals = totals_of(inst, range(inst.m))
            found[name] = undominated(totals, inst.slack)
            for k in np.flatnonzero(found[name]) if not inst.exact else ():  # what is equal up to rounding does not go round
                better = (totals >= totals[k] - inst.slack).all(1) & (totals > totals[k] + inst.slack).any(1)
                found[name][k] = not better.any()
        elif name == "fPO":
            raise ArgumentError("names", "axioms that are checked for many allocations at once", repr(name), "use check for fPO")
        else:
            found[name] = fair(inst, owners, name)
    return found


def undominated(totals: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Which rows ``[B, n]`` no other row exceeds somewhere and reaches everywhere."""
    good = np.zeros(len(totals), dtype=bool)
    # The row with the largest sum is dominated by none; it and what it dominates are done with.
    left = np.argsort(-totals.sum(1), kind="stable")
    rows = totals[left]
    while len(left):
        worse = (rows <= rows[0] + slack).all(1) & (rows < rows[0] - slack).any(1)
        same = ~worse & (rows == rows[0]).all(1)
        good[left[same]] = True
        keep = ~(worse | same)
        left, rows = left[keep], rows[keep]
    return good
