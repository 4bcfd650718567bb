"""`read`: a user's file or folder as a data set, or one clear error."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from erlangen.data.checks import FEWEST, check_enough
from erlangen.data.collect import As, collect
from erlangen.data.collection import Collection
from erlangen.data.columns import Columns, csv_columns, parquet_columns
from erlangen.data.dataset import DataSet, Target
from erlangen.data.hdf import hdf_columns
from erlangen.data.networks import read_networks
from erlangen.data.pictures import has_pictures, read_pictures
from erlangen.data.selection import component, listed
from erlangen.data.structures import STRUCTURES, read_structures
from erlangen.errors import ArgumentError

SUFFIXES = (".npz", ".csv", ".parquet", ".npy", ".h5", ".hdf5", ".safetensors", *STRUCTURES)
#: Columns of the collection of top quarks and their background (Kasieczka et al., arXiv:1902.09914), and its target.
MOMENTA, IS_TOP = "E_* PX_* PY_* PZ_*", "is_signal_new"
#: Arrays that make one datum together, the first of them (of atoms the first two) needed.
_PARTS = (("x",), ("edges", "nodes"), ("pos", "numbers", "cell", "pbc"))
MIDDLE = "The middle axis of x [N, T, d] counts the tokens"
#: Other names that they have in files.
_SPELLED = {"adjacency": "edges", "R": "pos", "positions": "pos", "z": "numbers", "E": "energy"}


def read(
    path: str | Path,
    *,
    target: str | None = None,
    tokens: str | None = None,
    kind: Target | None = None,
    as_: As | None = None,
    inputs_only: bool = False,
) -> DataSet | Collection:
    """Read a file of samples, or a folder.

    ``.npz``: an array ``x`` ``[N, T, d]``, or ``[N, d]`` for one token, and the array that ``target`` names.
    ``.csv`` and ``.parquet``: one row for each sample. ``tokens="q1 q2, p1 p2"`` makes two tokens of dimension 2
    from four columns, ``tokens="E_* PX_*"`` one of ``E_0`` and ``PX_0``, one of ``E_1`` and ``PX_1`` and so on; names with
    blanks stand in quotes (:func:`erlangen.data.selection.select`). Without it all columns but the target's form one
    token. ``target`` names one column, several (``"a b"``: a scalar target ``[N, 2]``) or tokens (``"a b, c d"``: a vector
    target ``[N, 2, 2]``). Columns of lists (``.parquet``) make sets, one member for each place in the lists.
    ``.h5``: a table, or arrays as in ``.npz``. ``.npy``: ``x`` alone; the target is another such file.
    ``.extxyz``, ``.xyz``, ``.cif``, ``.sdf`` and whatever else ASE reads: structures of atoms; ``target`` is what they call it, by default
    ``energy``. ``.safetensors``: weights of networks. A folder: pictures, in one folder for each class, or files of structures.

    What the data are is seen from the file: arrays ``[N, H, W, C]`` are images, ``edges`` (``adjacency``) and ``nodes`` graphs, ``pos`` and
    ``numbers`` (``R`` and ``z``) atoms, everything else tokens. ``as_`` says so where that is wrong.

    Args:
        path: the file.
        target: the array or columns of the target; by default ``y``, if there is one.
        tokens: how columns make tokens.
        kind: ``"scalar"``, ``"vector"`` or ``"class"``, where the guess of :meth:`DataSet.of` is wrong; text of
            more than 20 labels needs ``"class"``. Rows with an empty cell in a column that is used are left out, with a warning.
        as_: what the data are, see :func:`erlangen.data.collect`.
        inputs_only: nothing is learnt from them, as in an audit: any number of samples will do, and the target is left away.

    Raises:
        ArgumentError: the file is missing, unreadable or unusable; the message names the array or column.
        MissingExtra: a ``.parquet`` file without pyarrow (extra ``parquet``), and so on.
    """
    path = Path(path)
    if path.is_dir() and has_pictures(path):
        others = {"target": target, "tokens": tokens, "kind": _other(kind, "class"), "as": _other(as_, "images")}
        _refuse("a folder of pictures by class", others)
        return read_pictures(path, inputs_only=inputs_only)
    suffix = path.suffix.lower()
    if path.is_dir() or (path.is_file() and suffix in STRUCTURES):
        _refuse("structures of atoms", {"tokens": tokens, "as": _other(as_, "atoms")})
        return read_structures(path, target, kind, inputs_only=inputs_only)
    if not path.is_file():
        raise ArgumentError("data", f"a file ({', '.join(SUFFIXES)})", f"no file at '{path}'", _beside(path))
    if suffix in (".npz", ".npy"):
        _refuse(f"an {suffix} file", {"tokens": tokens}, MIDDLE)
    if suffix == ".npz":
        return _read_npz(path, target, kind, as_, inputs_only)
    if suffix == ".csv":
        return _from_columns(csv_columns(path), path, target, tokens, kind, as_, inputs_only)
    if suffix == ".parquet":
        return _from_columns(parquet_columns(path), path, target, tokens, kind, as_, inputs_only)
    if suffix == ".safetensors":
        _refuse("weights of networks", {"tokens": tokens, "as": _other(as_, "weights")})
        return read_networks(path, target, kind, inputs_only=inputs_only)
    if suffix == ".npy":
        y = None if target is None else _array(Path(target))
        return _collected({"x": _array(path)}, y, target, kind, path, as_, inputs_only)
    if suffix in (".h5", ".hdf5"):
        found = hdf_columns(path)
        if isinstance(found, Columns):
            return _from_columns(found, path, target, tokens, kind, as_, inputs_only)
        _refuse("arrays by name", {"tokens": tokens}, MIDDLE)
        return _from_arrays(found, target, kind, path, as_, inputs_only)
    raise ArgumentError("data", f"a folder, or a file that ends in {', '.join(SUFFIXES)}", f"'{path.name}'")


def _other(value: str | None, only: str) -> str | None:
    """A setting that says anything but what is the case."""
    return None if value == only else value


def _refuse(what: str, settings: dict[str, str | None], hint: str = "") -> None:
    """Raise where a setting is given that data of this kind have no use for."""
    for argument, value in settings.items():
        if value is not None:
            raise ArgumentError(argument, f"nothing for {what}", repr(value), hint)


def _array(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise ArgumentError("data", "a .npy file with an array", f"'{path}' ({problem})") from problem


def _beside(path: Path) -> str:
    """What could have been meant, where a file is missing."""
    if not path.parent.is_dir():
        return f"There is no folder '{path.parent}'"
    there = sorted(other.name for other in path.parent.iterdir() if other.suffix.lower() in SUFFIXES)
    return f"There are: {listed(there, path.name)}" if there else ""


def _read_npz(path: Path, target: str | None, kind: Target | None, as_: As | None, inputs_only: bool) -> DataSet | Collection:
    try:
        archive = np.load(path, allow_pickle=False)
    except PermissionError as problem:
        raise ArgumentError("data", "a file that may be read", f"'{path.name}' ({problem.strerror})") from problem
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ArgumentError("data", "an .npz archive of arrays", f"'{path.name}', which is not one") from problem
    if not isinstance(archive, np.lib.npyio.NpzFile):
        hint = "np.savez(path, x=x, y=y) writes one"
        raise ArgumentError("data", "an .npz archive of arrays", f"a single array in '{path.name}'", hint)
    with archive:
        return _from_arrays({name: _member(archive, name, path) for name in archive.files}, target, kind, path, as_, inputs_only)


def _from_arrays(
    arrays: dict[str, np.ndarray], target: str | None, kind: Target | None, path: Path, as_: As | None, inputs_only: bool
) -> DataSet | Collection:
    """Arrays by name: ``x``, or the parts of graphs or atoms, and the target."""
    there = {_SPELLED.get(name, name): name for name in arrays}
    parts = next((names for names in _PARTS if names[0] in there and (len(names) < 3 or names[1] in there)), None)
    if parts is None:
        expected = f"an array named 'x' in '{path.name}'"
        raise ArgumentError("x", expected, f"the arrays: {listed(list(arrays), target or 'x')}")
    if target is None:
        target = next((there[name] for name in ("y", "energy") if name in there and name not in parts), None)
    if target is not None and target not in arrays:
        got = f"{target!r}; it has: {listed(list(arrays), target)}"
        raise ArgumentError("target", f"one of the arrays of '{path.name}'", got)
    y = None if target is None else arrays[target]
    return _collected({name: arrays[there[name]] for name in parts if name in there}, y, target, kind, path, as_, inputs_only)


def _collected(
    parts: dict[str, np.ndarray],
    y: np.ndarray | None,
    target: str | None,
    kind: Target | None,
    path: Path,
    as_: As | None,
    inputs_only: bool,
) -> DataSet | Collection:
    """A data set from the arrays of a file."""
    if "x" not in parts:
        x: Any = parts
        if "pos" in parts and parts["numbers"].ndim == 1:  # one molecule in many poses
            x = {**parts, "numbers": np.broadcast_to(parts["numbers"], parts["pos"].shape[:2])}
    else:
        x = parts["x"]
        if as_ in (None, "tokens") and not (as_ is None and x.ndim == 4):
            return _named(x, y, target, kind, path, (), inputs_only)
    return replace(
        _renamed(lambda: collect(x, y, as_=as_, kind=kind, name=path.stem, inputs_only=inputs_only), target), source=str(path)
    )


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


def _from_columns(
    table: Columns, path: Path, target: str | None, tokens: str | None, kind: Target | None, as_: As | None, inputs_only: bool
) -> DataSet | Collection:
    names = set(table.names)
    if tokens is None and {"E_0", "PX_0", "PY_0", "PZ_0", IS_TOP} <= names:
        tokens, target = MOMENTA, target or IS_TOP
    if target is None and "y" in names:
        target = "y"
    wanted = [] if target is None else table.groups("target", target)
    answer = [name for group in wanted for name in group]
    groups = [table.inputs(answer)] if tokens is None else table.groups("tokens", tokens)
    if not groups[0]:
        raise ArgumentError("data", f"columns besides the target in '{path.name}'", f"only {listed(table.names)}")
    shared = [name for group in groups for name in group if name in answer]
    if shared:
        raise ArgumentError("tokens", "columns that are not the target's", f"'{shared[0]}' in both")
    table = table.known([*(() if inputs_only else answer), *(name for group in groups for name in group)])
    check_enough("data", len(table.places), 1 if inputs_only else FEWEST)
    if target is None or inputs_only:
        y = None
    elif len(answer) == 1 and kind != "vector":
        y = table.labels(answer[0], text=kind == "class" or answer[0] in table.categories)
        if kind is None and answer[0] in table.categories:
            kind = "class"
    elif len(wanted) > 1 or kind == "vector":
        y = np.stack([table.matrix(group) for group in wanted], 1)
    else:
        y = table.matrix(answer)
    if any(table.values[name].dtype == object for group in groups for name in group):
        lists = _renamed(
            lambda: collect(table.lists(groups[0]), y, as_=as_ or "sets", kind=kind, name=path.stem, inputs_only=inputs_only),
            target,
        )
        return replace(lists, source=str(path), about=f"A member has the numbers {', '.join(groups[0])}.")
    x = np.stack([table.matrix(group) for group in groups], 1)
    if as_ not in (None, "tokens"):
        x = np.moveaxis(x, 1, -1) if len(groups) == 1 else x  # one column for each step of a sequence, or member of a set
        return replace(
            _renamed(lambda: collect(x, y, as_=as_, kind=kind, name=path.stem, inputs_only=inputs_only), target), source=str(path)
        )
    return _named(x, y, target, kind, path, tuple(component(parts) for parts in zip(*groups)), inputs_only)


def _named(
    x: np.ndarray,
    y: np.ndarray | None,
    target: str | None,
    kind: Target | None,
    path: Path,
    names: tuple[str, ...],
    inputs_only: bool,
) -> DataSet:
    return _renamed(
        lambda: DataSet.of(x, y, kind=kind, name=path.stem, names=names, source=str(path), inputs_only=inputs_only), target
    )


def _renamed(make: Callable[[], Any], target: str | None) -> Any:
    """Errors about the target should call it by the name it has in the file."""
    try:
        return make()
    except ArgumentError as problem:
        if problem.argument != "y" or target is None:
            raise
        got = str(problem.got).replace("y[", f"{target}[")
        raise ArgumentError(target, problem.expected, got, problem.hint) from None
