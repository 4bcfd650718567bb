"""Encoders to train without labels: a small network for minutes, a ResNet-18 for hours, and one for periodic cells."""

from __future__ import annotations

from torch import Tensor, channels_last, nn


def small_encoder(channels: int = 1) -> nn.Sequential:
    """Four convolutions, 32-64-64-128, and an average: 128 features of images ``[B, channels, height, width]`` of any size.

    >>> import torch
    >>> small_encoder()(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 128])
    """
    layers: list[nn.Module] = []
    for width, stride in ((32, 2), (64, 1), (64, 2), (128, 1)):
        layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    # Channels last: a fifth faster on a CPU, and only the order of a memory.
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).to(memory_format=channels_last)  # type: ignore[call-overload]


class _Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        same = stride == 1 and before == width
        self.shortcut: nn.Module = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.layers(x) + self.shortcut(x))


def resnet18(channels: int = 1) -> nn.Sequential:
    """ResNet-18 for small images: a 3 x 3 stem without pooling, 512 features of images ``[B, channels, height, width]``.

    Source: He, Zhang, Ren & Sun 2016, arXiv:1512.03385.

    >>> sum(p.numel() for p in resnet18().parameters())
    11167680
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    before = 64
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers.append(_Block(before, width, stride))
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).to(memory_format=channels_last)  # type: ignore[call-overload]


def cell_encoder(widths: tuple[int, int, int] = (16, 64, 64), hidden: tuple[int, ...] = (256,)) -> nn.Sequential:
    """Three 7 x 7 convolutions with pools of 2, 4 and 4, then linear layers, on periodic cells of 32 x 32 pixels, ``[B, 1, 32, 32]``.

    Padding is periodic, as the cells are.

    Args:
        widths: channels of the convolutions; the source has 64-256-256.
        hidden: of the linear layers; the last is the number of features. The source has 256-1024-1024.

    Source: Dangovski et al. 2022, arXiv:2111.00899, for photonic crystals.

    >>> import torch
    >>> cell_encoder()(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 256])
    """
    layers: list[nn.Module] = []
    before = 1
    for width, pool in zip(widths, (2, 4, 4)):
        layers += [
            nn.Conv2d(before, width, 7, padding=3, padding_mode="circular"),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(pool),
        ]
        before = width
    layers.append(nn.Flatten())
    for width in hidden:
        layers += [nn.Linear(before, width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers)
