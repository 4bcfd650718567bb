"""Published systems, run for real: one file each, from a configuration to claims and figures."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from erlangen.errors import ArgumentError
from erlangen.studies.base import Study
from erlangen.studies.systems import SYSTEMS, System

if TYPE_CHECKING:
    from rich.table import Table

#: Name of each study -> the module that exports it as ``STUDY``.
_MODULES = {
    "liegan-two-body": "erlangen.studies.liegan_two_body",
    "liegan-jets": "erlangen.studies.liegan_jets",
    "liegan-cyclic": "erlangen.studies.liegan_cyclic",
    "pointwise": "erlangen.studies.pointwise",
    "pointwise-networks": "erlangen.studies.pointwise_networks",
    "unf-zoo": "erlangen.studies.unf_zoo",
    "learned-optimizer": "erlangen.studies.learned_optimizer",
    "partition-diagrams": "erlangen.studies.partition_diagrams",
    "jellyfish-chirality": "erlangen.studies.jellyfish_chirality",
    "brauer-beam": "erlangen.studies.brauer_beam",
    "frame-averaging": "erlangen.studies.frame_averaging",
    "faenet": "erlangen.studies.faenet",
    "canonicalize": "erlangen.studies.canonicalize",
    "orbit": "erlangen.studies.orbit",
    "soft-equivariance": "erlangen.studies.soft_equivariance",
    "nft": "erlangen.studies.nft",
    "essl": "erlangen.studies.essl",
    "explain": "erlangen.studies.explain",
    "gwl": "erlangen.studies.gwl",
    "hidden-symmetries": "erlangen.studies.hidden_symmetries",
    "hardness": "erlangen.studies.hardness",
}


def study_names() -> list[str]:
    """The studies there are."""
    return list(_MODULES)


def load_study(name: str) -> Study:
    """The study of this name.

    Raises:
        ArgumentError: there is none; the message lists those there are.
    """
    if name not in _MODULES:
        raise ArgumentError("study", f"one of {', '.join(_MODULES)}", repr(name))
    return importlib.import_module(_MODULES[name]).STUDY


def catalogue() -> list[dict[str, Any]]:
    """All systems with their studies and claims, ready for JSON."""
    studies = [load_study(name) for name in _MODULES]
    return [
        {**system._asdict(), "studies": {s.name: list(s.claims) for s in studies if s.system == system.number}}
        for system in SYSTEMS
    ]


def catalogue_table() -> Table:
    """The catalogue for a terminal."""
    from rich.table import Table

    table = Table(title="The systems of Erlangen", title_justify="left")
    for column in ("", "system", "lives in", "today", "studies and what they claim"):
        table.add_column(column)
    for entry in catalogue():
        claims = "\n".join(
            f"[bold]{name}[/bold]\n" + "\n".join(f"  {c}" for c in lines) for name, lines in entry["studies"].items()
        )
        about = f"[bold]{entry['name']}[/bold]\n{entry['title']}"
        table.add_row(str(entry["number"]), about, entry["place"], "works" if entry["works"] else "planned", claims)
    return table


__all__ = ["SYSTEMS", "Study", "System", "catalogue", "catalogue_table", "load_study", "study_names"]
