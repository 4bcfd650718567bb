"""Exact correlations of three families, and what they prove: dimensions, query bounds, the signal in a gradient."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from typing import Any

import torch

import erlangen as er
from erlangen.measure.hardness import (
    CosReLU,
    DegreeParity,
    SparseInvariant,
    csq_dimension,
    csq_lower_bound,
    gradient_signal,
    sampled_bound,
    sampled_dimension,
)
from erlangen.measure.hardness.alternating import squared_norm, squared_norm_by_series
from erlangen.measure.hardness.cliques import pairs_above_diagonal
from erlangen.reporting import Claim, Line, Rival, Section, Table, lines_with_band, repeated
from erlangen.studies.base import Part
from erlangen.studies.hardness.study import Config

SOURCE = "Kiani et al. 2024, arXiv:2401.01869"
TAU = 0.1
DRAWN = 100_000  # random graphs, where there are too many to enumerate
ABOUT = (
    "A learner that asks for correlations with the target, as gradient descent on the square loss does, is told nothing while the members "
    "of the family are hardly correlated with each other. All correlations here are exact. Dimension: the most members that are pairwise "
    "correlated by at most one over their number; from random pairs a lower bound with 95 % confidence. Queries: a lower bound for "
    "tolerance 0.1. Signal: the most that the squared correlation of any one query with a random member can be on average.",
    "At these sizes the bounds are small numbers: the theorems are about growth. A dimension from random pairs is at most a third of their "
    "number, so the largest entries say how many pairs were drawn.",
)


def run(config: Config, quiet: bool) -> Part:
    """Compute all tables."""
    pairs = (300 if config.full else 100) * config.functions
    parities, parity_rows = _parities((4, 6, 8, 10, 12, 16) if config.full else (4, 6, 8, 10, 12), pairs, config)
    planes, plane_rows = _planes((10, 20, 40), (2, 4, 6, 8) if config.full else (2, 4, 6), pairs // 4, config)
    sparse, sparse_rows = _sparse(pairs, config)
    columns = [
        "functions",
        "mean |corr|",
        "max |corr|",
        "dimension (functions)",
        "dimension (pairs) at least",
        "queries at least",
        "signal",
    ]
    tables = [
        Table(
            "Parities of degrees",
            ["n", *columns],
            parity_rows,
            "All sets of degrees up to n = 8, random ones beyond; mean and signal are those of all.",
        ),
        Table(
            "Hidden planes, plain and averaged over Z_n",
            ["n", "k", "group", *columns],
            plane_rows,
            f"{config.functions} random planes.",
        ),
        Table(
            "Products of invariants of sign flips",
            ["n", "d", *columns],
            sparse_rows,
            "All C(n, d) members up to 1140, random ones beyond.",
        ),
    ]
    slopes = {k: _slope([(n, planes[n, k, "plain"]["mean"]) for n in (10, 20, 40)]) for k in (2, 4, 6)}
    drawn = {
        f"k = {k}, {name}": Line([10, 20, 40], [planes[n, k, name]["mean"] for n in (10, 20, 40)])
        for k in (2, 4, 6)
        for name in ("plain", "averaged")
    }
    figure = lines_with_band(
        drawn,
        title="Mean correlation of two random members",
        x_label="n",
        y_label="mean |correlation|",
        log_x=True,
        log_y=True,
        caption="Exact correlations of hard functions of random planes in n dimensions, plain and averaged over cyclic shifts.",
    )
    checked = enumerated()
    claims = [*_exact_claims(checked), *_growth_claims(parities, planes, slopes, pairs)]
    numbers = {
        "parities": parities,
        "planes": {f"n={n} k={k} {name}": value for (n, k, name), value in planes.items()},
        "sparse": sparse,
        "slopes": {f"k={k}": slope for k, slope in slopes.items()},
    }
    answer = f"Mean correlation falls as n^{slopes[2]:.2f}, n^{slopes[4]:.2f}, n^{slopes[6]:.2f} for k = 2, 4, 6."
    sections = [Section("Correlations and what they prove", ABOUT, tables=tables, figures=[figure])]
    return Part(claims, sections, numbers, answer, rivals=[checked, sampled(config.repeats())])


def enumerated() -> Rival:
    """Correlations of all parities of four-node graphs by the formula and by all 65,536 graphs: where it can be done, as exact."""
    family = DegreeParity(4)
    labels = family.all_labels()
    started = time.process_time()
    formula = family.gram_of(labels)
    between = time.process_time()
    graphs = (torch.arange(2**16)[:, None] >> torch.arange(16) & 1).view(-1, 4, 4).double()
    values = _values(family, labels, graphs)
    counted = values @ values.mT / len(graphs)
    return Rival(
        "all 65,536 graphs of four nodes",
        "the product formula",
        "largest difference of a correlation from theirs",
        float((formula - counted).abs().max()),
        0.0,
        "lower",
        seconds=between - started,
        rival_seconds=time.process_time() - between,
        scale="all 32 parities of graphs of four nodes",
        note="enumeration ends at five nodes (2^25 graphs): six have 2^36",
        level=1e-12,
    )


def sampled(seeds: Sequence[int], n: int = 6) -> Rival:
    """The same at six nodes, where random graphs are left; the truth by all sequences of degrees, of which there are ``(n + 1)^n``."""
    family = DegreeParity(n)
    labels = family.all_labels()[: 2**n]  # of each set and its complement one
    degrees = torch.cartesian_prod(*[torch.arange(n + 1)] * n)
    weights = torch.tensor([math.comb(n, d) / 2**n for d in range(n + 1)], dtype=torch.float64)[degrees].prod(-1)
    values = torch.stack([family.of_degrees(label, degrees) for label in labels]).double()
    truth = (values * weights) @ values.mT
    started = time.process_time()
    exact = float((family.gram_of(labels) - truth).abs().max())
    between, errors = time.process_time(), []
    for seed in seeds:
        drawn = _values(family, labels, family.sample_inputs(DRAWN, torch.Generator().manual_seed(seed), torch.float64))
        errors.append(float((drawn @ drawn.mT / DRAWN - truth).abs().max()))
    return Rival(
        "random graphs",
        "the product formula",
        "largest error of a correlation",
        exact,
        repeated(errors),
        "lower",
        seconds=between - started,
        rival_seconds=(time.process_time() - between) / len(seeds),
        settings=f"{DRAWN:,} of them",
        scale=f"{len(labels)} parities of graphs of {n} nodes, {len(seeds)} seeds",
        note=f"truth: all {(n + 1) ** n:,} sequences of degrees; of ten nodes there are 11^10",
    )


def _values(family: DegreeParity, labels: torch.Tensor, graphs: torch.Tensor) -> torch.Tensor:
    degrees = family.degrees(graphs)
    return torch.stack([family.of_degrees(label, degrees) for label in labels]).double()


def _numbers(gram: Any, seen: int) -> dict[str, Any]:
    off = pairs_above_diagonal(gram.correlations().abs())
    dimension, exact = csq_dimension(gram)
    return {
        "functions": seen,
        "mean": float(off.mean()),
        "max": float(off.max()),
        "dimension": dimension,
        "dimension_exact": exact,
        "queries": csq_lower_bound(gram, TAU).queries,
        "signal": gradient_signal(gram),
    }


def _cells(found: dict[str, Any]) -> list[Any]:
    size = str(found["dimension"]) if found["dimension_exact"] else f">= {found['dimension']}"
    return [found["functions"], found["mean"], found["max"], size, found["dimension_pairs"], found["queries"], found["signal"]]


def _parities(sizes: tuple[int, ...], pairs: int, config: Config) -> tuple[dict[str, Any], list[list[Any]]]:
    found, rows = {}, []
    for n in sizes:
        family, generator = DegreeParity(n), torch.Generator().manual_seed(config.seed)
        # Half of all sets: one of each set and its complement, which are one function up to sign.
        labels = family.all_labels()[: 2**n] if n <= 8 else family.sample_labels(config.functions, generator)
        numbers = _numbers(er.measure.hardness.Gram(family.gram_of(labels)), len(labels))
        numbers["mean"] = family.mean_correlation()
        numbers["signal"] = float(family.spectrum()[0]) / 2 ** (n + 1)
        numbers["dimension_pairs"] = sampled_dimension(family, pairs, generator=generator)
        numbers["queries"] = max(numbers["queries"], sampled_bound(family, TAU, pairs, generator=generator).queries)
        found[f"n={n}"] = numbers
        rows.append([n, *_cells(numbers)])
    return found, rows


def _planes(
    sizes: tuple[int, ...], degrees: tuple[int, ...], pairs: int, config: Config
) -> tuple[dict[tuple[int, int, str], Any], list[list[Any]]]:
    found, rows = {}, []
    for n, k, name in itertools.product(sizes, degrees, ("plain", "averaged")):
        generator = torch.Generator().manual_seed(config.seed)
        family = CosReLU(n, k, er.Cyclic(n) if name == "averaged" else None)
        gram = er.measure.hardness.Gram(family.gram_of(family.sample_labels(config.functions, generator)))
        numbers = _numbers(gram, config.functions)
        numbers["dimension_pairs"] = sampled_dimension(family, pairs, generator=generator)
        numbers["queries"] = max(numbers["queries"], sampled_bound(family, TAU, pairs, generator=generator).queries)
        found[n, k, name] = numbers
        rows.append([n, k, "Z_n" if name == "averaged" else "1", *_cells(numbers)])
    return found, rows


def _sparse(pairs: int, config: Config) -> tuple[dict[str, Any], list[list[Any]]]:
    found, rows = {}, []
    for n, d in ((10, 3), (20, 3), (40, 5)):
        family, generator = SparseInvariant(n, d), torch.Generator().manual_seed(config.seed)
        count = math.comb(n, d)
        numbers = {
            "functions": count,
            "mean": 0.0,
            "max": 0.0,
            "dimension": count,
            "dimension_exact": True,
            "dimension_pairs": sampled_dimension(family, pairs, generator=generator),
            "queries": count * TAU**2 / 2,  # they are orthonormal: gamma is 0
            "signal": 1 / count,
        }
        found[f"n={n} d={d}"] = numbers
        rows.append([n, d, *_cells(numbers)])
    return found, rows


def _slope(points: list[tuple[int, float]]) -> float:
    """The exponent of a power law, by least squares on logarithms."""
    x = torch.tensor([[math.log(n), 1.0] for n, _ in points], dtype=torch.float64)
    y = torch.tensor([[math.log(v)] for _, v in points], dtype=torch.float64)
    return float(torch.linalg.lstsq(x, y).solution[0, 0])


def _exact_claims(checked: Rival) -> list[Claim]:
    norms = max(abs(squared_norm(k) - squared_norm_by_series(k)) for k in (1, 2, 4, 6, 8))
    return [
        Claim(
            "the norm of the hard function of a plane is the same by the arc-cosine kernel and by its Fourier series",
            "exact",
            norms,
            norms < 1e-10,
            scale="k = 1, 2, 4, 6, 8",
            note="largest difference of squared norms",
            key="exact",
        ),
        Claim(
            "the product formula for parities gives what all 65,536 graphs of four nodes give",
            "exact",
            checked.measured,
            checked.measured < 1e-12,
            scale="all 32 sets of degrees",
            note="largest difference of correlations",
            key="exact",
        ),
    ]


def _growth_claims(parities: dict[str, Any], planes: dict[Any, Any], slopes: dict[int, float], pairs: int) -> list[Claim]:
    signals = [v["signal"] for v in parities.values()]
    dimensions = [v["dimension_pairs"] for v in parities.values()]
    averaged = [planes[20, k, "averaged"]["dimension_pairs"] for k in (2, 4, 6)]
    off = max(abs(slopes[k] + k / 2) for k in slopes)
    return [
        Claim(
            "the mean correlation of two random planes falls as n^(-k/2), within 0.3 in the exponent",
            "n^(-k/2)",
            ", ".join(f"k = {k}: {s:.2f}" for k, s in slopes.items()),
            off <= 0.3,
            scale="n = 10, 20, 40",
            source=SOURCE,
            key="correlations",
        ),
        Claim(
            "averaged over Z_20, the dimension grows with k",
            "n^Omega(k)",
            ", ".join(map(str, averaged)),
            averaged[0] < averaged[1] < averaged[2],
            scale=f"k = 2, 4, 6; lower bounds from {pairs // 4} random pairs",
            source=SOURCE,
            key="correlations",
        ),
        Claim(
            "the signal that a gradient carries about a parity falls with n, and the dimension grows",
            "exp(n^Omega(1))",
            ", ".join(f"{s:.2g}" for s in signals),
            signals == sorted(signals, reverse=True) and dimensions == sorted(dimensions),
            baseline=", ".join(map(str, dimensions)),
            scale=f"{', '.join(parities)}; exact; as baseline the dimension, from {pairs} random pairs",
            source=SOURCE,
            key="correlations",
        ),
    ]
