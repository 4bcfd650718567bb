"""Solids: soft bodies of tetrahedra under gravity, their equilibrium, the rest shape that gives a wanted one, stability and standing.

Units are SI: metres, kilograms, seconds, pascals. z points up.
"""

from erlangen.fields.solids.equilibrium import Equilibrium, solve_static
from erlangen.fields.solids.loads import Loads, lumped_masses, supports, traction
from erlangen.fields.solids.material import CorotatedLinear, CustomMaterial, Material, NeoHookean, StVenantKirchhoff
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.rest import RestShape, rest_shape
from erlangen.fields.solids.stability import Stability
from erlangen.fields.solids.structured import beam, box, column, mirrored
from erlangen.fields.solids.symmetry import MeshSymmetry, VectorFields

__all__ = [
    "CorotatedLinear",
    "CustomMaterial",
    "Equilibrium",
    "Loads",
    "Material",
    "MeshSymmetry",
    "NeoHookean",
    "RestShape",
    "StVenantKirchhoff",
    "Stability",
    "TetMesh",
    "VectorFields",
    "beam",
    "box",
    "column",
    "lumped_masses",
    "mirrored",
    "rest_shape",
    "solve_static",
    "supports",
    "traction",
]
