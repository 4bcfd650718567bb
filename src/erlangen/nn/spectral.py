"""`GFNO`: Fourier neural operators that commute with the turns and reflections of a periodic grid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.periodic import PeriodicField
from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.membership import looks_cheap
from erlangen.nn.precision import check_precision
from erlangen.nn.spatial_conv import GSpatialConv
from erlangen.nn.spectral_conv import (
    GSpectralConv,
    RadialSpectralConv,
    check_channels,
    from_modes,
    modes_and_symmetry,
    to_modes,
)
from erlangen.nn.spectral_pointwise import GPointwise, Lift, Project, check_fields, each_point
from erlangen.nn.spectral_symmetry import Field, GridSymmetry
from erlangen.nn.spectral_waves import Waves
from erlangen.reps.base import Rep

#: Of instance normalisation.
EPS = 1e-5
#: By so many units in the last place of their means channels vary where only rounding does.
ROUNDING = 8.0
#: Fields that vary by less than so many units in the last place of their means, or of 1 (what biases are near), come out with an error of
#: 1e-3 or more of their size.
DIGITS = 1e3


class GFNO(nn.Module):
    """A group-equivariant Fourier neural operator: fields in, fields out, on any grid.

    Fields are lifted to features on the shifts and turns of the grid; each block convolves them in Fourier space, normalises, mixes
    channels at every point and adds what came in; the last features are projected to fields of any kind. Exactly equivariant under
    turns about grid point 0 and about the centre of the pixels, and under shifts by whole steps, whatever the weights.

    What fields are decides which law holds: under reflections a vorticity changes sign (``"pseudoscalar"``), a velocity turns its
    components (``"vector"``), a temperature does neither. With the wrong kind the network is symmetric in a way that the physics is not.

    Args:
        n_modes: wave numbers 0 to ``n_modes - 1`` in either direction; a number (of two axes), or one for each axis. One more axis than
            the group has is time, the last one, which is not turned.
        hidden_channels: width; each of them has a number for each turn.
        in_fields, out_fields: lists of ``(name, kind, count)``, the channels of each behind the other. Kinds are ``"scalar"``,
            ``"pseudoscalar"``, ``"vector"``, ``"pseudovector"``, ``"tensor"`` or a representation.
        group: ``"p1"`` (a plain Fourier operator), ``"p2"``, ``"p4"``, ``"pm"``, ``"pmm"``, ``"p4m"``, another plane group, ``"O"``,
            ``"Oh"``; see :class:`~erlangen.nn.spectral_symmetry.GridSymmetry`.
        n_layers: blocks.
        grid: a positional feature: ``"none"``; ``"symmetric"``, the squared distance from the centre (the source's; keeps turns about
            the centre of the pixels, not of hexagonal groups; breaks shifts), or ``"cartesian"`` (breaks both); with them time is a
            feature of its own.
        norm: ``"instance"``, or ``"none"``.
        kernel: ``"group"``; ``"radial"``, whose features have no axis of turns: fields must be scalars of the group; or ``"spatial"``,
            filters of three points a side instead of waves: a group-equivariant CNN (``n_modes`` then only says how many axes).
        equivariant_layers: after so many blocks the turns become channels of a plain Fourier operator: a hybrid, no longer equivariant.
        padding: so many points on all sides of space, zeros or as ``padding_mode`` says, taken off at the end: for fields that are not
            periodic, whose shifts are no symmetries then, nor turns about grid point 0, nor those of hexagonal groups.
        padding_mode: ``"zero"`` or ``"reflect"``.
        time_padding: zeros behind the last instant, for the same reason.

    Attributes:
        inp, out: how the group acts on the fields, on a grid that is just fine enough; :meth:`acting` for any.

    Shapes: ``[*batch, channels, *grid]`` in and out, any grid of more than ``2 n_modes - 2`` points along each axis.

    Raises:
        ArgumentError: an argument is not one of these; when called, complex data, other channels, too coarse a grid, or sides that
            differ along axes that the group exchanges.

    Warns:
        UserWarning: fields vary so little, beside their means or 1, that normalising them makes rounding large.

    Source: J. Helwig, X. Zhang, C. Fu, J. Kurtin, S. Wojtowytsch, S. Ji, "Group equivariant Fourier neural operators for partial
    differential equations", ICML 2023, arXiv:2306.05697.

    >>> frames = [("vorticity", "pseudoscalar", 10)]
    >>> net = GFNO(n_modes=(4, 4), hidden_channels=5, in_fields=frames, out_fields=[("vorticity", "pseudoscalar", 1)], group="p4m")
    >>> net(torch.randn(2, 10, 16, 16)).shape, net(torch.randn(2, 10, 24, 24)).shape
    (torch.Size([2, 1, 16, 16]), torch.Size([2, 1, 24, 24]))
    >>> import erlangen as er
    >>> bool(er.equivariance_error(net))
    True
    """

    def __init__(
        self,
        n_modes: int | Sequence[int] = 12,
        hidden_channels: int = 10,
        in_fields: Sequence[Field] = (("field", "scalar", 1),),
        out_fields: Sequence[Field] = (("field", "scalar", 1),),
        group: str | CrystallographicGroup = "p4",
        n_layers: int = 4,
        grid: Literal["none", "symmetric", "cartesian"] = "none",
        norm: Literal["instance", "none"] = "instance",
        kernel: Literal["group", "radial", "spatial"] = "group",
        equivariant_layers: int | None = None,
        padding: int = 0,
        padding_mode: Literal["zero", "reflect"] = "zero",
        time_padding: int = 0,
    ) -> None:
        super().__init__()
        (width,) = check_channels(hidden_channels=hidden_channels)
        chosen = (
            ("grid", grid, ("none", "symmetric", "cartesian")),
            ("norm", norm, ("instance", "none")),
            ("kernel", kernel, ("group", "radial", "spatial")),
            ("padding_mode", padding_mode, ("zero", "reflect")),
        )
        for name, value, choices in chosen:
            if value not in choices:
                raise ArgumentError(name, f"one of {', '.join(choices)}", repr(value))
        equivariant = n_layers if equivariant_layers is None else equivariant_layers
        for name, number, least in (("n_layers", n_layers, 1), ("padding", padding, 0), ("time_padding", time_padding, 0)):
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise ArgumentError(name, f"a whole number from {least} on", repr(number))
        if not isinstance(equivariant, int) or isinstance(equivariant, bool) or not 0 <= equivariant <= n_layers:
            raise ArgumentError("equivariant_layers", f"0 to {n_layers} blocks", repr(equivariant_layers))
        self.n_modes, symmetry = modes_and_symmetry(n_modes, group, 2)
        if time_padding and not symmetry.has_time:
            raise ArgumentError("time_padding", "0 for a grid without an axis of time", repr(time_padding))
        self.grid, self.norm, self.padding, self.padding_mode, self.time_padding = grid, norm, padding, padding_mode, time_padding
        if not symmetry.turns_arrays and (padding or grid == "symmetric"):
            argument, allowed = ("padding", "0") if padding else ("grid", "'none' or 'cartesian'")
            wanted = f"{allowed} for {symmetry.group}, whose turns do not map the edges of the array to each other"
            raise ArgumentError(argument, wanted, repr(padding or grid))
        source, target = symmetry.fields(in_fields, "in_fields"), symmetry.fields(out_fields, "out_fields")
        if kernel == "radial":
            for name, rep in (("in_fields", source), ("out_fields", target)):
                if not _is_trivial(rep, symmetry):
                    raise ArgumentError(name, f"fields that {symmetry.group} leaves alone, for radial kernels", rep.symbol)
        nothing = CrystallographicGroup(symmetry.space.identity(1), name="p1")
        plain = GridSymmetry(nothing, symmetry.axes)
        self.source, self.target, self.symmetry = source, target, symmetry
        #: The symmetry that the whole network has.
        self.law = symmetry if equivariant == n_layers else plain
        features = plain if kernel == "radial" else symmetry  # features of radial kernels have no turns
        extra = {"none": 0, "symmetric": 1, "cartesian": symmetry.space.n}[grid] + (symmetry.has_time and grid != "none")
        known = _values(source, features)
        self.lift = Lift(known + extra * features.group.scalar if extra else known, width, features)
        self.blocks = nn.ModuleList()
        for i in range(n_layers):
            if i == equivariant:
                width, features = width * features.order, plain
            conv: nn.Module
            if kernel == "spatial":
                conv = GSpatialConv(width, width, features)
            elif kernel == "radial" and i < equivariant:
                conv = RadialSpectralConv(width, width, self.n_modes, symmetry)
            else:
                conv = GSpectralConv(width, width, self.n_modes, features)
            self.blocks.append(_Block(conv, width, features, norm == "instance", last=i == n_layers - 1))
        self.head = GPointwise(width, 4 * width, features)
        self.project = Project(4 * width, _values(target, features), features)

    def forward(self, x: Float[Tensor, "*batch c *grid"]) -> Float[Tensor, "*batch e *grid"]:
        """The fields that the operator makes of fields."""
        d = self.symmetry.axes
        check_fields(x, "x", self.source.dim, d)
        check_precision("x", x, self)
        sizes, lead = x.shape[-d:], x.shape[: -d - 1]
        self.symmetry.check_equal("x", sizes, "sides")
        x = x.reshape(math.prod(lead), *x.shape[-d - 1 :])
        if self.norm == "instance" and looks_cheap(x):
            _warn_of_rounding(x.detach())
        x = self._padded(x)
        if self.grid != "none":
            x = torch.cat([x, self._positions(x)], 1)
        waves = Waves(x.shape[-d:], self.n_modes, x.dtype, x.device)
        features = self.lift(x)
        for block in self.blocks:
            features = block(features, waves)
        y = self.project(nn.functional.gelu(self.head(features)))
        return self._cut(y, sizes).reshape(*lead, self.target.dim, *sizes)

    def acting(self, sizes: Sequence[int], pixels: bool = False) -> tuple[PeriodicField, PeriodicField]:
        """How the group acts on what comes in and goes out on a grid, for audits.

        Args:
            sizes: of the grid.
            pixels: turned about the centre of the pixels, as ``torch.rot90`` does, instead of grid point 0.

        Raises:
            ArgumentError: sizes that are none of a grid.

        >>> net = GFNO(4, 5, group="p4")
        >>> import erlangen as er
        >>> bool(er.equivariance_error(net, torch.randn(2, 1, 9, 9), *net.acting((9, 9), pixels=True)))
        True
        """
        if not isinstance(sizes, Sequence) or len(sizes) != self.symmetry.axes:
            raise ArgumentError("sizes", f"the points along each of {self.symmetry.axes} axes", repr(sizes))
        source, target = (_values(rep, self.law) for rep in (self.source, self.target))
        return self.law.acting(sizes, source, pixels), self.law.acting(sizes, target, pixels)

    @property
    def inp(self) -> PeriodicField:
        return self.acting(self._example_sizes, self._off_centre)[0]

    @property
    def out(self) -> PeriodicField:
        return self.acting(self._example_sizes, self._off_centre)[1]

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random fields."""
        return torch.randn(*batch, self.source.dim, *self._example_sizes, generator=generator, dtype=dtype)

    @property
    def _example_sizes(self) -> list[int]:
        return [max(2 * m, self.padding + 1) for m in self.n_modes]

    @property
    def _off_centre(self) -> bool:
        return self.grid != "none" or self.padding > 0

    def _padded(self, x: Float[Tensor, "B c *grid"]) -> Float[Tensor, "B c *wide"]:
        if self.padding:
            if self.padding_mode == "reflect" and self.padding >= min(x.shape[2 : 2 + self.symmetry.space.n]):
                raise ArgumentError("x", f"more than {self.padding} points a side, to be reflected so far", tuple(x.shape))
            sides = ([0, 0] if self.symmetry.has_time else []) + [self.padding, self.padding] * self.symmetry.space.n
            x = nn.functional.pad(x, sides, mode="reflect" if self.padding_mode == "reflect" else "constant")
        return nn.functional.pad(x, (0, self.time_padding)) if self.time_padding else x

    def _cut(self, y: Float[Tensor, "B c *wide"], sizes: Sequence[int]) -> Float[Tensor, "B c *grid"]:
        for axis, size in enumerate(sizes):
            start = self.padding if axis < self.symmetry.space.n else 0
            y = y.narrow(2 + axis, start, size)
        return y

    def _positions(self, x: Float[Tensor, "B c *grid"]) -> Float[Tensor, "B extra *grid"]:
        """The positional features; both ends of an axis are counted, so that the centre of the pixels is the centre."""
        sizes = x.shape[2:]
        lines = [torch.linspace(0, 1, size, dtype=x.dtype, device=x.device) for size in sizes]
        axes = torch.stack(torch.meshgrid(*lines, indexing="ij"))
        space = axes[: self.symmetry.space.n]
        if self.grid == "symmetric":
            space = (space - 0.5).square().sum(0, keepdim=True)
        return torch.cat([space, axes[self.symmetry.space.n :]]).expand(len(x), -1, *sizes)


class _Block(nn.Module):
    """``y = Norm(spectral(Norm(x)))``, ``y = pointwise(gelu(pointwise(y)))``, ``y + skip(x)``, and gelu if it is not the last.

    What is linear between the two passages to the grid is done on the few coefficients: the second normalisation, by Parseval's identity,
    and the first pointwise map.
    """

    def __init__(self, conv: Any, width: int, symmetry: GridSymmetry, norm: bool, last: bool) -> None:
        super().__init__()
        self.conv = conv
        self.first, self.second, self.skip = (GPointwise(width, width, symmetry) for _ in range(3))
        self.norm, self.last = norm, last

    def forward(self, x: Float[Tensor, "B C n *grid"], waves: Waves) -> Float[Tensor, "B C n *grid"]:
        channels, turns = self.skip.channels[0], self.skip.order
        x = x.reshape(len(x), channels, turns, *waves.sizes)  # where turns become channels, there are more of them
        if isinstance(self.conv, GSpatialConv):
            y = self.first(self._on_grid(self.conv(self._on_grid(x))))
        else:
            c = self.conv.mix(to_modes(waves, self._on_grid(x)))
            y = from_modes(waves, self._first(_normalised(c, waves) if self.norm else c, waves)).to(x.dtype)
        y = nn.functional.gelu(y)
        points = (len(x), channels * turns, math.prod(waves.sizes))
        second, skip = (layer.matrix().flatten(2).flatten(0, 1) for layer in (self.second, self.skip))
        bias = (self.second.bias + self.skip.bias).repeat_interleave(turns)
        y = each_point(second, y.reshape(points), plus=each_point(skip, x.reshape(points), bias)).view(x.shape)
        return y if self.last else nn.functional.gelu(y)

    def _on_grid(self, x: Float[Tensor, "B C n *grid"]) -> Float[Tensor, "B C n *grid"]:
        """Mean 0 and variance 1 of each channel over all shifts and turns, where the block normalises; 0 where only rounding varies."""
        if not self.norm:
            return x
        flat = x.flatten(2)
        made = nn.functional.layer_norm(flat, flat.shape[2:], eps=EPS)
        with torch.no_grad():
            # Sums over channels round by the size of their means; each block would make 1e5 times as much of that.
            noise = ROUNDING * torch.finfo(flat.dtype).eps * flat.mean(2).abs().amax(1, keepdim=True)
            varies = made.square().mean(2) > noise.square() / (noise.square() + EPS)
        return (made * varies.unsqueeze(2)).view(x.shape)

    def _first(self, c: Float[Tensor, "k 2 B n C"], waves: Waves) -> Float[Tensor, "k 2 B n C"]:
        """The first pointwise map; its bias adds to the mean."""
        with torch.autocast(c.device.type, enabled=False):
            matrix = self.first.matrix().permute(3, 2, 1, 0).flatten(2).flatten(0, 1).to(c.dtype)  # from (t, C) to (s, D)
            made = (c.flatten(3) @ matrix).view(c.shape)
            made[waves.zero, 0] += self.first.bias
        return made


def _normalised(c: Float[Tensor, "k 2 B n C"], waves: Waves) -> Float[Tensor, "k 2 B n C"]:
    """Features of mean 0 and variance 1 over all shifts and turns, by Parseval's identity on their coefficients."""
    shift = torch.zeros_like(c)
    shift[waves.zero, 0] = c[waves.zero, 0].mean(1, keepdim=True)
    c = c - shift
    energy = torch.einsum("k,kpbnc->bc", waves.multiplicity.flatten(), c.square()) / c.shape[3]
    return c * (energy + EPS).rsqrt().unsqueeze(1)


def _warn_of_rounding(x: Float[Tensor, "B c *grid"]) -> None:
    """Say where a normalisation is going to make much of what rounding has left of fields; constants are not meant, nor half precision."""
    if not x.numel() or x.element_size() < 4:
        return
    variance, mean = torch.var_mean(x.flatten(2), 2, correction=0)
    varies, size, eps = variance.sqrt(), mean.abs(), torch.finfo(x.dtype).eps
    lost = (varies > ROUNDING * eps * size) & (varies < DIGITS * eps * size.clamp_min(1))
    if bool(lost.any()):
        b, c = lost.nonzero()[0].tolist()
        warnings.warn(
            f"fields vary too little for {str(x.dtype).removeprefix('torch.')}: channel {c} of sample {b} by {varies[b, c]:.1e} about "
            f"{mean[b, c]:.1e}; subtract constants and give fields sizes near 1, or use float64",
            UserWarning,
            stacklevel=4,
        )


def _values(rep: Rep, symmetry: GridSymmetry) -> Rep:
    """A representation, or as many scalars where the symmetry is another one, which does not turn values."""
    return rep if rep.group == symmetry.group else rep.dim * symmetry.group.scalar


def _is_trivial(rep: Rep, symmetry: GridSymmetry) -> bool:
    matrices = rep.matrix(symmetry.group.elements())
    return bool((matrices == torch.eye(rep.dim, dtype=matrices.dtype)).all())
