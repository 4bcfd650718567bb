"""Groups by the names that people write: ``"SO(3)"``, ``"E(2)"``, ``"SO+(1,3)"``, ``"D4"``, ``"SO(2) about z"``, ``"S(5) x SO(3)"``."""

from __future__ import annotations

import re
from collections.abc import Callable

from erlangen import groups
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group

#: Name -> what it builds and how many integers it takes.
_NAMED: dict[str, tuple[Callable[..., Group], tuple[int, ...]]] = {
    "SO": (groups.SO, (1, 2)),
    "O": (groups.O, (1, 2)),
    "SE": (groups.SE, (1,)),
    "E": (groups.E, (1,)),
    "T": (groups.Translations, (1,)),
    "SL": (groups.SL, (1,)),
    "GL+": (groups.GLplus, (1,)),
    "Sp": (groups.Sp, (1,)),
    "U": (groups.Torus, (1,)),
    "Torus": (groups.Torus, (1,)),
    "C": (groups.Cyclic, (1,)),
    "D": (groups.Dihedral, (1,)),
    "S": (groups.Symmetric, (1,)),
    "A": (groups.Alternating, (1,)),
}
_NAMED["Translations"] = _NAMED["T"]
_NAMED |= {long: _NAMED[short] for short, long in (("C", "Cyclic"), ("D", "Dihedral"), ("S", "Symmetric"), ("A", "Alternating"))}


def parse_group(text: str) -> Group:
    """The group that a name stands for.

    Raises:
        ArgumentError: the name is not known; the message shows those that are.

    >>> parse_group("SO(3)"), parse_group("D4").order, parse_group("SO+(1,3)").dim
    (SO(3), 8, 6)
    >>> parse_group("S(5) x SO(3)")
    S_5 x SO(3)
    """
    stripped = text.strip()
    factors = re.split(r"\s+x\s+|\s*×\s*", stripped)
    if len(factors) > 1:
        return groups.DirectProduct(*(parse_group(factor) for factor in factors))
    about = re.fullmatch(r"SO\(2\)\s*about\s*([xyz])", stripped)
    if about:
        return groups.SO(2, axis=about[1])
    match = re.fullmatch(r"([A-Za-z]+)(\+?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)|_?(\d+))", stripped)
    if match:
        name, plus, first, second, bare = match.groups()
        sizes = [int(n) for n in (first or bare, second) if n is not None]
        if name == "SO" and plus and len(sizes) == 2:
            return groups.SO(*sizes, connected=True)
        build, counts = _NAMED.get(name + plus, (None, ()))
        if build is not None and len(sizes) in counts:
            return build(*sizes)
    known = (
        "SO(n), O(n), SE(n), E(n), SO(p,q), SO+(p,q), O(p,q), SL(n), GL+(n), Sp(2m), T(n), U(1), Cn, Dn, Sn, An, 'SO(2) about z', "
        "and products 'S(5) x SO(3)'"
    )
    raise ArgumentError("group", f"a group such as {known}", repr(text))
