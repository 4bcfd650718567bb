"""`GSpatialConv`: convolution over a grid's shifts and turns with small filters: the layer of a group-equivariant CNN."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.periodic import PeriodicField
from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.nn.spectral_conv import check_channels, check_features
from erlangen.nn.spectral_symmetry import GridSymmetry


class GSpatialConv(nn.Module):
    """``out(x, s) = sum_t sum_o psi(R_s^-1 o, s^-1 t) f(x - o, t)`` over the offsets ``|o_i| <= radius`` of a periodic grid.

    What :class:`~erlangen.nn.spectral_conv.GSpectralConv` does with filters as wide as the domain, a CNN does with a few points: cheap, and
    bound to its grid. Of offsets whose turned copies leave the box (hexagonal groups) none is used: there the stencil is a hexagon.

    Args:
        in_channels, out_channels: features.
        group, axes: as there; two or three axes.
        radius: of the filters; 1 is 3 x 3.

    Shapes: ``[*batch, channels, n, *grid]`` with ``n`` turns; sides of more than ``2 radius``.

    Raises:
        ArgumentError: an argument is out of its range; when called, other shapes, or a grid too small.

    Source: T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016, arXiv:1602.07576.

    >>> layer = GSpatialConv(3, 5, group="p4m")
    >>> layer(torch.randn(2, 3, 8, 16, 16)).shape, len(layer.weight)
    (torch.Size([2, 5, 8, 16, 16]), 9)
    >>> len(GSpatialConv(3, 5, group="p6").weight)
    7
    """

    index: Int[Tensor, "o t s"]
    kept: Float[Tensor, " o"]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        group: str | CrystallographicGroup | GridSymmetry = "p4",
        axes: int = 2,
        radius: int = 1,
    ) -> None:
        super().__init__()
        self.channels = check_channels(in_channels=in_channels, out_channels=out_channels)
        if not isinstance(radius, int) or radius < 0:
            raise ArgumentError("radius", "a whole number from 0 on", repr(radius))
        self.symmetry = group if isinstance(group, GridSymmetry) else GridSymmetry(group, axes)
        if self.symmetry.axes not in (2, 3):
            raise ArgumentError("axes", "2 or 3", repr(self.symmetry.axes))
        self.radius, self.order = radius, self.symmetry.order
        count, index, kept = _stencil(radius, self.symmetry)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("kept", kept, persistent=False)
        bound = (in_channels * self.order * count) ** -0.5
        self.weight = nn.Parameter(torch.empty(count, self.order, *self.channels).uniform_(-bound, bound))

    def kernel(self) -> Float[Tensor, "sD tC *box"]:
        """The filter turned by every element, as the kernel of a plain convolution of ``(C, t)`` to ``(D, s)``."""
        n, (a, b) = self.order, self.channels
        rows = self.weight.flatten(0, 1).flatten(1).index_select(0, self.index.flatten()).view(*self.index.shape, a, b)
        rows = rows * self.kept.to(rows.dtype)[:, None, None, None, None]
        box = (2 * self.radius + 1,) * self.symmetry.axes
        return rows.permute(4, 2, 3, 1, 0).reshape(b * n, a * n, *box)

    def forward(self, x: Float[Tensor, "*B C n *grid"]) -> Float[Tensor, "*B D n *grid"]:
        d = self.symmetry.axes
        check_features(x, self.channels[0], self.order, d)
        sizes = x.shape[-d:]
        self.symmetry.check_equal("x", sizes, "sides")
        if min(sizes) <= 2 * self.radius:
            raise ArgumentError("x", f"more than {2 * self.radius} points a side", tuple(x.shape))
        flat = x.reshape(math.prod(x.shape[: -d - 2]), self.channels[0] * self.order, *sizes)
        flat = nn.functional.pad(flat, (self.radius,) * 2 * d, mode="circular")
        convolve = nn.functional.conv2d if d == 2 else nn.functional.conv3d
        return convolve(flat, self.kernel()).view(*x.shape[: -d - 2], self.channels[1], self.order, *sizes)

    @property
    def inp(self) -> PeriodicField:
        """Features on the group."""
        return self.symmetry.acting([2 * self.radius + 2] * self.symmetry.axes, self.symmetry.group.regular)

    @property
    def out(self) -> PeriodicField:
        """As what comes in."""
        return self.inp

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random features."""
        sizes = [2 * self.radius + 2] * self.symmetry.axes
        return torch.randn(*batch, self.channels[0], self.order, *sizes, generator=generator, dtype=dtype)


def _stencil(radius: int, symmetry: GridSymmetry) -> tuple[int, Tensor, Tensor]:
    """How many offsets a filter has, where each turned copy reads them, ``[o, t, s]``, and which offsets are used.

    A plain convolution is a correlation: its entry ``o`` stands for the offset ``-o``.
    """
    line = torch.arange(-radius, radius + 1)
    offsets = -torch.cartesian_prod(*[line] * symmetry.axes)
    group = symmetry.group
    inverse = group.rotation(group.inverse(group.elements()))
    moved = torch.einsum("sij,oj->osi", inverse, offsets)
    inside = (moved.abs() <= radius).flatten(1).all(1)
    strides = (2 * radius + 1) ** torch.arange(symmetry.axes).flip(0)
    code = ((moved + radius) * strides).sum(-1)
    used, place = code[inside].unique(return_inverse=True)
    row = torch.zeros_like(code)
    row[inside] = place
    index = row.unsqueeze(1) * symmetry.order + symmetry.division.T
    return len(used), index, inside.to(torch.get_default_dtype())
