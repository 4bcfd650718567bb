"""Draw what the guide to Lie-group convolution shows: `python docs/draw_lie_convolution.py` writes docs/images/lie-convolution.svg."""

from __future__ import annotations

from pathlib import Path

import torch

import erlangen as er
from erlangen.datasets import mnist, moved, on_canvas

IMAGES = Path(__file__).parent / "images"
SIDE, GAP, LEFT = 96, 10, 140


def rows() -> dict[str, torch.Tensor]:
    """One digit moved by several affine maps, and what a network by factors sees of it."""
    x, y = mnist()
    digit = on_canvas(x[y == 4][3:4]).repeat(6, 1, 1, 1)
    generator = torch.Generator().manual_seed(4)
    images = torch.cat([digit[:1], moved(digit[:5], "GL+(2)", generator)])
    net = er.nn.LieConvNet(er.Affine(2), channels=(4,), angles=8)
    aligned = net.aligned(images)
    found = {"the image": images[:, 0], "stretch taken off": aligned[:, 0, 0], "and turned by 1/8": aligned[:, 1, 0]}
    return {name: torch.nn.functional.avg_pool2d(one, 2) for name, one in found.items()}


def picture(image: torch.Tensor, left: float, top: float) -> str:
    """Ink as squares, runs of equal grey joined."""
    size = SIDE / len(image)
    parts = [f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="#fff" stroke="#999"/>']
    greys = (image.clamp(0, 1) * 6).round().int().tolist()
    for r, row in enumerate(greys):
        start = 0
        for c in range(1, len(row) + 1):
            if c == len(row) or row[c] != row[start]:
                if row[start]:
                    parts.append(
                        f'<rect x="{left + start * size:.1f}" y="{top + r * size:.1f}" width="{(c - start) * size:.1f}" '
                        f'height="{size:.1f}" fill="#1a237e" fill-opacity="{row[start] / 6:.2f}"/>'
                    )
                start = c
    return "".join(parts)


def sheet(shown: dict[str, torch.Tensor]) -> str:
    """A row for each name, with a background of their own: an image does not follow the page's theme."""
    count = len(next(iter(shown.values())))
    wide, high = LEFT + count * (SIDE + GAP), GAP + len(shown) * (SIDE + GAP)
    parts = []
    for i, (name, images) in enumerate(shown.items()):
        top = GAP + i * (SIDE + GAP)
        parts.append(f'<text x="{GAP}" y="{top + SIDE / 2}" font-family="sans-serif" font-size="12">{name}</text>')
        parts += [picture(image, LEFT + j * (SIDE + GAP), top) for j, image in enumerate(images)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    path = IMAGES / "lie-convolution.svg"
    path.write_text(sheet(rows()))
    print(path)
