"""`Study`: one published system, run for real: a configuration in, claims and figures out."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from erlangen.errors import ArgumentError
from erlangen.parallel import one_thread
from erlangen.reporting import Claim, Claims, Outcome, Rival, Section

#: Why a claim is left out that only the source's scale measures.
ONLY_FULL = "measured with --full"
KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Announced(NamedTuple):
    """What one part of a study of several sets out to do: the title of its report, and its claims, statements by key."""

    title: str
    claims: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """What one part of a study of several has found.

    Attributes:
        claims: what was measured, each with the key of an announced claim.
        sections, numbers, answer: of the report.
        left_out: why announced claims of this part were not measured, by key.
        rivals: the method beside the simplest strong thing that a user would pick instead.
    """

    claims: list[Claim]
    sections: list[Section]
    numbers: dict[str, Any]
    answer: str
    left_out: Mapping[str, str] = field(default_factory=dict)
    rivals: Sequence[Rival] = ()


@dataclass(frozen=True)
class Study:
    """What a study's file exports as ``STUDY``, and an entry point of the group ``erlangen.studies`` leads to.

    Attributes:
        name: what the command line calls it, e.g. ``"liegan-jets"``; also the entry point's.
        system: the number of the published system it belongs to; None of a study of something else.
        title: one line for people.
        source: authors, year and arXiv id of what is studied.
        config: a frozen dataclass; its fields, all with defaults, are the command's flags. A field ``full`` goes to the source's scale.
        run: ``run(config, *, quiet=False) -> Outcome``.
        claims: what it sets out to show, one line each, by a key (lower-case words with hyphens). Every
            :class:`~erlangen.reporting.Claim` of an outcome carries the key of one of them; one that a run does not measure is in
            the outcome's ``left_out``, with the reason. One of them is :data:`~erlangen.reporting.RIVAL`: what a user would pick
            instead stands beside it. :func:`erlangen.testing.check_study` compares.

    Raises:
        ArgumentError: claims without keys, or none.
    """

    name: str
    system: int | None
    title: str
    source: str
    config: type
    run: Callable[..., Outcome]
    claims: Mapping[str, str]

    def __post_init__(self) -> None:
        if not isinstance(self.claims, Mapping) or not self.claims:
            raise ArgumentError("claims", "what the study sets out to show, statements by key", repr(self.claims))
        for key, text in self.claims.items():
            if not isinstance(key, str) or not KEY.fullmatch(key) or not text:
                raise ArgumentError(
                    "claims", "keys of lower-case words with hyphens, and a statement for each", f"{key!r}: {text!r}"
                )

    @classmethod
    def of_parts(
        cls, name: str, *, system: int | None, title: str, source: str, config: type, package: str, parts: Mapping[str, Announced]
    ) -> Study:
        """A study of several parts, of which ``config.part`` names the one that runs, on one thread.

        Args:
            name, system, title, source, config: as above; ``config`` has a field ``part``.
            package: where the parts are: modules with ``run(config, quiet) -> Part``, imported when they run.
            parts: what each announces, by name. A key that several have means the same claim.

        Raises:
            ArgumentError: two parts mean different claims by one key; when it runs, that there is no such part.
        """
        claims: dict[str, str] = {}
        for part, announced in parts.items():
            for key, text in announced.claims.items():
                if claims.setdefault(key, text) != text:
                    raise ArgumentError("parts", f"one claim of the key '{key}'", f"another one in part '{part}'")
        return cls(name, system, title, source, config, partial(_run_part, name, package, dict(parts)), claims)


def _run_part(name: str, package: str, parts: Mapping[str, Announced], config: Any, *, quiet: bool = False) -> Outcome:
    """Run the part that ``config.part`` names; claims that only other parts announce are left out."""
    if config.part not in parts:
        raise ArgumentError("part", f"one of {', '.join(parts)}", repr(config.part))
    started = time.perf_counter()
    part = importlib.import_module(f"{package}.{config.part}")
    with one_thread():
        found = part.run(config, quiet)
    here = parts[config.part]
    elsewhere = {key: f"measured by part '{other}'" for other, of in parts.items() for key in of.claims if key not in here.claims}
    return Outcome(
        name=name,
        title=here.title,
        config=config,
        claims=Claims(found.claims),
        left_out={**elsewhere, **found.left_out},
        metrics=found.numbers,
        sections=found.sections,
        seconds=time.perf_counter() - started,
        answer=found.answer,
        rivals=found.rivals,
    )
