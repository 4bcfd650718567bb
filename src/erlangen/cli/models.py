"""A user's model at the prompt: the module that a Python file builds, and how the group acts on what goes in and comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from erlangen.errors import ArgumentError


def build_model(spec: str, weights: Path | None) -> Any:
    """The module that ``FILE.py:FACTORY`` builds, with weights from a safetensors file."""
    import importlib.util

    import torch

    from erlangen.serialization import load_weights

    path, _, factory = spec.partition(":")
    if not factory or not path.endswith(".py"):
        raise ArgumentError("model", "FILE.py:FACTORY", spec)
    if not Path(path).is_file():
        raise ArgumentError("model", "an existing Python file before the colon", path)
    loaded = importlib.util.spec_from_file_location("audited_model", path)
    if loaded is None or loaded.loader is None:
        raise ArgumentError("model", "a Python file before the colon", path)
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    if not callable(getattr(module, factory, None)):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise ArgumentError("model", f"a function of {path} after the colon ({', '.join(names) or 'it has none'})", factory)
    model = getattr(module, factory)()
    if not isinstance(model, torch.nn.Module):
        raise ArgumentError("model", f"{factory}() to return a torch.nn.Module", type(model).__name__)
    if weights is not None:
        load_weights(model, weights)
    return model


def action_named(group: Any, name: str, argument: str) -> Any:
    known = ("scalar", "pseudoscalar", "vector", "point")
    if name not in known:
        raise ArgumentError(argument, f"one of {', '.join(known)}", name)
    return getattr(group, name)
