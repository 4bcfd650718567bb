"""Uniform (Haar) random rotations and orthogonal matrices.

Random numbers are drawn on the device of the generator and moved to the asked one, so that a seed means the same
everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def normal(
    shape: tuple[int, ...], generator: torch.Generator | None, dtype: torch.dtype | None, device: torch.device | None
) -> Tensor:
    """Standard normal numbers."""
    source = device if generator is None else generator.device
    return torch.randn(shape, generator=generator, dtype=dtype, device=source).to(device)


def uniform(
    shape: tuple[int, ...], generator: torch.Generator | None, dtype: torch.dtype | None, device: torch.device | None
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    source = device if generator is None else generator.device
    return torch.rand(shape, generator=generator, dtype=dtype, device=source).to(device)


def drawn_in_single(sample: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A sampler that draws in float32 where half precision is asked for, and then rounds: what it takes (QR, determinants, exponentials)
    is not made in half precision, or overflows there."""

    @wraps(sample)
    def draw(self: Any, *batch: int, generator=None, dtype=None, device=None, scale: float = 1.0) -> Tensor:
        dtype = dtype or torch.get_default_dtype()
        wide = torch.promote_types(dtype, torch.float32)
        return sample(self, *batch, generator=generator, dtype=wide, device=device, scale=scale).to(dtype)

    return draw


def haar_so(
    n: int,
    batch: tuple[int, ...],
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Uniform rotations of ``R^n``, ``[*batch, n, n]``: from an angle, a unit quaternion, or (n > 3) by QR.

    >>> haar_so(3, (5,), torch.Generator().manual_seed(0)).shape
    torch.Size([5, 3, 3])
    """
    if n == 1:
        return torch.ones(*batch, 1, 1, dtype=dtype, device=device)
    if n == 2:
        return planar_rotation(2 * math.pi * uniform(batch, generator, dtype, device))
    if n == 3:
        # K. Shoemake, "Uniform random rotations", Graphics Gems III (1992): uniform unit quaternions.
        share, alpha, beta = uniform((3, *batch), generator, dtype, device)
        alpha, beta = 2 * math.pi * alpha, 2 * math.pi * beta
        small, large = share.sqrt(), (1 - share).sqrt()
        return _rotation(large * alpha.cos(), large * alpha.sin(), small * beta.cos(), small * beta.sin())
    q = haar_o(n, batch, generator, dtype, device)
    return torch.cat([q[..., :1] * torch.linalg.det(q)[..., None, None].sign(), q[..., 1:]], -1)


def haar_o(
    n: int,
    batch: tuple[int, ...],
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Uniform orthogonal matrices ``[*batch, n, n]``; the determinant is a fair coin.

    Source: F. Mezzadri, "How to generate random matrices from the classical compact groups", Notices AMS 54 (2007),
    math-ph/0609050.
    """
    if n <= 3:
        g = haar_so(n, batch, generator, dtype, device)
        flip = 1 - 2 * torch.round(uniform(batch, generator, g.dtype, device))
        return torch.cat([g[..., :1] * flip[..., None, None], g[..., 1:]], -1)
    q, r = torch.linalg.qr(normal((*batch, n, n), generator, dtype, device))
    # QR is unique, and so equivariant under left multiplication, only with a positive diagonal of R.
    return q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1, 1).unsqueeze(-2)


def planar_rotation(angle: Tensor) -> Tensor:
    """Rotations ``[*batch, 2, 2]`` by angles ``[*batch]`` in radians."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2))


def quaternion_to_rotation(q: Tensor) -> Tensor:
    """Rotations ``[*batch, 3, 3]`` of quaternions ``(w, x, y, z)`` of any non-zero length, ``[*batch, 4]``.

    >>> quaternion_to_rotation(torch.tensor([1.0, 0.0, 0.0, 0.0])).equal(torch.eye(3))
    True
    """
    return _rotation(*q.unbind(-1))


def _rotation(w: Tensor, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    # Components as separate contiguous tensors: several times faster than products of matrices of monomials.
    double = 2 / (w * w + x * x + y * y + z * z)
    dx, dy, dz = x * double, y * double, z * double
    wx, wy, wz = w * dx, w * dy, w * dz
    xx, xy, xz, yy, yz, zz = x * dx, x * dy, x * dz, y * dy, y * dz, z * dz
    entries = [1 - (yy + zz), xy - wz, xz + wy, xy + wz, 1 - (xx + zz), yz - wx, xz - wy, yz + wx, 1 - (xx + yy)]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))
