"""What is told of a crystal's symmetry: an answer, tables of tolerances and positions, drawings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.conventional import Conventional, conventional, position_of
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.fields.crystals.drawing import MOST_ATOMS, draw
from erlangen.fields.crystals.found import FoundSymmetry, SymmetryStudy
from erlangen.fields.crystals.generating import Generated
from erlangen.fields.crystals.validity import smact14_valid
from erlangen.groups.space_groups import SpaceGroup
from erlangen.reporting import KeyNumber, Outcome, Section, Table, bars_with_error

#: Rows of the table of generated crystals.
MOST_ROWS = 50
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
        _drawings({"": made, "The cell as it was given": study.crystal}),
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


def _drawings(each: Mapping[str, Conventional | Crystal]) -> Section:
    """Those that are small enough, by their titles."""
    few = {title: one for title, one in each.items() if len(as_crystal(one)) <= MOST_ATOMS}
    left = [] if len(few) == len(each) else [f"Cells of more than {MOST_ATOMS} atoms are not drawn."]
    return Section("Drawings", left, figures=[draw(one, title=title) for title, one in few.items()])


def generated_outcome(made: Generated, config: Mapping[str, Any]) -> Outcome:
    """The report of :func:`~erlangen.fields.crystals.generate`: what was kept, why samples were not, drawings of the first six."""
    each = made.crystals
    valid = sum(smact14_valid(one.crystal.composition) for one in each)
    group = config.get("space_group")
    what = f"space group {wanted_name(group)}" if group else "space groups as often as among real crystals"
    relaxed = any(one.energy is not None for one in each)
    answer = (
        f"{len(each)} of {made.asked} crystals wanted with {what}, from {made.drawn} samples; in each of them spglib finds the group "
        f"that was asked for. {valid} have charges that can balance; {made.known} have a protostructure that real crystals have. "
        + ("They were relaxed under their symmetry; that does not make them stable." if relaxed else "None was relaxed.")
    )
    numbers = [
        KeyNumber("crystals", len(each), note=f"of {made.asked} wanted"),
        KeyNumber("samples drawn", made.drawn),
        KeyNumber("charges can balance", valid, note="SMACT, oxidation states of 2014"),
        KeyNumber("protostructures of the ICSD", made.known, note="the others are new to the model"),
    ]
    rows = [
        [
            one.crystal.formula,
            f"{one.protostructure.group} ({one.protostructure.space_group})",
            one.protostructure.canonical().label(),
            len(one.crystal),
            one.crystal.volume / len(one.crystal),
            one.closest,
            one.energy,
        ]
        for one in each[:MOST_ROWS]
    ]
    heads = ["formula", "space group", "protostructure", "atoms", "angstrom^3 an atom", "closest pair", "eV an atom"]
    caption = "Closest pair: its distance over the sum of the covalent radii." + (
        f" The first {MOST_ROWS} of {len(each)}." if len(each) > MOST_ROWS else ""
    )
    sections = []
    if each:
        sections.append(Section("Drawings", figures=[draw(conventional(one.crystal)) for one in each[:6]]))
        sections.append(Section("The crystals", tables=[Table("Crystals that were kept", heads, rows, caption)]))
        sizes = sorted(Counter(len(one.crystal) for one in each).items())
        figure = bars_with_error(
            [str(size) for size, _ in sizes],
            {"crystals": [float(number) for _, number in sizes]},
            title="Atoms in the primitive cell",
            x_label="atoms",
            y_label="crystals",
        )
        sections.append(Section("Sizes", figures=[figure]))
    reasons = [[reason, count] for reason, count in sorted(made.rejected.items(), key=lambda one: -one[1])]
    if reasons:
        sections.append(Section("What was not kept", tables=[Table("Samples that were not kept", ["reason", "samples"], reasons)]))
    metrics = {"kept": len(each), "asked": made.asked, "drawn": made.drawn, "valid": valid, "known": made.known}
    return Outcome(
        name="crystals-generate",
        title=f"Crystals with {what}",
        config=dict(config),
        metrics={**metrics, "rejected": made.rejected, "labels": [one.protostructure.canonical().label() for one in each]},
        sections=sections,
        answer=answer,
        key_numbers=numbers,
        glossary=GLOSSARY,
    )


def wanted_name(number: int) -> str:
    """A space group with its number.

    >>> wanted_name(225)
    'Fm-3m (No. 225)'
    """
    return f"{SpaceGroup(number)} (No. {number})"


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
        position = position_of(made.group, letter)
        where = ", ".join(f"{v:.5f}" for v in place)
        rows.append([SYMBOLS[number], f"{position.multiplicity}{letter}", position.site_symmetry, position.text, where])
    return Table(
        "Occupied Wyckoff positions", ["element", "position", "site symmetry", "coordinates", "first atom (fractions)"], rows
    )


def _label(found: FoundSymmetry | str) -> str:
    return found if isinstance(found, str) else found.protostructure.canonical().label()


def _told(found: FoundSymmetry | str) -> tuple[str, str]:
    return ("-", found) if isinstance(found, str) else (f"{found.space_group} ({found.number})", _label(found))
