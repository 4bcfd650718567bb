"""Random numbers as functions of the seed and the step alone: torch's, NumPy's, Python's, and those of data sets, models and losses."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

#: Seeds are taken modulo this.
MODULUS = 2**62
#: No more objects than these are looked through for generators: a list of a million numbers holds none.
LARGEST_SEARCH = 200_000
#: The global generators belong to the whole process. A step of one training holds them until it is done, whatever thread it is in.
_LOCK = threading.RLock()
_NOTHING_IN = (torch.Tensor, np.ndarray, str, bytes, int, float, complex, ModuleType, type(None))
_LIBRARIES = {"builtins", "abc", "typing", "collections", "torch", "numpy", "random", "erlangen"}


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
        # Without a GPU, the CPU's generator alone: `torch.manual_seed` writes down the whole stack for devices that may come later.
        (torch.manual_seed if devices else torch.default_generator.manual_seed)(number)
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


def generators_of(*roots: Any) -> list[Any]:
    """The generators that data sets, models and functions draw from, beside the global ones.

    Looked for in attributes (of objects within objects, too), in lists and dictionaries, in classes, and in what functions close over, are
    bound to or name in their module. Code of torch itself is not looked through.

    >>> class Noisy(torch.utils.data.Dataset):
    ...     def __init__(self):
    ...         self.rng = {"shift": np.random.default_rng(0)}
    >>> len(generators_of(torch.utils.data.Subset(Noisy(), [0, 1])))
    1
    """
    found: list[Any] = []
    waiting = list(reversed(roots))
    seen: set[int] = set()
    while waiting and len(seen) < LARGEST_SEARCH:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _NOTHING_IN):
            continue
        seen.add(id(one))
        if isinstance(one, np.random.Generator | np.random.RandomState | random.Random | torch.Generator):
            if not isinstance(one, random.SystemRandom):  # which has no state to restore
                found.append(one)
        else:
            waiting.extend(reversed(_parts(one)))
    return found


def _parts(one: Any) -> list[Any]:
    """What an object may draw from, in an order that is the same in every process."""
    if isinstance(one, Mapping):
        return list(one.values())
    if isinstance(one, list | tuple):
        return list(iter(one))  # e3nn's irreps are tuples that refuse to say their length
    if isinstance(one, functools.partial):
        return [one.func, *one.args, *one.keywords.values()]
    if isinstance(one, MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, FunctionType):
        return _of_function(one)
    if isinstance(one, type):
        own = one.__module__.partition(".")[0] not in _LIBRARIES
        return [value for _, value in sorted(vars(one).items())] if own else []
    slots = [name for kind in type(one).__mro__ for name in _names(getattr(kind, "__slots__", ()))]
    return [
        *(value for _, value in sorted(getattr(one, "__dict__", {}).items())),
        *(getattr(one, name) for name in slots if name not in ("__dict__", "__weakref__") and hasattr(one, name)),
        *type(one).__mro__,
    ]


def _of_function(function: FunctionType) -> list[Any]:
    """What a function closes over, and the generators and functions of its own module that it names."""
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    named = [function.__globals__.get(name) for name in _named(function.__code__)]
    kinds = np.random.Generator | np.random.RandomState | random.Random | torch.Generator
    return [
        *cells,
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
        *(v for v in named if isinstance(v, kinds) or (isinstance(v, FunctionType) and v.__module__ == function.__module__)),
    ]


def _named(code: CodeType) -> list[str]:
    """The names of globals in a function and in the functions that it makes."""
    return [*code.co_names, *(name for part in code.co_consts if isinstance(part, CodeType) for name in _named(part))]


def _names(slots: Any) -> list[str]:
    return [slots] if isinstance(slots, str) else list(slots)


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
