"""Symmetry in data, models and designs: name a group and how it acts, once; the rest is a call.

The public names are loaded when first used, so that ``import erlangen`` costs little and never imports a field's engine.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_GROUPS = (
    "Affine",
    "AffineGroup",
    "Alternating",
    "AxialE",
    "AxialO",
    "AxialSE",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "E",
    "FiniteAbelian",
    "GLplus",
    "Group",
    "IntegerMatrixGroup",
    "Isometries",
    "LieAlgebra",
    "MatrixGroup",
    "O",
    "PermutationGroup",
    "SE",
    "SL",
    "SO",
    "Scalings",
    "SemidirectProduct",
    "Sp",
    "Symmetric",
    "TableGroup",
    "Torus",
    "Translations",
    "U1",
)

#: Public name -> (module, attribute); an empty attribute means the module itself.
_PUBLIC = {
    **{name: ("erlangen.groups", name) for name in _GROUPS},
    "SPD": ("erlangen.groups.decompositions", "SPD"),
    "Rep": ("erlangen.reps", "Rep"),
    "Action": ("erlangen.actions", "Action"),
    "Record": ("erlangen.actions", "Record"),
    "Frame": ("erlangen.symmetrize", "Frame"),
    "Symmetrized": ("erlangen.symmetrize", "Symmetrized"),
    "symmetrize": ("erlangen.symmetrize", ""),
    "compare_frames": ("erlangen.fitting", "compare_frames"),
    "orbit_distance": ("erlangen.symmetrize", "orbit_distance"),
    "frames": ("erlangen.symmetrize", ""),
    "audit": ("erlangen.measure", "audit"),
    "ExplanationRobustness": ("erlangen.measure", "ExplanationRobustness"),
    "guarantee": ("erlangen.measure", "guarantee"),
    "symmetrize_explainer": ("erlangen.measure", "symmetrize_explainer"),
    "GWL": ("erlangen.measure.gwl", "GWL"),
    "expressivity_report": ("erlangen.measure.gwl", "expressivity_report"),
    "discover": ("erlangen.discover", ""),
    "Discovered": ("erlangen.discover", "Discovered"),
    "LieGAN": ("erlangen.discover", "LieGAN"),
    "SoftEquivariance": ("erlangen.discover.soft", "SoftEquivariance"),
    "SoftEquivariantRegressor": ("erlangen.discover.soft", "SoftEquivariantRegressor"),
    "SoftEquivariantRidge": ("erlangen.discover.soft", "SoftEquivariantRidge"),
    "graded_belief": ("erlangen.discover.soft", "graded_belief"),
    "NFT": ("erlangen.discover.nft", "NFT"),
    "LinearNFT": ("erlangen.discover.nft", "LinearNFT"),
    "ESSL": ("erlangen.discover.essl", "ESSL"),
    "generate": ("erlangen.generate", ""),
    "fit": ("erlangen.fitting", "fit"),
    "EnsembleClassifier": ("erlangen.parameters.ensembles.estimators", "EnsembleClassifier"),
    "EnsembleRegressor": ("erlangen.parameters.ensembles.estimators", "EnsembleRegressor"),
    "SymmetricClassifier": ("erlangen.fitting.estimators", "SymmetricClassifier"),
    "SymmetricRegressor": ("erlangen.fitting.estimators", "SymmetricRegressor"),
    "Verdict": ("erlangen.verdict", "Verdict"),
    "NotEquivariantError": ("erlangen.errors", "NotEquivariantError"),
    "equivariance_error": ("erlangen.equivariance", "equivariance_error"),
    "assert_equivariant": ("erlangen.equivariance", "assert_equivariant"),
    "admissible": ("erlangen.reps", "admissible"),
    "EquivariantMaps": ("erlangen.maps", "EquivariantMaps"),
    "weight_spec": ("erlangen.parameters", "weight_spec"),
    "maps": ("erlangen.maps", ""),
    "parameters": ("erlangen.parameters", ""),
    "nn": ("erlangen.nn", ""),
    "groups": ("erlangen.groups", ""),
    "reps": ("erlangen.reps", ""),
    "actions": ("erlangen.actions", ""),
    "testing": ("erlangen.testing", ""),
    "data": ("erlangen.data", ""),
    "datasets": ("erlangen.datasets", ""),
    "fields": ("erlangen.fields", ""),
    "measure": ("erlangen.measure", ""),
    "training": ("erlangen.training", ""),
    "studies": ("erlangen.studies", ""),
    "design": ("erlangen.design", ""),
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'erlangen' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    loaded = importlib.import_module(module)
    value = getattr(loaded, attribute) if attribute else loaded
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
