"""`Study`: one published system, run for real: a configuration in, claims and figures out."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from erlangen.errors import ArgumentError
from erlangen.parallel import one_thread
from erlangen.reporting import Claim, Claims, Outcome, Section


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


class Part(NamedTuple):
    """What one part of a study of several has found."""

    claims: list[Claim]
    sections: list[Section]
    numbers: dict[str, Any]
    answer: str


def run_part(name: str, package: str, titles: Mapping[str, str], config: Any, quiet: bool) -> Outcome:
    """Run the part that ``config.part`` names: a module of ``package`` with ``run(config, quiet) -> Part``, on one thread.

    Args:
        name: the study's.
        package: where its parts are.
        titles: of the parts there are, by name.

    Raises:
        ArgumentError: there is no such part.
    """
    if config.part not in titles:
        raise ArgumentError("part", f"one of {', '.join(titles)}", repr(config.part))
    started = time.perf_counter()
    part = importlib.import_module(f"{package}.{config.part}")
    with one_thread():
        found = part.run(config, quiet)
    return Outcome(
        name=name,
        title=titles[config.part],
        config=config,
        claims=Claims(found.claims),
        metrics=found.numbers,
        sections=found.sections,
        seconds=time.perf_counter() - started,
        answer=found.answer,
    )
