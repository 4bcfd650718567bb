"""Real crystals whose cations have a homometric mate: the bixbyites of the Inorganic Crystal Structure Database."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from erlangen.errors import MissingExtra
from erlangen.extras import engine
from erlangen.fields import microstructures as micro
from erlangen.fields.crystals import Crystal, icsd, stored_protostructures
from erlangen.reporting import progress

PROTOTYPE = "A2B3_8_ad_e_206"


class Bixbyite(NamedTuple):
    """One of them and its mate.

    Attributes:
        formula: of the compound.
        intensities: the largest difference of the cations' ``|F|``.
        nearest, mate_nearest: shortest distances of a cation and an anion, in angstrom.
        energy, mate_energy: by CHGNet, eV per atom; None without it.
    """

    formula: str
    intensities: float
    nearest: float
    mate_nearest: float
    energy: float | None
    mate_energy: float | None


def bixbyites(most: int | None, quiet: bool) -> list[Bixbyite]:
    """Build the mate of each: other coordinates of the cations on 24d, the same anions; measure both."""
    data = icsd(quiet=quiet)
    which = np.flatnonzero(np.array([str(name) == PROTOTYPE for name in data.columns["prototype"]]))[:most]
    energy = _energies()
    found = []
    with progress(len(which), "bixbyites", quiet) as bar:
        for i in which:
            proto = stored_protostructures(data[np.array([i])])[0]
            free = data.columns["parameters"][i]
            coordinates = torch.tensor([free[name] for name in ("xd1", "xe2", "ye2", "ze2")], dtype=torch.float64)
            crystal = proto.place(free["a"] * torch.eye(3, dtype=torch.float64), coordinates, primitive=False)
            cations = _of_site(crystal, 32)
            verdict = micro.homometric_mate(crystal, proto.group, cations)
            assert verdict, verdict  # a theorem
            mate = verdict.witness.crystal
            both = [energy(c) for c in (crystal, mate)] if energy else [None, None]
            found.append(
                Bixbyite(crystal.formula, verdict["intensities"], _nearest(crystal, cations), _nearest(mate, cations), *both)
            )
            bar.advance()
    return found


def _of_site(crystal: Crystal, count: int) -> list[int]:
    """Atoms of the element with so many."""
    number = next(n for n, many in crystal.counts.items() if many == count)
    return torch.nonzero(crystal.numbers == number).flatten().tolist()


def _nearest(crystal: Crystal, cations: list[int]) -> float:
    inside = torch.zeros(len(crystal), dtype=torch.bool)
    inside[cations] = True
    difference = crystal.fractional[inside].unsqueeze(1) - crystal.fractional[~inside]
    return float(((difference - difference.round()) @ crystal.cell).norm(dim=-1).min())


def _energies():  # type: ignore[no-untyped-def]
    """What gives CHGNet's energy of a crystal in eV per atom; None where it is not installed."""
    try:
        model = engine("chgnet", "chgnet.model").CHGNet.load(verbose=False)
    except MissingExtra:
        return None
    return lambda crystal: float(model.predict_structure(crystal.to_pymatgen().get_primitive_structure(), task="e")["e"])
