"""`Crossover`: a method and what a user would pick instead along an axis, and where which of them is ahead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import Figure, Line, lines_with_band
from erlangen.reporting.formatting import format_number, repeated
from erlangen.reporting.parts import Section, Table
from erlangen.reporting.rivals import Rival


@dataclass(frozen=True)
class Crossover:
    """A quantity of a method and of its simple rivals over sample sizes, noise, dimensions or how far a law is known.

    Args:
        axis: what is varied, e.g. ``"systems to learn from"``.
        places: its values, increasing.
        quantity: what was measured, e.g. ``"mean squared error"``.
        better: which values are better.
        method: which of the curves is the method; the others are rivals.
        curves: for each name a value of each seed at each place, ``[places][seeds]``.
        log_x, log_y: axes of the figure; logarithmic ones need positive numbers.
        note: what one must know to read it: what is held fixed, what a rival knows.

    Raises:
        ArgumentError: fewer than two places or they do not increase, ``better`` is neither, a curve has another number of places, numbers
            instead of lists of them (of one seed: ``[[0.5], [0.1]]``) or a value that is no finite number,
            the method is no curve or the only one, or an axis is logarithmic and a number on it is not positive.

    >>> found = Crossover(
    ...     "systems", (100, 1000), "test error", "lower", "the network",
    ...     {"the network": [[0.5, 0.6], [0.10, 0.11]], "ridge": [[0.30, 0.32], [0.29, 0.30]]},
    ... )
    >>> found.winners("ridge"), found.sentence()
    (('rival', 'method'), 'Ridge is ahead of the network at 100 systems, behind it at 1,000.')
    """

    axis: str
    places: Sequence[float]
    quantity: str
    better: Literal["lower", "higher"]
    method: str
    curves: Mapping[str, Sequence[Sequence[float]]]
    log_x: bool = True
    log_y: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.places, self.places[1:]))
        if len(self.places) < 2 or not rising or not all(math.isfinite(place) for place in self.places):
            raise ArgumentError("places", "at least two finite numbers that increase", repr(self.places))
        if self.better not in ("lower", "higher"):
            raise ArgumentError("better", "'lower' or 'higher'", repr(self.better))
        if self.method not in self.curves or len(self.curves) < 2:
            raise ArgumentError("curves", f"{self.method!r} and at least one rival", list(self.curves))
        for name, curve in self.curves.items():
            if len(curve) != len(self.places) or not all(isinstance(runs, Sized) and len(runs) for runs in curve):
                raise ArgumentError("curves", f"a value of each seed at each of {len(self.places)} places", f"{name!r}: {curve!r}")
            if not all(math.isfinite(value) for runs in curve for value in runs):
                raise ArgumentError("curves", "finite numbers", f"{name!r}: {curve!r}")
            if self.log_y and not all(value > 0 for runs in curve for value in runs):
                raise ArgumentError("log_y", "positive values", f"{name!r}: {curve!r}")
        if self.log_x and self.places[0] <= 0:
            raise ArgumentError("log_x", "positive places", repr(self.places))

    @property
    def rivals(self) -> tuple[str, ...]:
        """The names of the other curves."""
        return tuple(name for name in self.curves if name != self.method)

    def winners(self, rival: str) -> tuple[Literal["method", "rival", "level"], ...]:
        """Who is ahead at each place, as :class:`~erlangen.reporting.Rival` judges: differences within the joint spread are none."""
        return tuple(
            Rival(rival, self.method, self.quantity, repeated(ours), repeated(other), self.better).winner
            for ours, other in zip(self.curves[self.method], self.curves[rival])
        )

    def sentence(self) -> str:
        """Where which is ahead, a sentence for each rival."""
        return " ".join(self._said(rival) for rival in self.rivals)

    def _said(self, rival: str) -> str:
        runs = [
            (who, [place for _, place in group]) for who, group in groupby(zip(self.winners(rival), self.places), lambda p: p[0])
        ]
        words = {"rival": ("ahead of", "ahead"), "method": ("behind", "behind it"), "level": ("level with", "level")}
        parts = []
        for k, (who, at) in enumerate(runs):
            where = format_number(at[0]) if len(at) == 1 else f"{format_number(at[0])} to {format_number(at[-1])}"
            parts.append(f"{words[who][0]} {self.method} at {where} {self.axis}" if k == 0 else f"{words[who][1]} at {where}")
        said = f"{rival} is " + ", ".join(parts) + "."
        return said[0].upper() + said[1:]

    def figure(self) -> Figure:
        """All curves; bands are one standard deviation over seeds to either side."""
        several = all(len(runs) == len(curve[0]) > 1 for curve in self.curves.values() for runs in curve)
        lines = {
            name: Line.of_runs(self.places, list(zip(*curve)))
            if several
            else Line(self.places, [sum(runs) / len(runs) for runs in curve])
            for name, curve in self.curves.items()
        }
        return lines_with_band(
            lines,
            title=f"{self.quantity} over {self.axis}",
            x_label=self.axis,
            y_label=self.quantity,
            log_x=self.log_x,
            log_y=self.log_y,
            caption="Bands: one standard deviation over seeds." if several else "",
            alt=self.sentence(),
        )

    def section(self, heading: str = "Where it pays") -> Section:
        """The sentence, the figure and a table of all values."""
        rows = [[place, *(repeated(curve[i]) for curve in self.curves.values())] for i, place in enumerate(self.places)]
        table = Table(f"{self.quantity} over {self.axis}", [self.axis, *self.curves], rows, caption=self.note)
        return Section(heading, [self.sentence()], tables=[table], figures=[self.figure()])

    def as_dict(self) -> dict[str, Any]:
        """Every number, for an outcome's ``metrics`` (the guide's figures are drawn from there)."""
        return {
            "axis": self.axis,
            "places": list(self.places),
            "quantity": self.quantity,
            "better": self.better,
            "method": self.method,
            "curves": {name: [list(runs) for runs in curve] for name, curve in self.curves.items()},
            "log_x": self.log_x,
            "log_y": self.log_y,
        }
