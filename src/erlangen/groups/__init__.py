"""Groups, by their generators."""

from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Element, Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.orthogonal import SO

__all__ = ["SO", "Element", "Group", "LieAlgebra", "MatrixGroup"]
