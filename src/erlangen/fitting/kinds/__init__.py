"""Kinds of data that can be fitted, one file each: how groups act on them, and the networks for them."""

from __future__ import annotations

from typing import Any

from erlangen.data import DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting.kinds.base import DataKind
from erlangen.fitting.kinds.tokens import Tokens

__all__ = ["DataKind", "Tokens", "kind_from_dict", "kind_of"]

_KINDS: tuple[type[DataKind], ...] = (Tokens,)


def kind_of(data: DataSet, shape: tuple[int, ...]) -> DataKind:
    """The kind of some data, of which outputs of a shape are predicted."""
    return Tokens(shape, data.target == "vector", tokens=data.tokens, dim=data.dim)


def kind_from_dict(about: dict[str, Any]) -> DataKind:
    """The inverse of :meth:`DataKind.as_dict`.

    Raises:
        ArgumentError: there is no kind of this name.

    >>> kind_from_dict(Tokens((2,), False, tokens=5, dim=3).as_dict())
    Tokens(shape=(2,), vector=False, tokens=5, dim=3)
    """
    found = next((kind for kind in _KINDS if kind.name == about["name"]), None)
    if found is None:
        raise ArgumentError("kind", f"one of {', '.join(kind.name for kind in _KINDS)}", repr(about["name"]))
    sizes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in about.items() if key != "name"
    }
    return found(**sizes)
