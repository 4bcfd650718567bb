"""A command of `erlangen`, run in this process."""

from __future__ import annotations

from erlangen.cli import main


def call(capsys, *args):
    """Output, errors and exit code."""
    code = 0
    try:
        main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code or 0
    out = capsys.readouterr()
    return code, out.out, out.err
