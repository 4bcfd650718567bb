"""Files that are whole or not there: atomic writes, weights as safetensors, settings as JSON. Nothing is pickled."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from erlangen.errors import ArgumentError


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file in one step: beside it first, flushed to disk, then moved over it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write JSON in one step."""
    return write_bytes(path, json.dumps(value, indent=2).encode())


def read_json(path: str | os.PathLike[str], argument: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        path: the file.
        argument: what errors call it.

    Raises:
        ArgumentError: it is damaged, or holds no object.

    >>> import tempfile
    >>> read_json(write_json(tempfile.mkdtemp() + "/note.json", {"seed": 0}), "resume")
    {'seed': 0}
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ArgumentError(argument, "a JSON file", f"'{path}', which is damaged ({problem})") from None
    if not isinstance(found, dict):
        raise ArgumentError(argument, "a JSON file with an object", f"{type(found).__name__} in '{path}'")
    return found


def read_tensors(path: str | os.PathLike[str], key: str, argument: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file, and the JSON object that its metadata hold under ``key``.

    Args:
        path: the file.
        key: of the metadata.
        argument: what errors call the file.

    Raises:
        ArgumentError: it is damaged, or holds something else.

    >>> import tempfile
    >>> path = write_bytes(tempfile.mkdtemp() + "/a.safetensors", weights_bytes({"w": torch.ones(1)}, {"about": '{"step": 3}'}))
    >>> read_tensors(path, "about", "checkpoint")
    ({'w': tensor([1.])}, {'step': 3})
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(key, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, ValueError, RecursionError) as problem:
        raise ArgumentError(argument, "a whole safetensors file", f"'{path}', which is damaged or none ({problem})") from None
    if not isinstance(about, dict):
        raise ArgumentError(argument, f"a file of tensors with '{key}'", f"'{path}', which has none")
    return tensors, about


def weights_bytes(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors as the bytes of a safetensors file; tensors that share memory are written apart.

    >>> len(weights_bytes({"w": torch.zeros(2)})) > 8
    True
    """
    return save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, metadata)


def save_weights(model: nn.Module, path: str | os.PathLike[str], metadata: dict[str, str] | None = None) -> Path:
    """Write a module's ``state_dict`` as safetensors, in one step."""
    return write_bytes(path, weights_bytes(model.state_dict(), metadata))


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load a safetensors file into a module.

    Raises:
        ArgumentError: there is no such file, it is not safetensors, or its tensors are not the module's: other names or shapes, or
            numbers of another kind (whole, complex, 8 bits), which would be rounded without a word.

    >>> import tempfile
    >>> path = save_weights(nn.Linear(2, 1), tempfile.mkdtemp() + "/w.safetensors")
    >>> load_weights(nn.Linear(2, 1), path)
    """
    if not Path(path).is_file():
        raise ArgumentError("weights", "an existing .safetensors file", path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ArgumentError("weights", "a .safetensors file", f"{path} ({error})") from None
    own = model.state_dict()
    missing, foreign = sorted(set(own) - set(tensors)), sorted(set(tensors) - set(own))
    shapes = [
        f"{n} {list(tensors[n].shape)} for {list(own[n].shape)}" for n in own if n in tensors and tensors[n].shape != own[n].shape
    ]
    kinds = [
        f"{n} {_name(tensors[n].dtype)} for {_name(own[n].dtype)}" for n in own if n in tensors and _changed(tensors[n], own[n])
    ]
    if missing or foreign or shapes or kinds:
        said = [
            f"{what} {', '.join(names[:4])}"
            for what, names in (("missing", missing), ("unknown", foreign), ("shapes", shapes), ("kinds of numbers", kinds))
            if names
        ]
        raise ArgumentError("weights", f"the tensors of {type(model).__name__}", "; ".join(said))
    with torch.no_grad():
        model.load_state_dict(tensors)


def _changed(there: Tensor, own: Tensor) -> bool:
    """Whether copying would make numbers of another kind: only real numbers of 16 bits and more become one another."""
    if there.dtype == own.dtype:
        return False
    real = [t.is_floating_point() and t.element_size() > 1 for t in (there, own)]
    return not (all(real) or (there.is_complex() and own.is_complex()))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
