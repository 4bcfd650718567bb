"""How far from exact a floating-point matrix may be and still count as a member of its group."""

from __future__ import annotations

import torch
from torch import Tensor


def tolerance(g: Tensor, atol: float | None) -> float:
    """``atol``, or what float64 (1e-9) and narrower types (1e-4) deserve by default."""
    if atol is not None:
        return atol
    return 1e-9 if g.dtype == torch.float64 else 1e-4
