"""Molecules under O(3): tensors of inertia of fragments of real ones."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch import Tensor

from erlangen.equivariance import equivariance_error
from erlangen.fields.molecules import g2_fragments, inertia_tensor
from erlangen.groups import O
from erlangen.nn import EquivariantMLP
from erlangen.reporting import Claim, Rival, Section, Table, bars_with_error, repeated
from erlangen.studies.brauer_beam.compare import F64, Config, Part, fit, medians, moved_by, of_seeds, plain_network
from erlangen.studies.rivals import VectorRidge, simplest
from erlangen.verdict import Verdict


def molecules(config: Config, quiet: bool) -> Part:
    group = O(3)
    vector, scalar = group.vector, group.scalar
    source, target = 5 * scalar + 5 * vector, vector**2
    numbers: dict[str, dict[str, list[float]]] = {}
    verdicts: dict[str, Verdict] = {}
    simple: list[tuple[float, float, str]] = []
    spent = 0.0
    data, tests = [], []
    for seed in config.every_seed:
        draw = torch.Generator().manual_seed(seed)
        x, y = _fragments(config.samples, "train", draw)
        x_test, y_test = _fragments(max(1, config.samples // 2), "test", draw)
        g = group.sample(len(x_test), generator=draw, dtype=F64)
        size = y.square().mean().sqrt()
        data.append((x, y / size))
        tests.append({"as they stand": (x_test, y_test / size), "moved": (source.act(g, x_test), target.act(g, y_test / size))})
    for name, make, move in (
        ("O(3)", lambda: EquivariantMLP(source, target, scalar + vector + target, channels=16).to(F64), None),
        ("perceptron", lambda: plain_network(20, 9, width=512), None),
        ("augmented", lambda: plain_network(20, 9, width=512), moved_by(source, target)),
    ):
        nets, seconds = fit(make, data, config.steps, config, move, f"molecules, {name}", quiet, torch.float32)
        spent = seconds if name == "O(3)" else spent
        for seed, net, sets in zip(config.every_seed, nets, tests):
            for kind, (a, b) in sets.items():
                with torch.no_grad():
                    error = ((net(a) - b).square().mean() / b.square().mean()).sqrt().item()
                numbers.setdefault(name, {}).setdefault(kind, []).append(error)
            draw = torch.Generator().manual_seed(seed)
            verdict = equivariance_error(net, sets["as they stand"][0][:100], source, target, elements=16, generator=draw)
            numbers[name].setdefault("equivariance error", []).append(verdict["mean"])
            if name not in verdicts or verdict["worst"] > verdicts[name]["worst"]:
                verdicts[name] = verdict
    simple = [by_tensors(*own, *sets["moved"], seed) for seed, own, sets in zip(config.every_seed, data, tests)]
    found = {name: medians(values) for name, values in numbers.items()}
    scale = (
        f"{config.samples} fragments of five atoms to train on, {len(tests[0]['moved'][0])} of other molecules, {of_seeds(config)}"
    )
    exact = verdicts["O(3)"]
    ours, best = (
        numbers["O(3)"]["moved"],
        [min(pair) for pair in zip(numbers["perceptron"]["moved"], numbers["augmented"]["moved"])],
    )
    claims = [
        Claim(
            "its predictions turn and reflect with the molecule, to 1e-10",
            None, exact["worst"], exact["worst"] <= 1e-10, verdicts["perceptron"]["worst"],
            f"100 fragments, 16 elements of O(3), {of_seeds(config)}",
            note="worst relative equivariance error; the perceptron breaks it",
            key="inertia",
        ),
        Claim(
            "on moved fragments of unseen molecules it errs at most half as much as either perceptron, in every seed",
            None, repeated(ours), all(2 * a <= b for a, b in zip(ours, best)), repeated(best), scale,
            note="relative rms error; baseline: the better of two",
            key="fragments",
        ),
    ]  # fmt: skip
    kinds = ["as they stand", "moved", "equivariance error"]
    figure = bars_with_error(
        kinds[:2],
        {name: [values[kind] for kind in kinds[:2]] for name, values in found.items()},
        title="Tensors of inertia of unseen molecules",
        y_label="relative rms error",
        caption=f"Lower is better. Moved: by a random rotation or reflection. Medians of {of_seeds(config)}.",
    )
    rows = [[name, *(repeated(values[kind]) for kind in kinds)] for name, values in numbers.items()]
    text = (
        "Masses (in units of 12 u) and places (in angstrom about the centre of mass) of five atoms of a molecule of the G2 set, to their "
        "tensor of inertia. The test molecules are other ones."
    )
    rival = Rival(
        "ridge regression on four tensors", "the O(3) network", "relative rms error on moved fragments", repeated(ours),
        repeated([s[0] for s in simple]), "lower", spent, statistics.fmean(s[1] for s in simple), simple[0][2], scale,
        note="sums of m r r^T, of r r^T and of their traces: the law is a combination of these",
    )  # fmt: skip
    return claims, [Section("Molecules under O(3)", [text], [Table("Errors", ["model", *kinds], rows)], [figure])], found, [rival]


def by_tensors(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, seed: int) -> tuple[float, float, str]:
    """The relative rms error of a combination of tensors made by hand, its CPU seconds and settings."""

    def tensors(x: Tensor) -> Tensor:
        masses, places = x[:, :5], x[:, 5:].unflatten(1, (5, 3))
        found = torch.stack([torch.einsum("ba,bai,baj->bij", w, places, places) for w in (masses, torch.ones_like(masses))], 1)
        traces = found.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] * torch.eye(3, dtype=x.dtype)
        return torch.cat([found, traces], 1)

    clock = time.process_time()
    found = simplest({f"alpha {a:g}": lambda a=a: VectorRidge(a, 4, 9) for a in (1e-9, 1e-6, 1e-3)}, tensors(x), y, seed=seed)  # type: ignore[misc]
    spent = time.process_time() - clock
    missed = (found.predict(tensors(x_test)) - y_test).square().mean() / y_test.square().mean()
    return float(missed.sqrt()), spent, found.settings


def _fragments(count: int, split: Any, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    found = g2_fragments(count, split=split, generator=generator)
    masses = found.masses / 12
    return torch.cat([masses, found.positions.flatten(1)], 1), inertia_tensor(masses, found.positions).flatten(1)
