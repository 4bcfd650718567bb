"""Which layers of a model read its input and which make its output: by how the model runs, not by how it was written down."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from torch import fx, nn


class Ends(NamedTuple):
    """Names of the layers that read the input before any other layer, and of those after which no other layer comes."""

    first: frozenset[str]
    last: frozenset[str]


class _Tracer(fx.Tracer):
    def __init__(self, layers: Collection[str]) -> None:
        super().__init__()
        self.layers = layers

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name in self.layers or super().is_leaf_module(m, module_qualified_name)


def ends_of(model: nn.Module, layers: Collection[str]) -> Ends | None:
    """The ends of a model by a symbolic run; ``None`` where it cannot be run so (its steps depend on the data).

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> [sorted(part) for part in ends_of(net, ["0", "2"])]
    [['0'], ['2']]
    """
    if "" in layers:
        return Ends(frozenset([""]), frozenset([""]))
    try:
        graph = _Tracer(layers).trace(model)
    except Exception:  # whatever the model does with what is no tensor
        return None
    raw: dict[fx.Node, bool] = {}
    first = set()
    for node in graph.nodes:
        if node.op == "placeholder":
            raw[node] = True
            continue
        inputs = [n for n in node.all_input_nodes if n.op != "get_attr"]
        reads = bool(inputs) and all(raw[n] for n in inputs)
        layer = _layer(node, layers)
        if layer is not None and reads:
            first.add(layer)
        raw[node] = reads and layer is None
    last, seen = set(), set()
    waiting: list[Any] = [node for node in graph.nodes if node.op == "output"]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        layer = _layer(node, layers)
        if layer is None:
            waiting.extend(node.all_input_nodes)
        else:
            last.add(layer)
    return Ends(frozenset(first), frozenset(last)) if first and last else None


def _layer(node: fx.Node, layers: Collection[str]) -> str | None:
    return str(node.target) if node.op == "call_module" and node.target in layers else None
