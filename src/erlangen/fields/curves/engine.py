"""PARI, asked for in one way: its stack is given once, and its messages become errors that name an argument."""

from __future__ import annotations

import sys
import threading
from functools import lru_cache
from typing import Any

from erlangen.errors import unsupported
from erlangen.extras import engine

#: Virtual memory of PARI's stack; what is not used costs nothing. Class polynomials need more than the 8 MB it starts with.
STACK = 512 * 2**20


@lru_cache(maxsize=1)
def pari() -> Any:
    """The PARI of the process.

    Raises:
        MissingExtra: cypari is not installed.
        UnsupportedError: asked for first outside of the main thread.
    """
    if "cypari" not in sys.modules and threading.current_thread() is not threading.main_thread():
        unsupported(  # it takes over Ctrl-C when it starts, which Python allows to the main thread alone
            f"the thread {threading.current_thread().name!r}",
            "PARI, which starts in the main thread only",
            "import cypari there first",
        )
    found = engine("isogeny", "cypari").pari
    if found.stacksizemax() < STACK:  # never made smaller: others may use the same PARI
        found.allocatemem(2**25, STACK, silent=True)
        found.default("debugmem", 0)  # a stack that grows is no news
    return found


def whole(x: Any) -> int:
    """A residue or an integer of PARI as a number of Python."""
    return int(x.lift()) if x.type() == "t_INTMOD" else int(x)
