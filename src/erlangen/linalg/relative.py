"""Relative errors with a floor: what vanishes is nothing but the rounding of what was summed, and is compared with that."""

from __future__ import annotations

import torch
from torch import Tensor

#: A size below this part of what was summed has vanished by cancellation, or nearly.
VANISHING = 1e-3
#: A difference of so many rounding errors of what was summed is none, where the size has vanished.
ROUNDINGS = 64


def relative_error(off: Tensor, size: Tensor, summed: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """``off / size``; where the size has vanished beside what was summed, differences within the rounding of that are zero.

    Args:
        off, size: of a difference and of what it is relative to, any shapes that broadcast.
        summed: the size of the numbers that these were computed from.
        dtype: the precision that they were computed in.

    Returns:
        the errors; 0 where nothing is off, infinite where something is off that has no size, NaN where a number is none.

    >>> relative_error(torch.tensor([1e-3, 1e-17, 1e-9]), torch.tensor([1.0, 1e-17, 1e-9]), torch.tensor(1.0))
    tensor([0.0010, 0.0000, 1.0000], dtype=torch.float64)
    """
    off, size, summed = (t.double() for t in (off, size, summed))
    rounding = ROUNDINGS * torch.finfo(dtype).eps * summed
    none = (off == 0) | ((size < VANISHING * summed) & (off <= rounding))
    return torch.where(none, 0.0, off / size)
