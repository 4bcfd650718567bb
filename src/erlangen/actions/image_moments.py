"""Where the ink of an image lies and how it spreads, and the affine map that undoes both: translations and stretches taken off exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.membership import looks_cheap

#: Ink is not thinner than a pixel, whose own variance along either axis this is.
PIXEL = 1 / 12


class ImageMoments(NamedTuple):
    """Moments of images, in pixels from the grid's centre, x to the right and y upwards.

    Attributes:
        mass: all ink, ``[*batch]``.
        mean: its centre, ``[*batch, 2]``.
        covariance: about its centre, ``[*batch, 2, 2]``; no eigenvalue is below that of a pixel, 1/12.
    """

    mass: Tensor
    mean: Tensor
    covariance: Tensor


def image_moments(x: Float[Tensor, "*batch c h w"]) -> ImageMoments:
    """The moments of images of any number of channels, which count together; differentiable.

    Moved by ``p -> A p + t``, images that are zero outside of their canvas before and after have the mean ``A mean + t`` and the
    covariance ``A C A^T``, up to interpolation. Neither depends on how bright an image is.

    Raises:
        ArgumentError: no images, or (the first of them is named) ones that have no such moments: empty, not finite, or with so much
            negative ink, as that of standardised images, that nothing is left or that what is left has a negative variance.

    >>> x = torch.zeros(1, 5, 5)
    >>> x[0, 0, 3:] = 1.0                       # to the right of the centre, in the topmost row
    >>> image_moments(x).mean
    tensor([1.5000, 2.0000])
    """
    if not isinstance(x, Tensor) or x.ndim < 3 or not x.is_floating_point():
        got = f"shape {tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ArgumentError("x", "floating-point images [*batch, channels, height, width]", got)
    ink = x.to(torch.promote_types(x.dtype, torch.float32))
    peak = brightness(ink).detach()
    ink = (ink / peak).sum(-3)
    height, width = ink.shape[-2:]
    rows = 0.5 * (height - 1) - torch.arange(height, dtype=ink.dtype, device=ink.device)
    columns = torch.arange(width, dtype=ink.dtype, device=ink.device) - 0.5 * (width - 1)
    by_row, by_column = ink.sum(-1), ink.sum(-2)
    mass = by_row.sum(-1)
    mean_x, mean_y = by_column @ columns / mass, by_row @ rows / mass
    dx, dy = columns - mean_x.unsqueeze(-1), rows - mean_y.unsqueeze(-1)
    xx, yy = ((d.square() * by).sum(-1) / mass for d, by in ((dx, by_column), (dy, by_row)))
    xy = torch.einsum("...h,...hw,...w->...", dy, ink, dx) / mass
    smaller = _smaller(xx, yy, xy)
    if looks_cheap(mass):
        # Rounding aside, all of these hold for ink that is nowhere negative.
        usual = (mass > 1e-5 * ink.abs().sum((-2, -1))) & (smaller > -PIXEL - 1e-3 * (xx + yy).abs())
        if not bool(usual.all()):
            at = (~usual).nonzero()[0].tolist()
            raise ArgumentError(
                "x",
                "finite images with positive ink on an empty background",
                f"none at {at}; {int((~usual).sum())} of {mass.numel()}",
            )
    lacking = (PIXEL - smaller).clamp_min(0.0)
    covariance = torch.stack([xx + lacking, xy, xy, yy + lacking], -1).unflatten(-1, (2, 2))
    return ImageMoments(mass * peak.flatten(-3).squeeze(-1), torch.stack([mean_x, mean_y], -1), covariance)


def brightness(x: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch 1 1 1"]:
    """The largest absolute value of each image, one of empty ones: divided by it, images can be squared and summed in any precision.

    >>> brightness(torch.tensor([[[[0.0, -4.0]]], [[[0.0, 0.0]]]])).flatten().tolist()
    [4.0, 1.0]
    """
    peak = x.abs().flatten(-3).amax(-1) if x.shape[-3:].numel() else x.new_zeros(x.shape[:-3])
    return torch.where(peak > 0, peak, 1.0)[..., None, None, None]


def moment_pose(x: Float[Tensor, "*batch c h w"], group: Group, size: float) -> Float[Tensor, "*batch m m"]:
    """The elements ``g`` of a group of the plane that move images of standard moments to these: the canonical form is ``p -> f(g p)``.

    ``g`` is the translation to the centre, where the group translates, and the symmetric root of the covariance over ``size``: the
    canonical covariance is ``size^2``, in every direction; of SL(2) its own area; of SO(2) it is what it was. An affine map ``a`` with
    linear part ``A`` turns ``C^(1/2)`` into ``A C^(1/2) R`` with a rotation ``R``, so that canonical forms agree up to rotations about the
    centre: the factors of the group that are not compact are taken off.

    Args:
        x: images on an empty background.
        group: see :func:`planar_linear_part`.
        size: the canonical deviation, in pixels.

    Raises:
        ArgumentError: as :func:`image_moments` and :func:`planar_linear_part`, or ``size`` is not positive.

    >>> from erlangen.groups import Affine
    >>> x = torch.zeros(1, 1, 21, 21)
    >>> x[..., 4:9, 2:19] = 1.0
    >>> moment_pose(x, Affine(2), 3.0)[0].round(decimals=3)
    tensor([[1.6330, 0.0000, 0.0000],
            [0.0000, 0.4710, 4.0000],
            [0.0000, 0.0000, 1.0000]])
    """
    if not size > 0:
        raise ArgumentError("size", "a positive deviation in pixels", repr(size))
    return pose_of_kind(x, planar_linear_part(group), group.translates, size)


def pose_of_kind(x: Float[Tensor, "*batch c h w"], kind: str, translates: bool, size: float) -> Float[Tensor, "*batch m m"]:
    """:func:`moment_pose` of a group that was looked at before: the kind of its linear part, and whether it translates."""
    _, mean, covariance = image_moments(x)
    if kind == "SO":
        linear = torch.eye(2).to(covariance).expand_as(covariance)
    else:
        det = torch.linalg.det(covariance)
        root = det.sqrt()
        linear = covariance + root[..., None, None] * torch.eye(2).to(covariance)
        linear = linear / (covariance.diagonal(dim1=-2, dim2=-1).sum(-1) + 2 * root).sqrt()[..., None, None]
        linear = linear / (size if kind == "GL" else root.sqrt()[..., None, None])
    if not translates:
        return linear
    last = torch.tensor([0.0, 0.0, 1.0]).to(linear).expand(*linear.shape[:-2], 1, 3)
    return torch.cat([torch.cat([linear, mean.unsqueeze(-1)], -1), last], -2)


def planar_linear_part(group: Group) -> str:
    """Which linear maps of the plane a group has, with or without translations: ``"GL"``, ``"SL"`` or ``"SO"``.

    Raises:
        ArgumentError: it is not GL+(2), SL(2) or SO(2), nor one of these with all translations.

    >>> from erlangen.groups import Affine
    >>> planar_linear_part(Affine(2))
    'GL'
    """
    from erlangen.groups import SL, SO, GLplus

    linear = group.linear_part if isinstance(group, Group) and group.translates else group
    for name, known in (("GL", GLplus(2)), ("SL", SL(2)), ("SO", SO(2))):
        if linear == known:
            return name
    raise ArgumentError("group", "GL+(2), SL(2) or SO(2), or one of them with translations, as Affine(2) and SE(2)", repr(group))


def _smaller(xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """The smaller eigenvalue of covariances; its derivative is taken as zero where both are equal."""
    square = 0.25 * (xx - yy).square() + xy.square()
    split = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    return 0.5 * (xx + yy) - split
