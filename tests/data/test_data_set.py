"""`DataSet`: layout, parts, and what it prints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.data import DataSet
from erlangen.errors import ArgumentError

X = torch.arange(400, dtype=torch.float64).reshape(50, 2, 4)


def test_layout_and_text():
    data = DataSet("d", X, X[:, :1] * 2, "vector", names=("E", "px", "py", "pz"), units="GeV")
    assert (len(data), data.tokens, data.dim) == (50, 2, 4)
    assert str(data) == "d: 50 samples of 2 tokens in R^4 (E, px, py, pz; GeV), vector target [1, 4]"
    assert str(DataSet("d", X)) == "d: 50 samples of 2 tokens in R^4, no target"
    assert str(DataSet("d", X, X[:, 0, 0], "scalar")).endswith("scalar target")


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("x", (X[0],)),
        ("x", (X.long(),)),
        ("target", (X, X[:, 0, 0])),
        ("target", (X, None, "class")),
        ("target", (X, X[:, 0, 0], "spinor")),
        ("y", (X, X[:, 0, 0], "class")),
        ("y", (X, X[:, :, :3], "vector")),
        ("y", (X, X, "scalar")),
        ("y", (X, X[:40, 0, 0], "scalar")),
        ("names", (X, None, None, ("a",))),
    ],
)
def test_constructor_refuses(argument, arguments):
    with pytest.raises(ArgumentError) as caught:
        DataSet("d", *arguments)
    assert caught.value.argument == argument


def test_subset_and_to():
    data = DataSet("d", X, torch.arange(50) % 2, "class", names=("a", "b", "c", "d"))
    part = data.subset(torch.arange(50) >= 48)
    assert torch.equal(part.x, X[48:])
    assert part.y.tolist() == [0, 1]
    assert part.names == data.names
    assert data.subset([3, 1]).x[:, 0, 0].tolist() == [24.0, 8.0]
    single = data.to(torch.float32)
    assert single.x.dtype == torch.float32
    assert single.y.dtype == torch.int64
    assert DataSet("d", X, X, "vector").to(torch.float32).y.dtype == torch.float32


@settings(max_examples=40, deadline=None)
@given(st.integers(32, 200), st.floats(0.1, 0.9), st.integers(0, 5), st.sampled_from(["class", "scalar"]))
def test_split_is_disjoint_complete_and_repeatable(n, fraction, seed, target):
    marks = torch.arange(n, dtype=torch.float64)
    y = marks if target == "scalar" else (marks % 3 == 0).long()
    data = DataSet("d", marks[:, None, None], y, target)
    first, second = data.split(fraction, seed)
    assert len(first) == round(fraction * n)
    assert sorted(first.x.flatten().tolist() + second.x.flatten().tolist()) == marks.tolist()
    assert torch.equal(first.x, data.split(fraction, seed)[0].x)
    for part in (first, second):
        assert torch.equal(part.y, y[part.x.flatten().long()])
    if target == "class":
        assert abs(first.y.sum().item() - fraction * y.sum().item()) <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("target", ["class", "scalar", None])
@pytest.mark.parametrize("often", [1, 4, "uneven"])
def test_no_sample_is_in_both_parts(often, target, dtype):
    rng = torch.Generator().manual_seed(0)
    which = torch.randint(40, (300,), generator=rng).square() // 40 if often == "uneven" else torch.arange(40).repeat(often)
    base = 1e6 + torch.randn(40, 1, 2, generator=rng, dtype=dtype).cumsum(0)  # far from zero
    x = base[which]
    labels = torch.arange(len(x)) % 2  # copies that contradict each other, too
    y = {"class": labels, "scalar": labels.to(dtype), None: None}[target]
    for seed in range(5):
        first, second = DataSet("d", x, y, target).split(0.7, seed)
        here, there = ({tuple(row) for row in part.x.flatten(1).tolist()} for part in (first, second))
        assert not here & there
        assert len(here | there) == len(which.unique())
        assert len(first) + len(second) == len(x)
        assert abs(len(first) - 0.7 * len(x)) <= which.bincount().max()


def test_splits_of_different_samples_are_those_of_a_permutation():
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    assert torch.equal(DataSet("d", X).split(0.6, 3)[0].x, X[order[:30]])


def test_copies_of_one_sample_cannot_be_split():
    with pytest.raises(ArgumentError, match="50 copies of one") as caught:
        DataSet("d", X[:1].repeat(50, 1, 1)).split(0.5)
    assert caught.value.argument == "x"


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_samples_cannot_be_split(n):
    for data in (DataSet("d", X[:n]), DataSet("d", X[:n], torch.zeros(n, dtype=torch.int64), "class")):
        with pytest.raises(ArgumentError, match="fraction"):
            data.split(0.5)


def test_split_seed_matters_and_bad_fractions_are_refused():
    data = DataSet("d", X)
    assert not torch.equal(data.split(0.5, 0)[0].x, data.split(0.5, 1)[0].x)
    for fraction in (0, 1, -0.5, 2, float("nan"), 1e-6):
        with pytest.raises(ArgumentError, match="fraction"):
            data.split(fraction)


class TestOf:
    def test_kinds_are_recognised(self):
        x = np.random.default_rng(0).normal(size=(60, 3))
        whole = np.arange(60)
        assert DataSet.of(x).y is None
        assert DataSet.of(x).x.shape == (60, 1, 3)
        assert DataSet.of(x, whole % 20).target == "class"
        assert DataSet.of(x, whole % 21).target == "scalar"
        assert DataSet.of(x, whole % 2 == 0).target == "class"
        assert DataSet.of(x, (whole % 2).astype(float)).target == "scalar"
        assert DataSet.of(x, (whole % 2).astype(float), kind="class").target == "class"
        assert DataSet.of(x, (whole % 2)[:, None]).y.shape == (60,)
        assert DataSet.of(x, x[:, :2]).target == "scalar"
        assert DataSet.of(x, x, kind="vector").y.shape == (60, 1, 3)
        assert DataSet.of(x, x[:, None]).target == "vector"
        assert DataSet.of(torch.from_numpy(x).float(), torch.from_numpy(whole)).x.dtype == torch.float64

    def test_labels_become_0_1_2_and_are_remembered(self):
        data = DataSet.of(np.arange(80.0).reshape(40, 2), np.where(np.arange(40) % 4 == 0, 7, -1))
        assert data.y[:5].tolist() == [1, 0, 0, 0, 1]
        assert data.classes == ("-1", "7")
        assert str(data).endswith("class target (class -1: 30, class 7: 10)")
        named = DataSet.of(np.arange(80.0).reshape(40, 2), np.array(["top", "qcd"] * 20), kind="class")
        assert named.classes == ("qcd", "top")
        assert named.y[:2].tolist() == [1, 0]

    def test_input_is_not_changed_and_order_is_kept(self):
        x = np.asfortranarray(np.random.default_rng(0).normal(size=(40, 2, 3)))
        assert np.array_equal(DataSet.of(x).x.numpy(), x)
