"""Solids: soft bodies of tetrahedra under gravity, their equilibrium, the rest shape that gives a wanted one, stability and standing.

Units are SI: metres, kilograms, seconds, pascals. z points up.
"""

from erlangen.fields.solids.drawing import Shown, draw, draw_drop, draw_stance
from erlangen.fields.solids.drop import Drop, drop_test
from erlangen.fields.solids.files import boundary, read_surface, read_tets, write_surface, write_tets
from erlangen.fields.solids.inflated import inflate_tets
from erlangen.fields.solids.layer import FittedMaterial, equilibrium, fit_material
from erlangen.fields.solids.loads import Loads, lumped_masses, supports, traction
from erlangen.fields.solids.material import CorotatedLinear, CustomMaterial, Material, NeoHookean, StVenantKirchhoff
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.pictures import Axis, extrude, inflate, mirror_axis, raise_depth, revolve, silhouette
from erlangen.fields.solids.prepare import Prepared, prepare, softness
from erlangen.fields.solids.remesh import simplify, wrap
from erlangen.fields.solids.repair import Examined, Repaired, examine, repair
from erlangen.fields.solids.rest import RestShape, critical_stiffness, rest_shape
from erlangen.fields.solids.stability import Stability
from erlangen.fields.solids.standing import Stance, Stand, flatten_base, make_stand, stance
from erlangen.fields.solids.static import Equilibrium, solve_static
from erlangen.fields.solids.stress import cauchy_stress, fractured, mean_stress, von_mises
from erlangen.fields.solids.structured import beam, box, column, mirrored
from erlangen.fields.solids.substances import SUBSTANCES, Substance, substance
from erlangen.fields.solids.surface import TriMesh
from erlangen.fields.solids.symmetry import MeshSymmetry, VectorFields
from erlangen.fields.solids.tetrahedra import tetrahedralize

__all__ = [
    "SUBSTANCES",
    "Axis",
    "CorotatedLinear",
    "CustomMaterial",
    "Drop",
    "Equilibrium",
    "Examined",
    "FittedMaterial",
    "Loads",
    "Material",
    "MeshSymmetry",
    "NeoHookean",
    "Prepared",
    "Repaired",
    "RestShape",
    "Shown",
    "StVenantKirchhoff",
    "Stability",
    "Stance",
    "Stand",
    "Substance",
    "TetMesh",
    "TriMesh",
    "VectorFields",
    "beam",
    "boundary",
    "box",
    "cauchy_stress",
    "column",
    "critical_stiffness",
    "draw",
    "draw_drop",
    "draw_stance",
    "drop_test",
    "equilibrium",
    "examine",
    "extrude",
    "fit_material",
    "flatten_base",
    "fractured",
    "inflate",
    "inflate_tets",
    "lumped_masses",
    "make_stand",
    "mean_stress",
    "mirror_axis",
    "mirrored",
    "prepare",
    "raise_depth",
    "read_surface",
    "read_tets",
    "repair",
    "rest_shape",
    "revolve",
    "silhouette",
    "simplify",
    "softness",
    "solve_static",
    "stance",
    "substance",
    "supports",
    "tetrahedralize",
    "traction",
    "von_mises",
    "wrap",
    "write_surface",
    "write_tets",
]
