"""Groups, by their generators."""

from erlangen.groups.affine import SE, AffineGroup, E, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import InvariantForms, Metric, algebra_of_form
from erlangen.groups.base import Element, Group
from erlangen.groups.cyclic import Cyclic, Dihedral
from erlangen.groups.linear import SL, Affine, GLplus, Scalings
from erlangen.groups.logarithm import matrix_log
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.named_algebras import Named, nearest_named
from erlangen.groups.orthogonal import SO, Isometries, O, so_basis
from erlangen.groups.permutation import Alternating, PermutationGroup, Symmetric
from erlangen.groups.symplectic import Sp
from erlangen.groups.torus import U1, Torus

__all__ = [
    "Affine",
    "AffineGroup",
    "Alternating",
    "Cyclic",
    "Dihedral",
    "E",
    "Element",
    "GLplus",
    "Group",
    "InvariantForms",
    "Isometries",
    "LieAlgebra",
    "MatrixGroup",
    "Metric",
    "Named",
    "O",
    "PermutationGroup",
    "SE",
    "SL",
    "SO",
    "Scalings",
    "Sp",
    "Symmetric",
    "Torus",
    "Translations",
    "U1",
    "algebra_of_form",
    "matrix_log",
    "nearest_named",
    "so_basis",
]
