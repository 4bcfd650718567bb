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


def read_pictures(folder: Path, *, inputs_only: bool = False) -> Collection:
    """A folder with one folder of pictures for each class, all of one size; grey ones stay grey if all are, opacity is a fourth channel
    where there is any, and 16 bits stay 16.

    Raises:
        ArgumentError: fewer than two classes, a file that is no picture or holds several, or pictures of different sizes or depths.
        MissingExtra: pillow is not installed (extra ``images``).
    """
    pillow = engine("images", "PIL.Image")
    files = sorted(file for file in folder.glob("*/*") if file.suffix.lower() in PICTURES)
    classes = sorted({file.parent.name for file in files})
    if len(classes) < 2 and not inputs_only:
        got = f"{len(classes)} of them in '{folder}'"
        raise ArgumentError("data", "a folder with one folder of pictures for each of two or more classes", got)
    opened: list[np.ndarray] = []
    for file in files:
        try:
            with pillow.open(file) as picture:
                opened.append(_channels(picture))
        except (OSError, ValueError) as problem:
            raise ArgumentError("data", "pictures that can be read", f"'{file}' ({problem})") from problem
        first, last = opened[0], opened[-1]
        if last.shape[:2] != first.shape[:2]:
            sizes = " and ".join(
                f"{each.shape[1]} x {each.shape[0]} of '{where.relative_to(folder)}'"
                for each, where in ((first, files[0]), (last, file))
            )
            raise ArgumentError("data", "pictures of one size", sizes, "cut or scale them beforehand")
        if (last.dtype == np.uint8) != (first.dtype == np.uint8):
            depths = f"{first.dtype} of '{files[0].relative_to(folder)}' and {last.dtype} of '{file.relative_to(folder)}'"
            raise ArgumentError("data", "pictures of one depth", depths, "their numbers have different scales")
    channels = max(picture.shape[2] for picture in opened)
    x = images(np.stack([_widened(picture, channels) for picture in opened]))
    labels = np.array([file.parent.name for file in files])
    return Collection.of("images", x, labels, target="class", name=folder.name, source=str(folder), inputs_only=inputs_only)


def _channels(picture: Any) -> np.ndarray:
    """The numbers of a picture ``[H, W, C]`` as a viewer shows it (turned as its EXIF tag says): grey, colours, or colours and opacity
    where some of it is transparent; of more than eight bits, or fractions, as they are.
    """
    if (frames := getattr(picture, "n_frames", 1)) > 1:
        raise ValueError(f"{frames} pictures in one file")
    picture = engine("images", "PIL.ImageOps").exif_transpose(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        return np.asarray(picture).astype(np.float32)[..., None]
    if picture.has_transparency_data:
        full = np.asarray(picture.convert("RGBA"))
        if (full[..., 3] < 255).any():
            return full
    values = np.asarray(picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB"))
    return values[..., None] if values.ndim == 2 else values


def _widened(picture: np.ndarray, channels: int) -> np.ndarray:
    """A picture with as many channels as the widest has: grey is three equal colours, and what has no opacity is opaque."""
    if picture.shape[2] == 1 < channels:
        picture = picture.repeat(3, 2)
    if picture.shape[2] < channels:
        picture = np.concatenate([picture, np.full_like(picture[..., :1], 255)], 2)
    return picture
