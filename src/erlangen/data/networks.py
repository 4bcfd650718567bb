"""Weights of networks: files of many networks of one architecture."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from erlangen.data.collection import Collection
from erlangen.data.dataset import Target
from erlangen.data.selection import listed
from erlangen.errors import ArgumentError

PREFIX = "params/"
#: What is predicted where nobody says.
USUAL = ("y", "accuracy")


def read_networks(path: Path, target: str | None = None, kind: Target | None = None, *, inputs_only: bool = False) -> Collection:
    """A safetensors file with the tensors ``params/NAME`` ``[N, *shape]`` or ``[N, 1, *shape]`` of networks, as
    ``erlangen zoo make`` writes it, and the target's tensor ``[N]``, by default ``y`` or ``accuracy``.

    Raises:
        ArgumentError: it is no such file, or has no such target.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        raise ArgumentError("data", "a safetensors file", f"'{path.name}' ({problem})") from problem
    params = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    others = [name for name in tensors if not name.startswith(PREFIX)]
    if not params:
        raise ArgumentError("data", f"tensors named '{PREFIX}...' of many networks", f"{listed(others)} in '{path.name}'")
    if target is None:
        target = next((name for name in USUAL if name in tensors), None)
    if target is not None and target not in tensors:
        raise ArgumentError("target", f"one of the tensors of '{path.name}' ({listed(others)})", repr(target))
    x = {name: _channelled(name, tensor) for name, tensor in sorted(params.items(), key=lambda item: _order(item[0]))}
    y = None if target is None else tensors[target]
    return Collection.of("weights", x, y, target=kind, name=path.stem, source=str(path), inputs_only=inputs_only)


def _channelled(name: str, tensor: Tensor) -> Tensor:
    """``[N, 1, *shape]``: a matrix has two axes besides, a bias one."""
    own = 1 if name.endswith("bias") else 2
    return tensor.unsqueeze(1) if tensor.ndim == own + 1 else tensor


def _order(name: str) -> tuple[list[int | str], bool]:
    """Layers by number, of each the weight before the bias."""
    return [int(part) if part.isdigit() else part for part in name.split(".")[:-1]], name.endswith("bias")
