"""The groups that are tried where none is named: the usual ones that act on the tokens' space, and what was found there."""

from __future__ import annotations

from collections.abc import Iterable

from erlangen.groups.base import Group
from erlangen.groups.linear import Scalings
from erlangen.groups.orthogonal import SO


def candidate_groups(n: int, found: Iterable[Group] = ()) -> dict[str, Group]:
    """Candidate symmetries of ``R^n``, by name: rotations, those about an axis, the Lorentz group of space-time, scalings, and ``found``.

    Args:
        n: the size of a token.
        found: groups to put first, e.g. the one that a discoverer names.

    >>> list(candidate_groups(3))
    ['SO(3)', 'SO(2) about x', 'SO(2) about y', 'SO(2) about z', 'Scalings(3)']
    >>> list(candidate_groups(4, [SO(3, 1, connected=True)]))
    ['SO+(3,1)', 'SO(4)', 'SO+(1,3)', 'Scalings(4)']
    """
    usual: list[Group] = [SO(n)] if n > 1 else []
    if n == 3:
        usual += [SO(2, axis=axis) for axis in "xyz"]
    if n == 4:
        usual.append(SO(1, 3, connected=True))
    usual.append(Scalings(n))
    return {str(group): group for group in [*found, *usual]}
