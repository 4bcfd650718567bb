"""Forces as the negative gradient of a model's energy: :class:`GradientForces` around any model, symmetrized or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError


def with_forces(energies: Callable[[Tensor], dict[str, Tensor]], pos: Tensor, create_graph: bool) -> dict[str, Tensor]:
    """What ``energies`` returns of positions, and ``forces``: minus the gradient of the sum of its ``"energy"``.

    Gradients are taken under ``torch.no_grad`` too, and then nothing that is returned holds on to them; with ``create_graph`` a loss of the
    forces can be differentiated.
    """
    kept = torch.is_grad_enabled()
    with torch.enable_grad():
        if not pos.requires_grad:
            pos = pos.detach().requires_grad_()
        y = energies(pos)
        (gradient,) = torch.autograd.grad(y["energy"].sum(), pos, create_graph=create_graph, retain_graph=True)
    y = {**y, "forces": -gradient}
    return y if kept else {name: part.detach() for name, part in y.items()}


class GradientForces(nn.Module):
    """Adds ``forces = -dE/dx`` to what a model of energies returns, taken outside of it: through the frame of a symmetrized model.

    Exactly the gradient of the energy, hence conservative, so a symmetrized model needs a frame that is differentiated too: one with
    ``differentiable``, such as ``Principal(grad=True)`` where axes are distinct, ``Pairs(grad=True)`` or all elements of a finite group.
    With any other the elements are constants to autograd although they turn with the atoms; what came out would be no gradient, with a
    net force and torque. ``FAENet(regress_forces="from_energy")`` inside of ``symmetrize`` instead takes gradients in canonical coordinates
    and moves them back, which leaves out how the frame turns on purpose.

    Args:
        model: takes a record with positions ``"pos"`` and returns a dict with ``"energy"``; energies are summed.

    Raises:
        ArgumentError: a symmetrized model in it has a frame that is not differentiated.

    >>> import erlangen as er
    >>> class Spring(nn.Module):
    ...     def forward(self, x):
    ...         return {"energy": x["pos"].square().sum().view(1, 1)}
    >>> GradientForces(Spring()).eval()({"pos": torch.ones(1, 3)})["forces"]
    tensor([[-2., -2., -2.]])
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for module in model.modules():
            frame = getattr(module, "frame", None)  # of a symmetrized model, which stands on a step above
            if not getattr(frame, "differentiable", True):
                expected = "a model whose frame is differentiated, e.g. Principal(grad=True) or Pairs(grad=True)"
                hint = "a frame of your own says so with differentiable = True"
                raise ArgumentError("model", expected, f"{type(frame).__name__}, whose elements are constants", hint)
        self.model = model

    def forward(self, x: dict[str, Any]) -> dict[str, Tensor]:
        if "pos" not in x:
            raise ArgumentError("x", "a record with positions 'pos'", ", ".join(x))
        return with_forces(lambda pos: self.model(x | {"pos": pos}), x["pos"], self.training)
