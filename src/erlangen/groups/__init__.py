"""Groups, by their generators."""

from erlangen.groups.abelian import FiniteAbelian
from erlangen.groups.affine import SE, AffineGroup, E, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import InvariantForms, Metric, algebra_of_form
from erlangen.groups.annihilator import Annihilator
from erlangen.groups.axial import AxialE, AxialO, AxialSE
from erlangen.groups.base import Element, Group
from erlangen.groups.clifford import CliffordAlgebra
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.cyclic import Cyclic, Dihedral
from erlangen.groups.finite import (
    centre,
    conjugacy_classes,
    element_order,
    element_orders,
    exponent,
    index_of,
    is_abelian,
    multiplication_table,
)
from erlangen.groups.forms import OrbitInvariants, bilinear_forms, commutant, invariants_of, orbit_invariants
from erlangen.groups.grid import GridSymmetries
from erlangen.groups.integer import IntegerMatrixGroup
from erlangen.groups.linear import SL, Affine, GLplus, Scalings
from erlangen.groups.logarithm import matrix_log
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.named_algebras import Named, nearest_named
from erlangen.groups.orthogonal import SO, Isometries, O, so_basis
from erlangen.groups.permutation import Alternating, PermutationGroup, Symmetric
from erlangen.groups.products import DirectProduct, SemidirectProduct
from erlangen.groups.project import polar, project, projection
from erlangen.groups.recognise import recognised
from erlangen.groups.space_groups import PlaneGroup, SpaceGroup
from erlangen.groups.subgroup_classes import (
    LinearCharacter,
    SubgroupClass,
    induced_character,
    linear_characters,
    permutation_characters,
    subgroup_classes,
    table_of_marks,
)
from erlangen.groups.subgroups import Subgroup, SubgroupLattice, generated, subgroup_lattice
from erlangen.groups.symplectic import Sp
from erlangen.groups.table import TableGroup
from erlangen.groups.torus import U1, Torus
from erlangen.groups.wyckoff import WyckoffPosition

__all__ = [
    "SE",
    "SL",
    "SO",
    "U1",
    "Affine",
    "AffineGroup",
    "Alternating",
    "Annihilator",
    "AxialE",
    "AxialO",
    "AxialSE",
    "CliffordAlgebra",
    "CrystallographicGroup",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "E",
    "Element",
    "FiniteAbelian",
    "GLplus",
    "GridSymmetries",
    "Group",
    "IntegerMatrixGroup",
    "InvariantForms",
    "Isometries",
    "LieAlgebra",
    "LinearCharacter",
    "MatrixGroup",
    "Metric",
    "Named",
    "O",
    "OrbitInvariants",
    "PermutationGroup",
    "PlaneGroup",
    "Scalings",
    "SemidirectProduct",
    "Sp",
    "SpaceGroup",
    "Subgroup",
    "SubgroupClass",
    "SubgroupLattice",
    "Symmetric",
    "TableGroup",
    "Torus",
    "Translations",
    "WyckoffPosition",
    "algebra_of_form",
    "bilinear_forms",
    "centre",
    "commutant",
    "conjugacy_classes",
    "element_order",
    "element_orders",
    "exponent",
    "generated",
    "index_of",
    "induced_character",
    "invariants_of",
    "is_abelian",
    "linear_characters",
    "matrix_log",
    "multiplication_table",
    "nearest_named",
    "orbit_invariants",
    "permutation_characters",
    "polar",
    "project",
    "projection",
    "recognised",
    "so_basis",
    "subgroup_classes",
    "subgroup_lattice",
    "table_of_marks",
]
