"""Fair division at scale: both algorithms and the checkers, beside fairpyx's round robin and plain formulations.

fairpyx pins NumPy below 2, so that it needs an environment of its own: name its Python in FAIRPYX_PYTHON
(``python -m venv fp && fp/bin/pip install fairpyx==0.1.0``). It divides goods only and one item at a time; its round robin is run
in that environment on 50 agents and 1000 items, and scaled by the number of cells to 200 and 5000. Without it a plain formulation of
round robin is the peer: for each pick, the best of what is left, by Python.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from _timing import compare, show

from erlangen.fields.mechanisms.division import Instance, check_allocation, double_round_robin, greedy_magnitude

SCRIPT = """
import sys, time
import numpy as np, fairpyx
n, m = int(sys.argv[1]), int(sys.argv[2])
u = np.random.default_rng(0).integers(1, 100, (n, m))
values = {f"a{i}": {f"o{o}": int(u[i, o]) for o in range(m)} for i in range(n)}
instance = fairpyx.Instance(valuations=values, agent_capacities=m)
times = []
for _ in range(2):
    started = time.perf_counter()
    fairpyx.divide(fairpyx.algorithms.round_robin, instance)
    times.append(time.perf_counter() - started)
print(min(times))
"""


def plain_round_robin(rows: list[list[int]]) -> list[int]:
    """Each pick by looking at all that is left."""
    left, owner, turn = set(range(len(rows[0]))), [0] * len(rows[0]), 0
    while left:
        mine = rows[turn % len(rows)]
        o = max(left, key=mine.__getitem__)
        owner[o] = turn % len(rows)
        left.remove(o)
        turn += 1
    return owner


def plain_efx(rows: list[list[int]], owner: list[int]) -> bool:
    """Every pair and every item, as the definition has it; stops at the first that breaks it."""
    n = len(rows)
    bundles = [[o for o, i in enumerate(owner) if i == j] for j in range(n)]
    for i, u in enumerate(rows):
        own = sum(u[o] for o in bundles[i])
        for j in range(n):
            theirs = sum(u[o] for o in bundles[j])
            if own < theirs and (
                any(own - u[o] < theirs for o in bundles[i] if u[o] < 0) or any(own < theirs - u[o] for o in bundles[j] if u[o] > 0)
            ):
                return False
    return True


def fairpyx_seconds(n: int, m: int) -> float | None:
    """Of one round robin in its own environment; None where there is none."""
    python = os.environ.get("FAIRPYX_PYTHON")
    if not python:
        return None
    done = subprocess.run([python, "-c", SCRIPT, str(n), str(m)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        print(f"fairpyx did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def main() -> None:
    n, m = 200, 5000
    u = np.random.default_rng(0).integers(-50, 51, (n, m))
    goods = Instance(np.random.default_rng(0).integers(1, 100, (n, m)))
    small = Instance(np.random.default_rng(0).integers(1, 100, (50, 1000)))
    inst = Instance(u)
    rows, answer = u.tolist(), double_round_robin(inst)
    owner = answer.owner.tolist()
    peer = fairpyx_seconds(50, 1000)
    first, other = compare(lambda: double_round_robin(small), lambda: plain_round_robin(small.numbers.tolist()), 6, 1)
    if peer is not None:
        show("Algorithm 1, 50 agents, 1000 goods", first, peer, "fairpyx round robin", "0.02")
    show("the same", first, other, "round robin in plain Python", "none")
    for name, rule, data in (
        ("Algorithm 1, 200 x 5000, goods", double_round_robin, goods),
        ("Algorithm 1, 200 x 5000, mixed (target 0.3 s)", double_round_robin, inst),
        ("Algorithm 2, 200 x 5000, mixed (target 0.3 s)", greedy_magnitude, inst),
    ):
        ours, other = compare(
            lambda rule=rule, data=data: rule(data), lambda data=data: plain_round_robin(data.numbers.tolist()), 4, 1
        )
        if peer is not None:
            show(name, ours, peer * n * m / 50_000, "fairpyx scaled by cells", "0.02")
        show(name, ours, other, "round robin in plain Python", "none")
    ours, other = compare(lambda: check_allocation(answer, "EFX"), lambda: plain_efx(rows, owner), 4, 1)
    show("EFX check, 200 x 5000 (target 1 s)", ours, other, "every pair and item, Python", "none")
    ours, other = compare(
        lambda: [check_allocation(answer, name) for name in ("EF1", "EFX", "EFX3", "PROP1")], lambda: plain_efx(rows, owner), 4, 1
    )
    show("EF1, EFX, EFX3 and PROP1 together (target 1 s)", ours, other, "the one EFX check, Python", "none")


if __name__ == "__main__":
    main()
