"""Vectors under O(5): a regression from few samples. And angular momentum, which is no vector under O(3)."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.groups import SO, MatrixGroup, O
from erlangen.nn import EquivariantMLP
from erlangen.reporting import Claim, Crossover, Line, Rival, Section, Table, lines_with_band, repeated
from erlangen.reps import Rep
from erlangen.studies.brauer_beam.compare import F64, Config, Part, fit, medians, moved_by, of_seeds, plain_network
from erlangen.studies.rivals import Simple, ridges, simplest

BY_HAND = "ridge regression on lengths and cosine"
PRODUCTS = "ridge regression on the three products"


def regression(config: Config, quiet: bool) -> Part:
    group = O(5)
    vector, scalar = group.vector, group.scalar
    source = 2 * vector

    def ours() -> nn.Module:
        # Two vectors make no invariants but their products: hidden tensors of second order cost time and add nothing.
        invariants = EquivariantMLP(source, 32 * scalar, scalar + vector, channels=16, layers=1)
        return nn.Sequential(invariants, plain_network(32, 1)).to(F64)

    numbers: dict[str, dict[str, list[float]]] = {}
    simple: dict[tuple[str, str], list[Simple]] = {}
    spent: dict[str, float] = {}
    for size in config.every_size:
        at = str(size)
        tests, data, scales = [], [], []
        for seed in config.every_seed:
            draw = torch.Generator().manual_seed(seed)
            tests.append(vectors(5000, draw))
            x, y = vectors(size, draw)
            scales.append((y.mean(), y.std()))
            data.append((x, (y - y.mean()) / y.std()))
        for name, make, move in (
            ("O(5)", ours, None),
            ("perceptron", lambda: plain_network(10, 1, hidden=3), None),
            ("augmented", lambda: plain_network(10, 1, hidden=3), moved_by(source, scalar)),
        ):
            what = f"O(5) task, {size} samples, {name}"
            nets, seconds = fit(make, data, config.regression_steps, config, move, what, quiet, torch.float32)
            if name == "O(5)":
                spent[at] = seconds
            for net, (x_test, y_test), (middle, spread) in zip(nets, tests, scales):
                with torch.no_grad():
                    error = ((net(x_test) * spread + middle - y_test).square().mean() / y_test.var()).item()
                numbers.setdefault(name, {}).setdefault(at, []).append(error)
        for name, features, degrees in ((BY_HAND, by_hand, (2, 3, 4, 6, 8)), (PRODUCTS, products, (2, 3, 4, 5, 6))):
            for seed, (x, y), (x_test, y_test), (middle, spread) in zip(config.every_seed, data, tests, scales):
                clock = time.process_time()
                one = simplest(ridges(degrees=degrees, alphas=(1e-6, 1e-3, 1e-1)), features(x), y, seed=seed)
                simple.setdefault((name, at), []).append(replace(one, seconds=time.process_time() - clock))
                error = ((one.predict(features(x_test)) * spread + middle - y_test).square().mean() / y_test.var()).item()
                numbers.setdefault(name, {}).setdefault(at, []).append(error)
    found: dict[str, Any] = {name: medians(values) for name, values in numbers.items()}
    # In each seed, against the better of the two perceptrons.
    best = {at: [min(pair) for pair in zip(numbers["perceptron"][at], numbers["augmented"][at])] for at in numbers["O(5)"]}
    ratios = {at: [b / a for a, b in zip(numbers["O(5)"][at], best[at])] for at in best}
    probe = "1000" if "1000" in best else max(best, key=int)
    scale = f"5000 test samples, {of_seeds(config)}"
    worst = min(min(each) for each in ratios.values())
    claims = [
        Claim(
            "the O(5) network has the lower test error at every size and in every seed, against both perceptrons",
            None, f"{worst:.1f} to {max(max(each) for each in ratios.values()):.1f} times lower", worst > 1,
            scale=f"{min(map(int, best))} to {max(map(int, best))} samples, {scale}", note="against the better of the two",
            key="fewer-samples",
        ),
        Claim(
            f"at {probe} samples it is at least 3 times lower in every seed",
            None, repeated(numbers["O(5)"][probe]), min(ratios[probe]) >= 3, repeated(best[probe]), scale,
            note="mean square error over the variance", key="fewer-samples",
        ),
    ]  # fmt: skip
    bands = "Bands: smallest and largest of the seeds." if len(config.every_seed) > 1 else "One seed."
    figure = lines_with_band(
        {name: _line(values) for name, values in numbers.items()},
        title="O(5) task: error against training samples",
        x_label="training samples",
        y_label="test error / variance",
        log_x=True,
        log_y=True,
        caption=f"Mean square error on 5000 new samples. {bands}",
    )
    rows = [[name, *(repeated(values[size]) for size in best)] for name, values in numbers.items()]
    text = (
        "y = sin|a| - |b|^3 / 2 + cos(a, b) of two normal vectors of R^5: the task of Finzi, Welling and Wilson, arXiv:2104.09459."
    )
    rivals = [
        Rival(name, "the O(5) network", f"mean square error over the variance, {size} samples", repeated(numbers["O(5)"][size]),
              repeated(numbers[name][size]), "lower", spent[size], statistics.fmean(one.seconds for one in simple[name, size]),
              simple[name, size][0].settings, scale, note=note)
        for name, note in (
            (BY_HAND, "the target is a smooth function of these three numbers"),
            (PRODUCTS, "for a user who knows the group and not the form of the law"),
        )
        for size in dict.fromkeys((probe, min(best, key=int)))
    ]  # fmt: skip
    sections = [Section("Vectors under O(5)", [text], [Table("Test error", ["model", *best], rows)], [figure])]
    if config.curve:
        curve = crossover(numbers)
        sections.append(curve.section())
        found["crossover"] = curve.as_dict()
    return claims, sections, found, rivals


def crossover(numbers: dict[str, dict[str, list[float]]]) -> Crossover:
    """The test error over the number of samples; the plain perceptron is far above all others."""
    names = {"O(5)": "the O(5) network", "augmented": "perceptron, turned at random", PRODUCTS: PRODUCTS, BY_HAND: BY_HAND}
    return Crossover(
        "training samples", [int(at) for at in numbers["O(5)"]], "test error / variance", "lower", names["O(5)"],
        {shown: list(numbers[name].values()) for name, shown in names.items()}, log_y=True,
        note="Lengths and cosine are the numbers that the target is a smooth function of; products are all invariants, without that "
        "knowledge. Degree and alpha of each ridge by a held-out quarter.",
    )  # fmt: skip


def products(x: Tensor) -> Tensor:
    """The invariants that one knows of two vectors ``[N, 10]`` under O(5): their three products."""
    a, b = x.unflatten(1, (2, 5)).unbind(1)
    return torch.stack([(a * a).sum(-1), (b * b).sum(-1), (a * b).sum(-1)], -1)


def by_hand(x: Tensor) -> Tensor:
    """What one would take of two vectors ``[N, 10]``: both lengths, and the cosine between them."""
    a, b = x.unflatten(1, (2, 5)).unbind(1)
    return torch.stack([a.norm(dim=-1), b.norm(dim=-1), torch.cosine_similarity(a, b, dim=-1)], -1)


def vectors(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Samples of the O(5) task, ``[count, 10]`` and ``[count, 1]``."""
    x = torch.randn(count, 2, 5, generator=generator, dtype=F64)
    a, b = x.norm(dim=-1).unbind(-1)
    return x.flatten(1), (a.sin() - b**3 / 2 + x.prod(1).sum(-1) / (a * b)).unsqueeze(-1)


def _line(values: dict[str, list[float]]) -> Line:
    runs = list(values.values())
    band = (None, None) if len(runs[0]) == 1 else ([min(r) for r in runs], [max(r) for r in runs])
    return Line([int(size) for size in values], [statistics.median(r) for r in runs], *band)


def pseudovector(config: Config, quiet: bool) -> Part:
    """Angular momentum of three bodies: an axial vector, which O(3) without its type cannot give."""
    scores: dict[str, list[float]] = {}
    data, tests = [], []
    for seed in config.every_seed:
        draw = torch.Generator().manual_seed(seed)
        (x, y), (x_test, y_test) = bodies(config.samples, draw), bodies(config.samples, draw)
        size = y.square().mean().sqrt()
        data.append((x, y / size))
        tests.append((x_test, y_test / size))
    groups: tuple[tuple[str, MatrixGroup, bool], ...] = (
        ("O(3), target a vector", O(3), False),
        ("O(3), target a pseudovector", O(3), True),
        ("SO(3)", SO(3), False),
    )
    for name, group, axial in groups:
        vector, scalar = group.vector, group.scalar
        target = vector @ group.pseudoscalar if axial else vector

        def make(vector: Rep = vector, scalar: Rep = scalar, target: Rep = target) -> nn.Module:
            return EquivariantMLP(3 * scalar + 6 * vector, target, scalar + vector + vector**2, channels=8).to(F64)

        nets, _ = fit(make, data, config.steps, config, mirrored, f"angular momentum, {name}", quiet)
        for net, (x_test, y_test) in zip(nets, tests):
            with torch.no_grad():
                left = (net(x_test) - y_test).square().mean() / y_test.square().mean()
            scores.setdefault(name, []).append(1 - left.item())
    vector, pseudo, special = (statistics.median(values) for values in scores.values())
    scale = f"three bodies, {config.samples} samples, {of_seeds(config)}"
    note = "R2 on new samples; mirror images at random in training, for all"
    claims = [
        Claim(
            "with the target typed as a vector, O(3) allows nothing: R2 is 0",
            None,
            vector,
            abs(vector) <= 0.01,
            special,
            scale,
            note=note,
            key="pseudovector",
        ),
        Claim(
            "typed as a pseudovector it is learned: R2 above 0.95",
            None,
            pseudo,
            pseudo > 0.95,
            vector,
            scale,
            note=note,
            key="pseudovector",
        ),
        Claim(
            "without reflections, too: R2 of SO(3) above 0.95",
            None,
            special,
            special > 0.95,
            vector,
            scale,
            note=note,
            key="pseudovector",
        ),
    ]
    table = Table("R2 of angular momentum", ["network", "R2"], [[name, repeated(values)] for name, values in scores.items()])
    return (
        claims,
        [Section("Pseudovectors", tables=[table])],
        {"R2": {"vector": vector, "pseudovector": pseudo, "SO(3)": special}},
        [],
    )


def bodies(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Masses, places and velocities of three bodies, ``[count, 21]``, and their angular momentum, ``[count, 3]``."""
    masses = 0.5 + 1.5 * torch.rand(count, 3, generator=generator, dtype=F64)
    places, velocities = torch.randn(2, count, 3, 3, generator=generator, dtype=F64)
    momentum = (masses.unsqueeze(-1) * torch.linalg.cross(places, velocities)).sum(1)
    return torch.cat([masses, places.flatten(1), velocities.flatten(1)], 1), momentum


def mirrored(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Places and velocities change sign; angular momentum does not."""
    sign = torch.where(torch.rand(len(x), 1, dtype=x.dtype) < 0.5, -1.0, 1.0)
    return torch.cat([x[:, :3], sign * x[:, 3:]], 1), y
