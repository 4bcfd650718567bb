"""Colloids: a step of 81 particles against NumPy's all pairs, how a step grows with the number of particles, displacements by Fourier
transforms against the direct sum, and 2000 single particles with a delay in seconds."""

from __future__ import annotations

import time

import numpy as np
import torch
from _timing import compare, show

from erlangen.fields import colloids as co

PROGRAM = co.Program(core=co.WCA(0.8), cross=co.rings([1.0, 2**0.5], 4.0, 0.08))
SIDE = 10.5


def plain(steps: int, n: int, seed: int = 0) -> np.ndarray:
    """All pairs with NumPy: cores and two rings, the same program."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(n**0.5))
    x = (np.stack(np.divmod(np.arange(n), side), 1) + 0.5) * SIDE / side
    dt = 1e-4
    for _ in range(steps):
        d = x[:, None] - x[None]
        d -= SIDE * np.round(d / SIDE)
        r2 = (d**2).sum(-1)
        np.fill_diagonal(r2, 1e9)
        r = np.sqrt(r2)
        sixth = (0.64 / r2) ** 3
        pull = np.where(r < 0.8 * 2 ** (1 / 6), 24 * (2 * sixth**2 - sixth) / r2, 0.0)
        for radius in (1.0, 2**0.5):
            away = r - radius
            pull -= 4.0 / 0.0064 * away * np.exp(-(away**2) / 0.0128) / r
        x = x + dt * (pull[..., None] * d).sum(1) + np.sqrt(2 * dt) * rng.normal(size=x.shape)
    return x


def ours(n: int, batch: int, side: float) -> co.BrownianDynamics:
    """A simulation that has begun."""
    sim = co.BrownianDynamics(n, box=side, dt=1e-4, seed=0, batch=batch)
    sim.add(PROGRAM)
    sim.run(200, 200)
    return sim


def main() -> None:
    torch.set_num_threads(1)
    steps = 200
    for batch in (1, 4, 16):
        sim = ours(81, batch, SIDE)
        mine, peer = compare(lambda sim=sim: sim.run(steps, steps), lambda: plain(steps, 81), 8, 1)
        scale = 1 / steps
        show(
            f"a step of N = 81, {batch} replicas at once, of each replica",
            mine * scale / batch,
            peer * scale,
            "NumPy's all pairs",
            "0.12",
        )
    times = {}
    for n in (1000, 10_000):
        sim = ours(n, 1, SIDE * (n / 81) ** 0.5)
        start = time.perf_counter()
        sim.run(100, 100)
        times[n] = (time.perf_counter() - start) / 100
    print(
        f"a step of N = 10^3: {1e3 * times[1000]:.2f} ms, of N = 10^4: {1e3 * times[10_000]:.2f} ms, lists included: "
        f"{times[10_000] / times[1000]:.1f} times for 10 times the particles"
    )
    x = torch.randn(10_000, 2, 2, dtype=torch.float64).cumsum(0)
    mine, peer = compare(lambda: co.mean_square_displacement(x), lambda: co.direct_mean_square_displacement(x), 2, 0)
    show("displacements of 10^4 frames, 2 particles, all lags", mine, peer, "direct sum", "0.05")
    x = torch.randn(10_000, 1000, 2, dtype=torch.float64).cumsum_(0)
    start = time.perf_counter()
    co.mean_square_displacement(x)
    print(f"displacements of 10^4 frames x 10^3 particles: {time.perf_counter() - start:.2f} s (target 1 s)")
    sim = co.BrownianDynamics(1, dt=1e-3, batch=2000)
    sim.add(co.Harmonic(10.0), delay=0.1, self_=True, cross=False)
    start = time.perf_counter()
    sim.run(6000, 10)
    print(f"2000 single particles x 6000 steps with a delay: {time.perf_counter() - start:.2f} s (target 3 s)")


if __name__ == "__main__":
    main()
