"""Images: the idx files, their stand-in, rotation."""

from __future__ import annotations

import gzip
import importlib
import struct

import pytest
import torch

from erlangen.actions import Images
from erlangen.datasets.fashion import disk, fashion, pad, rotated, rotated_fashion
from erlangen.errors import ArgumentError
from erlangen.groups import SO

module = importlib.import_module("erlangen.datasets.fashion")  # the package's attribute of this name is the function


@pytest.fixture
def folder(tmp_path):
    """A small set in the real format: images whose pixels count up, labels 0 to 9."""
    for part, count in (("train", 40), ("t10k", 20)):
        pixels = bytes((i + j) % 256 for i in range(count) for j in range(28 * 28))
        images = struct.pack(">4i", 0x803, count, 28, 28) + pixels
        labels = struct.pack(">2i", 0x801, count) + bytes(i % 10 for i in range(count))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return tmp_path


def test_reads_the_idx_files(folder):
    train, test, both = (fashion(split, folder) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(both)) == (40, 20, 60)
    assert train.x.dtype == torch.float32
    assert train.x[3, 0, 5] == pytest.approx(8 / 255)
    assert train.x[3, 2, 5] == pytest.approx((3 + 61) / 255)
    assert test.y[13] == 3
    assert test.classes[3] == "dress"


def test_the_folder_comes_from_the_variable_too(folder, monkeypatch):
    monkeypatch.setenv(module.VARIABLE, str(folder))
    assert len(fashion("train")) == 40


def test_bad_files_are_named(folder):
    (folder / "t10k-images-idx3-ubyte.gz").rename(folder / "gone")
    with pytest.raises(ArgumentError, match="t10k-images"):
        fashion("train", folder)
    (folder / "gone").rename(folder / "t10k-images-idx3-ubyte.gz")
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01" + b"\0" * 12))
    with pytest.raises(ArgumentError, match="idx file"):
        fashion("test", folder)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    with pytest.raises(ArgumentError, match="gzip"):
        fashion("test", folder)


def test_the_stand_in_says_what_it_is(monkeypatch):
    monkeypatch.delenv(module.VARIABLE, raising=False)
    monkeypatch.setattr(module, "PLACES", ())
    data, held = fashion("train"), fashion("test")
    assert data.name == "digits"
    assert data.about.startswith("NOT Fashion-MNIST")
    assert data.x.shape == (1347, 28, 28)
    assert len(held) == 450
    assert float(data.x.max()) <= 1


def test_rotation_is_seeded_and_the_actions_own(folder):
    data = fashion("train", folder)
    once, again, other = rotated(data, 33, 4), rotated(data, 33, 4), rotated(data, 33, 5)
    assert torch.equal(once.x, again.x)
    assert not torch.equal(once.x, other.x)
    angle = 2 * torch.pi * torch.rand(40, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)], -2)
    expected = Images(SO(2).vector).act(turn.float(), pad(data.x, 33).unsqueeze(1)).squeeze(1) * disk(33)
    assert torch.allclose(once.x, expected, atol=1e-6)
    assert rotated_fashion("test", 28, path=folder).x.shape == (20, 28, 28)


def test_padding_and_disk():
    assert pad(torch.ones(1, 2, 2), 5).sum() == 4
    assert pad(torch.ones(1, 2, 2), 5)[0, 1:3, 1:3].sum() == 4
    for size in (8, 9):
        mask = disk(size)
        assert torch.equal(mask, torch.rot90(mask))
        assert mask.sum() == pytest.approx(torch.pi * size**2 / 4, rel=0.1)
    with pytest.raises(ArgumentError) as caught:
        pad(torch.ones(1, 3, 4), 5)
    assert caught.value.argument == "images"
    with pytest.raises(ArgumentError) as caught:
        pad(torch.ones(1, 3, 3), 2)
    assert caught.value.argument == "size"
