"""How groups act linearly on the last axis of a tensor."""

# A Rep is an Action, and actions on axes and images are made of Reps: entering that circle from this side keeps it open.
import erlangen.actions  # noqa: F401  # isort: skip

from erlangen.reps.admissible import Admissibility, admissible, approximate_error
from erlangen.reps.admissible_forms import AdmissibleForm, admissible_forms
from erlangen.reps.base import Rep
from erlangen.reps.basic import Defining, Determinant, MatrixRep, Permutation, Sign, Trivial
from erlangen.reps.block_diagonalize import BlockDecomposition, block_diagonalize
from erlangen.reps.characters import character_multiplicities, frequency_multiplicities
from erlangen.reps.classify import classify
from erlangen.reps.clebsch_gordan import clebsch_gordan
from erlangen.reps.combine import DirectSum, Dual, TensorProduct
from erlangen.reps.decompose import constraints, intertwiners, invariants, isotypic, multiplicity, reynolds_projector
from erlangen.reps.exterior import Multivectors
from erlangen.reps.irreps3 import ToIrreps, from_e3nn, from_irreps, to_e3nn, to_irreps
from erlangen.reps.monomial import EntryMap, InBasis, Induced
from erlangen.reps.multipliers import ActivationClass, Multipliers
from erlangen.reps.planar import PlanarIrrep, TorusIrrep
from erlangen.reps.points import PointSet
from erlangen.reps.pullback import Pullback
from erlangen.reps.spatial import SpatialIrrep, solid_harmonics

__all__ = [
    "ActivationClass",
    "Admissibility",
    "AdmissibleForm",
    "BlockDecomposition",
    "Defining",
    "Determinant",
    "DirectSum",
    "Dual",
    "EntryMap",
    "InBasis",
    "Induced",
    "MatrixRep",
    "Multipliers",
    "Multivectors",
    "Permutation",
    "PlanarIrrep",
    "PointSet",
    "Pullback",
    "Rep",
    "Sign",
    "SpatialIrrep",
    "TensorProduct",
    "ToIrreps",
    "TorusIrrep",
    "Trivial",
    "admissible",
    "admissible_forms",
    "approximate_error",
    "block_diagonalize",
    "character_multiplicities",
    "classify",
    "clebsch_gordan",
    "constraints",
    "frequency_multiplicities",
    "from_e3nn",
    "from_irreps",
    "intertwiners",
    "invariants",
    "isotypic",
    "multiplicity",
    "reynolds_projector",
    "solid_harmonics",
    "to_e3nn",
    "to_irreps",
]
