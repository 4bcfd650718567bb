"""Decompositions of Lie groups into easy factors, their invariant measures, and the geometry of positive matrices."""

from erlangen.groups.decompositions.base import Decomposition, Points
from erlangen.groups.decompositions.named import decomposition
from erlangen.groups.decompositions.polar import LogPolar, PolarDecomposition, PolarFactors
from erlangen.groups.decompositions.semidirect import SemidirectDecomposition, SemidirectFactors
from erlangen.groups.decompositions.window import Ball, Box, Normal, Window

__all__ = [
    "Ball",
    "Box",
    "Decomposition",
    "LogPolar",
    "Normal",
    "Points",
    "PolarDecomposition",
    "PolarFactors",
    "SemidirectDecomposition",
    "SemidirectFactors",
    "Window",
    "decomposition",
]
