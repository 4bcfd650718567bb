"""Draw the diagrams that the guide shows: `python docs/draw_diagrams.py` writes docs/images/diagrams-*.svg."""

from __future__ import annotations

import re
from pathlib import Path

import erlangen as er
from erlangen.maps import Axis, Diagram, Space, diagrams

IMAGES = Path(__file__).parent / "images"


def sheet(listed: list[Diagram], columns: int) -> str:
    """Many drawings on one, each with its text below."""
    drawings = [d.svg() for d in listed]
    sizes = [tuple(int(float(v)) for v in re.search(r'width="([\d.]+)" height="([\d.]+)"', s).groups()) for s in drawings]
    wide, high = max(w for w, _ in sizes) + 34, max(h for _, h in sizes) + 26
    parts = []
    for i, (d, drawing, (w, _)) in enumerate(zip(listed, drawings, sizes)):
        x, y = wide * (i % columns), high * (i // columns)
        inner = drawing.replace("<svg ", f'<svg x="{x + (wide - w) / 2:g}" y="{y}" ', 1)
        text = (
            f'<text x="{x + wide / 2:g}" y="{y + high - 10}" text-anchor="middle" font-family="monospace" font-size="12">{d}</text>'
        )
        parts.append(inner + text)
    rows = -(-len(listed) // columns)
    # A background and a colour of its own: an image does not follow the page's theme.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide * columns} {high * rows}" width="{wide * columns}" '
        f'height="{high * rows}" color="#222" fill="#222"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def sheets() -> dict[str, str]:
    """File name -> drawing."""

    def between(group: er.Group, k: int, l: int) -> list[Diagram]:
        return list(diagrams(Space((Axis(group),) * k), Space((Axis(group),) * l)))

    jellyfish = [d for d in between(er.Alternating(4), 2, 2) if d.heads]
    return {
        "diagrams-symmetric.svg": sheet(between(er.Symmetric(4), 2, 2), 8),
        "diagrams-jellyfish.svg": sheet(jellyfish, 7),
        "diagrams-brauer.svg": sheet(between(er.O(3), 2, 2), 3),
        "diagrams-rotations.svg": sheet(between(er.SO(3), 3, 2), 6),
    }


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name, text in sheets().items():
        (IMAGES / name).write_text(text)
        print(IMAGES / name)
