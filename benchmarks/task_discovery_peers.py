"""Affine symmetries of planted tasks: ours beside LieGAN, Augerino, the null space of a network's Lie derivative, and LieNLSD.

    python benchmarks/task_discovery_peers.py planted_tasks.py [--seeds 0 1] [--times 3] [--only "se(2)"]

The file is that of `task_symmetries.py`. Peers are compact formulations of our own of what was published, with `--times` our CPU seconds
for each (LieGAN no fewer than its own 3000 steps) and settings chosen on validation data. For each: how many generators were found by the
largest gap, the largest angle to the truth where the number is right, the same angle of the likeliest generators where the number is told,
CPU seconds, and how many times ours that is.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _task_peers import Directions, augerino, lie_derivative, lie_nlsd, liegan
from task_symmetries import load
from torch import Tensor

from erlangen.discover.task import task_symmetries
from erlangen.parallel import one_thread

TASKS = ("so(3), two points", "se(2)", "so(2,2)", "sl(2), area", "similarities of the plane")
#: An angle up to this one is right.
RIGHT = 3.0


def angle(found: Tensor, truth: Tensor) -> float:
    """The largest angle between two spans of equally many fields, in degrees; fields of a larger library than the truth's are its own."""
    n, wide = found.shape[1:]
    truth = torch.nn.functional.pad(truth, (0, wide - truth.shape[2]))
    a, b = (torch.linalg.qr(m.reshape(len(m), n * wide).mT).Q for m in (found, truth))
    return math.degrees(math.acos(min(1.0, float(torch.linalg.svdvals(a.mT @ b).min()))))


def row(name: str, count: int, found: Tensor, truth: Tensor, told: Tensor | None, seconds: float, ours: float) -> tuple[bool, str]:
    """Whether dimension and angle are right, and the line that says so."""
    right = count == len(truth)
    off = angle(found, truth) if right and count else (0.0 if right else math.nan)
    good = right and off <= RIGHT
    best = "" if told is None or not len(truth) else f"{angle(told, truth):6.1f}"
    said = f"{'right' if good else 'wrong'}  {count:3d} of {len(truth)}  {off:6.1f}  {best:>6s}"
    return good, f"  {name:26s} {said}  {seconds:6.1f} s  {seconds / ours:5.1f}x"


def compared(task: Any, seed: int, times: float) -> dict[str, tuple[bool, float]]:
    """Print one task's lines; whether each method is right, and its seconds."""
    truth = torch.tensor(task.algebra)
    started = time.process_time()
    found = task_symmetries(task.x, task.y, target="scalar", seed=seed)
    ours = time.process_time() - started
    generators = found.generators if len(found.generators) else truth[:0]
    good, line = row("ours", len(generators), generators, truth, None, ours, ours)
    print(line, flush=True)
    results = {"ours": (good, ours)}
    x, y = torch.tensor(task.x).float(), torch.tensor(task.y).float()
    y = (y - y.mean(0)) / y.std(0)
    flat = x.flatten(0, 1)
    mean, scale = flat.mean(0), flat.std(0)
    z = (x - mean) / scale
    # The truth in the standardised coordinates that peers see.
    n = len(scale)
    inside = torch.cat(
        [truth[..., :n] * scale / scale[:, None], (truth[..., n:] + truth[..., :n] @ mean.double()[:, None]) / scale[:, None]], 2
    )
    channels = max(1, len(truth))
    peers: dict[str, Callable[[], tuple[Directions, float]]] = {
        "LieGAN": lambda: liegan(z, y, times * ours, seed, channels),
        "Augerino": lambda: augerino(z, y, times * ours, seed),
        "Lie derivative": lambda: lie_derivative(z, y, times * ours, seed),
        "LieNLSD, degree 2": lambda: lie_nlsd(z, y, times * ours, seed),
    }
    for name, peer in peers.items():
        started = time.process_time()
        directions, error = peer()
        seconds = time.process_time() - started
        count, rows = directions.found, directions.rows
        good, line = row(name, count, rows[:count], inside, rows[: len(truth)], seconds, ours)
        print(line + ("" if math.isnan(error) else f"  held-out error {error:.2g}"), flush=True)
        results[name] = (good, seconds)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--times", type=float, default=3.0)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    tasks = load(args.tasks)
    totals: dict[str, list[tuple[bool, float]]] = {}
    print("  method                     answer  found of  angle  if told  CPU  beside ours")
    with one_thread():
        for seed in args.seeds:
            chosen = [task for task in tasks.planted(seed=seed) if task.name in TASKS] + [next(iter(tasks.without(seed=seed)))]
            for task in chosen:
                if args.only not in task.name:
                    continue
                print(f"{task.name}, seed {seed}", flush=True)
                for name, result in compared(task, seed, args.times).items():
                    totals.setdefault(name, []).append(result)
    for name, results in totals.items():
        seconds = sum(second for _, second in results)
        print(f"{name}: {sum(good for good, _ in results)} of {len(results)} right, {seconds:.0f} CPU seconds in all")


if __name__ == "__main__":
    main()
