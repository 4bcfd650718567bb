"""Elliptic curves over finite fields: isogenies as ideals, the index of ``Hom(E1, E2) beta``, class groups acting on curves.

Orders, ideals, forms, class groups, the index theorem, degree forms and quaternions are whole numbers and need no engine; curves ask PARI.
"""

from erlangen.fields.curves.actions import ClassGroupAction, class_group_action
from erlangen.fields.curves.class_groups import ClassGroup, class_group
from erlangen.fields.curves.curve import Curve, curves_with_trace
from erlangen.fields.curves.degrees import ascended, class_between, degree_form, hom_index, isogenous, min_degree, recovered
from erlangen.fields.curves.drawing import draw_graph, draw_volcano
from erlangen.fields.curves.forms import Form, reduced_forms
from erlangen.fields.curves.hom import DegreeForm, degree, degree_form_of, homs, index_by_theorem, index_theorem
from erlangen.fields.curves.ideals import Ideal, Lattice
from erlangen.fields.curves.isogeny import Isogeny, isogenies
from erlangen.fields.curves.kernel_ideals import eigenvalue, ideal_isogeny, kernel_ideal
from erlangen.fields.curves.orders import Order
from erlangen.fields.curves.quaternions import Algebra, QuaternionLattice
from erlangen.fields.curves.supersingular import (
    left_classes,
    quaternion_degree,
    quaternion_homs,
    quaternion_index_theorem,
    quaternion_min_degree,
)
from erlangen.fields.curves.torsion import Torsion
from erlangen.fields.curves.volcano import Volcano, endomorphism_order, expected_neighbours, volcano
from erlangen.fields.curves.walk import walk

__all__ = [
    "Algebra",
    "ClassGroup",
    "ClassGroupAction",
    "Curve",
    "DegreeForm",
    "Form",
    "Ideal",
    "Isogeny",
    "Lattice",
    "Order",
    "QuaternionLattice",
    "Torsion",
    "Volcano",
    "ascended",
    "class_between",
    "class_group",
    "class_group_action",
    "curves_with_trace",
    "degree",
    "degree_form",
    "degree_form_of",
    "draw_graph",
    "draw_volcano",
    "eigenvalue",
    "endomorphism_order",
    "expected_neighbours",
    "hom_index",
    "homs",
    "ideal_isogeny",
    "index_by_theorem",
    "index_theorem",
    "isogenies",
    "isogenous",
    "kernel_ideal",
    "left_classes",
    "min_degree",
    "quaternion_degree",
    "quaternion_homs",
    "quaternion_index_theorem",
    "quaternion_min_degree",
    "recovered",
    "reduced_forms",
    "volcano",
    "walk",
]
