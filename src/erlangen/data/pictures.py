"""Images: arrays of pictures, and folders of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.checks import numeric
from erlangen.data.collection import Collection
from erlangen.errors import ArgumentError
from erlangen.extras import engine

#: Files that are taken for pictures.
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
#: Numbers of channels by which the axis of channels is known.
CHANNELS = (1, 2, 3, 4)


def images(x: Any) -> dict[str, Tensor]:
    """Pictures ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]`` as ``{"image": float32 [N, C, H, W]}``.

    Of four axes the last is that of the channels where it is at most 4 long or the second is longer than that, else the second.

    >>> images(np.zeros((5, 8, 8, 3)))["image"].shape
    torch.Size([5, 3, 8, 8])
    """
    values = numeric("x", x)
    if values.ndim not in (3, 4) or not values.size:
        raise ArgumentError("x", "pictures [N, H, W], [N, H, W, C] or [N, C, H, W]", f"shape {list(values.shape)}")
    if values.ndim == 3:
        values = values[:, None]
    elif values.shape[-1] in CHANNELS or values.shape[1] not in CHANNELS:
        values = np.moveaxis(values, -1, 1)
    return {"image": torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))}


def has_pictures(folder: Path) -> bool:
    """Whether a folder has folders of pictures, one for each class."""
    return any(file.suffix.lower() in PICTURES for file in folder.glob("*/*"))


def read_pictures(folder: Path) -> Collection:
    """A folder with one folder of pictures for each class, all of one size; grey ones stay grey if all are.

    Raises:
        ArgumentError: fewer than two classes, a file that is no picture, or pictures of different sizes.
        MissingExtra: pillow is not installed (extra ``images``).
    """
    pillow = engine("images", "PIL.Image")
    files = sorted(file for file in folder.glob("*/*") if file.suffix.lower() in PICTURES)
    classes = sorted({file.parent.name for file in files})
    if len(classes) < 2:
        got = f"{len(classes)} of them in '{folder}'"
        raise ArgumentError("data", "a folder with one folder of pictures for each of two or more classes", got)
    opened = []
    for file in files:
        try:
            with pillow.open(file) as picture:
                opened.append(picture.convert("L" if picture.mode in ("1", "L", "I", "I;16", "F") else "RGB"))
        except (OSError, ValueError) as problem:
            raise ArgumentError("data", "pictures that can be read", f"'{file}' ({problem})") from problem
        if opened[-1].size != opened[0].size:
            sizes = f"{opened[0].size} of '{files[0].name}' and {opened[-1].size} of '{file.name}'"
            raise ArgumentError("data", "pictures of one size", sizes, "cut or scale them beforehand")
    mode = "L" if all(picture.mode == "L" for picture in opened) else "RGB"
    x = images(np.stack([np.asarray(picture.convert(mode)) for picture in opened]))
    labels = np.array([file.parent.name for file in files])
    return Collection.of("images", x, labels, target="class", name=folder.name, source=str(folder))
