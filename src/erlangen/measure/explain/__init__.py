"""Explanations under symmetry: scores of invariance and equivariance, guarantees, and explainers that respect a group."""

from erlangen.measure.explain.captum_methods import Attribution, captum_explainer
from erlangen.measure.explain.explainers import Explainer, Function, Needs, as_explainer
from erlangen.measure.explain.fixed import FixedElements
from erlangen.measure.explain.gradients import InputXGradient, IntegratedGradients, Saliency
from erlangen.measure.explain.guarantees import TABLE, guarantee
from erlangen.measure.explain.perturbations import FeatureAblation, Occlusion
from erlangen.measure.explain.robustness import ExplanationRobustness, ExplanationScores
from erlangen.measure.explain.similarity import accuracy, cosine, cosine_offset, relative_l2
from erlangen.measure.explain.symmetrized import SymmetrizedExplainer, symmetrize_explainer

__all__ = [
    "TABLE",
    "Attribution",
    "Explainer",
    "ExplanationRobustness",
    "ExplanationScores",
    "FeatureAblation",
    "FixedElements",
    "Function",
    "InputXGradient",
    "IntegratedGradients",
    "Needs",
    "Occlusion",
    "Saliency",
    "SymmetrizedExplainer",
    "accuracy",
    "as_explainer",
    "captum_explainer",
    "cosine",
    "cosine_offset",
    "guarantee",
    "relative_l2",
    "symmetrize_explainer",
]
