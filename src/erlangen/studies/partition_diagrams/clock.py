"""The clock: a layer by diagrams beside its basis as dense matrices."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from erlangen.groups import Symmetric
from erlangen.nn import EquivariantLinear
from erlangen.reporting import Claim, Crossover, Figure, Line, lines_with_band, progress
from erlangen.studies.partition_diagrams.counting import bounded_partitions

#: Numbers in a basis of dense matrices: 240 MB in float64.
MOST_DENSE = 3 * 10**7
#: Numbers of nodes by the order of the tensors.
SIZES = {2: (4, 6, 8, 10, 14, 20, 30), 3: (4, 5, 6, 7, 8, 10, 12, 16, 20)}
#: Order, nodes, seconds, and seconds of dense matrices, None where they are too large.
Timing = tuple[int, int, float, float | None]


def timings(largest: int, quiet: bool) -> list[Timing]:
    """``(order, n, seconds, seconds of dense matrices, None where too large)`` of a forward pass, 8 -> 8 channels, 8 samples."""
    cases = [(order, n) for order, sizes in SIZES.items() for n in sizes if n <= largest or n == sizes[0]]
    found = []
    with progress(len(cases), "timing", quiet) as bar:
        for order, n in cases:
            V = Symmetric(n).vector
            layer = EquivariantLinear(V**order, V**order, (8, 8), bias=False, normalize="sum")
            x = torch.randn(8, 8, n**order, generator=torch.Generator().manual_seed(0))
            with torch.no_grad():
                dense = None
                if layer.maps.dim * n ** (2 * order) <= MOST_DENSE:
                    basis = layer.maps.basis().float().flatten(0, 1)
                    dense = seconds_of(lambda: dense_product(basis, layer.weight, x))  # noqa: B023
                found.append((order, n, seconds_of(lambda: layer(x)), dense))  # noqa: B023
            bar.advance()
    return found


def dense_product(basis: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    """What the layer computes, by a matrix for each basis element (``[dim * out, in]``, stacked) and then the channels."""
    moved = (x.flatten(0, 1) @ basis.mT).unflatten(0, x.shape[:2]).unflatten(-1, (len(weight), -1))
    return torch.einsum("koc,bcki->boi", weight, moved)


def seconds_of(call: Callable[[], Any]) -> float:
    """The median of five calls, each long enough to be timed; of CPU, which other jobs on the machine do not lengthen."""
    call()
    clock = time.process_time()
    call()
    repeats = max(1, min(50, int(0.02 / max(1e-9, time.process_time() - clock))))
    seen = []
    for _ in range(5):
        clock = time.process_time()
        for _ in range(repeats):
            call()
        seen.append((time.process_time() - clock) / repeats)
    return statistics.median(seen)


def bytes_of(order: int, n: int) -> float:
    """Size of the basis as dense float32 matrices."""
    return 4.0 * bounded_partitions(2 * order, n) * n ** (2 * order)


def claim_of(clock: list[Timing]) -> Claim:
    """That the layer is ten times as fast as dense matrices at twenty nodes, or at the most that were timed."""
    pairs = [(n, fast, dense) for order, n, fast, dense in clock if dense is not None and order == 2]
    n, fast, dense = next((p for p in pairs if p[0] == 20), pairs[-1])
    ratios = "times as fast: " + ", ".join(f"{d / f:.2g} at n = {size}" for size, f, d in pairs)
    order, size, spent, _ = max((c for c in clock if c[0] == 3), key=lambda c: c[1])
    return Claim(
        f"at n = {n}, 2 -> 2, the layer is at least 10 times as fast as its basis as dense matrices",
        None,
        fast,
        fast * 10 <= dense,
        baseline=dense,
        unit="s",
        scale="8 -> 8 channels, 8 samples, forward, one core",
        note=f"{ratios}; {order} -> {order} at n = {size}: {spent * 1e3:.3g} ms, dense matrices would take "
        f"{bytes_of(order, size) / 1e9:.3g} GB",
        key="fast",
    )


def crossover(clock: list[Timing]) -> Crossover | None:
    """Seconds over the number of nodes, as far as dense matrices go; None where these are timed at one size only."""
    pairs = [(n, fast, dense) for order, n, fast, dense in clock if dense is not None and order == 2]
    if len(pairs) < 2:
        return None
    places, fast, dense = zip(*pairs)
    return Crossover(
        "nodes", places, "seconds of a layer from matrices to matrices", "lower", "the layer by diagrams",
        {"the layer by diagrams": [[s] for s in fast], "dense matrices": [[s] for s in dense]}, log_y=True,
        note="8 -> 8 channels, 8 samples, forward, one core; medians of five.",
    )  # fmt: skip


def figure_of(clock: list[Timing]) -> Figure:
    lines = {}
    for order in SIZES:
        mine = [c for c in clock if c[0] == order]
        lines[f"{order} -> {order}, diagrams"] = Line([c[1] for c in mine], [c[2] for c in mine])
        dense = [c for c in mine if c[3] is not None]
        lines[f"{order} -> {order}, dense matrices"] = Line([c[1] for c in dense], [c[3] for c in dense])
    return lines_with_band(
        lines,
        title="One forward pass",
        x_label="n",
        y_label="seconds",
        log_y=True,
        caption="8 -> 8 channels, 8 samples, float32, one core. Dense matrices end where the basis has more than "
        f"{MOST_DENSE:.0e} numbers.",
    )
