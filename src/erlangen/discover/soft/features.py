"""Tensor powers of a sample's vectors, and the same divided by powers of its size: features whose types every group can move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.reps import Rep
from erlangen.reps.layout import SCALAR, Layout, TensorType


class Features(NamedTuple):
    """Features ``[N, layout.dim]``, the constant one last; ``degree`` is that of the highest tensor power, ``mixed`` says that not all
    vectors were multiplied with each other."""

    x: Tensor
    layout: Layout
    degree: int
    mixed: bool


def tensor_features(
    tokens: Float[Tensor, "N T d"], vector_target: bool, lengths: bool, limit: int, degree: int = 3, seed: int = 0
) -> Features:
    """All products of up to ``degree`` of a sample's vectors, as tensors, each type scaled to mean square one.

    Args:
        tokens: the vectors.
        vector_target: whether vectors are to be predicted; decides the degree of homogeneous features.
        lengths: add the same tensors divided by the power of the sample's root-mean-square size that makes their degree that of the
            target (0, of vectors 1). They transform as they should under rotations, reflections and scalings, not under other maps.
        limit: of the number of products. Where they would be more, the degree is lowered, down to 2; then only fewer random sums of vectors
            are multiplied with each other, which every group moves alike, and powers of the vectors are summed.
        seed: of the random sums.
    """
    count, d = tokens.shape[1:]
    power, kept = _fitting(degree, count, d, lengths, limit)
    mixed = kept < count
    size = tokens.square().mean((1, 2)).sqrt().clamp_min(torch.finfo(tokens.dtype).tiny ** 0.25)[:, None]
    products = _powers(tokens, power) if not mixed else _pooled(tokens, power, kept, limit, seed)
    wanted = int(vector_target)
    pieces: list[Tensor] = []
    parts: list[tuple[TensorType, int]] = []
    for p, values in products:
        for weight in (0, p - wanted) if lengths and p != wanted else (0,):
            pieces.append(_unit(values / size**weight))
            parts.append((TensorType(p, weight=weight), values.shape[1] // d**p))
    if lengths and vector_target:
        pieces.append(_unit(size))
        parts.append((TensorType(weight=-1), 1))
    pieces.append(torch.ones_like(size))
    parts.append((SCALAR, 1))
    return Features(torch.cat(pieces, 1), Layout(d, parts), power, mixed)


def _fitting(degree: int, count: int, d: int, lengths: bool, limit: int) -> tuple[int, int]:
    """The highest degree, and the number of vectors, whose products are at most ``limit``."""
    for kept in range(count, 0, -1):
        for power in range(degree, min(degree, 2) - 1, -1):
            if _size(power, kept, d, lengths) <= limit:
                return power, kept
    return 1, max(1, min(count, limit // (2 * d + 2)))


def _pooled(tokens: Tensor, degree: int, kept: int, limit: int, seed: int) -> Iterator[tuple[int, Tensor]]:
    """For too many vectors: themselves, sums of their powers, and products of a few random sums of them."""
    count, d = tokens.shape[1:]
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.linalg.qr(torch.randn(count, kept, generator=rng, dtype=torch.float64)).Q
    sums = torch.einsum("ntd,tk->nkd", tokens, mixing.to(tokens))
    for p, products in _powers(sums, degree):
        if p > 1:
            pooled = torch.stack([dict(_powers(t.unsqueeze(1), p))[p] for t in tokens.unbind(1)]).sum(0)
            yield p, torch.cat([products, pooled], 1)
        else:
            yield p, tokens.flatten(1) if count * d <= limit else products


def conformal(vectors: Iterable[Rep]) -> bool:
    """Whether all these groups keep angles, so that a vector's length changes by the scaling alone."""
    for vector in vectors:
        group, eye = vector.group, torch.eye(vector.dim, dtype=torch.float64)
        tangents, generators = group.tangents(torch.float64), group.generators
        moved = [] if tangents is None else [a + a.mT for a in vector.algebra(tangents)]
        moved += [] if generators is None else [g @ g.mT for g in vector.matrix(generators).to(torch.float64)]
        if any((m - m.diagonal().mean() * eye).abs().max() > 1e-9 * m.abs().max().clamp_min(1) for m in moved):
            return False
    return True


def _size(degree: int, count: int, d: int, lengths: bool) -> int:
    numbers = sum(math.comb(count + p - 1, p) * d**p for p in range(1, degree + 1))
    return 1 + numbers * (2 if lengths else 1)


def _powers(tokens: Tensor, degree: int) -> Iterator[tuple[int, Tensor]]:
    """For each power, the products of vectors with indices in order, ``[N, copies * d^p]``."""
    count = tokens.shape[1]
    known: dict[tuple[int, ...], Tensor] = {(i,): tokens[:, i] for i in range(count)}
    for p in range(1, degree + 1):
        indices = list(combinations_with_replacement(range(count), p))
        for index in indices:
            if p > 1:
                known[index] = (known[index[:-1]].unsqueeze(-1) * tokens[:, index[-1]].unsqueeze(1)).flatten(1)
        yield p, torch.cat([known[index] for index in indices], 1)


def _unit(x: Tensor) -> Tensor:
    """One scale for all numbers: one for each would break the symmetry."""
    return x / x.square().mean().sqrt().clamp_min(torch.finfo(x.dtype).tiny ** 0.5)
