"""A directory for one process: two that write the same checkpoints would mix them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from erlangen.errors import ArgumentError


@contextmanager
def alone(directory: str | Path | None, argument: str = "checkpoint") -> Iterator[None]:
    """Keep a directory to this run, until it ends or is killed; nothing for ``None``.

    The directory is made where it is missing. Systems without ``flock`` (Windows, some network disks) lock nothing.

    Args:
        directory: which one.
        argument: what errors call it.

    Raises:
        ArgumentError: another run works in it.

    >>> import tempfile
    >>> with alone(tempfile.mkdtemp()):
    ...     pass
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        directory = None
    if directory is None:
        yield
        return
    Path(directory).mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ArgumentError(argument, "a directory that no other run works in", f"'{directory}', where one does") from None
        except OSError:  # a disk that knows no locks
            pass
        yield
    finally:
        os.close(handle)
