"""Draw the picture of the guide to null infinity: `python docs/draw_null_infinity.py` writes docs/images/null-infinity.svg.

Left, light through Minkowski space from the past end to the future end; right, the mass aspect of one datum at both ends and its charges.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch

from erlangen.fields import spacetime as st

IMAGE = Path(__file__).parent / "images/null-infinity.svg"
WIDE, HIGH = 760, 300
PAST, FUTURE = "#D55E00", "#1A7FC1"


def data(n: int = 128) -> tuple[st.BoundaryData, st.BoundaryData]:
    """A cosmology that was boosted and twisted, at both ends."""
    element = st.BMS3Element(lambda phi: phi + 0.35 * torch.sin(phi - 0.7) + 0.08 * torch.cos(2 * phi), n=n)
    past = st.BoundaryData(0.5, 0.2, "past", n=n).act(element)
    return past, st.link(past)


def cone(middle: float, up: int) -> str:
    """Half of a double cone whose rim is the circle of angles."""
    top, tip = 150 - up * 95, 150
    colour, name = (FUTURE, "future") if up > 0 else (PAST, "past")
    label = top - 24 if up > 0 else top + 34
    return (
        f'<path d="M{middle - 90} {top} L{middle} {tip} L{middle + 90} {top}" fill="none" stroke="#999"/>'
        f'<ellipse cx="{middle}" cy="{top}" rx="90" ry="18" fill="none" stroke="{colour}" stroke-width="3"/>'
        f'<text x="{middle}" y="{label}" text-anchor="middle" fill="{colour}">{name} null infinity</text>'
    )


def light(middle: float, angle: float, dash: str) -> str:
    """A ray from the direction ``angle`` of the past end through the tip to the antipode at the future end."""
    x, y = 90 * math.cos(angle), 18 * math.sin(angle)
    start, end = (middle + x, 245 - y), (middle - x, 55 + y)
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="#222" stroke-dasharray="{dash}"/>'
        f'<circle cx="{start[0]:.1f}" cy="{start[1]:.1f}" r="4" fill="{PAST}"/>'
        f'<circle cx="{end[0]:.1f}" cy="{end[1]:.1f}" r="4" fill="{FUTURE}"/>'
    )


def curves(left: float, past: st.BoundaryData, future: st.BoundaryData) -> str:
    """Both mass aspects over the angle, from 0 to 2 pi."""
    wide, high, top = 220, 190, 50
    low, top_value = float(past.theta.min()), float(past.theta.max())

    def path(values: torch.Tensor) -> str:
        closed = torch.cat([values, values[:1]])
        x = torch.linspace(left, left + wide, len(closed))
        y = top + high * (1 - (closed - low) / (top_value - low))
        return "M" + " L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist()))

    ticks = "".join(
        f'<text x="{left + wide * part / 2}" y="{top + high + 20}" text-anchor="middle" fill="#666">{name}</text>'
        for part, name in ((0, "0"), (1, "π"), (2, "2π"))
    )
    return (
        f'<text x="{left + wide / 2}" y="28" text-anchor="middle">mass aspect Θ(φ)</text>'
        f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" fill="none" stroke="#ccc"/>'
        f'<path d="{path(past.theta)}" fill="none" stroke="{PAST}" stroke-width="2.5"/>'
        f'<path d="{path(future.theta)}" fill="none" stroke="{FUTURE}" stroke-width="2.5" stroke-dasharray="7 4"/>{ticks}'
    )


def bars(left: float, past: st.BoundaryData, future: st.BoundaryData) -> str:
    """Charges of cos(m phi), as linked and without the turn."""
    wide, high, top, modes = 190, 190, 50, 4
    phi, shapes = st.circle(past.n), []
    rows = []
    for m in range(modes):
        vector = st.BMS3Vector(torch.cos(m * phi), 0)
        values = (future.charge(vector), past.charge(st.link_generator(vector)), past.charge(vector))
        rows.append([float(v) for v in values])
    largest = max(abs(v) for row in rows for v in row)
    zero = top + high / 2
    for m, row in enumerate(rows):
        for i, (value, colour) in enumerate(zip(row, (FUTURE, PAST, "#bbb"))):
            tall = abs(value) / largest * high / 2
            x = left + wide * m / modes + 12 * i + 4
            shapes.append(
                f'<rect x="{x:.1f}" y="{zero - tall if value > 0 else zero:.1f}" width="10" height="{tall:.1f}" fill="{colour}"/>'
            )
        shapes.append(
            f'<text x="{left + wide * m / modes + 21:.1f}" y="{top + high + 20}" text-anchor="middle" fill="#666">{m}</text>'
        )
    return (
        f'<text x="{left + wide / 2}" y="28" text-anchor="middle">charges of cos mφ</text>{"".join(shapes)}'
        f'<line x1="{left}" y1="{zero}" x2="{left + wide}" y2="{zero}" stroke="#999"/>'
        f'<text x="{left + wide / 2}" y="{top + high + 42}" text-anchor="middle" fill="#666">grey: without the half turn</text>'
    )


def sheet() -> str:
    past, future = data()
    parts = [cone(120, 1), cone(120, -1), light(120, 0.6, ""), light(120, 2.2, "5 4")]
    parts += [curves(270, past, future), bars(545, past, future)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" fill="#222" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    IMAGE.write_text(sheet(), encoding="utf-8")
    print(IMAGE)
