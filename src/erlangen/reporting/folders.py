"""Where runs are kept: a folder of its own for each, and a word beforehand where none can be made."""

from __future__ import annotations

import datetime
import os
import re
import unicodedata
from pathlib import Path

from erlangen.errors import ArgumentError


def run_directory(name: str, root: str | os.PathLike[str] = "runs", now: datetime.datetime | None = None) -> Path:
    """Make and return the empty directory ``root/name/DATE-TIME``; of two runs in one second, the second gets ``-2``.

    Making it reserves the name among processes that start together. Call it when there is something to save, so that
    a run that fails leaves nothing behind.

    Letters and digits of any script stand in the folder's name as they are, and ``_`` for everything else.

    Raises:
        ArgumentError: ``name`` has no letter and no digit, or ``root`` cannot be written to.

    >>> import tempfile
    >>> run_directory("demo", tempfile.mkdtemp(), datetime.datetime(2024, 5, 6, 7, 8, 9)).name
    '2024-05-06_07-08-09'
    """
    folder = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name)).lstrip(".-")
    if not re.search(r"[^\W_]", folder):
        raise ArgumentError("name", "a name with letters or digits", repr(name))
    stamp = f"{now or datetime.datetime.now():%Y-%m-%d_%H-%M-%S}"
    check_folder(root, "root")
    parent = Path(root) / folder
    parent.mkdir(parents=True, exist_ok=True)
    attempt = 1
    while True:
        directory = parent / (stamp if attempt == 1 else f"{stamp}-{attempt}")
        try:
            directory.mkdir()
        except FileExistsError:
            attempt += 1
        else:
            return directory


def check_folder(path: str | os.PathLike[str], argument: str) -> None:
    """Raise unless a folder is there that can be written to, or can be made.

    Args:
        path: the folder.
        argument: what errors call it.

    Raises:
        ArgumentError: it is a file, lies in one, or may not be written to.

    >>> import tempfile
    >>> check_folder(tempfile.mkdtemp() + "/runs/new", "root")
    """
    there = next(folder for folder in (Path(path).absolute(), *Path(path).absolute().parents) if folder.exists())
    if not there.is_dir():
        raise ArgumentError(argument, "a folder that can be written to", f"'{path}', where '{there.name}' is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ArgumentError(argument, "a folder that can be written to", f"'{path}', where '{there}' may only be read")
