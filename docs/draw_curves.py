"""Draw what the guide to curves shows: `python docs/draw_curves.py` writes docs/images/isogeny-curves.svg.

Left: the class group Z/27 on supersingular curves over the field of 419 elements. Right: a volcano at 2, its crater on top.
"""

from __future__ import annotations

import math
from pathlib import Path

from erlangen.fields import curves
from erlangen.fields.curves import Curve

IMAGES = Path(__file__).parent / "images"
COLOURS = {3: "#1A7FC1", 5: "#D55E00", 7: "#009E73"}
SIDE = 420


def circle() -> list[str]:
    """The 27 curves along the ideal of norm 3, with the ways of 5 and 7."""
    E = Curve.montgomery(419, 0)
    way = [E, *curves.walk(E, [(3, 1)] * 26)]
    spot = {}
    for i, F in enumerate(way):
        angle = 2 * math.pi * i / len(way) - math.pi / 2
        spot[F] = (SIDE / 2 + 170 * math.cos(angle), SIDE / 2 + 170 * math.sin(angle), angle)
    parts = []
    for ell in (7, 5, 3):
        for F in way:
            (a, b, _), (c, d, _) = spot[F], spot[curves.walk(F, [(ell, 1)])[-1]]
            width = 2.2 if ell == 3 else 1
            parts.append(
                f'<path d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" stroke="{COLOURS[ell]}" stroke-width="{width}" opacity=".8"/>'
            )
    for F, (x, y, angle) in spot.items():
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="#6b7280"/>')
        x, y = SIDE / 2 + 192 * math.cos(angle), SIDE / 2 + 192 * math.sin(angle)
        parts.append(f'<text x="{x:.1f}" y="{y + 4:.1f}">{F.montgomery_coefficient}</text>')
    return parts


def volcano() -> list[str]:
    """A crater of five curves and two levels below it."""
    start = next(E for E in curves.curves_with_trace(197, 6) if E.endomorphism_order().f == 1)
    found = curves.volcano(start, 2)
    children: dict[int, list[int]] = {i: [] for i in range(len(found.curves))}
    for a, b in found.arrows:
        if found.levels[b] == found.levels[a] + 1:
            children[a].append(b)
    crater = [0]
    while True:
        ahead = [b for a, b in found.arrows if a == crater[-1] and found.levels[b] == 0 and b not in crater]
        if not ahead:
            break
        crater.append(ahead[0])
    left, width, tops = SIDE + 40, 500, (110, 230, 340)
    spot = {}
    for i, top in enumerate(crater):
        angle = 2 * math.pi * (i + 0.5) / len(crater) + math.pi / 2
        spot[top] = (left + width / 2 + 210 * math.cos(angle), tops[0] + 42 * math.sin(angle))
    for level in (1, 2):
        parents = sorted((p for p in spot if found.levels[p] == level - 1), key=lambda p: spot[p])
        row = [c for p in parents for c in children[p]]
        for i, c in enumerate(row):
            spot[c] = (left + width * (i + 0.5) / len(row), tops[level])
    parts = []
    for a, b in sorted({(min(a, b), max(a, b)) for a, b in found.arrows}):
        (x, y), (z, w) = spot[a], spot[b]
        colour = "#D55E00" if found.levels[a] == found.levels[b] == 0 else "#8a8f98"
        parts.append(f'<path d="M{x:.1f} {y:.1f}L{z:.1f} {w:.1f}" stroke="{colour}" stroke-width="1.8"/>')
    for i, (x, y) in spot.items():
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1A7FC1"/>')
        right, down = ((0, -10), (-17, 4), (0, 18))[found.levels[i]]
        parts.append(f'<text x="{x + right:.1f}" y="{y + down:.1f}">{found.curves[i].j}</text>')
    return parts


if __name__ == "__main__":
    style = "text{font:11px system-ui,sans-serif;text-anchor:middle;fill:#6b7280}path{fill:none}"
    body = "\n".join([*circle(), *volcano()])
    (IMAGES / "isogeny-curves.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 {SIDE}" role="img"><style>{style}</style>\n{body}\n</svg>\n'
    )
