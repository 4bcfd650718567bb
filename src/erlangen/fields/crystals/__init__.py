"""Crystals: prototypes of structures (AFLOW; extra ``prototypes``), what an atom in them sees of its neighbours, bond order."""

from erlangen.fields.crystals.environments import Environments, environments
from erlangen.fields.crystals.prototypes import Prototype, prototypes
from erlangen.fields.crystals.steinhardt import bond_order

__all__ = ["Environments", "Prototype", "bond_order", "environments", "prototypes"]
