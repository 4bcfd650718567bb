"""Re-basin: the permutation of one network's hidden units that brings it closest to another."""

from erlangen.parameters.matching.activations import match_activations
from erlangen.parameters.matching.result import Match
from erlangen.parameters.matching.weights import match_weights

__all__ = ["Match", "match_activations", "match_weights"]
