"""How far from exact a floating-point matrix may be and still count as a member of its group."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

#: By type, relative to the size of the matrix: above what products round, below what tells elements apart.
LOOSE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 1e-1}


def tolerance(g: Tensor, atol: float | None) -> float:
    """``atol``, or what the type of ``g`` deserves by default: 1e-9 in float64, 1e-4 in float32, 1e-2 in float16, 1e-1 in bfloat16."""
    return LOOSE.get(g.dtype, 1e-4) if atol is None else atol


def decided_in_single(contains: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A test of membership of elements in half precision in float32, which has the determinants and products that it takes."""

    @wraps(contains)
    def decide(self: Any, g: Tensor, atol: float | None = None) -> Tensor:
        if g.dtype not in (torch.float16, torch.bfloat16):
            return contains(self, g, atol)
        return contains(self, g.float(), tolerance(g, atol))

    return decide
