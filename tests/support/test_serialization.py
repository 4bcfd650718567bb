"""Files are whole or not there, and weights must fit."""

import os

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.serialization import load_weights, read_json, read_tensors, save_weights, write_bytes, write_json


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


@pytest.mark.parametrize(
    ("there", "own", "same"),
    [
        (torch.float64, torch.float32, True),
        (torch.bfloat16, torch.float32, True),
        (torch.int64, torch.float32, False),
        (torch.float32, torch.int64, False),
        (torch.complex64, torch.float32, False),
        (torch.float8_e4m3fn, torch.float32, False),
        (torch.float32, torch.float8_e4m3fn, False),
        (torch.bool, torch.int64, False),
        (torch.int64, torch.int64, True),
        (torch.complex64, torch.complex128, True),
    ],
)
def test_weights_of_another_kind_of_numbers_are_refused(tmp_path, there, own, same):
    class Kept(torch.nn.Module):
        def __init__(self, dtype):
            super().__init__()
            self.register_buffer("numbers", torch.ones(3).to(dtype))

    path = save_weights(Kept(there), tmp_path / "w.safetensors")
    if same:
        load_weights(Kept(own), path)
        return
    with pytest.raises(ArgumentError, match=f"kinds of numbers numbers {str(there)[6:]} for {str(own)[6:]}"):
        load_weights(Kept(own), path)


def test_damaged_files_of_a_run_are_told(tmp_path):
    path = write_bytes(tmp_path / "a.json", b"[1]")
    with pytest.raises(ArgumentError, match="'resume'.*object.*list"):
        read_json(path, "resume")
    save_weights(torch.nn.Linear(1, 1), tmp_path / "w.safetensors")
    with pytest.raises(ArgumentError, match="with 'state'"):
        read_tensors(tmp_path / "w.safetensors", "state", "checkpoint")
    write_bytes(tmp_path / "w.safetensors", (tmp_path / "w.safetensors").read_bytes()[:-2])
    with pytest.raises(ArgumentError, match="'checkpoint'.*damaged"):
        read_tensors(tmp_path / "w.safetensors", "state", "checkpoint")
