"""Sets, sequences and graphs from arrays and lists: what is shorter than the longest is filled up, and a part says what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.checks import numeric
from erlangen.errors import ArgumentError


def sets(x: Any) -> dict[str, Tensor]:
    """Sets ``[N, n, c]``, or a list of arrays ``[n, c]`` or ``[n]`` of different lengths.

    >>> sets([np.zeros((2, 3)), np.ones((4, 3))])["there"].sum(1).tolist()
    [2, 4]
    """
    members, there = filled_up("x", x)
    return {"members": members, "there": there}


def sequences(x: Any) -> dict[str, Tensor]:
    """Sequences ``[N, T, c]`` or ``[N, T]``, or a list of arrays of one length.

    >>> sequences(np.zeros((4, 7)))["sequence"].shape
    torch.Size([4, 7, 1])
    """
    steps, there = filled_up("x", x)
    if not bool(there.all()):
        lengths = there.sum(1)
        got = f"lengths from {int(lengths.min())} to {int(lengths.max())}"
        raise ArgumentError(
            "x", "sequences of one length", got, "as sets, with their time as one of the numbers, any length will do"
        )
    return {"sequence": steps}


def graphs(edges: Any, nodes: Any = None, there: Any = None) -> dict[str, Tensor]:
    """Graphs of one size: matrices ``[N, n, n]`` or ``[N, n, n, e]``, and numbers of the nodes ``[N, n, c]``, by default a one each.

    >>> graphs(np.ones((4, 5, 5)))["nodes"].shape
    torch.Size([4, 5, 1])
    """
    values = numeric("edges", edges)
    values = values[..., None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[1] != values.shape[2]:
        raise ArgumentError("edges", "matrices [N, n, n] or [N, n, n, e]", f"shape {list(np.shape(edges))}")
    size = values.shape[:2]
    own = np.ones((*size, 1)) if nodes is None else numeric("nodes", nodes)
    own = own[..., None] if own.ndim == 2 else own
    if own.ndim != 3 or own.shape[:2] != size:
        raise ArgumentError("nodes", f"numbers [{size[0]}, {size[1]}, c]", f"shape {list(own.shape)}")
    present = np.ones(size, dtype=bool) if there is None else numeric("there", there).astype(bool)
    return {"nodes": torch.from_numpy(own), "edges": torch.from_numpy(values), "there": torch.from_numpy(present)}


def graphs_of_pyg(data: Sequence[Any]) -> dict[str, Tensor]:
    """Graphs from PyG ``Data`` objects, or what has their attributes ``edge_index``, ``x``, ``edge_attr``, ``num_nodes``.

    The edges' numbers are a one each beside ``edge_attr``.

    >>> from types import SimpleNamespace
    >>> one = SimpleNamespace(edge_index=torch.tensor([[0, 1], [1, 0]]), x=torch.ones(2, 3), edge_attr=None, num_nodes=2)
    >>> graphs_of_pyg([one])["edges"].shape
    torch.Size([1, 2, 2, 1])
    """
    sizes = [int(one.num_nodes) for one in data]
    n = max(sizes)
    first = data[0]
    channels = 1 if getattr(first, "x", None) is None else _columns(first.x).shape[1]
    extra = 0 if getattr(first, "edge_attr", None) is None else _columns(first.edge_attr).shape[1]
    nodes = torch.zeros(len(data), n, channels, dtype=torch.float64)
    edges = torch.zeros(len(data), n, n, 1 + extra, dtype=torch.float64)
    for i, one in enumerate(data):
        nodes[i, : sizes[i]] = 1.0 if getattr(one, "x", None) is None else _columns(one.x)
        source, target = one.edge_index
        edges[i, target, source, 0] = 1.0
        if extra:
            edges[i, target, source, 1:] = _columns(one.edge_attr)
    return {"nodes": nodes, "edges": edges, "there": torch.arange(n) < torch.tensor(sizes).unsqueeze(1)}


def filled_up(argument: str, x: Any) -> tuple[Tensor, Tensor]:
    """Members ``[N, n, c]``, zero where there are none, and where there are some ``[N, n]``.

    Raises:
        ArgumentError: an empty sample, or samples of different numbers of channels.
    """
    if isinstance(x, np.ndarray | Tensor) and str(x.dtype) != "object":
        values = numeric(argument, x)
        values = values[..., None] if values.ndim == 2 else values
        if values.ndim != 3 or not values.size:
            raise ArgumentError(argument, "an array [N, n, c] or [N, n]", f"shape {list(values.shape)}")
        return torch.from_numpy(values), torch.ones(values.shape[:2], dtype=torch.bool)
    each = [numeric(argument, one) for one in x]
    each = [one[:, None] if one.ndim == 1 else one for one in each]
    for i, one in enumerate(each):
        if one.ndim != 2 or not len(one) or one.shape[1] != each[0].shape[1]:
            raise ArgumentError(argument, f"arrays [n, {each[0].shape[-1]}] with at least one row", f"{list(one.shape)} at {i}")
    n = max(map(len, each))
    members = torch.zeros(len(each), n, each[0].shape[1], dtype=torch.float64)
    for i, one in enumerate(each):
        members[i, : len(one)] = torch.from_numpy(one)
    return members, torch.arange(n) < torch.tensor([len(one) for one in each]).unsqueeze(1)


def _columns(x: Any) -> Tensor:
    x = torch.as_tensor(x, dtype=torch.float64)
    return x.unsqueeze(1) if x.ndim == 1 else x
