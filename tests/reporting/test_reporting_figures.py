"""The numbers that the charts draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.reporting import Line, bars_with_error, heatmap, histogram, layered_graph, lines_with_band, scatter
from erlangen.reporting.figures import SEQUENTIAL


def traces(figure):
    return figure.as_dict()["traces"]


def test_heatmap_is_symmetric_about_zero_only_for_signed_entries():
    signed = heatmap(torch.tensor([[3.0, -1.0]], requires_grad=True), title="t").plotly_figure
    assert (signed.layout.coloraxis.cmin, signed.layout.coloraxis.cmax) == (-3.0, 3.0)
    counts = heatmap([[3, 1]], title="t").plotly_figure
    assert (counts.layout.coloraxis.cmin, counts.layout.coloraxis.cmax) == (0.0, 3.0)
    assert counts.layout.coloraxis.colorscale != signed.layout.coloraxis.colorscale
    assert signed.layout.yaxis.autorange == "reversed"  # the first row is on top
    gap = heatmap([[1.0, float("nan")]], title="t")
    assert traces(gap)[0]["z"] == [[1.0, None]]


def test_large_heatmaps_do_not_write_their_entries():
    assert heatmap(np.eye(10), title="t").plotly_figure.data[0].texttemplate
    assert not heatmap(np.eye(11), title="t").plotly_figure.data[0].texttemplate


def test_bars_end_at_their_values_wherever_they_start():
    figure = bars_with_error(["a", "b"], {"m": [0.9, 0.7]}, {"m": [0.1, 0.2]}, title="t", y_label="AUC", floor=0.5)
    (bar,) = traces(figure)
    assert np.add(bar["base"], bar["y"]) == pytest.approx([0.9, 0.7])
    assert bar["error_y"]["array"] == [0.1, 0.2]


def test_bands_are_mean_and_sample_deviation():
    runs = np.random.default_rng(0).normal(size=(5, 7))
    line = Line.of_runs(range(7), torch.tensor(runs))
    assert line.y == pytest.approx(runs.mean(0).tolist())
    assert line.high == pytest.approx((runs.mean(0) + runs.std(0, ddof=1)).tolist())
    figure = lines_with_band({"a": line, "b": Line([0, 1], [2.0, float("inf")])}, title="t", x_label="x", y_label="y")
    band, curve, other = traces(figure)
    assert len(band["y"]) == 14
    assert curve["y"] == line.y
    assert other["y"] == [2.0, None]
    with pytest.raises(ArgumentError):
        Line.of_runs([0], [[1.0]])


def test_logarithmic_bands_leave_out_what_has_no_logarithm():
    line = Line([1, 2], [1.0, 1.0], [-0.1, 0.5], [2.0, 2.0])
    band, _ = traces(lines_with_band({"a": line}, title="t", x_label="x", y_label="y", log_y=True))
    assert band["x"] == [2, 2]


def test_histograms_integrate_to_one_and_own_up_to_gaps():
    values = np.random.default_rng(1).normal(size=1000)
    values[:3] = np.nan
    figure = histogram({"a": values, "b": values[10:]}, title="t", x_label="x", caption="Seen.")
    assert figure.caption == "Seen. 3 values that are not finite are left out."
    for trace in traces(figure):
        edges, density = np.array(trace["x"][1:]), np.array(trace["y"][1:-1])
        assert np.sum(np.diff(edges) * density) == pytest.approx(1.0)
    with pytest.raises(ArgumentError, match="finite"):
        histogram({"a": [float("nan")]}, title="t", x_label="x")


def test_values_that_differ_by_rounding_have_a_histogram():
    figure = histogram({"cosine": [1.0, 1.0 - 2e-16, 1.0 + 2e-16]}, title="t", x_label="x")
    (trace,) = traces(figure)
    edges, density = np.array(trace["x"][1:]), np.array(trace["y"][1:-1])
    assert (edges[0], edges[-1]) == pytest.approx((0.5, 1.5))
    assert np.sum(np.diff(edges) * density) == pytest.approx(1.0)


def test_large_scatters_are_thinned_and_say_so():
    figure = scatter({"cloud": (np.arange(9000), np.arange(9000))}, title="t", x_label="x", y_label="y")
    assert figure.caption == "One in 3 points of cloud is drawn."
    assert traces(figure)[0]["x"][:3] == [0, 3, 6]


def test_text_is_text_for_plotly_too():
    figure = scatter({"<b>a</b>": ([0], [1])}, title="t", x_label="<i>x</i>", y_label="y")
    assert figure.plotly_figure.data[0].name == "&lt;b&gt;a&lt;/b&gt;"
    assert figure.plotly_figure.layout.xaxis.title.text == "&lt;i&gt;x&lt;/i&gt;"


@pytest.mark.parametrize(
    "make",
    [
        lambda: heatmap([1.0, 2.0], title="t"),
        lambda: heatmap([[1.0], [2.0, 3.0]], title="t"),
        lambda: heatmap([[1.0, 2.0]], title="t", row_labels=["a", "b"]),
        lambda: bars_with_error(["a", "b"], {"m": [1.0]}, title="t", y_label="y"),
        lambda: lines_with_band({"a": Line([0, 1], [1.0])}, title="t", x_label="x", y_label="y"),
        lambda: lines_with_band({"a": Line([0], [1.0], [0.0])}, title="t", x_label="x", y_label="y"),
        lambda: scatter({"a": ([[0.0]], [[1.0]])}, title="t", x_label="x", y_label="y"),
        lambda: scatter({"a": (["p"], [1.0])}, title="t", x_label="x", y_label="y"),
    ],
)
def test_wrong_shapes_are_named(make):
    with pytest.raises(ArgumentError):
        make()


def test_large_heat_maps_are_as_tall_as_their_labels():
    small = heatmap([[0.0] * 5] * 5, title="small")
    large = heatmap([[0.0] * 40] * 42, title="large", row_labels=[f"row {i}" for i in range(42)])
    assert small.plotly_figure.layout.height is None
    assert large.plotly_figure.layout.height >= 42 * 12
    assert large.plotly_figure.layout.yaxis.scaleanchor is None


def test_the_lowest_value_of_a_graph_does_not_look_like_none():
    drawn = layered_graph(
        [[0], [1, 2], [3]], [(0, 1), (0, 2), (1, 3)], labels=list("abcd"), values={0: -6.0, 1: 0.2}, marked=[1, 3], title="t"
    )
    symbols = [list(trace.marker.symbol) for trace in drawn.plotly_figure.data[1:]]
    assert symbols == [["circle", "star"], ["circle-open", "star-open"]]
    scale = drawn.plotly_figure.layout.coloraxis.colorscale
    assert scale[0][1] == SEQUENTIAL[1]  # on white the palest would look hollow
