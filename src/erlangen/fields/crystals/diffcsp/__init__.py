"""Crystal structures by joint diffusion of lattice, coordinates and types of atoms."""

from erlangen.fields.crystals.diffcsp.baselines import LookedUp, Retrieval, random_crystals
from erlangen.fields.crystals.diffcsp.energy import Energy
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.network import CSPNet
from erlangen.fields.crystals.diffcsp.predicted import Predicted, predicted
from erlangen.fields.crystals.diffcsp.report import predicted_outcome
from erlangen.fields.crystals.diffcsp.settings import Settings
from erlangen.fields.crystals.diffcsp.symmetric import SymmetricDiffCSP
from erlangen.fields.crystals.diffcsp.trained import GROUPED_STEPS, STEPS, is_plain, model_folder, trained, trained_symmetric
from erlangen.fields.crystals.diffcsp.trunk import TabulatedTrunk, Trunk
from erlangen.fields.crystals.diffcsp.worth import HeldOut, held_out

__all__ = [
    "GROUPED_STEPS",
    "STEPS",
    "CSPNet",
    "DiffCSP",
    "Energy",
    "HeldOut",
    "LookedUp",
    "Predicted",
    "Retrieval",
    "Settings",
    "SymmetricDiffCSP",
    "TabulatedTrunk",
    "Trunk",
    "held_out",
    "is_plain",
    "model_folder",
    "predicted",
    "predicted_outcome",
    "random_crystals",
    "trained",
    "trained_symmetric",
]
