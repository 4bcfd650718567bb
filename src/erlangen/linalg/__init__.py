"""Null spaces, ranks, angles and integer normal forms: the one place for tolerances, gaps and exact arithmetic."""

from erlangen.linalg.exact import SmithForm, null_space_exact, rank_mod_p, smith_normal_form
from erlangen.linalg.exponential import matrix_exp
from erlangen.linalg.gap import Cut, cut
from erlangen.linalg.hermite import hermite_normal_form, in_lattice
from erlangen.linalg.null import NullSpace, UnclearNullSpace, null_space
from erlangen.linalg.relative import relative_error
from erlangen.linalg.span import (
    PrincipalAngles,
    Rank,
    Ranks,
    numerical_rank,
    numerical_ranks,
    orthonormal_span,
    principal_angles,
)

__all__ = [
    "Cut",
    "NullSpace",
    "PrincipalAngles",
    "Rank",
    "Ranks",
    "SmithForm",
    "UnclearNullSpace",
    "cut",
    "hermite_normal_form",
    "in_lattice",
    "matrix_exp",
    "null_space",
    "null_space_exact",
    "numerical_rank",
    "numerical_ranks",
    "orthonormal_span",
    "principal_angles",
    "rank_mod_p",
    "relative_error",
    "smith_normal_form",
]
