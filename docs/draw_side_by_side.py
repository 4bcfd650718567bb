"""Draw what the guide shows of networks side by side, from two saved runs: `python docs/draw_side_by_side.py NBODY.json FORCES.json`.

The files are those that `erlangen run clouds` and `erlangen run clouds --part forces` save; docs/images/side-by-side.svg is written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parent / "images"
LABEL, BAR, STEP, GAP = 150, 190, 22, 40
COLOURS = {"built in": "#3949ab", "on a grid": "#7e57c2", "frame": "#c2410c", "closed form": "#64748b"}
TITLES = ("charged bodies, mean squared error", "forces of ethanol, meV/angstrom")


def panel(rows: dict[str, Any], title: str, left: int) -> str:
    """Bars in order, each with its number, coloured by how the network is symmetric."""
    largest = max(row["error"] for row in rows.values())
    parts = [f'<text x="{left}" y="22" font-size="13" font-weight="bold">{title}</text>']
    for k, (name, row) in enumerate(sorted(rows.items(), key=lambda item: item[1]["error"])):
        top, wide = 36 + k * STEP, BAR * row["error"] / largest
        parts.append(f'<text x="{left + LABEL - 8}" y="{top + 13}" text-anchor="end">{name.replace("<", "&lt;")}</text>')
        parts.append(
            f'<rect x="{left + LABEL}" y="{top + 2}" width="{wide:.1f}" height="{STEP - 6}" fill="{COLOURS[row["way"]]}"/>'
        )
        parts.append(f'<text x="{left + LABEL + wide + 5:.1f}" y="{top + 13}">{row["error"]:.3g}</text>')
    return "".join(parts)


def sheet(tasks: list[dict[str, Any]]) -> str:
    """Both tasks beside each other, on a background of their own: an image does not follow the page's theme."""
    wide, high = 2 * (LABEL + BAR + 50) + GAP + 20, 36 + STEP * max(map(len, tasks)) + 36
    panels = [panel(rows, title, 10 + k * (LABEL + BAR + 50 + GAP)) for k, (rows, title) in enumerate(zip(tasks, TITLES))]
    legend = [
        f'<rect x="{10 + 110 * k}" y="{high - 24}" width="12" height="12" fill="{colour}"/>'
        f'<text x="{28 + 110 * k}" y="{high - 14}">{way}</text>'
        for k, (way, colour) in enumerate(COLOURS.items())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(panels + legend)}</svg>\n'
    )


if __name__ == "__main__":
    (IMAGES / "side-by-side.svg").write_text(sheet([json.loads(Path(path).read_text())["metrics"] for path in sys.argv[1:3]]))
