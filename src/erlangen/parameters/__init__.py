"""The parameter space of a network and the permutations that leave its function alone; networks that read weights."""

from erlangen.parameters.kinds import Blocks, Grouped
from erlangen.parameters.spec import WeightSpec

__all__ = ["Blocks", "Grouped", "WeightSpec"]
