"""`Rival`: the simplest strong thing that a user would pick instead, beside a method, and who won."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from erlangen.errors import ArgumentError
from erlangen.reporting.claims import Claim
from erlangen.reporting.formatting import PlusMinus, format_value

#: The key of the claim that every study announces, and its statement.
RIVAL = "rival"
RIVAL_CLAIM = "it is better than the simplest strong thing that a user would pick instead"


@dataclass(frozen=True)
class Rival:
    """One quantity of a method and of its simplest strong rival, on the same data.

    Args:
        name: the rival, e.g. ``"boosting on Minkowski products"``.
        method: what it is beside, e.g. ``"the symmetrized network"``.
        quantity: what was measured, e.g. ``"AUC on test jets"``.
        measured, rival: its values: numbers, or :class:`~erlangen.reporting.PlusMinus` over seeds.
        better: which values are better.
        seconds, rival_seconds: CPU seconds of each, training and choices included.
        settings: of the rival, and how they were chosen.
        scale: data and seeds.
        unit: of the values.
        note: what one must know to read it, e.g. that the rival knows the law.
        level: a difference up to this is none; where values have a spread, one up to their joint spread is none either.

    Raises:
        ArgumentError: a value is no number, who is compared has no name, or ``level`` or seconds are no finite number from zero on.

    >>> row = Rival("ridge on invariants", "the network", "test error", 0.21, 0.18, "lower", seconds=60.0, rival_seconds=0.5)
    >>> row.winner, row.claim().holds
    ('rival', False)
    >>> row.sentence()
    'Ridge on invariants is better than the network here: test error 0.18 beside 0.21 (0.5 s beside 60 s).'
    """

    name: str
    method: str
    quantity: str
    measured: Any
    rival: Any
    better: Literal["lower", "higher"]
    seconds: float | None = None
    rival_seconds: float | None = None
    settings: str = ""
    scale: str = ""
    unit: str = ""
    note: str = ""
    level: float = 0.0

    def __post_init__(self) -> None:
        for argument, value in (("measured", self.measured), ("rival", self.rival)):
            if math.isnan(_mean(value, argument)):
                raise ArgumentError(argument, "a number", repr(value))
        if self.better not in ("lower", "higher"):
            raise ArgumentError("better", "'lower' or 'higher'", repr(self.better))
        if not 0 <= self.level < math.inf:
            raise ArgumentError("level", "a finite difference of at least zero", repr(self.level))
        for argument, name in (("name", self.name), ("method", self.method), ("quantity", self.quantity)):
            if not name:
                raise ArgumentError(argument, "words", repr(name))
        for argument, seconds in (("seconds", self.seconds), ("rival_seconds", self.rival_seconds)):
            if seconds is not None and not 0 <= seconds < math.inf:
                raise ArgumentError(argument, "seconds, a finite number of at least zero, or None", repr(seconds))

    @property
    def winner(self) -> Literal["method", "rival", "level"]:
        """Which is better, or neither."""
        ours, other = _mean(self.measured, "measured"), _mean(self.rival, "rival")
        if ours == other:  # of two infinities, too, whose difference is no number
            return "level"
        gain = other - ours if self.better == "lower" else ours - other
        if abs(gain) <= max(self.level, math.hypot(_spread(self.measured), _spread(self.rival))):
            return "level"
        return "method" if gain > 0 else "rival"

    def sentence(self) -> str:
        """Who won, in one sentence."""
        ours, other = format_value(self.measured, self.unit), format_value(self.rival, self.unit)
        took = ""
        if self.seconds is not None and self.rival_seconds is not None:
            first, second = (self.rival_seconds, self.seconds) if self.winner == "rival" else (self.seconds, self.rival_seconds)
            took = f" ({format_value(first, 's')} beside {format_value(second, 's')})"
        if self.winner == "rival":
            said = f"{self.name} is better than {self.method} here: {self.quantity} {other} beside {ours}{took}."
        elif self.winner == "method":
            said = f"{self.method} is better than {self.name}: {self.quantity} {ours} beside {other}{took}."
        else:
            said = f"{self.method} and {self.name} are level: {self.quantity} {ours} and {other}{took}."
        return said[0].upper() + said[1:]

    def claim(self) -> Claim:
        """The row in the table of claims; it holds where the method is better."""
        took = [
            f"{format_value(seconds, 's')} for {who}"
            for seconds, who in ((self.seconds, self.method), (self.rival_seconds, "the rival"))
            if seconds is not None
        ]
        note = "; ".join(part for part in (self.quantity, self.settings, ", ".join(took), self.note) if part)
        level = " (they are level)" if self.winner == "level" else ""
        return Claim(
            f"{self.method} is better than {self.name}{level}",
            None,
            self.measured,
            self.winner == "method",
            baseline=self.rival,
            scale=self.scale,
            unit=self.unit,
            note=note,
            key=RIVAL,
        )


def _mean(value: Any, argument: str) -> float:
    found = value.value if isinstance(value, PlusMinus) else value
    try:
        if isinstance(found, (str, bytes)):
            raise TypeError(found)
        return float(found)
    except (TypeError, ValueError, RuntimeError):  # torch says RuntimeError of several numbers
        raise ArgumentError(argument, "a number, or a PlusMinus", repr(value)) from None


def _spread(value: Any) -> float:
    found = float(value.spread) if isinstance(value, PlusMinus) else 0.0
    return 0.0 if math.isnan(found) else found
