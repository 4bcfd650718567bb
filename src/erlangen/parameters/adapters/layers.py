"""`AdaptedLayer`: a layer with frozen weights and adapters beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.apply import apply_adapter
from erlangen.parameters.adapters.config import AdapterConfig
from erlangen.parameters.adapters.factors import Factors
from erlangen.parameters.adapters.slots import Slot, adaptable, is_conv1d, slots

#: Stands in the name of a module for the dot in the name of a weight.
DOT = "__"


class AdaptedLayer(nn.Module):
    """A layer ``base_layer`` that computes with adapted weights.

    With one active adapter a weight is ``W'``, with several ``W + sum_k (W'_k - W)``, each of them made from the frozen ``W``. Whoever
    reads the layer's weight gets the adapted one.

    Args:
        base_layer: one that :func:`adaptable` accepts; its weights are frozen.
        name: what it is called in its model, for patterns and messages.

    Attributes:
        adapters: name of each adapter to its :class:`Factors`, by weight.
        active: names of the adapters that count.
        merged: names of those whose effect is in the weights of ``base_layer`` now.
        enabled: False: no adapter counts.
    """

    def __init__(self, base_layer: nn.Module, name: str) -> None:
        super().__init__()
        for slot in slots(base_layer, name, AdapterConfig()):
            weight = base_layer.get_parameter(slot.name)
            if not weight.is_floating_point():
                hint = "Dequantise the layer first"
                raise ArgumentError("target_modules", "layers with floating-point weights", f"{weight.dtype} in '{name}'", hint)
            weight.requires_grad_(False)
        self.base_layer, self.name = base_layer, name
        self.adapters = nn.ModuleDict()
        self.dropouts = nn.ModuleDict()
        self.slots: dict[str, list[Slot]] = {}
        self.active: list[str] = []
        self.merged: list[str] = []
        self.enabled = True
        self._frozen: dict[str, nn.Parameter] = {}

    # ---- adapters ----

    def add(self, adapter: str, config: AdapterConfig) -> None:
        """Give the layer one more adapter, which changes nothing yet."""
        found = slots(self.base_layer, self.name, config)
        r = config.rank(self.name)
        scaling = config.scaling(r, self.name)
        made = {
            slot.name.replace(".", DOT): Factors(slot, config, r, scaling, slot.matrix(self.frozen(slot.name))) for slot in found
        }
        self.adapters[adapter] = nn.ModuleDict(made)
        self.dropouts[adapter] = nn.Dropout(config.lora_dropout)
        self.slots[adapter] = found

    def remove(self, adapter: str) -> None:
        """Forget an adapter."""
        del self.adapters[adapter], self.dropouts[adapter], self.slots[adapter]
        self.active = [name for name in self.active if name != adapter]

    def factors(self, adapter: str) -> Iterator[tuple[Slot, Factors]]:
        """The weights that an adapter moves, and with what."""
        for slot in self.slots[adapter]:
            yield slot, self.adapters[adapter][slot.name.replace(".", DOT)]  # type: ignore[index, misc]

    # ---- weights ----

    def frozen(self, name: str) -> Tensor:
        """A weight as it is without adapters."""
        weight = self._frozen[name] if name in self._frozen else self.base_layer.get_parameter(name)
        return weight.detach()

    def weights(self, adapters: Sequence[str]) -> dict[str, Tensor]:
        """The weights that ``adapters`` lead to, by name, as they are stored."""
        found: dict[str, Tensor] = {}
        for adapter in adapters:
            for slot, factors in self.factors(adapter):
                w = self.frozen(slot.name)
                mine = slot.stored(factors.matrix(slot.matrix(w)))
                found[slot.name] = found[slot.name] + (mine - w) if slot.name in found else mine
        return found

    @property
    def live(self) -> list[str]:
        """The adapters that the next forward pass has to add."""
        return [name for name in self.active if name in self.adapters] if self.enabled and not self.merged else []

    @torch.no_grad()
    def merge(self, adapters: Sequence[str], strength: float = 1.0) -> None:
        """Give the layer the weights ``W + strength (W' - W)``, of its own, and keep ``W`` (which other layers may share) aside."""
        self.unmerge()
        for name, weight in self.weights([a for a in adapters if a in self.adapters]).items():
            holder, last = self._holder(name)
            self._frozen[name] = getattr(holder, last)
            merged = weight if strength == 1.0 else torch.lerp(self._frozen[name], weight, strength)
            setattr(holder, last, nn.Parameter(merged, requires_grad=False))
        self.merged = list(adapters)

    def unmerge(self) -> None:
        """Put the frozen weights back."""
        for name, weight in self._frozen.items():
            holder, last = self._holder(name)
            setattr(holder, last, weight)
        self._frozen, self.merged = {}, []

    def _holder(self, name: str) -> tuple[nn.Module, str]:
        path, _, last = name.rpartition(".")
        return self.base_layer.get_submodule(path), last

    # ---- computing ----

    def forward(self, *inputs: Any, **named: Any) -> Any:
        if not self.enabled and self.merged:
            return functional_call(self.base_layer, dict(self._frozen), inputs, named)
        live = self.live
        if not live:
            return self.base_layer(*inputs, **named)
        return functional_call(self.base_layer, self.weights(live), inputs, named)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            base = super().__getattr__("base_layer")
            live = self.live
            names = {slot.name for adapter in live for slot in self.slots[adapter]}
            if name in names:
                return self.weights(live)[name]
            if f"{name}.weight" in names:  # a layer inside, out_proj of attention
                return SimpleNamespace(weight=self.weights(live)[f"{name}.weight"], bias=getattr(base, name).bias)
            return getattr(base, name)

    def _apply(self, fn: Any, recurse: bool = True) -> AdaptedLayer:
        super()._apply(fn, recurse)
        self._frozen = {name: nn.Parameter(fn(weight.data), requires_grad=False) for name, weight in self._frozen.items()}
        return self

    def extra_repr(self) -> str:
        return f"active={self.active}" + (f", merged={self.merged}" if self.merged else "")


class AdaptedLinear(AdaptedLayer):
    """``nn.Linear``, or ``Conv1D`` of transformers."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        live = self.live
        if not live:
            return super().forward(x)
        bias: Any = self.base_layer.bias
        y = None
        for adapter in live:
            (slot, factors), *_ = self.factors(adapter)
            w = slot.matrix(self.frozen(slot.name))
            if y is not None:  # each adds to the frozen layer
                y = y - F.linear(x, w.flatten(0, -2))
            mine = apply_adapter(x, w, bias if y is None else None, factors, self.dropouts[adapter])
            y = mine if y is None else y + mine
        assert y is not None
        return y


def adapted(layer: nn.Module, name: str) -> AdaptedLayer:
    """The wrapper of a layer that is called ``name``.

    Raises:
        ArgumentError: adapters do not know the class of the layer.
    """
    if not adaptable(layer):
        expected = "Linear, Conv1d to Conv3d, Embedding, MultiheadAttention or Conv1D of transformers"
        raise ArgumentError("target_modules", f"layers of {expected}", f"'{name}', a {type(layer).__name__}")
    if isinstance(layer, nn.Embedding) and layer.max_norm is not None:
        raise ArgumentError("target_modules", "an Embedding without max_norm, which changes its weights", f"'{name}'")
    return AdaptedLinear(layer, name) if is_conv1d(layer) or isinstance(layer, nn.Linear) else AdaptedLayer(layer, name)
