"""Covalent radii of the elements that have one: up to curium. For others ASE has a number that means none."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.composition import SYMBOLS

#: The last element with a covalent radius, curium.
LAST = 96


def covalent_radii() -> Float[Tensor, " z"]:
    """By atomic number, angstrom, float64; not a number where there is none, as for 0.

    Source: Cordero et al., "Covalent radii revisited", Dalton Trans. (2008) 2832; the numbers are ASE's.

    >>> covalent_radii()[[8, 96, 97]].tolist()
    [0.66, 1.69, nan]
    """
    radii = torch.from_numpy(engine("crystals", "ase.data").covalent_radii.copy()).double()
    radii[0], radii[LAST + 1 :] = torch.nan, torch.nan
    return radii


def without_radius(numbers: Iterable[int]) -> list[str]:
    """The symbols of those elements that have no covalent radius.

    >>> without_radius([8, 99, 97, 99])
    ['Bk', 'Es']
    """
    return [SYMBOLS[one] for one in sorted({int(one) for one in numbers}) if one > LAST]


def check_radii(numbers: Iterable[int], argument: str) -> None:
    """Raise ArgumentError where an element has no covalent radius."""
    if unknown := without_radius(numbers):
        raise ArgumentError(argument, f"elements with a known covalent radius, up to {SYMBOLS[LAST]}", ", ".join(unknown))
