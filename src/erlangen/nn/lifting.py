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
    sides: ``(side + 2 padding - kernel)`` must be a multiple of ``stride``, and other sizes are refused. With finer rotations, filters
    are combinations of circular harmonics on rings, band-limited and sampled anew for every element, so that none of them is blurred
    more than another (interpolated ones are, and the quarter turns then win); it holds as far as the images are smooth.

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
    harmonics: Tensor

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
            raise ArgumentError("channels", f"{action.value.dim}, as {action!r} says", repr(channels))
        for name, value, least in (
            ("channels", channels, 1),
            ("width", width, 1),
            ("kernel", kernel, 2),
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("layers", layers, 0),
        ):
            if not isinstance(value, int) or value < least:
                raise ArgumentError(name, f"an integer of at least {least}", repr(value))
        self.action, self.stride, self.padding = action, stride, padding
        group = action.group
        size = int(group.order)
        table = multiplication_table(group)
        self.register_buffer("order", table[inverse_positions(table)], persistent=False)  # the position of g^-1 g'
        # Filters are free on a grid that the group keeps, else coefficients of functions that can be sampled at moved points.
        harmonics = torch.eye(kernel**2).unflatten(-1, (kernel, kernel)) if action.keeps_grid else _harmonics(action, kernel)
        self.register_buffer("harmonics", harmonics.to(torch.get_default_dtype()), persistent=False)
        scale = harmonics.square().sum((-2, -1)).mean().sqrt()
        count = harmonics.shape[-3]
        self.filters = nn.Parameter(torch.randn(width, channels, count) * (2 / (channels * count)) ** 0.5 / scale)
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
        group, value = self.action.group, self.action.value
        every = group.map(lambda e, shape: e.to(self.filters.device), group.elements())
        # In order of harmonics, rows, columns; one bank for all elements, or one for each.
        if self.action.keeps_grid:
            return self.action.act(every, torch.tensordot(self.filters, self.harmonics, 1).unsqueeze(0))
        banks = torch.einsum("wcb,gbij->gwcij", self.filters, self.harmonics)
        return banks if value is None else value.act(every, banks.movedim(2, -1)).movedim(-1, 2)

    def _group_weight(self, weight: Float[Tensor, "order out in"]) -> Float[Tensor, "rows columns"]:
        """The matrix of a group convolution, elements first: block ``(g, g')`` is ``weight[g^-1 g']``."""
        return weight[self.order].transpose(1, 2).flatten(2).flatten(0, 1)

    def _check(self, images: Tensor) -> None:
        kernel = self.harmonics.shape[-1]
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
                repr(self.stride),
                "change the kernel, the padding or the size of the images",
            )


def _harmonics(action: Images, kernel: int) -> Float[Tensor, "order b k k"]:
    """``exp(-(r - r_j)^2 / 2 s^2) cos(m phi)`` and ``sin(m phi)`` on rings one pixel apart, at the points moved back by each element.

    The frequencies on a ring of radius ``r`` stop at ``r``, well below the grid's limit of ``pi r``; rings that the square would cut
    off, more along the axes than along the diagonals, are left out.
    """
    half = (kernel - 1) / 2
    line = torch.arange(kernel, dtype=torch.float64) - half
    points = torch.stack(torch.meshgrid(-line, line, indexing="ij")[::-1], -1)  # x to the right, y upwards
    x, y = torch.einsum("ijd,gde->egij", points, action.linear.matrix(action.group.elements()).double())
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    found: list[Tensor] = []
    ring = half % 1
    while ring <= half - 1 or not found:
        bell = torch.exp(-(radius - ring).square() / (2 * 0.6**2))
        # The centre, where the angle is not defined, belongs to the constant alone.
        away = radius > 1e-9
        for m in range(int(ring + 0.5) + 1):
            found += [bell * away * torch.cos(m * angle), bell * away * torch.sin(m * angle)] if m else [bell]
        ring += 1
    return torch.stack(found, 1)
