"""What discoverers take: tensors, our data sets, torch's data sets and loaders; and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import erlangen as er
from erlangen.data import DataSet
from erlangen.discover.samples import samples_of
from erlangen.errors import ArgumentError

X = torch.randn(40, 2, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 3


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y))


class Dicts(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, i):
        return {"x": X[i]}


def same(found, y=Y):
    assert torch.equal(found.x, X)
    assert (found.labels is None) if y is None else torch.equal(found.labels, y)


def test_data_sets_are_read_whole():
    same(samples_of(TensorDataset(X, Y)))
    same(samples_of(TensorDataset(X)), None)
    same(samples_of(Stream()))
    same(samples_of(DataLoader(TensorDataset(X, Y), batch_size=7)))
    same(samples_of(DataSet("cloud", X, Y, "class")))
    numbers = samples_of(DataSet("cloud", X, X.sum((1, 2)), "scalar"))
    assert torch.equal(numbers.scalars[:, 0], X.sum((1, 2)))
    moving = samples_of(DataSet("cloud", X, X[:, :1], "vector"))
    assert moving.y.shape == (40, 1, 3)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (Dicts(), "dict"),
        (TensorDataset(X, Y, Y), "Tensor, Tensor, Tensor"),
        ([[(X, "a")]][0].__iter__(), "Tensor, str"),
    ],
)
def test_samples_of_other_kinds_are_refused_by_name(data, got):
    with pytest.raises(ArgumentError, match=r"pairs \(x, y\)") as caught:
        samples_of(data)
    assert caught.value.argument == "x"
    assert got in str(caught.value)


def test_a_target_beside_a_data_set_is_one_too_many():
    for data in (TensorDataset(X, Y), DataSet("cloud", X)):
        with pytest.raises(ArgumentError, match="nothing beside a loader or a data set") as caught:
            samples_of(data, Y)
        assert caught.value.argument == "y"


def test_discover_takes_a_data_set_with_its_names():
    with pytest.raises(ArgumentError, match="3 names") as caught:
        er.discover(TensorDataset(X), names=("a", "b"), quiet=True)
    assert caught.value.argument == "names"
    flat = DataSet("flat", torch.cat([X[..., :2], torch.ones(40, 2, 1)], 2), names=("a", "b", "height"))
    with pytest.warns(UserWarning, match="height: constant"):
        er.discover(flat, steps=2, channels=1, quiet=True)
