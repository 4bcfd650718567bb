"""Whether a generated crystal can be one at all: atoms that do not overlap, and a composition whose charges can be balanced."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from erlangen.extras import engine
from erlangen.fields.crystals.composition import SYMBOLS, composition, reduced
from erlangen.fields.crystals.crystal import as_crystal
from erlangen.fields.crystals.images import images_within

#: Pairs of atoms closer than this, in angstrom, overlap; cells of a smaller volume, in cubic angstrom, are none.
CLOSEST, SMALLEST = 0.5, 0.1


def smact14_valid(formula: Any) -> bool:
    """Whether oxidation states exist that balance and that put the more electronegative elements on the negative side.

    Elements and alloys (all metals) are valid. Oxidation states are those that SMACT had in 2014, with which the literature on generated
    crystals counts; the set that SMACT 3 and later take by default gives other numbers. Extra ``crystals``.

    Args:
        formula: as for :func:`erlangen.fields.crystals.composition`.

    Raises:
        ArgumentError: it cannot be read.

    Source: Davies et al., "SMACT: semiconducting materials by analogy and chemical theory", JOSS 4 (2019) 1361; the use: Xie et al.,
    ICLR 2022, arXiv:2110.06197.

    >>> smact14_valid("NaCl"), smact14_valid("NaCl2"), smact14_valid("CuAu3")
    (True, False, True)
    """
    counts = reduced(composition(formula, "formula"))
    return _smact14(tuple(sorted(counts.items())))


@lru_cache(maxsize=100_000)
def _smact14(counts: tuple[tuple[int, int], ...]) -> bool:
    screening = engine("crystals", "smact.screening")
    text = "".join(f"{SYMBOLS[number]}{count}" for number, count in counts)
    return bool(screening.smact_validity(text, oxidation_states_set="smact14"))


def structure_valid(structure: Any, closest: float = CLOSEST, smallest: float = SMALLEST) -> bool:
    """Whether no two atoms, nor images of two, are closer than ``closest`` (angstrom), and the cell has a volume (cubic angstrom).

    As in the source, an atom's distance from its own images does not count.

    Raises:
        ArgumentError: no crystal, or one that :class:`~erlangen.fields.crystals.Crystal` refuses.

    Source: Xie et al., "Crystal diffusion variational autoencoder for periodic material generation", ICLR 2022, arXiv:2110.06197.

    >>> from erlangen.fields.crystals import Crystal
    >>> structure_valid(Crystal(3 * torch.eye(3), torch.tensor([[0.0, 0, 0], [0.9, 0.0, 0.0]]), ["Na", "Cl"]))
    False
    """
    crystal = as_crystal(structure)
    if crystal.volume <= smallest:
        return False
    images = images_within(crystal.cell, closest)
    i, j = torch.triu_indices(len(crystal), len(crystal), 1)
    d = crystal.fractional[j] - crystal.fractional[i]
    apart = (d - d.round()) @ crystal.cell
    return not any(bool(((apart + image).square().sum(-1) <= closest**2).any()) for image in images)
