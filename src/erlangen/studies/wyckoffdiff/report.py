"""The sections of the report: sets of protostructures beside each other, and samples as crystals."""

from __future__ import annotations

from typing import Any

from erlangen.fields.crystals.wyckoffdiff import ProtostructureMetrics, Realisation
from erlangen.reporting import Section, Table, bars_with_error, repeated
from erlangen.studies.wyckoffdiff.rows import Learnt
from erlangen.studies.wyckoffdiff.settings import Config


def table_section(
    table: dict[str, list[ProtostructureMetrics]],
    learnt: dict[str, list[Learnt]],
    numbers: dict[str, Any],
    config: Config,
    fwd: dict[str, float],
) -> Section:
    names = (
        "fwd",
        "fwd_features",
        "unique",
        "novel",
        "new_prototype",
        "valid",
        "elements",
        "atoms",
        "space_group_tv",
        "space_group_js",
        "empty",
    )
    columns = [
        "",
        "FWD[icsd]",
        "FWD of features",
        "unique",
        "novel",
        "new prototype",
        "balanced",
        "elements",
        "atoms",
        "groups TV",
        "groups JS",
        "empty",
    ]
    cells = [[name, *(repeated([getattr(one, what) for one in found]) for what in names)] for name, found in table.items()]
    models: list[list[Any]] = [
        [name, repeated([one.nats for one in found]), found[0].steps, found[0].seconds, found[0].sampling]
        for name, found in learnt.items()
    ]
    models.insert(0, ["independent entries", numbers["independent_nats"], None, None, None])
    return Section(
        "Generated protostructures",
        [
            "A protostructure is a space group and which elements occupy which of its Wyckoff positions. FWD[icsd] is the Fréchet distance "
            "to test crystals in the last features of a network that predicts formation energies; it was trained in this run "
            f"({numbers['encoder_error']:.3f} eV per atom on test crystals, whose mean deviation is {numbers['encoder_deviation']:.3f}), "
            "so its distances cannot be compared with published ones. Crystals are parted by their formulas, all sets have the same "
            "number, and shares are of all that were asked for. Independent positions copy what stands on each position from a "
            "training crystal of the group, from another one for each: in rare groups that copies crystals.",
            f"spglib finds another group than the file states in {numbers['disagreement']:.1%} of {config.looked_at} training crystals "
            "(0.01 angstrom); the stated ones are learnt.",
        ],
        tables=[
            Table("Sets of protostructures", columns, cells, "The mean over sets, ± their deviation, where there are several."),
            Table(
                "Models", ["", "log-probability of a test crystal (nats)", "steps", "training (CPU s)", "sampling (CPU s)"], models
            ),
        ],
        figures=[
            bars_with_error(
                list(table),
                {"FWD[icsd]": list(fwd.values())},
                title="Distance to test crystals",
                y_label="FWD[icsd]",
                caption="The floor is that of real crystals at the same number.",
            )
        ],
    )


def crystal_section(crystals: list[Realisation]) -> Section:
    columns = ["protostructure", "group", "found at 0.01", "at 0.1", "symmetry", "eV per atom", "closest"]
    cells = [
        [
            one.protostructure.label(),
            one.protostructure.space_group,
            one.found[0.01],
            one.found[0.1],
            one.symmetry,
            one.energy,
            one.closest,
        ]
        for one in crystals
    ]
    return Section(
        "As crystals",
        [
            "The first samples with few atoms, each with one random lattice and random free coordinates, relaxed by CHGNet under their "
            "symmetry for a few steps. Energies are the calculator's, of crystals that are not at rest yet: they say that a crystal is "
            "not absurd, not that it exists. Closest is the least distance of two atoms over the sum of their covalent radii."
        ],
        tables=[Table("Realised samples", columns, cells)],
    )


def as_numbers(one: Realisation) -> dict[str, Any]:
    return {
        "label": one.protostructure.label(),
        "found": {str(tolerance): number for tolerance, number in one.found.items()},
        "symmetry": one.symmetry,
        "energy": one.energy,
        "closest": one.closest,
        "failed": one.failed,
    }
