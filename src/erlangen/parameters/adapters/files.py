"""Adapters on disk: ``adapter_model.safetensors`` and ``adapter_config.json``; LoRA and DoRA as ``peft`` writes and reads them.

Layouts that ``peft`` does not have (BoRA, magnitudes alone, magnitudes of columns, split layers) carry another ``peft_type``, so that it
refuses them instead of reading half.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.config import AdapterConfig, DoraConfig, LoraConfig
from erlangen.parameters.adapters.layers import AdaptedLayer
from erlangen.parameters.adapters.saved import SavedModule
from erlangen.parameters.adapters.slots import Slot
from erlangen.parameters.adapters.targets import biases
from erlangen.serialization import read_json, weights_bytes, write_bytes, write_json

if TYPE_CHECKING:
    from erlangen.parameters.adapters.model import AdaptedModel

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
#: What adapters of our own layout are called.
OURS = "ERLANGEN"
PREFIX = "base_model.model."
#: Fields that peft's configs and ours have under one name.
SHARED = (
    "r", "lora_alpha", "lora_dropout", "bias", "use_rslora", "rank_pattern", "alpha_pattern", "layers_to_transform",
    "layers_pattern", "modules_to_save", "target_modules", "exclude_modules",
)  # fmt: skip
#: Options of peft that change what an adapter computes, and that we do not have.
FOREIGN = (
    "alora_invocation_tokens", "arrow_config", "corda_config", "kasa_config", "layer_replication", "lora_bias", "megatron_config",
    "monteclora_config", "target_parameters", "trainable_token_indices", "use_bdlora", "use_qalora", "velora_config",
)  # fmt: skip
#: Starts of peft that take something out of the base's weights before: the file does not say what.
CHANGED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


def is_peft(model: AdaptedModel, adapter: str) -> bool:
    """Whether ``peft`` has the layout of an adapter."""
    config = model.peft_config[adapter]
    if config.method not in ("lora", "dora") or (config.method == "dora" and config.dora_axis == "in"):
        return False
    layers = [layer for layer in model.layers() if adapter in layer.adapters]
    attention = [layer.base_layer for layer in layers if isinstance(layer.base_layer, nn.MultiheadAttention)]
    if attention and (config.method == "dora" or any(m.in_proj_weight is None for m in attention)):
        return False
    if any(not _peft_bias(name) for name, _ in _biases(model, adapter)):
        return False
    return all(slot.parts == 1 and factors.r for layer in layers for slot, factors in layer.factors(adapter))


def write_adapter(model: AdaptedModel, adapter: str, folder: Path) -> None:
    """Write one adapter into a folder: weights first, so that a config never stands without them."""
    config, peft = model.peft_config[adapter], is_peft(model, adapter)
    tensors = {key: t.detach() for key, t in _tensors(model, adapter, peft)}
    write_bytes(folder / WEIGHTS, weights_bytes(tensors, {"format": "pt"}))
    about: dict[str, Any] = {name: _plain(getattr(config, name)) for name in SHARED}
    about["base_model_name_or_path"] = getattr(getattr(model.base_model, "config", None), "name_or_path", None) or None
    about["inference_mode"] = True
    if peft:
        names = [name for name, m in model.base_model.named_modules() if isinstance(m, AdaptedLayer) and adapter in m.adapters]
        about |= {"peft_type": "LORA", "task_type": None, "use_dora": config.method == "dora", "target_modules": names}
        about |= {"fan_in_fan_out": any(_turned_linear(m) for m in model.layers()), "exclude_modules": None}
        about |= {"layers_to_transform": None, "layers_pattern": None, "modules_to_save": list(config.modules_to_save) or None}
    else:
        about |= {"peft_type": OURS}
        about |= {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config) if f.name not in about}
    write_json(folder / CONFIG, about)


def read_config(folder: str | Path) -> AdapterConfig:
    """The config of the adapter in a folder, ours or ``peft``'s.

    Raises:
        ArgumentError: no such folder, a damaged file, or options that we do not have.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise ArgumentError("folder", f"a folder with {CONFIG}", repr(str(folder)))
    about = read_json(path, "folder")
    kind = about.get("peft_type")
    if kind not in ("LORA", OURS):
        raise ArgumentError("folder", "an adapter of peft's LORA or of ours", f"peft_type {kind!r} in '{path}'")
    known = {f.name for f in dataclasses.fields(AdapterConfig)}
    given = {name: value for name, value in about.items() if name in known and value is not None}
    if isinstance(given.get("layers_pattern"), list):
        if len(given["layers_pattern"]) > 1:
            raise ArgumentError("layers_pattern", "one name", repr(given["layers_pattern"]))
        given["layers_pattern"] = given["layers_pattern"][0]
    made: type[AdapterConfig] = AdapterConfig
    if kind == "LORA":
        for name in FOREIGN:
            if about.get(name):
                raise ArgumentError("folder", f"an adapter without '{name}', which changes what it computes", f"{about[name]!r}")
        start = about.get("init_lora_weights")
        if isinstance(start, str) and start.lower().startswith(CHANGED_BASE):
            expected = "an adapter of the base's own weights"
            hint = "Save it in peft with path_initial_model_for_weight_conversion"
            raise ArgumentError("folder", expected, f"init_lora_weights {start!r}, which changes them", hint)
        given.pop("method", None)
        given = {"lora_alpha": 8, "target_modules": ()} | given  # as peft reads a config without them
        made = DoraConfig if about.get("use_dora") else LoraConfig
    try:
        return made(**given)
    except (TypeError, AttributeError, ValueError) as problem:
        if isinstance(problem, ArgumentError):
            raise
        raise ArgumentError("folder", "the config of an adapter", f"'{path}' ({problem})") from None


@torch.no_grad()
def read_into(model: AdaptedModel, adapter: str, folder: str | Path) -> None:
    """Load the weights in a folder into an adapter that the model has.

    Raises:
        ArgumentError: a missing or damaged file, or tensors of other names or shapes; the first is named.
    """
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise ArgumentError("folder", f"a folder with {WEIGHTS}", repr(str(folder)))
    try:
        tensors = load_file(path)
    except (SafetensorError, ValueError, OSError) as problem:
        raise ArgumentError("folder", "a whole safetensors file", f"'{path}' ({problem})") from None
    about = read_json(Path(folder) / CONFIG, "folder")
    wanted = dict(_tensors(model, adapter, about.get("peft_type") == "LORA"))
    if about.get("peft_type") == "LORA":
        for name, module in model.base_model.named_modules():  # peft saves adapted embeddings along
            key = f"{PREFIX}{name}.base_layer.weight"
            if key in tensors and isinstance(module, AdaptedLayer):
                wanted[key] = module.frozen("weight")
        for key in {PREFIX + name for name, _ in _biases(model, adapter) if not _peft_bias(name)} - set(tensors):
            del wanted[key]  # which peft does not train
    for key in [*wanted, *tensors]:
        if key not in wanted or key not in tensors:
            came = f"'{key}', which the model has not" if key in tensors else f"none called '{key}'"
            raise ArgumentError("folder", f"the tensors of adapter '{adapter}' of this model", came)
        if wanted[key].shape != tensors[key].shape:
            expected = f"shape {tuple(wanted[key].shape)} of '{key}'"
            raise ArgumentError("folder", expected, f"shape {tuple(tensors[key].shape)}")
        if not tensors[key].is_floating_point():
            raise ArgumentError("folder", "floating-point tensors", f"{tensors[key].dtype} of '{key}'")
    for key, tensor in tensors.items():
        wanted[key].copy_(tensor)


def _tensors(model: AdaptedModel, adapter: str, peft: bool) -> Iterator[tuple[str, Tensor]]:
    """The tensors of an adapter by their names on disk; views of the model's own, so that writing into them loads."""
    for name, module in model.base_model.named_modules():
        if isinstance(module, AdaptedLayer) and adapter in module.adapters:
            for slot, factors in module.factors(adapter):
                yield from _factors(PREFIX + name, module.base_layer, slot, factors, peft)
        elif isinstance(module, SavedModule) and adapter in module.copies:
            yield from ((f"{PREFIX}{name}.{n}", t) for n, t in module.copies[adapter].state_dict().items())
    yield from ((PREFIX + n, p) for n, p in _biases(model, adapter))


def _biases(model: AdaptedModel, adapter: str) -> Iterator[tuple[str, Tensor]]:
    """The biases that an adapter trains, by name."""
    bias = model.peft_config[adapter].bias
    if bias == "all":
        yield from biases(model.base_model)
    elif bias == "lora_only":
        for name, module in model.base_model.named_modules():
            if isinstance(module, AdaptedLayer) and adapter in module.adapters:
                yield from ((f"{name}.base_layer.{n}", p) for n, p in biases(module.base_layer))


def _peft_bias(name: str) -> bool:
    """Whether ``peft`` trains and saves a bias of this name."""
    return name.rpartition(".")[2] == "bias"


def _factors(name: str, base: nn.Module, slot: Slot, factors: Any, peft: bool) -> Iterator[tuple[str, Tensor]]:
    a, b = factors.lora_A, factors.lora_B
    kernel = slot.shape[2:]
    if not peft:
        name = name if slot.name == "weight" else f"{name}.{slot.name}"
        yield from ((f"{name}.{n}", p) for n, p in factors.named_parameters())
    elif slot.lookup:
        yield from ((f"{name}.lora_embedding_A", a), (f"{name}.lora_embedding_B", b))
    else:
        if slot.name == "out_proj.weight":
            name += ".base_layer.out_proj"
        yield f"{name}.lora_A.weight", a.unflatten(-1, slot.shape[1:]) if kernel else a
        yield f"{name}.lora_B.weight", b.view(*b.shape, *(1 for _ in kernel))
    if peft and factors.sides:
        m = factors.magnitude_row
        yield f"{name}.lora_magnitude_vector", m.view(1, -1, *(1 for _ in kernel)) if kernel else m


def _turned_linear(layer: AdaptedLayer) -> bool:
    from erlangen.parameters.adapters.slots import is_conv1d

    return is_conv1d(layer.base_layer)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    return dict(value) if hasattr(value, "items") else value
