"""Draw what the guide to asymmetric networks shows: `python docs/draw_asymmetric.py`, half a minute of CPU time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from erlangen.datasets import table
from erlangen.parameters import DeepEnsemble, interpolate, match_weights
from erlangen.studies.asymmetric_ensembles.arms import network

IMAGES = Path(__file__).parent / "images"
INKS = {"plain": "#3949ab", "plain, weights matched": "#00897b", "shared mask": "#e65100", "own masks": "#ad1457"}
DASHES = {"plain": "", "plain, weights matched": "7 4", "shared mask": "2 3", "own masks": "9 3 2 3"}
POINTS = [i / 20 for i in range(21)]
SIZES = (1, 2, 4, 8, 16)
SIDE, LEFT, TOP, GAP = 260, 62, 40, 84


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(x).argmax(-1) == y).double().mean())


def measured() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Accuracy on test digits by size of the ensemble, and along the line between two members, mean over eight pairs."""
    data = table("digits")
    x, y = data.test
    build = partial(network, 64, 64, 10)
    curves, lines = {}, {}
    for name, kind, masks in (("plain", None, "shared"), ("shared mask", "w", "shared"), ("own masks", "w", "per_member")):
        ensemble = DeepEnsemble(build, 16, masks, kind=kind, n_fix=[2, 3, 3, 3], restore_best=False)
        ensemble.fit(*data.train, validation=data.validation)
        curves[name] = [p.score for p in ensemble.curve(SIZES, x, y)]
        if masks == "per_member":
            continue  # there is no line between different masks
        pairs = list(zip(ensemble.members[::2], ensemble.members[1::2]))
        ways = {name: pairs}
        if name == "plain":
            ways["plain, weights matched"] = [(a, match_weights(a, b).moved) for a, b in pairs]
        for way, found in ways.items():
            rows = [[accuracy(m, x, y) for m in interpolate(a, b, POINTS)] for a, b in found]
            lines[way] = np.mean(rows, 0).tolist()
    return curves, lines


def panel(
    at: float, title: str, label: str, x: list[float], ticks: list[str], curves: dict[str, list[float]], low: float, high: float
) -> list[str]:
    """Curves in a frame, ``x`` from 0 to 1."""
    parts = [f'<rect x="{at}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>']

    def text(u: float, v: float, what: str, anchor: str = "middle", more: str = "") -> None:
        parts.append(
            f'<text x="{u:.1f}" y="{v:.1f}" text-anchor="{anchor}" font-family="sans-serif" font-size="12"{more}>{what}</text>'
        )

    text(at + SIDE / 2, TOP - 14, title, more=' font-weight="bold"')
    text(at + SIDE / 2, TOP + SIDE + 38, label)
    for i, tick in enumerate(ticks):
        text(at + SIDE * i / (len(ticks) - 1), TOP + SIDE + 18, tick)
    for i in range(5):
        value = low + (high - low) * i / 4
        v = TOP + SIDE * (1 - i / 4)
        parts.append(f'<line x1="{at}" x2="{at + SIDE}" y1="{v}" y2="{v}" stroke="#eee"/>')
        text(at - 8, v + 4, f"{value:.3g}", "end")
    for name, values in curves.items():
        points = " ".join(f"{at + SIDE * u:.1f},{TOP + SIDE * (1 - (v - low) / (high - low)):.1f}" for u, v in zip(x, values))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{INKS[name]}" stroke-width="2.5" stroke-dasharray="{DASHES[name]}"/>'
        )
    return parts


def sheet() -> str:
    """Two panels with a background of their own: an image does not follow the page's theme."""
    curves, lines = measured()
    steps = [i / (len(SIZES) - 1) for i in range(len(SIZES))]
    parts = panel(LEFT, "accuracy of an ensemble", "members", steps, [str(s) for s in SIZES], curves, 0.95, 0.99)
    second = LEFT + SIDE + GAP
    parts += panel(second, "accuracy between two members", "t", POINTS, ["0", "0.25", "0.5", "0.75", "1"], lines, 0.6, 1.0)
    for u, name in zip((60, 150, 350, 490), INKS):
        v = TOP + SIDE + 66
        dash = DASHES[name]
        parts.append(
            f'<line x1="{u}" x2="{u + 28}" y1="{v}" y2="{v}" stroke="{INKS[name]}" stroke-width="2.5" stroke-dasharray="{dash}"/>'
        )
        parts.append(f'<text x="{u + 34}" y="{v + 4}" font-family="sans-serif" font-size="12">{name}</text>')
    wide, high = second + SIDE + 30, TOP + SIDE + 84
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    path = IMAGES / "asymmetric-ensembles.svg"
    path.write_text(sheet())
    print(path)
