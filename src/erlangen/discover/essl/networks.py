"""The small networks behind an encoder: projectors and heads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

from erlangen.errors import ArgumentError

Norm = Literal["batch", "layer"]


def mlp(sizes: Sequence[int], norm: Norm, *, last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these sizes, a norm and ReLU after all but the last.

    Args:
        sizes: width of the input, of the hidden layers, of the output.
        norm: over the batch, or over each sample's own features.
        last_norm: whether a norm without scale and offset ends the network, as projectors have it.

    >>> [type(layer).__name__ for layer in mlp([8, 16, 4], "batch", last_norm=True)]
    ['Linear', 'BatchNorm1d', 'ReLU', 'Linear', 'BatchNorm1d']
    """
    if len(sizes) < 2 or any(size < 1 for size in sizes):
        raise ArgumentError("sizes", "widths of the input and of at least one layer, all positive", list(sizes))
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes[:-1]):
        normed: nn.Module = nn.BatchNorm1d(b) if norm == "batch" else nn.LayerNorm(b)
        # What follows a batch norm at once needs no offset of its own.
        layers += [nn.Linear(a, b, bias=norm == "layer"), normed, nn.ReLU()]
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=not last_norm))
    if last_norm:
        layers.append(nn.BatchNorm1d(sizes[-1], affine=False))
    return nn.Sequential(*layers)


def width_of(encoder: nn.Module) -> int:
    """How many features an encoder gives: what its last layer that has a width says.

    Raises:
        ArgumentError: no layer says so.

    >>> width_of(nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    32
    """
    widths = [
        getattr(layer, name)
        for layer in encoder.modules()
        for name in ("out_features", "out_channels", "num_features")
        if isinstance(getattr(layer, name, None), int)
    ]
    if not widths:
        raise ArgumentError("features", "how many features the encoder gives", None, "no layer of the encoder says so")
    return widths[-1]
