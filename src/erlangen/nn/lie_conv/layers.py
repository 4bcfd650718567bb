"""`LieLift`, `LieConv`, `LieProject`: from images to fields on the plane and a linear group, between such fields, and to numbers.

A field is ``f(x, h)``, ``[*batch, channels, N, height, width]`` at ``N`` samples ``h`` of the group; an affine map ``g`` moves it as
``(g f)(x, h) = f(g^-1 x, g^-1 h)``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic
from erlangen.nn.lie_conv.kernels import SirenKernel, check_count, make_kernel
from erlangen.nn.lie_conv.samples import Samples
from erlangen.reps.base import Rep


class LieLift(nn.Module):
    """Images to a field: ``f(x, h) = |det h|^-1 int k(h^-1 (y - x)) image(y) dy``.

    Args:
        in_channels, out_channels: of the images and of the field.
        samples: where the field is known.
        kernel: ``"spline"``, ``"fourier"`` or ``"siren"``; see :mod:`erlangen.nn.lie_conv.kernels`.
        reach: radius of the kernel in pixels, at the identity.

    Attributes:
        inp, out: how quarter turns (or what of them the grid of angles has) move images and fields. They are exact; other maps hold as
            far as the image is smooth, the samples are many and the canvas is large.

    Shapes: ``[*batch, in_channels, H, W]`` to ``[*batch, out_channels, N, H, W]``.

    Raises:
        ArgumentError: an argument is not one of these, or images of other channels.

    >>> import erlangen as er
    >>> samples = er.nn.lie_conv.Samples(er.SL(2), angles=4, stretches=2)
    >>> lift = LieLift(1, 6, samples)
    >>> lift(torch.randn(5, 1, 12, 12)).shape
    torch.Size([5, 6, 8, 12, 12])
    >>> bool(er.equivariance_error(lift))
    True
    """

    def __init__(
        self, in_channels: int, out_channels: int, samples: Samples, *, kernel: str = "spline", reach: float = 2.5
    ) -> None:
        super().__init__()
        check_channels(in_channels, out_channels, samples)
        self.in_channels, self.out_channels, self.reach, self.samples = in_channels, out_channels, float(reach), samples
        count = in_channels * out_channels
        self.kernel = make_kernel(kernel, "plane", count, kind=samples.kind, reach=reach, turns=4)
        with torch.no_grad():
            size = self.kernel(offsets(1.0, reach)).square().mean(-1).sum()
        self.kernel.rescale_(float((2 / (in_channels * size)).sqrt()))
        plane = quarter_turns(samples)
        self.inp, self.out = Images(plane), Images(plane, permuted(samples))

    def forward(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch d N h w"]:
        check_field("images", images, (self.in_channels,))
        weight = self.filters().flatten(0, 1)
        warn_of_reach(weight.shape[-1], images.shape[-2:])
        y = nn.functional.conv2d(flat(images, 3), weight, padding=weight.shape[-1] // 2)
        return y.view(*images.shape[:-3], self.out_channels, len(self.samples), *images.shape[-2:])

    def filters(self) -> Float[Tensor, "d N c k k"]:
        """``|det h|^-1 k(h^-1 u)`` at the grid's points ``u``."""
        h = self.samples.elements
        values = self.kernel(moved_back(h, self.reach * self.samples.largest()))
        values = values / torch.linalg.det(h).abs().to(values)[:, None, None, None]
        return values.unflatten(-1, (self.out_channels, self.in_channels)).permute(3, 0, 4, 1, 2)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random images."""
        return torch.randn(*batch, self.in_channels, 8, 8, generator=generator, dtype=dtype)


class LieConv(nn.Module):
    """A convolution of fields: ``(k * f)(x, h) = mean_j w_j |det g_j|^-1 sum_y k(h^-1 (y - x), h^-1 g_j) f(y, g_j)``.

    The mean over samples is the integral over the group up to a constant; ``w`` are their relative weights. Separable kernels are products
    ``k(u, v) = a(u) b(v)``: ``b`` mixes channels and samples at every point, ``a`` is one filter for each channel, moved by ``h``.

    Parameters: ``in x out x m_v + out x m_u`` of a separable layer, ``in x out x m_v x m_u`` of one that is not, with ``m_u = 21`` and
    ``m_v = 6, 42, 42`` functions of SO(2), SL(2), GL+(2) for splines.

    Args:
        in_channels, out_channels: of the fields.
        samples: where both are known.
        kernel, reach: see :class:`LieLift`.
        separable: as above; ``"siren"`` has no other.
        turns: splines around the circle of rotations.

    Attributes:
        inp, out: see :class:`LieLift`.

    Source: D. Knigge, D. Romero, E. Bekkers, "Exploiting redundancy: separable group convolutional networks on Lie groups", ICML 2022;
    M. Mironenco, P. Forré, "Lie group decompositions for equivariant neural networks", ICLR 2024, arXiv:2310.11366.

    >>> import erlangen as er
    >>> samples = er.nn.lie_conv.Samples(er.SL(2), angles=4, stretches=2)
    >>> layer = LieConv(3, 6, samples)
    >>> layer(torch.randn(5, 3, 8, 12, 12)).shape
    torch.Size([5, 6, 8, 12, 12])
    >>> bool(er.equivariance_error(layer))
    True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        samples: Samples,
        *,
        kernel: str = "spline",
        reach: float = 2.5,
        separable: bool = True,
        turns: int = 6,
    ) -> None:
        super().__init__()
        check_channels(in_channels, out_channels, samples)
        self.in_channels, self.out_channels, self.reach, self.samples = in_channels, out_channels, float(reach), samples
        self.separable, count = separable, in_channels * out_channels
        plane = make_kernel(kernel, "plane", out_channels, kind=samples.kind, reach=reach, turns=turns)
        group = make_kernel(kernel, "group", count, kind=samples.kind, reach=reach, turns=turns)
        with torch.no_grad():
            plane.rescale_(float((2 / plane(offsets(1.0, reach)).square().mean(-1).sum()).sqrt()))
            mixing = group(samples.relative()).square().mean(-1) * (samples.weights() / len(samples)).square()
            group.rescale_(float((in_channels * mixing.sum(1).mean()) ** -0.5))
        if separable:
            self.plane, self.group = plane, group
        elif isinstance(plane, SirenKernel) or isinstance(group, SirenKernel):
            raise ArgumentError("separable", "True for kernel='siren'", repr(separable))
        else:
            self.plane, self.group = plane.basis, group.basis  # type: ignore[assignment]
            # Independent coefficients of the same size as those of products.
            size = float(plane.weight.square().mean() * group.weight.square().mean()) ** 0.5
            self.weight = nn.Parameter(size * torch.randn(count, group.basis.dim, plane.basis.dim))
        inside = Images(quarter_turns(samples), permuted(samples))
        self.inp, self.out = inside, inside

    def forward(self, field: Float[Tensor, "*batch c N h w"]) -> Float[Tensor, "*batch d N h w"]:
        check_field("field", field, (self.in_channels, len(self.samples)))
        x = flat(field, 4).flatten(1, 2)
        if self.separable:
            filters = self.plane(self._offsets()).permute(3, 0, 1, 2).flatten(0, 1).unsqueeze(1)
            # Channels last in memory: one filter for each channel is slow otherwise.
            x = x.contiguous(memory_format=torch.channels_last)
            x = nn.functional.conv2d(x, self.mixing().flatten(0, 1).flatten(1)[..., None, None])
        else:
            filters = self.full_filters().flatten(0, 1).flatten(1, 2)
        warn_of_reach(filters.shape[-1], field.shape[-2:])
        groups = len(filters) if self.separable else 1
        y = nn.functional.conv2d(x, filters, padding=filters.shape[-1] // 2, groups=groups)
        return y.reshape(*field.shape[:-4], self.out_channels, *field.shape[-3:])

    def mixing(self) -> Float[Tensor, "d N c N"]:
        """``w_j |det g_j|^-1 b(h_i^-1 g_j) / N``: the determinant is that of the input's sample."""
        b = self.group(self.samples.relative()).unflatten(-1, (self.out_channels, self.in_channels))
        return (b * self._measure().to(b)[:, None, None]).permute(2, 0, 3, 1)

    def full_filters(self) -> Float[Tensor, "d N c N k k"]:
        """``w_j |det g_j|^-1 k(h_i^-1 u, h_i^-1 g_j) / N`` of a layer that is not separable."""
        weight = self.weight.unflatten(0, (self.out_channels, self.in_channels))
        at_u, at_v = self.plane(self._offsets()).to(weight), self.group(self.samples.relative()).to(weight)
        at_v = at_v * self._measure().to(weight)[:, None]
        return torch.einsum("dcvu,ijv,ipqu->dicjpq", weight, at_v, at_u)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random fields."""
        return torch.randn(*batch, self.in_channels, len(self.samples), 8, 8, generator=generator, dtype=dtype)

    def _offsets(self) -> Tensor:
        return moved_back(self.samples.elements, self.reach * self.samples.largest())

    def _measure(self) -> Float[Tensor, " N"]:
        samples = self.samples
        return samples.weights() / (len(samples) * torch.linalg.det(samples.elements).abs())


class LieProject(nn.Module):
    """Fields to numbers for each channel, over all of the plane and the group: invariant.

    Args:
        how: ``"max"``; ``"mean"``, by the invariant measure ``|det h|^-1 dx dmu(h)``; or ``"logmeanexp"``, between the two.
        samples: of the field.

    Shapes: ``[*batch, c, N, H, W]`` to ``[*batch, c]``.

    >>> import erlangen as er
    >>> samples = er.nn.lie_conv.Samples(er.SL(2), angles=4, stretches=2)
    >>> LieProject("max", samples)(torch.randn(5, 6, 8, 12, 12)).shape
    torch.Size([5, 6])
    """

    def __init__(self, how: Literal["max", "mean", "logmeanexp"], samples: Samples) -> None:
        super().__init__()
        if how not in ("max", "mean", "logmeanexp"):
            raise ArgumentError("how", "'max', 'mean' or 'logmeanexp'", repr(how))
        self.how, self.samples = how, samples
        self.inp, self.out = Images(quarter_turns(samples), permuted(samples)), 3 * quarter_turns(samples).group.scalar

    def forward(self, field: Float[Tensor, "*batch c N h w"]) -> Float[Tensor, "*batch c"]:
        check_field("field", field, (None, len(self.samples)))
        if self.how == "max":
            return field.amax((-3, -2, -1))
        share = self.samples.weights() / torch.linalg.det(self.samples.elements).abs()
        share = (share / share.sum()).to(field)[:, None, None].expand(field.shape[-3:]) / math.prod(field.shape[-2:])
        if self.how == "mean":
            return (share * field).sum((-3, -2, -1))
        return torch.logsumexp((field + share.log()).flatten(-3), -1)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random fields of three channels."""
        return torch.randn(*batch, 3, len(self.samples), 6, 6, generator=generator, dtype=dtype)


def offsets(largest: float, reach: float) -> Float[Tensor, "k k 2"]:
    """The grid's points up to ``largest x reach`` from its centre, in the order of rows and columns; x to the right, y upwards."""
    radius = math.ceil(largest * reach - 1e-9)
    line = torch.arange(-radius, radius + 1, dtype=torch.float64)
    return torch.stack(torch.meshgrid(-line, line, indexing="ij")[::-1], -1)


def moved_back(h: Float[Tensor, "N 2 2"], reach: float) -> Float[Tensor, "N k k 2"]:
    """``h^-1 u`` for the grid's points ``u``."""
    return torch.einsum("nij,pqj->npqi", torch.linalg.inv(h), offsets(1.0, reach).to(h))


def quarter_turns(samples: Samples) -> Rep:
    """The rotations of the plane that keep both the grid of pixels and that of the samples: those by quarters, halves or none.

    >>> import erlangen as er
    >>> [quarter_turns(Samples(er.SL(2), angles=n)).group.order for n in (8, 6, 5)]
    [4, 2, 1]
    """
    order = math.gcd(samples.angles, 4)
    group = Cyclic(order)
    return group.irrep(1) if order == 4 else 2 * (group.irrep(1) if order == 2 else group.scalar)


def permuted(samples: Samples) -> Rep:
    """How these rotations permute samples of the kind "grid"."""
    group = quarter_turns(samples).group
    return group.regular @ (len(samples) // int(group.order) * group.scalar)


def check_channels(in_channels: int, out_channels: int, samples: Samples) -> None:
    """Raise ArgumentError for other than positive numbers and samples."""
    check_count("in_channels", in_channels)
    check_count("out_channels", out_channels)
    if not isinstance(samples, Samples):
        raise ArgumentError("samples", "erlangen.nn.lie_conv.Samples", type(samples).__name__)


def check_field(name: str, x: Tensor, channels: tuple[int | None, ...]) -> None:
    """Raise ArgumentError unless ``x`` is floating-point, ``[*batch, *channels, height, width]``, and has pixels."""
    if isinstance(x, Tensor) and x.is_floating_point() and x.ndim >= len(channels) + 2 and 0 not in x.shape[-2:]:
        lead = x.shape[x.ndim - 2 - len(channels) : -2]
        if all(a is None or a == b for a, b in zip(channels, lead)):
            return
    wanted = ", ".join("any" if a is None else str(a) for a in channels)
    got = f"shape {tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
    raise ArgumentError(name, f"floating-point [*batch, {wanted}, height, width]", got)


def warn_of_reach(kernel: int, sides: Sequence[int]) -> None:
    """Warn that the most stretched kernel is larger than the image on both sides of its centre."""
    if kernel >= 2 * min(sides):
        warnings.warn(
            f"the most stretched kernel has {kernel} pixels a side, the image {min(sides)}: lower stretch, scale or reach",
            stacklevel=3,
        )


def flat(x: Tensor, axes: int) -> Tensor:
    """One leading axis before the last ``axes``."""
    return x.reshape(math.prod(x.shape[:-axes]), *x.shape[-axes:])
