"""`EquivariantMaps` of S_n and O(n) against PyPI `emlp` (JAX) and against dense matrices: time and memory to get the basis and to apply it.

The peer needs an environment of its own, with a JAX of its time (with JAX 0.10 its float32 singular values return a wrong dimension for
S(6), 2 -> 2) and two packages that it does not declare:

    python -m venv env-emlp
    env-emlp/bin/pip install emlp six "setuptools<70" "jax==0.4.30" "jaxlib==0.4.30" "numpy<2" "scipy<1.13"
    python benchmarks/maps_vs_emlp.py --peer-python env-emlp/bin/python

Every case runs in a process of its own on one core, with limits of time and memory; a series in n stops for the peer where one ends it.
The peer's basis time is the better of a first and a compiled second solution. "apply" turns weights into outputs for a batch, as a
layer does at each training step: ours without a matrix; the peer and "dense" form the matrix from the basis and multiply; "product" is
the multiplication alone; last, the same for 16 channels in and out. Targets: basis >= 100 times faster than the peer at the largest size
it finishes; apply >= 10 times faster than dense at n = 20, 2 -> 2.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: A dense basis with more float32 numbers than this (1 GiB) is not attempted.
DENSE_NUMBERS = 2**28
#: The same layer with this many channels in and out, as networks have it.
CHANNELS = 16


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def median_seconds(run: Any, budget: float = 2.0) -> float:
    """Median of up to 30 runs, within a budget of seconds, after a warm-up."""
    times: list[float] = []
    run()
    start = time.perf_counter()
    while len(times) < 3 or (len(times) < 30 and time.perf_counter() - start < budget):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def ours(name: str, n: int, k: int, l: int, batch: int) -> dict[str, Any]:
    """One case of this library and of dense matrices, measured in this process."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import torch

    import erlangen as er

    torch.set_num_threads(1)
    # One small case first: imports and warm-up are not the basis.
    small = er.groups.SO(2).vector
    er.EquivariantMaps(small, small)(torch.randn(2), torch.randn(2, 2))
    vector = {"S": er.Symmetric, "O": er.O}[name](n).vector
    source, target = vector**k, vector**l
    before = peak_mib()
    start = time.perf_counter()
    maps = er.EquivariantMaps(source, target)
    found: dict[str, Any] = {"basis": time.perf_counter() - start, "dim": maps.dim, "basis_mib": peak_mib() - before}
    generator = torch.Generator().manual_seed(0)
    x, weights = torch.randn(batch, source.dim, generator=generator), torch.randn(maps.dim, generator=generator)
    with torch.no_grad():
        found["apply"] = median_seconds(lambda: maps(weights, x))
        found["peak_mib"] = peak_mib() - before
        if 0 < maps.dim * source.dim * target.dim <= DENSE_NUMBERS:
            start = time.perf_counter()
            basis = maps.basis().float()
            found["matrices"] = time.perf_counter() - start
            flat = basis.flatten(1).mT.contiguous()
            found["dense"] = median_seconds(lambda: x @ (flat @ weights).view(target.dim, source.dim).mT)
            matrix = (flat @ weights).view(target.dim, source.dim)
            found["product"] = median_seconds(lambda: x @ matrix.mT)
            worst = float((maps(weights, x) - x @ matrix.mT).abs().max() / (x @ matrix.mT).abs().max())
            assert worst < 1e-3, f"the two products differ by {worst:.2g}"
            found["dense_mib"] = peak_mib() - before
            if CHANNELS**2 * source.dim * target.dim <= DENSE_NUMBERS // 4:
                wide = torch.randn(maps.dim, CHANNELS, CHANNELS, generator=generator)
                xs = torch.randn(batch, CHANNELS, source.dim, generator=generator)

                def by_matrix() -> torch.Tensor:
                    blocks = (flat @ wide.flatten(1)).view(target.dim, source.dim, CHANNELS, CHANNELS)
                    return xs.flatten(1) @ blocks.permute(3, 1, 2, 0).reshape(CHANNELS * source.dim, -1)

                difference = (maps(wide, xs) - by_matrix().view(batch, CHANNELS, -1)).abs().max() / by_matrix().abs().max()
                assert float(difference) < 1e-3, f"the two layers differ by {float(difference):.2g}"
                found["wide"] = median_seconds(lambda: maps(wide, xs))
                found["wide_dense"] = median_seconds(by_matrix)
                formed = torch.randn(CHANNELS * source.dim, CHANNELS * target.dim, generator=generator)
                found["wide_product"] = median_seconds(lambda: xs.flatten(1) @ formed)
    return found


def run_case(command: list[str], seconds: float) -> dict[str, Any] | str:
    """The JSON that a process prints, or why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"no basis within {seconds:g} s"
    if done.returncode == 0:
        return json.loads(done.stdout.strip().splitlines()[-1])
    memory = any(
        word in done.stderr for word in ("MemoryError", "RESOURCE_EXHAUSTED", "bad_alloc", "Unable to allocate", "Out of memory")
    )
    last = (done.stderr.strip().splitlines() or ["killed"])[-1]
    return "out of memory" if memory or done.returncode < 0 else last[:100]


def exponent(points: list[tuple[int, float]]) -> float:
    """The slope of log time against log n."""
    x, y = ([math.log(p[i]) for p in points] for i in (0, 1))
    mx, my = statistics.mean(x), statistics.mean(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)


def milliseconds(found: dict[str, Any], key: str) -> str:
    return f"{1e3 * found[key]:10.3f}" if key in found else f"{'-':>10}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, help="the Python of the peer's environment; without it only ours and dense")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 5, 10, 20, 50])
    parser.add_argument("--powers", nargs="+", default=["1,1", "2,1", "2,2", "3,2", "3,3"], help="k,l: V^k -> V^l")
    parser.add_argument("--groups", nargs="+", choices=["S", "O"], default=["S", "O"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument(
        "--case", nargs=5, metavar=("GROUP", "N", "K", "L", "BATCH"), help="(used by this script for its processes)"
    )
    options = parser.parse_args()
    if options.case:
        print(json.dumps(ours(options.case[0], *map(int, options.case[1:]))))
        return
    peer_script = str(Path(__file__).with_name("_emlp_peer.py"))
    header = "basis ms, apply ms (dense: with its matrices, product alone), peak MiB; emlp: basis, apply, peak"
    print(f"batch {options.batch}, one core; {header}")
    for name in options.groups:
        for k, l in ([int(p) for p in power.split(",")] for power in options.powers):
            peer_ended = "" if options.peer_python else "not run"
            curves: dict[str, list[tuple[int, float]]] = {"apply": [], "dense": [], "emlp basis": []}
            last = ""
            for n in options.sizes:
                case = [name, str(n), str(k), str(l), str(options.batch)]
                mine = run_case([sys.executable, __file__, "--case", *case], 10 * options.seconds)
                if isinstance(mine, str):
                    print(f"{name}({n}) {k}->{l}: ours: {mine}")
                    break
                line = (
                    f"{name}({n}) {k}->{l} dim {mine['dim']:4}: ours {milliseconds(mine, 'basis')} {milliseconds(mine, 'apply')} "
                    f"{mine['peak_mib']:7.0f} | dense {milliseconds(mine, 'matrices')} {milliseconds(mine, 'dense')} "
                    f"{milliseconds(mine, 'product')} {mine.get('dense_mib', math.nan):7.0f}"
                )
                if "wide" in mine:
                    line += (
                        f" | {CHANNELS} channels: {milliseconds(mine, 'wide')}, dense {mine['wide_dense'] / mine['wide']:.1f} times"
                    )
                    line += f", product {mine['wide_product'] / mine['wide']:.1f} times"
                for key in ("apply", "dense"):
                    if key in mine and n >= 5:
                        curves[key].append((n, mine[key]))
                if not peer_ended:
                    command = [str(options.peer_python), peer_script, *case, str(options.gigabytes)]
                    peer = run_case(command, options.seconds)
                    if isinstance(peer, str):
                        peer_ended = f"stops at {name}({n}): {peer}"
                        line += f" | emlp {peer_ended}"
                    else:
                        basis = min(peer["cold"], peer["warm"])
                        curves["emlp basis"].append((n, basis))
                        wrong = "" if peer["dim"] == mine["dim"] else f" WRONG DIM {peer['dim']}"
                        line += f" | emlp {1e3 * basis:10.1f} {milliseconds(peer, 'apply')} {peer['peak_mib']:7.0f}{wrong}"
                        last = f"basis {basis / mine['basis']:.0f} times, apply {peer['apply'] / mine['apply']:.2f} times ours at n={n}"
                print(line, flush=True)
            fits = ", ".join(f"{what} n^{exponent(c):.1f}" for what, c in curves.items() if len(c) >= 2)
            print(
                f"  {name} {k}->{l}: {fits}" + (f"; emlp's {last}; it {peer_ended or 'finished all'}" if last else ""), flush=True
            )


if __name__ == "__main__":
    main()
