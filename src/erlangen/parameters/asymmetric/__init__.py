"""Networks whose parameter space has lost its symmetries, and what is left of them."""

from erlangen.parameters.asymmetric.masks import MaskKind, collide, connection_mask
from erlangen.parameters.asymmetric.network import FixedEntries, FixedGate, asymmetrize, trainable_parameters

__all__ = [
    "FixedEntries",
    "FixedGate",
    "MaskKind",
    "asymmetrize",
    "collide",
    "connection_mask",
    "trainable_parameters",
]
