"""``--write``: a file of the user's choice beside the report, never the table that was read."""

from __future__ import annotations

from pathlib import Path

from erlangen.errors import ArgumentError
from erlangen.reporting import check_folder


def check_written(write: Path | None, read: Path, name: str) -> None:
    """Refuse, before any work, a file that cannot be written to, or that is the table itself.

    Args:
        write: where to; ``None`` is no file.
        read: the table.
        name: what the command calls the table, in capitals.

    Raises:
        ArgumentError: it is a folder, lies in none that can be written to, or is the table.
    """
    if write is None:
        return
    check_folder(write.parent, "write")
    if write.is_dir() or (write.exists() and read.exists() and write.samefile(read)):
        raise ArgumentError(
            "write", f"another file than {name}", f"'{write}', {'a folder' if write.is_dir() else 'the table itself'}"
        )
