"""How hard a symmetric class of functions is for gradient descent, also when the learner has the symmetry built in."""

from erlangen.measure.hardness.base import Family, Target
from erlangen.measure.hardness.bounds import (
    CSQBound,
    csq_dimension,
    csq_lower_bound,
    gradient_signal,
    sampled_bound,
    sampled_dimension,
)
from erlangen.measure.hardness.cos_relu import AveragedReLU, CosReLU
from erlangen.measure.hardness.degree_parity import DegreeCount, DegreeParity
from erlangen.measure.hardness.gram import Gram, monte_carlo_gram
from erlangen.measure.hardness.graph_features import GraphCosReLU
from erlangen.measure.hardness.growing_basis import Grown, growing_basis
from erlangen.measure.hardness.sparse_invariant import SparseInvariant, SparsePolynomial
from erlangen.measure.hardness.students import GraphReLU, OrbitCNN, SignInvariantMLP, SumGNN

__all__ = [
    "AveragedReLU",
    "CSQBound",
    "CosReLU",
    "DegreeCount",
    "DegreeParity",
    "Family",
    "Gram",
    "GraphCosReLU",
    "GraphReLU",
    "Grown",
    "OrbitCNN",
    "SignInvariantMLP",
    "SparseInvariant",
    "SparsePolynomial",
    "SumGNN",
    "Target",
    "csq_dimension",
    "csq_lower_bound",
    "gradient_signal",
    "growing_basis",
    "monte_carlo_gram",
    "sampled_bound",
    "sampled_dimension",
]
