"""Null infinity: BMS3 on single data and in batches, against a loop and against NumPy's direct sum of the series. There is no peer."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from _timing import compare, show

from erlangen.fields import spacetime as st

N, MANY = 256, 1000


def plain(h: np.ndarray, alpha: np.ndarray, theta: np.ndarray, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The action as one writes it first: derivatives by FFT, values at ``f(phi)`` by summing the series."""
    n = len(h)
    phi, k = 2 * np.pi * np.arange(n) / n, np.arange(n // 2 + 1)

    def d(v: np.ndarray, order: int) -> np.ndarray:
        return np.fft.irfft((1j * k) ** order * np.fft.rfft(v), n)

    waves = np.exp(1j * np.outer(phi + h, k))
    twice = np.where((k == 0) | (k == n // 2), 1.0, 2.0) / n

    def at(v: np.ndarray) -> np.ndarray:
        return (waves @ (np.fft.rfft(v) * twice)).real

    slope = 1 + d(h, 1)
    moved = slope**2 * at(theta) - 2 * (d(h, 3) / slope - 1.5 * (d(h, 2) / slope) ** 2)
    return moved, slope**2 * at(xi) + 0.5 * alpha * d(moved, 1) + d(alpha, 1) * moved - d(alpha, 3)


def once(function: Callable[[], object], repeats: int = 200) -> float:
    """Mean seconds of the processor for a call."""
    function()
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


def main() -> None:
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    elements = st.BMS3Element.random(N, MANY, band=4, slope=0.4, generator=draw)
    fields = st.CircleField.random(N, 2, MANY, generator=draw).values
    data = st.BoundaryData(fields[0], fields[1])
    x, y = (st.BMS3Vector.random(N, MANY, generator=draw) for _ in range(2))
    g, one, a, b = elements[0], data[0], x[0], y[0]
    for name, call in {
        "action": lambda: one.act(g),
        "charge": lambda: one.charge(a),
        "bracket": lambda: a.bracket(b),
        "composition": lambda: g @ g,
        "inverse": g.inverse,
        "monodromy": one.monodromy,
    }.items():
        print(f"one {name}, N = {N}: {1e3 * once(call):.3f} ms (target of actions, charges, brackets 1 ms)")
    singles = [(elements[i], data[i]) for i in range(MANY)]
    mine, peer = compare(lambda: data.act(elements), lambda: [d.act(e) for e, d in singles], 8, 1)
    show(f"{MANY} actions", mine, peer, "a loop over ours", "0.05")
    arrays = [tuple(t.numpy() for t in (e.h, e.alpha, d.theta, d.xi)) for e, d in singles]
    mine, peer = compare(lambda: data.act(elements), lambda: [plain(*row) for row in arrays], 4, 1)
    show(f"{MANY} actions", mine, peer, "a loop with NumPy", "0.05")
    off = max(float(np.abs(plain(*arrays[i])[0] - data[i].act(elements[i]).theta.numpy()).max()) for i in range(5))
    print(f"largest difference of Theta between the two: {off:.1e}")
    for name, batch, loop in (
        ("charges", lambda: data.charge(x), lambda: [d.charge(x[i]) for i, (_, d) in enumerate(singles)]),
        ("brackets", lambda: x.bracket(y), lambda: [x[i].bracket(y[i]) for i in range(MANY)]),
        ("compositions", lambda: elements @ elements, lambda: [e @ e for e, _ in singles]),
    ):
        mine, peer = compare(batch, loop, 4, 1)
        show(f"{MANY} {name}", mine, peer, "a loop over ours", "0.05")
    start = time.perf_counter()
    for part in ("flat", "killing", "algebra", "central charges", "zero modes", "matter"):
        st.derive(part)
    st.link_is_unique()
    print(f"derivations and the proof of uniqueness: {time.perf_counter() - start:.1f} s (target 60 s)")


if __name__ == "__main__":
    main()
