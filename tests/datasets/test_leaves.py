"""Outlines: the files that aeon ships, resampling of closed curves, and bad files."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from erlangen.datasets import leaves
from erlangen.datasets.leaves import read_ts, resample
from erlangen.errors import ArgumentError, MissingExtra

needs_aeon = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="aeon is not installed")
F64 = torch.float64


@needs_aeon
def test_the_leaves_that_aeon_ships():
    train, test, both = (leaves(split) for split in ("train", "test", "all"))
    assert train.x.shape == (200, 427, 1)
    assert test.x.shape == (242, 427, 1)
    assert torch.equal(both.x, torch.cat([train.x, test.x]))
    assert sorted(train.y.unique().tolist()) == list(range(6))
    assert float(train.x[0, 0, 0]) == pytest.approx(0.55067091)
    # Each outline is standardised.
    assert torch.allclose(train.x.mean(1), torch.zeros(200, 1), atol=1e-4)
    assert torch.allclose(train.x.std(1), torch.ones(200, 1), atol=1e-2)
    assert leaves("test", 120).x.shape == (242, 120, 1)


def test_resampling_keeps_low_frequencies_and_commutes_with_turning():
    t = torch.arange(60, dtype=F64) / 60
    curve = 1 + torch.cos(2 * torch.pi * t) - 0.5 * torch.sin(6 * torch.pi * t)
    s = torch.arange(45, dtype=F64) / 45
    assert torch.allclose(resample(curve, 45), 1 + torch.cos(2 * torch.pi * s) - 0.5 * torch.sin(6 * torch.pi * s), atol=1e-12)
    assert torch.allclose(resample(resample(curve, 45), 60), curve, atol=1e-12)
    assert resample(curve, 60) is curve
    rough = torch.randn(3, 60, dtype=F64, generator=torch.Generator().manual_seed(0))
    # Four points of sixty are three of forty-five.
    assert torch.allclose(resample(rough.roll(4, -1), 45), resample(rough, 45).roll(3, -1), atol=1e-12)
    with pytest.raises(ArgumentError, match="'length'"):
        resample(curve, 2)


def test_reads_text_files_and_names_what_is_wrong(tmp_path):
    for part in ("TRAIN", "TEST"):
        rows = "\n".join(f"{i},{i + 1},{i + 2.5}:{1 + i % 6}" for i in range(40))
        (tmp_path / f"OSULeaf_{part}.ts").write_text(f"# leaves\n@classLabel true 1 2\n@data\n{rows}\n\n")
    data = leaves("all", 3, tmp_path)
    assert data.x.shape == (80, 3, 1)
    assert data.x[2, :, 0].tolist() == [2.0, 3.0, 4.5]
    assert data.y[:7].tolist() == [0, 1, 2, 3, 4, 5, 0]
    file = tmp_path / "broken.ts"
    for text, wanted in (
        ("1,2:1", "@data"),
        ("@data\n1,2:1\n1,2,3:1", "line 3"),
        ("@data\n1,two:1", "line 2"),
        ("@data\n1,nan:1", "line 2"),
        ("@data\n1,2", "line 2"),
        ("@data\n", "series below"),
    ):
        file.write_text(text)
        with pytest.raises(ArgumentError, match=wanted):
            read_ts(file)
    with pytest.raises(ArgumentError, match=r"gone\.ts"):
        read_ts(tmp_path / "gone.ts")


def test_without_aeon_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"erlangen\[outlines\]"):
        leaves()
