"""What both tasks are asked: the table, the bars and the claims of a contest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from erlangen.reporting import Claim, PlusMinus, Rival, Section, Table, bars_with_error, format_number
from erlangen.studies.base import Part
from erlangen.studies.clouds.contest import PIECE, Contender, Row, as_numbers

HEADS = ["network", "symmetry", "error", "median", "equivariance error", "parameters", "rate", "steps", "CPU s", f"ms / {PIECE}"]


def part_of(
    title: str,
    about: tuple[str, ...],
    contenders: Sequence[Contender],
    rows: Sequence[Row],
    closed: Row,
    *,
    quantity: str,
    unit: str,
    scale: str,
    peer: str,
    missing: str,
    beside: Callable[[Row], list[Rival]],
) -> Part:
    """The part of a study.

    Args:
        title, about: of its section.
        contenders, rows: who took part, and what they reached.
        closed: the row of the closed form.
        quantity, unit: what errors are; no unit where the quantity says it.
        scale: of the run, in words.
        peer: the name of the network of e3nn.
        missing: why that took no part; empty where it did.
        beside: what a user would pick instead, beside the best network of ours.
    """
    exact = {c.name for c in contenders if c.exact}
    most = max(row.apart for row in rows if row.name in exact)
    others = [row.apart for row in rows if row.name not in exact]
    worst, ours = max(rows, key=lambda row: row.error), [row for row in rows if row.name != peer]
    best = {way: min((row for row in ours if row.way == way), key=lambda row: row.error) for way in ("built in", "frame")}
    first = min(ours, key=lambda row: row.error)
    claims = [
        Claim("every network has a smaller error than the closed form", None, shown(worst), worst.below(closed), closed.error,
              scale, unit, f"the largest error, of {worst.name}; baseline: {closed.name}", key="closed-form"),
        Claim("networks that are exactly equivariant have the same error on moved data, to three digits", "exact", most, most <= 1e-3,
              max(others) if others else None, "float32", note="largest relative difference; baseline: networks on a grid",
              key="moved-same"),
        Claim("the best with its symmetry built in has a smaller error than the best behind a frame", None,
              shown(best["built in"]), best["built in"].below(best["frame"]), shown(best["frame"]), scale, unit,
              f"{best['built in'].name} beside {best['frame'].name}", key="built-in"),
    ]  # fmt: skip
    for row in rows:
        if row.name == peer:
            claims.append(
                Claim("the best of ours has a smaller error than the network of e3nn's products", None, shown(first),
                      first.below(row), shown(row), scale, unit,
                      f"{first.name}; baseline: fully connected products, not tuned", key="peer")
            )  # fmt: skip
    order = sorted(rows, key=lambda row: row.error)
    table: list[list[Any]] = [
        [r.name, r.way, shown(r), r.median, r.equivariance, r.parameters, r.rate, r.steps, r.seconds, 1e3 * r.latency]
        for r in order
    ]
    table.append([closed.name, closed.way, closed.error, closed.median, 0.0, closed.parameters, *[None] * 4])
    label = f"{quantity}, {unit}" if unit else quantity
    spread = "" if len(rows[0].errors) < 2 else "; ±: one standard error of the mean over seeds"
    bars = bars_with_error(
        [*(row.name for row in order), closed.name],
        {"test data": [*(row.error for row in order), closed.error], "moved": [*(row.moved for row in order), closed.moved]},
        {"test data": [*(row.uncertainty for row in order), 0.0]} if spread else None,
        title="Errors at equal CPU time",
        y_label=label,
        caption=scale + spread,
    )
    heading = label[0].upper() + label[1:]
    section = Section(title, about, tables=[Table(heading, HEADS, table, caption=scale + spread)], figures=[bars])
    reached = ", ".join(f"{row.name} {format_number(row.error, 3)}" for row in order)
    answer = f"{heading}, after training for equal time: {reached}; {closed.name}, a closed form, {format_number(closed.error, 3)}."
    numbers = as_numbers([*rows, closed])
    return Part(claims, [section], numbers, answer, {"peer": missing} if missing else {}, beside(first))


def shown(row: Row) -> PlusMinus | float:
    """The error, of several seeds with its standard error."""
    return PlusMinus(row.error, row.uncertainty) if len(row.errors) > 1 else row.error
