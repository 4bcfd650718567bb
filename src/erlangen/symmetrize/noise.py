"""How far rounding may move what is computed from a cloud: the scale on which "zero", "equal" and "collinear" are decided.

A coordinate of a datum is off by about ``eps`` of the precision it came in, times the longest vector of the datum as it came: rotating and
shifting a molecule ten angstrom from the origin rounds at the scale of ten angstrom, however small the molecule. (The largest coordinate
depends on the pose, and with it what would count as zero.) That number is :attr:`Cloud.noise`, of :func:`rounding_of_points`; the functions
here carry it on. Nothing is compared with a constant of its own. And where a frame goes over from one choice to another, it does so over a
range far above the noise, by :func:`smooth` shares of what moves with nothing: what rounding may change then is the noise over that range.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def of_area(a: Float[Tensor, "*b"], b: Float[Tensor, "*b"], noise_a: Tensor, noise_b: Tensor) -> Float[Tensor, "*b"]:
    """Of the area that vectors of lengths ``a`` and ``b`` span; both are off by twice their noise, for their origin is off, too."""
    return 2 * (noise_a * b + noise_b * a + 2 * noise_a * noise_b)


def of_third_moment(second: Float[Tensor, "B d"], off: Float[Tensor, "B axes"]) -> Float[Tensor, "B d"]:
    """Of the mean of ``x^3`` along an axis, with the mean square ``second``, where each ``x`` is off by ``off``."""
    return 3 * second * off + off.pow(3)


def smooth(t: Tensor) -> Tensor:
    """From zero to one as ``t`` goes there, without a corner.

    >>> import torch
    >>> smooth(torch.tensor([-1.0, 0.5, 2.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    t = t.clamp(0, 1)
    return t.square() * (3 - 2 * t)
