"""`symmetry_report`: how far a model of energies and forces is from the symmetry of space, in the units of its predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.equivariance.error import EquivarianceErrors, equivariance_error, seeded
from erlangen.errors import ArgumentError
from erlangen.groups.matrix import MatrixGroup
from erlangen.linalg import relative_error


@dataclass(frozen=True)
class SymmetryReport:
    """Mean changes under random elements of a group, in the units of the predictions; ``None`` where there is nothing to measure.

    Attributes:
        rotation_energy: ``|E(g x) - E(x)|`` for rotations ("Rot-I").
        reflection_energy: the same for reflections ("Refl-I").
        rotation_energy_percent, reflection_energy_percent: these, in percent of the mean ``|E(x)|``; infinite where
            that is zero and they are not. Energies that vanish by symmetry are measured by what they are the rounding of.
        rotation_forces: ``|F(g x) - g F(x)|`` of an atom, for rotations ("F-Rot-E").
        reflection_forces: the same for reflections ("F-Refl-E").
        positions: how far an atom's canonical position moves, for the nearest element of the frame ("Pos").
    """

    rotation_energy: float | None
    reflection_energy: float | None
    rotation_energy_percent: float | None
    reflection_energy_percent: float | None
    rotation_forces: float | None
    reflection_forces: float | None
    positions: float | None


def symmetry_report(
    model: nn.Module,
    loader: Iterable[dict[str, Any]],
    group: MatrixGroup,
    inp: dict[str, Any],
    *,
    elements: int = 8,
    generator: torch.Generator | None = None,
) -> SymmetryReport:
    """Measure a model on batches, in the mode (training or evaluation) in which it is.

    Args:
        model: a network, symmetrized or not; takes a record and returns ``"energy"`` and, perhaps, ``"forces"``.
        loader: batches of records.
        group: the group to test, e.g. ``E(3)`` also for a model that claims ``SE(3)`` alone.
        inp: how that group acts on the record: ``FAENet.records(group)[0]``.
        elements: how many rotations, and reflections, for each batch.
        generator: source of the random elements; by default one with a fixed seed.

    Source: section 5 of Duval et al., ICML 2023, arXiv:2305.05577.
    """
    generator = seeded(generator)
    sums: dict[str, list[float]] = {}
    floor = 0.0
    for x in loader:
        with torch.no_grad():
            y = model(x)
        sums.setdefault("size", []).append(float(y["energy"].abs().mean()))
        for kind, g in _both_kinds(group, elements, generator, x["pos"].dtype).items():
            for name, out in (("energy", group.scalar), ("forces", group.vector)):
                if name in y and g is not None:
                    errors = equivariance_error(lambda x, name=name: model(x)[name], x, inp, out, elements=g).witness
                    assert isinstance(errors, EquivarianceErrors)
                    sums.setdefault(f"{kind}_{name}", []).append(float(errors.absolute.mean()))
                    if name == "energy":
                        floor = max(floor, errors.floor)
            if hasattr(model, "canonical_inputs") and g is not None:
                sums.setdefault("positions", []).extend(_displacement(model, x, inp, g[i]) for i in range(len(g)))
    if not sums:
        raise ArgumentError("loader", "at least one batch", "none")
    mean = {name: sum(values) / len(values) for name, values in sums.items()}

    def percent(name: str) -> float | None:
        size = torch.tensor(max(mean["size"], floor), dtype=torch.float64)
        return 100 * float(relative_error(torch.tensor(mean[name], dtype=torch.float64), size, size)) if name in mean else None

    return SymmetryReport(
        mean.get("rotation_energy"),
        mean.get("reflection_energy"),
        percent("rotation_energy"),
        percent("reflection_energy"),
        mean.get("rotation_forces"),
        mean.get("reflection_forces"),
        mean.get("positions"),
    )


def _both_kinds(group: MatrixGroup, count: int, generator: torch.Generator | None, dtype: torch.dtype) -> dict[str, Tensor | None]:
    """Rotations and reflections of a group, ``None`` where it has none of a kind."""
    g = group.sample(16 * count, generator=generator, dtype=dtype)
    linear = g[..., :-1, :-1] if group.translates else g
    proper = torch.linalg.det(linear) > 0
    return {
        kind: g[which][:count] if bool(which.any()) else None for kind, which in (("rotation", proper), ("reflection", ~proper))
    }


def _displacement(model: Any, x: dict[str, Any], inp: dict[str, Any], g: Tensor) -> float:
    """Mean distance of an atom's canonical positions before and after ``g``, for the frame element that fits a structure best."""
    from erlangen.actions.records import as_action

    with torch.no_grad():
        here, there = (
            model.canonical_inputs(data)["pos"].unflatten(0, (-1, len(x["pos"]))) for data in (x, as_action(inp).act(g, x))
        )
    distance = (here.unsqueeze(1) - there.unsqueeze(0)).norm(dim=-1)
    size = int(x["batch"].max()) + 1
    per_structure = distance.new_zeros(*distance.shape[:2], size).index_add(2, x["batch"], distance)
    return float(per_structure.amin(1).mean(0).sum() / len(x["pos"]))
