"""`Figure` and the house's charts: one look, readable on a phone, in light and dark, and without telling colours apart.

Text that is given to these constructors is plain text. plotly is imported on first use.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from erlangen.errors import ArgumentError
from erlangen.reporting.formatting import format_matrix, format_number, typeset
from erlangen.reporting.plain import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

# After Okabe & Ito, whose colours people with the common kinds of colour blindness can tell apart; the blue is
# lightened until it stands out from black as well as from white.
PALETTE = ("#1A7FC1", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross")
PATTERNS = ("", "/", ".", "x", "-", "+")
# Colour scales for light and dark pages: on a dark page neutral is dark, so that zero recedes as white does on paper.
DIVERGING = ("#2166AC", "#92C5DE", "#F7F7F7", "#F4A582", "#B2182B")
DIVERGING_DARK = ("#7CC0F5", "#2F6F9F", "#22272E", "#A04A35", "#F59A7C")
SEQUENTIAL = ("#F7FBFF", "#C6DBEF", "#6BAED6", "#2171B5", "#08306B")
SEQUENTIAL_DARK = ("#1D232B", "#1F4468", "#2B73A8", "#67ADE0", "#D3EAFF")
MOST_POINTS = 4000
_DATA_KEYS = ("type", "name", "x", "y", "z", "base", "error_x", "error_y", "r", "theta", "labels", "values")


@dataclass(frozen=True)
class Figure:
    """A plotly figure with the words around it.

    Args:
        title: shown above it (not inside the drawing, so that it wraps on a phone).
        plotly_figure: a ``plotly.graph_objects.Figure``.
        caption: what is seen, with what bars and bands mean; shown below.
        alt: a description for those who cannot see it; the title when empty.

    >>> heatmap([[1.0, 0.0], [0.0, -1.0]], title="metric").as_dict()["traces"][0]["z"]
    [[1.0, 0.0], [0.0, -1.0]]
    """

    title: str
    plotly_figure: go.Figure
    caption: str = ""
    alt: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The numbers that are drawn, trace by trace, ready for JSON."""
        traces = [trace.to_plotly_json() for trace in self.plotly_figure.data]
        return {
            "title": self.title,
            "caption": self.caption,
            "traces": [{key: plain(trace[key]) for key in _DATA_KEYS if key in trace} for trace in traces],
        }


class Line(NamedTuple):
    """A curve ``y(x)`` with an optional band from ``low`` to ``high``, all of one length."""

    x: Any
    y: Any
    low: Any = None
    high: Any = None

    @classmethod
    def of_runs(cls, x: Any, runs: Any) -> Line:
        """Mean and one sample standard deviation to either side, of ``runs [n_runs, len(x)]`` with ``n_runs >= 2``.

        >>> line = Line.of_runs([0, 1], [[1.0, 2.0], [3.0, 2.0]])
        >>> line.y, [round(v, 3) for v in line.low]
        ([2.0, 2.0], [0.586, 2.0])
        """
        import numpy as np

        values = np.array(_numbers(runs), dtype=float)  # None becomes NaN
        if values.ndim != 2 or len(values) < 2:
            raise ArgumentError("runs", "[n_runs, n_points] with at least two runs", f"shape {values.shape}")
        mean, spread = values.mean(0), values.std(0, ddof=1)
        return cls(_numbers(x), mean.tolist(), (mean - spread).tolist(), (mean + spread).tolist())


#: From so many rows on, a heat map is as tall as its labels need.
_MANY = 20


def heatmap(
    matrix: Any,
    *,
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    x_label: str = "",
    y_label: str = "",
    colour_label: str = "",
    caption: str = "",
    alt: str = "",
) -> Figure:
    """A matrix ``[m, n]`` in colour, first row on top; entries are written in the cells up to 10 columns and 40 rows.

    Signed entries get a scale that is symmetric about zero, so that neutral means zero.
    """
    rows = _numbers(matrix)
    if not (isinstance(rows, list) and rows and all(isinstance(r, list) and r for r in rows) and len({len(r) for r in rows}) == 1):
        raise ArgumentError("matrix", "[m, n] with m, n >= 1", f"shape {getattr(matrix, 'shape', 'ragged')}")
    height, width = len(rows), len(rows[0])
    for argument, labels, length in (("row_labels", row_labels, height), ("column_labels", column_labels, width)):
        if labels and len(labels) != length:
            raise ArgumentError(argument, f"{length} labels", f"{len(labels)}")
    finite = [v for row in rows for v in row if v is not None]
    bound = max((abs(v) for v in finite), default=1.0) or 1.0
    signed = any(v < 0 for v in finite)
    figure = blank(x_label, y_label)
    trace: dict[str, Any] = {"z": rows, "coloraxis": "coloraxis", "xgap": 2, "ygap": 2}
    trace["hovertemplate"] = "row %{y}, column %{x}<br><b>%{z:.5g}</b><extra></extra>"
    if width <= 10 and height <= 40:
        decimals = 2 if width > 5 else 3
        written = format_matrix([[math.nan if v is None else v for v in row] for row in rows], decimals)
        trace |= {"text": [[typeset(v) for v in row] for row in written], "texttemplate": "%{text}"}
    figure.add_heatmap(**trace)
    low = -bound if signed else 0.0
    light, dark = (DIVERGING, DIVERGING_DARK) if signed else (SEQUENTIAL, SEQUENTIAL_DARK)
    bar = {"title": {"text": plain_text(colour_label), "side": "right"}, "thickness": 10, "outlinewidth": 0, "nticks": 5}
    figure.update_layout(
        coloraxis={"colorscale": colour_scale(light), "cmin": low, "cmax": bound, "colorbar": bar},
        meta={"light": colour_scale(light), "dark": colour_scale(dark)},
    )
    for axis, labels, length in (
        (figure.layout.xaxis, column_labels, width),
        (figure.layout.yaxis, row_labels, height),
    ):
        axis.update(showgrid=False, zeroline=False, ticks="", showline=False, constrain="domain")
        if labels or length <= 20:
            names = [plain_text(label) for label in labels] or [str(i + 1) for i in range(length)]
            axis.update(tickvals=list(range(length)), ticktext=names)
        if length > _MANY:
            axis.update(tickfont={"size": 10})
    figure.update_yaxes(autorange="reversed")
    if height > _MANY:
        figure.update_layout(height=15 * height + 160)  # a line of text for each row
    elif 0.5 <= height / width <= 2:
        figure.update_yaxes(scaleanchor="x", scaleratio=1)
    return Figure(title, figure, caption, alt or f"Heat map of a {height} by {width} matrix: {title}")


def bars_with_error(
    categories: Sequence[str],
    values: Mapping[str, Sequence[float]],
    errors: Mapping[str, Sequence[float]] | None = None,
    *,
    title: str,
    y_label: str,
    x_label: str = "",
    floor: float = 0.0,
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Grouped bars: one group per category, one bar in it per entry of ``values`` (a model), with symmetric error bars.

    Args:
        categories: names of the groups, e.g. ``["held-out", "boosted"]``.
        values: for each series its value in every category.
        errors: half-lengths of the error bars; say in ``caption`` what they are.
        floor: where bars start: the value that means nothing was learned (0.5 for AUC).
    """
    figure = blank(x_label, y_label)
    names = [plain_text(c) for c in categories]
    for i, (name, series) in enumerate(values.items()):
        heights = _vector("values", series, len(names))
        spread = None if errors is None or name not in errors else _vector("errors", errors[name], len(names))
        shown = [typeset(format_number(v)) if v is not None else "" for v in heights]
        figure.add_bar(
            name=plain_text(name),
            x=names,
            y=[None if v is None else v - floor for v in heights],
            base=floor,
            customdata=shown,
            hovertemplate="%{x}<br><b>%{customdata}</b>"
            + ("" if spread is None else " ± %{error_y.array:.2g}")
            + "<extra>%{fullData.name}</extra>",
            error_y=None if spread is None else {"type": "data", "array": spread, "thickness": 1.5, "width": 5},
            marker={"color": _colour(i), "pattern": _pattern(i)},
        )
    figure.update_layout(barmode="group", bargap=0.3, bargroupgap=0.08, showlegend=len(values) > 1, hovermode="closest")
    figure.update_xaxes(showgrid=False, type="category")
    if floor:
        figure.update_yaxes(zeroline=False)
        figure.add_hline(y=floor, line_width=1, line_color="#888888")
    return Figure(title, figure, caption, alt or f"Bar chart: {title}")


def lines_with_band(
    lines: Mapping[str, Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Curves with bands: training curves over seeds, errors over distances. Say in ``caption`` what the bands are.

    On a logarithmic axis a band edge that is not positive is left out.
    """
    figure = blank(x_label, y_label)
    for i, (name, line) in enumerate(lines.items()):
        line = Line(*line)
        x = _vector("x", line.x)
        y = _vector("y", line.y, len(x))
        if (line.low is None) != (line.high is None):
            raise ArgumentError("lines", "both low and high, or neither", f"only one of them in {name!r}")
        if line.low is not None:
            low, high = _vector("low", line.low, len(x)), _vector("high", line.high, len(x))
            edges = [
                (a, lo, hi)
                for a, lo, hi in zip(x, low, high, strict=True)
                if lo is not None and hi is not None and (lo > 0 or not log_y)
            ]
            figure.add_scatter(
                x=[a for a, _, _ in edges] + [a for a, _, _ in reversed(edges)],
                y=[hi for _, _, hi in edges] + [lo for _, lo, _ in reversed(edges)],
                name=plain_text(f"{name} (band)"),
                fill="toself",
                fillcolor=_colour(i, 0.2),
                mode="none",
                hoverinfo="skip",
                showlegend=False,
                legendgroup=str(i),
            )
        figure.add_scatter(
            x=x,
            y=y,
            name=plain_text(name),
            mode="lines",
            legendgroup=str(i),
            line={"color": _colour(i), "dash": DASHES[i % len(DASHES)], "width": 2.5},
        )
    figure.update_layout(showlegend=len(lines) > 1, hovermode="x unified")
    for update, log in ((figure.update_xaxes, log_x), (figure.update_yaxes, log_y)):
        if log:
            update(type="log", exponentformat="power", dtick=1)
    return Figure(title, figure, caption, alt or f"Line chart: {title}")


def histogram(
    values: Mapping[str, Any],
    *,
    title: str,
    x_label: str,
    y_label: str = "density",
    bins: int = 40,
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Normalised histograms on common bins, as steps.

    Values that are not finite are left out, and the caption says how many.
    """
    import numpy as np

    series = {name: np.array(_numbers(v), dtype=float).ravel() for name, v in values.items()}
    finite = {name: v[np.isfinite(v)] for name, v in series.items()}
    if not finite or any(v.size == 0 for v in finite.values()):
        raise ArgumentError("values", "at least one finite number in each series", "none")
    everything = np.concatenate(list(finite.values()))
    low, high = float(np.min(everything)), float(np.max(everything))
    # Values that differ by rounding only get bins of a visible width around them.
    least = 1e-9 * max(abs(low), abs(high))
    within = (low, high) if high - low > least else (low - max(least, 0.5), high + max(least, 0.5))
    edges = np.histogram_bin_edges(everything, bins=bins, range=within)
    figure = blank(x_label, y_label)
    for i, (name, v) in enumerate(finite.items()):
        density, _ = np.histogram(v, bins=edges, density=True)
        figure.add_scatter(
            x=[float(edges[0]), *edges.tolist()],
            y=[0.0, *density.tolist(), 0.0],
            name=plain_text(name),
            mode="lines",
            fill="tozeroy" if len(finite) == 1 else None,
            fillcolor=_colour(i, 0.2),
            line={"color": _colour(i), "dash": DASHES[i % len(DASHES)], "width": 2, "shape": "hv"},
        )
    figure.update_layout(showlegend=len(finite) > 1, hovermode="x unified")
    figure.update_yaxes(rangemode="tozero")
    dropped = sum(v.size for v in series.values()) - everything.size
    if dropped:
        caption = f"{caption} {dropped} values that are not finite are left out.".strip()
    return Figure(title, figure, caption, alt or f"Histogram: {title}")


def scatter(
    points: Mapping[str, tuple[Any, Any]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    equal: bool = False,
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Points ``(x, y)`` of one or several series.

    Where a series has more than 4,000 points, every k-th is drawn, and the caption says so.

    Args:
        equal: one unit has the same length on both axes (orbits, positions).
    """
    figure = blank(x_label, y_label)
    for i, (name, (xs, ys)) in enumerate(points.items()):
        x = _vector("points", xs)
        y = _vector("points", ys, len(x))
        step = max(1, math.ceil(len(x) / MOST_POINTS))
        if step > 1:
            caption = f"{caption} One in {step} points of {name} is drawn.".strip()
        figure.add_scatter(
            x=x[::step],
            y=y[::step],
            name=plain_text(name),
            mode="markers",
            marker={"color": _colour(i), "symbol": SYMBOLS[i % len(SYMBOLS)], "size": 6, "opacity": 0.7},
        )
    figure.update_layout(showlegend=len(points) > 1, hovermode="closest")
    if equal:
        figure.update_yaxes(scaleanchor="x", scaleratio=1)
        figure.update_xaxes(constrain="domain")
    return Figure(title, figure, caption, alt or f"Scatter plot: {title}")


def house_template() -> go.layout.Template:
    """The look of every chart, as a plotly template; the page recolours it for dark screens."""
    import plotly.graph_objects as go

    axis = {
        "showline": True,
        "linecolor": "#8a8f98",
        "linewidth": 1,
        "gridcolor": "#e4e7eb",
        "zeroline": True,
        "zerolinecolor": "#c3c8cf",
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": "#8a8f98",
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 14}},
    }
    layout = {
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": "#22262c"},
        "colorway": list(PALETTE),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 12, "r": 20, "t": 36, "b": 12},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "bgcolor": "rgba(0,0,0,0)",
        },
        "xaxis": axis,
        "yaxis": axis,
        "hoverlabel": {"align": "left"},
    }
    return go.layout.Template(layout=layout)


def blank(x_label: str, y_label: str) -> go.Figure:
    """An empty chart in the house's look."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        template=house_template(), autosize=True, xaxis_title_text=plain_text(x_label), yaxis_title_text=plain_text(y_label)
    )
    return figure


def plain_text(text: str) -> str:
    """Plain text for plotly, which would read ``<b>`` as markup."""
    return html.escape(str(text), quote=False)


def _colour(i: int, alpha: float = 1.0) -> str:
    code = PALETTE[i % len(PALETTE)]
    if alpha == 1.0:
        return code
    red, green, blue = (int(code[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def _pattern(i: int) -> dict[str, Any]:
    return {"shape": PATTERNS[i % len(PATTERNS)], "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.75)", "size": 7}


def colour_scale(colours: Sequence[str]) -> list[list[Any]]:
    """Colours at equal distances, as plotly takes them."""
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


def _numbers(values: Any) -> Any:
    """Nested lists of floats and ints, with None (a gap in the drawing) for what is not finite."""
    if callable(getattr(values, "tolist", None)):
        values = values.tolist()
    if isinstance(values, (list, tuple, range)):
        return [_numbers(v) for v in values]
    if isinstance(values, int):
        return int(values)
    try:
        x = float("nan") if values is None else float(values)
    except (TypeError, ValueError):
        raise ArgumentError("values", "numbers", type(values).__name__) from None
    return x if math.isfinite(x) else None


def _vector(argument: str, values: Any, length: int | None = None) -> list[Any]:
    result = _numbers(values)
    if not isinstance(result, list) or any(isinstance(v, list) for v in itertools.islice(result, 1)):
        raise ArgumentError(argument, "one axis of numbers", f"shape {getattr(values, 'shape', type(values).__name__)}")
    if length is not None and len(result) != length:
        raise ArgumentError(argument, f"{length} numbers", f"{len(result)}")
    return result
