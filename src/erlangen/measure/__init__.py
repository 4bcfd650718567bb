"""Callables in, numbers with confidence intervals out. Never trains anything."""

from erlangen.measure.equivariance import EquivarianceErrors, assert_equivariant, equivariance_error
from erlangen.verdict import Verdict

__all__ = ["EquivarianceErrors", "Verdict", "assert_equivariant", "equivariance_error"]
