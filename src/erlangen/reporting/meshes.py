"""`meshes`: surfaces of triangles, to be turned by hand, plain or in the colours of a value at each point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import DIVERGING, PALETTE, SEQUENTIAL, Figure, colour_scale, plain_text

#: Height of a drawing on the page, in pixels.
HEIGHT = 460
#: Triangles of one drawing, at most: a page should open on a phone.
MOST_TRIANGLES = 40_000


class Surface(NamedTuple):
    """A surface of triangles.

    Attributes:
        points: its corners, ``[n, 3]``.
        triangles: their indices, ``[m, 3]``.
        values: a number at each corner, ``[n]``, shown as a colour; none: one colour.
        opacity: 1 hides what is behind; less shows it.
    """

    points: Any
    triangles: Any
    values: Any = None
    opacity: float = 1.0


def meshes(
    surfaces: Mapping[str, Surface],
    edges: Any = (),
    *,
    title: str,
    colour_label: str = "",
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Surfaces of triangles in one space, the third coordinate upwards, one scale for all directions and one for all values.

    Values of both signs are coloured on a scale that is symmetric about zero.

    Args:
        surfaces: name -> surface.
        edges: thin lines ``[n, 2, 3]``: the ground, an axis.
        colour_label: what the values are, with their unit; none: no scale is shown, as where colours only tell parts apart.

    Raises:
        ArgumentError: no surface, one that is not finite or whose triangles name points that are not there, or more than 40,000
            triangles together.

    >>> import torch
    >>> corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> figure = meshes({"sag": Surface(corners, faces, corners[:, 2])}, title="a corner", colour_label="mm")
    >>> figure.plotly_figure.layout.coloraxis.cmax
    1.0
    """
    import numpy as np
    import plotly.graph_objects as go

    from erlangen.reporting.bodies import EDGES, _segments, stage

    checked = {name: _checked(name, surface) for name, surface in surfaces.items()}
    if not checked:
        raise ArgumentError("surfaces", "at least one", "none")
    if (total := sum(len(s.triangles) for s in checked.values())) > MOST_TRIANGLES:
        raise ArgumentError("surfaces", f"at most {MOST_TRIANGLES} triangles together", f"{total}", "decimate them for the drawing")
    figure = go.Figure()
    if len(edges):
        figure.add_scatter3d(
            **_segments(edges), mode="lines", line={"color": EDGES, "width": 2}, showlegend=False, hoverinfo="skip"
        )
    for number, (name, surface) in enumerate(checked.items()):
        x, y, z = surface.points.T
        i, j, k = surface.triangles.T
        coloured = surface.values is not None
        look = {"intensity": surface.values, "coloraxis": "coloraxis"} if coloured else {"color": PALETTE[number % len(PALETTE)]}
        figure.add_mesh3d(
            x=x, y=y, z=z, i=i, j=j, k=k, name=plain_text(name), opacity=surface.opacity, flatshading=True,
            showlegend=len(checked) > 1, hovertemplate="%{intensity:.4g}" if coloured else "%{x:.4g}, %{y:.4g}, %{z:.4g}", **look,
        )  # fmt: skip
    values = [s.values for s in checked.values() if s.values is not None]
    if values:
        low, high = float(np.min([v.min() for v in values])), float(np.max([v.max() for v in values]))
        signed = low < 0 < high
        bound = max(-low, high)
        figure.update_layout(
            coloraxis={
                "colorscale": colour_scale(DIVERGING if signed else SEQUENTIAL[1:]),
                "cmin": -bound if signed else low,
                "cmax": bound if signed else high,
                "showscale": bool(colour_label),
                # Above the drawing: beside it the scale would take a third of a phone's width.
                "colorbar": {
                    "title": {"text": plain_text(colour_label), "side": "top"},
                    "orientation": "h",
                    "thickness": 10,
                    "len": 0.8,
                    "y": 1.0,
                    "yanchor": "bottom",
                },
            }
        )
    figure.update_layout(legend={"y": -0.02, "yanchor": "top"})
    stage(figure, HEIGHT)
    return Figure(title, figure, caption, alt or f"Surfaces in space: {title}")


def _checked(name: str, surface: Surface) -> Surface:
    import numpy as np

    points, triangles = np.asarray(surface.points, dtype=float), np.asarray(surface.triangles)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ArgumentError("surfaces", "finite points [n, 3]", f"shape {points.shape} of {name!r}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu" or not len(triangles):
        raise ArgumentError("surfaces", "triangles [m, 3] of whole numbers", f"{triangles.dtype} {triangles.shape} of {name!r}")
    if triangles.min() < 0 or triangles.max() >= len(points):
        raise ArgumentError("surfaces", f"triangles of points 0 to {len(points) - 1}", f"{triangles.max()} of {name!r}")
    values = None
    if surface.values is not None:
        values = np.asarray(surface.values, dtype=float)
        if values.shape != (len(points),) or not np.isfinite(values).all():
            raise ArgumentError("surfaces", f"finite values [{len(points)}]", f"shape {values.shape} of {name!r}")
    return Surface(points, triangles, values, surface.opacity)
