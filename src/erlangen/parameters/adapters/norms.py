"""Lengths of the rows and columns of an adapted matrix, and the two diagonal gauges that normalise it.

The matrices that DoRA and BoRA reach are ``diag(d) (W + s B A) diag(c)``: normalising only says how ``d`` and ``c`` are written. So the
adapted matrix need not be formed to be applied, and its lengths need not the product ``B A``.

Source: Q. Wang et al., "BoRA", arXiv:2412.06441; the factored form is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

Side = Literal["row", "col"]
#: Rows that are looked at together: a block of 1024 columns stays in the cache of a core.
BLOCK = 128


def floor_of(dtype: torch.dtype) -> float:
    """The length, beside the largest entry, below which a row or a column counts as zero: its square is hardly a number any more."""
    return 2 * math.sqrt(torch.finfo(torch.promote_types(dtype, torch.float32)).tiny)


def unrounded(t: Tensor) -> AbstractContextManager[Any]:
    """Inside, autocast does not round what is computed on a tensor's device."""
    kind = t.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


@torch.no_grad()
def unit(t: Tensor) -> Tensor:
    """A power of two, ``[]``, near the largest entry of a tensor, so that squares of what is divided by it neither overflow nor vanish.

    >>> unit(torch.tensor([3e20, 0.0])) < 6e20, unit(torch.zeros(2))
    (tensor(True), tensor(1.))
    """
    wide = torch.promote_types(t.dtype, torch.float32)
    if not t.numel():
        return t.new_ones((), dtype=wide)
    low, high = t.detach().aminmax()
    largest = torch.maximum(-low, high).to(wide)
    return torch.where((largest > 0) & largest.isfinite(), torch.ldexp(torch.ones_like(largest), largest.frexp().exponent), 1.0)


def side_lengths(w: Tensor, side: Side, group: int = 1) -> Tensor:
    """The lengths ``[..., out]`` of rows or ``[..., in / group]`` of columns of ``w`` ``[..., out, in]``, of any scale.

    >>> side_lengths(torch.tensor([[3e-30, 4e-30]]), "row")
    tensor([5.0000e-30])
    """
    k = unit(w)
    length = torch.linalg.vector_norm(w.to(k.dtype) / k, dim=-1 if side == "row" else -2)
    if side == "col":
        length = length.unflatten(-1, (-1, group)).norm(dim=-1)
    return length * k


def row_squares(w: Tensor, a: Tensor, b: Tensor, s: float, c: Tensor | None = None) -> Tensor:
    """Squared lengths ``[..., out]`` of the rows of ``(w + s b a) diag(c)``, differentiable, without forming it.

    Args:
        w: ``[..., out, in]``; no gradient is asked for.
        a: ``[..., r, in]``.
        b: ``[..., out, r]``.
        s: scale of ``b a``.
        c: ``[..., in]``, by default ones.

    >>> w, a, b = torch.randn(5, 4), torch.randn(2, 4), torch.randn(5, 2)
    >>> torch.allclose(row_squares(w, a, b, 0.5), (w + 0.5 * b @ a).square().sum(-1), atol=1e-5)
    True
    """
    ac = a if c is None else a * c.square().unsqueeze(-2)
    own = w.square().sum(-1) if c is None else (w.square() @ c.square().unsqueeze(-1)).squeeze(-1)
    cross = ((w @ ac.mT) * b).sum(-1)
    update = ((b @ (a @ ac.mT)) * b).sum(-1)
    return (own + 2 * s * cross + s * s * update).clamp(min=0)


def col_squares(w: Tensor, a: Tensor, b: Tensor, s: float, d: Tensor | None = None) -> Tensor:
    """Squared lengths ``[..., in]`` of the columns of ``diag(d) (w + s b a)``: :func:`row_squares` of the transposed matrix."""
    return row_squares(w.mT, b.mT, a.mT, s, d)


def lengths(w: Tensor, a: Tensor, b: Tensor, s: float, magnitudes: Sequence[tuple[Side, Tensor]], group: int = 1) -> list[Tensor]:
    """The lengths that each step of the normalisation divides by, block by block, so that no second matrix is held; constants to autograd.

    Args:
        w, a, b, s: as for :func:`row_squares`.
        magnitudes: side and magnitude of each step, in their order.
        group: neighbouring columns that are one.

    Returns:
        for each step ``[..., out]`` or ``[..., in]``, at least :func:`floor_of` the dtype, times the scale of ``w``, in float32 or wider.
    """
    if not magnitudes:
        return []
    w, a, b = w.detach(), a.detach(), b.detach()  # of no_grad, forward mode takes no notice
    turned = magnitudes[0][0] == "col"
    if turned:
        w, a, b = w.mT, b.mT, a.mT
    wide = torch.promote_types(w.dtype, torch.float32)
    tiny, (out, inp) = floor_of(w.dtype), w.shape[-2:]
    k = unit(w)
    a, sb = a.to(wide), b.to(wide) * (s / k)
    first = magnitudes[0][1].detach().to(wide)
    km = unit(first)
    block = BLOCK - BLOCK % group if turned and group < BLOCK else BLOCK if not turned else group
    rows = []
    columns = w.new_zeros((*w.shape[:-2], inp), dtype=wide)
    for start in range(0, out, block):
        part = slice(start, start + block)
        v = (w[..., part, :].to(wide) / k + sb[..., part, :] @ a).square()
        squares = v.sum(-1)
        rows.append((together(squares, group) if turned else squares).sqrt().clamp(min=tiny))
        if len(magnitudes) == 2:
            d = first[..., part] / km / rows[-1]
            columns = columns + (d.square().unsqueeze(-2) @ v).squeeze(-2)
    columns = (columns if turned else together(columns, group)).sqrt().clamp(min=tiny)
    return [torch.cat(rows, -1) * k, columns * km][: len(magnitudes)]


def together(squares: Tensor, group: int) -> Tensor:
    """The sums ``[..., n]`` over groups of neighbours, at each of them.

    >>> together(torch.tensor([1.0, 2.0, 3.0, 4.0]), 2)
    tensor([3., 3., 7., 7.])
    """
    return squares if group == 1 else squares.unflatten(-1, (-1, group)).sum(-1).repeat_interleave(group, -1)


def scales(
    w: Tensor,
    a: Tensor,
    b: Tensor,
    s: float,
    magnitudes: Sequence[tuple[Side, Tensor]],
    detach: bool = True,
    group: int = 1,
) -> dict[Side, Tensor]:
    """The diagonals ``d`` (``"row"``) and ``c`` (``"col"``) with which ``diag(d) (w + s b a) diag(c)`` is the adapted matrix.

    Args:
        w, a, b, s, magnitudes, group: as for :func:`lengths`.
        detach: whether lengths are constants to autograd.

    >>> w, m = torch.randn(5, 4), torch.rand(5)
    >>> d = scales(w, w.new_zeros(0, 4), w.new_zeros(5, 0), 0.0, [("row", m)])["row"]
    >>> torch.allclose((d[:, None] * w).norm(dim=1), m)
    True
    """
    with unrounded(w):  # lengths of half precision would be wrong in the third digit
        if detach:
            return {side: m / n for (side, m), n in zip(magnitudes, lengths(w, a, b, s, magnitudes, group))}
        found: dict[Side, Tensor] = {}
        tiny = floor_of(w.dtype)
        k = unit(w)
        w, a, b = w.to(k.dtype) / k, a.to(k.dtype), b.to(k.dtype) / k
        other: Tensor | None = None
        scale = k
        for side, m in magnitudes:
            squares = row_squares(w, a, b, s, other) if side == "row" else together(col_squares(w, a, b, s, other), group)
            km = unit(m)
            other = (m / km) / squares.clamp(min=tiny * tiny).sqrt()
            found[side] = other * (km / scale)
            scale = km
        return found
