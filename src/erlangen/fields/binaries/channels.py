"""What a set of observations cannot tell about the turn of a binary on the sky and the phase of its orbit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups import Annihilator
from erlangen.groups.annihilator import LARGEST_SHIFTS

Character = tuple[int, ...]

#: Channels by name: the harmonics ``(s, m)`` that they show, ``exp(i (s dpsi + m dphi))``.
CHANNELS: Mapping[str, tuple[Character, ...]] = {
    "gravitational waves": ((2, 2), (2, -2)),
    "face-on gravitational waves": ((2, 2),),
    "face-off gravitational waves": ((2, -2),),
    "odd harmonics": ((2, 1), (2, -1), (2, 3), (2, -3)),
    "radial velocity": ((0, 1),),
    "eclipses": ((0, 1),),
    "reflection": ((0, 1),),
    "ellipsoidal": ((0, 2),),
    "equal eclipses": ((0, 2),),
    "astrometry": ((1, 1), (1, -1)),
}

Channel = str | Sequence[int] | Iterable[Sequence[int]]


class DegeneracyGroup(Annihilator):
    """Shifts of position angle and orbital phase ``(dpsi, dphi)`` that no channel sees; see :func:`degeneracy_group`."""

    def __init__(self, characters: Iterable[Sequence[int]]) -> None:
        super().__init__(characters, 2)

    @property
    def psi_values(self) -> int | float:
        """How many position angles are left; infinite where the angle turns continuously."""
        return self.values(0)

    def psi_shifts(self) -> list[float]:
        """The shifts of the position angle in radians, ascending; of a continuous one none.

        Raises:
            UnsupportedError: more than can be listed.

        >>> degeneracy_group(["gravitational waves", "radial velocity"]).psi_shifts()
        [0.0, 3.141592653589793]
        """
        if self.psi_values == math.inf:
            return []
        if self.psi_values > LARGEST_SHIFTS:
            unsupported(self, f"list of {self.psi_values} position angles", "use .values(0), and .sample(n)")
        return [2 * math.pi * j / self.psi_values for j in range(int(self.psi_values))]

    def breaks(self, channel: Channel) -> bool:
        """Whether one more channel, a name or characters, makes the group smaller."""
        return any(super(DegeneracyGroup, self).breaks(k) for k in characters_of([channel]))


def degeneracy_group(channels: Iterable[Channel]) -> DegeneracyGroup:
    """The group of all changes of position angle and orbital phase that leave the data of some channels as they are.

    A harmonic of orbital phase ``m`` of a quantity of spin weight ``s`` about the line of sight changes by ``exp(i (s dpsi + m dphi))``.
    The group is the annihilator of the lattice of all pairs ``(s, m)`` that occur. Its order is the lattice's index; the position
    angle has as many values as the least ``n > 0`` for which ``(n, 0)`` lies in the lattice. Turning by half a circle, ``(pi, 0)``,
    is in the group of any gravitational waves and timing along the line of sight: two angles are left at the least without
    a measurement of spin one on the sky (astrometry).

    Mirrors reverse one polarisation. They are no symmetry of a detector that sees both, and not in the group.

    Args:
        channels: names (keys of ``CHANNELS``), pairs ``(s, m)``, or collections of pairs.

    Returns:
        The group: ``order``, ``invariant_factors``, ``shifts()`` in exact turns, ``angles(g)``, ``psi_values``, ``breaks(channel)``.

    Raises:
        ArgumentError: a name that is not known, a pair that is not of two whole numbers.

    >>> gw = degeneracy_group(["gravitational waves"])
    >>> gw, gw.order, gw.psi_values
    (Z/2 x Z/4, 8, 4)
    >>> degeneracy_group([(2, 2), (2, -2), (0, 1)]).order
    2
    >>> gw.breaks("radial velocity"), gw.breaks((4, 0))
    (True, False)
    """
    return DegeneracyGroup(characters_of(channels))


def characters_of(channels: Iterable[Channel]) -> list[Character]:
    """The pairs ``(s, m)`` of channels.

    Raises:
        ArgumentError: as :func:`degeneracy_group`.
    """
    if isinstance(channels, str):
        raise ArgumentError("channels", "a list of channels", repr(channels), f"write [{channels!r}]")
    found: list[Character] = []
    try:
        listed = list(channels)
    except TypeError:
        raise ArgumentError("channels", "a list of channels", repr(channels)) from None
    for channel in listed:
        if isinstance(channel, str):
            if channel not in CHANNELS:
                raise ArgumentError("channels", f"one of {', '.join(CHANNELS)}, or pairs (s, m)", repr(channel))
            found += CHANNELS[channel]
        elif _is_pair(channel):
            found.append(_whole(channel))
        else:
            try:
                found += [_whole(pair) for pair in channel]  # type: ignore[union-attr]
            except TypeError:
                raise ArgumentError("channels", "names or pairs (s, m) of whole numbers", repr(channel)) from None
    return found


def _is_pair(channel: Any) -> bool:
    return isinstance(channel, (tuple, list)) and len(channel) == 2 and not any(isinstance(x, (tuple, list, str)) for x in channel)


def _whole(pair: Any) -> Character:
    if not _is_pair(pair) or any(isinstance(x, bool) or not hasattr(x, "__index__") for x in pair):
        raise ArgumentError("channels", "pairs (s, m) of whole numbers", repr(pair))
    return (pair[0].__index__(), pair[1].__index__())
