"""A network as an ASE calculator, for relaxations, dynamics and everything else that ASE does with one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.training.modes import evaluating


def calculator(
    model: nn.Module,
    cutoff: float,
    *,
    max_neighbours: int | None = None,
    scale: float = 1.0,
    per_element: dict[int, float] | None = None,
) -> Any:
    """An ASE calculator that asks a network for ``energy`` and ``forces``.

    Args:
        model: takes the record of an :class:`~erlangen.actions.AtomBatch` and returns a dict with ``energy [1, 1]`` (eV) and, where it
            gives them, ``forces [N, 3]`` (eV per angstrom). It is asked in evaluation mode, in its own precision.
        cutoff, max_neighbours: of the edges, as in training.
        scale, per_element: undo a normalisation of targets: the energy is ``scale`` times the network's, plus ``per_element[Z]`` for each
            atom; forces are ``scale`` times the network's.

    Raises:
        ArgumentError: the model returns no energy.
        MissingExtra: ASE is not installed.
    """
    calculator = engine("materials", "ase.calculators.calculator")
    offsets = per_element or {}
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())

    class Network(calculator.Calculator):  # type: ignore[name-defined,misc]
        implemented_properties = ["energy", "free_energy", "forces"]  # noqa: RUF012 - how ASE declares it

        def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = calculator.all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            batch = AtomBatch.from_ase(self.atoms, dtype=dtype, cutoff=cutoff, max_neighbours=max_neighbours)
            with torch.no_grad(), evaluating(model):
                y = model(batch.record())
            if "energy" not in y:
                raise ArgumentError("model", "a model that returns 'energy'", ", ".join(y))
            energy = scale * float(y["energy"].detach().sum()) + sum(offsets.get(int(z), 0.0) for z in batch.numbers)
            self.results = {"energy": energy, "free_energy": energy}
            if "forces" in y:
                self.results["forces"] = (scale * y["forces"].detach()).double().numpy()

    return Network()
