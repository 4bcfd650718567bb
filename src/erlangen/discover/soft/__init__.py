"""Approximate symmetries, several at once: a penalty for any network, a ridge regression in closed form, a graded belief from data."""

from erlangen.discover.soft.belief import Belief, GroupBelief, default_candidates, graded_belief
from erlangen.discover.soft.degrees import Degrees
from erlangen.discover.soft.energy import Degenerate
from erlangen.discover.soft.penalty import SoftEquivariance
from erlangen.discover.soft.regressor import SoftEquivariantRegressor, SoftRegressorConfig
from erlangen.discover.soft.report import Report
from erlangen.discover.soft.ridge import SoftEquivariantRidge
from erlangen.discover.soft.tuning import tuned_strengths
from erlangen.maps.subspaces import dimension, equivariant_basis, project
from erlangen.reps.layout import Layout, TensorType, hidden_layout

__all__ = [
    "Belief",
    "Degenerate",
    "Degrees",
    "GroupBelief",
    "Layout",
    "Report",
    "SoftEquivariance",
    "SoftEquivariantRegressor",
    "SoftEquivariantRidge",
    "SoftRegressorConfig",
    "TensorType",
    "default_candidates",
    "dimension",
    "equivariant_basis",
    "graded_belief",
    "hidden_layout",
    "project",
    "tuned_strengths",
]
