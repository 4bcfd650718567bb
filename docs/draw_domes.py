"""Draw the domes of the guide to designing: `python docs/draw_domes.py` runs that page's code and writes docs/images/domes.svg."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

PAGE, IMAGE = (Path(__file__).parent / name for name in ("guide/design.md", "images/domes.svg"))
SIDE, MARGIN, LABEL = 230, 18, 34


def computed() -> dict[str, Any]:
    """What stands after the page's first blocks, up to the domes."""
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
        if "domes" in names:
            return names
    raise LookupError("the page has no domes")


def panel(names: dict[str, Any], column: int, title: str) -> str:
    """One dome from above: bars as thick as the square root of their volume for their length."""
    found, nodes, ends, span = (names["domes"][title], names["nodes"], names["ends"], names["span"])
    volumes = 0.2 / len(ends) + 0.8 * found.design / found.design.sum()
    width = (volumes / span.norm(dim=1)).sqrt() * 32
    x, y = MARGIN + column * (SIDE + MARGIN) + SIDE * (0.5 + 0.48 * nodes[:, 0]), MARGIN + SIDE * (0.5 - 0.48 * nodes[:, 1])
    order = found.subgroup.order
    lines = "".join(
        f'<line x1="{x[i]:.1f}" y1="{y[i]:.1f}" x2="{x[j]:.1f}" y2="{y[j]:.1f}" stroke-width="{w:.2f}"/>'
        for (i, j), w in zip(ends.tolist(), width.tolist())
    )
    dots = "".join(
        f'<rect x="{a - 4:.1f}" y="{b - 4:.1f}" width="8" height="8"/>' if i > 8 else f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>'
        for i, (a, b) in enumerate(zip(x.tolist(), y.tolist()))
    )
    middle = MARGIN + column * (SIDE + MARGIN) + SIDE / 2
    return (
        f'<g stroke="#3949ab" stroke-linecap="round">{lines}</g><g fill="#222">{dots}</g>'
        f'<text x="{middle}" y="{2 * MARGIN + SIDE + 4}" text-anchor="middle">{title}</text>'
        f'<text x="{middle}" y="{2 * MARGIN + SIDE + 20}" text-anchor="middle" fill="#666">{found.name}, {order} elements</text>'
    )


def sheet() -> str:
    names = computed()
    panels = "".join(panel(names, column, title) for column, title in enumerate(names["domes"]))
    wide, high = MARGIN + len(names["domes"]) * (SIDE + MARGIN), 2 * MARGIN + SIDE + LABEL
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>{panels}</svg>\n'
    )


if __name__ == "__main__":
    IMAGE.write_text(sheet(), encoding="utf-8")
    print(IMAGE)
