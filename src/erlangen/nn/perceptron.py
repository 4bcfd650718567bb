"""`perceptron`: the plain network without any symmetry that stands beside, or inside, those that have one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import nn

from erlangen.errors import ArgumentError


def perceptron(
    *widths: int, activation: Callable[[], nn.Module] = nn.ReLU, dropout: float = 0.0, activate_last: bool = False
) -> nn.Sequential:
    """Linear layers of these widths, an activation after all but the last.

    One flat ``nn.Sequential``, weights drawn by torch's own law in the order of the layers. Something is put before it by
    ``nn.Sequential(nn.Flatten(), *perceptron(...))``.

    Args:
        widths: of the input ``[..., widths[0]]``, of the hidden layers, of the output ``[..., widths[-1]]``.
        activation: makes one activation.
        dropout: rate after each activation; at 0 there is no such layer.
        activate_last: whether the last layer is followed by an activation too, as inside a larger network.

    Raises:
        ArgumentError: fewer than two widths, or one below 1.

    >>> perceptron(3, 16, 1)
    Sequential(
      (0): Linear(in_features=3, out_features=16, bias=True)
      (1): ReLU()
      (2): Linear(in_features=16, out_features=1, bias=True)
    )
    """
    if len(widths) < 2 or any(width < 1 for width in widths):
        raise ArgumentError("widths", "widths of the input and of at least one layer, all positive", list(widths))
    layers: list[nn.Module] = []
    last = len(widths) - 2
    for i, (a, b) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(a, b))
        if i < last or activate_last:
            layers += [activation(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers)
