"""Groups, by their generators."""

from erlangen.groups.affine import SE, AffineGroup, E, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Element, Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.orthogonal import SO, Isometries, O

__all__ = ["SE", "SO", "AffineGroup", "E", "Element", "Group", "Isometries", "LieAlgebra", "MatrixGroup", "O", "Translations"]
