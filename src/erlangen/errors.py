"""The errors a user meets. Each names the argument, what was expected and what came."""

from __future__ import annotations

from typing import Any, NoReturn


class ErlangenError(Exception):
    """Base of every error that Erlangen raises on purpose."""


class ArgumentError(ErlangenError, ValueError):
    """An argument has the right kind but an unusable value or shape.

    ``got`` describes what came, in words, or shows it: a value that may be text as ``repr(value)``, so that it stands in quotes.

    >>> raise ArgumentError("x", "a tensor whose last axis has length 3", "shape (8, 4)")
    Traceback (most recent call last):
    ...
    erlangen.errors.ArgumentError: argument 'x': expected a tensor whose last axis has length 3; got shape (8, 4)
    """

    def __init__(self, argument: str, expected: str, got: object, hint: str = "") -> None:
        self.argument, self.expected, self.got, self.hint = argument, expected, got, hint
        message = f"argument '{argument}': expected {expected}; got {got}"
        super().__init__(f"{message}. {hint}" if hint else message)


class StorageError(ErlangenError, OSError):
    """A file could not be written or read: a full disk, a folder that may only be read. The message says how to go on."""


class UnsupportedError(ErlangenError, TypeError):
    """The question makes sense but this object has no answer to it (an infinite group has no list of elements)."""


class MissingExtra(ErlangenError, ImportError):
    """An optional engine is not installed.

    >>> raise MissingExtra("jets", "pythia8")
    Traceback (most recent call last):
    ...
    erlangen.errors.MissingExtra: the module 'pythia8' is needed here; install it with: pip install 'erlangen[jets]'
    """

    def __init__(self, extra: str, module: str) -> None:
        self.extra, self.module = extra, module
        super().__init__(f"the module '{module}' is needed here; install it with: pip install 'erlangen[{extra}]'")


class NotEquivariantError(ErlangenError, ValueError):
    """A layer that would not be equivariant was refused.

    Attributes:
        verdict: the :class:`~erlangen.verdict.Verdict` that says why, with a counterexample.
    """

    def __init__(self, message: str, verdict: Any) -> None:
        self.verdict = verdict
        super().__init__(message)


def unsupported(who: object, what: str, instead: str) -> NoReturn:
    """Raise :class:`UnsupportedError`: ``who`` has no ``what``; do ``instead``."""
    raise UnsupportedError(f"{who} has no {what}; {instead}")
