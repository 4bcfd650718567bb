"""`Images`: fields on a square or cubic grid, moved about the grid's centre: rotated, reflected, stretched, shifted.

A field's type says what happens to its values while they travel: a temperature is a scalar, a vorticity a pseudoscalar, a wind a
vector. Quarter turns and flips only permute pixels and are exact; other elements interpolate, and are then a group action only as
far as interpolation allows.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.groups.membership import may_look
from erlangen.reps.affine import Point
from erlangen.reps.base import Rep


class Images(Action):
    """Fields ``[*batch, channels, (depth,) height, width]`` moved as ``(g f)(p) = value(g) f(space(g)^-1 p)``.

    Space coordinates are in the order x (to the right), y (upwards), and in three dimensions z (the first grid axis): rows count
    downwards, so a counter-clockwise turn looks counter-clockwise.

    Args:
        space: the real representation of dimension 2 or 3 that moves the grid's points, e.g. ``SO(2).vector``,
            ``Dihedral(4).irrep(1)``, ``O(3).vector``, ``GLplus(2).vector``; or the action on points of an affine group,
            ``Affine(2).point``, whose translations are in pixels.
        value: how the channels move, of dimension ``channels``; by default any number of scalars. That of a density is
            ``group.pseudoscalar.dual``, one over the determinant.
        interpolation: ``"bilinear"`` (also trilinear), ``"nearest"`` or ``"bicubic"`` (planes only), for elements that do not map
            the grid to itself. Pixels of integers (uint8) are rounded.

    Attributes:
        keeps_grid: whether every element maps a grid of equal sides to itself, so that the action is exact.
        keeps_axes: whether it also maps every axis to itself (reflections, half turns), so that sides may differ.

    Raises:
        ArgumentError: the representations do not fit, or (when acting) the grid has unequal sides and elements do not keep its axes.

    >>> from erlangen.groups import SE, Cyclic
    >>> turn = Images(Cyclic(4).irrep(1))
    >>> turn.act(Cyclic(4).element(1), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2., 4.],
             [1., 3.]]])
    >>> one_up = SE(2).element(translation=torch.tensor([0.0, 1.0]))
    >>> Images(SE(2).point).act(one_up, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[3., 4.],
             [0., 0.]]])
    """

    def __init__(self, space: Rep | Point, value: Rep | None = None, interpolation: str = "bilinear") -> None:
        if not isinstance(space, (Rep, Point)) or space.dim not in (2, 3):
            expected = "a representation of dimension 2 or 3, or the action on points of an affine group"
            raise ArgumentError("space", expected, repr(space))
        if value is not None and value.group != space.group:
            raise ArgumentError("value", f"a representation of {space.group}", f"one of {value.group}")
        if interpolation not in ("bilinear", "nearest", "bicubic") or (interpolation == "bicubic" and space.dim == 3):
            raise ArgumentError("interpolation", "'bilinear', 'nearest' or, for planes, 'bicubic'", repr(interpolation))
        super().__init__(space.group)
        self.space, self.value, self.interpolation = space, value, interpolation
        #: How the grid's directions turn: the space, without translations.
        self.linear: Rep = space.linear if isinstance(space, Point) else space
        self.keeps_grid = not space.group.translates and _keeps_grid(self.linear)
        self.keeps_axes = self.keeps_grid and _keeps_axes(self.linear)
        self.data_shape = (None if value is None else value.dim, *(None,) * space.dim)

    def act(self, g: Element, x: Tensor) -> Tensor:
        return self._moved(g, x, back=False)

    def act_inverse(self, g: Element, x: Tensor) -> Tensor:  # type: ignore[override]
        """``act(g^-1, x)``, the field ``p -> f(g p)``: no matrix is inverted."""
        return self._moved(g, x, back=True)

    def _moved(self, g: Element, x: Tensor, back: bool) -> Tensor:
        g, x = self.align(g, x)
        d, sizes = self.space.dim, x.shape[-self.space.dim :]
        if len(set(sizes)) != 1 and not self.keeps_axes:
            raise ArgumentError("x", f"a grid of equal sides for {self.space.group}", f"sides {tuple(sizes)}")
        matrices = self.linear.matrix(g)
        shifts = self.space.apart(g).shift if isinstance(self.space, Point) else matrices.new_zeros(*matrices.shape[:-1], 1)
        # Spectator axes, which one element moves all alike, are channels to what follows: one set of places serves them all.
        batch = matrices.ndim - 2
        while batch and matrices.shape[batch - 1] == 1:
            batch -= 1
        matrices, shifts = (t.reshape(*t.shape[:batch], *t.shape[-2:]) for t in (matrices, shifts))
        lead = torch.broadcast_shapes(matrices.shape[:-2], x.shape[:batch])
        if 0 in (*lead, *x.shape[batch:]):
            return x.new_zeros(*lead, *x.shape[batch:])
        channels = x.shape[batch:-d]
        flat = x.expand(*lead, *x.shape[batch:]).reshape(-1, math.prod(channels), *sizes)
        matrices, shifts = (t.expand(*lead, *t.shape[-2:]).reshape(-1, *t.shape[-2:]) for t in (matrices, shifts))
        moved = self._resampled(flat, matrices, shifts, back).reshape(*lead, *channels, *sizes)
        if self.value is None:
            return moved
        if not moved.is_floating_point() and not self.keeps_grid:
            raise ArgumentError("x", f"floating-point fields, for {self.value!r} turns their values", str(x.dtype))
        # The value's representation acts on the channel axis.
        return self.value.act(self.group.inverse(g) if back else g, moved.movedim(-d - 1, -1)).movedim(-1, -d - 1)

    def _resampled(self, image: Tensor, matrices: Tensor, shifts: Tensor, back: bool) -> Tensor:
        """Flat images ``[b, c, *grid]`` moved by linear maps ``[b, d, d]`` and shifts ``[b, d, 1]``, or by their inverse."""
        affine = isinstance(self.space, Point)
        if affine or not self.linear.is_orthogonal:
            wide = torch.promote_types(matrices.dtype, torch.float32)
            matrices, shifts = matrices.to(wide), shifts.to(wide)
            if not back:
                matrices = torch.linalg.inv(matrices)
                shifts = -matrices @ shifts
            return self._interpolate(image, matrices, shifts.squeeze(-1) if affine else None)
        # The value at p comes from g^-1 p.
        matrices = matrices if back else matrices.mT
        rounded = matrices.round()
        if self.keeps_grid:
            return _permute_pixels(image, rounded.long())
        exact = (matrices - rounded).abs().amax((-2, -1)) < 1e-6
        if not may_look(exact):
            moved = _permute_pixels(image, rounded.long())
            return torch.where(exact.view(-1, *(1,) * (image.ndim - 1)), moved, self._interpolate(image, matrices, None))
        # Few of a group's elements keep the grid, if any: the others' pixels are not permuted in vain.
        which, moved = exact.nonzero().squeeze(1), self._interpolate(image, matrices, None)
        return moved.index_copy(0, which, _permute_pixels(image[which], rounded[which].long())) if len(which) else moved

    def _interpolate(self, image: Tensor, matrices: Tensor, shifts: Tensor | None) -> Tensor:
        """Moved images; integers are rounded to the nearest, booleans to the larger half, and places are found in float32 or better."""
        wide = torch.float64 if image.dtype in (torch.int32, torch.int64, torch.float64) else torch.float32
        mode = self.interpolation if self.space.dim == 2 or self.interpolation == "nearest" else "bilinear"
        moved = pulled_back(image.to(wide), matrices, shifts, mode=mode)
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


def pulled_back(
    image: Float[Tensor, "b c *grid"],
    matrices: Float[Tensor, "b d d"],
    shifts: Float[Tensor, "b d"] | None = None,
    side: int | None = None,
    mode: str = "bilinear",
) -> Float[Tensor, "b c *sides"]:
    """The fields ``p -> f(A p + t)``: zero outside of the grid, points counted in pixels from its centre.

    Args:
        image: ``f``, in two or three dimensions; the grid's sides may differ.
        matrices, shifts: ``A`` and ``t``, coordinates in the order x, y (upwards), z.
        side: of the new grid; by default all sides are those of ``f``.
        mode: of the interpolation.

    >>> image = torch.arange(4.0).view(1, 1, 2, 2)
    >>> pulled_back(image, torch.eye(2)[None], torch.tensor([[1.0, 0.0]]))[0, 0]
    tensor([[1., 0.],
            [3., 0.]])
    """
    d, sizes, wide = matrices.shape[-1], image.shape[2:], image.dtype
    matrices = matrices.to(image)
    flip = torch.ones(d, dtype=wide, device=image.device)
    flip[1] = -1  # grid_sample counts rows downwards
    # The centres of the pixels, as torch's affine_grid has them, which does not export with a free batch.
    half = torch.tensor([0.5 * size for size in reversed(sizes)], dtype=wide, device=image.device)
    new = [side] * d if side is not None else list(sizes)
    lines = [(2 * torch.arange(n, dtype=wide, device=image.device) + 1 - n) / size for n, size in zip(new, sizes)]
    # Normalised coordinates are pixels over half a side, for either side of the map.
    matrices = flip[:, None] * matrices * flip * half / half[:, None]
    places = torch.stack(torch.meshgrid(*lines, indexing="ij")[::-1], -1).reshape(-1, d)
    grid = places @ matrices.mT
    if shifts is not None:
        grid = grid + (flip * shifts.to(image) / half).unsqueeze(-2)
    return torch.nn.functional.grid_sample(image, grid.reshape(-1, *new, d), mode=mode, padding_mode="zeros", align_corners=False)


def _keeps_grid(space: Rep) -> bool:
    if not space.group.is_finite or space.group.order > 48:
        return False
    matrices = space.matrix(space.group.elements())
    return bool((matrices - matrices.round()).abs().max() < 1e-9)


def _keeps_axes(space: Rep) -> bool:
    matrices = space.matrix(space.group.elements())
    return bool((matrices - torch.diag_embed(matrices.diagonal(dim1=-2, dim2=-1))).abs().max() < 1e-9)


def _permute_pixels(x: Tensor, matrices: Tensor) -> Tensor:
    """The fields ``p -> x(A p)`` for ``x`` ``[b, c, *grid]`` and signed permutation matrices ``[b, d, d]`` of the axes, exactly."""
    d = matrices.shape[-1]
    *_, height, width = sides = x.shape[-d:]
    # Doubled coordinates centred on the grid are odd or even integers, so no rounding occurs.
    lines = [2 * torch.arange(side, device=x.device) - (side - 1) for side in sides]
    axes = torch.meshgrid(*lines, indexing="ij")  # array order: (z,) row, column
    points = torch.stack([axes[-1], -axes[-2], *([axes[0]] if d == 3 else [])], -1).reshape(-1, d)
    source = points @ matrices.to(x.device).mT
    column, row = (source[..., 0] + width - 1) // 2, (height - 1 - source[..., 1]) // 2
    index = row * width + column
    if d == 3:
        index = index + (source[..., 2] + sides[0] - 1) // 2 * height * width
    index = index.clamp(0, math.prod(sides) - 1)  # matters only for elements that do not keep the grid, whose result is not used
    flat = x.flatten(2)
    return flat.gather(2, index.unsqueeze(1).expand_as(flat)).reshape(x.shape)
