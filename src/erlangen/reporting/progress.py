"""One way to show progress, on a terminal and in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from erlangen.reporting.formatting import format_value

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 10.0


class Advance:
    """What :func:`progress` yields: call :meth:`advance` after each piece of work."""

    def __init__(self, total: int | None, description: str) -> None:
        self.total, self.description, self.done = total, description, 0

    def advance(self, n: int = 1, **shown: Any) -> None:
        """``n`` more pieces are done; ``shown`` are the numbers to show beside the bar, e.g. ``loss=0.31``."""
        self.done += n
        self._show(" ".join(f"{name} {format_value(value)}" for name, value in shown.items()))

    def _show(self, numbers: str) -> None:
        """Quiet."""


class _Bar(Advance):
    def __init__(self, total: int | None, description: str, bars: Progress) -> None:
        super().__init__(total, description)
        self._bars = bars
        self._task: TaskID = bars.add_task(description, total=total, numbers="")

    def _show(self, numbers: str) -> None:
        self._bars.update(self._task, completed=self.done, numbers=numbers)


class _Lines(Advance):
    """For logs and pipes: one line at most every ``SECONDS_BETWEEN_LINES``, so that a short job prints nothing."""

    def __init__(self, total: int | None, description: str) -> None:
        super().__init__(total, description)
        self._start = self._last = time.monotonic()

    def _show(self, numbers: str) -> None:
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        elapsed = now - self._start
        parts = [f"{self.done}" if self.total is None else f"{self.done}/{self.total}", f"{elapsed:.0f} s"]
        if self.total is not None and self.done:
            parts.append(f"{elapsed * max(0, self.total - self.done) / self.done:.0f} s left")
        print(f"{self.description}: {', '.join(parts)}{'  ' + numbers if numbers else ''}", file=sys.stderr, flush=True)


@contextmanager
def progress(total: int | None, description: str, quiet: bool = False) -> Iterator[Advance]:
    """Show how far a loop is, on standard error.

    On a terminal this is a bar with the elapsed and remaining time; elsewhere a line at most every ten seconds.

    Args:
        total: pieces of work, or None when unknown.
        description: what is being done, a few words.
        quiet: show nothing (other processes than the main one; tests).

    >>> with progress(3, "training", quiet=True) as bar:
    ...     for step in range(3):
    ...         bar.advance(1, loss=0.5)
    >>> bar.done
    3
    """
    if quiet:
        yield Advance(total, description)
        return
    if not sys.stderr.isatty():
        yield _Lines(total, description)
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed}" if total is None else "{task.completed}/{task.total}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bar(total, description, bars)
