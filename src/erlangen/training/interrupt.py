"""Ctrl-C at a point of our choosing: a step is finished and saved before it takes effect."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Remember the first Ctrl-C instead of raising; a second one raises at once.

    Yields a function that tells whether it came. Outside the main thread, where Python delivers no signals, it never does; nor where
    Ctrl-C is ignored (``nohup``, background jobs of a script) or handled outside of Python: that stays as it is.

    >>> before = signal.signal(signal.SIGINT, signal.default_int_handler)
    >>> with deferred_interrupt() as asked:
    ...     signal.raise_signal(signal.SIGINT)
    ...     asked()
    True
    >>> signal.signal(signal.SIGINT, before) is signal.default_int_handler
    True
    """
    asked = False

    def handler(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        yield lambda: False
        return
    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, previous)
