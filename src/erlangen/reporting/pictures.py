"""`pictures`: fields beside each other, in one scale of colours: a truth above what models make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import (
    DIVERGING,
    DIVERGING_DARK,
    SEQUENTIAL,
    SEQUENTIAL_DARK,
    Figure,
    colour_scale,
    house_template,
    plain_text,
)

#: Height of a picture in pixels of the page, and most numbers along a side that are kept of it.
SIDE, MOST = 120, 48
#: Largest whole number for which each has a tick.
MOST_TICKS = 6


def pictures(
    rows: Mapping[str, Sequence[Any]],
    columns: Sequence[str],
    *,
    title: str,
    colour_label: str = "",
    caption: str = "",
    alt: str = "",
) -> Figure:
    """Fields ``[m, n]`` as pictures: one row for each name, one column for each label, first axis downwards, all on one scale.

    Fields with signs get a scale that is symmetric about zero. Of fields of more than 48 points a side every k-th is drawn, and the
    caption says so.

    Raises:
        ArgumentError: there is none, a row has another length than ``columns``, or a field is no matrix of finite numbers.

    >>> import torch
    >>> figure = pictures({"truth": [torch.eye(3)], "model": [torch.zeros(3, 3)]}, ["t = 1"], title="one step")
    >>> len(figure.as_dict()["traces"])
    2
    """
    import torch
    from plotly.subplots import make_subplots

    if not rows or not columns:
        raise ArgumentError("rows", "at least one row and one column", f"{len(rows)} and {len(columns)}")
    fields: list[list[torch.Tensor]] = []
    for name, row in rows.items():
        if len(row) != len(columns):
            raise ArgumentError("rows", f"{len(columns)} fields in each row", f"{len(row)} in {name!r}")
        fields.append([torch.as_tensor(field, dtype=torch.float64) for field in row])
    for name, row in zip(rows, fields):
        for field in row:
            if field.ndim != 2 or not field.numel() or not bool(field.isfinite().all()):
                raise ArgumentError("rows", "matrices of finite numbers", f"shape {tuple(field.shape)} in {name!r}")
    bound = max(float(field.abs().max()) for row in fields for field in row) or 1.0
    signed = any(bool((field < 0).any()) for row in fields for field in row)
    step = max(-(-max(field.shape) // MOST) for row in fields for field in row)
    if step > 1:
        caption = f"{caption} One point in {step} along each axis is drawn.".strip()
    gap = 0.3 / len(fields)
    figure = make_subplots(
        rows=len(fields), cols=len(columns), horizontal_spacing=0.02, vertical_spacing=gap if len(fields) > 1 else 0
    )
    for i, (name, row) in enumerate(zip(rows, fields), start=1):
        for j, (label, field) in enumerate(zip(columns, row), start=1):
            shown = field[::step, ::step]
            where = plain_text(f"{name}, {label}")
            figure.add_heatmap(
                z=[[float(f"{v:.4g}") for v in line] for line in shown.tolist()],
                coloraxis="coloraxis",
                name=where,
                hovertemplate=f"{where}<br><b>%{{z:.3g}}</b><extra></extra>",
                row=i,
                col=j,
            )
            # Pictures are square where their fields are, and a row's name stands above it: beside it long names would not fit.
            figure.update_yaxes(scaleanchor=figure.data[-1].xaxis or "x", row=i, col=j)
        top = figure.get_subplot(i, 1).yaxis.domain[1]
        figure.add_annotation(
            text=plain_text(name), x=0, y=top, xref="paper", yref="paper", xanchor="left", yanchor="bottom", showarrow=False
        )
    for j, label in enumerate(columns, start=1):
        figure.update_xaxes(title_text=plain_text(label), row=len(fields), col=j)
    light, dark = (DIVERGING, DIVERGING_DARK) if signed else (SEQUENTIAL, SEQUENTIAL_DARK)
    bar = {"title": {"text": plain_text(colour_label), "side": "right"}, "thickness": 10, "outlinewidth": 0, "nticks": 5}
    if bound <= MOST_TICKS and all(bool((field == field.round()).all()) for row in fields for field in row):
        bar |= {"dtick": 1}  # between whole numbers there is nothing
    figure.update_layout(
        template=house_template(),
        autosize=True,
        height=SIDE * len(fields) + 90,
        coloraxis={"colorscale": colour_scale(light), "cmin": -bound if signed else 0.0, "cmax": bound, "colorbar": bar},
        meta={"light": colour_scale(light), "dark": colour_scale(dark)},
    )
    figure.update_xaxes(showgrid=False, zeroline=False, showline=False, showticklabels=False, ticks="", constrain="domain")
    figure.update_yaxes(
        showgrid=False, zeroline=False, showline=False, showticklabels=False, ticks="", autorange="reversed", constrain="domain"
    )
    return Figure(title, figure, caption, alt or f"{len(fields)} rows of {len(columns)} pictures: {title}")
