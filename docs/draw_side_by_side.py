"""Draw what the guide shows of networks side by side, from two saved runs: `python docs/draw_side_by_side.py NBODY.json FORCES.json`.

The files are those that `erlangen run clouds` and `erlangen run clouds --part forces` save; docs/images/side-by-side.svg is written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parent / "images"
LABEL, BAR, STEP, GAP = 150, 190, 22, 24
COLOURS = {"built in": "#3949ab", "on a grid": "#7e57c2", "frame": "#c2410c", "closed form": "#64748b"}
TITLES = ("charged bodies, mean squared error", "forces of ethanol, meV/angstrom")


def panel(rows: dict[str, Any], title: str, above: int) -> str:
    """Bars in order, each with its number, coloured by how the network is symmetric; a line as long as two standard errors at its end."""
    largest = max(row["error"] for row in rows.values())
    parts = [f'<text x="10" y="{above + 22}" font-size="13" font-weight="bold">{title}</text>']
    for k, (name, row) in enumerate(sorted(rows.items(), key=lambda item: item[1]["error"])):
        top, wide = above + 36 + k * STEP, BAR * row["error"] / largest
        parts.append(f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end">{name.replace("<", "&lt;")}</text>')
        parts.append(f'<rect x="{LABEL}" y="{top + 2}" width="{wide:.1f}" height="{STEP - 6}" fill="{COLOURS[row["way"]]}"/>')
        spread = BAR * row["uncertainty"] / largest
        ends = f"M{LABEL + wide - spread:.1f} {top + STEP / 2 - 1}h{2 * spread:.1f}"
        parts.append(f'<path d="{ends}" stroke="#222" stroke-width="2"/>')
        value = f"{row['error']:.0f}" if row["error"] > 1 else f"{row['error']:.4f}"
        parts.append(f'<text x="{LABEL + wide + spread + 5:.1f}" y="{top + 13}">{value}</text>')
    return "".join(parts)


def sheet(tasks: list[dict[str, Any]]) -> str:
    """Both tasks below each other, on a background of their own: an image does not follow the page's theme."""
    panels, high = [], 0
    for rows, title in zip(tasks, TITLES):
        panels.append(panel(rows, title, high))
        high += 36 + STEP * len(rows) + GAP
    wide, high = LABEL + BAR + 70, high + 20
    legend = [
        f'<rect x="{10 + 98 * k}" y="{high - 24}" width="12" height="12" fill="{colour}"/>'
        f'<text x="{26 + 98 * k}" y="{high - 14}">{way}</text>'
        for k, (way, colour) in enumerate(COLOURS.items())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(panels + legend)}</svg>\n'
    )


if __name__ == "__main__":
    (IMAGES / "side-by-side.svg").write_text(sheet([json.loads(Path(path).read_text())["metrics"] for path in sys.argv[1:3]]))
