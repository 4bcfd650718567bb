"""The three networks of the study, in one or two dimensions: invariant under shifts, plain, and plain trained on shifted data."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from erlangen.measure.scores import accuracy
from erlangen.training import TrainingConfig, supervised, train

INVARIANT, PLAIN, AUGMENTED = "All-CNN", "Standard-CNN", "Augmented-CNN"
#: Names of an equivariant layer and of the invariant ones in the networks.
MOVING, HIDDEN, LAST = "conv3", "lin1", "last"


def network(invariant: bool, shape: tuple[int, ...], classes: int, widths: tuple[int, int, int], seed: int) -> nn.Sequential:
    """Three convolutions of width 3, then 32 hidden units.

    Invariant: circular padding and the largest value over all places (with the mean, which the source has, networks learn more slowly:
    .68 of the clothes after 600 steps of 64, with the largest .71 after 300 of 32). Plain: zero padding, max-pooling, all places in a row.

    Args:
        invariant: which.
        shape: of the data without channel, ``(T,)`` or ``(H, W)``.
        classes: outputs.
        widths: channels of the convolutions.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    dim = len(shape)
    conv: type[nn.Module] = nn.Conv1d if dim == 1 else nn.Conv2d
    pool: type[nn.Module] = nn.MaxPool1d if dim == 1 else nn.MaxPool2d
    net, before, places = nn.Sequential(), 1, list(shape)
    for i, width in enumerate(widths, 1):
        mode = "circular" if invariant else "zeros"
        net.add_module(f"conv{i}", conv(before, width, 3, padding=1, padding_mode=mode))
        net.add_module(f"relu{i}", nn.ReLU())
        if not invariant:
            net.add_module(f"pool{i}", pool(2))
            places = [n // 2 for n in places]
        before = width
    if invariant:
        net.add_module("largest", nn.AdaptiveMaxPool1d(1) if dim == 1 else nn.AdaptiveMaxPool2d(1))
        places = [1]
    net.add_module("flat", nn.Flatten())
    net.add_module(HIDDEN, nn.Linear(before * torch.Size(places).numel(), 32))
    net.add_module("relu", nn.ReLU())
    net.add_module(LAST, nn.Linear(32, classes))
    return net


def trained(
    net: nn.Module,
    data: tuple[Tensor, Tensor],
    steps: int,
    seed: int,
    shifted: Callable[[Tensor, torch.Generator], Tensor] | None,
    name: str,
    quiet: bool,
) -> nn.Module:
    """The network after training by cross-entropy, on data that are shifted at random where ``shifted`` says how."""
    rng = torch.Generator().manual_seed(seed)
    settings = TrainingConfig(steps=steps, batch_size=32, lr=5e-3, weight_decay=1e-5, seed=seed)

    move = None if shifted is None else lambda x, y: (shifted(x, rng), y)
    train(net, data, supervised(nn.functional.cross_entropy, move), settings, description=name, quiet=quiet)
    return net


@torch.no_grad()
def named_right(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """The accuracy of a network, 250 data at a time."""
    return accuracy(torch.cat([net(part) for part in x.split(250)]), y)
