"""`voxels`: labelled grids in three dimensions, one below the other: the sites of some labels as cubes, to be turned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import PALETTE, Figure, house_template, plain_text

#: Sites along a side that are drawn, at most.
MOST = 20
#: Of a grid, in units of the frame: what is near to the eye looks larger, and fits still.
DIAGONAL = 1.4


def voxels(grids: Mapping[str, Any], *, title: str, ground: int, caption: str = "", alt: str = "") -> Figure:
    """Integer arrays ``[m, n, k]`` as cubes: all labels but one, which is left transparent.

    They stand one below the other, so that each has the width of the page, which on a phone is small.
    Of grids of more than 20 sites a side the first 20 are drawn, and the caption says so.

    Args:
        grids: arrays by name, drawn from top to bottom.
        ground: the label that is not drawn.

    Raises:
        ArgumentError: there is none, or one is no array of three axes.

    >>> import numpy as np
    >>> figure = voxels({"a": np.array([[[1, 2], [2, 2]]])}, title="one site", ground=2)
    >>> figure.plotly_figure.data[0].i.shape          # six faces, two triangles each
    (12,)
    """
    import numpy as np
    from plotly.subplots import make_subplots

    arrays = {name: np.asarray(grid) for name, grid in grids.items()}
    if not arrays or any(a.ndim != 3 or not a.size for a in arrays.values()):
        raise ArgumentError(
            "grids", "at least one array with three axes", ", ".join(str(a.shape) for a in arrays.values()) or "none"
        )
    if max(max(a.shape) for a in arrays.values()) > MOST:
        caption = f"{caption} The first {MOST} sites along each axis are drawn.".strip()
    figure = make_subplots(
        rows=len(arrays),
        cols=1,
        specs=[[{"type": "scene"}]] * len(arrays),
        vertical_spacing=0.06,
        subplot_titles=[plain_text(name) for name in arrays],
    )
    seen: set[int] = set()
    for row, array in enumerate(arrays.values(), start=1):
        part = array[:MOST, :MOST, :MOST]
        for label in (int(v) for v in np.unique(part) if v != ground):
            corners, triangles = _faces(part == label)
            x, y, z = corners.T
            i, j, k = triangles.T
            figure.add_mesh3d(
                x=x, y=y, z=z, i=i, j=j, k=k, color=PALETTE[(label - 1) % len(PALETTE)], flatshading=True, name=f"phase {label}",
                showlegend=label not in seen, legendgroup=str(label), hoverinfo="name", row=row, col=1,
            )  # fmt: skip
            seen.add(label)
        # The whole grid, its diagonal of one length that fits: a long one would stand out of the frame, a gap would be left out.
        hidden = {"showticklabels": False, "title": {"text": ""}, "showbackground": False}
        axes = {f"{axis}axis": {**hidden, "range": [0, size]} for axis, size in zip("xyz", part.shape)}
        ratio = {axis: DIAGONAL * size / math.hypot(*part.shape) for axis, size in zip("xyz", part.shape)}
        figure.update_scenes(aspectmode="manual", aspectratio=ratio, **axes, row=row, col=1)
    figure.update_layout(
        template=house_template(), autosize=True, height=120 + 320 * len(arrays), legend={"y": -0.02, "yanchor": "top"}
    )
    return Figure(title, figure, caption, alt or f"{len(arrays)} grids of cubes: {title}")


def _faces(mask: Any) -> tuple[Any, Any]:
    """Corners ``[4 f, 3]`` and triangles ``[2 f, 3]`` of the faces between what is in a mask and what is not (or beyond it)."""
    import numpy as np

    quads = []
    padded = np.pad(mask, 1)
    for axis, side in itertools.product(range(3), (0, 1)):
        neighbour = np.roll(padded, 1 - 2 * side, axis)
        at = np.argwhere(padded & ~neighbour) - 1
        u, v = (np.eye(3, dtype=int)[(axis + d) % 3] for d in (1, 2))
        start = at + side * np.eye(3, dtype=int)[axis]
        quads.append(np.stack([start, start + u, start + u + v, start + v], 1))
    corners = np.concatenate(quads).reshape(-1, 3)
    base = 4 * np.arange(len(corners) // 4)[:, None]
    return corners, np.concatenate([base + np.array(corner) for corner in ((0, 1, 2), (0, 2, 3))])
