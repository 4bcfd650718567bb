"""Random numbers as functions of the seed and the step alone: torch's, NumPy's, Python's and a data set's own."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

#: Seeds are taken modulo this.
MODULUS = 2**62
#: The global generators belong to the whole process. A step of one training holds them until it is done, whatever thread it is in.
_LOCK = threading.RLock()


@contextmanager
def random_step(
    seed: int, step: int, rank: int = 0, *, device: torch.device | None = None, own: Sequence[Any] = ()
) -> Iterator[None]:
    """Seed everything that draws in one step of one process, and give all generators back as they were.

    So dropout and random data need no saved state to be resumed, and trainings in several threads do not draw from one another: their
    steps take turns.

    Args:
        seed, step, rank: of the training, its step and the process.
        device: a GPU whose generator counts, too.
        own: generators beside the global ones, as :func:`generators_of` finds them.

    >>> def draws():
    ...     with random_step(0, 7):
    ...         return random.random(), float(np.random.rand()), float(torch.rand(()))
    >>> draws() == draws()
    True
    """
    with seeded(((seed * 1_000_003 + step) * 65_537 + rank) % MODULUS, device=device, own=own):
        yield


@contextmanager
def seeded(number: int, *, device: torch.device | None = None, own: Sequence[Any] = ()) -> Iterator[None]:
    """The same with a number."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(devices=devices):
        before = random.getstate(), np.random.get_state(), [_state(generator) for generator in own]  # noqa: NPY002 - the global one is meant
        torch.manual_seed(number)
        random.seed(number)
        np.random.seed(number % 2**32)  # noqa: NPY002 - the global one is meant
        for place, generator in enumerate(own, 1):
            _seed(generator, number + place)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002 - the global one is meant
            for generator, state in zip(own, before[2]):
                _restore(generator, state)


def generators_of(data: Any) -> list[Any]:
    """The generators that a data set keeps as attributes, and those of the data sets that it is made of.

    >>> class Noisy(Dataset):
    ...     def __init__(self):
    ...         self.rng = np.random.default_rng(0)
    >>> len(generators_of(torch.utils.data.Subset(Noisy(), [0, 1])))
    1
    """
    found: list[Any] = []
    waiting, seen = [data], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, np.random.Generator | np.random.RandomState | random.Random | torch.Generator):
            found.append(one)
        elif isinstance(one, Dataset):
            waiting.extend(value for _, value in sorted(vars(one).items(), reverse=True))
        elif isinstance(one, list | tuple) and any(isinstance(value, Dataset) for value in one):
            waiting.extend(reversed(one))
    return found


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state()


def _restore(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _seed(generator: Any, number: int) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = type(generator.bit_generator)(number).state
    elif isinstance(generator, torch.Generator):
        generator.manual_seed(number)
    else:
        generator.seed(number if isinstance(generator, random.Random) else number % 2**32)
