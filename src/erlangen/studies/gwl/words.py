"""What was found, as a reader says it: "never" for a test that tells nothing apart, and tables of few entries in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def in_words(found: Any) -> str:
    """An iteration, several of them, or what was found for each name.

    >>> in_words(None), in_words([2, None]), in_words({"O(3)": None, "SO(3)": 2})
    ('never', '2, never', 'O(3): never; SO(3): 2')
    """
    if found is None:
        return "never"
    if isinstance(found, Mapping):
        return "; ".join(f"{name}: {in_words(value)}" for name, value in found.items())
    if isinstance(found, list | tuple):
        return ", ".join(map(in_words, found))
    return str(found)
