"""`fashion`: 70 000 images of clothes, read from the files that a Debian package installs; `rotated`: each turned once."""

from __future__ import annotations

import dataclasses
import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions import Images
from erlangen.data import DataSet, Split, check_split
from erlangen.datasets.digits import split_digits
from erlangen.errors import ArgumentError
from erlangen.groups import SO

#: Where the four ``idx.gz`` files are looked for, in this order, when no path is given: the folder in this environment variable, the
#: one of Debian's package ``dataset-fashion-mnist``, and where other loaders keep them.
VARIABLE = "ERLANGEN_FASHION_MNIST"
PLACES = (
    "/usr/share/datasets/fashion-mnist",
    "~/.local/share/fashion-mnist",
    "~/.keras/datasets/fashion-mnist",
    "data/FashionMNIST/raw",
)
LABELS = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
SIDE = 28


def fashion(split: Split = "train", path: str | Path | None = None) -> DataSet:
    """Fashion-MNIST: 60 000 training and 10 000 test images of clothes in ten classes.

    ``x`` is float32 ``[N, 28, 28]`` from 0 to 1, row by row from the top (``x.unsqueeze(1)`` gives images with a channel). Without the
    files and without a path, scikit-learn's 1797 handwritten digits, enlarged to the same size, take their place, and ``about`` says so.

    Args:
        split: ``"train"``, ``"test"`` or ``"all"``.
        path: the folder with ``train-images-idx3-ubyte.gz`` and the three others; by default the first of :data:`PLACES` that has them.

    Raises:
        ArgumentError: ``path`` has not all files, or one is not what it should be.
        MissingExtra: neither the files nor scikit-learn are installed.

    Source: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.

    >>> data = fashion("test")
    >>> data.x.shape[1:], data.target
    (torch.Size([28, 28]), 'class')
    """
    check_split(split)
    folder = _folder(path)
    if folder is None:
        return _digits(split)
    parts = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}[split]
    x = torch.cat([_read(folder / f"{part}-images-idx3-ubyte.gz", 3) for part in parts])
    y = torch.cat([_read(folder / f"{part}-labels-idx1-ubyte.gz", 1) for part in parts])
    return DataSet(
        "fashion",
        x.float() / 255,
        y.long(),
        "class",
        source="Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747",
        about="Fashion-MNIST: images of clothes, 28 x 28 grey values from 0 to 1",
        classes=LABELS,
    )


def rotated(data: DataSet, size: int = 32, seed: int = 0) -> DataSet:
    """Each image padded to ``size`` x ``size``, turned once by a random angle about its centre and cut to the inscribed disk.

    The angle is uniform, from ``seed``. Values are interpolated once, bilinearly.

    Args:
        data: square images ``[N, H, H]``.
        size: at least ``H``.

    >>> rotated(fashion("test").subset(slice(8))).x.shape
    torch.Size([8, 32, 32])
    """
    padded = pad(data.x, size)
    angle = 2 * math.pi * torch.rand(len(data), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    plane = SO(2).algebra
    assert plane is not None
    turns = SO(2).exp(plane.combine(angle.unsqueeze(1)))
    action = Images(SO(2).vector)
    # In parts: the grid of sampling points is twice as large as the images.
    parts = [action.act(g, x.unsqueeze(1)).squeeze(1) for g, x in zip(turns.to(padded).split(4096), padded.split(4096))]
    turned = torch.cat(parts) * disk(size).to(padded)
    return dataclasses.replace(data, x=turned, about=f"{data.about}; each rotated once by a random angle (seed {seed})")


def rotated_fashion(split: Split = "train", size: int = 32, seed: int = 0, path: str | Path | None = None) -> DataSet:
    """:func:`rotated` of :func:`fashion`; training and test images have angles of their own.

    >>> rotated_fashion("test", size=28).x.shape[1:]
    torch.Size([28, 28])
    """
    return rotated(fashion(split, path), size, 2 * seed + (split == "test"))


def pad(images: Float[Tensor, "N h w"], size: int) -> Float[Tensor, "N size size"]:
    """Zeros around square images; of an odd number of rows, the extra one comes last.

    Raises:
        ArgumentError: images are not square, or larger than ``size``.
    """
    height, width = images.shape[-2:]
    if height != width:
        raise ArgumentError("images", "square images", f"{height} x {width}")
    if size < height:
        raise ArgumentError("size", f"at least the images' side, {height}", repr(size))
    before = (size - height) // 2
    after = size - height - before
    return torch.nn.functional.pad(images, (before, after, before, after))


def disk(size: int) -> Float[Tensor, "size size"]:
    """1 for pixels whose centre lies in the disk inscribed in the image, 0 outside.

    >>> disk(4).int().tolist()[0]
    [0, 1, 1, 0]
    """
    line = torch.arange(size) - (size - 1) / 2
    return ((line.square().unsqueeze(1) + line.square()) <= (size / 2) ** 2).float()


def _folder(path: str | Path | None) -> Path | None:
    """Where all four files are."""
    names = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    given = path if path is not None else os.environ.get(VARIABLE) or None
    if given is not None:
        missing = [name for name in names if not (Path(given).expanduser() / name).is_file()]
        if missing:
            raise ArgumentError("path", f"a folder with {', '.join(names)}", f"'{given}' without {', '.join(missing)}")
        return Path(given).expanduser()
    places = (Path(place).expanduser() for place in PLACES)
    return next((place for place in places if all((place / name).is_file() for name in names)), None)


def _read(file: Path, ndim: int) -> Tensor:
    """An array of bytes in the idx format: a magic number with the number of axes, their lengths, the bytes."""
    try:
        raw = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ArgumentError("path", f"gzip data in {file.name}", str(error)) from error
    header = np.frombuffer(raw[: 4 * (ndim + 1)], ">i4")
    shape = tuple(int(n) for n in header[1:])
    if len(header) != ndim + 1 or header[0] != 0x800 + ndim or len(raw) != 4 * (ndim + 1) + math.prod(shape):
        raise ArgumentError("path", f"an idx file of bytes with {ndim} axes in {file.name}", f"{len(raw)} bytes of another kind")
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 * (ndim + 1)).reshape(shape).copy())


def _digits(split: Split) -> DataSet:
    """The stand-in: handwritten digits of 8 x 8 pixels, enlarged three times with two pixels of border."""
    parts = dict(zip(("train", "test"), split_digits()))
    chosen = [parts[split]] if split != "all" else list(parts.values())
    small = torch.cat([x for x, _ in chosen]).unflatten(1, (1, 8, 8))
    large = torch.nn.functional.interpolate(small, size=24, mode="bilinear", align_corners=False).squeeze(1)
    return DataSet(
        "digits",
        pad(large, SIDE),
        torch.cat([y for _, y in chosen]),
        "class",
        source="Alpaydin & Kaynak 1998, as shipped with scikit-learn",
        about="NOT Fashion-MNIST, which is not installed: 8 x 8 handwritten digits enlarged to 28 x 28, grey values from 0 to 1",
        classes=tuple(map(str, range(10))),
    )
