"""Lengths of the rows and columns of an adapted matrix, and the two diagonal gauges that normalise it.

The matrices that DoRA and BoRA reach are ``diag(d) (W + s B A) diag(c)``: normalising only says how ``d`` and ``c`` are written. So the
adapted matrix need not be formed to be applied, and its lengths need not the product ``B A``.

Source: Q. Wang et al., "BoRA", arXiv:2412.06441; the factored form is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Side = Literal["row", "col"]
#: Rows that are looked at together: a block of 1024 columns stays in the cache of a core.
BLOCK = 128


def floor_of(dtype: torch.dtype) -> float:
    """The length below which a row or a column counts as zero."""
    return 1e-12 if dtype in (torch.float32, torch.float64) else 1e-6


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


@torch.no_grad()
def lengths(w: Tensor, a: Tensor, b: Tensor, s: float, magnitudes: Sequence[tuple[Side, Tensor]], group: int = 1) -> list[Tensor]:
    """The lengths that each step of the normalisation divides by, block by block, so that no second matrix is held.

    Args:
        w, a, b, s: as for :func:`row_squares`.
        magnitudes: side and magnitude of each step, in their order.
        group: neighbouring columns that are one.

    Returns:
        for each step ``[..., out]`` or ``[..., in]``, at least :func:`floor_of` the dtype, in float32 or wider.
    """
    if not magnitudes:
        return []
    turned = magnitudes[0][0] == "col"
    if turned:
        w, a, b = w.mT, b.mT, a.mT
    wide = torch.promote_types(w.dtype, torch.float32)
    tiny, (out, inp) = floor_of(w.dtype), w.shape[-2:]
    a, sb = a.to(wide), b.to(wide) * s
    block = BLOCK - BLOCK % group if turned and group < BLOCK else BLOCK if not turned else group
    rows = w.new_empty(w.shape[:-1], dtype=wide)
    columns = w.new_zeros((*w.shape[:-2], inp), dtype=wide)
    for start in range(0, out, block):
        part = slice(start, start + block)
        v = (w[..., part, :].to(wide) + sb[..., part, :] @ a).square_()
        squares = v.sum(-1)
        rows[..., part] = (together(squares, group) if turned else squares).sqrt_().clamp_(min=tiny)
        if len(magnitudes) == 2:
            d = magnitudes[0][1][..., part].to(wide) / rows[..., part]
            columns += (d.square_().unsqueeze(-2) @ v).squeeze(-2)
    return [rows, (columns if turned else together(columns, group)).sqrt().clamp_(min=tiny)][: len(magnitudes)]


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
    if detach:
        return {side: m / n for (side, m), n in zip(magnitudes, lengths(w, a, b, s, magnitudes, group))}
    found: dict[Side, Tensor] = {}
    tiny = floor_of(w.dtype)
    wide = torch.promote_types(w.dtype, torch.float32)
    w, a, b = w.to(wide), a.to(wide), b.to(wide)
    other: Tensor | None = None
    for side, m in magnitudes:
        squares = row_squares(w, a, b, s, other) if side == "row" else together(col_squares(w, a, b, s, other), group)
        other = found[side] = m / squares.clamp(min=tiny * tiny).sqrt()
    return found
