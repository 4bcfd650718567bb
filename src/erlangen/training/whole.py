"""The whole state of a model as tensors: parameters, all buffers, and what modules add by ``get_extra_state``."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError

#: Names of buffers that ``state_dict`` leaves out, and of extra state written as JSON, begin so.
BUFFER, JSON = "buffer:", "json:"


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """What a training must restore of a model to go on with it, detached; not copied.

    More than ``state_dict``: a running mean in a buffer that is not persistent decides how training goes on, too.

    Raises:
        ArgumentError: extra state that is neither a tensor nor made of numbers, text, lists and dictionaries.

    >>> net = nn.Linear(1, 1)
    >>> net.register_buffer("seen", torch.zeros(1), persistent=False)
    >>> sorted(whole_state(net))
    ['bias', 'buffer:seen', 'weight']
    """
    state = {}
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            state[name] = value.detach()
        else:
            state[JSON + name] = _as_bytes(name, value)
    for path, module in model.named_modules():
        for name in sorted(module._non_persistent_buffers_set):
            value = module._buffers.get(name)
            if value is not None:
                state[f"{BUFFER}{path}.{name}" if path else BUFFER + name] = value.detach()
    return state


def restore(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Give a model back what :func:`whole_state` saw."""
    plain: dict[str, Any] = {}
    for name, value in state.items():
        if name.startswith(JSON):
            plain[name.removeprefix(JSON)] = json.loads(bytes(value.tolist()))
        elif not name.startswith(BUFFER):
            plain[name] = value
    model.load_state_dict(plain)
    for name, value in state.items():
        if name.startswith(BUFFER):
            path, _, last = name.removeprefix(BUFFER).rpartition(".")
            module = model.get_submodule(path)
            old = module._buffers[last]
            if old is not None and old.shape == value.shape:
                old.data.copy_(value)
            else:  # one that is filled on the way
                module._buffers[last] = value.to(next(model.parameters()).device, copy=True)


def _as_bytes(name: str, value: Any) -> Tensor:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = "null"
    if json.loads(text) != value:
        expected = "extra state (get_extra_state) that is a tensor, or numbers, text, lists and dictionaries with text as keys"
        raise ArgumentError("model", expected, f"{name!r}, a {type(value).__name__}")
    return torch.tensor(list(text.encode()), dtype=torch.uint8)
