"""Crystals: structures, their symmetry and protostructures; real ones (ICSD, AFLOW); what an atom sees of its neighbours, bond order."""

from erlangen.fields.crystals.composition import composition
from erlangen.fields.crystals.conventional import Conventional, conventional
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp import DiffCSP
from erlangen.fields.crystals.drawing import draw
from erlangen.fields.crystals.environments import Environments, environments
from erlangen.fields.crystals.files import cif_text, read_crystal, read_crystals, write_crystals
from erlangen.fields.crystals.found import FoundSymmetry, SymmetryStudy, moyo_symmetry, spglib_symmetry, symmetry
from erlangen.fields.crystals.generating import Generated, generate, wyckoff_model
from erlangen.fields.crystals.icsd import icsd, icsd_clean, split_by, stored_protostructures
from erlangen.fields.crystals.niggli import niggli
from erlangen.fields.crystals.protostructure import Protostructure, WyckoffTable, wyckoff_table
from erlangen.fields.crystals.prototypes import Prototype, prototypes
from erlangen.fields.crystals.reports import generated_outcome, symmetry_outcome
from erlangen.fields.crystals.steinhardt import bond_order
from erlangen.fields.crystals.validity import smact14_valid, structure_valid
from erlangen.fields.crystals.wyckoffdiff import WyckoffDiff, realise

__all__ = [
    "Conventional",
    "Crystal",
    "CrystalDataset",
    "DiffCSP",
    "Environments",
    "FoundSymmetry",
    "Generated",
    "Protostructure",
    "Prototype",
    "SymmetryStudy",
    "WyckoffDiff",
    "WyckoffTable",
    "as_crystal",
    "bond_order",
    "cif_text",
    "composition",
    "conventional",
    "draw",
    "environments",
    "generate",
    "generated_outcome",
    "icsd",
    "icsd_clean",
    "moyo_symmetry",
    "niggli",
    "prototypes",
    "read_crystal",
    "read_crystals",
    "realise",
    "smact14_valid",
    "spglib_symmetry",
    "split_by",
    "stored_protostructures",
    "structure_valid",
    "symmetry",
    "symmetry_outcome",
    "write_crystals",
    "wyckoff_model",
    "wyckoff_table",
]
