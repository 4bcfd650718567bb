"""What a crystal is made of: chemical formulas read and written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from erlangen.errors import ArgumentError

_TABLE = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
#: Symbols of the elements by atomic number; at 0 stands nothing.
SYMBOLS = ("", *_TABLE.split())
NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS) if number}
NOBLE = (2, 10, 18, 36, 54, 86, 118)

_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[])|([)\]])|(\d+(?:\.\d+)?)|\s+")


def atomic_number(element: Any, argument: str = "element") -> int:
    """The atomic number of a symbol, or of itself; deuterium and tritium, D and T, are hydrogen.

    Raises:
        ArgumentError: there is no such element.

    >>> atomic_number("Fe"), atomic_number(8)
    (26, 8)
    """
    if isinstance(element, str) and element in NUMBERS:
        return NUMBERS[element]
    if isinstance(element, str) and element in ("D", "T"):
        return 1
    if isinstance(element, int | np.integer) and not isinstance(element, bool) and 1 <= element < len(SYMBOLS):
        return int(element)
    raise ArgumentError(argument, "the symbol of an element, or an atomic number from 1 to 118", repr(element))


def composition(formula: Any, argument: str = "composition") -> dict[int, int]:
    """Atomic number -> how many atoms, in the order of the formula.

    Args:
        formula: ``"BaTiO3"``, with brackets too (``"Ca3(PO4)2"``); a mapping of symbols or atomic numbers to counts; pymatgen's
            ``Composition``; or a sequence of atomic numbers or symbols, one for each atom.
        argument: its name, for errors.

    Raises:
        ArgumentError: unknown elements, counts that are not whole and positive, or no atoms.

    >>> composition("Ca3(PO4)2"), composition({"O": 2, "Ti": 1}), composition([8, 8, 22])
    ({20: 3, 15: 2, 8: 8}, {8: 2, 22: 1}, {8: 2, 22: 1})
    >>> composition("Ba0.5TiO3")    # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    erlangen.errors.ArgumentError: argument 'composition': expected whole numbers of atoms; got 0.5 of Ba in 'Ba0.5TiO3'. Multiply ...
    """
    if isinstance(formula, str):
        amounts: dict[int, Fraction] = _parsed(formula, argument)
    elif isinstance(formula, Mapping):
        amounts = {}
        for element, amount in formula.items():
            number = atomic_number(getattr(element, "symbol", element), argument)
            amounts[number] = amounts.get(number, Fraction(0)) + _amount(amount, argument)
    elif callable(getattr(formula, "get_el_amt_dict", None)):
        return composition(formula.get_el_amt_dict(), argument)
    elif isinstance(formula, Sequence | np.ndarray | torch.Tensor) and not isinstance(formula, bytes | bytearray | memoryview):
        each = formula.tolist() if hasattr(formula, "tolist") else formula
        counted = Counter(atomic_number(one, argument) for one in each)
        amounts = {element: Fraction(count) for element, count in counted.items()}
    else:
        raise ArgumentError(argument, "a formula, a mapping of elements to counts, or a list of elements", type(formula).__name__)
    if not amounts:
        raise ArgumentError(argument, "at least one atom", repr(formula))
    for element, amount in amounts.items():
        if amount <= 0:
            raise ArgumentError(argument, "positive numbers of atoms", f"{float(amount):g} of {SYMBOLS[element]} in {formula!r}")
        if amount.denominator != 1:
            factor = math.lcm(*(one.denominator for one in amounts.values()))
            hint = f"Multiply the formula: x {factor} makes it whole" if factor <= 100 else ""
            got = f"{float(amount):g} of {SYMBOLS[element]} in {formula!r}"
            raise ArgumentError(argument, "whole numbers of atoms", got, hint)
    return {element: int(amount) for element, amount in amounts.items()}


def reduced(counts: Mapping[int, int]) -> dict[int, int]:
    """The counts without their common factor.

    >>> reduced({22: 2, 8: 4})
    {22: 1, 8: 2}
    """
    factor = math.gcd(*counts.values())
    return {element: count // factor for element, count in counts.items()}


def formula_of(counts: Mapping[int, int]) -> str:
    """The formula as chemists write it: the more electropositive first, by the order of elements that IUPAC gives for formulas.

    Source: Nomenclature of Inorganic Chemistry, IUPAC Recommendations 2005, table VI.

    >>> formula_of({8: 3, 22: 1, 56: 1}), formula_of({1: 3, 7: 1}), formula_of({1: 2, 8: 1})
    ('BaTiO3', 'NH3', 'H2O')
    """
    ordered = sorted(counts, key=electropositive)
    return "".join(SYMBOLS[one] + (str(counts[one]) if counts[one] != 1 else "") for one in ordered)


@lru_cache(maxsize=128)
def electropositive(number: int) -> tuple[int, int]:
    """A key that sorts elements as formulas name them: noble gases, then group by group, each from below; hydrogen before oxygen's."""
    if number == 1:
        return 16, 1
    group = group_of(number)
    column = {18: 0, 16: 17, 17: 18}.get(group, group)
    return column, -number


def group_of(number: int) -> int:
    """The group of an element, 1 to 18; the f-block belongs to group 3.

    >>> [group_of(one) for one in (1, 2, 6, 22, 60, 72, 86, 118)]
    [1, 18, 14, 4, 3, 4, 18, 18]
    """
    if number == 2:
        return 18
    last = next(one for one in NOBLE if one >= number)
    first = (0, *NOBLE)[NOBLE.index(last)]
    place, left = number - first, last - number
    if place <= 2:
        return place
    return max(3, 18 - left)


def _amount(amount: Any, argument: str) -> Fraction:
    try:
        exact = Fraction(float(amount))
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(argument, "finite numbers of atoms", repr(amount)) from None
    near = exact.limit_denominator(10_000)  # thirds, as floating-point numbers write them
    return near if abs(near - exact) < Fraction(1, 10**8) else exact


def _parsed(text: str, argument: str) -> dict[int, Fraction]:
    """The amounts of a formula, brackets multiplied out."""
    levels: list[dict[int, Fraction]] = [{}]
    last: dict[int, Fraction] = {}  # what a number that follows multiplies
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ArgumentError(argument, "a chemical formula such as 'BaTiO3'", repr(text))
        symbol, opening, closing, number = match.groups()
        place = match.end()
        if symbol:
            last = {atomic_number(symbol, argument): Fraction(1)}
            _add(levels[-1], last, 1)
        elif opening:
            levels.append({})
            last = {}
        elif closing:
            if len(levels) == 1:
                raise ArgumentError(argument, "brackets that open before they close", repr(text))
            last = levels.pop()
            _add(levels[-1], last, 1)
        elif number:
            if not last:
                hint = "For several formula units multiply: 'Ti2O4', or '(TiO2)2'"
                raise ArgumentError(argument, "numbers behind elements or brackets", repr(text), hint)
            _add(levels[-1], last, Fraction(number) - 1)
            last = {}
    if len(levels) > 1:
        raise ArgumentError(argument, "brackets that are closed", repr(text))
    return levels[0]


def _add(to: dict[int, Fraction], amounts: Mapping[int, Fraction], times: Fraction | int) -> None:
    for element, amount in amounts.items():
        to[element] = to.get(element, Fraction(0)) + amount * times
