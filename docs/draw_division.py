"""Draw the table of the guide to fair division: `python docs/draw_division.py` runs that page's first block, writes fair-division.svg."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE, IMAGE = (Path(__file__).parent / name for name in ("guide/fair-division.md", "images/fair-division.svg"))
WIDE, HIGH, LEFT, TOP = 92, 34, 96, 40


def computed() -> dict[str, Any]:
    """What stands after the page's first block."""
    names: dict[str, Any] = {}
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    exec(compile(block, str(PAGE), "exec"), names)
    return names


def sheet() -> str:
    """Cells in blue where an item is a burden and in orange where it is liked, a frame around who gets it, sums below."""
    names = computed()
    inst, answer = names["inst"], names["answer"]
    parts = []
    for i, agent in enumerate(inst.agents):
        x = LEFT + i * WIDE
        parts.append(f'<text x="{x + WIDE / 2}" y="{TOP - 14}" text-anchor="middle" font-weight="bold">{agent}</text>')
        for o in range(inst.m):
            y, value = TOP + o * HIGH, int(inst.numbers[i, o])
            colour, strength = ("#e8833a" if value > 0 else "#3f6fb5"), min(abs(value) / 6, 1) * 0.75
            mine = int(answer.owner[o]) == i
            frame = 'stroke="#222" stroke-width="3"' if mine else 'stroke="#fff" stroke-width="1"'
            parts.append(
                f'<rect x="{x + 3}" y="{y + 3}" width="{WIDE - 6}" height="{HIGH - 6}" rx="4" fill="{colour}" '
                f'fill-opacity="{strength:.2f}" {frame}/>'
            )
            weight = ' font-weight="bold"' if mine else ""
            parts.append(f'<text x="{x + WIDE / 2}" y="{y + HIGH / 2 + 5}" text-anchor="middle"{weight}>{value}</text>')
        total = answer.utilities[agent]
        parts.append(f'<text x="{x + WIDE / 2}" y="{TOP + inst.m * HIGH + 24}" text-anchor="middle">has {total}</text>')
    parts += [
        f'<text x="{LEFT - 10}" y="{TOP + o * HIGH + HIGH / 2 + 5}" text-anchor="end">{item}</text>'
        for o, item in enumerate(inst.items)
    ]
    wide, high = LEFT + inst.n * WIDE + 12, TOP + inst.m * HIGH + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222" '
        f'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    IMAGE.write_text(sheet(), encoding="utf-8")
    print(IMAGE)
