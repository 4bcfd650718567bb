"""`Allocation`: who gets what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.division.instance import Instance


@dataclass(frozen=True, eq=False)
class Allocation:
    """An owner for every item.

    Args:
        instance: what is divided among whom.
        owner: of each item, by number or by name of the agent; or ``{agent: items}``, where a number that is also a name (of a pandas
            index, say) is the name.
        guarantees: axioms that the algorithm is proven to reach on such an instance.
        algorithm: what made it.

    Raises:
        ArgumentError: an item without an owner, or with several; an owner that is none of the agents.

    >>> inst = Instance([[2, -1, -1], [2, -1, -1]], agents=["Ann", "Bob"], items=["cake", "dishes", "dust"])
    >>> answer = Allocation(inst, {"Ann": ["cake", "dust"], "Bob": ["dishes"]})
    >>> answer.owner.tolist(), answer.utilities
    ([0, 1, 0], {'Ann': 1, 'Bob': -1})
    """

    instance: Instance
    owner: Any
    guarantees: tuple[str, ...] = ()
    algorithm: str = ""

    def __post_init__(self) -> None:
        inst = self.instance
        given = self.owner
        if isinstance(given, Mapping):
            found: dict[int, int] = {}
            for agent, items in given.items():
                if isinstance(items, str) or not hasattr(items, "__iter__"):
                    raise ArgumentError("owner", f"a list of items of {agent!r}", repr(items))
                for item in items:
                    o = inst.item(_named(item, inst.items))
                    if o in found:
                        raise ArgumentError("owner", "each item once", f"{inst.items[o]!r} twice")
                    found[o] = inst.agent(_named(agent, inst.agents))
            missing = next((o for o in range(inst.m) if o not in found), None)
            if missing is not None:
                raise ArgumentError("owner", "an owner of every item", f"none of {inst.items[missing]!r}")
            given = [found[o] for o in range(inst.m)]
        if not isinstance(given, (Sequence, np.ndarray)) and not hasattr(given, "tolist"):
            raise ArgumentError("owner", "a list of owners, or {agent: items}", type(given).__name__)
        numbers = isinstance(given, np.ndarray) and given.dtype == np.int64 and given.shape == (inst.m,)
        if numbers and not ((given < 0) | (given >= inst.n)).any():
            owner = given.copy()
        else:
            given = given.tolist() if hasattr(given, "tolist") else list(given)
            if not isinstance(given, list) or len(given) != inst.m:
                raise ArgumentError("owner", f"{inst.m} owners, one of each item", f"{given!r}"[:80])
            owner = np.array([self._agent(item, who) for item, who in zip(inst.items, given)], dtype=np.int64)
        owner.flags.writeable = False
        object.__setattr__(self, "owner", owner)

    def _agent(self, item: str, who: Any) -> int:
        try:
            return self.instance.agent(who)
        except ArgumentError as problem:
            raise ArgumentError("owner", f"an agent as owner of {item!r}: {problem.expected}", problem.got) from None

    @property
    def utility_class(self) -> str:
        """The most special class that the utilities belong to."""
        return self.instance.utility_class

    @cached_property
    def bundles(self) -> dict[str, tuple[str, ...]]:
        """What each agent gets, by names."""
        inst = self.instance
        return {a: tuple(inst.items[o] for o in np.flatnonzero(self.owner == i)) for i, a in enumerate(inst.agents)}

    @cached_property
    def values(self) -> np.ndarray:
        """What the bundle of ``j`` is worth to ``i``, ``[n, n]``, in units of the instance's ``numbers``."""
        return bundle_sums(self.instance.numbers, self.owner, self.instance.n)

    @property
    def utilities(self) -> dict[str, Any]:
        """What each agent's bundle is worth to them."""
        return {a: self.instance.in_units(v) for a, v in zip(self.instance.agents, self.values.diagonal())}

    @property
    def utilitarian(self) -> Any:
        """The sum of all utilities."""
        return self.instance.in_units(sum(self.values.diagonal().tolist()))

    @property
    def egalitarian(self) -> Any:
        """The least utility."""
        return min(self.utilities.values())

    @property
    def nash(self) -> Any:
        """The product of utilities, which is to be large; None where one is negative."""
        each = list(self.utilities.values())
        return math.prod(each) if all(value >= 0 for value in each) else None

    @property
    def disutility_nash(self) -> Any:
        """The product of the sizes of utilities, which is to be small; None where one is positive."""
        each = list(self.utilities.values())
        return math.prod(-value for value in each) if all(value <= 0 for value in each) else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Allocation):
            return NotImplemented
        return self.instance == other.instance and bool((self.owner == other.owner).all())

    def __hash__(self) -> int:
        return hash((self.instance, tuple(self.owner.tolist())))

    def __str__(self) -> str:
        return "; ".join(f"{agent}: {', '.join(items) or 'nothing'}" for agent, items in self.bundles.items())


def _named(which: Any, names: tuple[str, ...]) -> Any:
    """A number that stands for a name, as in a table whose index are numbers, as this name."""
    return str(which) if not isinstance(which, str) and str(which) in names else which


def bundle_sums(u: np.ndarray, owner: np.ndarray, n: int) -> np.ndarray:
    """Sums of columns by owner, ``[len(u), n]``."""
    return _by_owner(np.add, u, owner, n, 0)


def bundle_extremes(ufunc: np.ufunc, u: np.ndarray, owner: np.ndarray, n: int, empty: Any) -> np.ndarray:
    """Minima or maxima of columns by owner, ``[len(u), n]``; ``empty`` of those who have none."""
    return _by_owner(ufunc, u, owner, n, empty)


def _by_owner(ufunc: np.ufunc, u: np.ndarray, owner: np.ndarray, n: int, empty: Any) -> np.ndarray:
    out = np.full((len(u), n), empty, dtype=u.dtype)
    if u.shape[1]:
        order = np.argsort(owner, kind="stable")
        holders, starts = np.unique(owner[order], return_index=True)
        out[:, holders] = ufunc.reduceat(u[:, order], starts, axis=1)
    return out
