"""Draw what the guide to facility location shows: `python docs/draw_facility.py` writes docs/images/facility-core.svg and
docs/images/facility-lie.svg (seconds).

The first is a proof: a minimal set of profiles of two people for which no places fit together. The second is a false report that pays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from erlangen.fields.mechanisms import Domain, GeometricMedian, Median, check, prove

IMAGES = Path(__file__).parent / "images"
INK, BLUE, ORANGE, GREEN = "#444444", "#1A7FC1", "#D55E00", "#009E73"


def core() -> str:
    """The profiles of the core, one small grid each."""
    grid = Domain.grid(4, 3)
    answer = prove(grid, n=2)
    profiles = answer.core
    step, gap, across = 18, 36, 8
    width, height = 3 * step + gap, 2 * step + gap
    down = -(-len(profiles) // across)
    parts = []
    for i, profile in enumerate(profiles):
        left, top = gap + (i % across) * width, gap + (i // across) * height
        parts.append(
            f'<rect x="{left - 13}" y="{top - 13}" width="{3 * step + 26}" height="{2 * step + 26}" rx="5" fill="none" stroke="#cccccc"/>'
        )
        for x, y in grid.points:
            parts.append(f'<circle cx="{left + step * x:g}" cy="{top + step * (2 - y):g}" r="2" fill="#b8b8b8"/>')
        for x, y in profile:
            parts.append(f'<circle cx="{left + step * x:g}" cy="{top + step * (2 - y):g}" r="6" fill="{BLUE}"/>')
    title = f"{len(profiles)} profiles of two people on 4 x 3 points that have no places which fit together"
    return svg(across * width + gap, down * height + gap, parts, title)


def lie() -> str:
    """Five people, the best place, and the report by which one of them draws it nearer."""
    x = np.array([[0.0, 0.0], [4, 0], [1, 3], [5, 5], [2, -3]])
    found = check(GeometricMedian(), "SP", x).witness
    scale, left, top = 46, 170, 250

    def at(point: np.ndarray) -> tuple[float, float]:
        return left + scale * point[0], top - scale * point[1]

    (agent,) = found.agents
    start, end = at(x[agent]), at(found.reports[0])
    parts = [
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{ORANGE}" stroke-dasharray="5 4"/>'
    ]
    for point, name in zip(x, ("Ann", "Bob", "Cem", "Doe", "Eve"), strict=True):
        a, b = at(point)
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="6" fill="{BLUE}"/>', text(a + 10, b + 4, name)]
    places = [(found.before[0], GREEN, "least total distance"), (found.after[0], ORANGE, "after the false report")]
    places.append((Median()(x)[0], INK, "median of each coordinate"))
    for i, (point, colour, name) in enumerate(places):
        a, b = at(point)
        parts += [square(a, b, colour), square(450, 60 + 26 * i, colour), text(464, 64 + 26 * i, name)]
    a, b = end
    parts += [
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="6" fill="none" stroke="{ORANGE}" stroke-width="2"/>',
        text(a + 10, b + 4, "what is reported"),
    ]
    return svg(680, 480, parts, "A false report that draws the best place nearer")


def square(a: float, b: float, colour: str) -> str:
    """A place."""
    return f'<rect x="{a - 6:.1f}" y="{b - 6:.1f}" width="12" height="12" fill="{colour}"/>'


def text(a: float, b: float, words: str) -> str:
    """Words beside a point."""
    return f'<text x="{a:.1f}" y="{b:.1f}" font-family="sans-serif" font-size="14" fill="{INK}">{words}</text>'


def svg(width: float, height: float, parts: list[str], title: str) -> str:
    """A picture on white."""
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n<title>{title}</title>\n'
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>\n{inside}\n</svg>\n'
    )


if __name__ == "__main__":
    (IMAGES / "facility-core.svg").write_text(core(), encoding="utf-8")
    (IMAGES / "facility-lie.svg").write_text(lie(), encoding="utf-8")
