"""Figures of charges and boundary data, for reports."""

from __future__ import annotations

import math
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime.data import BoundaryData
from erlangen.fields.spacetime.linking import link_generator
from erlangen.fields.spacetime.matter import History
from erlangen.fields.spacetime.series import circle
from erlangen.fields.spacetime.vectors import BMS3Vector
from erlangen.reporting import Figure, Line, bars_with_error, lines_with_band


def draw_charges(past: BoundaryData, future: BoundaryData, modes: int = 4, *, title: str = "") -> Figure:
    """The charges of ``T = cos(m phi)`` at the future end beside those of the linked generators at the past end, and what they would be
    called without the turn by pi.

    Raises:
        ArgumentError: a batch of data, or not one of each end.
    """
    for name, data, end in (("past", past, "past"), ("future", future, "future")):
        if data.end != end or data.batch:
            raise ArgumentError(name, f"one datum of the {end} end", repr(data))
    phi, rows = circle(future.n), {"future": [], "past, linked": [], "past, without the turn": []}  # type: ignore[var-annotated]
    for m in range(modes + 1):
        vector = BMS3Vector(torch.cos(m * phi), 0)
        found = (future.charge(vector), past.charge(link_generator(vector)), past.charge(vector))
        for row, value in zip(rows.values(), found):
            row.append(float(value))
    return bars_with_error(
        [f"m = {m}" for m in range(modes + 1)],
        rows,
        title=title or "Charges of T = cos(m phi) at both ends",
        y_label="Q",
        caption="The first two bars of each group are the same charge. Without the turn by pi, odd ones come out with the wrong sign.",
    )


def draw_aspects(past: BoundaryData, future: BoundaryData, *, title: str = "") -> Figure:
    """The mass aspect of one datum at both ends over the angle."""
    for name, data in (("past", past), ("future", future)):
        if data.batch:
            raise ArgumentError(name, "one datum", repr(data))
    lines = {}
    for name, data in (("past", past), ("future", future)):
        x = torch.cat([circle(data.n), torch.tensor([2 * math.pi])]) / math.pi
        lines[name] = Line(x, torch.cat([data.theta.detach(), data.theta.detach()[:1]]).double())
    return lines_with_band(
        lines,
        title=title or "The mass aspect at both ends",
        x_label="angle / pi",
        y_label="Theta",
        caption="The same curve, half a turn apart.",
    )


def draw_history(history: History, generators: dict[str, Any], *, title: str = "") -> Figure:
    """Charges over time under fluxes: for each name a generator, ``T`` or the pair ``(T, Y)``."""
    lines = {}
    for name, given in generators.items():
        T, Y = given if isinstance(given, tuple) else (given, 0.0)
        lines[name] = Line(history.times, history.charge(T, Y).detach())
    time = "u" if history.end == "future" else "v"
    return lines_with_band(
        lines,
        title=title or "Charges while matter passes",
        x_label=time,
        y_label="Q",
        caption="Each charge changes by what its flux carries through the end.",
    )
