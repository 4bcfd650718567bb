"""`collect`: anything in memory as a data set - arrays, lists of arrays, ASE's atoms, PyG's graphs and molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from erlangen.data.collection import KINDS, Collection, Kind
from erlangen.data.dataset import DataSet, Target
from erlangen.data.members import graphs, graphs_of_pyg, sequences, sets
from erlangen.data.pictures import images
from erlangen.data.structures import atoms, atoms_of_ase, atoms_of_pyg, column_of, kind_of_column, targets_of, told
from erlangen.errors import ArgumentError

#: What data can be taken for.
As = Literal["tokens", Kind]
WAYS: tuple[str, ...] = ("tokens", *KINDS)


def collect(
    x: Any,
    y: Any = None,
    *,
    as_: As | None = None,
    target: str | None = None,
    kind: Target | None = None,
    name: str = "",
    inputs_only: bool = False,
) -> DataSet | Collection:
    """Data in memory as a :class:`DataSet` of tokens or a :class:`Collection`.

    Args:
        x: an array ``[N, T, d]`` or ``[N, d]`` (tokens); ``[N, H, W, C]`` (images; of three axes with ``as_="images"``); a list of arrays
            ``[n, c]`` of different lengths (sets); a list of ASE ``Atoms`` or of PyG ``Data`` with ``pos`` and ``z`` (atoms), or without
            (graphs); for ``as_="graphs"`` matrices ``[N, n, n]``; for ``as_="weights"`` a dictionary of tensors ``[N, 1, *shape]``.
        y: the target; by default what ASE's structures (``energy``) or PyG's data (``y``) say.
        as_: ``"tokens"``, ``"images"``, ``"sets"``, ``"sequences"``, ``"graphs"``, ``"atoms"`` or ``"weights"``, where the guess is wrong.
        target: the name of the structures' target.
        kind: of target: ``"scalar"``, ``"vector"`` or ``"class"``.
        name: for reports.
        inputs_only: nothing is learnt from them: any number of samples will do, and there is no target.

    Raises:
        ArgumentError: nothing fits, or what :meth:`DataSet.of` and :meth:`Collection.of` refuse.

    >>> print(collect(np.random.rand(40, 8, 8, 1), np.arange(40) % 2, name="digits"))
    digits: 40 images, image [1, 8, 8], class target (class 0: 20, class 1: 20)
    >>> print(collect([np.random.rand(2 + i % 3, 2) for i in range(40)], name="clouds"))
    clouds: 40 sets, members [4, 2], there [4], no target
    """
    if isinstance(x, DataSet | Collection):
        return x
    if as_ is not None and as_ not in WAYS:
        raise ArgumentError("as", f"one of {', '.join(WAYS)}", repr(as_))
    listed = not isinstance(x, np.ndarray | Tensor | dict) and isinstance(x, Sequence) and len(x) > 0
    first = x[0] if listed else None
    is_ase, is_pyg = hasattr(first, "get_atomic_numbers"), hasattr(first, "edge_index") or hasattr(first, "z")
    if as_ is None:
        as_ = _guess(x, is_ase, is_pyg, first)
    if as_ == "tokens":
        return DataSet.of(x, y, kind=kind, name=name or "data", inputs_only=inputs_only)
    if as_ == "atoms" and (is_ase or is_pyg):
        parts = atoms_of_ase(x) if is_ase else atoms_of_pyg(x)
        if y is None and not inputs_only:
            known = [told(one) if is_ase else dict(one.to_dict()) for one in x]
            found = targets_of(known, target, name or "the list")
            if found is not None:
                sizes = [int((numbers > 0).sum()) for numbers in parts["numbers"]]
                y = column_of(found[0], [np.asarray(value).squeeze() for value in found[1]], sizes, kind)
                kind = kind_of_column(found[0], y, kind)
    elif as_ == "graphs":
        parts = graphs_of_pyg(x) if is_pyg else graphs(**x) if isinstance(x, dict) else graphs(x)
        if y is None and is_pyg and getattr(first, "y", None) is not None:
            y = np.array([np.asarray(one.y).squeeze() for one in x])
    elif as_ in ("images", "sets", "sequences"):
        parts = {"images": images, "sets": sets, "sequences": sequences}[as_](x)
    elif isinstance(x, dict):
        parts = atoms(**x) if as_ == "atoms" else x
    else:
        wanted = "a list of ASE's Atoms or PyG's Data" if as_ == "atoms" else "a dictionary of tensors [N, 1, *shape]"
        raise ArgumentError("x", f"{wanted}, for {as_}", type(first if listed else x).__name__)
    return Collection.of(as_, parts, y, target=kind, name=name, inputs_only=inputs_only)


def _guess(x: Any, is_ase: bool, is_pyg: bool, first: Any) -> As:
    if is_ase or (is_pyg and getattr(first, "pos", None) is not None and getattr(first, "z", None) is not None):
        return "atoms"
    if is_pyg:
        return "graphs"
    if isinstance(x, dict):
        return "atoms" if {"pos", "numbers"} <= set(x) else "graphs" if "edges" in x else "weights"
    if np.ndim(first) > 0 and len({np.shape(one) for one in x}) > 1:
        return "sets"
    return "images" if (x.ndim if isinstance(x, np.ndarray | Tensor) else np.ndim(x)) == 4 else "tokens"
