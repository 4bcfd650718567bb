"""Columns that a group leaves unchanged, and vectors that move with it: closed forms for models that know nothing of groups."""

from erlangen.maps.invariants.columns import InvariantColumns, invariant_columns
from erlangen.maps.invariants.orbits import OrbitRepresentative
from erlangen.maps.invariants.polynomial import PolynomialInvariants
from erlangen.maps.invariants.vectors import EquivariantVectors

__all__ = ["EquivariantVectors", "InvariantColumns", "OrbitRepresentative", "PolynomialInvariants", "invariant_columns"]
