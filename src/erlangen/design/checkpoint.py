"""A search on disk: one safetensors file with the designs, everything else as JSON in its metadata, replaced in one step."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optree
from safetensors import SafetensorError, safe_open
from torch import Tensor

from erlangen.design.designs import differences, from_real_pair, real_pair
from erlangen.design.result import Epoch
from erlangen.design.states import State
from erlangen.errors import ArgumentError
from erlangen.serialization import weights_bytes, write_bytes

if TYPE_CHECKING:
    from erlangen.design.search import _Walk

FILE = "search.safetensors"
#: What is kept of a walk beside its states, values, epochs and designs.
_NUMBERS = ("stays", "evaluations", "reference", "best_value", "top")


def write(directory: Path, walk: _Walk, described: dict[str, Any]) -> None:
    """Replace what is kept in ``directory``."""
    meta = {
        "described": described,
        "state": dataclasses.astuple(walk.state),
        "best": dataclasses.astuple(walk.best),
        "values": [[*key, value] for key, value in walk.values.items()],
        "trained": sorted(walk.trained),
        "epochs": [dataclasses.asdict(epoch) for epoch in walk.epochs],
        **{name: getattr(walk, name) for name in _NUMBERS},
    }
    tensors = {
        f"{what}.{i}": real_pair(t)
        for what in ("design", "best_design")
        for i, t in enumerate(optree.tree_leaves(getattr(walk, what)))
    }
    write_bytes(directory / FILE, weights_bytes(tensors, {"search": json.dumps(meta)}))


def read(directory: Path, walk: _Walk, described: dict[str, Any]) -> None:
    """Take up what is kept in ``directory``, if anything is.

    Raises:
        ArgumentError: it is no search, or another one; the message says what differs.
    """
    path = directory / FILE
    if not path.exists():
        return
    try:
        with safe_open(path, "pt") as file:
            meta = json.loads((file.metadata() or {})["search"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = dict(meta["described"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ArgumentError("directory", "a search that was kept here", f"{path} ({type(error).__name__}: {error})") from None
    differs = differences(told, described)
    if differs:
        raise ArgumentError("directory", "the same search as now", f"one with {differs}", "use another directory")
    leaves, tree = optree.tree_flatten(walk.design)
    for what in ("design", "best_design"):
        parts = [from_real_pair(tensors[f"{what}.{i}"], leaf) for i, leaf in enumerate(leaves)]
        setattr(walk, what, optree.tree_unflatten(tree, parts))
    walk.state, walk.best = State(*meta["state"]), State(*meta["best"])
    walk.values = {(a, b, c): value for a, b, c, value in meta["values"]}
    walk.trained = {(a, b, c) for a, b, c in meta["trained"]}
    walk.epochs = [Epoch(**epoch) for epoch in meta["epochs"]]
    for name in _NUMBERS:
        setattr(walk, name, meta[name])
