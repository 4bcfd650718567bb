"""Which layers of a model a config means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.config import ALL_LINEAR, AdapterConfig, named
from erlangen.parameters.adapters.layers import AdaptedLayer
from erlangen.parameters.adapters.saved import SavedModule
from erlangen.parameters.adapters.slots import adaptable, is_conv1d

#: Names that a message lists at most.
SHOWN = 12


def targets(model: nn.Module, config: AdapterConfig) -> dict[str, nn.Module]:
    """The layers that a config means, by name (a layer that stands in several places under each), adapted already or not.

    Raises:
        ArgumentError: there is none; the layers there are are listed.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))
    >>> list(targets(net, AdapterConfig(target_modules=["2"])))
    ['2']
    """
    all_linear = config.target_modules == ALL_LINEAR
    heads = {id(m) for m in (_output_layer(model),) if m is not None}
    found: dict[str, nn.Module] = {}
    there: list[str] = []
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules(remove_duplicate=False):
        if not name or (inside and name.startswith(inside)):
            continue
        layer = module.base_layer if isinstance(module, AdaptedLayer) else module
        if isinstance(module, AdaptedLayer | SavedModule) or isinstance(layer, nn.MultiheadAttention):
            inside = (*inside, f"{name}.")  # what is in it is its own business
        if isinstance(module, SavedModule) or named(config.modules_to_save, name):
            inside = (*inside, f"{name}.")  # trained whole
            continue
        if adaptable(layer):
            there.append(name)
        linear = isinstance(layer, nn.Linear | nn.MultiheadAttention) or is_conv1d(layer)
        wanted = linear and id(layer) not in heads if all_linear else named(config.target_modules, name)
        if wanted and not named(config.exclude_modules, name) and _in_blocks(name, config):
            found[name] = module
    if not found:
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise ArgumentError(
            "target_modules",
            f"names, or ends of names, of layers: {', '.join(there[:SHOWN]) or 'none can be adapted'}{more}",
            repr(config.target_modules),
        )
    return found


def saved(model: nn.Module, config: AdapterConfig) -> dict[str, nn.Module]:
    """The modules that a config trains whole, by name: the outermost, saved by another adapter already or not.

    Raises:
        ArgumentError: ``modules_to_save`` means none, or one that is adapted, or that another adapter saves a part of or the whole of.
    """
    found: dict[str, nn.Module] = {}
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules(remove_duplicate=False):
        if not name or (inside and name.startswith(inside)):
            continue
        if named(config.modules_to_save, name):
            if any(isinstance(m, AdaptedLayer) for m in module.modules()):
                raise ArgumentError("modules_to_save", "modules that are not adapted", repr(name))
            if not isinstance(module, SavedModule) and any(isinstance(m, SavedModule) for m in module.modules()):
                raise ArgumentError("modules_to_save", "the modules that another adapter saves, or others", f"{name!r}, around one")
            found[name] = module
            inside = (*inside, f"{name}.")
        elif isinstance(module, SavedModule):
            part = next((n for n, _ in module.original.named_modules() if n and named(config.modules_to_save, f"{name}.{n}")), None)
            if part is not None:
                raise ArgumentError(
                    "modules_to_save", "the modules that another adapter saves, or others", f"'{name}.{part}', in one"
                )
            inside = (*inside, f"{name}.")
        elif isinstance(module, AdaptedLayer):
            inside = (*inside, f"{name}.")
    if config.modules_to_save and not found:
        there = [n for n, _ in model.named_children()]
        raise ArgumentError("modules_to_save", f"names of modules, as {', '.join(there[:SHOWN])}", repr(config.modules_to_save))
    return found


def biases(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters with ``bias`` in their own name (as ``bias_ih_l0``), but those of adapters and of modules that are saved."""
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if inside and name.startswith(inside):
            continue
        if isinstance(module, SavedModule):
            inside = (*inside, f"{name}.")
        elif isinstance(module, AdaptedLayer):
            inside = (*inside, f"{name}.adapters.")
        for own, p in module.named_parameters(name, recurse=False):
            if "bias" in own.rpartition(".")[2]:
                yield own, p


def _output_layer(model: nn.Module) -> nn.Module | None:
    """The last layer of a language model, by transformers' own word."""
    ask: Any = getattr(model, "get_output_embeddings", None)
    return ask() if callable(ask) else None


def _in_blocks(name: str, config: AdapterConfig) -> bool:
    """Whether a layer stands in one of the blocks that ``layers_to_transform`` names."""
    blocks = config.layers_to_transform
    if blocks is None:
        return True
    numbers: Sequence[int] = [blocks] if isinstance(blocks, int) else blocks
    before = r"(?:.*\.)?" + re.escape(config.layers_pattern) if config.layers_pattern else r"(?:.*?\.)?[^.]*"
    match = re.match(rf"{before}\.(\d+)\.", name) or (None if config.layers_pattern else re.match(r"(\d+)(?:\.|$)", name))
    return match is not None and int(match[1]) in numbers
