"""Files are whole or not there, and weights must fit."""

import os

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.serialization import load_weights, save_weights, write_bytes, write_json


def test_round_trip_with_shared_tensors(tmp_path):
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    path = save_weights(net, tmp_path / "deep" / "w.safetensors")
    other = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    load_weights(other, path)
    x = torch.randn(4, 3)
    assert torch.equal(net(x), other(x))


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = write_json(tmp_path / "a.json", {"a": 1})

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"new")
    assert path.read_text() == '{\n  "a": 1\n}'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = save_weights(nn.Linear(3, 2), tmp_path / "w.safetensors")
    with pytest.raises(ArgumentError, match=r"shapes weight \[2, 3\] for \[2, 4\]"):
        load_weights(nn.Linear(4, 2), path)
    with pytest.raises(ArgumentError, match="missing 0.bias"):
        load_weights(nn.Sequential(nn.Linear(3, 2)), path)
    with pytest.raises(ArgumentError, match="existing"):
        load_weights(nn.Linear(3, 2), tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"not at all")
    with pytest.raises(ArgumentError, match="a .safetensors file"):
        load_weights(nn.Linear(3, 2), tmp_path / "bad.safetensors")
