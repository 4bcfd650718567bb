"""Symmetries of tasks, planted in hidden bases, and tasks that have none: right dimension, angle, seconds, false findings.

    python benchmarks/task_symmetries.py planted_tasks.py [--seed 0] [--noise 0.05] [--without] [--only "so(2)"] [--liegan]

The file gives ``planted(seed, noise)``, ``without(seed, noise)`` and ``score(found, task)``: tasks with ``x [N, T, n]``, ``y [N, m]`` and
the true generators ``algebra [k, n, n + 1]``. With ``--liegan``, LieGAN runs on the same data beside, for its seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from erlangen.discover import LieGAN
from erlangen.discover.samples import samples_of
from erlangen.discover.task import task_symmetries
from erlangen.parallel import one_thread


def load(path: Path) -> ModuleType:
    """The module of tasks."""
    spec = importlib.util.spec_from_file_location("planted", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted"] = module
    spec.loader.exec_module(module)
    return module


def liegan_seconds(task: Any) -> float:
    """CPU seconds of LieGAN with its defaults on the tokens and the target."""
    started = time.process_time()
    n = task.x.shape[2]
    LieGAN(n, min(n * (n - 1) // 2 + 1, 7), quiet=True).fit_samples(
        samples_of(torch.tensor(task.x), torch.tensor(task.y), "scalar")
    )
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--liegan", action="store_true")
    args = parser.parse_args()
    tasks = load(args.tasks)
    right = total = 0
    with one_thread():
        for task in (tasks.without if args.without else tasks.planted)(seed=args.seed, noise=args.noise):
            if args.only not in task.name:
                continue
            started = time.process_time()
            found = task_symmetries(task.x, task.y, target="scalar")
            seconds = time.process_time() - started
            # An angle needs something to be compared with: without a symmetry, finding none is right.
            same, angle = tasks.score(found.generators.numpy(), task) if len(task.algebra) else (not found, 0.0)
            good = same and angle <= 3
            right, total = right + good, total + 1
            beside = f", LieGAN {liegan_seconds(task):.0f} s" if args.liegan else ""
            print(
                f"{'right' if good else 'WRONG'}  {task.name:26s} {angle:6.2f} degrees  {seconds:5.1f} s{beside}  {found}",
                flush=True,
            )
    print(f"{right} of {total} right (dimension, and an angle of at most 3 degrees)")


if __name__ == "__main__":
    main()
