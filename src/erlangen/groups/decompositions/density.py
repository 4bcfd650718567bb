"""Jacobians of the decompositions, in logarithms: what the product of the factors' measures is multiplied by to be invariant.

The invariant measure is the same for all decompositions of a group: on ``P = exp X`` that of plain coordinates of ``X`` in the inner
product ``tr X^T Y``, times ``J(X)``; on the compact subgroup the uniform probability. Source: S. Helgason, "Groups and Geometric
Analysis" (1984), chapter I.5.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

#: ``sinh(ad X) / ad X`` and ``cosh(ad X)`` are series at ad X / 2^HALVINGS, doubled this often.
HALVINGS = 6
SERIES = 9


def log_polar_jacobian(x: Float[Tensor, "*batch n n"], stretches: Float[Tensor, "d n n"]) -> Float[Tensor, "*batch"]:
    """``log det(sinh(ad X) / ad X on p)`` of symmetric ``X``: smooth, also where roots vanish.

    By the product ``sinh z / z = cosh(z/2) cosh(z/4) .. sinh(z') / z'``, whose factors are determined one by one, so that no digit is lost
    between large and small ones.

    Args:
        x: elements of p.
        stretches: an orthonormal basis of p.

    >>> from erlangen.groups import SL
    >>> x = torch.diag(torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64))
    >>> round(float(log_polar_jacobian(x, SL(3).decomposition("polar").basis).exp()), 6)
    2.504525
    """
    d = len(stretches)
    if d < 2:  # abelian
        return x.new_zeros(x.shape[:-2])
    if x.dtype != torch.float64:
        return log_polar_jacobian(x.double(), stretches).to(x.dtype)
    basis = stretches.to(x)
    brackets = (x.unsqueeze(-3) @ basis - basis @ x.unsqueeze(-3)).flatten(-2)
    square = brackets @ brackets.mT / 4.0**HALVINGS  # (ad X)^2 on p
    one = torch.eye(d).to(x)
    cosh, sinhc = one.expand_as(square), one.expand_as(square)
    term = one
    for k in range(1, SERIES):
        term = term @ square / ((2 * k - 1) * (2 * k))
        cosh, sinhc = cosh + term, sinhc + term / (2 * k + 1)
    factors = [sinhc]
    for _ in range(HALVINGS):
        factors.append(cosh)
        cosh = 2 * cosh @ cosh - one
    return 2 * torch.linalg.cholesky_ex(torch.stack(factors)).L.diagonal(dim1=-2, dim2=-1).log().sum((0, -1))


def log_sinhc(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``log(sinh z / z)`` of ``z^2``, smooth at zero.

    >>> round(float(log_sinhc(torch.tensor(1.0, dtype=torch.float64)).exp()), 6)
    1.175201
    """
    small = square < 0.25
    low = torch.where(small, square, 0.0)
    series = torch.ones_like(low)
    for k in range(SERIES, 0, -1):
        series = 1 + series * low / ((2 * k) * (2 * k + 1))
    z = torch.where(small, 1.0, square).sqrt()
    return torch.where(small, series.log(), z + torch.log(-torch.expm1(-2 * z) / (2 * z)))


def log_weyl_constant(rank: int, roots: Float[Tensor, "r rank"], multiplicities: Tensor, stretches: int, is_linear: bool) -> float:
    """The logarithm of ``c`` in ``int_p f(X) dX = c int_a int_K f(k H k^-1) prod |alpha(H)|^m dk dH``, over all of a.

    From the integral of ``exp(-|X|^2 / 2)``, whose right side is Mehta's (type A) or Selberg's (types B, C, D). Source: P. Forrester and
    S. Warnaar, "The importance of the Selberg integral", Bull. AMS 45 (2008).
    """
    if not rank:
        return 0.0
    lgamma = math.lgamma
    normal = 0.5 * stretches * math.log(2 * math.pi)
    if is_linear:
        n = round((1 + math.sqrt(1 + 8 * len(roots))) / 2)
        mehta = 0.5 * rank * math.log(2 * math.pi)
        mehta += sum(lgamma(1 + 0.5 * j) - lgamma(1.5) for j in range(1, n + 1))
        return normal - mehta
    short = [i for i, root in enumerate(roots.tolist()) if sum(1 for a in root if a) == 1]
    # prod |y_i|^(2 delta) prod |y_i^2 - y_j^2|, each root a multiple of y_i or y_i +- y_j
    delta = 0.5 * float(multiplicities[short[0]]) if short else 0.0
    scale = float((multiplicities * roots.abs().amax(1).log()).sum())
    selberg = (0.5 * rank + 0.5 * rank * (rank - 1) + delta * rank) * math.log(2)
    selberg += sum(lgamma(0.5 + delta + 0.5 * j) + lgamma(1.5 + 0.5 * j) - lgamma(1.5) for j in range(rank))
    return normal - selberg - scale
