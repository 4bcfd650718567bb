"""`Journal`: realised samples, kept as they are made, so that a generation that was interrupted goes on where it was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.wyckoffdiff import Realisation
from erlangen.serialization import read_json, write_json


class Journal:
    """Realisations by the number of their sample, in one file that is rewritten in one step with each of them.

    Args:
        path: of the file, which need not be there yet; None keeps nothing.
        settings: what the realisations depend on, ready for JSON.

    Raises:
        ArgumentError: the file is damaged, or of other settings.
    """

    def __init__(self, path: str | Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings = None if path is None else Path(path), settings
        self._made: dict[str, dict[str, Any]] = {}
        if self.path is None or not self.path.is_file():
            return
        found = read_json(self.path, "checkpoint")
        if not isinstance(found.get("settings"), dict) or not isinstance(found.get("made"), dict):
            raise ArgumentError("checkpoint", "a file of realised samples", repr(str(self.path)))
        if other := sorted(name for name in {*settings, *found["settings"]} if settings.get(name) != found["settings"].get(name)):
            hint = "Delete it to begin anew, or name another file"
            raise ArgumentError("checkpoint", "a file of the same call", f"'{self.path}', of another {', '.join(other)}", hint)
        self._made = found["made"]

    def __len__(self) -> int:
        return len(self._made)

    def get(self, number: int) -> Realisation | None:
        """What was made of a sample, to the last bit; None if nothing was."""
        if (kept := self._made.get(str(number))) is None:
            return None
        try:
            cell, fractional = (torch.tensor(kept["crystal"][name], dtype=torch.float64) for name in ("cell", "fractional"))
            crystal = Crystal(cell, fractional, torch.tensor(kept["crystal"]["numbers"]))
            protostructure = Protostructure(kept["space_group"], tuple(map(tuple, kept["sites"])))
            found = {float(tolerance): group for tolerance, group in kept["found"].items()}
            rest = {name: kept[name] for name in ("energy", "closest", "symmetry", "failed")}
        except (KeyError, TypeError, AttributeError) as problem:
            raise ArgumentError("checkpoint", "a file of realised samples", f"'{self.path}' ({problem!r})") from None
        return Realisation(protostructure, crystal, found=found, **rest)

    def add(self, number: int, made: Realisation) -> None:
        """Keep what was made of a sample."""
        if self.path is None:
            return
        crystal = {name: value.tolist() for name, value in asdict(made.crystal).items()}
        rest = {name: getattr(made, name) for name in ("energy", "closest", "symmetry", "failed")}
        found = {repr(tolerance): group for tolerance, group in made.found.items()}
        proto = {"space_group": made.protostructure.space_group, "sites": made.protostructure.sites}
        self._made[str(number)] = {**proto, "crystal": crystal, "found": found, **rest}
        write_json(self.path, {"settings": self.settings, "made": self._made})
