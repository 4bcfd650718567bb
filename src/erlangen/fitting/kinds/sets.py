"""Sets: members without an order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions import Record
from erlangen.actions.base import Action
from erlangen.actions.graphs import nodes
from erlangen.fitting.kinds.base import Candidate, DataKind, Scaled, spread
from erlangen.fitting.kinds.order import in_front, relabelling
from erlangen.groups import Symmetric
from erlangen.groups.base import Group
from erlangen.nn.perceptron import perceptron
from erlangen.symmetrize import symmetrize


@dataclass(frozen=True)
class Sets(DataKind):
    """Inputs ``{"members": [B, size, channels], "there": bool [B, size]}``. The plain network is a perceptron on the members in the order
    of the file; S(size) is served by sums over members (Zaheer et al., arXiv:1703.06114), a smaller group by all its elements.

    >>> kind = Sets((2,), False, size=5, channels=3)
    >>> net = kind.network(32, 1, 0.0, Symmetric(5))
    >>> net({"members": torch.randn(4, 5, 3), "there": torch.ones(4, 5, dtype=torch.bool)}).shape
    torch.Size([4, 2])
    """

    name: ClassVar[str] = "sets"

    size: int
    channels: int

    def candidates(self) -> tuple[Candidate, ...]:
        return (Candidate(Symmetric(self.size), "by its kind: members of a set have no order"),) if self.size > 1 else ()

    def input_action(self, group: Group) -> Action | None:
        rep = relabelling(group, self.size)
        return None if rep is None else Record({"members": nodes(group), "there": rep})

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> nn.Module:
        of = SumNetwork if group == Symmetric(self.size) else ListNetwork
        return of(self.size, self.channels, self.shape, width, depth, dropout)

    def symmetrized(self, network: nn.Module, group: Group) -> nn.Module:
        return network if isinstance(network, SumNetwork) else symmetrize(network, *self.moved_by(group))

    def standardise(self, network: Any, model: nn.Module, x: dict[str, Tensor], y: Tensor, out_scale: float) -> None:
        network.standardise(x)
        network.scale_outputs(y, self.vector)

    def __str__(self) -> str:
        return f"sets of up to {self.size} members"


class _Members(Scaled):
    """Members, each number standardised by its channel, zero where there is none."""

    def __init__(self, size: int, channels: int, shape: tuple[int, ...], width: int, depth: int, dropout: float) -> None:
        super().__init__(shape, width=width, depth=depth, dropout=dropout)
        self.size = size
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def standardise(self, x: dict[str, Tensor]) -> None:
        """Take each channel's mean and deviation from the members that there are."""
        there = x["members"][x["there"]].detach().double()
        self.shift.copy_(there.mean(0))
        self.scale.copy_(spread(there))

    def members(self, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Members ``[B, n, c]`` and 1 or 0 for those that are there or not ``[B, n, 1]``."""
        there = x["there"].unsqueeze(-1).to(self.scale.dtype)
        return ((x["members"] - self.shift) / self.scale).to(self.scale.dtype) * there, there


class ListNetwork(_Members):
    """A perceptron on all members, one after another; gaps between them close up, as in files."""

    def __init__(
        self, size: int, channels: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__(size, channels, shape, width, depth, dropout)
        self.layers = perceptron(size * (channels + 1), *[width] * depth, math.prod(shape), dropout=dropout)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        numbers = torch.cat(self.members(x), -1)
        return self.scaled(self.layers(numbers.take_along_dim(in_front(x["there"]).unsqueeze(-1), 1).flatten(1)))


class SumNetwork(_Members):
    """A perceptron for each member, their sum over the largest size, and a perceptron on it: no order of the members changes it."""

    def __init__(
        self, size: int, channels: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__(size, channels, shape, width, depth, dropout)
        self.each = perceptron(channels, *[width] * depth, width)
        self.all = perceptron(2 * width + 1, width, math.prod(shape), dropout=dropout)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        members, there = self.members(x)
        seen = self.each(members) * there
        count = there.sum(1)
        pooled = torch.cat([seen.sum(1) / self.size, seen.sum(1) / count.clamp_min(1), count / self.size], -1)
        return self.scaled(self.all(pooled))
