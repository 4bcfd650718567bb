"""Rules of convolutions on graphs of PyTorch Geometric, which is not imported: nodes stay, features move."""

from __future__ import annotations

from typing import Any

from erlangen.parameters.rules import Axes, Typed, linear, name
from erlangen.parameters.streams import Stream, grouped, unify

#: What may be taken over neighbours, feature by feature.
AGGREGATIONS = ("add", "sum", "mean", "max", "min")


def graph_convolution(layer: Any, axes: Axes, x: Any, *rest: Any, **options: Any) -> Typed | None:
    """Sums, means and largest values over neighbours, between linear maps of features (GCN, GraphConv, SAGE of PyTorch Geometric)."""
    maps = [m for m in (getattr(layer, n, None) for n in ("lin", "lin_l", "lin_r", "lin_rel", "lin_root")) if m is not None]
    if not isinstance(x, Typed) or getattr(layer, "project", False) or getattr(layer, "aggr", None) not in AGGREGATIONS:
        return None
    for other in [*rest, *options.values()]:
        if isinstance(other, Typed):
            other.fix()
    x.axes[-2].fix()
    out = Stream(layer.out_channels)
    for own in [linear(m, axes, x).axes[-1] for m in maps]:
        out = unify(out, own)
    if getattr(layer, "bias", None) is not None and not isinstance(layer.bias, bool):
        unify(out, *axes(layer.bias))
    return Typed([*x.axes[:-1], out])


def graph_attention(layer: Any, axes: Axes, x: Any, *rest: Any, **options: Any) -> Typed | None:
    """GAT of PyTorch Geometric: heads are permuted among each other, and features inside all heads alike."""
    wanted = options.pop("return_attention_weights", None)
    if not isinstance(x, Typed) or layer.lin is None or layer.lin_edge is not None or layer.res is not None or wanted is not None:
        return None
    for other in [*rest, *options.values()]:
        if isinstance(other, Typed):
            other.fix()
    x.axes[-2].fix()
    heads, own = Stream(layer.heads), Stream(layer.out_channels)
    name(heads, "heads")
    joined = grouped([heads, own])
    unify(joined, linear(layer.lin, axes, x).axes[-1])
    for tensor in (layer.att_src, layer.att_dst):
        _, by_head, inside = axes(tensor)
        unify(heads, by_head)
        unify(own, inside)
    out = joined if layer.concat else own
    if layer.bias is not None:
        unify(out, *axes(layer.bias))
    return Typed([*x.axes[:-1], out])
