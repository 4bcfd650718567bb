"""Explanations under symmetry: scores of invariance and equivariance, guarantees, and explainers that respect a group."""

from erlangen.measure.explain.captum_methods import Attribution, captum_explainer
from erlangen.measure.explain.concepts import CAR, CAV
from erlangen.measure.explain.examples import Influence, RepSim, SimplEx, TracIn, simplex_weights
from erlangen.measure.explain.explainers import Explainer, Function, Needs, as_explainer
from erlangen.measure.explain.fixed import FixedElements
from erlangen.measure.explain.gradients import InputXGradient, IntegratedGradients, Saliency
from erlangen.measure.explain.guarantees import TABLE, guarantee
from erlangen.measure.explain.perturbations import FeatureAblation, Occlusion
from erlangen.measure.explain.pullback import explanation_equivariance
from erlangen.measure.explain.relaxed import Relaxation, relaxation
from erlangen.measure.explain.robustness import ExplanationRobustness, ExplanationScores
from erlangen.measure.explain.similarity import accuracy, cosine, cosine_offset, relative_l2
from erlangen.measure.explain.symmetrized import SymmetrizedExplainer, symmetrize_explainer
from erlangen.measure.explain.table import ExplainerRow, explanation_rows

__all__ = [
    "CAR",
    "CAV",
    "TABLE",
    "Attribution",
    "Explainer",
    "ExplainerRow",
    "ExplanationRobustness",
    "ExplanationScores",
    "FeatureAblation",
    "FixedElements",
    "Function",
    "Influence",
    "InputXGradient",
    "IntegratedGradients",
    "Needs",
    "Occlusion",
    "Relaxation",
    "RepSim",
    "Saliency",
    "SimplEx",
    "SymmetrizedExplainer",
    "TracIn",
    "accuracy",
    "as_explainer",
    "captum_explainer",
    "cosine",
    "cosine_offset",
    "explanation_equivariance",
    "explanation_rows",
    "guarantee",
    "relative_l2",
    "relaxation",
    "simplex_weights",
    "symmetrize_explainer",
]
