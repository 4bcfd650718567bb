"""Crystal structures by joint diffusion of lattice, coordinates and types of atoms."""

from erlangen.fields.crystals.diffcsp.model import DiffCSP, Settings
from erlangen.fields.crystals.diffcsp.network import CSPNet
from erlangen.fields.crystals.diffcsp.trunk import TabulatedTrunk, Trunk

__all__ = ["CSPNet", "DiffCSP", "Settings", "TabulatedTrunk", "Trunk"]
