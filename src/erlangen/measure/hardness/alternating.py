"""The hard function of two variables: an alternating sum of rectified half-planes, and its exact inner products under Gaussian inputs."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


def check_frequency(k: int) -> None:
    """Raise ArgumentError unless ``k`` is 1 or even: for every other odd ``k`` the sum vanishes identically."""
    if not isinstance(k, int) or isinstance(k, bool) or k < 1 or (k > 1 and k % 2):
        raise ArgumentError(
            "k", "1 or an even positive integer", repr(k), "for odd k above 1 the alternating sum is the zero function"
        )


def directions(k: int, dtype: torch.dtype = torch.float64) -> Float[Tensor, "2k 2"]:
    """The ``2 k`` unit vectors at the angles ``pi i / k``, ``i = 1 .. 2 k``."""
    angles = torch.arange(1, 2 * k + 1, dtype=torch.float64) * (math.pi / k)
    return torch.stack([angles.cos(), angles.sin()], -1).to(dtype)


def signs(count: int, dtype: torch.dtype = torch.float64) -> Float[Tensor, " count"]:
    """``(-1)^i`` for ``i = 1 .. count``."""
    return 1.0 - 2.0 * (torch.arange(1, count + 1) % 2).to(dtype)


def alternating(z: Float[Tensor, "*batch 2"], k: int) -> Float[Tensor, "*batch"]:
    """``phi_k(z) = sum over i = 1 .. 2k of (-1)^i relu(z_1 cos(pi i / k) + z_2 sin(pi i / k))``.

    On the circle it has the angular frequencies ``k, 3k, 5k, ...`` alone, so under a rotation-invariant law it is orthogonal to every
    polynomial of degree below ``k`` (Diakonikolas, Kane, Kontonis & Zarifis 2020, arXiv:2006.12476).

    Opposite directions have the same sign for even ``k``, and opposite ones for ``k = 1``; so half of them are enough, with ``|t|`` or
    ``t`` instead of ``relu(t)``.

    Raises:
        ArgumentError: ``k`` is odd and above 1.

    >>> alternating(torch.tensor([0.3, -2.0]), 1)
    tensor(0.3000)
    """
    check_frequency(k)
    half = directions(k, z.dtype)[:k].to(z.device)
    t = z @ half.mT
    return (t if k == 1 else t.abs()) @ signs(k, z.dtype).to(z.device)


def amplitude(m: int, k: int) -> float:
    """The size of ``phi_k``'s angular frequency ``m`` (a multiple ``k, 3k, ...``), such that ``E phi_k^2 = sum of amplitude^2``.

    >>> amplitude(1, 1)
    1.0
    """
    if k == 1:
        return 1.0 if m == 1 else 0.0
    return 4 * k * (-1) ** (m // 2 + 1) / (math.pi * (m * m - 1)) if m % (2 * k) == k else 0.0


def squared_norm(k: int) -> float:
    """``E phi_k(z)^2`` for standard Gaussian ``z``, by the arc-cosine kernel.

    >>> [round(squared_norm(k), 8) for k in (1, 2, 4, 6, 8)]
    [1.0, 0.72676046, 0.1167867, 0.04830625, 0.02651376]
    """
    check_frequency(k)
    return float(inner_product(torch.eye(2, dtype=torch.float64), k))


def squared_norm_by_series(k: int, terms: int = 20_000) -> float:
    """The same number as the sum of squared amplitudes, an independent way to it.

    >>> abs(squared_norm_by_series(6) - squared_norm(6)) < 1e-12
    True
    """
    check_frequency(k)
    return math.fsum(amplitude(k * j, k) ** 2 for j in range(1, 2 * terms, 2))


def inner_product(m: Float[Tensor, "*batch 2 2"], k: int) -> Float[Tensor, "*batch"]:
    """``E phi_k(u) phi_k(w)`` for standard Gaussian ``u, w`` in the plane with ``E u w^T = m``, a contraction.

    From ``E relu(s) relu(t) = (sqrt(1 - c^2) + (pi - arccos c) c) / (2 pi)`` for unit variances and covariance ``c`` (Cho & Saul 2009).
    Together, opposite directions give ``(sqrt(1 - c^2) + c arcsin c) / pi``, so ``k^2`` terms do the work of ``4 k^2``. It is at most
    ``|m|_op^k`` times the squared norm.

    >>> float(inner_product(0.5 * torch.eye(2, dtype=torch.float64), 4)) / squared_norm(4) < 0.5**4
    True
    """
    check_frequency(k)
    if k == 1:
        return m[..., 0, 0]
    half, sign = directions(k, m.dtype)[:k].to(m.device), signs(k, m.dtype).to(m.device)
    products = torch.einsum("ia,jb->abij", half, half).reshape(4, k * k)
    c = (m.reshape(-1, 4) @ products).clamp_(-1, 1)
    even = torch.addcmul((1 - c * c).sqrt_(), c, c.asin())
    return (even @ (sign[:, None] * sign).flatten()).mul_(2 / math.pi).reshape(m.shape[:-2])


def random_planes(count: int, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "count 2 n"]:
    """Uniform planes of ``R^n``, each as two orthonormal rows.

    >>> a = random_planes(1, 5)[0]
    >>> torch.allclose(a @ a.mT, torch.eye(2, dtype=torch.float64))
    True
    """
    q, r = torch.linalg.qr(torch.randn(count, n, 2, generator=generator, dtype=torch.float64))
    return (q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)).mT.contiguous()
