"""Networks whose parameter space has lost its symmetries, and what is left of them."""

from erlangen.parameters.asymmetric.masks import MaskKind, collide, connection_mask
from erlangen.parameters.asymmetric.network import FixedEntries, FixedGate, asymmetrize, trainable_parameters
from erlangen.parameters.asymmetric.residual import ResidualSymmetry, residual_symmetry_group

__all__ = [
    "FixedEntries",
    "FixedGate",
    "MaskKind",
    "ResidualSymmetry",
    "asymmetrize",
    "collide",
    "connection_mask",
    "residual_symmetry_group",
    "trainable_parameters",
]
