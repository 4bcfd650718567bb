"""Draw what the guide shows of crystal prediction: `python docs/draw_crystal_prediction.py` writes docs/images/crystal-prediction.svg."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from erlangen.fields.crystals import Crystal, DiffCSP
from erlangen.generate import Diffusion
from erlangen.generate.circle import score, score_size

IMAGES = Path(__file__).parent / "images"
SHOWN = (1000, 700, 400, 150, 1)
COLOURS, RADII = {56: "#2e7d32", 22: "#78909c", 8: "#e53935"}, {56: 15, 22: 10, 8: 7}
WIDE, HIGH, SCALE = 190, 230, 19
#: Two axes of the drawing plane, seen from the side and a little from above.
PLANE = torch.tensor([[0.94, -0.34, 0.0], [0.12, 0.33, -0.94]], dtype=torch.float64)


class Exact(nn.Module):
    """The best denoiser where there is one crystal only, which keeps what it is shown."""

    def __init__(self, model: DiffCSP, crystal: Crystal) -> None:
        super().__init__()
        self.parts, self.crystal = model.diffusion.process.parts, crystal
        self.seen: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, lattice: Tensor, frac: Tensor, t: Tensor, mask: Tensor, numbers: Tensor) -> dict[str, Tensor]:
        self.seen[int(t[0])] = (lattice[0], frac[0])
        kept, sigma = (table[t].reshape(-1, 1, 1) for table in (self.parts["lattice"].kept, self.parts["frac"].sigma))
        noise = (lattice - kept.sqrt() * self.crystal.cell) / (1 - kept).sqrt()
        return {"lattice": noise, "frac": score(frac - self.crystal.fractional, sigma) / score_size(sigma)}


def panel(cell: Tensor, frac: Tensor, numbers: Tensor, x: float, title: str) -> str:
    """One cell: its edges, and its atoms with those on its faces."""
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    middle = 0.5 * cell.sum(0)

    def place(f: Tensor) -> tuple[float, float]:
        u, v = (PLANE @ (f @ cell - middle)).tolist()
        return x + WIDE / 2 + SCALE * u, HIGH / 2 + 10 + SCALE * v

    parts = [f'<text x="{x + WIDE / 2}" y="22" text-anchor="middle" font-family="sans-serif" font-size="13">{title}</text>']
    for a, b in itertools.combinations(corners, 2):
        if int((a != b).sum()) == 1:
            (x1, y1), (x2, y2) = place(a), place(b)
            parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#9e9e9e"/>')
    atoms = []
    for f, number in zip(frac, numbers.tolist()):
        near = [(0.0, 1.0) if v < 0.02 else (0.0, -1.0) if v > 0.98 else (0.0,) for v in f.tolist()]
        atoms += [(f + torch.tensor(shift, dtype=torch.float64), number) for shift in itertools.product(*near)]
    towards = torch.linalg.cross(PLANE[0], PLANE[1])
    for f, number in sorted(atoms, key=lambda one: float(towards @ (one[0] @ cell))):
        cx, cy = place(f)
        parts.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{RADII[number]}" fill="{COLOURS[number]}" stroke="white" fill-opacity="0.9"/>'
        )
    return "".join(parts)


def sheet() -> str:
    """Five moments of one way back."""
    places = torch.tensor([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], dtype=torch.float64)
    target = Crystal(4.01 * torch.eye(3), places, ["Ba", "Ti", "O", "O", "O"])
    model = DiffCSP(width=8, layers=1, frequencies=2)
    network = Exact(model, target)
    like = {
        "lattice": torch.zeros(1, 3, 3, dtype=torch.float64),
        "frac": torch.zeros(1, 5, 3, dtype=torch.float64),
        "mask": torch.ones(1, 5, dtype=torch.bool),
        "numbers": target.numbers.unsqueeze(0),
    }
    Diffusion(model.diffusion.process, network, average=0.0).sample(like, generator=torch.Generator().manual_seed(5))
    drawn = [panel(*network.seen[step], target.numbers, k * WIDE, f"step {step}") for k, step in enumerate(SHOWN)]
    full = WIDE * len(SHOWN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {HIGH}" width="{full}" height="{HIGH}">'
        f'<rect width="{full}" height="{HIGH}" fill="white"/>{"".join(drawn)}</svg>\n'
    )


if __name__ == "__main__":
    (IMAGES / "crystal-prediction.svg").write_text(sheet(), encoding="utf-8")
