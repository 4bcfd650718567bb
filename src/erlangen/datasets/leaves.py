"""`leaves`: the outlines of 442 leaves of six species, read from the text files that aeon ships, without importing it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data import DataSet, Split, check_split
from erlangen.errors import ArgumentError
from erlangen.extras import shipped

LENGTH = 427
FOLDER = ("datasets", "data", "OSULeaf")


def leaves(split: Split = "train", length: int = LENGTH, folder: str | Path | None = None) -> DataSet:
    """OSULeaf: 200 training and 242 test outlines of leaves in six classes, anti-clockwise, each standardised.

    ``x`` is float32 ``[N, length, 1]``, one number for each point of the outline. Where an outline starts says nothing about the leaf:
    the cyclic group of order ``length`` acts on the points.

    Args:
        split: ``"train"``, ``"test"`` or ``"all"``.
        length: points on each outline, 427 as measured; other numbers by :func:`resample`.
        folder: where ``OSULeaf_TRAIN.ts`` and ``OSULeaf_TEST.ts`` are; by default in the installed package ``aeon``.

    Raises:
        MissingExtra: aeon is not installed, and no folder is given.
        ArgumentError: a file is not there, or not what it should be.

    Source: A. Gandhi, "Content-based image retrieval: plant species identification", MSc thesis, Oregon State University, 2002; the
    UCR archive, Dau et al. 2019, arXiv:1810.07758.
    """
    check_split(split)
    place = _installed() if folder is None else Path(folder).expanduser()
    parts = [read_ts(place / f"OSULeaf_{part.upper()}.ts") for part in (("train", "test") if split == "all" else (split,))]
    x, y = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    return DataSet(
        "leaves",
        resample(x, length).float().unsqueeze(-1),
        y - 1,
        "class",
        source="OSULeaf, UCR archive (Dau et al. 2019, arXiv:1810.07758), as shipped with aeon",
        about=f"outlines of leaves, {length} points each, six classes; the starting point is arbitrary",
        classes=tuple(map(str, range(1, 7))),
    )


def resample(x: Float[Tensor, "*batch t"], length: int) -> Float[Tensor, "*batch length"]:
    """Closed curves at another number of equally spaced points, by their Fourier series; frequencies beyond the new rate are left out.

    >>> wave = torch.cos(2 * torch.pi * torch.arange(12.0) / 12)
    >>> torch.allclose(resample(wave, 5), torch.cos(2 * torch.pi * torch.arange(5.0) / 5), atol=1e-6)
    True
    """
    if length < 3:
        raise ArgumentError("length", "at least 3 points", repr(length))
    before = x.shape[-1]
    if length == before:
        return x
    kept = (min(before, length) - 1) // 2 + 1  # below the lower of the two highest frequencies
    spectrum = torch.fft.rfft(x)[..., :kept]
    return torch.fft.irfft(torch.nn.functional.pad(spectrum, (0, length // 2 + 1 - kept)), n=length) * (length / before)


def read_ts(file: Path) -> tuple[Tensor, Tensor]:
    """A ``.ts`` file of series of one length with integer classes: float64 ``[N, t]`` and int64 ``[N]``.

    Raises:
        ArgumentError: the file is not there, or a line is not a series of the length of the first.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError("folder", f"a folder with the text file {file.name}", str(error)) from error
    marks = [i for i, line in enumerate(lines) if line.strip().lower() == "@data"]
    if not marks:
        raise ArgumentError("folder", f"a line '@data' in {file.name}", "none")
    series: list[np.ndarray] = []
    labels: list[int] = []
    for number, line in enumerate(lines[marks[0] + 1 :], marks[0] + 2):
        if not line.strip():
            continue
        values, _, label = line.rpartition(":")
        try:
            row = np.array([float(value) for value in values.split(",")])
            labels.append(int(label))
        except ValueError as error:
            raise ArgumentError("folder", f"numbers, a colon and a class in line {number} of {file.name}", str(error)) from error
        if not np.isfinite(row).all() or (series and len(row) != len(series[0])):
            got = f"{len(row)}, of which {int(np.isfinite(row).sum())} finite"
            raise ArgumentError("folder", f"as many finite numbers in line {number} of {file.name} as in the first", got)
        series.append(row)
    if not series:
        raise ArgumentError("folder", f"series below '@data' in {file.name}", "none")
    return torch.from_numpy(np.stack(series)), torch.tensor(labels)


def _installed() -> Path:
    return shipped("outlines", "aeon").joinpath(*FOLDER)
