"""Geometric Weisfeiler-Leman tests: what networks on geometric graphs can tell apart, and what one network does."""

from erlangen.measure.gwl.graph import GeometricGraph
from erlangen.measure.gwl.gwl import GWL, WL
from erlangen.measure.gwl.harmonics import first_visible_degree, harmonic_power, star_harmonic
from erlangen.measure.gwl.inputs import as_graph
from erlangen.measure.gwl.networks import EQUIVARIANT, INVARIANT, WHOLE
from erlangen.measure.gwl.pairs import counterexample, distance_incomplete, dodecahedron, kchain, rotsym
from erlangen.measure.gwl.probe import Separation, probe, separation
from erlangen.measure.gwl.report import ExpressivityReport, expressivity_report
from erlangen.measure.gwl.result import AmbiguousToleranceWarning, Result

__all__ = [
    "EQUIVARIANT",
    "GWL",
    "INVARIANT",
    "WHOLE",
    "WL",
    "AmbiguousToleranceWarning",
    "ExpressivityReport",
    "GeometricGraph",
    "Result",
    "Separation",
    "as_graph",
    "counterexample",
    "distance_incomplete",
    "dodecahedron",
    "expressivity_report",
    "first_visible_degree",
    "harmonic_power",
    "kchain",
    "probe",
    "rotsym",
    "separation",
    "star_harmonic",
]
