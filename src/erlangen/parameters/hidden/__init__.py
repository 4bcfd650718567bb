"""Hidden symmetries of ReLU networks: how many degrees of freedom their function really has, and which parameters are idle."""

from erlangen.parameters.hidden.dimension import batch_functional_dimension, functional_dimension
from erlangen.parameters.hidden.initial import InitialDimensions, functional_dimension_at_init, initial_networks, table
from erlangen.parameters.hidden.jacobian import jacobian
from erlangen.parameters.hidden.known import (
    KnownSymmetries,
    PositiveMonomial,
    canonical_form,
    generators,
    orbit_dimension,
    same_orbit,
)
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.reading import NotReluNetwork, relu_network
from erlangen.parameters.hidden.result import FunctionalDimension

__all__ = [
    "FunctionalDimension",
    "InitialDimensions",
    "KnownSymmetries",
    "NotReluNetwork",
    "PositiveMonomial",
    "ReluNetwork",
    "batch_functional_dimension",
    "canonical_form",
    "functional_dimension",
    "functional_dimension_at_init",
    "generators",
    "initial_networks",
    "jacobian",
    "orbit_dimension",
    "relu_network",
    "same_orbit",
    "table",
]
