"""The losses that make features invariant: functions of two views' outputs, of the batch alone.

Every one takes two tensors ``[batch, features]``, row ``i`` of both from the same sample, and returns a scalar. Meanings agree with
those of the package ``lightly``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from erlangen.errors import ArgumentError


def info_nce(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], temperature: float = 0.5) -> Tensor:
    """Find each row's partner among the other view's ``n`` rows: cross-entropy of cosines over ``temperature``, both ways.

    Each row has ``n - 1`` negatives; :func:`nt_xent` has ``2 n - 2``.

    Raises:
        ArgumentError: shapes differ, fewer than two rows, or a temperature that is not positive.

    Source: Dangovski et al. 2022, arXiv:2111.00899, after van den Oord, Li & Vinyals 2018, arXiv:1807.03748.

    >>> eye = torch.eye(4)
    >>> round(float(info_nce(eye, eye, temperature=1.0)), 4)    # log(1 + 3 / e)
    0.7437
    """
    _check(a, b, temperature)
    logits = _directions(a) @ _directions(b).mT / temperature
    partner = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(logits, partner) + F.cross_entropy(logits.mT, partner)) / 2


def nt_xent(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], temperature: float = 0.1) -> Tensor:
    """Find each row's partner among all ``2 n - 1`` other rows of both views.

    Raises:
        ArgumentError: as :func:`info_nce`.

    Source: Chen, Kornblith, Norouzi & Hinton 2020, arXiv:2002.05709.

    >>> eye = torch.eye(4)
    >>> round(float(nt_xent(eye, eye, temperature=1.0)), 4)     # log(1 + 6 / e)
    1.1654
    """
    _check(a, b, temperature)
    z = _directions(torch.cat([a, b]))
    logits = (z @ z.mT / temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(2 * len(a), device=a.device).roll(len(a)))


def simsiam_loss(p1: Float[Tensor, "n d"], z1: Float[Tensor, "n d"], p2: Float[Tensor, "n d"], z2: Float[Tensor, "n d"]) -> Tensor:
    """Minus the mean cosine between each view's prediction ``p`` and the other view's projection ``z``, whose gradient is stopped.

    Raises:
        ArgumentError: shapes differ.

    Source: Chen & He 2021, arXiv:2011.10566.

    >>> z = torch.randn(4, 3)
    >>> round(float(simsiam_loss(z, z, z, z)), 5)
    -1.0
    """
    for p, z in ((p1, z2), (p2, z1)):
        _check(p, z, rows=1)
    one, two = ((_directions(p) * _directions(z.detach())).sum(1).mean() for p, z in ((p1, z2), (p2, z1)))
    return -(one + two) / 2


def barlow_twins_loss(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], off_diagonal: float = 0.0051) -> Tensor:
    """``sum_i (1 - C_ii)^2 + off_diagonal * sum_{i != j} C_ij^2`` for the cross-correlation ``C`` of the two views.

    Columns are standardised over the batch, by the deviation with divisor ``n``, so that a column has correlation 1 with itself.

    Raises:
        ArgumentError: shapes differ, fewer than two rows, or a negative weight.

    Source: Zbontar, Jing, Misra, LeCun & Deny 2021, arXiv:2103.03230.

    >>> white = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(float(barlow_twins_loss(white, white)), 6)
    0.0
    """
    _check(a, b)
    if off_diagonal < 0:
        raise ArgumentError("off_diagonal", "a weight of zero or more", repr(off_diagonal))
    one, two = _standardised(a), _standardised(b)
    correlation = one.mT @ two / len(a)
    diagonal = correlation.diagonal()
    off = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + off_diagonal * off


def _directions(z: Tensor) -> Tensor:
    """Rows of length 1. One that is zero beside the others has no direction: it stays zero, and so does its gradient."""
    length = z.norm(dim=1, keepdim=True)
    live = length > torch.finfo(z.dtype).eps * length.max()
    return z / torch.where(live, length, torch.inf)


def _standardised(z: Tensor) -> Tensor:
    """Columns of mean 0 and deviation 1. One that is constant to rounding is correlated with nothing: zeros, and no gradient."""
    z = z.float() if z.dtype in (torch.float16, torch.bfloat16) else z
    centred = z - z.mean(0)
    deviation = centred.norm(dim=0) / len(z) ** 0.5
    live = deviation > 8 * torch.finfo(z.dtype).eps * z.abs().amax(0)
    return centred / torch.where(live, deviation, torch.inf)


def _check(a: Tensor, b: Tensor, temperature: float = 1.0, rows: int = 2) -> None:
    if a.ndim != 2 or a.shape != b.shape:
        raise ArgumentError("b", "two views [n, d] of the same samples", f"shapes {tuple(a.shape)} and {tuple(b.shape)}")
    if len(a) < rows:
        raise ArgumentError("a", f"a batch of at least {rows} samples", len(a))
    if not temperature > 0:
        raise ArgumentError("temperature", "a positive number", repr(temperature))
