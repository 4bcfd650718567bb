"""PARI, asked for in one way: its stack is given once, and its messages become errors that name an argument."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from erlangen.extras import engine

#: Virtual memory of PARI's stack; what is not used costs nothing. Class polynomials need more than the 8 MB it starts with.
STACK = 512 * 2**20


@lru_cache(maxsize=1)
def pari() -> Any:
    """The PARI of the process.

    Raises:
        MissingExtra: cypari is not installed.
    """
    found = engine("isogeny", "cypari").pari
    if found.stacksizemax() < STACK:  # never made smaller: others may use the same PARI
        found.allocatemem(2**25, STACK, silent=True)
    return found


def whole(x: Any) -> int:
    """A residue or an integer of PARI as a number of Python."""
    return int(x.lift()) if x.type() == "t_INTMOD" else int(x)
