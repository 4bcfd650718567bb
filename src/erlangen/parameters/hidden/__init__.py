"""Hidden symmetries of ReLU networks: how many degrees of freedom their function really has, and which parameters are idle."""

from erlangen.parameters.hidden.bounds import Bounds, bounds
from erlangen.parameters.hidden.diagnose import Diagnosis, Mechanism, diagnose
from erlangen.parameters.hidden.dimension import batch_functional_dimension, functional_dimension
from erlangen.parameters.hidden.initial import InitialDimensions, functional_dimension_at_init, init_table, initial_networks
from erlangen.parameters.hidden.jacobian import jacobian
from erlangen.parameters.hidden.known import (
    KnownSymmetries,
    PositiveMonomial,
    canonical_form,
    generators,
    orbit_dimension,
    same_orbit,
)
from erlangen.parameters.hidden.moves import Move, apply_move
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.reading import NotReluNetwork, relu_network
from erlangen.parameters.hidden.result import FunctionalDimension
from erlangen.parameters.hidden.simplify import Simplified, simplify

__all__ = [
    "Bounds",
    "Diagnosis",
    "FunctionalDimension",
    "InitialDimensions",
    "KnownSymmetries",
    "Mechanism",
    "Move",
    "NotReluNetwork",
    "PositiveMonomial",
    "ReluNetwork",
    "Simplified",
    "apply_move",
    "batch_functional_dimension",
    "bounds",
    "canonical_form",
    "diagnose",
    "functional_dimension",
    "functional_dimension_at_init",
    "generators",
    "init_table",
    "initial_networks",
    "jacobian",
    "orbit_dimension",
    "relu_network",
    "same_orbit",
    "simplify",
]
