"""How groups act linearly on the last axis of a tensor."""

# A Rep is an Action, and actions on axes and images are made of Reps: entering that circle from this side keeps it open.
import erlangen.actions  # noqa: F401  # isort: skip

from erlangen.reps.base import Rep
from erlangen.reps.basic import Defining, Determinant, MatrixRep, Permutation, Sign, Trivial
from erlangen.reps.combine import DirectSum, Dual, TensorProduct
from erlangen.reps.decompose import constraints, intertwiners, invariants, isotypic, multiplicity, reynolds_projector
from erlangen.reps.planar import PlanarIrrep
from erlangen.reps.pullback import Pullback
from erlangen.reps.spatial import SpatialIrrep, solid_harmonics

__all__ = [
    "Defining",
    "Determinant",
    "DirectSum",
    "Dual",
    "MatrixRep",
    "Permutation",
    "PlanarIrrep",
    "Pullback",
    "Rep",
    "Sign",
    "SpatialIrrep",
    "TensorProduct",
    "Trivial",
    "constraints",
    "intertwiners",
    "invariants",
    "isotypic",
    "multiplicity",
    "reynolds_projector",
    "solid_harmonics",
]
