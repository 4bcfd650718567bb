"""Envy, and envy up to one item or any item: tables for all pairs of agents at once, in O(n m + n^2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from erlangen.fields.mechanisms.division.allocation import bundle_extremes, bundle_sums
from erlangen.fields.mechanisms.division.instance import Instance

#: What is looked at: all items, those that the observing agent likes, those that it dislikes.
PARTS = {"all": "all items", "liked": "what the person likes", "disliked": "what the person dislikes"}


class Envy(NamedTuple):
    """A pair that breaks an axiom.

    Attributes:
        i: who envies.
        j: whom.
        item: without which there is envy still; None where nothing is taken away.
        part: of which items: ``"all"``, ``"liked"``, ``"disliked"``, each as ``i`` sees it.
    """

    i: str
    j: str
    item: str | None
    part: str


def part_of(u: np.ndarray, part: str) -> np.ndarray:
    """Utilities with those of other parts set to zero: sums are then those of the part."""
    return {"all": lambda: u, "liked": lambda: np.maximum(u, 0), "disliked": lambda: np.minimum(u, 0)}[part]()


def broken(inst: Instance, owner: np.ndarray, kind: str, part: str = "all") -> np.ndarray:
    """The pairs ``[n, n]`` (who envies, whom) that break an axiom.

    Args:
        inst: the instance.
        owner: of each item, ``[m]``.
        kind: ``"EF"``, ``"EF1"``, ``"EFX"`` or ``"EFX0"``.
        part: of which items.
    """
    n, slack = inst.n, inst.slack[:, None]
    u = part_of(inst.numbers, part)
    values = bundle_sums(u, owner, n)
    own = values.diagonal()[:, None]
    envies = own < values - slack
    if kind == "EF" or not inst.m:
        return envies
    # What is taken away: beyond any sum where there is nothing to take, so that the condition is met.
    beyond: Any = np.inf if not inst.exact else 1 + np.abs(inst.numbers).max(0).sum()
    held = u[owner, np.arange(inst.m)][None]  # what each item is worth to who has it
    if kind == "EF1":
        worst = np.minimum(bundle_extremes(np.minimum, held, owner, n, 0)[0], 0)[:, None]
        best = np.maximum(bundle_extremes(np.maximum, u, owner, n, 0), 0)
        return envies & (own - worst < values - slack) & (own < values - best - slack)
    counts = (u > 0, held < 0) if kind == "EFX" else (u >= 0, held <= 0)
    least_good = bundle_extremes(np.minimum, np.where(counts[0], u, beyond), owner, n, beyond)
    least_bad = bundle_extremes(np.maximum, np.where(counts[1], held, -beyond), owner, n, -beyond)[0][:, None]
    return envies & ((own - least_bad < values - slack) | (own < values - least_good - slack))


def witness(inst: Instance, owner: np.ndarray, kind: str, part: str, i: int, j: int) -> Envy:
    """Why ``i`` and ``j`` break an axiom: of EFX the first item without which there is envy still, of EF1 the one that helps most."""
    u = part_of(inst.numbers, part)[i]
    mine, theirs = np.flatnonzero(owner == i), np.flatnonzero(owner == j)
    item: int | None = None
    if kind == "EF1":
        own, other = mine[np.argsort(u[mine], kind="stable")[:1]], theirs[np.argsort(-u[theirs], kind="stable")[:1]]
        losses = {int(o): -u[o] for o in own} | {int(o): u[o] for o in other}
        item = max(losses, key=lambda o: losses[o], default=None)
    elif kind in ("EFX", "EFX0"):
        gap = u[theirs].sum() - u[mine].sum()
        for o in range(inst.m):
            helps = -u[o] if owner[o] == i else u[o] if owner[o] == j else None
            if helps is not None and (helps > 0 or (helps == 0 and kind == "EFX0")) and gap - helps > inst.slack[i]:
                item = o
                break
    return Envy(inst.agents[i], inst.agents[j], None if item is None else inst.items[item], part)
