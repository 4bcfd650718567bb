"""What tells one training from another: its settings, its weights' shapes, its data, and what its loss says of a batch."""

from __future__ import annotations

import dataclasses
import math
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from erlangen.training.batches import Samples
from erlangen.training.modes import evaluating
from erlangen.training.randomness import random_step

#: So many samples of a dataset are looked at, beside everything that it keeps in memory.
SAMPLES = 32
#: Losses of one batch and the same weights may differ by this share from run to run: other machines sum in another order.
SHARE = 1e-3
_WITH_PARTS = (Tensor, np.ndarray, Dataset, int, list, tuple, Mapping)


def identity(config: Any, weights: dict[str, Tensor], data: Samples, validation: Samples | None) -> dict[str, Any]:
    """What must agree between a checkpoint and the training that wants to continue it; ``config`` is a dataclass of settings."""
    return {
        "config": dataclasses.asdict(config),
        "model": {name: [str(t.dtype), *t.shape] for name, t in weights.items() if ":" not in name},
        "data": fingerprint(data),
        "validation": None if validation is None else fingerprint(validation),
    }


def fingerprint(data: Samples) -> dict[str, Any]:
    """Length, shapes and a checksum, by which a checkpoint knows its data.

    Of a dataset the checksum is of its class, of the tensors and arrays in its attributes (and in those of the datasets it is made of),
    and of 32 of its samples, evenly spaced.

    >>> x = torch.arange(6.0)
    >>> fingerprint(Samples([x]))["checksum"] == fingerprint(Samples([x.flip(0)]))["checksum"]
    False
    """
    checksum = 0
    for t in data.tensors:
        checksum = _tensor(t, checksum)
    shapes = [[str(t.dtype), *t.shape] for t in data.tensors]
    if data.dataset is not None:
        checksum = _kept(data.dataset, checksum, set())
        index = torch.linspace(0, data.length - 1, min(SAMPLES, data.length)).long()
        with random_step(0, 0, own=data.generators):
            checksum = _value(data[index], checksum)
    return {"samples": data.length, "tensors": shapes, "checksum": checksum}


def told_loss(
    model: nn.Module, loss: Callable[..., Tensor], batch: list[Any], *, called: Any = None, own: list[Any] | None = None
) -> float | None:
    """What the loss says of a batch with the weights as they are, in evaluation mode and without gradients.

    ``None`` where it cannot be asked so: a loss that differentiates by itself, for instance.

    Args:
        model: in whose evaluation mode.
        loss: ``loss(called, *batch)``.
        batch: data.
        called: by default the model.
        own: generators of the data.
    """
    devices = [t.device for t in batch if isinstance(t, Tensor)]
    with random_step(0, 0, device=devices[0] if devices else None, own=own or []), evaluating(model), torch.no_grad():
        try:
            return float(loss(model if called is None else called, *batch))
        except Exception:  # whatever a user's loss says to being asked without gradients; it is trained with them
            return None


def warn_of_restless(data: Samples, index: Tensor, own: Sequence[Any]) -> None:
    """Warn of a dataset that says something else the second time, with all random numbers alike: such a training cannot be resumed.

    Args:
        data, index: samples to ask for twice.
        own: the generators that are known.

    Warns:
        UserWarning: it counts, goes through a generator function, or draws from what :func:`generators_of` does not find.
    """
    if data.dataset is None:
        return
    sums = []
    for _ in range(2):
        with random_step(0, 0, own=own):
            sums.append(_value(data[index], 0))
    if sums[0] != sums[1]:
        warnings.warn(
            f"{type(data.dataset).__name__} gives other samples each time, also where all random numbers are the same (it counts, runs "
            "through a generator function, or has random state that is not found): a training that is interrupted cannot go on as if it "
            "had not been. Draw from torch, numpy.random, random, or a generator kept as an attribute",
            UserWarning,
            stacklevel=3,
        )


def same_loss(there: float | None, here: float | None, scale: float) -> bool:
    """Whether two losses of one batch and the same weights agree, as far as rounding of losses of this size lets one say.

    >>> same_loss(0.5, 0.5000001, 1.0), same_loss(0.5, 0.7, 1.0), same_loss(None, 0.7, 1.0)
    (True, False, True)
    """
    if there is None or here is None or math.isnan(there) or math.isnan(here):
        return True
    return abs(there - here) <= SHARE * max(abs(there), abs(here)) + 1e-6 * abs(scale)


def _tensor(t: Tensor, checksum: int) -> int:
    raw = t.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return zlib.crc32(raw.numpy().tobytes(), checksum)


def _value(value: Any, checksum: int) -> int:
    if isinstance(value, Tensor):
        return _tensor(value, zlib.crc32(f"{value.dtype} {tuple(value.shape)}".encode(), checksum))
    if isinstance(value, Mapping):
        value = [part for item in value.items() for part in item]
    if isinstance(value, list | tuple):
        for part in value:
            checksum = _value(part, checksum)
        return checksum
    return zlib.crc32(repr(value).encode(), checksum) if isinstance(value, str | bytes | int | float | bool) else checksum


def _kept(value: Any, checksum: int, seen: set[int]) -> int:
    """A checksum of what a dataset holds in memory; what lies in files is known by the samples alone."""
    if id(value) in seen:
        return checksum
    if isinstance(value, Tensor):
        return _value(value, checksum)
    if isinstance(value, Mapping):
        value = [part for item in value.items() for part in item]
    if isinstance(value, np.ndarray) and not isinstance(value, np.memmap) and value.dtype != object:
        head = f"{value.dtype} {value.shape}".encode()
        return zlib.crc32(np.ascontiguousarray(value).tobytes(), zlib.crc32(head, checksum))
    if isinstance(value, Dataset):
        seen.add(id(value))
        checksum = zlib.crc32(type(value).__qualname__.encode(), checksum)
        parts = [part for _, part in sorted(vars(value).items())]
    elif isinstance(value, list | tuple) and any(isinstance(part, _WITH_PARTS) for part in value):
        seen.add(id(value))
        parts = list(value)
    else:
        return _value(value, checksum)
    for part in parts:
        checksum = _kept(part, checksum, seen)
    return checksum
