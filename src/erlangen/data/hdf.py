"""Tables in HDF5: arrays by name, compound tables, and those that pandas writes, without ever loading a pickle."""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from erlangen.data.columns import Columns
from erlangen.data.selection import listed
from erlangen.errors import ArgumentError
from erlangen.extras import engine


def hdf_columns(path: Path) -> Columns | dict[str, np.ndarray]:
    """Columns of a table, or, where there is an array ``x``, all arrays by name.

    Tables: one-dimensional arrays of one length; one compound array; or what ``DataFrame.to_hdf`` writes in either format.

    Raises:
        ArgumentError: it is no HDF5 file, holds none of these, or is compressed by what this h5py does not know.
        MissingExtra: h5py is not installed (extra ``hdf``).
    """
    h5py = engine("hdf", "h5py")
    try:
        with h5py.File(path, "r") as file:
            found: dict[str, Any] = {}
            file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
            arrays = {name.rpartition("/")[2]: item for name, item in found.items()}
            if "x" in arrays:
                return {name: item[()] for name, item in arrays.items()}
            values = _pandas(file, found) or _compound(found) or {name: item[()] for name, item in arrays.items() if item.ndim == 1}
    except OSError as problem:
        hint = (
            "Files that are compressed by blosc or the like need the package hdf5plugin, imported first" if path.is_file() else ""
        )
        raise ArgumentError("data", "an HDF5 file that h5py reads", f"'{path.name}' ({problem})", hint) from problem
    lengths = {len(column) for column in values.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ArgumentError(
            "data", "columns of one length, or an array named 'x'", f"'{path.name}' with {listed(list(found)) or 'none'}"
        )
    clean = {name: column.astype(str) if column.dtype.kind in "SO" else column for name, column in values.items()}
    return Columns.of(clean, range(lengths.pop()), "row", path.name)


def _compound(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """The fields of the only array of records; empty where there is none."""
    tables = [item for item in found.values() if item.dtype.names and item.ndim == 1]
    if len(tables) != 1:
        return {}
    rows = tables[0][()]
    return {name: rows[name] for name in rows.dtype.names if rows.dtype[name].shape == ()}


def _pandas(file: Any, found: dict[str, Any]) -> dict[str, np.ndarray]:
    """A pandas table: blocks of columns of one type, whose names stand in attributes (format "table") or arrays ("fixed")."""
    for name, item in found.items():
        if name.endswith("/table") and item.dtype.names and any(block.startswith("values_block_") for block in item.dtype.names):
            rows, columns = item[()], {}
            for block in rows.dtype.names:
                if block.startswith("values_block_"):
                    names = _strings(item.attrs[f"{block}_kind"])
                    columns.update({column: rows[block][:, i] for i, column in enumerate(names)})
            return columns
    columns = {}
    for name, item in found.items():
        group, _, part = name.rpartition("/")
        if part.startswith("block") and part.endswith("_values") and f"{group}/{part[:-7]}_items" in file:
            names = [text.decode() if isinstance(text, bytes) else str(text) for text in file[f"{group}/{part[:-7]}_items"][()]]
            columns.update({column: item[()][:, i] for i, column in enumerate(names)})
    return columns


def _strings(pickled: Any) -> list[str]:
    """The strings of a pickled list of strings, read from its instructions: nothing is executed.

    >>> import pickle
    >>> _strings(pickle.dumps(["E_0", "PX_0"], protocol=0))
    ['E_0', 'PX_0']
    """
    raw = pickled.tobytes() if isinstance(pickled, np.ndarray | np.generic) else bytes(pickled)
    texts = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"}
    return [str(argument) for code, argument, _ in pickletools.genops(raw) if code.name in texts]
