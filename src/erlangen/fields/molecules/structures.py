"""Structures from files, and which tests tell two of them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.groups import Group
from erlangen.measure.gwl.report import ExpressivityReport, expressivity_report


def compare_structures(
    a: Path,
    b: Path,
    *,
    cutoff: float | None = None,
    group: Group | str | None = None,
    max_iter: int | Literal["auto"] = "auto",
    tol: float | None = None,
) -> ExpressivityReport:
    """Read two structures and run :func:`erlangen.measure.gwl.expressivity_report` on them: what ``erlangen expressivity`` does.

    Args:
        a, b: files: ``.sdf`` and ``.mol`` by RDKit, with their bonds; all else that ASE reads (``.xyz``, ``.cif``, ``POSCAR`` ...).
        cutoff: pairs nearer than this, in angstrom, are edges; needed where the file has no bonds.
        group: ``"O(3)"`` or ``"SO(3)"``; by default both.
        max_iter, tol: as for :class:`erlangen.measure.gwl.GWL`; the tolerance in angstrom.

    Raises:
        ArgumentError: a file is missing or unreadable, or a cutoff is.
        MissingExtra: the reader is not installed (extra ``molecules``).
    """
    first, second = read_structure(a, name="a"), read_structure(b, name="b")
    return expressivity_report(first, second, group=group, cutoff=cutoff, max_iter=max_iter, tol=tol)


def read_structure(path: Path, *, name: str = "path") -> Any:
    """The first structure of a file: an RDKit ``Mol`` from ``.sdf`` and ``.mol``, else an ASE ``Atoms``."""
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(name, "a file with a structure", f"no file at '{path}'")
    if path.suffix.lower() in (".sdf", ".mol"):
        chem = engine("molecules", "rdkit.Chem")
        found = next(iter(chem.SDMolSupplier(str(path), removeHs=False)), None)
        if found is None or not found.GetNumConformers():
            raise ArgumentError(name, "a readable molecule with coordinates", f"'{path.name}'")
        return found
    reader = engine("molecules", "ase.io")
    try:
        return reader.read(str(path), index=0)
    except Exception as problem:  # every format has errors of its own
        raise ArgumentError(
            name, "a structure that ASE can read", f"'{path.name}' ({type(problem).__name__}: {problem})"
        ) from problem
