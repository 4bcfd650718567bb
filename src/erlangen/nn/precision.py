"""`check_precision`: whether data have the floating-point type of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError


def check_precision(name: str, x: Tensor, network: nn.Module) -> None:
    """Raise where data have another floating-point type than a network's weights; not under autocast, which converts them.

    Args:
        name: of the argument.
        x: the data.
        network: with weights of one type, or none.

    Raises:
        ArgumentError: it is another one.

    >>> check_precision("x", torch.zeros(2), nn.Linear(2, 2).double())
    Traceback (most recent call last):
        ...
    erlangen.errors.ArgumentError: argument 'x': expected float64, as the network's weights are; got float32. network.to(x.dtype) converts
    """
    weight = next(network.parameters(), None)
    if weight is None or x.dtype == weight.dtype or torch.is_autocast_enabled(x.device.type):
        return
    expected, got = (str(t.dtype).removeprefix("torch.") for t in (weight, x))
    raise ArgumentError(name, f"{expected}, as the network's weights are", got, f"network.to({name}.dtype) converts")
