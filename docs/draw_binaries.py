"""Draw the sky of the guide to binaries: `python docs/draw_binaries.py` writes docs/images/binaries.svg."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from erlangen.fields import binaries
from erlangen.fields.binaries.report import EXCLUDED, hammer
from erlangen.reporting.figures import PALETTE

IMAGE = Path(__file__).parent / "images" / "binaries.svg"
WIDE, HIGH, SCALE, TOP = 640, 400, 108, 50


def place(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the map on the sheet."""
    return WIDE / 2 + SCALE * x, TOP + SCALE * 1.5 + 6 - SCALE * y


def curve(lon: np.ndarray, lat: np.ndarray, width: float) -> str:
    x, y = place(*hammer(lon, lat))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y))
    return f'<polyline points="{points}" stroke-width="{width}"/>'


def net() -> str:
    """Meridians and parallels, every 30 and 60 degrees."""
    lat, lon = np.linspace(-math.pi / 2, math.pi / 2, 61), np.linspace(-math.pi + 1e-9, math.pi - 1e-9, 121)
    lines = [curve(np.full_like(lat, math.radians(d)), lat, 0.6) for d in (-120, -60, 0, 60, 120)]
    lines += [curve(np.full_like(lat, s * (math.pi - 1e-9)), lat, 1.2) for s in (-1, 1)]
    lines += [curve(lon, np.full_like(lon, math.radians(d)), 1.2 if d == 0 else 0.6) for d in (-60, -30, 0, 30, 60)]
    return f'<g fill="none" stroke="#8a8f98">{"".join(lines)}</g>'


def marks() -> str:
    """The directions of the example's binaries: full where they are likely, rings where timing excludes them."""
    parts = []
    found = binaries.orientations(binaries.sources_of(binaries.example_table()))
    for i, one in enumerate(found):
        galactic, colour = one.candidates.galactic, PALETTE[i]
        x, y = place(*hammer(galactic.l.rad, galactic.b.rad))
        for a, b, w in zip(x, y, one.candidates.weights.tolist()):
            likely = w >= EXCLUDED
            parts.append(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{5 + 5 * math.sqrt(w) if likely else 5:.1f}" '
                f'fill="{colour if likely else "none"}" stroke="{colour}" stroke-width="1.5"/>'
            )
        column, row = i % 2, i // 2
        left, high = 40 + 310 * column, 20 + 20 * row
        parts.append(f'<circle cx="{left}" cy="{high - 4}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{left + 12}" y="{high}">{one.measured.name}: {one.left} directions</text>')
    return "".join(parts)


def sheet() -> str:
    said = "Galactic coordinates; rings are excluded by timing"
    foot = f'<text x="{WIDE / 2}" y="{HIGH - 10}" text-anchor="middle" fill="#666">{said}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" fill="#222" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>{net()}{marks()}{foot}</svg>\n'
    )


if __name__ == "__main__":
    IMAGE.write_text(sheet(), encoding="utf-8")
