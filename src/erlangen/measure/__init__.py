"""Callables in, numbers with confidence intervals out. Never trains anything."""

from erlangen.measure.audit import Audit, Cost, audit, measure_cost
from erlangen.measure.equivariance import EquivarianceErrors, assert_equivariant, equivariance_error
from erlangen.measure.explain import ExplanationRobustness, explanation_equivariance, guarantee, symmetrize_explainer
from erlangen.measure.scores import auc, auc_interval
from erlangen.measure.symmetry_report import SymmetryReport, symmetry_report
from erlangen.verdict import Verdict

__all__ = [
    "Audit",
    "Cost",
    "EquivarianceErrors",
    "ExplanationRobustness",
    "SymmetryReport",
    "Verdict",
    "assert_equivariant",
    "auc",
    "auc_interval",
    "audit",
    "equivariance_error",
    "explanation_equivariance",
    "guarantee",
    "measure_cost",
    "symmetrize_explainer",
    "symmetry_report",
]
