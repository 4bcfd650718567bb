"""Where the singular values of a matrix stop being numbers and start being rounding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.errors import ArgumentError

#: A cut found by the gap rule is clear when the gap is at least this ...
CLEAR_GAP = 1e3
#: ... and at least this many times the second largest gap. A cut at a place the caller states needs only this.
CLEAR_MARGIN = 10.0


@dataclass(frozen=True)
class Cut:
    """How many singular values count as non-zero, and how clear that decision was.

    Args:
        rank: how many are kept.
        gap: the last kept over the first dropped (values beneath rounding count as rounding; ``inf`` if none is kept).
        clear: no other cut was nearly as good.
        tolerance: values at or below it were dropped.
    """

    rank: int
    gap: float
    clear: bool
    tolerance: float


def cut(
    values: Tensor,
    *,
    shape: tuple[int, int],
    eps: float,
    rtol: float | None = None,
    rank: int | None = None,
    scale: float | None = None,
) -> Cut:
    """Decide the rank from descending singular values.

    With ``rtol`` the values above ``rtol * scale`` are kept; with ``rank`` that many are. With neither, the cut is at
    the largest ratio of neighbours among the cuts whose first dropped value is below ``eps ** 0.375 * scale`` (1.4e-6
    in float64, 2.5e-3 in float32), and keeping all is one of the candidates, measured against rounding.

    Args:
        values: singular values [k], descending, real.
        shape: the matrix's shape, which sets the size of rounding, ``max(shape) * eps * scale``.
        eps: machine precision of the numbers the matrix was made with.
        scale: what "large" means; the largest value by default.

    >>> import torch
    >>> cut(torch.tensor([2.0, 1.0, 1e-15], dtype=torch.float64), shape=(3, 3), eps=2.2e-16).rank
    2
    """
    if rtol is not None and rank is not None:
        raise ArgumentError("rtol", "either a relative tolerance or a stated rank", "both")
    v = values.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(v).all()):
        raise ArgumentError("a", "finite entries", "NaN or infinity")
    count = v.numel()
    top = float(v[0]) if count else 0.0
    scale = top if scale is None else float(scale)
    floor = max(*shape, 1) * eps * scale
    if top == 0.0:
        return Cut(0 if rank is None else rank, float("inf"), not rank, floor)

    clamped = torch.clamp(v, min=max(floor, torch.finfo(torch.float64).tiny))
    # gaps[r] belongs to the cut that keeps r values; keeping all compares the last one with rounding.
    below = torch.cat([clamped, clamped.new_tensor([max(floor, torch.finfo(torch.float64).tiny)])])
    above = torch.cat([clamped.new_tensor([float("inf")]), clamped])
    gaps = above / below
    if rank is not None or rtol is not None:
        kept = rank if rank is not None else int((v > (rtol or 0.0) * scale).sum())
        tolerance = (rtol or 0.0) * scale if rank is None else float(below[kept])
        return Cut(kept, float(gaps[kept]), bool(gaps[kept] >= CLEAR_MARGIN), tolerance)

    allowed = torch.cat([v <= eps**0.375 * scale, torch.ones(1, dtype=torch.bool)])
    if top > floor:
        allowed[0] = False  # something is there: keeping nothing is not a candidate unless all is rounding
    else:
        return Cut(0, float("inf"), True, floor)
    ranked = torch.where(allowed, gaps, torch.zeros_like(gaps))
    best = int(ranked.argmax())
    gap = float(ranked[best])
    ranked[best] = 0.0
    return Cut(best, gap, gap >= CLEAR_GAP and gap >= CLEAR_MARGIN * float(ranked.max()), float(below[best]))
