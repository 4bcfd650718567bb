"""All four parts, one after another, in one report."""

from __future__ import annotations

from types import ModuleType

from erlangen.studies.base import Part
from erlangen.studies.hardness import circles, graphs, polynomials, tables
from erlangen.studies.hardness.study import Config

MODULES: dict[str, ModuleType] = {"tables": tables, "graphs": graphs, "circles": circles, "polynomials": polynomials}


def run(config: Config, quiet: bool) -> Part:
    """Run and join them."""
    found = {name: module.run(config, quiet) for name, module in MODULES.items()}
    return Part(
        [claim for part in found.values() for claim in part.claims],
        [section for part in found.values() for section in part.sections],
        {name: part.numbers for name, part in found.items()},
        " ".join(part.answer for part in found.values()),
        {key: reason for part in found.values() for key, reason in part.left_out.items()},
        [rival for part in found.values() for rival in part.rivals],
    )
