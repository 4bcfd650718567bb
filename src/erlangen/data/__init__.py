"""Data: tokens of dimension ``d``, from the library by name or from a file of the user's.

``erlangen.data.jets(split="train")`` is the built-in data set ``jets``; every built-in name is reached this way, with
``_`` for ``-``. Names come from installed packages (entry-point group ``erlangen.data``): this module knows no field.
"""

from __future__ import annotations

from collections.abc import Callable

from erlangen.data.collect import WAYS, As, collect
from erlangen.data.collection import KINDS, Collection
from erlangen.data.dataset import SPLITS, DataSet, Split, Target, check_split
from erlangen.data.files import read
from erlangen.data.labelled import Labelled, read_labelled
from erlangen.data.named import load, loader, names, resolve
from erlangen.data.packaged import package_file
from erlangen.data.texts import Texts, read_texts

__all__ = [
    "KINDS",
    "SPLITS",
    "WAYS",
    "As",
    "Collection",
    "DataSet",
    "Labelled",
    "Split",
    "Target",
    "Texts",
    "check_split",
    "collect",
    "load",
    "names",
    "package_file",
    "read",
    "read_labelled",
    "read_texts",
    "resolve",
]


def __getattr__(name: str) -> Callable[..., DataSet]:
    spelled = name.replace("_", "-")
    if name.startswith("_") or spelled not in names():
        raise AttributeError(f"module 'erlangen.data' has no data set or function '{name}'")
    return loader(spelled)
