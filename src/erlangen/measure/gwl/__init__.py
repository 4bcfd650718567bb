"""Geometric Weisfeiler-Leman tests: what networks on geometric graphs can tell apart, and what one network does."""

from erlangen.measure.gwl.graph import GeometricGraph
from erlangen.measure.gwl.gwl import GWL, WL
from erlangen.measure.gwl.inputs import as_graph
from erlangen.measure.gwl.pairs import counterexample, distance_incomplete, dodecahedron, kchain, rotsym
from erlangen.measure.gwl.result import AmbiguousToleranceWarning, Result

__all__ = [
    "GWL",
    "WL",
    "AmbiguousToleranceWarning",
    "GeometricGraph",
    "Result",
    "as_graph",
    "counterexample",
    "distance_incomplete",
    "dodecahedron",
    "kchain",
    "rotsym",
]
