"""The parameter space of a network and the permutations that leave its function alone; networks that read weights."""

from erlangen.packages import lazy_folders
from erlangen.parameters.asymmetric import ResidualSymmetry, asymmetrize, residual_symmetry_group, trainable_parameters
from erlangen.parameters.check import check_weight_spec
from erlangen.parameters.deepset import DeepSet, DeepSetLayer, InvariantDeepSet
from erlangen.parameters.ensembles import DeepEnsemble
from erlangen.parameters.experts import MoE, MoIE
from erlangen.parameters.interpolation import Barrier, average, barrier, interpolate
from erlangen.parameters.kinds import Blocks, Grouped
from erlangen.parameters.learned_optimizer import LearnedOptimizer, LearnedUpdate
from erlangen.parameters.matching import Match, match_activations, match_weights
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.statistics import StatNN, weight_statistics
from erlangen.parameters.trace import weight_spec
from erlangen.parameters.unf import UNF, InvariantUNF, UNFLinear
from erlangen.parameters.zoo import Standardize, canonical_signs, from_state_dicts, invariants

__all__ = [
    "UNF",
    "Barrier",
    "Blocks",
    "DeepEnsemble",
    "DeepSet",
    "DeepSetLayer",
    "Grouped",
    "InvariantDeepSet",
    "InvariantUNF",
    "LearnedOptimizer",
    "LearnedUpdate",
    "Match",
    "MoE",
    "MoIE",
    "ResidualSymmetry",
    "Standardize",
    "StatNN",
    "UNFLinear",
    "WeightSpec",
    "asymmetrize",
    "average",
    "barrier",
    "canonical_signs",
    "check_weight_spec",
    "from_state_dicts",
    "interpolate",
    "invariants",
    "match_activations",
    "match_weights",
    "residual_symmetry_group",
    "trainable_parameters",
    "weight_spec",
    "weight_statistics",
]

__getattr__ = lazy_folders(__name__)
