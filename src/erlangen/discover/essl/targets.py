"""What a head predicts of a group element: its class for a finite group, angles or axes for a continuous one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from erlangen.errors import unsupported
from erlangen.groups import SO
from erlangen.groups.base import Element, Group
from erlangen.groups.recognise import recognised
from erlangen.groups.torus import Torus


class Target(ABC):
    """How an element of ``group`` is written for a head with ``width`` outputs, and how far off an output is."""

    def __init__(self, group: Group, width: int) -> None:
        self.group, self.width = group, width

    @abstractmethod
    def loss(self, output: Float[Tensor, "*batch width"], truth: Tensor) -> Tensor:
        """The mean loss of outputs."""

    @abstractmethod
    def error(self, output: Float[Tensor, "*batch width"], truth: Tensor) -> Float[Tensor, "*batch"]:
        """How far off each output is: 0 or 1 for classes, an angle (radians) otherwise."""


class Classes(Target):
    """The position in ``group.elements()``, by cross-entropy."""

    def __init__(self, group: Group) -> None:
        super().__init__(group, int(group.order))

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, -2), truth.flatten())

    def error(self, output: Tensor, truth: Tensor) -> Tensor:
        return (output.argmax(-1) != truth).to(output.dtype)


class Columns(Target):
    """Orthonormal columns of a matrix, by squared error: the cosine and sine of SO(2), the six numbers of SO(3).

    The last column of a rotation follows from the others, so that no coordinates jump anywhere on the group.

    Source: Zhou, Barnes, Lu, Yang & Li 2019, arXiv:1812.07035.
    """

    def __init__(self, group: Group, size: int) -> None:
        super().__init__(group, size * (size - 1))
        self.size = size

    def of(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch width"]:
        """The columns of rotations, all but the last."""
        return g[..., :-1].flatten(-2)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        return (output - truth).square().sum(-1).mean()

    def rotation(self, output: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch n n"]:
        """The rotation that an output means: columns by Gram-Schmidt, the last one by orientation."""
        columns: list[Tensor] = []
        for v in output.unflatten(-1, (self.size, self.size - 1)).unbind(-1):
            for c in columns:
                v = v - (v * c).sum(-1, keepdim=True) * c
            columns.append(F.normalize(v, dim=-1))
        if self.size == 2:
            (c,) = columns
            last = torch.stack([-c[..., 1], c[..., 0]], -1)
        else:
            last = torch.linalg.cross(columns[0], columns[1])
        return torch.stack([*columns, last], -1)

    def error(self, output: Tensor, truth: Tensor) -> Tensor:
        between = self.rotation(output).mT @ self.rotation(truth)
        trace = between.diagonal(dim1=-2, dim2=-1).sum(-1)
        cosine = trace / 2 if self.size == 2 else (trace - 1) / 2
        return cosine.clamp(-1, 1).acos()


class Circles(Target):
    """Cosine and sine of each angle of a torus, by squared error."""

    def __init__(self, group: Torus) -> None:
        super().__init__(group, 2 * group.k)

    def of(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch width"]:
        """Cosine and sine, angle by angle."""
        group = self.group
        assert isinstance(group, Torus)
        angles = group.angles(g)
        return torch.stack([angles.cos(), angles.sin()], -1).flatten(-2)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        return (output - truth).square().sum(-1).mean()

    def error(self, output: Tensor, truth: Tensor) -> Tensor:
        a, b = (torch.atan2(z[..., 1::2], z[..., 0::2]) for z in (output, truth))
        return ((a - b + math.pi) % (2 * math.pi) - math.pi).abs().mean(-1)


def target_of(group: Group) -> Classes | Columns | Circles:
    """How elements of a group are predicted.

    Raises:
        UnsupportedError: the group is infinite and none of SO(2), SO(3) and tori.

    >>> from erlangen.groups import Cyclic
    >>> target_of(Cyclic(4)).width, target_of(SO(2)).width, target_of(SO(3)).width, target_of(Torus(2)).width
    (4, 2, 6, 4)
    """
    if group.is_finite:
        return Classes(group)
    if isinstance(known := recognised(group), Torus):
        return Circles(known)
    for n in (2, 3):
        if group == SO(n):
            return Columns(group, n)
    unsupported(group, "target for a head", "use a finite group, SO(2), SO(3), Torus(k), or a list of such factors")


def draw(group: Group, target: Target, shape: tuple[int, ...], generator: torch.Generator | None) -> tuple[Element, Tensor]:
    """Random elements and what a head should say of them."""
    if isinstance(target, Classes):
        device = torch.device("cpu") if generator is None else generator.device
        label = torch.randint(target.width, shape, generator=generator, device=device).cpu()
        return group.take(group.elements(), label), label
    assert isinstance(target, Columns | Circles)
    g = group.sample(*shape, generator=generator, dtype=torch.float64)
    return g, target.of(g)
