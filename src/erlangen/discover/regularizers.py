"""Penalties that keep a learned algebra from being trivial: far from the identity, channels unlike each other."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Regularizer = Literal["cosine", "rel_diff", "norm"]
REGULARIZERS: tuple[str, ...] = get_args(Regularizer)
Decorrelation = Literal["frobenius", "killing"]
DECORRELATIONS: tuple[str, ...] = get_args(Decorrelation)


def triviality(kind: Regularizer, x: Float[Tensor, "*b n"], moved: Float[Tensor, "*b n"], basis: Float[Tensor, "k n n"]) -> Tensor:
    """How near the transformation is to doing nothing; smaller is better.

    ``cosine``: ``|mean cos(x, gx)|`` over samples and tokens; it rewards rotations and is blind to dilations.
    ``rel_diff``: ``-min(mean |gx - x| / |x|, 1)``. ``norm``: ``-min(|L|, n K)``; both see dilations too.
    Source: Yang et al. (2023), arXiv:2302.00236.

    >>> x = torch.tensor([[1.0, 0.0]])
    >>> float(triviality("cosine", x, 3 * x, torch.zeros(1, 2, 2)))
    1.0
    >>> float(triviality("rel_diff", x, 1.5 * x, torch.zeros(1, 2, 2)))
    -0.5
    """
    if kind == "norm":
        return -basis.norm().clamp_max(float(basis.shape[0] * basis.shape[-1]))
    if kind == "rel_diff":
        size = x.norm(dim=-1)
        return -((moved - x).norm(dim=-1) / torch.where(size > 0, size, 1.0)).mean().clamp_max(1)
    return F.cosine_similarity(x, moved, dim=-1).mean().abs()


def correlation(kind: Decorrelation, basis: Float[Tensor, "k n n"]) -> Tensor:
    """How alike the channels are: zero when they are orthogonal in the chosen form.

    ``frobenius``: ``sum_{i<j} |<L_i, L_j>|`` of channels scaled to norm ``sqrt(n)``; ``killing``: ``sum_{i<j}
    |tr(L_i L_j) - tr(L_i) tr(L_j) / n|`` of the same. Give the *masked* channels: hidden entries must not count.

    >>> a = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    >>> round(float(correlation("frobenius", torch.stack([a, -3 * a]))), 5)
    2.0
    """
    n = basis.shape[-1]
    size = basis.flatten(1).norm(dim=1)
    # A channel that is zero stays so. Divided by a tiny number in place of its norm it would have a derivative of 1e12.
    unit = basis * (n**0.5 / torch.where(size > 0, size, 1.0))[:, None, None]
    if kind == "killing":
        trace = unit.diagonal(dim1=-2, dim2=-1).sum(-1)
        inner = torch.einsum("iab,jba->ij", unit, unit) - trace[:, None] * trace / n
    else:
        inner = unit.flatten(1) @ unit.flatten(1).mT
    return inner.triu(1).abs().sum()
