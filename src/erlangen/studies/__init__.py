"""Published systems, run for real: one file each, from a configuration to claims and figures; found by name as entry points."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from erlangen.errors import ArgumentError
from erlangen.offers import REFRESH, offer, offered, refusal
from erlangen.studies.base import Announced, Part, Study
from erlangen.studies.systems import SYSTEMS, System

if TYPE_CHECKING:
    from rich.table import Table

GROUP = "erlangen.studies"


def study_names() -> tuple[str, ...]:
    """The studies that installed packages offer, sorted."""
    return offered(GROUP)


def load_study(name: str) -> Study:
    """The study of this name; its module is imported now and not earlier.

    Raises:
        ArgumentError: there is none (the message lists those there are), or its entry point leads to something else.

    >>> load_study("liegan-cyclic").config(seeds=1).fold
    7
    """
    entry = offer(GROUP, name)
    if entry is None:
        own = importlib.util.find_spec(f"{GROUP}.{name.replace('-', '_')}") if name.replace("-", "_").isidentifier() else None
        raise refusal(GROUP, "study", "one of the studies", name, REFRESH if own else "")
    study = entry.load()
    if not isinstance(study, Study) or study.name != name:
        got = f"one named '{study.name}'" if isinstance(study, Study) else type(study).__name__
        raise ArgumentError("study", f"a Study named '{name}' at {entry.value}", got)
    return study


def catalogue() -> list[dict[str, Any]]:
    """All systems with their studies and claims, ready for JSON; last, where there are any, studies of no system of ours.

    A study that cannot be loaded is among the last, with the reason in place of its claims.
    """
    studies, broken = [], {}
    for name in study_names():
        try:
            studies.append(load_study(name))
        except Exception as error:  # whatever another package's module raises
            broken[name] = [f"cannot be loaded: {type(error).__name__}: {error}"]
    numbers = {system.number for system in SYSTEMS}

    def claims(number: int | None) -> dict[str, list[str]]:
        return {s.name: list(s.claims.values()) for s in studies if (s.system if s.system in numbers else None) == number}

    found = [{**system.as_dict(), "studies": claims(system.number)} for system in SYSTEMS]
    if others := {**claims(None), **broken}:
        about = {"number": None, "name": "others", "title": "studies of other packages", "place": "", "works": True, "today": ""}
        found.append({**about, "studies": others})
    return found


def catalogue_table(claims: bool = False) -> Table:
    """The catalogue for a terminal: a line for each system, or all that its studies claim."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = ("", "system", "studies and what they claim") if claims else ("", "system", "today", "studies")
    table = Table(*shown, title="The systems of Erlangen", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for entry in catalogue():
        number = "" if entry["number"] is None else str(entry["number"])
        if claims:
            about = Text.assemble((entry["name"], "bold"), f"\n{entry['title']}\n{entry['today']}".rstrip())
            told = [Text.assemble((name, "bold"), *(f"\n  {line}" for line in lines)) for name, lines in entry["studies"].items()]
            table.add_row(number, about, Text("\n").join(told))
        else:
            table.add_row(number, Text(entry["name"]), "works" if entry["works"] else "planned", Text(", ".join(entry["studies"])))
    return table


__all__ = [
    "SYSTEMS",
    "Announced",
    "Part",
    "Study",
    "System",
    "catalogue",
    "catalogue_table",
    "load_study",
    "study_names",
]
