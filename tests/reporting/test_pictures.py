"""Fields as pictures."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.reporting import pictures


def test_all_pictures_have_one_scale_and_stand_in_rows():
    fields = {"truth": [torch.eye(4), -2 * torch.eye(4)], "model": [torch.zeros(4, 4), torch.ones(4, 4)]}
    figure = pictures(fields, ["t = 1", "t = 2"], title="flows").plotly_figure
    assert [trace.name for trace in figure.data] == ["truth, t = 1", "truth, t = 2", "model, t = 1", "model, t = 2"]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-2, 2)
    assert figure.data[1].z[1][1] == -2
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}


def test_large_fields_are_thinned_and_the_caption_says_so():
    figure = pictures({"a": [torch.rand(128, 128)]}, ["now"], title="large", caption="A field.")
    assert figure.caption == "A field. One point in 3 along each axis is drawn."
    assert len(figure.plotly_figure.data[0].z) == 43


def test_what_is_no_picture_is_refused():
    for rows in ({}, {"a": [torch.eye(2)]}, {"a": [torch.ones(2), torch.eye(2)]}, {"a": [torch.eye(2) / 0, torch.eye(2)]}):
        with pytest.raises(ArgumentError, match="rows"):
            pictures(rows, ["one", "two"], title="none")
