"""Data by name: the sets that installed packages offer, found without importing them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from erlangen.data.checks import check_enough_to_train
from erlangen.data.collect import As
from erlangen.data.collection import Collection
from erlangen.data.dataset import DataSet, Split, Target, check_split
from erlangen.data.files import SUFFIXES, read
from erlangen.errors import ArgumentError
from erlangen.offers import offer, offered, refusal

GROUP = "erlangen.data"
TRAIN_FRACTION = 0.7  # of a user's file, which brings no split of its own


def names() -> tuple[str, ...]:
    """The names that :func:`load` knows, sorted."""
    return offered(GROUP)


def loader(name: str) -> Callable[..., DataSet]:
    """The function that loads the data set ``name``; its module is imported now and not earlier."""
    found = offer(GROUP, name)
    if found is None:
        hint = f"A path of a file ({', '.join(SUFFIXES)}) also works"
        raise refusal(GROUP, "data", "a built-in data set", name, hint)
    return found.load()


def load(name: str, split: Split = "train") -> DataSet:
    """The built-in data set ``name``.

    Raises:
        ArgumentError: the name or the split is unknown.
    """
    check_split(split)
    return loader(name)(split=split)


def resolve(
    what: str | Path,
    *,
    split: Split = "all",
    target: str | None = None,
    tokens: str | None = None,
    kind: Target | None = None,
    as_: As | None = None,
) -> DataSet | Collection:
    """What a person typed: a built-in name or the path of a file.

    A built-in set has its own split. A file is cut at random, 70 % for training, always in the same way.

    Args:
        what: a name of :func:`names` or a path.
        split: which part.
        target, tokens, kind, as_: how to read a file, see :func:`read`; a built-in set takes none of them.

    Raises:
        ArgumentError: there is no such name or file, or the file is unusable.
    """
    check_split(split)
    if str(what) in names():
        for argument, value in (("target", target), ("tokens", tokens), ("kind", kind), ("as", as_)):
            if value is not None:
                raise ArgumentError(argument, f"nothing, as '{what}' is built in and has its own layout", repr(value))
        return load(str(what), split)
    path = Path(what)
    if not (path.suffix or path.exists() or len(path.parts) > 1):
        loader(str(what))  # neither a name nor anything like a path: the error lists the names
    data = read(path, target=target, tokens=tokens, kind=kind, as_=as_)
    if split == "all":
        return data
    check_enough_to_train("data", len(data), TRAIN_FRACTION)
    train, test = data.split(TRAIN_FRACTION)
    return train if split == "train" else test
