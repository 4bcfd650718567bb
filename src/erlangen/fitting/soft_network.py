"""The network that ``fit`` trains under a soft penalty: vectors and tensors between its layers, one scale for all tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.soft import SoftEquivariance
from erlangen.groups.linear import Scalings
from erlangen.nn import SoftEquivariantMLP
from erlangen.reps import Rep
from erlangen.reps.layout import SCALAR, VECTOR, Layout


class SoftNetwork(nn.Module):
    """:class:`erlangen.nn.SoftEquivariantMLP` on the tokens of a sample, with the penalty that trains with it.

    Inputs are divided by one number, their root mean square, for scaling components one by one would break symmetries.

    Args:
        tokens, dim: the input is ``[B, tokens, dim]``.
        shape: of one output.
        vector: whether outputs are vectors of ``R^dim``; otherwise scalars.
        width, blocks: of the network.
        dual: whether hidden tensors have dual axes, as groups that are not orthogonal need.

    >>> net = SoftNetwork(2, 3, (1, 3), vector=True, width=32)
    >>> net(torch.randn(8, 2, 3)).shape
    torch.Size([8, 1, 3])
    """

    def __init__(
        self, tokens: int, dim: int, shape: tuple[int, ...], vector: bool, width: int = 128, blocks: int = 2, dual: bool = False
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "tokens": tokens, "dim": dim, "shape": list(shape), "vector": vector, "width": width, "blocks": blocks, "dual": dual,
        }  # fmt: skip
        self.shape = shape
        self.scale: Tensor
        self.out_scale: Tensor
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("out_scale", torch.ones(()))
        out = Layout(dim, [(VECTOR, math.prod(shape) // dim) if vector else (SCALAR, math.prod(shape))])
        groups = [Scalings(dim)] if dual else None
        self.network = SoftEquivariantMLP(Layout(dim, [(VECTOR, tokens)]), out, width=width, blocks=blocks, groups=groups)
        self.soft: SoftEquivariance | None = None

    def standardise(self, x: Float[Tensor, "B T d"], out_scale: float) -> None:
        """Set the scale of inputs from training inputs, and that of outputs."""
        self.scale.copy_(x.detach().double().square().mean().sqrt())
        self.out_scale.fill_(out_scale)

    def penalise(self, groups: Mapping[str, Rep], steps: int) -> None:
        """Add the penalty on ``groups``, which tunes itself in a training of so many steps."""
        self.soft = SoftEquivariance(self.network, groups, steps=steps)

    def penalty(self) -> Tensor:
        """What is added to the loss: the distance from the groups' subspaces, and the free part of the gates."""
        gates = self.network.gate_penalty()
        return gates if self.soft is None else gates + self.soft()

    def forward(self, x: Float[Tensor, "B T d"]) -> Tensor:
        # Divide in the precision of the input, compute in that of the weights.
        y = self.network((x.flatten(1) / self.scale).to(self.scale.dtype))
        return (y * self.out_scale).unflatten(-1, self.shape)
