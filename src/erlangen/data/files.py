"""`read`: a user's ``.npz``, ``.csv`` or ``.parquet`` as a data set, or one clear error."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np

from erlangen.data.columns import Columns, csv_columns, parquet_columns
from erlangen.data.dataset import DataSet, Target
from erlangen.data.selection import component, listed
from erlangen.errors import ArgumentError

SUFFIXES = (".npz", ".csv", ".parquet")


def read(path: str | Path, *, target: str | None = None, tokens: str | None = None, kind: Target | None = None) -> DataSet:
    """Read a file of samples.

    ``.npz``: an array ``x`` ``[N, T, d]``, or ``[N, d]`` for one token, and the array that ``target`` names.
    ``.csv`` and ``.parquet``: one row for each sample. ``tokens="q1 q2, p1 p2"`` makes two tokens of dimension 2
    from four columns, ``tokens="E_* PX_*"`` one of ``E_0`` and ``PX_0``, one of ``E_1`` and ``PX_1`` and so on; names with
    blanks stand in quotes (:func:`erlangen.data.selection.select`). Without it all columns but the target's form one
    token. ``target`` names one column, several (``"a b"``: a scalar target ``[N, 2]``) or tokens (``"a b, c d"``: a vector
    target ``[N, 2, 2]``).

    Args:
        path: the file.
        target: the array or columns of the target; by default ``y``, if there is one.
        tokens: how columns make tokens.
        kind: ``"scalar"``, ``"vector"`` or ``"class"``, where the guess of :meth:`DataSet.of` is wrong. Class labels
            that are text need ``kind="class"``.

    Raises:
        ArgumentError: the file is missing, unreadable or unusable; the message names the array or column.
        MissingExtra: a ``.parquet`` file without pyarrow (extra ``parquet``).
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError("data", f"a file ({', '.join(SUFFIXES)})", f"no file at '{path}'", _beside(path))
    suffix = path.suffix.lower()
    if suffix == ".npz":
        if tokens is not None:
            hint = "In an .npz the middle axis of x [N, T, d] counts the tokens"
            raise ArgumentError("tokens", "nothing for an .npz file", repr(tokens), hint)
        return _read_npz(path, target, kind)
    if suffix == ".csv":
        return _from_columns(csv_columns(path), path, target, tokens, kind)
    if suffix == ".parquet":
        return _from_columns(parquet_columns(path), path, target, tokens, kind)
    raise ArgumentError("data", f"a file that ends in {', '.join(SUFFIXES)}", f"'{path.name}'")


def _beside(path: Path) -> str:
    """What could have been meant, where a file is missing."""
    if not path.parent.is_dir():
        return f"There is no folder '{path.parent}'"
    there = sorted(other.name for other in path.parent.iterdir() if other.suffix.lower() in SUFFIXES)
    return f"There are: {listed(there, path.name)}" if there else ""


def _read_npz(path: Path, target: str | None, kind: Target | None) -> DataSet:
    try:
        archive = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ArgumentError("data", "an .npz archive of arrays", f"'{path.name}', which is not one") from problem
    if not isinstance(archive, np.lib.npyio.NpzFile):
        hint = "np.savez(path, x=x, y=y) writes one"
        raise ArgumentError("data", "an .npz archive of arrays", f"a single array in '{path.name}'", hint)
    with archive:
        available = listed(archive.files, target or "x")
        if "x" not in archive.files:
            raise ArgumentError("x", f"an array named 'x' in '{path.name}'", f"the arrays: {available}")
        if target is not None and target not in archive.files:
            raise ArgumentError("target", f"one of the arrays of '{path.name}'", f"{target!r}; it has: {available}")
        if target is None and "y" in archive.files:
            target = "y"
        x = _member(archive, "x", path)
        y = None if target is None else _member(archive, target, path)
    return _named(x, y, target, kind, path, ())


def _member(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as problem:
        if "allow_pickle" not in str(problem):
            raise ArgumentError(name, "a readable array", f"a damaged one in '{path.name}'") from problem
        got = "an array of Python objects, which is never unpickled"
        raise ArgumentError(name, "an array of real numbers", got) from problem
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as problem:
        raise ArgumentError(name, "a readable array", f"a damaged one in '{path.name}'") from problem
    except (RuntimeError, NotImplementedError) as problem:  # encrypted, or compressed by what this Python does not know
        raise ArgumentError(name, "a readable array", f"one that is not, in '{path.name}' ({problem})") from problem
    except MemoryError as problem:
        raise ArgumentError(name, "an array that fits into memory", f"one that does not, in '{path.name}'") from problem


def _from_columns(table: Columns, path: Path, target: str | None, tokens: str | None, kind: Target | None) -> DataSet:
    if target is None and "y" in table.names:
        target = "y"
    wanted = [] if target is None else table.groups("target", target)
    answer = [name for group in wanted for name in group]
    groups = [[name for name in table.names if name not in answer]] if tokens is None else table.groups("tokens", tokens)
    if not groups[0]:
        raise ArgumentError("data", f"columns besides the target in '{path.name}'", f"only {listed(table.names)}")
    shared = [name for group in groups for name in group if name in answer]
    if shared:
        raise ArgumentError("tokens", "columns that are not the target's", f"'{shared[0]}' in both")
    names = tuple(component(parts) for parts in zip(*groups))
    x = np.stack([table.matrix(group) for group in groups], 1)
    if target is None:
        y = None
    elif len(answer) == 1 and kind != "vector":
        y = table.labels(answer[0], text=kind == "class")
    elif len(wanted) > 1 or kind == "vector":
        y = np.stack([table.matrix(group) for group in wanted], 1)
    else:
        y = table.matrix(answer)
    return _named(x, y, target, kind, path, names)


def _named(
    x: np.ndarray, y: np.ndarray | None, target: str | None, kind: Target | None, path: Path, names: tuple[str, ...]
) -> DataSet:
    """Errors about the target should call it by the name it has in the file."""
    try:
        return DataSet.of(x, y, kind=kind, name=path.stem, names=names, source=str(path))
    except ArgumentError as problem:
        if problem.argument != "y" or target is None:
            raise
        got = str(problem.got).replace("y[", f"{target}[")
        raise ArgumentError(target, problem.expected, got, problem.hint) from None
