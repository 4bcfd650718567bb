"""Parities of degrees and hard functions of features, learned by message passing; next to them, easy functions of the same shape."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from erlangen.measure.hardness import DegreeParity, GraphCosReLU, GraphReLU, SumGNN, Target
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import ONLY_FULL, Part
from erlangen.studies.hardness import rows as shown
from erlangen.studies.hardness.rows import EASY, HARD, Row, Setting
from erlangen.studies.hardness.study import Config

SOURCE = "Kiani et al. 2024, arXiv:2401.01869"
PARITY, FEATURES = "graphs", "features"
WIDTH, CHANNELS = 64, 64
ABOUT = (
    "A directed random graph with self-loops goes in. The hard function is the parity of the number of nodes whose out-degree lies in a "
    "set of half of the degrees; the easy one is that number itself, standardised. Both have the same first layer. The student sums over "
    "neighbours twice and over nodes once, so it is invariant under permutations, and a hand-made choice of its weights is the parity.",
    "Who knows that the function is a parity needs no training: modulo 2 it is linear in how many nodes have which degree, and elimination "
    "over the field of two elements solves for the set. Gradients of correlations cannot do that.",
    "Below it, features on a fixed random graph of average degree three: the hard function sums the alternating function of a hidden plane "
    "of the aggregated features over the nodes; k = 2 is the control, k = 6 is hard.",
)


def graph(n: int) -> torch.Tensor:
    """A fixed random graph: a ring, so that it is connected, and as many chords as half its nodes."""
    a = torch.zeros(n, n)
    generator = torch.Generator().manual_seed(n)
    chords = torch.stack([torch.randperm(n, generator=generator)[:2] for _ in range(n // 2)])
    edges = torch.cat([torch.stack([torch.arange(n), torch.arange(1, n + 1) % n], 1), chords])
    a[edges[:, 0], edges[:, 1]] = 1
    return torch.maximum(a, a.mT)


def parity(n: int, seed: int) -> Target:
    """The hard target of a row."""
    return DegreeParity(n).sample_target(torch.Generator().manual_seed(seed), half=True)


def setting(row: Row) -> Setting:
    """The target and the student of a row."""
    if row.family == PARITY:
        hard = parity(row.n, row.seed)
        chosen = hard.label.nonzero().flatten().tolist()
        target = hard if row.kind == HARD else hard.family.linear(chosen)  # type: ignore[attr-defined]
        return Setting(target, lambda: SumGNN(row.n, row.width, 4 * row.width), hard.family.sample_inputs, 256, 1e-3)
    family = GraphCosReLU(graph(row.n), 2 * row.n, row.k)
    hard = family.sample_target(torch.Generator().manual_seed(row.seed))
    return Setting(hard, lambda: GraphReLU(family.smooth, 2 * row.n, row.width), family.sample_inputs, 128, 3e-3)


def train(row: Row) -> Any:
    """One student."""
    return shown.train_row(setting, row)


def run(config: Config, quiet: bool) -> Part:
    """Check, train, compare."""
    sizes = (4, 6, 8, 10, 12, 16, 20) if config.full else (4, 6, 8, 10)
    steps, seeds = config.first(750), config.repeats()
    rows = [Row(PARITY, n, 0, kind, WIDTH, s, steps) for n in sizes for kind in (HARD, EASY) for s in seeds]
    if config.full:  # more units do not help
        rows += [Row(PARITY, 10, 0, HARD, width, s, steps) for width in (16, 256) for s in seeds]
    rows += [Row(FEATURES, 10, k, HARD, CHANNELS, s, steps) for k in (2, 6) for s in seeds]
    curves = shown.train_rows(train, rows, config, quiet, "graph students")

    changes = {**_parity_changes(8), **_feature_changes(config.seed)}
    room = [_room(n, config.seed) for n in sizes] + [_feature_room(k, config.seed) for k in (2, 6)]
    hard = {n: curves[Row(PARITY, n, 0, HARD, WIDTH, 0, steps).name] for n in sizes}
    easy = {n: curves[Row(PARITY, n, 0, EASY, WIDTH, 0, steps).name] for n in sizes}
    scale = f"{len(seeds)} targets each, {steps} steps of 256 fresh graphs, tested on 4000"
    large = [n for n in sizes if n >= 10]
    learned = max(shown.final(easy[n]) for n in sizes)
    claims = [
        shown.invariance_claim(changes, "permutations of nodes"),
        shown.room_claim(room, "parities, and functions of features"),
        Claim(
            "at n >= 10 the parity stays at the error of a constant (at least 0.95)",
            "trivial loss",
            min(shown.final(hard[n]) for n in large),
            all(shown.final(hard[n]) >= 0.95 for n in large),
            baseline=max(shown.final(easy[n]) for n in large),
            scale=scale,
            note="error over label variance; baseline: the easy function of the same graphs",
            source=SOURCE,
            key="not-learned",
        ),
        Claim(
            "the easy function with the same first layer is learned at every n (at most 0.05)",
            None,
            learned,
            learned <= 0.05,
            baseline=max(c.baseline for n in sizes for c in easy[n]),
            scale=scale,
            note="baseline: the mean predictor",
            key="not-learned",
        ),
        Claim(
            "at n = 4 the parity itself is learned (at most 0.05): small graphs are not hard",
            None,
            shown.final(hard[4]),
            shown.final(hard[4]) <= 0.05,
            baseline=max(c.baseline for c in hard[4]),
            scale=scale,
            key="not-learned",
        ),
        _features_claim(curves, steps, scale),
    ]
    if config.full:
        wide = [shown.final(curves[Row(PARITY, 10, 0, HARD, w, 0, steps).name]) for w in (16, WIDTH, 256)]
        claims.append(shown.wide_claim("the parity of n = 10", wide, 0.95, f"widths 16, {WIDTH}, 256; {scale}", SOURCE))
    table = Table(
        "Errors of graph students", shown.HEADS, [shown.cells(name, runs) for name, runs in curves.items()], caption=scale
    )
    drawn = {f"parity, n = {n}": hard[n] for n in sizes} | {f"count, n = {sizes[-1]}": easy[sizes[-1]]}
    figure = shown.figure(
        drawn, "Message passing on parities of degrees", "Error of a network with sums over neighbours, relative to label variance."
    )
    numbers = {name: {"errors": [c.final for c in runs], "baseline": [c.baseline for c in runs]} for name, runs in curves.items()}
    last = sizes[-1]
    left = f"{shown.final(hard[last]):.3f} of the label variance is left; its easy partner: {shown.final(easy[last]):.3f}"
    answer = f"Parity of degrees, n = {last}: {left}."
    return Part(
        claims,
        [Section("Graphs", ABOUT, tables=[table], figures=[figure])],
        {"graphs": numbers, "changes": changes},
        answer,
        {} if config.full else {"width": ONLY_FULL},
        [_rival(last, hard[last], seeds, scale)],
    )


def _rival(n: int, students: Any, seeds: range, scale: str) -> Rival:
    """Gaussian elimination on the same kind of samples, as many as it needs."""
    started, errors, samples = time.process_time(), [], 20_000
    for seed in seeds:
        target, generator = parity(n, seed), torch.Generator().manual_seed(1000 + seed)
        x = target.family.sample_inputs(samples, generator)
        chosen = eliminated(_counts(x), np.asarray(target(x)) < 0)
        fresh = target.family.sample_inputs(4000, generator)
        y = target(fresh).double()
        found = 1 - 2.0 * (_counts(fresh) @ chosen % 2)
        errors.append(float((torch.from_numpy(found) - y).square().mean() / y.var()))
    return Rival(
        "Gaussian elimination modulo 2",
        "the trained network",
        f"error over label variance on the parity of n = {n}",
        shown.final(students),
        sum(errors) / len(errors),
        "lower",
        seconds=sum(c.seconds for c in students) / len(students),
        rival_seconds=(time.process_time() - started) / len(errors),
        settings=f"{samples} graphs, no settings",
        scale=scale,
        note="it knows that the target is a parity of counts of degrees, without noise; seconds for one target",
    )


def _counts(x: torch.Tensor) -> np.ndarray:
    """How many nodes have out-degree 0, 1, ... n, and a one for the sign, ``[B, n + 2]``."""
    n = x.shape[-1]
    counts = (x.sum(-1).long().unsqueeze(-1) == torch.arange(n + 1)).sum(1)
    return np.asarray(nn.functional.pad(counts, (0, 1), value=1))


def eliminated(counts: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """A set of degrees (as zeros and ones) whose counts have these parities: elimination over the field of two elements.

    >>> eliminated(np.array([[1, 2, 0], [0, 1, 2], [2, 0, 1]]), np.array([True, True, False])).tolist()
    [1, 1, 0]
    """
    rows = np.concatenate([counts % 2, odd[:, None]], 1).astype(bool)
    pivots: list[int] = []
    for column in range(counts.shape[1]):
        at = np.flatnonzero(rows[len(pivots) :, column])
        if len(at):
            first = len(pivots)
            rows[[first, first + at[0]]] = rows[[first + at[0], first]]
            others = rows[:, column].copy()
            others[first] = False
            rows[others] ^= rows[first]
            pivots.append(column)
    chosen = np.zeros(counts.shape[1], dtype=int)
    chosen[pivots] = rows[: len(pivots), -1]
    return chosen


def _features_claim(curves: dict[str, Any], steps: int, scale: str) -> Claim:
    small, large = (shown.final(curves[Row(FEATURES, 10, k, HARD, CHANNELS, 0, steps).name]) for k in (2, 6))
    return Claim(
        "with Gaussian features on a fixed graph, k = 6 stays at the error of a constant (at least 0.9) and k = 2 is learned (at most 0.2)",
        "superpolynomial",
        large,
        large >= 0.9 and small <= 0.2,
        baseline=small,
        scale=scale.replace("256 fresh graphs", "128 fresh inputs"),
        note="baseline: k = 2; the normalisation of features is ours, not verified against the source",
        source=SOURCE,
        key="not-learned",
    )


def _parity_changes(n: int) -> dict[str, float]:
    hard = parity(n, 0)
    family: Any = hard.family
    x = family.sample_inputs(32, torch.Generator().manual_seed(1), torch.float64)
    functions = {"parity": hard, "count": family.linear(hard.label.nonzero().flatten().tolist()), "student on graphs": SumGNN(n)}
    return shown.invariance(functions, x, family.action)


def _feature_changes(seed: int) -> dict[str, float]:
    """A fixed graph hides the symmetry: features and graph must move together."""
    generator = torch.Generator().manual_seed(seed)
    family = GraphCosReLU(graph(10), 20, 6)
    label, x = family.sample_labels(1, generator)[0], family.sample_inputs(32, generator, torch.float64)
    student = GraphReLU(family.smooth, 20)
    worst = {"features": 0.0, "student on features": 0.0}
    for _ in range(8):
        g = torch.randperm(10, generator=generator)
        other = family.relabelled(g)
        moved = torch.empty_like(x)
        moved[:, g] = x
        before, after = family.evaluate(label, x), other.evaluate(label, moved)
        worst["features"] = max(worst["features"], float((after - before).abs().max() / before.square().mean().sqrt()))
        with torch.no_grad():
            before = student(x.float())
            clone = GraphReLU(other.smooth, 20)
            clone.load_state_dict({**student.state_dict(), "smooth": other.smooth.float()})
            after = clone(moved.float())
        worst["student on features"] = max(
            worst["student on features"], float((after - before).abs().max() / before.square().mean().sqrt())
        )
    return worst


def _room(n: int, seed: int) -> float:
    hard = parity(n, seed)
    return _error(SumGNN(n).become(hard), hard)


def _feature_room(k: int, seed: int) -> float:
    family = GraphCosReLU(graph(10), 20, k)
    hard = family.sample_target(torch.Generator().manual_seed(seed))
    return _error(GraphReLU(family.smooth, 20).become(hard), hard)


def _error(student: Any, hard: Target) -> float:
    x = hard.family.sample_inputs(1000, torch.Generator().manual_seed(2))
    with torch.no_grad():
        y = hard(x)
        return float((student(x) - y).square().mean() / y.var())
