"""Draw what the guide to PONITA shows: `python docs/draw_ponita.py` writes docs/images/ponita-grids.svg (a few seconds)."""

from __future__ import annotations

from pathlib import Path

import torch

import erlangen as er
from erlangen.actions.orientations import orientations

IMAGES = Path(__file__).parent / "images"
GRIDS = ("tetra", "octa", "ico", "dodeca", "repulsion(50)", "repulsion(100)")
SIDE, GAP, SEEDS, ACROSS = 128, 12, 8, 3
ROW = SIDE + GAP + 68


@torch.no_grad()
def error(grid: str) -> float:
    """By how much random rotations change the answer of an untrained network, relative to how answers spread; a mean over networks."""
    rng, found = torch.Generator().manual_seed(0), []
    pos, x = (torch.randn(64, 6, k, generator=rng, dtype=torch.float64) for k in (3, 1))
    turn = er.SO(3).sample(64, generator=rng, dtype=torch.float64)
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        net = er.nn.PONITA(1, 16, 1, 2, grid=grid).double()
        here, there = net(pos, x)[0], net(pos @ turn.mT, x)[0]
        found.append(float((here - there).norm() / (here - here.mean()).norm()))
    return sum(found) / SEEDS


def sheet() -> str:
    """Spheres in rows, with a background of their own: an image does not follow the page's theme."""
    parts = []
    tilt = er.SO(3).exp(er.SO(3).algebra.combine(torch.tensor([0.35, -0.5, 0.2], dtype=torch.float64)))
    for i, grid in enumerate(GRIDS):
        made, off = orientations(grid), error(grid)
        x, up, r = GAP + i % ACROSS * (SIDE + GAP) + SIDE / 2, i // ACROSS * ROW, SIDE / 2 - 4
        y = up + GAP + SIDE / 2
        parts.append(f'<circle cx="{x}" cy="{y}" r="{r}" fill="#f4f5fb" stroke="#999"/>')
        for a, b, depth in sorted((made.vectors @ tilt.T).tolist(), key=lambda o: o[2]):
            size, ink = 2.2 + 1.6 * (depth + 1) / 2, 0.25 + 0.75 * (depth + 1) / 2
            parts.append(
                f'<circle cx="{x + r * a:.1f}" cy="{y - r * b:.1f}" r="{size:.1f}" fill="#3949ab" fill-opacity="{ink:.2f}"/>'
            )
        label = [grid, f"{len(made)}, exact: {made.rotations.order} turns", f"other turns: {100 * off:.1f} %"]
        for k, text in enumerate(label):
            top = up + SIDE + GAP + 20 + 17 * k
            weight = ' font-weight="bold"' if not k else ""
            parts.append(
                f'<text x="{x}" y="{top}" text-anchor="middle" font-family="sans-serif" font-size="12"{weight}>{text}</text>'
            )
    wide, high = ACROSS * (SIDE + GAP) + GAP, len(GRIDS) // ACROSS * ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    path = IMAGES / "ponita-grids.svg"
    path.write_text(sheet())
    print(path)
