"""The parameter space of a network and the permutations that leave its function alone; networks that read weights."""

from erlangen.packages import lazy_folders
from erlangen.parameters.asymmetric import asymmetrize, trainable_parameters
from erlangen.parameters.check import check_weight_spec
from erlangen.parameters.deepset import DeepSet, DeepSetLayer, InvariantDeepSet
from erlangen.parameters.ensembles import DeepEnsemble
from erlangen.parameters.kinds import Blocks, Grouped
from erlangen.parameters.learned_optimizer import LearnedOptimizer, LearnedUpdate
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.statistics import StatNN, weight_statistics
from erlangen.parameters.trace import weight_spec
from erlangen.parameters.unf import UNF, InvariantUNF, UNFLinear
from erlangen.parameters.zoo import Standardize, canonical_signs, from_state_dicts, invariants

__all__ = [
    "UNF",
    "Blocks",
    "DeepEnsemble",
    "DeepSet",
    "DeepSetLayer",
    "Grouped",
    "InvariantDeepSet",
    "InvariantUNF",
    "LearnedOptimizer",
    "LearnedUpdate",
    "Standardize",
    "StatNN",
    "UNFLinear",
    "WeightSpec",
    "asymmetrize",
    "canonical_signs",
    "check_weight_spec",
    "from_state_dicts",
    "invariants",
    "trainable_parameters",
    "weight_spec",
    "weight_statistics",
]

__getattr__ = lazy_folders(__name__)
