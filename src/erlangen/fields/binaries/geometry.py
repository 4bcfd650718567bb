r"""Where the orbital angular momentum of a binary points, and what is seen of the orbit from here.

Conventions. ``k`` points from the observer to the source, ``n = -k`` back; ``N`` and ``E`` are the unit tangents to north and east at
the source, in whichever frame longitude and latitude are given. The inclination ``iota`` is the angle between the angular momentum
``L`` and ``n``: below a right angle the orbit is run counter-clockwise as seen on the sky. The position angle ``psi`` in [0, 2 pi) is that
of the projection of ``L``, from north through east::

    l = cos(psi) N + sin(psi) E        u = n x l        w = L x u = -cos(iota) l + sin(iota) n
    L = cos(iota) n + sin(iota) l      r = a (cos(phi) u + sin(phi) w)

``r`` points from star 2 to star 1. So star 1 is nearest at ``phi = pi / 2``, where it eclipses star 2, and is eclipsed at
``3 pi / 2``; it recedes with ``-K1 cos(phi)``. Everything is a tensor of float64 with any leading axes; other numbers are converted.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.binaries.constants import GM_SUN, T_SUN, C

Numbers = Tensor | float
#: Relative rounding of single precision.
SINGLE = 1.2e-7


class SkyBasis(NamedTuple):
    """Unit vectors ``[*batch, 3]`` at a source: away from us, to north, to east."""

    k: Tensor
    north: Tensor
    east: Tensor


def tensor(x: Numbers) -> Tensor:
    """Numbers as a tensor of float64: phases after 1e5 cycles are nothing in single precision."""
    return torch.as_tensor(x, dtype=torch.float64)


def checked(name: str, x: Numbers, low: float, high: float = math.inf, *, open_low: bool = False) -> Tensor:
    """Numbers in a range; one above its upper end by the rounding of single precision (its pi is larger than pi) is taken for that end.

    Raises:
        ArgumentError: one is not, or not finite; naming the first.
    """
    values = tensor(x)
    if high < math.inf:
        values = torch.where((values > high) & (values <= high + SINGLE * abs(high)), high, values)
    bad = ~values.isfinite() | (values < low) | (values > high) | ((values <= low) if open_low else torch.zeros_like(values).bool())
    if bool(bad.any()):
        first = float(values.detach()[bad].flatten()[0])
        lower = "" if low == -math.inf else f" {'above' if open_low else 'of at least'} {low:.6g}"
        upper = "" if high == math.inf else f" and at most {high:.6g}"
        raise ArgumentError(name, f"finite numbers{lower}{upper}", f"{first!r}")
    return values


def sky_basis(lon: Numbers, lat: Numbers) -> SkyBasis:
    """The unit vectors at a place of the sky, longitude and latitude in radians.

    >>> k, north, east = sky_basis(0.0, 0.0)
    >>> k.tolist(), north.tolist(), east.tolist()
    ([1.0, 0.0, 0.0], [-0.0, -0.0, 1.0], [-0.0, 1.0, 0.0])
    """
    east, north = torch.broadcast_tensors(tensor(lon), tensor(lat))
    c, s, cl, sl = north.cos(), north.sin(), east.cos(), east.sin()
    k = torch.stack([c * cl, c * sl, s], -1)
    return SkyBasis(k, torch.stack([-s * cl, -s * sl, c], -1), torch.stack([-sl, cl, torch.zeros_like(cl)], -1))


def angular_momentum(iota: Numbers, psi: Numbers, lon: Numbers, lat: Numbers) -> Float[Tensor, "*batch 3"]:
    """The unit vector along the angular momentum, in the frame of longitude and latitude (radians).

    Raises:
        ArgumentError: an inclination outside of 0 to pi.

    >>> angular_momentum(torch.pi / 2, 0.0, 0.0, 0.0).round(decimals=12).abs()
    tensor([0., 0., 1.], dtype=torch.float64)
    """
    tilt, turn = checked("iota", iota, 0.0, math.pi)[..., None], tensor(psi)[..., None]
    at = sky_basis(lon, lat)
    return -tilt.cos() * at.k + tilt.sin() * (turn.cos() * at.north + turn.sin() * at.east)


def orientation(L: Float[Tensor, "*batch 3"], lon: Numbers, lat: Numbers) -> tuple[Tensor, Tensor]:
    """Inclination, and position angle in [0, 2 pi), of an angular momentum: the inverse of :func:`angular_momentum`."""
    at, L = sky_basis(lon, lat), tensor(L)
    north, east, along = ((L * v).sum(-1) for v in (at.north, at.east, -at.k))
    return torch.atan2(torch.hypot(north, east), along), torch.atan2(east, north) % (2 * math.pi)


def separation(phi: Numbers, iota: Numbers, psi: Numbers, lon: Numbers, lat: Numbers) -> Float[Tensor, "*batch 3"]:
    """The unit vector from star 2 to star 1 at orbital phase ``phi``."""
    phi, iota, psi = (tensor(x)[..., None] for x in (phi, iota, psi))
    at = sky_basis(lon, lat)
    l = psi.cos() * at.north + psi.sin() * at.east
    u = psi.cos() * at.east - psi.sin() * at.north
    return phi.cos() * u + phi.sin() * (-iota.cos() * l - iota.sin() * at.k)


def chirp_mass(m1: Numbers, m2: Numbers) -> Tensor:
    """``(m1 m2)^(3/5) / (m1 + m2)^(1/5)``, in the unit of the masses."""
    m1, m2 = checked("m1", m1, 0.0, open_low=True), checked("m2", m2, 0.0, open_low=True)
    return (m1 * m2) ** 0.6 / (m1 + m2) ** 0.2


def amplitude(mass: Numbers, f: Numbers, distance: Numbers) -> Tensor:
    """``2 (G M)^(5/3) (pi f)^(2/3) / (c^4 d)``: half of the strain ``h0``.

    Args:
        mass: chirp mass in masses of the Sun.
        f: frequency of the waves (Hz), twice that of the orbit.
        distance: metres.

    Raises:
        ArgumentError: one of them is not positive.

    >>> from erlangen.fields.binaries.constants import PARSEC
    >>> f"{float(amplitude(0.32, 6.22e-3, 5000 * PARSEC)):.2e}"
    '6.02e-23'
    """
    mass, f = checked("mass", mass, 0.0, open_low=True), checked("f", f, 0.0, open_low=True)
    distance = checked("distance", distance, 0.0, open_low=True)
    return 2 * C * (T_SUN * mass) ** (5 / 3) * (math.pi * f) ** (2 / 3) / distance


def fdot_gravitational(mass: Numbers, f: Numbers) -> Tensor:
    """``(96/5) pi^(8/3) (G M / c^3)^(5/3) f^(11/3)`` in Hz/s: how fast the waves' frequency grows by their own emission."""
    mass, f = checked("mass", mass, 0.0, open_low=True), checked("f", f, 0.0, open_low=True)
    return 96 / 5 * math.pi ** (8 / 3) * (T_SUN * mass) ** (5 / 3) * f ** (11 / 3)


def velocity_amplitude(period: Numbers, m1: Numbers, m2: Numbers, iota: Numbers) -> Tensor:
    """``K1 = (2 pi G / P)^(1/3) m2 sin(iota) / (m1 + m2)^(2/3)`` in m/s; exchange the masses for star 2.

    Args:
        period: of the orbit, seconds.
        m1, m2: masses of the Sun.
        iota: inclination.
    """
    period = checked("period", period, 0.0, open_low=True)
    m1, m2 = checked("m1", m1, 0.0, open_low=True), checked("m2", m2, 0.0, open_low=True)
    return (2 * math.pi * GM_SUN / period) ** (1 / 3) * m2 * tensor(iota).sin() / (m1 + m2) ** (2 / 3)


def orbital_phase(t: Numbers, phi0: Numbers, f: Numbers, fdot: Numbers = 0.0, fddot: Numbers = 0.0) -> Tensor:
    """``phi0 + 2 pi (f t / 2 + fdot t^2 / 4 + fddot t^3 / 12)``: the waves' phase is twice this."""
    t, f, fdot, fddot = (tensor(x) for x in (t, f, fdot, fddot))
    return phi0 + 2 * math.pi * (f * t / 2 + fdot * t**2 / 4 + fddot * t**3 / 12)


def strain(h0: Numbers, iota: Numbers, phi: Numbers) -> tuple[Tensor, Tensor]:
    """``h_plus``, ``h_cross`` in the basis ``(l, u)`` of the projected angular momentum.

    ``h_plus = (h0 / 2) (1 + cos(iota)^2) cos(2 phi)`` and ``h_cross = h0 cos(iota) sin(2 phi)``: the transverse traceless part of
    ``(2 G / c^4 d) d^2/dt^2 (mu r_i r_j)``.
    """
    h0, iota, phi = tensor(h0), tensor(iota), tensor(phi)
    return h0 / 2 * (1 + iota.cos() ** 2) * (2 * phi).cos(), h0 * iota.cos() * (2 * phi).sin()


def to_peer_phase(phi: Numbers) -> Tensor:
    """The phase ``phi0`` of the waves, as gbgpu and :func:`~erlangen.fields.binaries.waveform` have it, of an orbital phase.

    It is ``2 phi + pi``: their polarisation tensors have the other sign. Position angle and inclination are the same.
    """
    return (2 * tensor(phi) + math.pi) % (2 * math.pi)


def from_peer_phase(phi0: Numbers) -> Tensor:
    """The orbital phase in [0, pi) of a phase of waves; the other one is half a turn on. See :func:`to_peer_phase`."""
    return ((tensor(phi0) - math.pi) / 2) % math.pi
