"""A model in a folder: `model.json` says what it is, `model.safetensors` holds its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open

from erlangen.errors import ArgumentError
from erlangen.generate import Diffusion
from erlangen.serialization import read_json, write_json

Model = TypeVar("Model")


def write(folder: Any, diffusion: Diffusion, about: dict[str, Any]) -> Path:
    """Both files, the weights first."""
    place = Path(folder)
    diffusion.save(place / "model.safetensors")
    write_json(place / "model.json", about)
    return place


def read(
    folder: Any, key: str, name: str, made: Callable[[dict[str, Any]], Model], diffusion: Callable[[Model], Diffusion]
) -> Model:
    """The model that :func:`write` kept, in the precision of its weights.

    Args:
        folder: where.
        key: under which ``model.json`` has its settings.
        name: of the kind of model, for errors.
        made: from what ``model.json`` says to a model without its weights.
        diffusion: of a model.

    Raises:
        ArgumentError: there is none, it is another kind of model, or its files are damaged.
    """
    place = Path(folder)
    expected = f"a folder with a saved {name} (model.json, model.safetensors)"
    if not (place / "model.json").is_file():
        raise ArgumentError("folder", expected, repr(str(folder)))
    about = read_json(place / "model.json", "folder")
    if key not in about:
        raise ArgumentError(
            "folder", expected, f"{str(folder)!r}, which holds another kind of model: {', '.join(sorted(about)[:3])}"
        )
    try:
        model = made(about)
    except (KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise ArgumentError("folder", expected, f"{str(folder)!r}, whose model.json is damaged ({problem})") from None
    weights = place / "model.safetensors"
    diffusion(model).to(_precision(weights))
    diffusion(model).load(weights)
    return model


def _precision(path: Path) -> torch.dtype:
    """Of the weights of a file; float32 where it cannot be read, which loading will say."""
    try:
        with safe_open(path, framework="pt") as file:
            return next((t.dtype for t in map(file.get_tensor, file.keys()) if t.is_floating_point()), torch.float32)
    except (SafetensorError, OSError):
        return torch.float32
