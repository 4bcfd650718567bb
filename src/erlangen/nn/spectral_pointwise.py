"""What acts at each grid point for itself: `GPointwise` on features, `Lift` from fields to features, `Project` back to fields."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.periodic import PeriodicField
from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.nn.spectral_conv import check_channels, check_features
from erlangen.nn.spectral_symmetry import GridSymmetry
from erlangen.reps.base import Rep

#: Points along an axis of the grids of examples.
EXAMPLE_SIDE = 4


class GPointwise(nn.Module):
    """A linear map of features at each grid point: ``out(x, s) = sum_t W(s^-1 t) f(x, t) + b``, the bias alike for all turns.

    Args:
        in_channels, out_channels: features.
        group, axes: as for :class:`~erlangen.nn.spectral_conv.GSpectralConv`.
        bias: whether there is one.

    Shapes: ``[*batch, channels, n, *grid]``, with ``n`` turns.

    >>> layer = GPointwise(3, 5, group="p4")
    >>> layer(torch.randn(2, 3, 4, 16, 16)).shape, layer.weight.shape
    (torch.Size([2, 5, 4, 16, 16]), torch.Size([5, 3, 4]))
    """

    division: Int[Tensor, "n n"]
    bias: Any  # a parameter, or None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        group: str | CrystallographicGroup | GridSymmetry = "p4",
        axes: int = 2,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.channels = check_channels(in_channels=in_channels, out_channels=out_channels)
        self.symmetry = group if isinstance(group, GridSymmetry) else GridSymmetry(group, axes)
        self.order = self.symmetry.order
        self.register_buffer("division", self.symmetry.division, persistent=False)
        bound = (in_channels * self.order) ** -0.5
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, self.order).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound)) if bias else None

    def matrix(self) -> Float[Tensor, "D n C n"]:
        """The map from ``(C, t)`` to ``(D, s)``."""
        return self.weight[:, :, self.division].transpose(1, 2)

    def forward(self, x: Float[Tensor, "*B C n *grid"]) -> Float[Tensor, "*B D n *grid"]:
        d = self.symmetry.axes
        check_features(x, self.channels[0], self.order, d)
        matrix = self.matrix().flatten(2).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(self.order)
        flat = x.reshape(math.prod(x.shape[: -d - 2]), self.channels[0] * self.order, math.prod(x.shape[-d:]))
        return each_point(matrix, flat, bias).view(*x.shape[: -d - 2], self.channels[1], *x.shape[-d - 1 :])

    @property
    def inp(self) -> PeriodicField:
        """Features on the group."""
        return self.symmetry.acting([EXAMPLE_SIDE] * self.symmetry.axes, self.symmetry.group.regular)

    @property
    def out(self) -> PeriodicField:
        """As what comes in."""
        return self.inp

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random features."""
        sizes = [EXAMPLE_SIDE] * self.symmetry.axes
        return torch.randn(*batch, self.channels[0], self.order, *sizes, generator=generator, dtype=dtype)


class Lift(nn.Module):
    """Fields to features on the group: ``out(x, s) = W rho(s)^-1 u(x) + b``.

    Args:
        rep: how the fields' values move, of the symmetry's group: ``symmetry.fields([("velocity", "vector", 2)], "fields")``.
        out_channels: features.
        symmetry: of the grid.

    Shapes: ``[*batch, rep.dim, *grid]`` to ``[*batch, out_channels, n, *grid]``.

    >>> symmetry = GridSymmetry("p4m", 2)
    >>> layer = Lift(symmetry.value("vector"), 5, symmetry)
    >>> layer(torch.randn(3, 2, 8, 8)).shape
    torch.Size([3, 5, 8, 8, 8])
    """

    def __init__(self, rep: Rep, out_channels: int, symmetry: GridSymmetry) -> None:
        super().__init__()
        (self.out_channels,) = check_channels(out_channels=out_channels)
        self.rep, self.symmetry = rep, symmetry
        group = symmetry.group
        # In double precision, and no buffer: a module that was in single precision once must not keep rounded matrices.
        self._moved = rep.matrix(group.inverse(group.elements())).to(torch.float64)
        bound = rep.dim**-0.5
        self.weight = nn.Parameter(torch.empty(out_channels, rep.dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(self, u: Float[Tensor, "*B c *grid"]) -> Float[Tensor, "*B D n *grid"]:
        d, n = self.symmetry.axes, self.symmetry.order
        check_fields(u, "u", self.rep.dim, d)
        matrix = (self.weight @ self._moved.to(self.weight)).transpose(0, 1).flatten(0, 1)
        flat = u.reshape(math.prod(u.shape[: -d - 1]), self.rep.dim, math.prod(u.shape[-d:]))
        made = each_point(matrix, flat, self.bias.repeat_interleave(n))
        return made.view(*u.shape[: -d - 1], self.out_channels, n, *u.shape[-d:])

    @property
    def inp(self) -> PeriodicField:
        """Fields."""
        return self.symmetry.acting([EXAMPLE_SIDE] * self.symmetry.axes, self.rep)

    @property
    def out(self) -> PeriodicField:
        """Features on the group."""
        return self.symmetry.acting([EXAMPLE_SIDE] * self.symmetry.axes, self.symmetry.group.regular)


class Project(nn.Module):
    """Features on the group to fields: ``out(x) = mean_s rho(s) V f(x, s)``, and a bias where no turn changes the values.

    Args:
        in_channels: features.
        rep: how the fields' values move.
        symmetry: of the grid.
        bias: by default those of the values that every turn leaves alone (all of them or none of a representation) have one.

    Shapes: ``[*batch, in_channels, n, *grid]`` to ``[*batch, rep.dim, *grid]``.

    Raises:
        ArgumentError: a bias is asked for on values that turns change, whose law it would break.

    >>> symmetry = GridSymmetry("p4m", 2)
    >>> layer = Project(5, symmetry.value("pseudoscalar"), symmetry)
    >>> layer(torch.randn(3, 5, 8, 8, 8)).shape, layer.bias
    (torch.Size([3, 1, 8, 8]), None)
    """

    places: Int[Tensor, " b"]

    def __init__(self, in_channels: int, rep: Rep, symmetry: GridSymmetry, bias: bool | None = None) -> None:
        super().__init__()
        (self.in_channels,) = check_channels(in_channels=in_channels)
        self.rep, self.symmetry = rep, symmetry
        matrices = rep.matrix(symmetry.group.elements())
        still = (matrices == torch.eye(rep.dim, dtype=matrices.dtype)).all(-1).all(0)
        if bias and not bool(still.all()):
            raise ArgumentError(
                "bias", f"none: {symmetry.group} changes values of {rep.symbol}, and would not change a bias", repr(bias)
            )
        self._moved = matrices.to(torch.float64)  # no buffer, as in Lift
        self.register_buffer("places", still.nonzero().flatten(), persistent=False)
        bound = in_channels**-0.5
        self.weight = nn.Parameter(torch.empty(rep.dim, in_channels).uniform_(-bound, bound))
        with_bias = bias is not False and bool(still.any())
        self.bias = nn.Parameter(torch.empty(int(still.sum())).uniform_(-bound, bound)) if with_bias else None

    def forward(self, x: Float[Tensor, "*B C n *grid"]) -> Float[Tensor, "*B c *grid"]:
        d, n = self.symmetry.axes, self.symmetry.order
        check_features(x, self.in_channels, n, d)
        matrix = (self._moved.to(self.weight) @ self.weight / n).movedim(0, -1).flatten(1)
        flat = x.reshape(math.prod(x.shape[: -d - 2]), self.in_channels * n, math.prod(x.shape[-d:]))
        bias = None if self.bias is None else self.bias.new_zeros(self.rep.dim).index_copy(0, self.places, self.bias)
        return each_point(matrix, flat, bias).view(*x.shape[: -d - 2], self.rep.dim, *x.shape[-d:])

    @property
    def inp(self) -> PeriodicField:
        """Features on the group."""
        return self.symmetry.acting([EXAMPLE_SIDE] * self.symmetry.axes, self.symmetry.group.regular)

    @property
    def out(self) -> PeriodicField:
        """Fields."""
        return self.symmetry.acting([EXAMPLE_SIDE] * self.symmetry.axes, self.rep)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random features."""
        sizes = [EXAMPLE_SIDE] * self.symmetry.axes
        return torch.randn(*batch, self.in_channels, self.symmetry.order, *sizes, generator=generator, dtype=dtype)


def each_point(
    matrix: Float[Tensor, "o i"], x: Float[Tensor, "B i p"], bias: Float[Tensor, " o"] | None = None, plus: Tensor | None = None
) -> Float[Tensor, "B o p"]:
    """``matrix`` times the features at every point, with a bias or a summand ``[B, o, p]``."""
    stacked = matrix.expand(len(x), *matrix.shape)
    if plus is None and bias is not None:
        plus = bias[:, None]
    return torch.bmm(stacked, x) if plus is None else torch.baddbmm(plus, stacked, x)


def check_fields(x: Tensor, argument: str, channels: int, axes: int) -> None:
    """Raise where data are not ``[*batch, channels, *grid]`` of real numbers.

    Raises:
        ArgumentError: they are not.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ArgumentError(
            argument,
            "real floating-point fields",
            str(x.dtype if isinstance(x, Tensor) else type(x).__name__).removeprefix("torch."),
        )
    if x.ndim < axes + 1 or x.shape[-axes - 1] != channels:
        raise ArgumentError(argument, f"fields [*batch, {channels} channels, {axes} axes of the grid]", tuple(x.shape))
