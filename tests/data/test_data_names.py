"""Data by name, found through entry points."""

from __future__ import annotations

import importlib

import pytest

import erlangen.data
from erlangen.data import load, names, resolve
from erlangen.errors import ArgumentError

TOY = """
import torch
from erlangen.data import DataSet

def toy(split="train"):
    return DataSet(f"toy {split}", torch.ones(3, 1, 2, dtype=torch.float64))
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package of a third party's that offers the data set ``toy-set``, as an installer would leave it."""
    (tmp_path / "toy_package.py").write_text(TOY)
    info = tmp_path / "toy_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[erlangen.data]\ntoy-set = toy_package:toy\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()


@pytest.mark.usefixtures("toy")
def test_a_third_party_can_offer_data():
    assert "toy-set" in names()
    assert load("toy-set", "test").name == "toy test"
    assert erlangen.data.toy_set(split="all").name == "toy all"
    assert resolve("toy-set").name == "toy all"
    assert resolve("toy-set", split="train").name == "toy train"
    with pytest.raises(ArgumentError, match="'tokens': expected nothing, as 'toy-set' is built in"):
        resolve("toy-set", tokens="a b")
    with pytest.raises(ArgumentError, match="argument 'split': expected one of train, test, all; got 'validation'"):
        load("toy-set", "validation")


@pytest.mark.usefixtures("toy")
def test_unknown_names_list_the_known_ones():
    for call in (load, resolve):
        with pytest.raises(ArgumentError, match=r"\(.*toy-set.*\); got 'toys'\. A path of a file .* also works"):
            call("toys")
    with pytest.raises(ArgumentError, match=r"no file at 'toys\.csv'"):
        resolve("toys.csv")
    with pytest.raises(AttributeError, match="no data set or function 'toys'"):
        _ = erlangen.data.toys


def test_the_librarys_own_names():
    assert {"jets", "two-body", "three-body"} <= set(names())
    assert len(load("jets", "test")) == 2000
    assert len(erlangen.data.jets()) == 4000
    assert erlangen.data.two_body(split="test").x.shape == (8690, 5, 8)
