"""What a periodic structure is: an integer array of phases 1 .. n on a grid that repeats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from erlangen.errors import ArgumentError


def as_structure(S: Any, argument: str = "S") -> np.ndarray:
    """A structure as an int64 array ``[*P]``.

    Args:
        S: integers 1 .. n: an array, a tensor, or nested lists. Each phase up to the largest occurs.
        argument: what errors call it.

    Raises:
        ArgumentError: it has no axis or no site, its labels are no integers, or one of 1 .. n does not occur.

    >>> as_structure([[1, 1, 3], [2, 3, 3]]).shape
    (2, 3)
    >>> as_structure([1, 3])
    Traceback (most recent call last):
    ...
    erlangen.errors.ArgumentError: argument 'S': expected labels 1 .. 3, each at least once; got no site of phase 2
    """
    array = as_labels(S, argument)
    if array.min() < 1:
        raise ArgumentError(argument, "phases from 1 up", f"the label {array.min()}")
    n = int(array.max())
    missing = np.flatnonzero(np.bincount(array.reshape(-1), minlength=n + 1)[1:] == 0) if n <= array.size else np.array([n - 2])
    if len(missing):
        raise ArgumentError(argument, f"labels 1 .. {n}, each at least once", f"no site of phase {missing[0] + 1}")
    return array


def as_labels(S: Any, argument: str) -> np.ndarray:
    """An int64 array of labels, of which nothing but that is asked."""
    array = S.detach().cpu().numpy() if isinstance(S, torch.Tensor) else S
    try:
        array = np.asarray(array)
    except ValueError:
        raise ArgumentError(argument, "an array of integer labels", "rows of different lengths") from None
    if array.dtype.kind not in "iu":
        raise ArgumentError(argument, "an array of integer labels", f"{array.dtype} {array.shape}")
    if array.ndim == 0 or array.size == 0:
        raise ArgumentError(argument, "at least one axis and one site", f"shape {array.shape}")
    return array.astype(np.int64)


def both(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two structures ``a``, ``b`` on one grid.

    Raises:
        ArgumentError: one is none, or their shapes differ.
    """
    first, second = as_structure(a, "a"), as_structure(b, "b")
    if first.shape != second.shape:
        raise ArgumentError("b", f"the shape of a, {first.shape}", f"{second.shape}")
    return first, second


def like(original: Any, array: np.ndarray) -> Any:
    """The array as what the user gave: a tensor for a tensor (on its device), else an array."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(original.device) if isinstance(original, torch.Tensor) else array


def phase_counts(S: Any) -> tuple[int, ...]:
    """Sites of each phase.

    >>> phase_counts([[1, 1, 3], [2, 3, 3]])
    (2, 1, 3)
    """
    return tuple(np.bincount(as_structure(S).reshape(-1))[1:].tolist())


def read_structure(path: str | os.PathLike[str], argument: str = "path") -> np.ndarray:
    """The structure that a ``.npy`` file holds; nothing is unpickled.

    Raises:
        ArgumentError: it is no such file, or holds no structure.

    >>> import tempfile
    >>> np.save(name := tempfile.mkdtemp() + "/S.npy", [[1, 2], [2, 2]])
    >>> read_structure(name).shape
    (2, 2)
    """
    if not Path(path).is_file() or Path(path).suffix != ".npy":
        raise ArgumentError(argument, "an existing .npy file", f"'{path}'")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as problem:
        raise ArgumentError(argument, "a .npy file with an array of integers", f"'{path}' ({problem})") from None
    return as_structure(array, argument)
