"""`Verdict`: the one answer to every question the library asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

How = Literal["exact", "exhaustive", "statistical", "search"]


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, why, and how hard it was tried.

    Args:
        holds: the answer; ``bool(verdict)`` is the same.
        claim: the question as a statement, e.g. ``"model is SO(3)-equivariant"``.
        how: ``"exact"`` (a proof or exact computation), ``"exhaustive"`` (every case looked at),
            ``"statistical"`` (random cases), ``"search"`` (a directed hunt for a counterexample).
        tried: how many cases were looked at.
        numbers: what was measured, by name, in plain floats and ints.
        interval: a confidence interval of the main number, where that means something.
        confidence: the level of ``interval``.
        witness: a case that shows it, or a counterexample; any object.
        reason: one sentence for a person.

    >>> v = Verdict(True, "x -> 2x is odd", how="exact", reason="it is linear")
    >>> bool(v), v.as_dict()["how"]
    (True, 'exact')
    >>> print(v)
    holds: x -> 2x is odd (exact; it is linear)
    """

    holds: bool
    claim: str
    how: How
    tried: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    confidence: float = 0.95
    witness: Any = field(default=None, compare=False, repr=False)
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "holds", bool(self.holds))
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))

    def __bool__(self) -> bool:
        return self.holds

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def __reduce__(self) -> tuple[Any, ...]:
        # The read-only view of the numbers can be neither pickled nor copied; models that keep a verdict and workers that return
        # one need both.
        return partial(type(self), **{**vars(self), "numbers": dict(self.numbers)}), ()

    def __str__(self) -> str:
        parts = [self.how if not self.tried else f"{self.how}, {self.tried} tried"]
        parts += [f"{name} {value:.3g}" for name, value in self.numbers.items()]
        if self.interval is not None:
            parts.append(f"{self.confidence:.0%} interval [{self.interval[0]:.3g}, {self.interval[1]:.3g}]")
        if self.reason:
            parts.append(self.reason)
        return f"{'holds' if self.holds else 'does not hold'}: {self.claim} ({'; '.join(parts)})"

    def as_dict(self) -> dict[str, Any]:
        """Everything but the witness, ready for JSON."""
        return {
            "holds": self.holds,
            "claim": self.claim,
            "how": self.how,
            "tried": self.tried,
            "numbers": dict(self.numbers),
            "interval": None if self.interval is None else list(self.interval),
            "confidence": self.confidence,
            "reason": self.reason,
        }
