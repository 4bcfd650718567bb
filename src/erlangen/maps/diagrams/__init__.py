"""Diagrams: set partitions, Brauer, Brauer-Grood and jellyfish diagrams as values, their counts, and their matrices."""

from erlangen.maps.diagrams.counting import dimension, dimension_by_characters, irrep_multiplicities, spanning_size
from erlangen.maps.diagrams.diagram import Diagram, symplectic_sign
from erlangen.maps.diagrams.enumeration import count, diagrams
from erlangen.maps.diagrams.functor import matrix

__all__ = [
    "Diagram",
    "count",
    "diagrams",
    "dimension",
    "dimension_by_characters",
    "irrep_multiplicities",
    "matrix",
    "spanning_size",
    "symplectic_sign",
]
