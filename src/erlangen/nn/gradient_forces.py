"""`GradientForces`: forces as the negative gradient of a model's energy, symmetrized or not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError


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
        with torch.enable_grad():
            pos = x["pos"] if x["pos"].requires_grad else x["pos"].detach().requires_grad_()
            y = self.model(x | {"pos": pos})
            (gradient,) = torch.autograd.grad(y["energy"].sum(), pos, create_graph=self.training, retain_graph=True)
        return {**y, "forces": -gradient}
