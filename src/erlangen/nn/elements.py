"""A small table of the elements: period, group and measured properties of each, ready to be embedded.

``python -m erlangen.nn.elements`` makes ``elements.csv`` anew from the package ``mendeleev`` (MIT licence), which nothing else needs.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

TABLE = Path(__file__).with_name("elements.csv")
#: The heaviest element that has a row of its own in embeddings (polonium).
LAST = 84
#: Properties in the order of the table, named as in ``mendeleev``, with their units.
PROPERTIES = {
    "atomic_radius": "pm",
    "atomic_volume": "cm3/mol, of solids and liquids",
    "density": "g/cm3",
    "dipole_polarizability": "bohr3",
    "electron_affinity": "eV",
    "en_allen": "eV",
    "vdw_radius": "pm",
    "metallic_radius": "pm",
    "metallic_radius_c12": "pm",
    "covalent_radius_pyykko_double": "pm",
    "covalent_radius_pyykko_triple": "pm",
    "covalent_radius_pyykko": "pm",
    "ionization_energy_1": "eV",
    "ionization_energy_2": "eV",
}


class Elements(NamedTuple):
    """The table with atomic numbers as rows; row 0 is zero.

    Attributes:
        period: 0 to 6, int64 ``[86]``.
        group: 0 to 17, and 18 for the f-block, int64 ``[86]``.
        properties: z-scores over elements 1 to 85, ``[86, p]``: properties that more than half of the elements lack are dropped, what is
            missing in the others is their mean.
        names: of the properties that are left.
    """

    period: Int[Tensor, " 86"]
    group: Int[Tensor, " 86"]
    properties: Float[Tensor, "86 p"]
    names: tuple[str, ...]


def elements() -> Elements:
    """The elements up to astatine.

    >>> table = elements()
    >>> table.period[[1, 8, 78]].tolist(), table.group[[1, 8, 78]].tolist()
    ([0, 1, 5], [0, 15, 9])
    """
    with TABLE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["atomic_number"]) <= 85]
    period, group = (torch.tensor([0, *(int(row[name]) - 1 for row in rows)]) for name in ("period", "group"))
    values = torch.tensor([[float(row[name] or "nan") for name in PROPERTIES] for row in rows], dtype=torch.float64)
    known = values.isfinite()
    mean = values.nanmean(0)
    deviation = torch.where(known, values - mean, 0.0)
    spread = (deviation.square().sum(0) / (known.sum(0) - 1)).sqrt()
    kept = known.sum(0) > len(rows) / 2
    scores = torch.cat([torch.zeros(1, len(PROPERTIES), dtype=torch.float64), deviation / spread])[:, kept]
    names = tuple(name for name, keep in zip(PROPERTIES, kept.tolist()) if keep)
    return Elements(period, group, scores.to(torch.get_default_dtype()), names)


def make_table() -> None:
    """Write ``elements.csv``. The molar volume is weight over density, left blank for gases; the f-block is group 19."""
    from mendeleev import element

    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["atomic_number", "symbol", "period", "group", *PROPERTIES])
        for number in range(1, 87):
            one = element(number)
            solid = one.density is not None and one.density > 0.01
            special = {
                "atomic_volume": one.atomic_weight / one.density if solid else None,
                "ionization_energy_1": one.ionenergies.get(1),
                "ionization_energy_2": one.ionenergies.get(2),
            }
            values = [special[name] if name in special else getattr(one, name) for name in PROPERTIES]
            writer.writerow(
                [number, one.symbol, one.period, one.group_id or 19, *("" if v is None else f"{v:.7g}" for v in values)]
            )


if __name__ == "__main__":
    make_table()
