"""`get_peft_model` and `AdaptedModel`: any module with adapters, by the verbs of ``peft``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.config import AdapterConfig
from erlangen.parameters.adapters.layers import AdaptedLayer, adapted, readable
from erlangen.parameters.adapters.saved import SavedModule
from erlangen.parameters.adapters.targets import SHOWN, biases, saved, targets


class AdaptedModel(nn.Module):
    """A model with adapters: see :func:`get_peft_model`.

    Attributes:
        base_model: the model, some of its layers wrapped.
        peft_config: the config of each adapter, by name.
        active_adapters: names of the adapters that count.
    """

    def __init__(self, model: nn.Module, config: AdapterConfig, adapter_name: str = "default") -> None:
        super().__init__()
        if any(isinstance(m, AdaptedLayer | SavedModule) for m in model.modules()):
            raise ArgumentError("model", "a model without adapters", "one that has them", "Add another with add_adapter")
        wanted = targets(model, config)  # raises before anything is changed
        self.base_model = model
        self.peft_config: dict[str, AdapterConfig] = {}
        self.active_adapters: list[str] = []
        self._add(adapter_name, config, wanted)
        self.set_adapter(adapter_name)

    def forward(self, *inputs: Any, **named_inputs: Any) -> Any:
        return self.base_model(*inputs, **named_inputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base_model"), name)

    # ---- adapters ----

    def add_adapter(self, adapter_name: str, config: AdapterConfig) -> None:
        """Add another adapter; :meth:`set_adapter` lets it count.

        Raises:
            ArgumentError: the name is taken or has a dot, ``target_modules`` means no layer, or two adapters train biases.
        """
        self._add(adapter_name, config, targets(self.base_model, config))

    def _add(self, adapter_name: str, config: AdapterConfig, wanted: dict[str, nn.Module]) -> None:
        if (
            adapter_name in self.peft_config
            or not adapter_name
            or set(adapter_name) & set("./\\")
            or hasattr(nn.ModuleDict(), adapter_name)
        ):
            expected = "a new name without dots and slashes, and no attribute of modules"
            raise ArgumentError("adapter_name", expected, repr(adapter_name))
        trained = [name for name, other in self.peft_config.items() if other.bias != "none"]
        if config.bias != "none" and trained:
            raise ArgumentError("bias", f"'none', for adapter '{trained[0]}' trains biases", repr(config.bias))
        whole = saved(self.base_model, config)
        for name, module in wanted.items():  # all is asked before anything is changed
            readable(module, name, config)
        wrappers: dict[int, nn.Module] = {}
        for name, module in wanted.items():
            if id(module) not in wrappers:  # a layer may be used in several places
                wrappers[id(module)] = module if isinstance(module, AdaptedLayer) else adapted(module, name)
                wrappers[id(module)].add(adapter_name, config)  # type: ignore[operator]
            self._put(name, wrappers[id(module)])
        if config.lora_dropout:
            deaf = [layer.name for layer in self.layers() if adapter_name in layer.adapters and not layer.drops]
            if deaf:
                warnings.warn(
                    f"lora_dropout does nothing in {', '.join(deaf[:SHOWN])}: their class has no low-rank branch of its own",
                    stacklevel=4,
                )
        for name, module in whole.items():
            if id(module) not in wrappers:
                wrappers[id(module)] = module if isinstance(module, SavedModule) else SavedModule(module)
                wrappers[id(module)].add(adapter_name)  # type: ignore[operator]
            self._put(name, wrappers[id(module)])
        self.peft_config[adapter_name] = config
        self._train_only()

    def _put(self, name: str, module: nn.Module) -> None:
        path, _, last = name.rpartition(".")
        setattr(self.base_model.get_submodule(path), last, module)

    def set_adapter(self, adapter_names: str | Sequence[str]) -> None:
        """Which adapters count and are trained: one, or several together.

        Raises:
            ArgumentError: there is none of that name, or two that count have saved the same module.
        """
        names = self._together(adapter_names)
        if self.merged_adapters:
            warnings.warn(f"set_adapter takes the merged {', '.join(self.merged_adapters)} out of the weights first", stacklevel=2)
            self.unmerge_adapter()
        self.active_adapters = names
        for layer in self.layers():
            layer.active = [n for n in names if n in layer.adapters]
        for module in self.saved():
            module.active = next((n for n in names if n in module.copies), None)
        self._train_only()

    def _together(self, adapter_names: str | Sequence[str]) -> list[str]:
        """Names of adapters that can count together."""
        names = [adapter_names] if isinstance(adapter_names, str) else list(dict.fromkeys(adapter_names))
        self._known(names)
        for name, module in self.base_model.named_modules():
            if isinstance(module, SavedModule) and len([n for n in names if n in module.copies]) > 1:
                raise ArgumentError("adapter_names", "adapters that save different modules", f"{names}, which all have '{name}'")
        return names

    def _known(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.peft_config:
                raise ArgumentError("adapter_names", f"one of {', '.join(map(repr, self.peft_config))}", repr(name))

    def delete_adapter(self, adapter_name: str) -> None:
        """Forget an adapter that does not count."""
        self._known([adapter_name])
        if adapter_name in [*self.active_adapters, *self.merged_adapters]:
            hint = "Set another with set_adapter, and unmerge"
            raise ArgumentError("adapter_name", "an adapter that does not count and is not merged", repr(adapter_name), hint)
        del self.peft_config[adapter_name]
        owners: list[AdaptedLayer | SavedModule] = [*self.layers(), *self.saved()]
        for owner in owners:
            owner.remove(adapter_name)

    def layers(self) -> Iterator[AdaptedLayer]:
        """The adapted layers."""
        return (m for m in self.base_model.modules() if isinstance(m, AdaptedLayer))

    def saved(self) -> Iterator[SavedModule]:
        return (m for m in self.base_model.modules() if isinstance(m, SavedModule))

    def _train_only(self) -> None:
        """Only what the active adapters own is trained."""
        bias = next(((n, c.bias) for n, c in self.peft_config.items() if n in self.active_adapters and c.bias != "none"), None)
        for p in self.base_model.parameters():
            p.requires_grad_(False)
        if bias is not None:
            owners = [self.base_model] if bias[1] == "all" else [m.base_layer for m in self.layers() if bias[0] in m.adapters]
            for p in (p for owner in owners for _, p in biases(owner)):
                p.requires_grad_(True)
        for layer in self.layers():
            for adapter, factors in layer.adapters.items():
                factors.requires_grad_(adapter in self.active_adapters)
        for module in self.saved():
            module.original.requires_grad_(False)
            for adapter, held in module.copies.items():
                held.requires_grad_(adapter in self.active_adapters)

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Inside, the model is the one without adapters, merged or not; but biases, which are trained in place, stay (with a warning)."""
        if any(config.bias != "none" for config in self.peft_config.values()):
            warnings.warn("an adapter trained biases, which stay while adapters are disabled", stacklevel=3)
        modules: list[AdaptedLayer | SavedModule] = [*self.layers(), *self.saved()]
        before = [m.enabled for m in modules]
        try:
            for m in modules:
                m.enabled = False
            yield
        finally:
            for m, value in zip(modules, before):
                m.enabled = value

    # ---- merging ----

    @property
    def merged_adapters(self) -> list[str]:
        """Names of the adapters that are in the weights now."""
        return list(next((layer.merged for layer in self.layers()), {}))

    def merge_adapter(self, adapter_names: str | Sequence[str] | None = None, strength: float = 1.0) -> None:
        """Write adapters into the weights: ``W + strength (W' - W)``; :meth:`unmerge_adapter` takes it back, bit for bit.

        While adapters are merged, they are the ones that count, also in modules that are saved. Others that are merged later are added, the
        same again with another strength takes the place of the first.

        Args:
            adapter_names: by default those that count.
            strength: 1 for the adapted weights.
        """
        names = self.active_adapters if adapter_names is None else self._together(adapter_names)
        self._together([*self.merged_adapters, *names])
        for layer in self.layers():
            layer.merge(names, strength)
        for module in self.saved():
            module.merged = self.merged_adapters

    def unmerge_adapter(self) -> None:
        """Take merged adapters out of the weights."""
        for layer in self.layers():
            layer.unmerge()
        for module in self.saved():
            module.merged = []

    def merge_and_unload(self, adapter_names: str | Sequence[str] | None = None, strength: float = 1.0) -> nn.Module:
        """The plain model with adapted weights. Weights that other layers share become the adapted layer's own, with a warning.

        Args:
            adapter_names: by default those that count; what is merged already stays as it is.
            strength: of those that are merged now.
        """
        merged = self.merged_adapters
        names = [n for n in self.active_adapters if n not in merged] if adapter_names is None else self._together(adapter_names)
        users: dict[int, int] = {}
        for module in self.base_model.modules():
            for p in module._parameters.values():
                users[id(p)] = users.get(id(p), 0) + 1
        for layer in self.layers():
            tied = [
                n for n, p in layer.originals([*merged, *names]).items() if users.get(id(p), 0) > (0 if n in layer._frozen else 1)
            ]
            if tied:
                warnings.warn(
                    f"'{layer.name}' shared its {tied[0]} with another layer and has its own from now on; a model that ties them again "
                    "when it is loaded (tie_word_embeddings) loses the adapter",
                    stacklevel=2,
                )
        self.merge_adapter(names, strength)
        return self.unload(merged=True)

    def unload(self, *, merged: bool = False) -> nn.Module:
        """The plain model, without adapters, also where they were merged (:meth:`merge_and_unload` keeps them)."""
        if not merged:
            self.unmerge_adapter()
        for name, module in list(self.base_model.named_modules(remove_duplicate=False)):
            if isinstance(module, AdaptedLayer):
                self._put(name, module.base_layer)
            elif isinstance(module, SavedModule):
                self._put(name, module.current if merged else module.original)
        return self.base_model

    def get_base_model(self) -> nn.Module:
        """The model inside, its layers wrapped."""
        return self.base_model

    # ---- counting, saving ----

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        """How many numbers are trained, and how many there are."""
        sizes = [(p.numel(), p.requires_grad) for p in self.parameters()]
        return sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes)

    def print_trainable_parameters(self) -> None:
        """Print how many numbers are trained."""
        trained, everything = self.get_nb_trainable_parameters()
        print(f"trainable params: {trained:,} || all params: {everything:,} || trainable%: {100 * trained / everything:.4f}")

    def save_pretrained(self, folder: str | Path, adapter_names: Sequence[str] | None = None) -> None:
        """Write adapters: ``adapter_model.safetensors`` and ``adapter_config.json``, one beside the others in folders of their names.

        LoRA and DoRA are written as ``peft`` reads them.

        Args:
            folder: made where it is missing. The adapter called ``"default"`` stands in it, others in folders of their names.
            adapter_names: by default all.
        """
        from erlangen.parameters.adapters.files import write_adapter

        names = list(self.peft_config) if adapter_names is None else list(adapter_names)
        self._known(names)
        for name in names:
            write_adapter(self, name, Path(folder) if name == "default" else Path(folder) / name)

    def load_adapter(self, folder: str | Path, adapter_name: str) -> None:
        """Add an adapter from a folder, ours or one that ``peft`` wrote.

        Raises:
            ArgumentError: no such folder, or an adapter of another model: then none is added.
        """
        from erlangen.parameters.adapters.files import read_config, read_into

        self.add_adapter(adapter_name, read_config(folder))
        try:
            read_into(self, adapter_name, folder)
        except ArgumentError:
            self.delete_adapter(adapter_name)
            raise

    @classmethod
    def from_pretrained(cls, model: nn.Module, folder: str | Path, adapter_name: str = "default") -> AdaptedModel:
        """A base model with the adapter in a folder, ours or one that ``peft`` wrote.

        Raises:
            ArgumentError: no such folder, or an adapter of another model: then the model stays as it was.
        """
        from erlangen.parameters.adapters.files import read_config, read_into

        trained = [(p, p.requires_grad) for p in model.parameters()]
        adapted_model = cls(model, read_config(folder), adapter_name)
        try:
            read_into(adapted_model, adapter_name, folder)
        except ArgumentError:
            adapted_model.unload()
            for p, was in trained:
                p.requires_grad_(was)
            raise
        return adapted_model


def get_peft_model(model: nn.Module, config: AdapterConfig, adapter_name: str = "default") -> AdaptedModel:
    """A model whose layers are adapted, in place; all else is frozen.

    Args:
        model: any module; it is changed. A layer that stands in several places is adapted once.
        config: which layers, and how.
        adapter_name: of the first adapter.

    Raises:
        ArgumentError: ``target_modules`` means no layer (the message lists those there are), or one that cannot be adapted.

    >>> import torch
    >>> from erlangen.parameters.adapters import BoraConfig
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))
    >>> x = torch.randn(3, 4)
    >>> before = net(x)
    >>> model = get_peft_model(net, BoraConfig(r=2, target_modules=["0"], modules_to_save=["2"]))
    >>> torch.allclose(model(x), before, atol=1e-6)
    True
    >>> model.print_trainable_parameters()
    trainable params: 54 || all params: 112 || trainable%: 48.2143
    """
    return AdaptedModel(model, config, adapter_name)
