"""Representations made of others: direct sum, tensor product, dual. Each acts without forming its large matrix."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from itertools import groupby

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.reps.base import Rep, in_type_of, multiply


class DirectSum(Rep):
    """``V_1 + ... + V_m``: the last axis is the parts' axes, one after another."""

    def __init__(self, parts: tuple[Rep, ...]) -> None:
        super().__init__(parts[0].group)
        self.parts = parts
        self.dim = sum(p.dim for p in parts)
        self.is_orthogonal = all(p.is_orthogonal for p in parts)
        runs = [(rep, len(list(run))) for rep, run in groupby(parts)]
        self.symbol = _written([(rep.symbol, count) for rep, count in runs])
        #: Equal neighbours once, and how many there are.
        self.runs = runs

    def equality_key(self) -> Hashable:
        return tuple(self.runs)

    def matrix(self, g: Element) -> Tensor:
        return _block_diagonal([p.matrix(g) for p in self.parts])

    def apply(self, g: Element, x: Tensor) -> Tensor:
        moved, start = [], 0
        for rep, count in self.runs:
            # Equal neighbours are more spectators of one representation.
            piece = x[..., start : start + count * rep.dim]
            start += count * rep.dim
            y = rep.apply(g, piece.reshape(*x.shape[:-2], x.shape[-2] * count, rep.dim))
            moved.append(y.reshape(*y.shape[:-2], x.shape[-2], count * rep.dim))
        return torch.cat(moved, -1)

    def algebra(self, a: Element) -> Tensor:
        return _block_diagonal([p.algebra(a) for p in self.parts])

    @property
    def dual(self) -> Rep:
        return self if self.is_orthogonal else direct_sum(*[p.dual for p in self.parts])


class TensorProduct(Rep):
    """``V_1 @ ... @ V_m``: the last axis is the row-major flattening of axes ``dim_1, ..., dim_m``."""

    def __init__(self, parts: tuple[Rep, ...]) -> None:
        super().__init__(parts[0].group)
        self.parts = parts
        self.dim = math.prod(p.dim for p in parts)
        self.is_orthogonal = all(p.is_orthogonal for p in parts)
        self.symbol = "⊗".join(map(_bracketed, parts))

    def equality_key(self) -> Hashable:
        return self.parts

    def matrix(self, g: Element) -> Tensor:
        result = self.parts[0].matrix(g)
        for p in self.parts[1:]:
            result = _kronecker(result, p.matrix(g))
        return result

    def apply(self, g: Element, x: Tensor) -> Tensor:
        # One tensor axis at a time, the others being spectators: sum_i dim_i products per entry instead of dim_1 ... dim_m.
        start = x.ndim - 2
        y = x.unflatten(-1, [p.dim for p in self.parts])
        for p in self.parts:
            y = y.movedim(start + 1, -1)  # after all parts the order is as before
            y = p.apply(g, y.flatten(start, -2)).unflatten(start, y.shape[start:-1])
        return y.flatten(start + 1)

    def algebra(self, a: Element) -> Tensor:
        total: Tensor | None = None
        for i, p in enumerate(self.parts):
            d = p.algebra(a)
            before, after = math.prod(q.dim for q in self.parts[:i]), math.prod(q.dim for q in self.parts[i + 1 :])
            eye = {n: torch.eye(n, dtype=d.dtype, device=d.device) for n in (before, after)}
            term = _kronecker(_kronecker(eye[before], d), eye[after])
            total = term if total is None else total + term
        assert total is not None
        return total

    @property
    def dual(self) -> Rep:
        return self if self.is_orthogonal else tensor_product(*[p.dual for p in self.parts])


class Dual(Rep):
    """Linear forms on ``V``: ``rho(g^-1)^T``."""

    def __init__(self, rep: Rep) -> None:
        super().__init__(rep.group)
        self.rep, self.dim = rep, rep.dim
        self.symbol = f"{_bracketed(rep)}*"

    def equality_key(self) -> Hashable:
        return (self.rep,)

    def matrix(self, g: Element) -> Tensor:
        return self.rep.matrix(self.group.inverse(g)).mT

    def apply(self, g: Element, x: Tensor) -> Tensor:
        return multiply(in_type_of(x, self.rep.matrix(self.group.inverse(g)).mT), x)

    def algebra(self, a: Element) -> Tensor:
        return -self.rep.algebra(a).mT

    @property
    def dual(self) -> Rep:
        return self.rep


def direct_sum(*reps: Rep) -> Rep:
    """The direct sum; nested sums are flattened."""
    parts = tuple(q for p in reps for q in (p.parts if isinstance(p, DirectSum) else (p,)))
    _same_group(parts)
    return parts[0] if len(parts) == 1 else DirectSum(parts)


def tensor_product(*reps: Rep) -> Rep:
    """The tensor product; nested products are flattened and trivial factors dropped."""
    parts = tuple(q for p in reps for q in (p.parts if isinstance(p, TensorProduct) else (p,)))
    _same_group(parts)
    from erlangen.reps.basic import Trivial

    kept = tuple(p for p in parts if not isinstance(p, Trivial)) or parts[:1]
    return kept[0] if len(kept) == 1 else TensorProduct(kept)


def multiple(rep: Rep, count: int) -> Rep:
    """``count`` copies of ``rep`` side by side."""
    if not isinstance(count, int) or count < 1:
        raise ArgumentError("count", "a positive number of copies", repr(count))
    return direct_sum(*[rep] * count)


def _same_group(parts: tuple[Rep, ...]) -> None:
    for p in parts:
        if not isinstance(p, Rep):
            raise ArgumentError("other", "a representation", type(p).__name__)
        if p.group != parts[0].group:
            raise ArgumentError(
                "other", f"a representation of {parts[0].group}", f"one of {p.group}", "restrict one of them to a common group"
            )


def _bracketed(rep: Rep) -> str:
    return f"({rep.symbol})" if isinstance(rep, DirectSum | TensorProduct) else rep.symbol


def _written(runs: list[tuple[str, int]]) -> str:
    """A sum: ``2·V + V⊗V``; one of irreducible parts with a degree and a parity as e3nn writes it, ``32x0e+1x1o``."""
    if all(re.fullmatch(r"\d+[eo]", symbol) for symbol, _ in runs):
        return "+".join(f"{count}x{symbol}" for symbol, count in runs)
    return " + ".join(symbol if count == 1 else f"{count}·{symbol}" for symbol, count in runs)


def _block_diagonal(blocks: list[Tensor]) -> Tensor:
    batch = torch.broadcast_shapes(*[b.shape[:-2] for b in blocks])
    n, start, rows = sum(b.shape[-1] for b in blocks), 0, []
    for b in blocks:
        stop = start + b.shape[-1]
        rows.append(torch.nn.functional.pad(b.expand(*batch, *b.shape[-2:]), (start, n - stop)))
        start = stop
    return torch.cat(rows, -2)


def _kronecker(a: Tensor, b: Tensor) -> Tensor:
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    return product.reshape(*product.shape[:-4], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1])
