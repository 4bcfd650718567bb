"""Sparse invariant polynomials: one method finds them in closed form, an invariant network is trained on the same samples."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from typing import Any

import torch

from erlangen.fitting import Curve, train_student
from erlangen.measure.hardness import SignInvariantMLP, SparseInvariant, growing_basis
from erlangen.measure.hardness.sparse_invariant import radial_polynomials
from erlangen.reporting import Claim, Rival, Section, Table, repeated
from erlangen.studies.base import Part
from erlangen.studies.hardness import rows as shown
from erlangen.studies.hardness.study import Config
from erlangen.training import TrainingConfig

SOURCE = "Kiani et al. 2024, arXiv:2401.01869; Andoni et al. 2014"
N, DEGREE, COEFFICIENTS, TERMS = 20, 3, (1.0, -0.8, 0.6), 8
FITTED = 4000  # samples for least squares
ABOUT = (
    "The target is a sum of three products of degree 6 in 20 numbers in [-1, 1], invariant under sign flips, with coefficients 1, -0.8, "
    "0.6. Products of different variables are orthonormal, so correlations with any of them say nothing about the others. The growing "
    "basis asks about the square of the target instead and finds the terms one by one. A perceptron of the absolute values is trained on "
    "the same samples. And least squares on all products of degree 6, of which there are 1540, on as many samples as it needs.",
)


def run(config: Config, quiet: bool) -> Part:
    """Find and train."""
    family, steps = SparseInvariant(N, DEGREE), config.first(2000)
    found, recovered, worst, curves, seconds = [], 0, 0.0, [], []
    changes: dict[str, float] = {}
    fitted, fitting = [], 0.0
    for seed in config.repeats():
        generator = torch.Generator().manual_seed(seed)
        target = family.polynomial(COEFFICIENTS, generator)
        x = family.sample_inputs(config.samples, generator)
        y = target(x)
        started = time.process_time()
        grown = growing_basis(x, y, DEGREE, TERMS)
        seconds.append(time.process_time() - started)
        terms, true = grown.polynomial.terms(), target.terms()
        recovered += terms.keys() == true.keys()
        worst = max(worst, max(abs(terms.get(t, 0.0) - true.get(t, 0.0)) for t in terms.keys() | true.keys()))
        found.append(grown)
        began = time.process_time()
        fitted.append(_least_squares(x[:FITTED], y[:FITTED], true))
        fitting += time.process_time() - began
        torch.manual_seed(seed)
        student = SignInvariantMLP(N)
        few = family.sample_inputs(16, generator, torch.float64)
        changes |= shown.invariance({f"polynomial {seed}": target, f"student {seed}": student}, few, family.action)
        curves.append(_train(target, student, x, steps, seed))
    queries = max(g.queries for g in found)
    members = math.comb(N, DEGREE)
    scale = f"{config.samples:,} samples, {len(curves)} targets"
    error = shown.final(curves)
    residual = max(g.residual for g in found)
    claims = [
        shown.invariance_claim(changes, "sign flips"),
        Claim(
            "the growing basis finds exactly the three terms, and their coefficients to 0.02",
            "polynomially many queries",
            worst,
            recovered == len(found) and worst <= 0.02,
            scale=f"{scale}, at most {queries} queries each",
            note=f"largest error of a coefficient; supports recovered: {recovered} of {len(found)}",
            source=SOURCE,
            key="found",
        ),
        Claim(
            "on the same samples the closed form leaves less of the variance than the trained invariant network",
            None,
            residual,
            residual < error,
            baseline=error,
            scale=f"{scale}; network: {steps} steps of 256 out of them",
            note="error over label variance; baseline: the network, on fresh inputs",
            key="found",
        ),
    ]
    table = Table(
        "Learning three terms",
        ["method", "error", "queries", "seconds"],
        [
            ["growing basis", repeated([g.residual for g in found]), queries, repeated(seconds)],
            ["invariant perceptron", repeated([c.final for c in curves]), None, repeated([c.seconds for c in curves])],
            ["mean predictor", repeated([c.baseline for c in curves]), None, None],
        ],
        caption=f"{scale}. The family of single products has {members} orthonormal members: correlational queries of tolerance 0.1 must "
        f"number at least {members * 0.01 / 2:.1f}, and C(n, d) / 200 as n grows; the growing basis asks about n d^2 / 2 for each term.",
    )
    figure = shown.figure(
        {"invariant perceptron": curves}, "A perceptron of absolute values", "Error on fresh inputs, relative to label variance."
    )
    numbers: dict[str, Any] = {
        "growing_basis": {"residual": [g.residual for g in found], "queries": [g.queries for g in found], "worst": worst},
        "perceptron": [c.final for c in curves],
        "changes": changes,
    }
    answer = (
        f"Growing basis: {recovered} of {len(found)} targets found, coefficients to {worst:.1e}; the network leaves {error:.3f}."
    )
    rival = Rival(
        "least squares on all products of degree 6",
        "the growing basis",
        "largest error of a coefficient",
        worst,
        max(fitted),
        "lower",
        seconds=sum(seconds) / len(seconds),
        rival_seconds=fitting / len(fitted),
        settings=f"{math.comb(N + DEGREE - 1, DEGREE)} columns, {min(FITTED, config.samples)} samples",
        scale=scale,
        level=1e-6,
        note="both are exact to rounding in single precision; its columns grow as n^d, the growing basis's queries as "
        "n d^2 for each term; seconds for one target",
    )
    sections = [Section("Sparse invariant polynomials", ABOUT, tables=[table], figures=[figure])]
    return Part(claims, sections, numbers, answer, rivals=[rival])


def _least_squares(x: torch.Tensor, y: torch.Tensor, true: dict[Any, float]) -> float:
    """The largest error of a coefficient when all products of the degree are fitted at once."""
    h = radial_polynomials(x.double(), DEGREE)
    terms = [tuple(Counter(term).items()) for term in itertools.combinations_with_replacement(range(N), DEGREE)]
    columns = torch.stack([math.prod(h[:, i, l] for i, l in term) for term in terms], 1)  # type: ignore[misc]
    found = torch.linalg.lstsq(columns, y.double().unsqueeze(1)).solution.squeeze(1)
    return max(abs(float(value) - true.get(term, 0.0)) for term, value in zip(terms, found))


def _train(target: Any, student: Any, x: torch.Tensor, steps: int, seed: int) -> Curve:
    """Batches out of the samples that the growing basis has; the test inputs are fresh."""
    fresh = SparseInvariant(N, DEGREE)

    def inputs(count: int, generator: torch.Generator) -> torch.Tensor:
        if generator.initial_seed() == seed:
            return x[torch.randint(len(x), (count,), generator=generator)]
        return fresh.sample_inputs(count, generator)

    config = TrainingConfig(steps=steps, batch_size=256, lr=2e-3, evaluate_every=max(1, steps // shown.POINTS), seed=seed)
    return train_student(target, student, inputs, config)
