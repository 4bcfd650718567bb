"""Pictures of volcanoes, level by level, and of the class group on its curves."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from erlangen.extras import engine
from erlangen.fields.curves.volcano import Volcano
from erlangen.reporting import Figure, layered_graph
from erlangen.reporting.figures import DASHES, PALETTE, blank


def draw_volcano(found: Volcano, title: str = "") -> Figure:
    """A volcano with its crater on top and its floor at the bottom; labels are the invariants ``j``.

    >>> from erlangen.fields.curves import Curve, volcano
    >>> draw_volcano(volcano(Curve(67, j=42, trace=4), 2)).title
    'The 2-volcano of trace 4 over the field of 67 elements'
    """
    down = max(found.levels)
    order = _along_the_crater(found)
    layers = [[i for i in order if found.levels[i] == level] for level in range(down, -1, -1)]
    layers = _under_their_parents(found, layers)
    lines = sorted({(min(a, b), max(a, b)) for a, b in found.arrows if a != b})
    E = found.curves[0]
    loops = sum(a == b for a, b in found.arrows)
    double = sum(n > 1 for n in Counter((a, b) for a, b in found.arrows if a < b).values())
    around = sum(level == min(found.levels) for level in found.levels) > 2
    notes = [
        "the two ends of the crater are joined" if around else "",
        f"{loops} isogenies lead from a curve to itself" if loops else "",
        f"{double} lines stand for two" if double else "",
    ]
    drawn = layered_graph(
        layers,
        lines,
        labels=[str(curve.j) for curve in found.curves],
        values={},
        title=title or f"The {found.ell}-volcano of trace {E.trace} over the field of {E.p} elements",
        layer_labels=[f"conductor {found.curves[layer[0]].endomorphism_order().f}" for layer in layers],
        caption=f"Curves by j; lines are isogenies of degree {found.ell}, each with its dual. "
        + " ".join(f"{note[0].upper()}{note[1:]}." for note in notes if note),
        alt=f"{len(found.curves)} curves in {len(layers)} levels",
    )
    # Lines lead straight down from a curve: its label stands beside them, on the floor below it.
    for trace in drawn.plotly_figure.select_traces(selector={"mode": "markers+text"}):
        trace.textposition = ["bottom right" if y else "bottom center" for y in trace.y]
    drawn.plotly_figure.update_xaxes(range=[0, 1.05 * max(map(len, layers))])
    return drawn


def _along_the_crater(found: Volcano) -> list[int]:
    """All curves, those of the crater in the order of a walk around it."""
    near: dict[int, list[int]] = {i: [] for i in range(len(found.curves))}
    for a, b in found.arrows:
        near[a].append(b)
    top = min(found.levels)
    crater = [i for i, level in enumerate(found.levels) if level == top]
    walked = [crater[0]]
    while len(walked) < len(crater):
        ahead = [i for i in near[walked[-1]] if i in crater and i not in walked]
        walked.append(ahead[0] if ahead else next(i for i in crater if i not in walked))
    return walked + [i for i in near if i not in walked]


def _under_their_parents(found: Volcano, layers: list[list[int]]) -> list[list[int]]:
    """The layers, the lowest first, each sorted so that curves stand below those that they come from."""
    place = {i: k for k, i in enumerate(layers[-1])}
    for layer in reversed(layers[:-1]):
        above = {a: place[b] for a, b in found.arrows if a in layer and b in place}
        layer.sort(key=lambda i: above.get(i, len(place)))
        place = {i: k for k, i in enumerate(layer)}
    return layers


def draw_graph(graph: Any, title: str, labels: str = "j", caption: str = "") -> Figure:
    """The graph of a class group on its curves, in a circle along its first prime.

    Args:
        graph: as :meth:`~erlangen.fields.curves.ClassGroupAction.graph` makes it.
        title: of the picture.
        labels: ``"j"``, or ``"A"`` for Montgomery's coefficient.
        caption: below it, before the words for the lines.

    >>> from erlangen.fields.curves import Curve, class_group_action
    >>> action = class_group_action(Curve.montgomery(419, 0))
    >>> len(draw_graph(action.graph((3, 5)), "Z/27 on curves", "A").as_dict()["traces"])
    3
    """
    networkx = engine("isogeny", "networkx")
    primes = sorted({ell for _, _, ell in graph.edges(data="ell")})
    following = {ell: {a: b for a, b, k in graph.edges(data="ell") if k == ell} for ell in primes}
    order: list[Any] = []
    for start in graph:
        while start not in order:
            order.append(start)
            start = following[primes[0]][start]
    spots = networkx.circular_layout(order)
    figure = blank("", "")
    for i, ell in enumerate(primes):
        x: list[float | None] = []
        y: list[float | None] = []
        for a, b in following[ell].items():
            (x0, y0), (x1, y1) = spots[a], spots[b]
            x += [x0, x1, None]
            y += [y0, y1, None]
        figure.add_scatter(
            x=x,
            y=y,
            name=f"degree {ell}",
            mode="lines",
            line={"color": PALETTE[i % len(PALETTE)], "dash": DASHES[i % len(DASHES)], "width": 1.5 if i else 2.5},
            hoverinfo="skip",
        )
    far = 1.12
    figure.add_scatter(
        x=[far * spots[E][0] for E in order],
        y=[far * spots[E][1] for E in order],
        text=[str(E.montgomery_coefficient if labels == "A" else E.j) for E in order],
        mode="text",
        textfont={"size": 11 if len(order) < 40 else 8},
        hovertext=[repr(E) for E in order],
        hoverinfo="text",
        showlegend=False,
    )
    reach = far + 0.12 * math.pi / 3
    figure.update_xaxes(visible=False, range=[-reach, reach], constrain="domain")
    figure.update_yaxes(visible=False, range=[-reach, reach], scaleanchor="x", scaleratio=1)
    figure.update_layout(height=520, showlegend=True, hovermode="closest")
    words = f"Each curve with the curves that ideals of norm {', '.join(map(str, primes))} lead to."
    return Figure(title, figure, f"{caption} {words}".strip(), f"{len(order)} curves in a circle")
