"""How far rounding may move what is computed from a cloud: the scale on which "zero", "equal" and "collinear" are decided.

A coordinate of a datum is off by about ``eps`` of the precision it came in, times the longest vector of the datum as it came: rotating and
shifting a molecule ten angstrom from the origin rounds at the scale of ten angstrom, however small the molecule. (The largest coordinate
depends on the pose, and with it what would count as zero.) That number is :attr:`Cloud.noise`; the functions here carry it to lengths,
areas and moments. Nothing is compared with a constant of its own. And where a frame goes over from one choice to another, it does so over a
range far above the noise, by :func:`smooth` shares of what moves with nothing: what rounding may change then is the noise over that range.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def of_coordinates(largest: Float[Tensor, " B"], d: int, dtype: torch.dtype) -> Float[Tensor, " B"]:
    """Of a vector whose coordinates came in ``dtype`` and were turned and shifted in it: ``d`` products, a sum, a shift.

    Args:
        largest: the length of the datum's longest vector.
        d, dtype: of how many coordinates, and in which precision they came.

    >>> of_coordinates(torch.tensor([10.0]), 3, torch.float32)
    tensor([4.7684e-06], dtype=torch.float64)
    """
    return (d + 1) * torch.finfo(dtype).eps * largest.double()


def of_area(a: Float[Tensor, "*b"], b: Float[Tensor, "*b"], noise_a: Tensor, noise_b: Tensor) -> Float[Tensor, "*b"]:
    """Of the area that vectors of lengths ``a`` and ``b`` span; both are off by twice their noise, for their origin is off, too."""
    return 2 * (noise_a * b + noise_b * a + 2 * noise_a * noise_b)


def of_second_moment(
    square: Float[Tensor, " B"], count: Float[Tensor, " B"] | int, noise: Float[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Of the matrix ``sum_i x_i x_i^T`` (by its norm), with ``square = sum_i |x_i|^2`` over ``count`` points."""
    return noise * (2 * (count * square).sqrt() + count * noise)


def likely_of_second_moment(square: Float[Tensor, " B"], noise: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """The same of points that were rounded each by itself, whose errors do not add up: what generic clouds have, in half precision too.

    It still takes every point to be off by its bound, which is several times what one rounding makes on average.
    """
    return 2 * square.sqrt() * noise + noise.square()


def of_third_moment(second: Float[Tensor, "B d"], off: Float[Tensor, "B axes"]) -> Float[Tensor, "B d"]:
    """Of the mean of ``x^3`` along an axis, with the mean square ``second``, where each ``x`` is off by ``off``."""
    return 3 * second * off + off.pow(3)


def smooth(t: Tensor) -> Tensor:
    """From zero to one as ``t`` goes there, without a corner.

    >>> smooth(torch.tensor([-1.0, 0.5, 2.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    t = t.clamp(0, 1)
    return t.square() * (3 - 2 * t)
