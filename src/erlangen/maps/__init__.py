"""Equivariant linear maps: diagrams where they are known, the null space of the generators' constraints where they are not."""

from erlangen.maps.base import EquivariantMaps
from erlangen.maps.contraction import LinearMaps
from erlangen.maps.diagrams import Diagram, diagrams
from erlangen.maps.invariants import EquivariantVectors, OrbitRepresentative, PolynomialInvariants, invariant_columns
from erlangen.maps.numeric import NumericBasis, numeric_basis
from erlangen.maps.typed_axes import Axis, Space

__all__ = [
    "Axis",
    "Diagram",
    "EquivariantMaps",
    "EquivariantVectors",
    "LinearMaps",
    "NumericBasis",
    "OrbitRepresentative",
    "PolynomialInvariants",
    "Space",
    "diagrams",
    "invariant_columns",
    "numeric_basis",
]
