"""Uniform random rotations per second on one core, beside e3nn and SciPy.

python benchmarks/haar_so3.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from erlangen.groups.orthogonal import SO

BATCH, SECONDS = 100_000, 1.0


def rate(draw: Callable[[], object]) -> float:
    """Samples per second: the best of three runs."""
    draw()
    best = 0.0
    for _ in range(3):
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < SECONDS / 3:
            draw()
            count += BATCH
        best = max(best, count / elapsed)
    return best


def main() -> None:
    torch.set_num_threads(1)
    generator, numpy_generator = torch.Generator().manual_seed(0), np.random.default_rng(0)
    group = SO(3)
    ours = {
        str(dtype)[6:]: rate(lambda dtype=dtype: group.sample(BATCH, generator=generator, dtype=dtype))  # type: ignore[misc]
        for dtype in (torch.float32, torch.float64)
    }
    peers = {"scipy (float64)": rate(lambda: Rotation.random(BATCH, random_state=numpy_generator).as_matrix())}
    try:
        from e3nn import o3

        peers["e3nn (float32)"] = rate(lambda: o3.rand_matrix(BATCH, dtype=torch.float32))
    except ImportError:
        print("e3nn is not installed: pip install 'erlangen[bench]'")
    for name, value in ours.items():
        print(f"erlangen ({name}): {value / 1e6:.2f} M rotations/s")
    for name, value in peers.items():
        mine = ours["float64" if "64" in name else "float32"]
        print(f"{name}: {value / 1e6:.2f} M rotations/s; erlangen is {mine / value:.1f}x as fast")


if __name__ == "__main__":
    main()
