"""`balls`: points in space as balls, with edges between them, to be turned by hand: crystals, molecules, frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import MOST_POINTS, Figure, house_template, plain_text

#: Height of a drawing on the page, in pixels.
HEIGHT = 420
#: Grey of edges, seen on light and dark ground.
EDGES = "#8a8f98"


class Balls(NamedTuple):
    """Balls of one kind.

    Attributes:
        points: their centres, ``[n, 3]``.
        colour: as CSS writes it.
        size: diameter in pixels.
    """

    points: Any
    colour: str
    size: float = 12.0


def balls(
    kinds: Mapping[str, Balls],
    edges: Sequence[Any] = (),
    *,
    title: str,
    sticks: Sequence[Any] = (),
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Balls in space, of several kinds, with thin edges (a cell) and thick sticks (bonds); no axes, one scale for all directions.

    Args:
        kinds: name -> balls.
        edges, sticks: segments ``[n, 2, 3]``.

    Raises:
        ArgumentError: no balls, more than 4,000, or points that are no finite ``[n, 3]``.

    >>> figure = balls({"Na": Balls([[0, 0, 0]], "#AB5CF2"), "Cl": Balls([[1, 0, 0]], "#1FF01F")}, title="a pair")
    >>> [trace["name"] for trace in figure.as_dict()["traces"]]
    ['Na', 'Cl']
    """
    import plotly.graph_objects as go
    import torch

    if not kinds:
        raise ArgumentError("kinds", "at least one kind of balls", "none")
    figure = go.Figure()
    for segments, width in ((edges, 2), (sticks, 6)):
        if len(segments):
            figure.add_scatter3d(
                **_segments(segments), mode="lines", line={"color": EDGES, "width": width}, showlegend=False, hoverinfo="skip"
            )
    for name, kind in kinds.items():
        points = torch.as_tensor(kind.points, dtype=torch.float64)
        if points.ndim != 2 or points.shape[1] != 3 or not bool(points.isfinite().all()) or len(points) > MOST_POINTS:
            raise ArgumentError("kinds", f"at most {MOST_POINTS} finite points [n, 3]", f"shape {tuple(points.shape)} of {name!r}")
        x, y, z = points.T.tolist()
        figure.add_scatter3d(
            x=x,
            y=y,
            z=z,
            name=plain_text(name),
            mode="markers",
            marker={"color": kind.colour, "size": kind.size, "line": {"color": "#22262c", "width": 1}},
            hovertemplate="%{x:.3f}, %{y:.3f}, %{z:.3f}",
        )
    figure.update_layout(showlegend=len(kinds) > 1)
    stage(figure, HEIGHT)
    return Figure(title, figure, caption, alt or f"Drawing in space: {title}")


def stage(figure: Any, height: int) -> None:
    """Set a drawing in space on the page: no axes, seen from above and aside, whole in its frame."""
    hidden = {"visible": False, "showspikes": False}
    figure.update_layout(
        template=house_template(),
        autosize=True,
        height=height,
        scene={
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "bgcolor": "rgba(0,0,0,0)",
            "camera": {"projection": {"type": "orthographic"}, "eye": {"x": 1.4, "y": -1.6, "z": 0.9}},
        },
    )
    whole_in_frame(figure, figure.data)


def extents(traces: Sequence[Any], axes: str) -> list[tuple[float, float]]:
    """The least and the largest finite coordinate of all traces, for each axis."""
    import numpy as np

    ranges = []
    for axis in axes:
        lists = [np.asarray(t[axis], dtype=object).reshape(-1) for t in traces if t[axis] is not None]
        values = np.array([v for part in lists for v in part if v is not None], dtype=float)
        values = values[np.isfinite(values)]
        ranges.append((float(values.min()), float(values.max())) if len(values) else (0.0, 1.0))
    return ranges


def whole_in_frame(figure: Any, traces: Sequence[Any]) -> None:
    """One scale for all directions, at which nothing leaves the frame, however long and thin: the box's diagonal is a cube's."""
    ranges = extents(traces, "xyz")
    widest = max(high - low for low, high in ranges) or 1.0
    bounds = [(low - 0.03 * widest, high + 0.03 * widest) for low, high in ranges]
    diagonal = math.dist(*zip(*bounds))
    scene: dict[str, Any] = {f"{axis}axis": {"range": list(bound)} for axis, bound in zip("xyz", bounds, strict=True)}
    ratio = {axis: math.sqrt(3) * (high - low) / diagonal for axis, (low, high) in zip("xyz", bounds, strict=True)}
    figure.update_layout(scene={**scene, "aspectmode": "manual", "aspectratio": ratio})


def _segments(segments: Sequence[Any]) -> dict[str, list[float | None]]:
    """Coordinates of lines, one after another with gaps."""
    import torch

    ends = torch.stack([torch.as_tensor(one, dtype=torch.float64) for one in segments])
    if ends.shape[1:] != (2, 3) or not bool(ends.isfinite().all()):
        raise ArgumentError("edges", "finite segments [n, 2, 3]", f"shape {tuple(ends.shape)}")
    made: dict[str, list[float | None]] = {"x": [], "y": [], "z": []}
    for one in ends.tolist():
        for i, axis in enumerate("xyz"):
            made[axis] += [one[0][i], one[1][i], None]
    return made
