"""Crystal structures by joint diffusion of lattice, coordinates and types of atoms."""

from erlangen.fields.crystals.diffcsp.baselines import Retrieval, random_crystals
from erlangen.fields.crystals.diffcsp.energy import Energy
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.network import CSPNet
from erlangen.fields.crystals.diffcsp.settings import Settings
from erlangen.fields.crystals.diffcsp.symmetric import SymmetricDiffCSP
from erlangen.fields.crystals.diffcsp.trained import model_folder, trained
from erlangen.fields.crystals.diffcsp.trunk import TabulatedTrunk, Trunk

__all__ = [
    "CSPNet",
    "DiffCSP",
    "Energy",
    "Retrieval",
    "Settings",
    "SymmetricDiffCSP",
    "TabulatedTrunk",
    "Trunk",
    "model_folder",
    "random_crystals",
    "trained",
]
