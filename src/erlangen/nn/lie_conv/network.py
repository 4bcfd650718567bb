"""`LieConvNet`: image networks that are invariant under affine maps of the plane, or some of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.image_moments import brightness, image_moments, planar_linear_part, pose_of_kind
from erlangen.actions.images import Images, pulled_back
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.nn.lie_conv.kernels import GroupSplines, SplineKernel, check_count
from erlangen.nn.lie_conv.layers import check_field, flat, quarter_turns
from erlangen.nn.lie_conv.samples import Samples

#: The canonical deviation in parts of the canvas's side: ink of a disc then reaches 0.46 of it.
SHARE = 0.23


class LieConvNet(nn.Module):
    """A convolutional network over affine maps of the plane, in aligned order: features ``f(x, h)`` are known in the frame of ``h``.

    In these places the lifting convolution is a plain one of the moved image ``p -> image(h p)``, and so are layers that mix no elements:
    one interpolation, no kernel is resampled. The last layer, after space is pooled, is a convolution over the linear group. Pooling over
    both gives features that are invariant.

    An affine map is a translation, a stretch and a rotation. Rotations are ``angles`` equidistant ones. With ``noncompact="frame"`` the
    other two are taken off by the image's moments (:func:`~erlangen.actions.image_moments.moment_pose`), exactly up to interpolation;
    it needs an empty background. With ``"samples"`` stretches are sampled in a window, with the weights that make sums over them
    integrals: in training anew for each batch, one for each angle, else a fixed grid. Translations are taken off by the centre of mass.

    Args:
        group: GL+(2), SL(2), SO(2), or one of them with translations (``Affine(2)``, ``SE(2)``); linear ones act about the grid's centre.
        channels: of the convolutions; the last are mixed over the group.
        classes: numbers that come out.
        in_channels: of the images.
        angles: rotations; a multiple of 4 makes quarter turns exact.
        noncompact: ``"frame"`` or ``"samples"``.
        stretch, scale, stretches: of :class:`~erlangen.nn.lie_conv.Samples`; ``stretches`` outside of training.
        canvas: the side of aligned images; by default that of the images.
        size: with ``"frame"``, their deviation in pixels, by default 0.23 of the canvas.
        kernel: the filters' side.
        turns: splines around the circle, in the mixing layer.
        generator: of samples in training; torch's own by default.
        seed: of the fixed samples.

    Attributes:
        inp, out: the symmetry that is exact to rounding whatever the weights: quarter turns, where all aligned sides are even or odd
            alike and ``angles`` has them. :meth:`acting` is the whole group, which holds up to interpolation, canvas and sampling.
        samples: elements of the linear part.

    Shapes: ``[*batch, in_channels, H, W]`` to ``[*batch, classes]``; sides are equal.

    Raises:
        ArgumentError: an argument is not one of these; when called, images of another shape, or without positive ink.

    Source: M. Mironenco, P. Forré, "Lie group decompositions for equivariant neural networks", ICLR 2024, arXiv:2310.11366; the moments
    in place of samples, and the aligned order, are ours.

    >>> import erlangen as er
    >>> net = LieConvNet(er.Affine(2), channels=(4, 8), classes=10)
    >>> net(torch.rand(3, 1, 20, 20)).shape, net.features(torch.rand(3, 1, 20, 20)).shape
    (torch.Size([3, 10]), torch.Size([3, 8]))
    >>> bool(er.equivariance_error(net))
    True
    """

    def __init__(
        self,
        group: Group,
        channels: Sequence[int] = (12, 24, 48),
        classes: int = 10,
        in_channels: int = 1,
        *,
        angles: int = 8,
        noncompact: Literal["frame", "samples"] = "frame",
        stretch: float = 0.5,
        scale: float = 0.3,
        stretches: int = 4,
        canvas: int | None = None,
        size: float | None = None,
        kernel: int = 5,
        turns: int = 6,
        generator: torch.Generator | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.kind, self.translates = planar_linear_part(group), group.translates
        if noncompact not in ("frame", "samples"):
            raise ArgumentError("noncompact", "'frame' or 'samples'", repr(noncompact))
        if not isinstance(channels, Sequence) or not channels:
            raise ArgumentError("channels", "the widths of at least one convolution", repr(channels))
        for width in channels:
            check_count("channels", width)
        check_count("classes", classes)
        check_count("in_channels", in_channels)
        check_count("kernel", kernel)
        if kernel % 2 == 0:
            raise ArgumentError("kernel", "an odd side, so that filters have a centre", repr(kernel))
        if canvas is not None:
            check_count("canvas", canvas)
        if size is not None and not size > 0:
            raise ArgumentError("size", "a positive deviation in pixels, or None", repr(size))
        self.group, self.channels, self.classes, self.in_channels = group, tuple(channels), classes, in_channels
        self.noncompact, self.canvas, self.size, self.generator = noncompact, canvas, size, generator
        from erlangen.groups import SO

        sampled = group if noncompact == "samples" else SO(2)
        self.samples = Samples(sampled, angles, stretches, stretch, scale, seed=seed)
        widths = [in_channels, *channels]
        self.blocks = nn.ModuleList(_Block(a, b, kernel, pool=i > 0) for i, (a, b) in enumerate(itertools.pairwise(widths)))
        self.mixing = GroupMixing(widths[-1], self.samples, turns)
        self.head = nn.Linear(widths[-1], classes)
        plane = quarter_turns(self.samples)
        self.inp, self.out = Images(plane), classes * plane.group.scalar

    def forward(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch classes"]:
        return self.head(self.features(images))

    def features(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch d"]:
        """Invariant features, for any head: the last channels, pooled over plane and group."""
        elements, weights = self._drawn()
        field = self._field(images, elements)
        return self.mixing(field.amax((-2, -1)), elements, weights).amax(-1)

    def seen(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch N c h w"]:
        """:meth:`aligned` images, equally bright: what convolutions see at the fixed samples. No weight has a part in it, so that it can be
        computed once for data that are learnt from often, with :meth:`of_seen`."""
        check_field("images", images, (self.in_channels,))
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        return self._aligned(wide / brightness(wide), self.samples.elements)

    def of_seen(self, seen: Float[Tensor, "*batch N c h w"]) -> Float[Tensor, "*batch classes"]:
        """What :meth:`forward` gives outside of training, from what :meth:`seen` gives."""
        elements, weights = self.samples.elements, self.samples.weights()
        return self.head(self.mixing(self._convolved(seen).amax((-2, -1)), elements, weights).amax(-1))

    def field(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch d N h w"]:
        """The last features before pooling, at the fixed samples, each in its own frame."""
        return self._field(images, self.samples.elements)

    def aligned(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch N c h w"]:
        """The images as seen from each of the fixed samples (and from the images' own frame): ``p -> image(pose h p)``."""
        return self._aligned(images, self.samples.elements)

    def poses(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch N m m"]:
        """The elements of the group that these are seen from."""
        _, maps, shifts = self._maps(images, self.samples.elements)
        if self.translates:
            shift = maps.new_zeros(len(maps), 2) if shifts is None else shifts
            maps = self.group.element(maps, shift.unsqueeze(1))  # type: ignore[attr-defined]
        return maps.view(*images.shape[:-3], *maps.shape[1:])

    def scores(self, images: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch N classes"]:
        """What the head says of each fixed sample's features, before they are pooled over the group."""
        elements, weights = self.samples.elements, self.samples.weights()
        mixed = self.mixing(self._field(images, elements).amax((-2, -1)), elements, weights)
        return self.head(mixed.transpose(-1, -2))

    def resample(self, stretches: int, seed: int = 0) -> None:
        """Take so many stretches for each angle outside of training; the weights stay as they are. A state of another number of
        samples is loaded after this."""
        self.samples.resample(stretches, seed=seed)

    def acting(self) -> tuple[Action, Action]:
        """How the whole group moves images and answers, for :func:`erlangen.equivariance_error` on data of your own."""
        space: Any = self.group.point if self.translates else self.group.vector  # type: ignore[attr-defined]
        return Images(space), self.classes * self.group.scalar

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random ink in the middle of an empty canvas."""
        ink = torch.rand(*batch, self.in_channels, 8, 8, generator=generator, dtype=dtype)
        return nn.functional.pad(ink, (4, 4, 4, 4))

    def _drawn(self) -> tuple[Tensor, Tensor]:
        """Elements and relative weights of this pass."""
        samples = self.samples
        if not self.training or self.noncompact == "frame" or self.kind == "SO":
            return samples.elements, samples.weights()
        elements, log_weights = samples.drawn(1, "sobol", self.generator)
        weights = torch.softmax(log_weights, 0) * len(log_weights)
        return elements.to(samples.elements.device), weights.to(samples.elements.device)

    def _field(self, images: Tensor, elements: Tensor) -> Tensor:
        check_field("images", images, (self.in_channels,))
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        return self._convolved(self._aligned(wide / brightness(wide), elements))

    def _convolved(self, seen: Tensor) -> Tensor:
        count, x = seen.shape[-4], flat(seen, 3)
        for block in self.blocks:
            x = block(x, count)
        return x.view(*seen.shape[:-4], count, *x.shape[1:]).transpose(-4, -3)

    def _aligned(self, images: Tensor, elements: Tensor) -> Tensor:
        wide, maps, shifts = self._maps(images, elements)
        with torch.autocast(images.device.type, enabled=False):
            count = maps.shape[1]
            if shifts is not None:
                shifts = shifts.repeat_interleave(count, 0)
            canvas = self.canvas or wide.shape[-1]
            moved = pulled_back(wide.repeat_interleave(count, 0), maps.flatten(0, 1), shifts, canvas)
        return moved.view(*images.shape[:-3], count, *moved.shape[1:]).to(self.head.weight.dtype)

    def _maps(self, images: Tensor, elements: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Flat images in float32 or better, and the maps ``p -> A p + t`` of each: ``A [B, N, 2, 2]`` and ``t [B, 2]``, if any."""
        check_field("images", images, (self.in_channels,))
        if images.shape[-1] != images.shape[-2]:
            raise ArgumentError("images", "equal sides", f"{images.shape[-2]} x {images.shape[-1]}")
        with torch.autocast(images.device.type, enabled=False):
            wide = flat(images.to(torch.promote_types(images.dtype, torch.float32)), 3)
            maps = elements.to(wide).expand(len(wide), *elements.shape)
            if not len(wide) or (self.kind == "SO" and not self.translates):
                return wide, maps, None
            if self.noncompact == "samples":
                return wide, maps, image_moments(wide).mean if self.translates else None
            pose = pose_of_kind(wide, self.kind, self.translates, self.size or SHARE * (self.canvas or wide.shape[-1]))
            return wide, pose[:, None, :2, :2] @ maps, pose[:, :2, 2] if self.translates else None


class GroupMixing(nn.Module):
    """A convolution over the linear group of features ``[*batch, c, N]``, added to them.

    ``f(h) + gelu(mean_j w_j b(h^-1 g_j) f(g_j))``, with ``b`` splines in the coordinates of the group.
    """

    def __init__(self, channels: int, samples: Samples, turns: int) -> None:
        super().__init__()
        self.channels = channels
        basis = GroupSplines(samples.kind, turns)
        self.kernel = SplineKernel(basis, channels * channels)
        with torch.no_grad():
            mixing = self.kernel(samples.relative()).square().mean(-1) * (samples.weights() / len(samples)).square()
            self.kernel.rescale_(float((channels * mixing.sum(1).mean()) ** -0.5))

    def forward(self, x: Float[Tensor, "*batch c N"], elements: Tensor, weights: Tensor) -> Float[Tensor, "*batch c N"]:
        basis = self.kernel.basis(torch.linalg.inv(elements).unsqueeze(1) @ elements)
        basis = (basis * weights[:, None] / len(weights)).to(x)
        b = self.kernel.weight.unflatten(0, (self.channels, self.channels))
        seen = torch.einsum("...cj,ijm->...cmi", x, basis)
        return x + nn.functional.gelu(torch.einsum("dcm,...cmi->...di", b, seen))


class _Block(nn.Module):
    """Pooling by two, a convolution, division by the root mean square over channels, group and plane, gelu: zero stays zero."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, pool: bool) -> None:
        super().__init__()
        self.pool = pool
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
        self.gain = nn.Parameter(torch.ones(out_channels, 1, 1))

    def forward(self, x: Tensor, count: int) -> Tensor:
        if self.pool:
            # Odd sides keep their middle, so that pooling commutes with quarter turns.
            odd = x.shape[-1] % 2
            x = nn.functional.max_pool2d(x, 2 + odd, 2, odd)
        x = self.convolution(x)
        size = x.unflatten(0, (-1, count)).square().mean((1, 2, 3, 4)) if len(x) else x.new_zeros(0)
        scale = torch.rsqrt(size + 1e-8).repeat_interleave(count)
        return nn.functional.gelu(x * scale[:, None, None, None] * self.gain)
