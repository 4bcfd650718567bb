"""The report of predicted structures: the model's and the look-up's, drawn and told, and how far either is to be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from erlangen.fields.crystals.composition import composition
from erlangen.fields.crystals.diffcsp.predicted import Candidate, Predicted
from erlangen.fields.crystals.diffcsp.worth import HeldOut
from erlangen.fields.crystals.drawing import draw
from erlangen.fields.crystals.radii import without_radius
from erlangen.reporting import KeyNumber, Outcome, Section, Table

#: Structures that are drawn of each kind.
DRAWN = 4
COLUMNS = (
    "Space group: of spglib, and of moyopy where it finds another. Edges in angstrom, volume in cubic angstrom an atom. Closest: the least "
    "distance of two atoms over the sum of their covalent radii."
)
#: What that costs, as measured on cells of five atoms and told in the guide.
PROJECTED = "of 60 held-out crystals given their true group 5 % matched, and 28 % by a network that was trained for it"
GLOSSARY = {
    "look-up": "a known crystal of the same stoichiometry with the wanted elements in its places, scaled to their radii",
    "match": "pymatgen's StructureMatcher(stol=0.5, ltol=0.3, angle_tol=10) calls both the same; it is generous",
    "distance": "root mean square distance of matched atoms over the cube root of the volume per atom",
    "relaxed": "moved to where a model of the forces finds none; without it a prediction is a guess at a start",
}


def predicted_outcome(found: Predicted, config: Mapping[str, Any], worth: HeldOut | None = None) -> Outcome:
    """The report of :func:`predicted`.

    Args:
        found: what it found.
        config: what was asked.
        worth: what :func:`trained` measured of the model.
    """
    told = trust(found, worth)
    best = found.made[0] if found.made else None
    answer = f"{len(found.made)} different structures of {found.formula} from {found.asked} predictions; none was relaxed. "
    if found.ranked.endswith("relaxed"):
        answer = answer.replace("none was relaxed", "each was relaxed by CHGNet")
    if best is not None:
        answer += f"The first has space group {best.groups[0]}. "
    answer += told[0]
    numbers = [
        KeyNumber("structures kept", len(found.made), note=f"of {found.asked}"),
        KeyNumber("like a known crystal", sum(one.known is not None for one in found.made), note="match one of the look-up's"),
        KeyNumber("looked up", len(found.looked_up), note=f"different ones, among {found.searched} known crystals"),
    ]
    if worth is not None:
        given = " given the group" if worth.grouped else ""
        note = f"of {worth.crystals} formulas that it was not shown{given}; a look-up {worth.look_up:.0%}"
        numbers.append(KeyNumber("matched by the model", round(worth.model, 3), note=note))
    sections = [Section("How far to trust them", told)]
    if found.made:
        order = "by energy" if found.ranked else "the most frequent first"
        caption = (
            f"{COLUMNS} Times: how many predictions were this structure. Known: the looked-up structure that it matches best, by the "
            "formula that it comes from."
            + (
                f" Energy: CHGNet's, eV an atom, {'relaxed' if found.ranked.endswith('relaxed') else 'of structures as they are'}."
                if found.ranked
                else ""
            )
        )
        sections.append(
            Section(
                "The model's structures",
                [f"Those that were kept, {order}."],
                tables=[Table("Predicted structures", HEADS, [_row(i, one) for i, one in enumerate(found.made, 1)], caption)],
                figures=_drawn(found.made),
            )
        )
    if found.looked_up:
        rows = [_looked(i, one) for i, one in enumerate(found.looked_up, 1)]
        sections.append(
            Section(
                "The look-up's structures",
                ["Known crystals with the wanted elements in their places, the one with the most similar elements first."],
                tables=[
                    Table(
                        "Looked-up structures", LOOKED_HEADS, rows, "Unlike: how far the exchanged elements are apart; 0 is none."
                    )
                ],
                figures=_drawn(found.looked_up),
            )
        )
    if found.rejected:
        rows = [[reason, number] for reason, number in sorted(found.rejected.items(), key=lambda one: -one[1])]
        sections.append(
            Section("What was thrown away", tables=[Table("Predictions that were not kept", ["reason", "predictions"], rows)])
        )
    return Outcome(
        name="crystals-predict",
        title=f"Structures of {found.formula}",
        config=dict(config),
        metrics={
            "kept": len(found.made),
            "asked": found.asked,
            "rejected": found.rejected,
            "crystals": [as_json(one) for one in found.made],
            "look_up": [as_json(one) for one in found.looked_up],
            "held_out": None if worth is None else asdict(worth),
            "projected": found.projected,
        },
        sections=sections,
        answer=answer,
        key_numbers=numbers,
        glossary=GLOSSARY,
    )


def trust(found: Predicted, worth: HeldOut | None) -> list[str]:
    """What is known of the model and of the look-up, in sentences; the first is the one to say if there is room for one only."""
    said = []
    if worth is not None:
        better = "Look at the look-up's structures first." if worth.look_up > worth.model else ""
        given, of_group = (", given the true space group,", " of that group") if worth.grouped else ("", "")
        said.append(
            f"Of {worth.crystals} crystals whose formulas it was not shown this model's first prediction{given} matched {worth.model:.0%} "
            f"(standard error {worth.error(worth.model):.0%}), the first look-up{of_group} {worth.look_up:.0%} "
            f"({worth.error(worth.look_up):.0%}). {better}".strip()
        )
    else:
        said.append(
            "Nothing was measured of this model; on held-out crystals a look-up of known structures matched far more than models did."
        )
    if found.projected:
        said.append(
            f"The model was not trained for space groups: group {found.spacegroup} was forced on it, which costs matches "
            f"({PROJECTED}){', and what was measured above was without a group' if worth is not None else ''}."
        )
    elif found.spacegroup is not None:
        said.append(
            f"The model's structures have space group {found.spacegroup}, or one that contains it, by construction; for each, one of all "
            "ways to put the atoms on its positions was drawn at random, so of many ways few are tried. The look-up's have any group."
        )
    if found.itself:
        said.append(
            f"{found.formula} is itself among the known crystals, and was among those that the model learned from unless it was held out."
        )
    elif found.searched and not found.looked_up and not without_radius(composition(found.formula)):
        said.append(f"Among {found.searched} known crystals none has this stoichiometry in one cell: there is no look-up.")
    if unknown := without_radius(composition(found.formula)):
        said.append(
            f"Nobody knows a covalent radius of {', '.join(unknown)}: nothing says how close atoms are, and there is no look-up."
        )
    if not found.searched:
        said.append("There was no look-up: the known crystals were not there.")
    said.append(
        "A match is generous, and no structure here is known to be stable: compare energies with those of competing phases."
    )
    return said


CELL = ["space group", "a, b, c", "angles", "volume", "closest"]
HEADS = ["", *CELL, "times", "known", "distance", "energy"]
LOOKED_HEADS = ["", "known", "unlike", *CELL, "energy"]


def as_json(one: Candidate) -> dict[str, Any]:
    """What is told of a structure."""
    lengths, angles = one.crystal.lengths_angles()
    return {
        "space_group": one.groups[0],
        "space_group_moyopy": one.groups[1],
        "lengths": list(lengths),
        "angles": list(angles),
        "volume_per_atom": one.crystal.volume / len(one.crystal),
        "closest": one.closest,
        "times": one.times,
        "known": None if one.known is None else one.known.formula,
        "distance": one.distance,
        "energy": one.energy,
    }


def groups_of(one: Candidate) -> str:
    """What both engines find: once where they agree."""
    first, second = one.groups
    return first if first == second else f"{first}; moyopy: {second}"


def _cell(one: Candidate) -> list[Any]:
    lengths, angles = one.crystal.lengths_angles()
    edges, corners = " ".join(f"{v:.2f}" for v in lengths), " ".join(f"{v:.1f}" for v in angles)
    near = None if one.closest is None else round(one.closest, 3)
    return [groups_of(one), edges, corners, round(one.crystal.volume / len(one.crystal), 2), near]


def _row(i: int, one: Candidate) -> list[Any]:
    known = None if one.known is None else one.known.formula
    return [i, *_cell(one), one.times, known, one.distance, one.energy]


def _looked(i: int, one: Candidate) -> list[Any]:
    assert one.known is not None
    return [i, one.known.formula, round(one.known.apart, 3), *_cell(one), one.energy]


def _drawn(candidates: Sequence[Candidate]) -> list[Any]:
    made = []
    for i, one in enumerate(candidates[:DRAWN], 1):
        told = f", {one.energy:.3f} eV an atom" if one.energy is not None else ""
        made.append(draw(one.crystal, title=f"{i}: {one.groups[0]}{told}"))
    return made
