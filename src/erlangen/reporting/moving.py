"""`moving`: figures of one kind, one after another, with a button that plays them and a slider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.reporting.bodies import extents, whole_in_frame
from erlangen.reporting.figures import Figure, plain_text

#: Frames of one drawing, at most.
MOST_FRAMES = 200
#: What plotly draws in space.
_IN_SPACE = ("scatter3d", "mesh3d")


def moving(
    figures: Sequence[Figure],
    labels: Sequence[str],
    *,
    title: str,
    seconds: float = 0.1,
    caption: str = "",
    alt: str = "",
) -> Figure:
    """An animation in the page: every frame is a figure with the same traces in the same order, such as those of one call of
    :func:`scatter`, :func:`balls` or :func:`meshes` at several times.

    The axes stand still: they hold what any frame shows. The first frame is what a page without scripts, or on paper, shows.

    Args:
        figures: at least two, at most 200.
        labels: what the slider says of each, ``"t = 0.5 s"``.
        seconds: how long a frame stays.

    Raises:
        ArgumentError: too few or too many frames, labels of another number, or frames that do not have the same traces.

    >>> from erlangen.reporting.figures import scatter
    >>> steps = [scatter({"a": ([0.0, t], [0.0, 1.0])}, title="", x_label="x", y_label="y") for t in (1.0, 2.0)]
    >>> figure = moving(steps, ["t = 1", "t = 2"], title="a walk")
    >>> len(figure.plotly_figure.frames), figure.plotly_figure.layout.xaxis.range[1] > 2
    (2, True)
    """
    import plotly.graph_objects as go

    if not 2 <= len(figures) <= MOST_FRAMES:
        raise ArgumentError("figures", f"2 to {MOST_FRAMES} frames", f"{len(figures)}", "leave some out")
    if len(labels) != len(figures):
        raise ArgumentError("labels", f"{len(figures)} labels, one for each frame", f"{len(labels)}")
    if not 0 < seconds < float("inf"):
        raise ArgumentError("seconds", "a positive number", repr(seconds))
    kinds = [[trace.type for trace in figure.plotly_figure.data] for figure in figures]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise ArgumentError("figures", f"the traces of the first, {kinds[0]}, in each", f"{kind} in frame {number}")
    names = [str(i) for i in range(len(figures))]
    first = figures[0].plotly_figure
    made = go.Figure(first.data, first.layout)
    made.frames = [go.Frame(name=name, data=figure.plotly_figure.data) for name, figure in zip(names, figures, strict=True)]
    in_space = bool(kinds[0]) and kinds[0][0] in _IN_SPACE
    _fix_axes(made, [trace for figure in figures for trace in figure.plotly_figure.data], in_space)
    still = {"mode": "immediate", "transition": {"duration": 0}}
    play = [None, {**still, "frame": {"duration": 1000 * seconds, "redraw": in_space}, "fromcurrent": True}]
    stop = [[None], {**still, "frame": {"duration": 0, "redraw": False}}]
    steps = [
        {"label": plain_text(label), "method": "animate", "args": [[name], {**still, "frame": {"duration": 0, "redraw": in_space}}]}
        for label, name in zip(labels, names, strict=True)
    ]
    made.update_layout(
        height=(first.layout.height or 400) + 90,
        margin={"b": 110},
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "y": -0.06,
                "xanchor": "left",
                "yanchor": "top",
                "pad": {"t": 24},
                "bgcolor": "#d7dbe0",
                "font": {"color": "#1b1f24"},
                "showactive": False,
                "buttons": [
                    {"label": "Play", "method": "animate", "args": play},
                    {"label": "Stop", "method": "animate", "args": stop},
                ],
            }
        ],
        sliders=[
            {
                "x": 0.26,
                "len": 0.74,
                "y": -0.06,
                "yanchor": "top",
                "pad": {"t": 8},
                "ticklen": 0,
                "minorticklen": 0,
                "currentvalue": {"xanchor": "right"},
                "transition": {"duration": 0},
                # Labels of all steps would lie on one another; the present one is shown above.
                "font": {"color": "rgba(0,0,0,0)"},
                "steps": steps,
            }
        ],
    )
    made.layout.sliders[0].currentvalue.font = {"color": "#8a8f98"}
    return Figure(title, made, caption, alt or f"Animation of {len(figures)} frames: {title}")


def _fix_axes(figure: Any, traces: Sequence[Any], in_space: bool) -> None:
    """Ranges that hold all frames; in space with one scale for all directions."""
    if in_space:
        whole_in_frame(figure, traces)
        return
    ranges = extents(traces, "xy")
    for axis, (low, high) in zip("xy", ranges, strict=True):
        if figure.layout[f"{axis}axis"].range is None:
            margin = 0.05 * ((high - low) or 1.0)
            figure.update_layout({f"{axis}axis": {"range": [low - margin, high + margin]}})
