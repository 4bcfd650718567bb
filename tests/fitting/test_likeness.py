"""Test data that a user brings are read as the training data are."""

import numpy as np
import pytest
import torch

from erlangen.data import DataSet, collect
from erlangen.errors import ArgumentError
from erlangen.fitting import FitConfig, fit
from erlangen.fitting.likeness import like

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 2, 3))


def test_classes_keep_their_numbers():
    train = DataSet.of(X, np.array(["a", "b", "c"] * 20), kind="class")
    test = DataSet.of(X[:40], np.array(["c", "b"] * 20), kind="class")
    assert test.y.tolist() == [1, 0] * 20
    assert like(train, test).y.tolist() == [2, 1] * 20
    assert like(train, test).classes == ("a", "b", "c")
    numbers = DataSet.of(X, np.arange(60) % 3 * 2)
    assert like(numbers, DataSet.of(X, np.arange(60) % 2 * 4)).y.tolist() == [0, 2] * 30
    with pytest.raises(ArgumentError, match=r"argument 'test': expected the classes of the training data \(a, b, c\); got d"):
        like(train, DataSet.of(X, np.array(["a", "d"] * 30), kind="class"))


@pytest.mark.parametrize(
    ("test", "got"),
    [
        (DataSet.of(X, X[:, 0, 0]), r"2 tokens in R\^3, a scalar target \[\]"),
        (DataSet.of(X[:, :1], np.arange(60) % 2), r"1 token in R\^3, a class target \[\]"),
        (DataSet.of(X), r"2 tokens in R\^3, no target"),
        (collect(RANDOM.random((60, 4, 4, 1)), np.arange(60) % 2), r"images with image \[1, 4, 4\], a class target \[\]"),
    ],
)
def test_other_layouts_are_refused(tmp_path, test, got):
    train = DataSet.of(X, np.arange(60) % 2)
    with pytest.raises(
        ArgumentError, match=rf"argument 'test': expected the layout.*2 tokens in R\^3, a class target \[\]; got {got}"
    ):
        fit(train, test, FitConfig(steps=1), root=tmp_path, quiet=True)


def test_smaller_sets_get_room():
    train, test = (collect([RANDOM.normal(size=(1 + i % most, 2)) for i in range(40)], RANDOM.normal(size=40)) for most in (5, 3))
    wide = like(train, test)
    assert wide.x["members"].shape == (40, 5, 2)
    assert torch.equal(wide.x["there"].sum(1), test.x["there"].sum(1))
    with pytest.raises(ArgumentError, match="the layout of the training data"):
        like(test, train)


def test_parts_that_cannot_be_scored_are_refused_at_once(tmp_path):
    rare = DataSet.of(X, np.arange(60) < 2)
    with pytest.raises(
        ArgumentError, match="argument 'target': expected enough samples of both classes.*got only one of them among"
    ):
        fit(rare, config=FitConfig(steps=1), root=tmp_path, quiet=True)
    scalar = DataSet.of(X, X[:, 0, 0])
    with pytest.raises(ArgumentError, match="at least 2 test samples; got 1"):
        fit(scalar, scalar.subset(slice(0, 1)), FitConfig(steps=1), root=tmp_path, quiet=True)
