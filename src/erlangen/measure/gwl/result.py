"""`Result`: what a test found about two graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Int
from torch import Tensor

from erlangen.verdict import Verdict


class AmbiguousToleranceWarning(UserWarning):
    """A tolerance ten times larger or smaller gives another answer."""


@dataclass(frozen=True)
class Result:
    """Whether a test tells two graphs apart. True as a condition when it does.

    Attributes:
        distinguished: the answer.
        iteration: the first iteration at which the multisets of colours differ; ``None`` where they never do.
        level: the test: ``"WL"``, ``"IGWL(3)"``, ``"IGWL"``, ``"GWL"``.
        group: of which group.
        colors_a, colors_b: the colours of the nodes at that iteration, or at the last one, comparable between the two.
        iterations: how many were run.
        final: more iterations cannot change the answer. False where ``max_iter`` ended a search that found no difference.
        tol: numbers at most this far apart counted as equal.
        min_gap: how far apart the nearest two vectors (or lengths) were that counted as different; a lower bound where it is above ten
            times ``tol``, infinite where there were none.
        max_closed: how far apart were the furthest two that counted as equal.
        ambiguous: a tolerance ten times larger or smaller gives another answer.
    """

    distinguished: bool
    iteration: int | None
    level: str
    group: str
    colors_a: Int[Tensor, " n"]
    colors_b: Int[Tensor, " m"]
    iterations: int
    final: bool
    tol: float
    min_gap: float
    max_closed: float
    ambiguous: bool

    def __bool__(self) -> bool:
        return self.distinguished

    @property
    def test(self) -> str:
        """The test and its group."""
        return self.level if self.level == "WL" else f"{self.level} under {self.group}"

    def __str__(self) -> str:
        if self.distinguished:
            text = f"{self.test}: distinguished at iteration {self.iteration}"
        elif self.final:
            text = f"{self.test}: never distinguished"
        else:
            text = f"{self.test}: not distinguished in {self.iterations} iterations"
        return text + (f" (tolerance {self.tol:.1e} is ambiguous)" if self.ambiguous else "")

    def verdict(self) -> Verdict:
        """As a :class:`~erlangen.verdict.Verdict` of the claim that the test tells them apart; exact, up to the tolerance of numbers."""
        numbers = {"iterations": self.iterations, "tol": self.tol, "min_gap": self.min_gap, "max_closed": self.max_closed}
        if self.iteration is not None:
            numbers = {"iteration": self.iteration, **numbers}
        reason = "tolerance ambiguous" if self.ambiguous else "" if self.distinguished or self.final else "max_iter reached"
        claim = f"{self.test} tells the two graphs apart"
        return Verdict(self.distinguished, claim, how="exact", numbers=numbers, witness=self, reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the colours, ready for JSON."""
        return {
            "level": self.level,
            "group": self.group,
            "distinguished": self.distinguished,
            "iteration": self.iteration,
            "iterations": self.iterations,
            "final": self.final,
            "tol": self.tol,
            "min_gap": None if self.min_gap == float("inf") else self.min_gap,
            "max_closed": self.max_closed,
            "ambiguous": self.ambiguous,
        }
