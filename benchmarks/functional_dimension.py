"""The functional dimension of 10-10-10-10-10-10-1 on 20 and on 100 times as many inputs as its maximum, beside the plain formulation.

That is `vmap(jacrev)` over all inputs, in double precision, and `torch.linalg.matrix_rank` of the result. Each runs in its own process with
one thread; time is processor time, memory the peak of the process above what it had before. Targets at 20 times: at least ten times faster
and ten times less memory. Ranks must agree.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time

import psutil
import torch

from erlangen.parameters.hidden import functional_dimension, initial_networks

WIDTHS, MULTIPLES, REPEATS = (10,) * 6 + (1,), (20, 100), 3
#: One thread, for numpy and scipy, too.
ALONE = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def plain(x: torch.Tensor) -> int:
    module = initial_networks(WIDTHS, 1, torch.Generator().manual_seed(0)).member(0).module()
    params = {name: p.detach() for name, p in module.named_parameters()}

    def output(weights: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, weights, (one,))

    parts = torch.func.vmap(torch.func.jacrev(output), (None, 0))(params, x)
    return int(torch.linalg.matrix_rank(torch.cat([p.flatten(1) for p in parts.values()], 1)))


def measure(which: str, multiple: int) -> dict[str, float]:
    """Median seconds of the processor, peak bytes above those before, and the rank."""
    torch.set_num_threads(1)
    net = initial_networks(WIDTHS, 1, torch.Generator().manual_seed(0)).member(0)
    count = multiple * (net.num_params - net.num_hidden)
    # Both draw the same inputs.
    generator = torch.Generator()

    def run(count: int = count) -> int:
        generator.manual_seed(0)
        if which == "ours":
            return functional_dimension(net, points=count, generator=generator).dim
        return plain(torch.randn(count, WIDTHS[0], generator=generator, dtype=torch.float64))

    run(3000)  # loads what is loaded late
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
        start = time.process_time()
        rank = run()
        times.append(time.process_time() - start)
    return {"seconds": statistics.median(times), "bytes": max(peak - before, 1), "rank": rank}


def main() -> None:
    for multiple in MULTIPLES:
        ours, theirs = (
            json.loads(subprocess.check_output([sys.executable, __file__, which, str(multiple)], text=True, env=ALONE))
            for which in ("ours", "plain")
        )
        print(f"{multiple} times the maximum: rank ours {ours['rank']}, plain {theirs['rank']}")
        for what, unit, scale in (("seconds", "s", 1.0), ("bytes", "MiB", 2.0**20)):
            a, b = ours[what] / scale, theirs[what] / scale
            print(f"  {what}: ours {a:.3f} {unit}, vmap(jacrev) + matrix_rank {b:.3f} {unit}, ratio {b / a:.1f} (target >= 10)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
