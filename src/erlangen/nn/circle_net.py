"""`CircleNet`: images about their centre, read along circles: a network that rotations do not change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic
from erlangen.nn.lie_conv.kernels import check_count


class CircleNet(nn.Module):
    """An image in polar coordinates, on ``rings`` by ``angles`` points, where a rotation about the centre is a shift along the circles.

    Two things are read from there: moduli of Fourier coefficients along each circle, which forget how circles are turned against one
    another and are learnt from at once, and convolutions that close around the circles, which see that too and take longer. The
    largest and the mean value along the circles, with the moduli, go through a perceptron. No pose is chosen, so that none can be wrong.

    Args:
        channels: of the convolutions, each of which halves the angles, every other one the rings; with none, a perceptron on the moduli.
        classes: numbers that come out.
        in_channels: of the images, which must not be empty of meaning about their centre: translations are not taken off.
        rings: circles, of evenly spaced radii up to half the side.
        angles: points on each, interpolated bilinearly once; a multiple of ``4 * 2^len(channels)`` makes quarter turns exact.
        frequencies: of the moduli, the highest.
        hidden, dropout: of the perceptron; dropout in training.

    Attributes:
        inp, out: the symmetry that is exact to rounding whatever the weights, in evaluation: quarter turns. Other rotations hold up to
            interpolation and strides.

    Shapes: ``[*batch, in_channels, H, H]`` to ``[*batch, classes]``.

    Raises:
        ArgumentError: an argument is not one of these; when called, images of another shape.

    Source: shifts for rotations as in Esteves, Allen-Blanchette, Zhou and Daniilidis 2018, arXiv:1709.01889; moduli beside convolutions
    are ours.

    >>> import erlangen as er
    >>> net = CircleNet(channels=(4, 8), classes=3).eval()
    >>> net(torch.rand(5, 1, 20, 20)).shape
    torch.Size([5, 3])
    >>> bool(er.equivariance_error(net))
    True
    """

    grid: Tensor

    def __init__(
        self,
        channels: Sequence[int] = (24, 48, 64),
        classes: int = 10,
        in_channels: int = 1,
        *,
        rings: int = 14,
        angles: int = 64,
        frequencies: int = 10,
        hidden: int = 512,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if not isinstance(channels, Sequence) or isinstance(channels, str):
            raise ArgumentError("channels", "the widths of convolutions, or none", repr(channels))
        named = {"classes": classes, "in_channels": in_channels, "rings": rings, "angles": angles, "hidden": hidden}
        for name, value in [*(("channels", width) for width in channels), *named.items()]:
            check_count(name, value)
        if angles % (4 * 2 ** len(channels)):
            raise ArgumentError("angles", f"a multiple of {4 * 2 ** len(channels)}, so that quarter turns are exact", repr(angles))
        if not isinstance(frequencies, int) or not 0 <= frequencies <= angles // 2:
            raise ArgumentError("frequencies", f"a whole number up to half of {angles} angles", repr(frequencies))
        if not 0 <= dropout < 1:
            raise ArgumentError("dropout", "a share from 0 to less than 1", repr(dropout))
        self.channels, self.classes, self.in_channels = tuple(channels), classes, in_channels
        self.rings, self.angles, self.frequencies = rings, angles, frequencies
        radius = (torch.arange(rings, dtype=torch.float64) + 0.5) / rings
        phi = 2 * math.pi * torch.arange(angles, dtype=torch.float64) / angles
        grid = torch.stack([radius.unsqueeze(1) * phi.cos(), radius.unsqueeze(1) * phi.sin()], -1)
        self.register_buffer("grid", grid.to(torch.get_default_dtype()), persistent=False)
        blocks, width, high = [], in_channels + 1, rings  # one channel says how far out a circle is
        for i, out in enumerate(channels):
            blocks.append(_Circular(width, out, stride=(2 - i % 2, 2)))
            width, high = out, high if i % 2 else (high + 1) // 2
        self.blocks = nn.Sequential(*blocks)
        count = in_channels * rings * (frequencies + 1) + (2 * width * high if channels else 0)
        self.head = nn.Sequential(
            nn.BatchNorm1d(count), nn.Linear(count, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )
        self.inp, self.out = Images(Cyclic(4).irrep(1)), classes * Cyclic(4).scalar

    def forward(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch classes"]:
        return self.head(self.features(images).flatten(0, -2)).view(*images.shape[:-3], self.classes)

    def features(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch d"]:
        """What the perceptron sees, which rotations do not change: roots of moduli, then the largest and mean values along circles."""
        x = self.circles(images).flatten(0, -4)
        found = torch.fft.rfft(x, dim=-1, norm="forward")[..., : self.frequencies + 1]
        # A modulus has no derivative at zero: it is rounded off there, far below a grey value.
        moduli = (found.real.square() + found.imag.square() + 1e-10) ** 0.25
        features = [moduli.flatten(1)]
        if self.channels:
            outward = torch.linspace(-1, 1, self.rings, dtype=x.dtype, device=x.device)[:, None].expand(len(x), 1, -1, self.angles)
            field = self.blocks(torch.cat([x, outward], 1))
            features += [field.amax(-1).flatten(1), field.mean(-1).flatten(1)]
        return torch.cat(features, 1).view(*images.shape[:-3], -1)

    def circles(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch c rings angles"]:
        """Images in polar coordinates, circles from the centre outwards."""
        shape = tuple(images.shape)
        if len(shape) < 4 or shape[-3] != self.in_channels or shape[-1] != shape[-2]:
            raise ArgumentError("images", f"[*batch, {self.in_channels}, side, side]", shape)
        x = images.flatten(0, -4)
        grid = self.grid.to(x).expand(len(x), -1, -1, -1)
        return nn.functional.grid_sample(x, grid, align_corners=False).unflatten(0, shape[:-3])

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random images."""
        return torch.rand(*batch, self.in_channels, 20, 20, generator=generator, dtype=dtype)


class _Circular(nn.Module):
    """A convolution of 3 x 3 that closes around the circles, normalisation over the batch, ``relu``."""

    def __init__(self, in_channels: int, out_channels: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, stride, padding=(1, 0), bias=False)
        self.normal = nn.BatchNorm2d(out_channels)

    def forward(self, x: Float[Tensor, "B c rings angles"]) -> Float[Tensor, "B d r a"]:
        closed = torch.cat([x[..., -1:], x, x[..., :1]], -1)
        return torch.relu(self.normal(self.convolution(closed)))
