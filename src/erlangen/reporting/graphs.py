"""A drawing of things in layers with lines between them: a lattice of subgroups, a hierarchy of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import SEQUENTIAL, SEQUENTIAL_DARK, Figure, blank, colour_scale, plain_text
from erlangen.reporting.formatting import format_number

#: Up to so many marks in a layer, their labels are written beside them.
_WRITTEN = 14


def layered_graph(
    layers: Sequence[Sequence[int]],
    lines: Sequence[tuple[int, int]],
    *,
    labels: Sequence[str],
    values: Mapping[int, float],
    title: str,
    marked: Sequence[int] = (),
    layer_labels: Sequence[str] = (),
    y_label: str = "",
    colour_label: str = "",
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Nodes in horizontal layers, the first at the bottom, in the colours of their values.

    Args:
        layers: the nodes of each layer, from left to right.
        lines: pairs of nodes that are connected.
        labels: of each node; written where a layer has room, else shown when pointed at.
        values: of some nodes; the others are hollow.
        marked: nodes drawn as stars.

    >>> drawn = layered_graph([[0], [1, 2]], [(0, 1), (0, 2)], labels=["a", "b", "c"], values={1: 0.5}, title="t")
    >>> [trace["y"] for trace in drawn.as_dict()["traces"][1:]]        # with a value, without one
    [[1], [0, 1]]
    """
    order = [node for layer in layers for node in layer]
    if sorted(order) != list(range(len(labels))):
        raise ArgumentError("layers", f"each of {len(labels)} nodes once", f"{len(order)} nodes")
    width = max(map(len, layers))
    x = {node: (i + 0.5) * width / len(layer) for layer in layers for i, node in enumerate(layer)}
    y = {node: height for height, layer in enumerate(layers) for node in layer}
    figure = blank("", y_label)
    figure.add_scatter(
        x=[c for a, b in lines for c in (x[a], x[b], None)],
        y=[c for a, b in lines for c in (y[a], y[b], None)],
        mode="lines",
        line={"color": "#9aa0a8", "width": 1},
        hoverinfo="skip",
    )
    few = width <= _WRITTEN
    for nodes in ([n for n in order if n in values], [n for n in order if n not in values]):
        seen = [format_number(values[n]) if n in values else "not evaluated" for n in nodes]
        figure.add_scatter(
            x=[x[n] for n in nodes],
            y=[y[n] for n in nodes],
            mode="markers+text" if few else "markers",
            text=[plain_text(labels[n]) for n in nodes],
            textposition="bottom center",
            textfont={"size": 10},
            customdata=seen,
            hovertemplate="%{text}<br><b>%{customdata}</b><extra></extra>",
            marker={
                "size": [20 if n in marked else 12 for n in nodes],
                "symbol": [("star" if n in marked else "circle") + ("" if n in values else "-open") for n in nodes],
                "line": {"width": 1.5, "color": "#6b7280"},
                **(
                    {"color": [values[n] for n in nodes], "coloraxis": "coloraxis"}
                    if nodes and nodes[0] in values
                    else {"color": "#9aa0a8"}
                ),
            },
        )
    low, high = (min(values.values()), max(values.values())) if values else (0.0, 1.0)
    bar = {"title": {"text": plain_text(colour_label), "side": "right"}, "thickness": 10, "outlinewidth": 0, "nticks": 5}
    # Without the palest colour, which on the page looks hollow.
    light, dark = colour_scale(SEQUENTIAL[1:]), colour_scale(SEQUENTIAL_DARK[1:])
    figure.update_layout(
        coloraxis={"colorscale": light, "cmin": low, "cmax": high, "colorbar": bar, "showscale": bool(values)},
        meta={"light": light, "dark": dark},
        showlegend=False,
        hovermode="closest",
        height=max(320, 90 * len(layers) + 80),
    )
    figure.update_xaxes(visible=False)
    names = [plain_text(label) for label in layer_labels] or [str(i) for i in range(len(layers))]
    figure.update_yaxes(tickvals=list(range(len(layers))), ticktext=names, showgrid=False, zeroline=False)
    return Figure(title, figure, caption, alt or f"Graph in {len(layers)} layers: {title}")
