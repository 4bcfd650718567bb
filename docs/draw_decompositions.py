"""Draw what the guide to decompositions shows: `python docs/draw_decompositions.py` writes docs/images/decompositions.svg."""

from __future__ import annotations

from pathlib import Path

import torch

import erlangen as er

IMAGE = Path(__file__).parent / "images" / "decompositions.svg"
SIDE, GAP, MARGIN = 132, 10, 84
#: A letter that no rotation, reflection or stretch leaves alone.
LETTER = (
    torch.tensor([[-3, -5], [-3, 5], [3, 5], [3, 3], [-1, 3], [-1, 1], [2, 1], [2, -1], [-1, -1], [-1, -5]], dtype=torch.float64)
    / 7
)
ROWS = {
    "polar": ("stretch", "turn"),
    "iwasawa": ("turn", "diagonal", "unipotent"),
    "cartan": ("left turn", "diagonal", "right turn"),
    "ldu": ("lower", "diagonal", "upper"),
}


def panel(points: torch.Tensor, column: int, row: int, name: str) -> str:
    left, top = MARGIN + column * (SIDE + GAP), GAP + row * (SIDE + GAP + 14)
    x, y = left + SIDE * (0.5 + 0.3 * points[:, 0]), top + SIDE * (0.5 - 0.3 * points[:, 1])
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist())) + "Z"
    return (
        f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#ccc"/>'
        f'<path d="{path}" fill="#3949ab" fill-opacity="0.75"/>'
        f'<text x="{left + SIDE / 2}" y="{top + SIDE + 13}" text-anchor="middle">{name}</text>'
    )


def sheet(g: torch.Tensor) -> str:
    """A row for each decomposition: the letter, moved by one factor after the other, the last one first."""
    parts = []
    for row, (name, names) in enumerate(ROWS.items()):
        parts.append(f'<text x="{GAP}" y="{GAP + row * (SIDE + GAP + 14) + SIDE / 2}" font-weight="bold">{name}</text>')
        points = LETTER
        parts.append(panel(points, 0, row, "the letter"))
        factors = er.GLplus(2).decomposition(name).split(g)
        for column, (factor, what) in enumerate(zip(reversed(factors), reversed(names)), 1):
            points = points @ factor.mT
            parts.append(panel(points, column, row, f"{what}{' = g' if column == len(names) else ''}"))
    wide, high = MARGIN + 4 * (SIDE + GAP), len(ROWS) * (SIDE + GAP + 14) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    IMAGE.write_text(sheet(torch.tensor([[0.7, -1.0], [0.6, 0.9]], dtype=torch.float64)))
    print(IMAGE)
