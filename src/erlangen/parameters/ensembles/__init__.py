"""Deep ensembles: members that differ by their seed, trained at once."""

from erlangen.parameters.ensembles.curve import CurvePoint, expected_calibration_error
from erlangen.parameters.ensembles.ensemble import DeepEnsemble
from erlangen.parameters.ensembles.stack import Stack
from erlangen.parameters.ensembles.training import Recipe

__all__ = ["CurvePoint", "DeepEnsemble", "Recipe", "Stack", "expected_calibration_error"]
