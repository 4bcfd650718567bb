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
        merged: those whose effect is in the weights of ``base_layer`` now, with the strength.
        enabled: False: no adapter counts.

    A state dict has the frozen weights, merged or not; one that is loaded takes merged adapters out of the weights.
    """

    #: Whether the layer knows a low-rank branch of its own, on which dropout can be.
    drops: bool = False

    def __init__(self, base_layer: nn.Module, name: str) -> None:
        super().__init__()
        for slot in slots(base_layer, name, AdapterConfig()):
            base_layer.get_parameter(slot.name).requires_grad_(False)
        self.base_layer, self.name = base_layer, name
        self.adapters = nn.ModuleDict()
        self.dropouts = nn.ModuleDict()
        self.slots: dict[str, list[Slot]] = {}
        self.active: list[str] = []
        self.merged: dict[str, float] = {}
        self.enabled = True
        self._frozen: dict[str, nn.Parameter] = {}
        self.register_state_dict_post_hook(_store_frozen)

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
        return self._original(name).detach()

    def _original(self, name: str) -> Tensor:
        holder, last = self._holder(name)
        return self._frozen[name] if name in self._frozen else getattr(holder, last)  # type: ignore[no-any-return]

    def originals(self, adapters: Sequence[str]) -> dict[str, Tensor]:
        """The frozen parameters that adapters move, by name."""
        names = {slot.name for adapter in adapters if adapter in self.adapters for slot in self.slots[adapter]}
        return {name: self._original(name) for name in names}

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
        """Give the layer weights ``W + sum_k t_k (W'_k - W)`` of its own, where ``t_k`` is the strength with which an adapter was merged,
        and keep ``W`` (which other layers may share) aside."""
        merged = self.merged | dict.fromkeys(adapters, strength)
        self.unmerge()
        parts: dict[str, list[tuple[Tensor, float]]] = {}
        for adapter in merged:
            for name, weight in (self.weights([adapter]) if adapter in self.adapters else {}).items():
                parts.setdefault(name, []).append((weight, merged[adapter]))
        for name, ((first, t), *others) in parts.items():
            w = self.frozen(name)
            weight = first if t == 1.0 else torch.lerp(w, first, t)
            for other, t in others:
                weight = weight + t * (other - w)
            holder, last = self._holder(name)
            self._frozen[name] = getattr(holder, last)
            setattr(holder, last, nn.Parameter(weight, requires_grad=False))
        self.merged = merged

    def unmerge(self) -> None:
        """Put the frozen weights back."""
        for name, weight in self._frozen.items():
            holder, last = self._holder(name)
            setattr(holder, last, weight)
        self._frozen, self.merged = {}, {}

    def _load_from_state_dict(self, *args: Any) -> None:
        self.unmerge()
        super()._load_from_state_dict(*args)

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
            names = {slot.name for adapter in live for slot in self.slots[adapter]} if self.enabled else set(self._frozen)
            if name in names:
                return self.weights(live)[name] if live else self._frozen[name]
            if (inside := f"{name}.weight") in names:  # a layer inside, out_proj of attention
                weight = self.weights(live)[inside] if live else self._frozen[inside]
                return SimpleNamespace(weight=weight, bias=getattr(base, name).bias)
            return getattr(base, name)

    def _apply(self, fn: Any, recurse: bool = True) -> AdaptedLayer:
        super()._apply(fn, recurse)
        self._frozen = {name: nn.Parameter(fn(weight.data), requires_grad=False) for name, weight in self._frozen.items()}
        return self

    def extra_repr(self) -> str:
        return f"active={self.active}" + (f", merged={list(self.merged)}" if self.merged else "")

    def _bare(self) -> bool:
        """Whether nothing but the class of the layer computes: then a step of our own may stand in for it."""
        base = self.base_layer
        hooks = base._forward_pre_hooks, base._forward_hooks, base._backward_pre_hooks, base._backward_hooks
        return not any(hooks) and "forward" not in vars(base)


def _store_frozen(layer: Any, state: dict[str, Any], prefix: str, _: Any) -> None:
    for name, weight in layer._frozen.items():
        key = f"{prefix}base_layer.{name}"
        state[key] = weight if isinstance(state[key], nn.Parameter) else weight.detach()


class AdaptedLinear(AdaptedLayer):
    """``nn.Linear``, or ``Conv1D`` of transformers."""

    drops = True

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        live = self.live
        if not live or not self._bare():
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


class AdaptedConv(AdaptedLayer):
    """``nn.Conv1d`` to ``nn.Conv3d``."""

    drops = True

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        live = self.live
        if not self._bare() or not any(self.dropouts[a].p and self.dropouts[a].training for a in live):
            return super().forward(x)
        base: Any = self.base_layer
        w = self.frozen("weight")
        y = base._conv_forward(x, w, base.bias)
        for adapter in live:  # each adds to the frozen layer
            (slot, factors), *_ = self.factors(adapter)
            own, update = (slot.stored(m) for m in factors.both(slot.matrix(w)))
            if factors.sides:
                y = y + base._conv_forward(x, own - w, None)
            if factors.r:
                y = y + base._conv_forward(self.dropouts[adapter](x), update, None)
        return y  # type: ignore[no-any-return]


#: Classes whose own ``forward`` is the product with the weight that our wrappers write down.
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def readable(layer: nn.Module, name: str, config: AdapterConfig) -> None:
    """Nothing, where a layer that is called ``name`` can be adapted.

    Raises:
        ArgumentError: adapters do not know the class of the layer, or it keeps its weights otherwise.
    """
    layer = layer.base_layer if isinstance(layer, AdaptedLayer) else layer
    if not adaptable(layer):
        expected = "Linear, Conv1d to Conv3d, Embedding, MultiheadAttention or Conv1D of transformers"
        raise ArgumentError("target_modules", f"layers of {expected}", f"'{name}', a {type(layer).__name__}")
    if isinstance(layer, nn.Embedding) and layer.max_norm is not None:
        raise ArgumentError("target_modules", "an Embedding without max_norm, which changes its weights", f"'{name}'")
    if isinstance(layer, nn.Embedding) and layer.sparse:
        raise ArgumentError("target_modules", "an Embedding with dense gradients", f"'{name}', which has sparse=True")
    slots(layer, name, config)


def adapted(layer: nn.Module, name: str) -> AdaptedLayer:
    """The wrapper of a layer that is called ``name``.

    Raises:
        ArgumentError: see :func:`readable`.
    """
    readable(layer, name, AdapterConfig())
    if type(layer).forward is nn.Linear.forward or (is_conv1d(layer) and _own(layer)):
        return AdaptedLinear(layer, name)
    if any(type(layer).forward is kind.forward for kind in CONVOLUTIONS):
        return AdaptedConv(layer, name)
    return AdaptedLayer(layer, name)


def _own(layer: nn.Module) -> bool:
    """Whether ``forward`` is the one of transformers' ``Conv1D``."""
    return type(layer).forward.__module__.startswith("transformers.")
