"""`Lifting`: images to one number for each element of a finite group, by a convolution with moved filters."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.groups.finite import inverse_positions, multiplication_table


class Lifting(nn.Module):
    """``a_k(g x) = a_(g^-1 k)(x)``: a shared bank of filters, moved by every element as the images themselves are, one convolution,
    group convolutions point by point, the mean over the plane, and a last group convolution to one channel.

    Exact for elements that map the grid to itself (quarter turns, flips), which needs that the stride visits the same places from all
    sides: ``(side + 2 padding - kernel)`` must be a multiple of ``stride``, and other sizes are refused. Other rotations interpolate
    the filters, within a disk; then it holds as far as interpolation allows.

    Args:
        action: how images move; its group is finite.
        channels: of the images.
        width: filters, and channels of the group layers.
        kernel: the filters' side.
        stride, padding: of the convolution.
        layers: how many point-wise group convolutions with ``relu`` come after the first one.

    Source: Cohen & Welling, ICML 2016, arXiv:1602.07576; as a canonicalization network, Kaba et al., arXiv:2211.06489.

    >>> from erlangen.groups import Dihedral
    >>> net = Lifting(Images(Dihedral(4).irrep(1)), channels=3, kernel=5, stride=2, padding=2)
    >>> net(torch.randn(8, 3, 29, 29)).shape
    torch.Size([8, 8])
    """

    order: Tensor
    mask: Tensor

    def __init__(
        self,
        action: Images,
        channels: int,
        *,
        width: int = 16,
        kernel: int = 5,
        stride: int = 1,
        padding: int = 0,
        layers: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(action, Images) or action.space.dim != 2 or not action.group.is_finite:
            raise ArgumentError("action", "erlangen.actions.Images of a finite group in the plane", repr(action))
        if action.value is not None and action.value.dim != channels:
            raise ArgumentError("channels", f"{action.value.dim}, as {action!r} says", channels)
        for name, value, least in (
            ("channels", channels, 1),
            ("width", width, 1),
            ("kernel", kernel, 2),
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("layers", layers, 0),
        ):
            if not isinstance(value, int) or value < least:
                raise ArgumentError(name, f"an integer of at least {least}", value)
        self.action, self.stride, self.padding = action, stride, padding
        group = action.group
        size = int(group.order)
        table = multiplication_table(group)
        self.register_buffer("order", table[inverse_positions(table)], persistent=False)  # the position of g^-1 g'
        self.register_buffer("mask", _disk(kernel), persistent=False)
        self.filters = nn.Parameter(torch.randn(width, channels, kernel, kernel) * (2 / (channels * kernel**2)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        self.layers = nn.ParameterList(
            [nn.Parameter(torch.randn(size, width, width) * (2 / (size * width)) ** 0.5) for _ in range(layers)]
        )
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(width)) for _ in range(layers)])
        self.readout = nn.Parameter(torch.randn(size, 1, width) * width**-0.5)

    def forward(self, images: Float[Tensor, "B c h w"]) -> Float[Tensor, "B order"]:
        self._check(images)
        size = len(self.order)
        filters = self.moved_filters()
        bias = self.bias.repeat(size)
        maps = torch.relu(nn.functional.conv2d(images, filters.flatten(0, 1), bias, self.stride, self.padding))
        for weight, own in zip(self.layers, self.biases):
            maps = torch.relu(nn.functional.conv2d(maps, self._group_weight(weight)[..., None, None], own.repeat(size)))
        return nn.functional.linear(maps.mean((2, 3)), self._group_weight(self.readout))

    def moved_filters(self) -> Float[Tensor, "order width c k k"]:
        """The bank moved by every element, as the action moves images."""
        group = self.action.group
        every = group.map(lambda e, shape: e.to(self.filters.device), group.elements())
        bank = self.filters if self.action.keeps_grid else self.filters * self.mask
        return self.action.act(every, bank.unsqueeze(0))

    def _group_weight(self, weight: Float[Tensor, "order out in"]) -> Float[Tensor, "rows columns"]:
        """The matrix of a group convolution, elements first: block ``(g, g')`` is ``weight[g^-1 g']``."""
        return weight[self.order].transpose(1, 2).flatten(2).flatten(0, 1)

    def _check(self, images: Tensor) -> None:
        kernel = self.filters.shape[-1]
        if images.ndim != 4 or images.shape[1] != self.filters.shape[1]:
            raise ArgumentError("images", f"[B, {self.filters.shape[1]}, side, side]", tuple(images.shape))
        height, width = images.shape[-2:]
        if height != width:
            raise ArgumentError("images", f"square images, which {self.action.group} can turn", f"{height} x {width}")
        left = height + 2 * self.padding - kernel
        if left < 0 or left % self.stride:
            raise ArgumentError(
                "stride",
                f"one that divides side + 2 padding - kernel = {left}, so that it visits the same places from all sides",
                self.stride,
                "change the kernel, the padding or the size of the images",
            )


def _disk(kernel: int) -> Float[Tensor, "k k"]:
    line = torch.arange(kernel) - (kernel - 1) / 2
    return ((line.square().unsqueeze(1) + line.square()) <= (kernel / 2) ** 2).float()
