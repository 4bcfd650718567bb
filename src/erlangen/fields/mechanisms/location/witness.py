"""What shows that an axiom fails: a manipulation, an outcome that somebody could better, a symmetry that is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


def place(y: Float[np.ndarray, " d"]) -> str:
    """A point, short: ``(1.5, 2)``."""
    return "(" + ", ".join(f"{v:.6g}" for v in np.atleast_1d(y)) + ")"


@dataclass(frozen=True, eq=False)
class Manipulation:
    """One or several agents who gain by reporting something else.

    Attributes:
        profile: where everybody is, ``[n, d]``.
        agents: who reports something else.
        reports: what, ``[agents, d]``.
        before, after: the places ``[k, d]`` (of a lottery ``[outcomes, k, d]``) when all are honest, and then.
        costs_before, costs_after: what each of the agents pays, measured from where it is.
    """

    profile: np.ndarray
    agents: tuple[int, ...]
    reports: np.ndarray
    before: np.ndarray
    after: np.ndarray
    costs_before: np.ndarray
    costs_after: np.ndarray

    @property
    def gain(self) -> float:
        """What the agent gains that gains least."""
        return float((self.costs_before - self.costs_after).min())

    def in_words(self, names: Sequence[str] | None = None) -> str:
        """Who could gain, and how."""
        who = [names[a] if names else f"agent {a}" for a in self.agents]
        parts = [
            f"{name} at {place(self.profile[agent])} reports {place(report)} and pays {after:.6g} in place of {before:.6g}"
            for name, agent, report, before, after in zip(
                who, self.agents, self.reports, self.costs_before, self.costs_after, strict=True
            )
        ]
        return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class Dominated:
    """An outcome beside one that is better for somebody and worse for nobody.

    Attributes:
        profile: ``[n, d]``.
        outcome, better: places ``[k, d]``.
        costs, better_costs: what each agent pays, ``[n]``.
    """

    profile: np.ndarray
    outcome: np.ndarray
    better: np.ndarray
    costs: np.ndarray
    better_costs: np.ndarray

    def in_words(self, names: Sequence[str] | None = None) -> str:
        """What would be better, and for whom."""
        i = int((self.costs - self.better_costs).argmax())
        who = names[i] if names else f"agent {i}"
        chosen, better = (" and ".join(map(place, places)) for places in (self.outcome, self.better))
        now, then = self.costs[i], self.better_costs[i]
        return f"{better} in place of {chosen} is worse for nobody, and {who} pays {then:.6g} in place of {now:.6g}"


@dataclass(frozen=True, eq=False)
class Different:
    """Two profiles whose outcomes ought to belong together and do not.

    Attributes:
        profile, other: the profiles.
        outcome: of the other one.
        expected: what it ought to be.
    """

    profile: np.ndarray
    other: np.ndarray
    outcome: np.ndarray
    expected: np.ndarray

    def in_words(self, names: Sequence[str] | None = None) -> str:
        """What comes, and what ought to."""
        got, wanted = (
            " and ".join(place(y) for y in places.reshape(-1, places.shape[-1])) for places in (self.outcome, self.expected)
        )
        return f"the outcome is {got} where it ought to be {wanted}"
