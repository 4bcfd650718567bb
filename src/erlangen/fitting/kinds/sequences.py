"""Sequences: steps in an order, shifted around and reversed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions import OnAxes
from erlangen.actions.base import Action
from erlangen.fitting.kinds.base import Candidate, DataKind, Scaled, spread
from erlangen.fitting.kinds.order import Reversal, relabelling
from erlangen.groups import Cyclic, Dihedral
from erlangen.groups.base import Group
from erlangen.symmetrize import symmetrize

#: Steps that a convolution sees.
KERNEL = 5


@dataclass(frozen=True)
class Sequences(DataKind):
    """Inputs ``[B, steps, channels]``. Cyclic shifts are served by circular convolutions and a mean over the steps, the reversal by
    its average, other permutations by all elements.

    >>> kind = Sequences((1,), False, steps=12, channels=2)
    >>> [(str(c.group), c.why) for c in kind.candidates()]
    [('D_12', 'cyclic shifts and the reversal'), ('C_12', 'cyclic shifts'), ('C_2', 'the reversal')]
    """

    name: ClassVar[str] = "sequences"

    steps: int
    channels: int

    def candidates(self) -> tuple[Candidate, ...]:
        if self.steps < 3:
            return ()
        return (
            Candidate(Dihedral(self.steps), "cyclic shifts and the reversal"),
            Candidate(Cyclic(self.steps), "cyclic shifts"),
            Candidate(Cyclic(2), "the reversal"),
        )

    def input_action(self, group: Group) -> Action | None:
        if (rep := relabelling(group, self.steps)) is not None:
            return OnAxes({-2: rep})
        return Reversal(group) if group == Cyclic(2) else None

    def inputs(self, x: Any) -> Tensor:
        return x["sequence"]

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> SequenceNetwork:
        circular = group is not None and group in (Dihedral(self.steps), Cyclic(self.steps))
        return SequenceNetwork(self.steps, self.channels, self.shape, circular, width, depth, dropout)

    def symmetrized(self, network: nn.Module, group: Group) -> nn.Module:
        if group == Cyclic(self.steps):
            return network
        turned = Cyclic(2) if group == Dihedral(self.steps) else group
        return symmetrize(network, *self.moved_by(turned))

    def standardise(self, network: SequenceNetwork, model: nn.Module, x: Tensor, y: Tensor, out_scale: float) -> None:
        network.standardise(x)
        network.scale_outputs(y, self.vector)

    def __str__(self) -> str:
        return f"sequences of {self.steps} steps"


class SequenceNetwork(Scaled):
    """Convolutions along the steps: with zeros beyond the ends and a linear layer on up to eight pieces of the sequence, or circular
    with a mean over all steps, which cyclic shifts leave alone.

    Args:
        steps, channels: the input is ``[B, steps, channels]``.
        shape: of one output.
        circular: which of the two.
        width: half of it are the channels of the convolutions.
        depth: convolutions besides the first.
        dropout: before the last layer.
    """

    def __init__(
        self,
        steps: int,
        channels: int,
        shape: tuple[int, ...],
        circular: bool,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(shape, width=width, depth=depth, dropout=dropout)
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        layers: list[nn.Module] = []
        inside, wide = channels, max(width // 2, 1)
        kernel = min(KERNEL, steps - 1 + steps % 2)
        for _ in range(depth + 1):
            convolution = nn.Conv1d(inside, wide, kernel, padding=kernel // 2, padding_mode="circular" if circular else "zeros")
            layers += [convolution, nn.ReLU()]
            inside = wide
        pieces = 1 if circular else min(steps, 8)
        last = nn.Linear(inside * pieces, math.prod(shape))
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(pieces), nn.Flatten(), nn.Dropout(dropout), last)

    def standardise(self, x: Tensor) -> None:
        """Take each channel's mean and deviation from training sequences."""
        by_channel = x.detach().double().flatten(0, 1)
        self.shift.copy_(by_channel.mean(0))
        self.scale.copy_(spread(by_channel))

    def forward(self, x: Tensor) -> Tensor:
        return self.scaled(self.layers(((x - self.shift) / self.scale).to(self.scale.dtype).mT))
