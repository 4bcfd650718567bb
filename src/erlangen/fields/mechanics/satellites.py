"""Normals of satellite orbits, now and days later.

The Earth is flattened, so that the plane of an orbit turns about the pole, the faster the closer its inclination is to zero: rotations
about the pole are an exact symmetry of this motion, all others only of its absence.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine, shipped

#: Days from 31 December 1949 to 1 January 2020, the epoch of the orbits.
_EPOCH = 25_568.0
_MINUTES = 1440.0
#: The Earth's oblateness J2 and equatorial radius in km (WGS 72), its gravity in km^3/s^2.
_J2, _RADIUS, _MU = 1.082616e-3, 6378.135, 398_600.8


def orbit_normals(
    count: int, days: float, *, generator: torch.Generator | None = None, revolutions: tuple[float, float] = (14.0, 15.0)
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    """Unit normals of random low orbits at the epoch and some days later, propagated by SGP4 without drag.

    Orientations are isotropic, eccentricities uniform below 0.01.

    Args:
        count: how many satellites.
        days: how much later.
        generator: source of randomness.
        revolutions: a day, uniform between the two.

    Returns:
        two tensors of unit vectors in float64, in the true-equator frame of the propagator; its third axis is the pole.

    Raises:
        MissingExtra: the module ``sgp4`` is not installed.
        ArgumentError: a count below 1, or orbits that SGP4 does not propagate.

    >>> before, after = orbit_normals(4, 0.0, generator=torch.Generator().manual_seed(0))
    >>> before.shape, bool((before - after).norm(dim=1).max() < 1e-12)
    (torch.Size([4, 3]), True)
    """
    if not isinstance(count, int) or count < 1:
        raise ArgumentError("count", "a number of satellites", repr(count))
    low, high = revolutions
    if not 0 < low <= high < 17:
        raise ArgumentError("revolutions", "two numbers a day, above 0 and below 17", repr(revolutions))
    api = engine("orbits", "sgp4.api")
    u = torch.rand(count, 6, generator=generator, dtype=torch.float64).tolist()
    satellites = []
    for a, b, c, d, e, f in u:
        satellite = api.Satrec()
        turn = 2 * math.pi
        satellite.sgp4init(
            *(api.WGS72, "i", 1, _EPOCH, 0.0, 0.0, 0.0),
            *(0.01 * b, turn * c, math.acos(2 * a - 1), turn * d, (low + (high - low) * e) * turn / _MINUTES, turn * f),
        )
        satellites.append(satellite)
    return _normals(satellites, 0.0), _normals(satellites, days)


def shipped_normals(days: float) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"], list[int]]:
    """The same of the real satellites whose element sets come with ``sgp4``, from their own epochs on, and their catalogue numbers.

    Those that the propagator gives up before (decayed ones) are left out.

    Raises:
        MissingExtra: the module ``sgp4`` is not installed.
    """
    api = engine("orbits", "sgp4.api")
    lines = (shipped("orbits", "sgp4") / "SGP4-VER.TLE").read_text().splitlines()
    pairs = [(a, b[:69]) for a, b in pairwise(lines) if a.startswith("1 ") and b.startswith("2 ")]
    kept, numbers = [], []
    for first, second in pairs:
        satellite = api.Satrec.twoline2rv(first, second)
        if all(satellite.sgp4_tsince(t)[0] == 0 for t in (0.0, days * _MINUTES)):
            kept.append(satellite)
            numbers.append(int(satellite.satnum))
    return _normals(kept, 0.0), _normals(kept, days), numbers


def nodal_drift(inclination: float, revolutions: float) -> float:
    """How fast the node of a circular orbit goes around the pole by the first-order theory, in radians a day.

    >>> round(math.degrees(nodal_drift(math.radians(51.6), 15.5)), 1)      # a space station
    -5.0
    """
    rate = revolutions * 2 * math.pi
    axis = (_MU * (86_400 / rate) ** 2) ** (1 / 3)
    return -1.5 * _J2 * (_RADIUS / axis) ** 2 * rate * math.cos(inclination)


def _normals(satellites: list[Any], days: float) -> Tensor:
    found = np.empty((len(satellites), 3))
    for row, satellite in zip(found, satellites):
        error, place, velocity = satellite.sgp4_tsince(days * _MINUTES)
        if error:
            raise ArgumentError("days", "a time at which all orbits last", f"{days}: error {error} of the propagator")
        row[:] = np.cross(place, velocity)
    normals = torch.from_numpy(found)
    return normals / normals.norm(dim=1, keepdim=True)
