"""Surfaces of triangles, and figures that move."""

import json

import numpy as np
import pytest

from erlangen.errors import ArgumentError
from erlangen.reporting import Balls, Surface, balls, lines_with_band, meshes, moving, scatter
from erlangen.reporting.html import inert

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def test_values_of_both_signs_have_a_symmetric_scale_that_all_surfaces_share():
    figure = meshes(
        {"a": Surface(CORNERS, FACES, [-1.0, 0, 0, 0]), "b": Surface(CORNERS + 2, FACES, [0.0, 0, 0, 3])}, title="two"
    ).plotly_figure
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-3, 3)
    assert [trace.coloraxis for trace in figure.data] == ["coloraxis"] * 2
    positive = meshes({"a": Surface(CORNERS, FACES, [1.0, 2, 2, 5])}, title="one").plotly_figure
    assert (positive.layout.coloraxis.cmin, positive.layout.coloraxis.cmax) == (1, 5)
    assert positive.layout.coloraxis.showscale is False
    labelled = meshes({"a": Surface(CORNERS, FACES, [1.0, 2, 2, 5])}, title="one", colour_label="sag / mm").plotly_figure
    assert labelled.layout.coloraxis.colorbar.title.text == "sag / mm"


@pytest.mark.parametrize(
    "surface",
    [
        Surface(CORNERS, FACES + 1),
        Surface(CORNERS, FACES - 1),
        Surface(CORNERS[:, :2], FACES),
        Surface(CORNERS * np.inf, FACES),
        Surface(CORNERS, FACES.astype(float)),
        Surface(CORNERS, FACES[:0]),
        Surface(CORNERS, FACES, [1.0, 2.0]),
        Surface(CORNERS, FACES, [1.0, 2.0, np.nan, 0.0]),
        Surface(CORNERS, np.tile(FACES, (10_001, 1))),
    ],
)
def test_what_is_no_surface_is_refused(surface):
    with pytest.raises(ArgumentError, match="surfaces"):
        meshes({"a": surface}, title="none")
    with pytest.raises(ArgumentError, match="surfaces"):
        meshes({}, title="none")


def test_frames_keep_their_traces_and_axes_hold_all_of_them():
    frames = [balls({"a": Balls([[0.0, 0, t]], "#123456")}, [[[0, 0, 0], [1, 0, 0]]], title="") for t in (0.0, 1.0, 4.0)]
    figure = moving(frames, ["0 s", "1 s", "2 s"], title="rising").plotly_figure
    assert [frame.data[1].z for frame in figure.frames] == [(0.0,), (1.0,), (4.0,)]
    assert figure.data[1].z == (0.0,)
    low, high = figure.layout.scene.zaxis.range
    assert low < 0
    assert high > 4
    # One length on all axes: the box's sides are as long as their ranges.
    spans = [np.diff(figure.layout.scene[f"{axis}axis"].range)[0] for axis in "xyz"]
    sides = [figure.layout.scene.aspectratio[axis] for axis in "xyz"]
    np.testing.assert_allclose(np.divide(spans, sides), np.linalg.norm(spans) / np.sqrt(3))
    assert [step.label for step in figure.layout.sliders[0].steps] == ["0 s", "1 s", "2 s"]


@pytest.mark.parametrize("end", [[30.0, 0.1, 0.2], [1.0, 1.0, 1.0], [0.0, 0.0, 2.0], [5.0, 5.0, 0.0]])
def test_what_is_long_or_flat_stays_in_the_frame(end):
    figures = [balls({"a": Balls([[0.0, 0, 0], end], "#123456")}, title="two points")]
    if np.count_nonzero(end) > 1:
        corners = np.array([[0.0, 0, 0], [end[0], 0, 0], end])
        figures.append(meshes({"a": Surface(corners, np.array([[0, 1, 2]]))}, title="a triangle"))
    for figure in figures:
        scene = figure.plotly_figure.layout.scene
        sides = [scene.aspectratio[axis] for axis in "xyz"]
        assert np.linalg.norm(sides) == pytest.approx(np.sqrt(3))  # as of a cube, which fits
        spans = [np.diff(scene[f"{axis}axis"].range)[0] for axis in "xyz"]
        np.testing.assert_allclose(np.divide(spans, sides), np.divide(spans, sides)[0])
        assert all(low < 0 and high > one for (low, high), one in zip((scene[f"{axis}axis"].range for axis in "xyz"), end))


def test_labels_are_plain_text_and_cannot_leave_the_data_block():
    walk = [scatter({"a": ([0.0, t], [0.0, 1.0])}, title="", x_label="x", y_label="y") for t in (1.0, 2.0)]
    figure = moving(walk, ["<b>", "</script>"], title="walk").plotly_figure
    assert [step.label for step in figure.layout.sliders[0].steps] == ["&lt;b&gt;", "&lt;/script&gt;"]
    assert "<" not in inert(figure.to_json())
    assert len(json.loads(figure.to_json())["frames"]) == 2


def test_frames_of_other_traces_are_refused():
    walk = [scatter({"a": ([0.0], [1.0])}, title="", x_label="x", y_label="y")] * 3
    other = scatter({"a": ([0.0], [1.0]), "b": ([0.0], [1.0])}, title="", x_label="x", y_label="y")
    line = lines_with_band({}, title="", x_label="x", y_label="y")
    for frames, labels in (
        (walk[:1], ["a"]),
        (walk * 70, ["a"] * 210),
        ([*walk, other], list("abcd")),
        ([walk[0], line], ["a", "b"]),
    ):
        with pytest.raises(ArgumentError, match="figures"):
            moving(frames, labels, title="none")
    with pytest.raises(ArgumentError, match="labels"):
        moving(walk, ["a"], title="none")
    with pytest.raises(ArgumentError, match="seconds"):
        moving(walk, list("abc"), title="none", seconds=0.0)
