"""Several processes as one: the same weights at the start, the mean of their gradients in every step, one verdict."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, broadcast, broadcast_object_list
from torch import Tensor

from erlangen.errors import ArgumentError, ErlangenError, UnsupportedError

T = TypeVar("T")
Precision = Literal["no", "fp16", "bf16"]

_LOCK = threading.Lock()
_RUNNING: Counter[Precision] = Counter()
_SHARDED = {DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM}


@contextmanager
def accelerated(mixed_precision: Precision) -> Iterator[Accelerator]:
    """An accelerator for one training; unlike Accelerate's own rule, two trainings of one process may differ in precision.

    Raises:
        ArgumentError: another training runs in this process right now, in another precision, which Accelerate keeps once for all.
        UnsupportedError: Accelerate is set to shard the weights.
    """
    with _LOCK:
        if others := [kind for kind, count in _RUNNING.items() if count and kind != mixed_precision]:
            raise ArgumentError(
                "mixed_precision", f"{others[0]!r}, as in the training that runs in this process", repr(mixed_precision)
            )
        if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed_precision:
            AcceleratorState._reset_state()
        accelerator = Accelerator(mixed_precision=mixed_precision, cpu=_on_cpu())
        _RUNNING[mixed_precision] += 1
    try:
        if accelerator.distributed_type in _SHARDED:
            raise UnsupportedError(
                f"Accelerate is set to {accelerator.distributed_type.value}, which shards weights; a training here keeps all of them in "
                "every process: launch it with --multi_gpu or --multi_cpu"
            )
        yield accelerator
    finally:
        with _LOCK:
            _RUNNING[mixed_precision] -= 1


def share(accelerator: Accelerator, tensors: Iterable[Tensor]) -> None:
    """Give all processes the main one's values."""
    if accelerator.num_processes == 1:
        return
    for t in tensors:
        told: Any = t.detach().clone(memory_format=torch.contiguous_format)
        t.data.copy_(broadcast(told))


def average_gradients(accelerator: Accelerator, parameters: Sequence[Tensor]) -> None:
    """Replace gradients by their means over processes.

    A parameter that took part in some processes only has a zero gradient in the others; one that took part in none keeps none, so that
    the optimiser passes it by, as in one process.
    """
    if accelerator.num_processes == 1:
        return
    told = torch.tensor([float(p.grad is not None) for p in parameters], device=accelerator.device)
    used = [p for p, count in zip(parameters, accelerator.reduce(told, reduction="sum").tolist()) if count]
    for p in used:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    for kind in {p.dtype for p in used}:
        gradients = [p.grad for p in used if p.dtype == kind and p.grad is not None]
        means = accelerator.reduce(torch.cat([g.reshape(-1) for g in gradients]), reduction="mean")
        for g, mean in zip(gradients, means.split([g.numel() for g in gradients])):
            g.copy_(mean.view(g.shape))


def agree(accelerator: Accelerator, score: float) -> float:
    """The main process's score: rounding must not make two processes disagree on when to stop."""
    told: Any = torch.tensor([score], dtype=torch.float32 if accelerator.device.type == "mps" else torch.float64)
    return float(broadcast(told.to(accelerator.device)))


def _on_cpu() -> bool:
    """Whether to compute on the CPU: as asked, or as one of several processes on a machine that has nothing else."""
    asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "on")
    return asked or ("LOCAL_RANK" in os.environ and not torch.accelerator.is_available())


def _state() -> PartialState:
    return PartialState(cpu=_on_cpu())


def is_main() -> bool:
    """Whether this is the process that prints and writes: the only one, or the first that ``accelerate launch`` has started.

    >>> is_main()
    True
    """
    return bool(_state().is_main_process)


def by_main(make: Callable[[], T]) -> T:
    """What the main process makes, told to the others, which make nothing.

    Raises:
        ErlangenError: in all processes, where the main one failed.

    >>> by_main(lambda: 3)
    3
    """
    if _state().num_processes == 1:
        return make()
    told: list[Any] = [None, ""]
    problem: Exception | None = None
    if is_main():
        try:
            told[0] = make()
        except Exception as error:
            problem, told[1] = error, f"in the main process: {error}"
    broadcast_object_list(told)
    if problem is not None:
        raise problem
    if told[1]:
        raise ErlangenError(told[1])
    return told[0]  # type: ignore[no-any-return]
