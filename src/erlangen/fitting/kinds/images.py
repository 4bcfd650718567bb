"""Images: fields of numbers on a grid, turned and reflected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen import actions
from erlangen.actions.base import Action
from erlangen.fitting.kinds.base import Candidate, DataKind, Scaled, spread
from erlangen.groups import Cyclic, Dihedral
from erlangen.groups.base import Group
from erlangen.reps.base import Rep
from erlangen.symmetrize import Haar, Symmetrized, choose_frame, symmetrize

#: Elements that are averaged over where a group of turns has no frame for images.
DRAWS = 8


@dataclass(frozen=True)
class Images(DataKind):
    """Inputs ``[B, channels, height, width]`` of scalars; the plain network convolves, and all elements of a group average it.

    >>> from erlangen.groups import Cyclic
    >>> kind = Images((2,), False, channels=1, height=8, width=8)
    >>> kind.symmetrized(kind.network(32, 1, 0.0), Cyclic(4))(torch.randn(5, 1, 8, 8)).shape
    torch.Size([5, 2])
    >>> [str(c.group) for c in kind.candidates()]
    ['D_4', 'C_4', 'D_2', 'C_2', 'D_1']
    >>> [str(c.group) for c in Images((2,), False, channels=1, height=8, width=12).candidates()]
    ['D_2', 'C_2', 'D_1']
    """

    name: ClassVar[str] = "images"
    largest_batch: ClassVar[int | None] = 64

    channels: int
    height: int
    width: int

    def candidates(self) -> tuple[Candidate, ...]:
        square = (Candidate(Dihedral(4), "quarter turns and reflections"), Candidate(Cyclic(4), "quarter turns"))
        return (
            *(square if self.height == self.width else ()),
            Candidate(Dihedral(2), "the horizontal and the vertical reflection"),
            Candidate(Cyclic(2), "the half turn"),
            Candidate(Dihedral(1), "the horizontal reflection"),
        )

    def input_action(self, group: Group) -> Action | None:
        space = _in_the_plane(group)
        action = None if space is None else actions.Images(space)
        return action if action is not None and (self.height == self.width or action.keeps_axes) else None

    def inputs(self, x: Any) -> Tensor:
        return x["image"]

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> ImageNetwork:
        return ImageNetwork(self.channels, self.height, self.width, self.shape, width, depth, dropout)

    def symmetrized(self, network: nn.Module, group: Group) -> Symmetrized:
        inp, out = self.moved_by(group)
        return symmetrize(network, inp, out, frame=choose_frame(inp) if group.is_finite else Haar(DRAWS))

    def standardise(self, network: ImageNetwork, model: nn.Module, x: Tensor, y: Tensor, out_scale: float) -> None:
        network.standardise(x)
        network.scale_outputs(y, self.vector)

    def __str__(self) -> str:
        return f"pictures of {self.height} x {self.width}"


def _in_the_plane(group: Group) -> Rep | None:
    """How a group without translations moves the points of a picture; of reflections alone, first the horizontal one."""
    if group == Dihedral(1):
        return group.irrep("flip") + group.scalar
    if group == Dihedral(2):
        return group.irrep("turn-flip") + group.irrep("turn")
    if group == Cyclic(2):
        return 2 * group.irrep(1)
    try:
        space = group.irrep(1) if group.is_finite else group.vector
    except (TypeError, ValueError):
        return None
    return space if space.dim == 2 and not group.translates else None


class ImageNetwork(Scaled):
    """Convolutions of 3 x 3, halving the grid after each down to 4 x 4, then a linear layer.

    Args:
        channels, height, side: the input is ``[B, channels, height, side]``.
        shape: of one output.
        width: a quarter of it are the channels of the first convolution; each halving of the grid doubles them.
        depth: convolutions besides the first.
        dropout: before the last layer.
    """

    def __init__(
        self, channels: int, height: int, side: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__(shape, width=width, depth=depth, dropout=dropout)
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        layers: list[nn.Module] = []
        inside, wide = channels, max(width // 4, 1)
        for _ in range(depth + 1):
            layers += [nn.Conv2d(inside, wide, 3, padding=1), nn.ReLU()]
            inside = wide
            if min(height, side) >= 8:
                layers.append(nn.AvgPool2d(2))
                height, side, wide = height // 2, side // 2, 2 * wide
        here = (min(height, 4), min(side, 4))
        last = nn.Linear(inside * here[0] * here[1], math.prod(shape))
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(here), nn.Flatten(), nn.Dropout(dropout), last)

    def standardise(self, x: Tensor) -> None:
        """Take each channel's mean and deviation from training images."""
        by_channel = x.detach().double().movedim(1, -1).flatten(0, -2)
        self.shift.copy_(by_channel.mean(0)[:, None, None])
        self.scale.copy_(spread(by_channel)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.scaled(self.layers(((x - self.shift) / self.scale).to(self.scale.dtype)))
