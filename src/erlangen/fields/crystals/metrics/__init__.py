"""What generated crystals are worth."""

from erlangen.fields.crystals.metrics.fingerprints import element_fingerprint, neighbour_fingerprint
from erlangen.fields.crystals.metrics.generation import Generated, coverage, densities, generation, wasserstein
from erlangen.fields.crystals.metrics.matching import Matched, Matcher, csp

__all__ = [
    "Generated",
    "Matched",
    "Matcher",
    "coverage",
    "csp",
    "densities",
    "element_fingerprint",
    "generation",
    "neighbour_fingerprint",
    "wasserstein",
]
