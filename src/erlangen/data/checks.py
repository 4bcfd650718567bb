"""What every array of a user's must satisfy, each with one clear message."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from erlangen.errors import ArgumentError

FEWEST = 32  # samples: below this neither a symmetry nor its absence can be told from chance


def numeric(argument: str, array: Any) -> np.ndarray:
    """The array as contiguous float64, if it holds real numbers or bools."""
    values = np.asarray(array.detach().cpu() if isinstance(array, Tensor) else array)
    kinds = {"O": "objects", "U": "text", "S": "text", "c": "complex numbers", "M": "dates", "m": "time spans"}
    if values.dtype.kind not in "biuf":
        got = kinds.get(values.dtype.kind, "structured records")
        raise ArgumentError(argument, "an array of real numbers", f"{got} (dtype {values.dtype})")
    return np.ascontiguousarray(values, dtype=np.float64)


def check_finite(argument: str, values: np.ndarray) -> None:
    """Raise if there is a NaN or an infinity, saying how many and where the first is."""
    if np.isfinite(values).all():
        return
    first = ", ".join(str(i) for i in np.argwhere(~np.isfinite(values))[0])
    raise ArgumentError(argument, "finite numbers", f"{broken(values)}, the first at {argument}[{first}]")


def broken(values: np.ndarray) -> str:
    """How many values are not finite, in words."""
    nan, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    parts = [f"{nan} NaN"] * (nan > 0) + [f"{infinite} infinite"] * (infinite > 0)
    return f"{' and '.join(parts)} of {values.size} values"


def check_enough(argument: str, samples: int) -> None:
    """Raise if there are fewer than 32 samples."""
    if samples < FEWEST:
        raise ArgumentError(argument, f"at least {FEWEST} samples", f"{samples}")
