"""Microstructures: periodic structures of several phases, their two-point statistics, and different structures that share them.

A structure is an integer array ``[*P]`` of phases 1 .. n on a periodic grid, an array of NumPy or a tensor.
"""

from erlangen.fields.microstructures.bounds import Bounds, bounds_conductivity, bounds_elasticity, isotropic, volume_fractions
from erlangen.fields.microstructures.conductivity import conductivity_brackets, effective_conductivity
from erlangen.fields.microstructures.correlation import direct_two_point, phase_pairs, soft_two_point, two_point
from erlangen.fields.microstructures.factors import factor_roots
from erlangen.fields.microstructures.mates import find_mate
from erlangen.fields.microstructures.operations import apply_kernels, coalesce, extend, kernel_extend, product, tile, transform
from erlangen.fields.microstructures.pair import Pair, load_pair
from erlangen.fields.microstructures.points import Moved, Points, congruent, homometric, homometric_mate, structure_factors
from erlangen.fields.microstructures.recipe import Recipe
from erlangen.fields.microstructures.relations import Difference, Move, canonical, equivalent, related, relation_group
from erlangen.fields.microstructures.search import Root, RootSearch, search_roots
from erlangen.fields.microstructures.spectra import Invariants, bispectrum, distinguished, invariants
from erlangen.fields.microstructures.structure import as_structure, phase_counts, read_structure

__all__ = [
    "Bounds",
    "Difference",
    "Invariants",
    "Move",
    "Moved",
    "Pair",
    "Points",
    "Recipe",
    "Root",
    "RootSearch",
    "apply_kernels",
    "as_structure",
    "bispectrum",
    "bounds_conductivity",
    "bounds_elasticity",
    "canonical",
    "coalesce",
    "conductivity_brackets",
    "congruent",
    "direct_two_point",
    "distinguished",
    "effective_conductivity",
    "equivalent",
    "extend",
    "factor_roots",
    "find_mate",
    "homometric",
    "homometric_mate",
    "invariants",
    "isotropic",
    "kernel_extend",
    "load_pair",
    "phase_counts",
    "phase_pairs",
    "product",
    "read_structure",
    "related",
    "relation_group",
    "search_roots",
    "soft_two_point",
    "structure_factors",
    "tile",
    "transform",
    "two_point",
    "volume_fractions",
]
