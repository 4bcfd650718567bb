"""Solids: soft bodies of tetrahedra under gravity, their equilibrium, the rest shape that gives a wanted one, stability and standing.

Units are SI: metres, kilograms, seconds, pascals. z points up.
"""

from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.structured import beam, box, column, mirrored

__all__ = ["TetMesh", "beam", "box", "column", "mirrored"]
