"""Draw what the guide to attention over tuples shows: `python docs/draw_attention.py` writes docs/images/attention-pairs.svg."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from erlangen.nn import VectorAttention
from erlangen.training import TrainingConfig, train

IMAGES = Path(__file__).parent / "images"
POINTS, WIDTH, SIDE, GAP = 6, 16, 190, 14


class Nearest(nn.Module):
    """The smallest angle between two of several vectors of the plane, by one attention over pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = VectorAttention(WIDTH, dim=2, rank=2, parity="o3", include_normalized_products=True)
        self.last = nn.Linear(WIDTH, 1)

    def forward(self, r: Tensor) -> Tensor:
        return self.last(self.attend((r, r.new_zeros(*r.shape[:-1], WIDTH)))).squeeze(-1)


def clouds(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vectors of several lengths, and the cosine of the smallest angle between two."""
    angle = 6.2832 * torch.rand(n, POINTS, generator=generator)
    length = 0.5 + 0.5 * torch.rand(n, POINTS, 1, generator=generator)
    r = length * torch.stack([angle.cos(), angle.sin()], -1)
    apart = (angle.unsqueeze(1) - angle.unsqueeze(2)).cos() - 2 * torch.eye(POINTS)
    return r, apart.amax((1, 2))


def panel(r: Tensor, weights: Tensor, left: float) -> str:
    """Vectors as dots about a cross; lines between pairs, as wide as they are attended to."""
    x, y = (left + SIDE / 2 + 0.45 * SIDE * r[:, 0]).tolist(), (GAP + SIDE / 2 - 0.45 * SIDE * r[:, 1]).tolist()
    parts = [f'<rect x="{left}" y="{GAP}" width="{SIDE}" height="{SIDE}" fill="#fff" stroke="#bbb"/>']
    both = weights + weights.T
    for i in range(POINTS):
        for j in range(i):
            share = float(both[i, j])
            style = f'stroke="#c2410c" stroke-opacity="0.85" stroke-width="{8 * share:.2f}"'
            parts.append(f'<line x1="{x[i]:.1f}" y1="{y[i]:.1f}" x2="{x[j]:.1f}" y2="{y[j]:.1f}" {style}/>')
    centre, middle = left + SIDE / 2, GAP + SIDE / 2
    for a, b in zip(x, y):
        parts.append(f'<line x1="{centre:.1f}" y1="{middle:.1f}" x2="{a:.1f}" y2="{b:.1f}" stroke="#94a3b8"/>')
        parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="#3949ab"/>')
    return "".join(parts)


def main() -> None:
    """Train, and draw four clouds that were not learnt from."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = Nearest()
    settings = TrainingConfig(steps=1500, batch_size=128, lr=3e-3)
    train(model, clouds(4000, generator), lambda m, r, y: (m(r) - y).square().mean(), settings, quiet=True)
    r, y = clouds(1000, generator)
    with torch.no_grad():
        print(f"error of the cosine {float((model(r) - y).abs().mean()):.3f}, of its mean {float((y - y.mean()).abs().mean()):.3f}")
        _, weights = model.attend((r, r.new_zeros(*r.shape[:-1], WIDTH)), return_attention=True)
    off = weights + weights.mT - 2 * torch.diag_embed(weights.diagonal(dim1=1, dim2=2))
    closest = torch.nn.functional.normalize(r, dim=-1)
    closest = (closest @ closest.mT - 2 * torch.eye(POINTS)).flatten(1).argmax(1)
    print(f"the nearest pair has the largest weight in {float((off.flatten(1).argmax(1) == closest).float().mean()):.3f}")
    wide, high = 4 * (SIDE + GAP) + GAP, SIDE + 2 * GAP
    shown = "".join(panel(r[i], weights[i], GAP + i * (SIDE + GAP)) for i in range(4))
    ground = f'<rect width="{wide}" height="{high}" fill="#f8fafc"/>'
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}">{ground}{shown}</svg>'
    (IMAGES / "attention-pairs.svg").write_text(text + "\n")


if __name__ == "__main__":
    main()
