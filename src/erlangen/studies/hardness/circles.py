"""Hard functions averaged over rotations of a circle, learned by convolutions; next to them, random networks of the same shape."""

from __future__ import annotations

import itertools
import time
from typing import Any

import torch

import erlangen as er
from erlangen.measure.hardness import CosReLU, OrbitCNN
from erlangen.reporting import Claim, Rival, Section, Table, repeated
from erlangen.studies.base import ONLY_FULL, Part
from erlangen.studies.hardness import rows as shown
from erlangen.studies.hardness.rows import EASY, HARD, Row, Setting
from erlangen.studies.hardness.study import Config
from erlangen.studies.rivals import boosters, ridges, simplest

SOURCE = "Kiani et al. 2024, arXiv:2401.01869"
CIRCLE = "circle"
CHANNELS = 64
ABOUT = (
    "Gaussian numbers on a circle of n points go in. The hard function is the alternating sum of 2k rectified half-planes of a hidden "
    "plane, averaged over all rotations: a convolutional network of 2k circular filters. The easy one has 2k random filters with "
    "random signs. The student is a convolutional network with 64 circular filters, so it is invariant, and 2k of them are enough "
    "for the hard function. Beside it stands boosting, or a ridge, on invariants of the circle: power spectra and bispectra.",
)


def family_of(row: Row) -> CosReLU:
    """The family of a row."""
    return CosReLU(row.n, row.k, er.Cyclic(row.n))


def setting(row: Row) -> Setting:
    """The target and the student of a row."""
    family, generator = family_of(row), torch.Generator().manual_seed(row.seed)
    target: Any = family.sample_target(generator) if row.kind == HARD else family.random_network(generator)
    return Setting(target, lambda: OrbitCNN(family.elements, row.width), family.sample_inputs, 128, 3e-3)


def train(row: Row) -> Any:
    """One student."""
    return shown.train_row(setting, row)


def run(config: Config, quiet: bool) -> Part:
    """Check, train, compare."""
    sizes, degrees = ((10, 20, 30, 50), (2, 4, 6, 8)) if config.full else ((10, 20), (2, 4, 6))
    steps, seeds = config.first(1300), config.repeats()
    grid = [(n, k) for n in sizes for k in degrees]
    rows = [Row(CIRCLE, n, k, kind, CHANNELS, s, steps) for n, k in grid for kind in (HARD, EASY) for s in seeds]
    if config.full:
        rows += [Row(CIRCLE, 20, 6, HARD, width, s, steps) for width in (16, 512) for s in seeds]
    curves = shown.train_rows(train, rows, config, quiet, "circular students")

    runs = {(n, k, kind): curves[Row(CIRCLE, n, k, kind, CHANNELS, 0, steps).name] for n, k in grid for kind in (HARD, EASY)}
    error = {key: shown.final(value) for key, value in runs.items()}
    changes, room = _checks(grid, config.seed)
    scale = f"{len(seeds)} targets each, {steps} steps of 128 fresh inputs, tested on 4000"
    easy = max(error[n, k, EASY] for n, k in grid)
    hardest = (20, 6, HARD)
    in_k = [error[n, b, HARD] - error[n, a, HARD] for n in sizes for a, b in itertools.pairwise(degrees)]
    in_n = [error[b, k, HARD] - error[a, k, HARD] for k in degrees for a, b in itertools.pairwise(sizes)]
    claims = [
        shown.invariance_claim(changes, "rotations of the circle"),
        shown.room_claim(room, "2k of 64 filters"),
        Claim(
            "at n = 20, k = 6 the hard function stays at the error of a constant (at least 0.9)",
            "trivial loss",
            error[hardest],
            error[hardest] >= 0.9,
            baseline=error[20, 6, EASY],
            scale=scale,
            note="error over label variance; baseline: the random network of the same shape",
            source=SOURCE,
            key="not-learned",
        ),
        Claim(
            "random networks of the same shape are learned at every n and k (at most 0.05)",
            None,
            easy,
            easy <= 0.05,
            baseline=max(c.baseline for n, k in grid for c in runs[n, k, EASY]),
            scale=scale,
            note="baseline: the mean predictor",
            key="not-learned",
        ),
        Claim(
            "the error grows with k at each n (never falls by more than 0.02)",
            "n^Omega(k) queries",
            min(in_k),
            min(in_k) >= -0.02,
            scale=scale,
            note="smallest difference of neighbours",
            source=SOURCE,
            key="grows",
        ),
        Claim(
            "the error grows with n at each k (never falls by more than 0.02)",
            "n^Omega(k) queries",
            min(in_n),
            min(in_n) >= -0.02,
            scale=scale,
            note="smallest difference of neighbours",
            source=SOURCE,
            key="grows",
        ),
    ]
    if config.full:
        wide = [shown.final(curves[Row(CIRCLE, 20, 6, HARD, w, 0, steps).name]) for w in (16, CHANNELS, 512)]
        claims.append(shown.wide_claim("n = 20, k = 6", wide, 0.9, f"16, {CHANNELS} and 512 filters; {scale}", SOURCE))
    table = Table("Errors of circular students", shown.HEADS, [shown.cells(name, c) for name, c in curves.items()], caption=scale)
    drawn = {f"hard, n = {n}, k = {k}": runs[n, k, HARD] for n, k in grid if n in (10, 20)} | {
        "easy, n = 20, k = 6": runs[20, 6, EASY]
    }
    figure = shown.figure(
        drawn,
        "Circular convolutions on averaged hard functions",
        "Error of a network of 64 circular filters, relative to label variance.",
    )
    numbers = {
        name: {"errors": [c.final for c in found], "baseline": [c.baseline for c in found]} for name, found in curves.items()
    }
    answer = (
        f"Circle with n = 20, k = 6: {error[hardest]:.3f} of the label variance is left; random network: {error[20, 6, EASY]:.3f}."
    )
    return Part(
        claims,
        [Section("Circles", ABOUT, tables=[table], figures=[figure])],
        {"circles": numbers, "changes": changes},
        answer,
        {} if config.full else {"width": ONLY_FULL},
        [_rival(n, k, runs[n, k, HARD], seeds, config.spectra, scale) for n, k in ((20, 6), (20, 4))],
    )


def _rival(n: int, k: int, students: Any, seeds: range, samples: int, scale: str) -> Rival:
    """Boosting or a ridge on spectra, on samples of the same law; which and how is chosen for the first target."""
    family, errors, settings = family_of(Row(CIRCLE, n, k, HARD, CHANNELS, 0, 0)), [], ""
    candidates = {**boosters(False, rates=(0.1,)), **ridges(alphas=(1.0, 100.0))}
    started = time.process_time()
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        target = family.sample_target(generator)
        x, fresh = (family.sample_inputs(count, generator, torch.float64) for count in (samples, 4000))
        with torch.no_grad():
            y, wanted = target(x), target(fresh)
        simple = simplest(candidates, spectra(x), y)
        settings = settings or simple.settings
        candidates = {name: make for name, make in candidates.items() if settings.startswith(name)}
        errors.append(float((simple.predict(spectra(fresh)) - wanted).square().mean() / wanted.var()))
    return Rival(
        "boosting on power spectra and bispectra",
        "the circular network",
        f"error over label variance at n = {n}, k = {k}",
        repeated([c.final for c in students]),
        repeated(errors),
        "lower",
        seconds=sum(c.seconds for c in students) / len(students),
        rival_seconds=(time.process_time() - started) / len(errors),
        settings=f"{settings} of the first target",
        scale=f"{scale}; the rival: {samples} inputs",
        note="seconds for one target",
        level=0.02,
    )


def spectra(x: torch.Tensor) -> torch.Tensor:
    """Numbers of circles ``[B, n]`` that no rotation changes: means, bispectra, power spectra (of absolute values, too)."""
    n = x.shape[1]
    f = torch.fft.fft(x)
    i, j = torch.tensor([(i, j) for i in range(1, n // 2 + 1) for j in range(i, n // 2 + 1) if i + j < n]).T
    triple = f[:, i] * f[:, j] * f[:, i + j].conj()
    powers = [torch.fft.rfft(part).abs().square() for part in (x, x.abs(), x.relu())]
    return torch.cat([x.mean(1, keepdim=True), *powers, triple.real, triple.imag], 1)


def _checks(grid: list[tuple[int, int]], seed: int) -> tuple[dict[str, float], list[float]]:
    """How much rotations change teachers and students, and the errors of students with hand-made weights."""
    changes: dict[str, float] = {}
    room = []
    for n, k in grid:
        family, generator = CosReLU(n, k, er.Cyclic(n)), torch.Generator().manual_seed(seed)
        hard, easy, student = family.sample_target(generator), family.random_network(generator), OrbitCNN(family.elements, CHANNELS)
        x = family.sample_inputs(500, generator, torch.float64)
        functions = {f"hard {n} {k}": hard, f"easy {n} {k}": easy, f"student {n} {k}": student}
        changes |= shown.invariance(functions, x[:16], family.action)
        with torch.no_grad():
            y = hard(x)
            room.append(float((student.become(hard)(x.float()) - y).square().mean() / y.var()))
    return changes, room
