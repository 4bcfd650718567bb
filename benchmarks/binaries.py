"""Binaries: 1000 waveforms in one batch against gbgpu's calls, and a grid of likelihoods against direct waveforms.

gbgpu's wheel stops with "illegal instruction" on some processors and pins other versions, so that it runs in a process and an environment
of its own: `python -m venv peer && peer/bin/pip install gbgpu==1.2.4`, then `GBGPU_PYTHON=peer/bin/python python benchmarks/binaries.py`.
Without it the plain formulation, our waveform called for one source after another, stands beside the batch. Both are CPU seconds of one
thread, as two processes cannot take turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import time

import torch
from _timing import compare, show

from erlangen.fields import binaries as bi

COUNT, N = 1000, 256
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
from gbgpu.gbgpu import GBGPU
p, N = json.loads(sys.stdin.read())
p = np.array(p)
gb = GBGPU()
def one(i): gb.run_wave(*[v[i:i + 1] for v in p], N=N)
def all_(): gb.run_wave(*p, N=N)
for i in range(5): one(i)
start = time.process_time()
for i in range(100): one(i)
calls = (time.process_time() - start) / 100
all_()
start = time.process_time()
all_()
print(json.dumps([calls, time.process_time() - start]))
"""


def sources() -> torch.Tensor:
    """Parameters of 1000 binaries, ``[9, 1000]``."""
    u = torch.rand(9, COUNT, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    low = torch.tensor([1e-23, 1e-3, 1e-19, 0.0, 0.0, 0.1, 0.0, 0.0, -1.2], dtype=torch.float64)
    high = torch.tensor([1e-22, 8e-3, 1e-16, 0.0, 6.2, 3.0, 3.1, 6.2, 1.2], dtype=torch.float64)
    return low[:, None] + (high - low)[:, None] * u


def peer(p: torch.Tensor) -> tuple[float, float] | None:
    """Seconds of one call, and of one call with all sources, of gbgpu; nothing where it does not run."""
    python = os.environ.get("GBGPU_PYTHON")
    if python is None:
        return None
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    run = subprocess.run([python, "-c", PEER], input=json.dumps([p.tolist(), N]), capture_output=True, text=True, env=alone)
    return tuple(json.loads(run.stdout.splitlines()[-1])) if run.returncode == 0 else None


def main() -> None:
    torch.set_num_threads(1)
    p = sources()
    times = []
    for _ in range(5):
        start = time.process_time()
        bi.waveform(*p, N=N)
        times.append(time.process_time() - start)
    batch = sorted(times)[2]
    found = peer(p)
    if found is None:
        start = time.process_time()
        for i in range(50):
            bi.waveform(*p[:, i], N=N)
        alone = (time.process_time() - start) / 50
        show(f"{COUNT} waveforms, N = {N}", batch, COUNT * alone, "our own, one after another (gbgpu does not run here)", "none")
    else:
        show(f"{COUNT} waveforms, N = {N}", batch, COUNT * found[0], "gbgpu, a call for each", "0.25")
        show("the same", batch, found[1], "gbgpu, one call for all", "none")
    print(f"one batch of {COUNT}: {batch:.2f} s (target 1 s)")
    waves = bi.FourWaves(2.61e-3, 3.3e-17, 0.0, 1.77, 0.1, N=N)
    c = waves.correlate(waves.data(1e-22, 0.9, 0.4, 0.7))
    grid = bi.Grid.regular()
    points = len(grid.iota) * len(grid.psi) * len(grid.phi0)
    some = torch.rand(3, COUNT, dtype=torch.float64)
    data = waves.data(1e-22, 0.9, 0.4, 0.7)

    def direct() -> torch.Tensor:
        at = [torch.full((COUNT,), v, dtype=torch.float64) for v in (1e-22, 2.61e-3, 3.3e-17, 0.0)]
        place = [torch.full((COUNT,), v, dtype=torch.float64) for v in (1.77, 0.1)]
        h = bi.waveform(*at, 6 * some[0], 3 * some[1], 6 * some[2], *place, N=N).channels[:, :2]
        psd = waves.psd.expand(COUNT, -1)
        return bi.inner(data.expand_as(h), h, psd, waves.span) ** 2 / bi.inner(h, h, psd, waves.span)

    ours, slow = compare(lambda: waves.grid(c, grid), direct, 8, 2)
    show(f"likelihoods at {points} points", ours, slow * points / COUNT, f"direct waveforms in batches of {COUNT}, scaled", "0.1")
    print(f"one grid: {ours:.3f} s (target 0.1 s)")


if __name__ == "__main__":
    main()
