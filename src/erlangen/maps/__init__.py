"""Equivariant linear maps: diagrams where they are known, the null space of the generators' constraints where they are not."""

from erlangen.maps.base import EquivariantMaps
from erlangen.maps.contraction import LinearMaps
from erlangen.maps.diagrams import Diagram, diagrams
from erlangen.maps.numeric import NumericBasis, numeric_basis
from erlangen.maps.typed_axes import Axis, Space

__all__ = ["Axis", "Diagram", "EquivariantMaps", "LinearMaps", "NumericBasis", "Space", "diagrams", "numeric_basis"]
