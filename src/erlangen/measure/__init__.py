"""Callables in, numbers with confidence intervals out. Never trains anything."""

from erlangen.measure.audit import Audit, audit
from erlangen.measure.cost import Cost, measure_cost
from erlangen.measure.explain import ExplanationRobustness, explanation_equivariance, guarantee, symmetrize_explainer
from erlangen.measure.scores import accuracy, auc, auc_interval, mean_square, r_squared
from erlangen.measure.symmetry_report import SymmetryReport, symmetry_report
from erlangen.packages import lazy_folders
from erlangen.verdict import Verdict

__all__ = [
    "Audit",
    "Cost",
    "ExplanationRobustness",
    "SymmetryReport",
    "Verdict",
    "accuracy",
    "auc",
    "auc_interval",
    "audit",
    "explanation_equivariance",
    "guarantee",
    "mean_square",
    "measure_cost",
    "r_squared",
    "symmetrize_explainer",
    "symmetry_report",
]

__getattr__ = lazy_folders(__name__)
