"""Draw what the guide to generating shows: `python docs/draw_generate.py` writes docs/images/generate-torus.svg (half a minute)."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from erlangen.generate import Diffusion, TimeFeatures, WrappedNormal, geometric
from erlangen.training import TrainingConfig

IMAGES = Path(__file__).parent / "images"
STEPS, SIDE, GAP = 60, 180, 14


class Net(torch.nn.Module):
    """A score of one point of the torus, through waves."""

    def __init__(self) -> None:
        super().__init__()
        self.time = TimeFeatures(16)
        self.inner = torch.nn.Sequential(
            torch.nn.Linear(32, 96), torch.nn.SiLU(), torch.nn.Linear(96, 96), torch.nn.SiLU(), torch.nn.Linear(96, 2)
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        waves = 2 * math.pi * x.unsqueeze(-1) * torch.arange(1, 5)
        return self.inner(torch.cat([waves.sin().flatten(1), waves.cos().flatten(1), self.time(t)], 1))


def ribbon(n: int, generator: torch.Generator) -> torch.Tensor:
    """Points near a line that winds once along one circle and twice along the other."""
    along = torch.rand(n, generator=generator)
    return (torch.stack([along, 2 * along], 1) + 0.03 * torch.randn(n, 2, generator=generator)) % 1


def way_back(shown: list[int]) -> list[tuple[str, torch.Tensor]]:
    """Samples on their way from noise to data, and data."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    process = WrappedNormal(schedule=geometric(STEPS, first=0.01, last=0.5))
    model = Diffusion(process, Net(), average=0.99)
    model.fit(ribbon(8000, generator), TrainingConfig(steps=3000, batch_size=256, lr=4e-3), quiet=True)
    x = process.prior(torch.empty(250, 2), generator=generator)
    frames = [("step 60", x)]
    with torch.no_grad():
        for t in range(STEPS, 0, -1):
            at = torch.full((len(x),), t)
            x = process.reverse(x, model(x, at), at, at - 1, generator=generator)
            if t - 1 in shown:
                frames.append((f"step {t - 1}", x))
    return [*frames, ("data", ribbon(250, generator))]


def sheet(frames: list[tuple[str, torch.Tensor]]) -> str:
    """Panels beside each other, with a background of their own: an image does not follow the page's theme."""
    wide, high = len(frames) * (SIDE + GAP) + GAP, SIDE + GAP + 34
    parts = []
    for i, (name, x) in enumerate(frames):
        left = GAP + i * (SIDE + GAP)
        dots = "".join(f"M{left + SIDE * a:.1f} {GAP + SIDE * (1 - b):.1f}h0" for a, b in x.tolist())
        parts.append(
            f'<rect x="{left}" y="{GAP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>'
            f'<path d="{dots}" stroke="#3949ab" stroke-width="3.4" stroke-linecap="round" stroke-opacity="0.75"/>'
            f'<text x="{left + SIDE / 2}" y="{SIDE + GAP + 20}" text-anchor="middle" font-family="sans-serif" font-size="13">{name}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    path = IMAGES / "generate-torus.svg"
    path.write_text(sheet(way_back([30, 10, 0])))
    print(path)
