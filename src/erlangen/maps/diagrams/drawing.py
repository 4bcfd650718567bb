"""Drawings of diagrams as SVG: output axes above, input axes below, ties as curves, heads as jellyfish."""

from __future__ import annotations

import itertools

from erlangen.maps.diagrams.diagram import Diagram

_STEP, _HEIGHT, _MARGIN = 36, 72, 22


def svg(diagram: Diagram) -> str:
    """The drawing of one diagram, as an SVG element with a title for screen readers; it follows the page's text colour.

    >>> svg(Diagram.parse("1 2|3 4", top=2)).startswith("<svg")
    True
    """
    columns = max(diagram.top, diagram.bottom, 1)
    middle = any(diagram.heads)
    height = _HEIGHT + (_STEP if middle else 0)
    width = _MARGIN * 2 + _STEP * (columns - 1)
    parts: list[str] = []

    def place(v: int) -> tuple[float, float]:
        row, index, count = (0, v, diagram.top) if v < diagram.top else (1, v - diagram.top, diagram.bottom)
        return _MARGIN + _STEP * ((columns - count) / 2 + index), _MARGIN + row * height

    tied = {i: number for number, head in enumerate(diagram.heads) for i in head}
    for block in diagram.blocks:
        # Neighbours in one row by arcs; one edge between the rows.
        rows = [[v for v in block if v < diagram.top], [v for v in block if v >= diagram.top]]
        for row in rows:
            for a, b in itertools.pairwise(row):
                (x1, y1), (x2, _) = place(a), place(b)
                bend = y1 + (1 if y1 < height else -1) * min(12 + 6 * (b - a), height / 2.4)
                parts.append(f'<path d="M{x1:g} {y1:g} C{x1:g} {bend:g} {x2:g} {bend:g} {x2:g} {y1:g}" fill="none"/>')
        if rows[0] and rows[1]:
            (x1, y1), (x2, y2) = place(rows[0][0]), place(rows[1][0])
            parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')
    for number in range(len(diagram.heads)):
        x, y = width / 2 + (number - (len(diagram.heads) - 1) / 2) * _STEP, _MARGIN + height / 2
        for i in (i for i, n in tied.items() if n == number):
            v = diagram.blocks[i][0]
            x1, y1 = place(v)
            bend = (y + y1) / 2
            parts.append(
                f'<path d="M{x1:g} {y1:g} C{x1:g} {bend:g} {x:g} {bend:g} {x:g} {y:g}" fill="none" stroke-dasharray="4 3"/>'
            )
        parts.append(f'<ellipse cx="{x:g}" cy="{y:g}" rx="13" ry="9" fill-opacity="0.2"/>')
    dots = "".join(f'<circle cx="{place(v)[0]:g}" cy="{place(v)[1]:g}" r="4"/>' for v in range(diagram.size))
    lines = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height + 2 * _MARGIN:g}" role="img" '
        f'style="color:inherit"><title>{diagram}</title><g stroke="currentColor" stroke-width="2" fill="currentColor" '
        f'stroke-linecap="round">{lines}{dots}</g></svg>'
    )
