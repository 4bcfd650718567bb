"""Draw where symmetry pays, for the guide, from saved runs: `python docs/draw_crossovers.py NAME=METRICS.json ...`.

Each file is one that a study saves (`metrics.json`), with an entry "crossover" among its metrics, or several in a mapping. For each, the
drawing docs/images/crossover-NAME.svg is written: curves of the method and of what a user would pick instead.
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

IMAGES = Path(__file__).parent / "images"
WIDE, HIGH, LEFT, TOP, LINE = 380, 200, 62, 34, 18
COLOURS = ("#3949ab", "#c2410c", "#0f766e", "#7e57c2", "#64748b")


def short(value: float) -> str:
    """A number for an axis."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def spread(runs: list[float]) -> float:
    """One standard deviation over seeds."""
    return stdev(runs) if len(runs) > 1 else 0.0


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Powers of ten where there are two of them, else round numbers."""
    if log:
        powers = [10.0**k for k in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
        if len(powers) > 1:
            return powers[:: max(1, len(powers) // 5)]
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(m for m in (5, 2, 1) if (high - low) / (m * step) >= 2)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def panel(found: dict[str, Any]) -> str:
    """One drawing: the method first and wide, rivals after it."""
    own = found["method"]
    names = [own, *(name for name in found["curves"] if name != own)]
    means = {name: [fmean(runs) for runs in found["curves"][name]] for name in names}
    ends = {name: [spread(runs) for runs in found["curves"][name]] for name in names}
    values = [m + sign * e for name in names for m, e in zip(means[name], ends[name]) for sign in (-1, 1)]
    log_x, log_y = found["log_x"], found["log_y"]
    values = [v for v in values if v > 0] if log_y else values
    low, high = min(values), max(values)
    low, high = (low / 1.2, high * 1.2) if log_y else (low - 0.06 * (high - low), high + 0.06 * (high - low))

    def part(v: float, a: float, b: float, log: bool) -> float:
        return (math.log(v / a) / math.log(b / a)) if log else (v - a) / (b - a)

    places = found["places"]
    x = [LEFT + 10 + (WIDE - 20) * part(p, places[0], places[-1], log_x) for p in places]

    def y(v: float) -> float:
        return TOP + HIGH * (1 - part(max(v, low), low, high, log_y))

    shapes = [f'<text x="10" y="20" font-size="13" font-weight="bold">{escape(found["quantity"])}</text>']
    for tick in ticks(low, high, log_y):
        shapes.append(f'<path d="M{LEFT} {y(tick):.1f}h{WIDE}" stroke="#e2e2e2"/>')
        shapes.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    for a, place in zip(x, places):
        shapes.append(f'<text x="{a:.1f}" y="{TOP + HIGH + 16}" text-anchor="middle">{short(place)}</text>')
    shapes.append(f'<text x="{LEFT + WIDE / 2}" y="{TOP + HIGH + 34}" text-anchor="middle">{escape(found["axis"])}</text>')
    for k, name in enumerate(names):
        colour, width = COLOURS[k % len(COLOURS)], 3 if name == own else 1.6
        points = " ".join(f"{a:.1f},{y(m):.1f}" for a, m in zip(x, means[name]))
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        for a, m, e in zip(x, means[name], ends[name]):
            shapes.append(f'<path d="M{a:.1f} {y(m - e):.1f}V{y(m + e):.1f}" stroke="{colour}"/>')
            shapes.append(f'<circle cx="{a:.1f}" cy="{y(m):.1f}" r="3" fill="{colour}"/>')
        at = TOP + HIGH + 54 + LINE * k
        shapes.append(f'<path d="M{LEFT} {at - 4}h22" stroke="{colour}" stroke-width="{width}"/>')
        shapes.append(f'<text x="{LEFT + 30}" y="{at}">{escape(name)}</text>')
    wide, high_ = LEFT + WIDE + 14, TOP + HIGH + 54 + LINE * len(names)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high_}" width="{wide}" height="{high_}" fill="#222" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(shapes)}</svg>\n'
    )


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        name, path = argument.split("=", 1)
        found = json.loads(Path(path).read_text())["metrics"]["crossover"]
        for key, one in ({"": found} if "places" in found else found).items():
            (IMAGES / f"crossover-{name}{'-' if key else ''}{key}.svg").write_text(panel(one))
