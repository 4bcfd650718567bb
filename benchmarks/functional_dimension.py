"""The functional dimension of 10-10-10-10-10-10-1 on 10,220 inputs, against automatic differentiation and `matrix_rank`.

The plain formulation is `vmap(jacrev)` over all inputs, in double precision, and `torch.linalg.matrix_rank` of the result. Each runs in its own
process, one thread; memory is the peak of the process above what it had when inputs and network were there. Targets: at least ten times faster
and at least ten times less memory. The ranks must agree.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time

import psutil
import torch

from erlangen.parameters.hidden import functional_dimension, initial_networks

WIDTHS, MULTIPLE, REPEATS = (10,) * 6 + (1,), 20, 3


def plain(x: torch.Tensor, vector: torch.Tensor) -> int:
    module = initial_networks(WIDTHS, 1, torch.Generator().manual_seed(0)).member(0).module()
    params = {name: p.detach() for name, p in module.named_parameters()}

    def output(weights: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, weights, (one,))

    parts = torch.func.vmap(torch.func.jacrev(output), (None, 0))(params, x)
    return int(torch.linalg.matrix_rank(torch.cat([p.flatten(1) for p in parts.values()], 1)))


def measure(which: str) -> dict[str, float]:
    """Seconds, peak bytes and the rank, of the second run and later ones: the first warms up."""
    torch.set_num_threads(1)
    net = initial_networks(WIDTHS, 1, torch.Generator().manual_seed(0)).member(0)
    x = torch.randn(MULTIPLE * (net.num_params - net.num_hidden), WIDTHS[0], dtype=torch.float64)
    run = (lambda: plain(x, net.vector)) if which == "plain" else (lambda: functional_dimension(net, multiple=MULTIPLE).dim)
    small = x[:300]
    (plain(small, net.vector) if which == "plain" else functional_dimension(net, points=300))  # loads what is loaded late
    process, peak, done = psutil.Process(), 0, threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    rank = run()
    done.set()
    thread.join()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        rank = run()
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times), "bytes": max(peak - before, 1), "rank": rank}


def main() -> None:
    found = {
        which: json.loads(subprocess.check_output([sys.executable, __file__, which], text=True)) for which in ("ours", "plain")
    }
    ours, theirs = found["ours"], found["plain"]
    print(f"rank: ours {ours['rank']}, plain {theirs['rank']} (other inputs)")
    for what, unit, scale, target in (("seconds", "s", 1.0, 10), ("bytes", "MiB", 2.0**20, 10)):
        a, b = ours[what] / scale, theirs[what] / scale
        print(f"{what}: ours {a:.3f} {unit}, vmap(jacrev) + matrix_rank {b:.3f} {unit}, ratio plain/ours {b / a:.1f} (target >= {target})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
