"""Decompositions of Lie groups into easy factors, their invariant measures, and the geometry of positive matrices."""

from erlangen.groups.decompositions.base import Decomposition, Points
from erlangen.groups.decompositions.cartan import CartanDecomposition, CartanFactors
from erlangen.groups.decompositions.iwasawa import IwasawaDecomposition, IwasawaFactors
from erlangen.groups.decompositions.named import decomposition
from erlangen.groups.decompositions.polar import LogPolar, PolarDecomposition, PolarFactors
from erlangen.groups.decompositions.semidirect import SemidirectDecomposition, SemidirectFactors
from erlangen.groups.decompositions.spd import SPD
from erlangen.groups.decompositions.triangular import TriangularDecomposition, TriangularFactors
from erlangen.groups.decompositions.window import Ball, Box, Normal, Window

__all__ = [
    "SPD",
    "Ball",
    "Box",
    "CartanDecomposition",
    "CartanFactors",
    "Decomposition",
    "IwasawaDecomposition",
    "IwasawaFactors",
    "LogPolar",
    "Normal",
    "Points",
    "PolarDecomposition",
    "PolarFactors",
    "SemidirectDecomposition",
    "SemidirectFactors",
    "TriangularDecomposition",
    "TriangularFactors",
    "Window",
    "decomposition",
]
