"""What is told of a crystal's symmetry: an answer, tables of tolerances and positions, drawings."""

from __future__ import annotations

from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.conventional import Conventional, conventional
from erlangen.fields.crystals.drawing import draw
from erlangen.fields.crystals.found import FoundSymmetry, SymmetryStudy
from erlangen.reporting import KeyNumber, Outcome, Section, Table

GLOSSARY = {
    "Wyckoff position": "the points of a space group that are alike: those of one position have the same symmetry, and as many images",
    "tolerance": "how far an atom may be from where symmetry wants it and still count as there",
    "protostructure": "the space group with the elements on its Wyckoff positions, without coordinates",
    "multiplicity": "how many points of a Wyckoff position lie in the conventional cell",
    "site symmetry": "the rotations and reflections that keep a point where it is",
    "conventional cell": "the cell in which the International Tables describe a space group",
}


def symmetry_outcome(study: SymmetryStudy, tolerance: float = 0.01, source: str = "") -> Outcome:
    """The report of :func:`~erlangen.fields.crystals.symmetry`: by the engines at one tolerance, and what the others change.

    Raises:
        ArgumentError: no symmetry is found at that tolerance, or it is none of the study's.
    """
    found = study.at(tolerance)
    made = conventional(study.crystal, tolerance, found=found)
    group, proto = found.space_group, found.protostructure.canonical()
    answer = (
        f"{study.crystal.formula} has space group {group} (No. {group.number}) at {tolerance:g} angstrom: {proto.label()}. "
        + ("Both engines agree at every tolerance. " if study.agreed else "The engines do not agree at every tolerance. ")
        + ("No tolerance tried changes it." if study.steady else "Other tolerances change it.")
    )
    chiral = _handed(made)
    numbers = [
        KeyNumber("space group", group.number, note=str(group)),
        KeyNumber("operations", group.order, note="in the conventional cell"),
        KeyNumber("atoms in the primitive cell", proto.n_atoms()),
        KeyNumber("free coordinates", proto.dof, note="of atoms; the lattice's come beside"),
    ]
    rows = []
    for at, first, second in study.found:
        rows.append([f"{at:g}", *_told(first), *_told(second)])
    heads = ["tolerance (angstrom)", "spglib: group", "protostructure", "moyopy: group", "protostructure"]
    tolerances = Table("What each tolerance finds", heads, rows, "Protostructures in their canonical description.")
    words = [*study.sentences(), chiral]
    sections = [
        Section("What each tolerance changes", words, tables=[tolerances]),
        Section(
            "Occupied positions", [f"In the conventional cell of {group}, as averaged over the group."], tables=[_positions(made)]
        ),
        Section("Drawings", figures=[draw(made), draw(study.crystal, title="The cell as it was given")]),
    ]
    metrics = {
        "space_group": group.number,
        "symbol": str(group),
        "protostructure": proto.label(),
        "prototype": proto.prototype(),
        "agreed": bool(study.agreed),
        "steady": bool(study.steady),
        "tolerances": {f"{at:g}": _label(first) for at, first, _ in study.found},
    }
    return Outcome(
        name="crystals-symmetry",
        title=f"Symmetry of {study.crystal.formula}",
        config={"source": source, "tolerance": tolerance},
        metrics=metrics,
        sections=sections,
        answer=answer,
        key_numbers=numbers,
        glossary=GLOSSARY,
    )


def _handed(made: Conventional) -> str:
    """Whether the crystal and its mirror image differ."""
    turns = made.group.point_group.elements().double()
    improper = bool((turns.det() < 0).any())
    if improper:
        return "A mirror, glide or rotoinversion belongs to the group: crystal and mirror image are the same."
    return (
        "No operation of the group reverses hands: the crystal is chiral, and its mirror image another one. Files "
        "that Erlangen writes keep its hand."
    )


def _positions(made: Conventional) -> Table:
    rows = []
    for number, place, letter in zip(made.numbers.tolist(), made.asymmetric.tolist(), made.letters):
        position = next(one for one in made.group.wyckoff_positions if one.letter == letter)
        where = ", ".join(f"{v:.5f}" for v in place)
        rows.append([SYMBOLS[number], f"{position.multiplicity}{letter}", position.site_symmetry, position.text, where])
    return Table(
        "Occupied Wyckoff positions", ["element", "position", "site symmetry", "coordinates", "first atom (fractions)"], rows
    )


def _label(found: FoundSymmetry | str) -> str:
    return found if isinstance(found, str) else found.protostructure.canonical().label()


def _told(found: FoundSymmetry | str) -> tuple[str, str]:
    return ("-", found) if isinstance(found, str) else (f"{found.space_group} ({found.number})", _label(found))
