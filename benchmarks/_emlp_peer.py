"""Run by the peer's own Python (see maps_vs_emlp.py): one case of EMLP in one process, its numbers as one line of JSON.

Arguments: GROUP (S or O), n, k, l, batch, gigabytes. Needs nothing of Erlangen.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable


def peak_mib() -> float:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def median_seconds(run: Callable[[], object], repeats: int = 9) -> float:
    times = []
    for i in range(repeats + 2):
        start = time.perf_counter()
        run()
        if i >= 2:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    name, (n, k, l, batch), gigabytes = sys.argv[1], map(int, sys.argv[2:6]), float(sys.argv[6])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, as for the others
    limit = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    os.environ["TQDM_DISABLE"] = "1"  # its progress bar fails on large problems
    import jax
    import numpy as np
    from emlp.groups import O, S
    from emlp.reps import T

    group = {"S": S, "O": O}[name](n)
    jax.numpy.ones(3).block_until_ready()
    before = peak_mib()
    source, target = T(k)(group), T(l)(group)
    start = time.perf_counter()
    space = source >> target
    basis = jax.block_until_ready(space.equivariant_basis())
    cold = time.perf_counter() - start
    built = peak_mib()
    warm = cold
    if cold < 20:  # once more with everything compiled
        type(space).solcache.clear()
        start = time.perf_counter()
        jax.block_until_ready((source >> target).equivariant_basis())
        warm = time.perf_counter() - start
    rng = np.random.default_rng(0)
    x = jax.numpy.asarray(rng.standard_normal((batch, source.size())), dtype=basis.dtype)
    weights = jax.numpy.asarray(rng.standard_normal(basis.shape[1]), dtype=basis.dtype)

    @jax.jit
    def layer(basis, weights, x):  # type: ignore[no-untyped-def]
        return x @ (basis @ weights).reshape(target.size(), source.size()).T

    seconds = median_seconds(lambda: jax.block_until_ready(layer(basis, weights, x)))
    found = {"dim": basis.shape[1], "cold": cold, "warm": warm, "apply": seconds}
    print(json.dumps(found | {"basis_mib": built - before, "peak_mib": peak_mib() - before}))


if __name__ == "__main__":
    main()
