"""`Study`: one published system, run for real: a configuration in, claims and figures out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Study:
    """What a study's file exports as ``STUDY``.

    Attributes:
        name: what the command line calls it, e.g. ``"liegan-jets"``.
        system: the number of the published system it belongs to.
        title: one line for people.
        source: authors, year and arXiv id of what is studied.
        config: a frozen dataclass; its fields, all with defaults, are the command's flags. A field ``full`` goes to the source's scale.
        run: ``run(config, *, quiet=False) -> Outcome``.
        claims: what it sets out to show, one line each.
    """

    name: str
    system: int
    title: str
    source: str
    config: type
    run: Callable[..., Any]
    claims: tuple[str, ...]
