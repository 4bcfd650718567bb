"""How every benchmark times: warm-up, then the median of several runs, peers in turns in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def compare(ours: Callable[[], object], peer: Callable[[], object], repeats: int = 16, warmup: int = 3) -> tuple[float, float]:
    """Median seconds of ours and of the peer: blocks of runs, in turns, so that both see the same machine and a warm allocator."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(2):
        for run, kept in zip((ours, peer), times):
            for i in range(warmup + repeats // 2):
                start = time.perf_counter()
                run()
                if i >= warmup:
                    kept.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def show(what: str, ours: float, peer: float, peer_name: str, target: str) -> None:
    """One line: both times and how many times the peer's time ours is."""
    print(f"{what}: ours {1e3 * ours:.3f} ms, {peer_name} {1e3 * peer:.3f} ms, ratio ours/peer {ours / peer:.3f} (target {target})")
