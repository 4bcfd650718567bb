"""Molecules under O(3): tensors of inertia of fragments of real ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.equivariance import equivariance_error
from erlangen.fields.molecules import g2_fragments, inertia_tensor
from erlangen.groups import O
from erlangen.nn import EquivariantMLP
from erlangen.reporting import Claim, Section, Table, bars_with_error, repeated
from erlangen.studies.brauer_beam.compare import F64, Config, Part, fit, medians, moved_by, of_seeds, plain_network
from erlangen.verdict import Verdict


def molecules(config: Config, quiet: bool) -> Part:
    group = O(3)
    vector, scalar = group.vector, group.scalar
    source, target = 5 * scalar + 5 * vector, vector**2
    numbers: dict[str, dict[str, list[float]]] = {}
    verdicts: dict[str, Verdict] = {}
    for seed in config.every_seed:
        draw = torch.Generator().manual_seed(seed)
        x, y = _fragments(config.samples, "train", draw)
        x_test, y_test = _fragments(max(1, config.samples // 2), "test", draw)
        g = group.sample(len(x_test), generator=draw, dtype=F64)
        size = y.square().mean().sqrt()
        for name, make, move in (
            ("O(3)", lambda: EquivariantMLP(source, target, scalar + vector + target, channels=16).to(F64), None),
            ("perceptron", lambda: plain_network(20, 9, width=512), None),
            ("augmented", lambda: plain_network(20, 9, width=512), moved_by(source, target)),
        ):
            net = fit(make, x, y / size, config.steps, seed, move, f"molecules, {name}", quiet)
            for kind, (a, b) in {
                "as they stand": (x_test, y_test),
                "moved": (source.act(g, x_test), target.act(g, y_test)),
            }.items():
                with torch.no_grad():
                    error = ((net(a) * size - b).square().mean() / b.square().mean()).sqrt().item()
                numbers.setdefault(name, {}).setdefault(kind, []).append(error)
            verdict = equivariance_error(net, x_test[:100], source, target, elements=16, generator=draw)
            numbers[name].setdefault("equivariance error", []).append(verdict["mean"])
            verdicts.setdefault(name, verdict)
    found = {name: medians(values) for name, values in numbers.items()}
    scale = f"{config.samples} fragments of five atoms to train on, {len(x_test)} of other molecules, {of_seeds(config)}"
    exact = verdicts["O(3)"]
    claims = [
        Claim(
            "its predictions turn and reflect with the molecule, to 1e-10",
            None, exact["worst"], exact["worst"] <= 1e-10, verdicts["perceptron"]["worst"], "100 fragments, 16 elements of O(3)",
            note="worst relative equivariance error; the perceptron breaks it",
            key="inertia",
        ),
        Claim(
            "on moved fragments of unseen molecules it errs at most half as much as either perceptron",
            None, found["O(3)"]["moved"], 2 * found["O(3)"]["moved"] <= min(found[n]["moved"] for n in ("perceptron", "augmented")),
            min(found[n]["moved"] for n in ("perceptron", "augmented")), scale, note="relative rms error; baseline: the better of two",
            key="fragments",
        ),
    ]  # fmt: skip
    kinds = ["as they stand", "moved", "equivariance error"]
    figure = bars_with_error(
        kinds[:2],
        {name: [values[kind] for kind in kinds[:2]] for name, values in found.items()},
        title="Tensors of inertia of unseen molecules",
        y_label="relative rms error",
        caption=f"Lower is better. Moved: by a random rotation or reflection. Medians, {of_seeds(config)}.",
    )
    rows = [[name, *(repeated(values[kind]) for kind in kinds)] for name, values in numbers.items()]
    text = (
        "Masses (in units of 12 u) and places (in angstrom about the centre of mass) of five atoms of a molecule of the G2 set, to their "
        "tensor of inertia. The test molecules are other ones."
    )
    return claims, [Section("Molecules under O(3)", [text], [Table("Errors", ["model", *kinds], rows)], [figure])], found


def _fragments(count: int, split: Any, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    found = g2_fragments(count, split=split, generator=generator)
    masses = found.masses / 12
    return torch.cat([masses, found.positions.flatten(1)], 1), inertia_tensor(masses, found.positions).flatten(1)
