"""What every array of a user's must satisfy, each with one clear message."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from erlangen.errors import ArgumentError

SMALLEST, LARGEST = 1e-30, 1e37  # of the largest number: networks compute in single precision, and with squares
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


def check_size(argument: str, values: np.ndarray) -> None:
    """Raise where all numbers are too large or too small for single precision."""
    size = float(np.abs(values).max())
    if not SMALLEST <= size <= LARGEST and size:
        hint = "Choose another unit"
        expected = f"numbers whose size is between {SMALLEST:g} and {LARGEST:g}"
        raise ArgumentError(argument, expected, f"a largest one of size {size:.3g}", hint)


def broken(values: np.ndarray) -> str:
    """How many values are not finite, in words."""
    nan, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    parts = [f"{nan} NaN"] * (nan > 0) + [f"{infinite} infinite"] * (infinite > 0)
    return f"{' and '.join(parts)} of {values.size} values"


def check_enough(argument: str, samples: int, fewest: int = FEWEST) -> None:
    """Raise if there are fewer samples than needed, 32 to learn from."""
    if samples < fewest:
        learning = f", to train and test at least {fewest_to_train(0.7)}" if fewest > 1 else ""
        raise ArgumentError(argument, f"at least {fewest} sample{'s' * (fewest > 1)}{learning}", f"{samples}")


def fewest_to_train(fraction: float) -> int:
    """The smallest number of samples that leaves 32 for training.

    >>> fewest_to_train(0.7)
    46
    """
    return next(n for n in range(FEWEST, 100 * FEWEST) if round(fraction * n) >= FEWEST)


def check_enough_to_train(argument: str, samples: int, fraction: float) -> None:
    """Raise if a part for training would have fewer than 32 samples."""
    if (fewest := fewest_to_train(fraction)) > samples:
        raise ArgumentError(
            argument, f"at least {fewest} samples, of which {fraction:.0%}, {FEWEST}, are for training", f"{samples}"
        )
