"""How equivariant is a callable? The one error measure: on random elements with an interval, or on exact data with a counterexample."""

from erlangen.equivariance.error import EquivarianceErrors, assert_equivariant, equivariance_error
from erlangen.equivariance.exact import Counterexample

__all__ = ["Counterexample", "EquivarianceErrors", "assert_equivariant", "equivariance_error"]
