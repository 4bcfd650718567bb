"""What a layer of a model makes of data, read while the model runs and without leaving anything in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.training.modes import evaluating


def layer_named(model: nn.Module, layer: str | nn.Module) -> nn.Module:
    """A layer of a model, by itself or by its name in the model.

    Raises:
        ArgumentError: the model has no such layer.
    """
    if isinstance(layer, nn.Module):
        if all(layer is not module for module in model.modules()):
            raise ArgumentError("layer", "a layer of the model", type(layer).__name__)
        return layer
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ArgumentError("layer", f"a layer of the model ({', '.join(name for name in modules if name)})", repr(layer))
    return modules[layer]


def representation(model: nn.Module, layer: str | nn.Module) -> Callable[[Any], Float[Tensor, "B d"]]:
    """The map from data to a layer's output, flattened.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    >>> representation(net, "1")(torch.randn(4, 3)).shape
    torch.Size([4, 5])
    """
    module = layer_named(model, layer)

    def represent(x: Any) -> Tensor:
        return captured(model, module, x)[1].flatten(1)

    return represent


def captured(model: nn.Module, layer: nn.Module, x: Any, state: Mapping[str, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """What goes into a layer and what comes out, without gradients; with other weights when ``state`` gives them.

    Raises:
        ArgumentError: the layer is not reached.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    handle = layer.register_forward_hook(lambda module, args, output: seen.append((args[0], output)))
    # Copies: a model that works in place must not spoil the data.
    x = optree.tree_map(lambda t: t.clone() if isinstance(t, Tensor) else t, x)
    arguments = x if isinstance(x, tuple) else (x,)
    try:
        with torch.no_grad(), evaluating(model):
            if state is None:
                model(*arguments)
            else:
                torch.func.functional_call(model, dict(state), arguments)
    finally:
        handle.remove()
    if not seen:
        raise ArgumentError("layer", "a layer that the model uses", type(layer).__name__)
    return seen[-1][0].detach(), seen[-1][1].detach()
