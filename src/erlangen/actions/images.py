"""`Images`: fields on a square or cubic grid, rotated and reflected about the grid's centre.

A field's type says what happens to its values while they travel: a temperature is a scalar, a vorticity a pseudoscalar, a wind a
vector. Quarter turns and flips only permute pixels and are exact; other elements interpolate, and are then a group action only as
far as interpolation allows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.reps.base import Rep


class Images(Action):
    """Fields ``[*batch, channels, (depth,) height, width]`` moved as ``(g f)(p) = value(g) f(space(g)^-1 p)``.

    Space coordinates are in the order x (to the right), y (upwards), and in three dimensions z (the first grid axis): rows count
    downwards, so a counter-clockwise turn looks counter-clockwise.

    Args:
        space: the orthogonal representation of dimension 2 or 3 that moves the grid's points, e.g. ``SO(2).vector``,
            ``Dihedral(4).irrep(1)``, ``O(3).vector``.
        value: how the channels move, of dimension ``channels``; by default any number of scalars.
        interpolation: ``"bilinear"`` (also trilinear), ``"nearest"`` or ``"bicubic"`` (planes only), for elements that do not map
            the grid to itself. Pixels of integers (uint8) are rounded.

    Attributes:
        keeps_grid: whether every element maps the grid to itself, so that the action is exact.

    Raises:
        ArgumentError: the representations do not fit, or (when acting) the grid is not square.

    >>> from erlangen.groups import Cyclic
    >>> turn = Images(Cyclic(4).irrep(1))
    >>> turn.act(Cyclic(4).element(1), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2., 4.],
             [1., 3.]]])
    """

    def __init__(self, space: Rep, value: Rep | None = None, interpolation: str = "bilinear") -> None:
        if not isinstance(space, Rep) or space.dim not in (2, 3) or not space.is_orthogonal:
            raise ArgumentError("space", "an orthogonal representation of dimension 2 or 3", repr(space))
        if value is not None and value.group != space.group:
            raise ArgumentError("value", f"a representation of {space.group}", f"one of {value.group}")
        if interpolation not in ("bilinear", "nearest", "bicubic") or (interpolation == "bicubic" and space.dim == 3):
            raise ArgumentError("interpolation", "'bilinear', 'nearest' or, for planes, 'bicubic'", repr(interpolation))
        super().__init__(space.group)
        self.space, self.value, self.interpolation = space, value, interpolation
        self.keeps_grid = _keeps_grid(space)
        self.data_shape = (None if value is None else value.dim, *(None,) * space.dim)

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        d, sizes = self.space.dim, x.shape[-self.space.dim :]
        if len(set(sizes)) != 1:
            raise ArgumentError("x", f"a grid of equal sides for {self.space.group}", f"sides {tuple(sizes)}")
        matrices = self.space.matrix(g)
        # Spectator axes, which one element moves all alike, are channels to what follows: one set of places serves them all.
        batch = matrices.ndim - 2
        while batch and matrices.shape[batch - 1] == 1:
            batch -= 1
        matrices = matrices.reshape(*matrices.shape[:batch], d, d)
        lead = torch.broadcast_shapes(matrices.shape[:-2], x.shape[:batch])
        if 0 in (*lead, *x.shape[batch:]):
            return x.new_zeros(*lead, *x.shape[batch:])
        channels = x.shape[batch:-d]
        flat = x.expand(*lead, *x.shape[batch:]).reshape(-1, math.prod(channels), *sizes)
        matrices = matrices.expand(*lead, d, d).reshape(-1, d, d)
        rounded = matrices.round()
        moved = _permute_pixels(flat, rounded.long())
        if not self.keeps_grid:
            exact = (matrices - rounded).abs().amax((-2, -1)) < 1e-6
            moved = torch.where(exact.view(-1, *(1,) * (d + 1)), moved, self._interpolate(flat, matrices))
        moved = moved.reshape(*lead, *channels, *sizes)
        if self.value is None:
            return moved
        if not moved.is_floating_point() and not self.keeps_grid:
            raise ArgumentError("x", f"floating-point fields, for {self.value!r} turns their values", str(x.dtype))
        # The value's representation acts on the channel axis.
        return self.value.act(g, moved.movedim(-d - 1, -1)).movedim(-1, -d - 1)

    def _interpolate(self, image: Tensor, matrices: Tensor) -> Tensor:
        """Moved images; integers are rounded to the nearest, booleans to the larger half, and places are found in float32 or better."""
        d = self.space.dim
        wide = torch.float64 if image.dtype in (torch.int32, torch.int64, torch.float64) else torch.float32
        x, matrices = image.to(wide), matrices.to(wide)
        flip = torch.ones(d, dtype=x.dtype, device=x.device)
        flip[1] = -1  # grid_sample counts rows downwards
        # The value at p comes from g^-1 p = p g (rows).
        inverse = (flip[:, None] * matrices.mT * flip).to(x.device)
        # The centres of the pixels, as torch's affine_grid has them, which does not export with a free batch.
        side = x.shape[-1]
        line = (2 * torch.arange(side, dtype=wide, device=x.device) + 1 - side) / side
        places = torch.stack(torch.meshgrid(*[line] * d, indexing="ij")[::-1], -1).reshape(-1, d)
        grid = (places @ inverse.mT).reshape(-1, *(side,) * d, d)
        mode = self.interpolation if d == 2 or self.interpolation == "nearest" else "bilinear"
        moved = torch.nn.functional.grid_sample(x, grid, mode=mode, padding_mode="zeros", align_corners=False)
        if image.dtype == torch.bool:
            return moved >= 0.5
        if not image.is_floating_point():  # bicubic values may lie outside of the range
            limits = torch.iinfo(image.dtype)
            moved = moved.round().clamp(limits.min, limits.max)
        return moved.to(image.dtype)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        channels = 2 if self.value is None else self.value.dim
        return torch.randn(*batch, channels, *(6,) * self.space.dim, generator=generator, dtype=dtype)

    def __repr__(self) -> str:
        value = "scalars" if self.value is None else self.value.symbol
        return f"Images({value} on {self.space!r})"


def _keeps_grid(space: Rep) -> bool:
    if not space.group.is_finite or space.group.order > 48:
        return False
    matrices = space.matrix(space.group.elements())
    return bool((matrices - matrices.round()).abs().max() < 1e-9)


def _permute_pixels(x: Tensor, matrices: Tensor) -> Tensor:
    """Move the values of ``x`` ``[b, c, *grid]`` by signed permutation matrices ``[b, d, d]`` of the axes, exactly."""
    d, side = matrices.shape[-1], x.shape[-1]
    # Doubled coordinates centred on the grid are odd or even integers, so no rounding occurs.
    line = 2 * torch.arange(side, device=x.device) - (side - 1)
    axes = torch.meshgrid(*[line] * d, indexing="ij")  # array order: (z,) row, column
    points = torch.stack([axes[-1], -axes[-2], *([axes[0]] if d == 3 else [])], -1).reshape(-1, d)
    source = points @ matrices.to(x.device)  # g^-1 p, as rows
    column, row = (source[..., 0] + side - 1) // 2, (side - 1 - source[..., 1]) // 2
    index = row * side + column
    if d == 3:
        index = index + (source[..., 2] + side - 1) // 2 * side * side
    index = index.clamp(0, side**d - 1)  # matters only for elements that do not keep the grid, whose result is not used
    flat = x.flatten(2)
    return flat.gather(2, index.unsqueeze(1).expand_as(flat)).reshape(x.shape)
