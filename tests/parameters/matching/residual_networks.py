"""A ResNet-20 for small images, as He et al. 2016 wrote it, of any width."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, inp: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inp, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.norm2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.skip = nn.Sequential(nn.Conv2d(inp, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if inp != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + self.skip(x))


def resnet20(channels: int = 1, width: int = 16, classes: int = 10) -> nn.Sequential:
    """Nine blocks at three widths."""
    blocks = []
    inp = width
    for i, out in enumerate((width, 2 * width, 4 * width)):
        for j in range(3):
            blocks.append(Block(inp, out, 2 if i and not j else 1))
            inp = out
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inp, classes),
    )


def awake(net: nn.Module, seed: int = 0) -> nn.Module:
    """Norms and their statistics away from ones and zeros, as training leaves them; for evaluation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for t in [*net.parameters(), *net.buffers()]:
            if t.is_floating_point() and t.ndim == 1:
                t.add_(0.3 * torch.rand(t.shape, generator=generator))
    return net.eval()
