"""Geometric-algebra attention beside the PyPI package of its author (`geometric-algebra-attention` 0.5.1): equal networks and weights.

* A step (forward and backward) of two residual blocks and a pooling, rank 2, 64 clouds of 12 points, 32 numbers each.
* The same of one layer of rank 3, for the cloud and for each point.
* The memory that a step of rank 3 adds at its peak, each in a process of its own, all at once and in chunks of 100 tuples.

Its package is asked for at ``--peer FOLDER`` (``pip install --no-deps --target FOLDER geometric-algebra-attention==0.5.1``).

python benchmarks/gaa_step.py --peer FOLDER
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import torch
from _timing import show
from torch import nn

from erlangen.nn import VectorAttention
from erlangen.nn.clifford_base import default_scalar_net, default_value_net

B, N, D = 64, 12, 32


class Blocks(nn.Module):
    """Two residual blocks, each an attention and a perceptron, and a pooling attention."""

    def __init__(self, layer: Callable[[bool], nn.Module]) -> None:
        super().__init__()
        self.attend = nn.ModuleList([layer(False), layer(False), layer(True)])
        self.then = nn.ModuleList([nn.Sequential(nn.Linear(D, 2 * D), nn.ReLU(), nn.Linear(2 * D, D)) for _ in range(2)])

    def forward(self, inputs: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        r, v = inputs
        for attend, then in zip(self.attend, self.then):
            v = v + then(attend((r, v)))
        return self.attend[2]((r, v))


def ours(reduce: bool, rank: int = 2, chunk: int | None = None) -> nn.Module:
    """Our layer with networks of its own."""
    return VectorAttention(D, reduce=reduce, rank=rank, chunk=chunk)


def theirs(reduce: bool, rank: int = 2) -> nn.Module:
    """The peer's layer with equal networks."""
    from geometric_algebra_attention.pytorch import VectorAttention as Peer

    return Peer(D, default_scalar_net(D), default_value_net(2, D), reduce=reduce, rank=rank)


def alike(a: nn.Module, b: nn.Module) -> None:
    """Give the second the weights of the first, and compare outputs and gradients of inputs."""
    b.load_state_dict(a.state_dict())
    r, v = torch.randn(2, 5, 3), torch.randn(2, 5, D)
    torch.testing.assert_close(a((r, v)), b((r, v)), rtol=1e-3, atol=1e-4)


def step(net: nn.Module) -> Callable[[], object]:
    """Forward and backward on fixed data."""
    generator = torch.Generator().manual_seed(0)
    r, v = torch.randn(B, N, 3, generator=generator), torch.randn(B, N, D, generator=generator)
    return lambda: net((r, v)).square().sum().backward()


def in_turns(a: Callable[[], object], b: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median CPU seconds of both, run by run in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(repeats + 3):
        for run, kept in zip((a, b), times):
            start = time.process_time()
            run()
            if i >= 3:
                kept.append(time.process_time() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def peak(make: str, options: dict[str, Any], folder: str, queue: Any) -> None:
    """Put the bytes that a step adds to this process at its peak."""
    torch.set_num_threads(1)
    sys.path.append(folder)
    net = {"ours": ours, "theirs": theirs}[make](True, 3, **options)
    r, v = torch.randn(1, 4, 3), torch.randn(1, 4, D)
    net((r, v)).square().sum().backward()  # what comes with the first step of all
    process, done = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not done.is_set():
            highest = max(highest, process.memory_info().rss)
            time.sleep(1e-4)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        step(net)()
    done.set()
    watcher.join()
    queue.put(highest - before)


def peak_of(make: str, folder: str, **options: Any) -> float:
    """The same, in megabytes, from a fresh process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=peak, args=(make, options, folder, queue))
    process.start()
    found = queue.get() / 2**20
    process.join()
    return float(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", required=True)
    folder = parser.parse_args().peer
    sys.path.append(folder)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pairs = {
        "two blocks and pooling, rank 2": (Blocks(ours), Blocks(theirs), 30, "<= 0.5"),
        "one layer of rank 3, pooling": (ours(True, 3), theirs(True, 3), 6, "<= 0.5"),
        "one layer of rank 3, each point": (ours(False, 3), theirs(False, 3), 6, "<= 0.5"),
        "the same in chunks of 100": (ours(True, 3, 100), theirs(True, 3), 6, "none"),
    }
    for name, (mine, peer, repeats, target) in pairs.items():
        alike(mine, peer)
        show(name, *in_turns(step(mine), step(peer), repeats), "geometric-algebra-attention", target)
    whole = peak_of("theirs", folder)
    for name, options in (("at once", {}), ("in chunks of 100", {"chunk": 100})):
        found = peak_of("ours", folder, **options)
        print(
            f"memory of a step of rank 3, {name}: ours {found:.0f} MB, peer {whole:.0f} MB, ratio {found / whole:.3f} (target <= 0.2)"
        )
