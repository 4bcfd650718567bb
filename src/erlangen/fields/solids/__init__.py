"""Solids: soft bodies of tetrahedra under gravity, their equilibrium, the rest shape that gives a wanted one, stability and standing.

Units are SI: metres, kilograms, seconds, pascals. z points up.
"""

from erlangen.fields.solids.loads import Loads, lumped_masses, supports, traction
from erlangen.fields.solids.material import CorotatedLinear, CustomMaterial, Material, NeoHookean, StVenantKirchhoff
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.structured import beam, box, column, mirrored

__all__ = [
    "CorotatedLinear",
    "CustomMaterial",
    "Loads",
    "Material",
    "NeoHookean",
    "StVenantKirchhoff",
    "TetMesh",
    "beam",
    "box",
    "column",
    "lumped_masses",
    "mirrored",
    "supports",
    "traction",
]
