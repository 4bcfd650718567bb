"""The parameter space of a network and the permutations that leave its function alone; networks that read weights."""

from erlangen.parameters.check import check_weight_spec
from erlangen.parameters.kinds import Blocks, Grouped
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.trace import weight_spec

__all__ = ["Blocks", "Grouped", "WeightSpec", "check_weight_spec", "weight_spec"]
