"""The sixteen verification binaries of LISA that legwork ships, and ephemerides of some of them."""

from __future__ import annotations

import io
import math
import pickle
from dataclasses import dataclass
from functools import cache
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.extras import engine, shipped
from erlangen.fields.binaries.constants import PARSEC
from erlangen.fields.binaries.geometry import amplitude, chirp_mass, fdot_gravitational

#: What the file may hold: arrays and quantities with units, nothing that does anything.
PLAIN = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("astropy.units.quantity", "Quantity"),
    ("astropy.units.core", "_recreate_irreducible_unit"),
    ("astropy.units.core", "CompositeUnit"),
    ("astropy.units.core", "Unit"),
    ("astropy.units.core", "PrefixUnit"),
    ("astropy.units.core", "IrreducibleUnit"),
}


@dataclass(frozen=True)
class Binary:
    """A binary as catalogues have it.

    Attributes:
        name: of the binary.
        f: frequency of the waves, Hz: twice that of the orbit.
        m1, m2: masses, in those of the Sun.
        distance: metres.
        lon, lat: Galactic, radians.
        iota: inclination, radians. Sixty degrees stand where it is not known.
        snr: the published signal-to-noise ratio.
    """

    name: str
    f: float
    m1: float
    m2: float
    distance: float
    lon: float
    lat: float
    iota: float
    snr: float = math.nan

    @property
    def period(self) -> float:
        """Of the orbit, seconds."""
        return 2 / self.f

    @property
    def amp(self) -> float:
        """The amplitude of the waves, by :func:`~erlangen.fields.binaries.amplitude`."""
        return float(amplitude(chirp_mass(self.m1, self.m2), self.f, self.distance))

    @property
    def fdot(self) -> float:
        """Hz/s, were there nothing but gravitational waves."""
        return float(fdot_gravitational(chirp_mass(self.m1, self.m2), self.f))

    def sky(self) -> Any:
        """The place on the sky, an ``astropy.coordinates.SkyCoord``."""
        astropy = engine("binaries", "astropy.coordinates")
        return astropy.SkyCoord(l=self.lon, b=self.lat, unit="rad", frame="galactic")

    def ecliptic(self) -> tuple[float, float]:
        """Ecliptic longitude and latitude at the barycentre (J2000), radians."""
        there = self.sky().barycentricmeanecliptic
        return float(there.lon.rad), float(there.lat.rad)


class _Reader(pickle.Unpickler):
    """Reads arrays with units and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PLAIN:
            raise ArgumentError("file", "numbers with units only", f"{module}.{name}")
        return super().find_class(module, name)


@cache
def verification_binaries() -> tuple[Binary, ...]:
    """The sixteen of T. Kupfer et al. (2018), arXiv:1805.00482, in the order of legwork's file; the file is read, legwork not imported.

    Raises:
        MissingExtra: ``legwork`` or ``astropy`` is not installed.

    >>> len(verification_binaries()), verification_binaries()[0].name, round(verification_binaries()[0].period)
    (16, 'HM Cnc', 322)
    """
    units = engine("binaries", "astropy.units")
    stream = io.BytesIO((shipped("verification", "legwork") / "verification_binaries.npy").read_bytes())
    stream.read(8)  # the format's name and version; a header of this length follows
    stream.read(int.from_bytes(stream.read(2), "little"))
    table = _Reader(stream).load().item()
    columns = {
        "f": (table["f_GW"], units.Hz, 1.0),
        "m1": (table["m_1"], units.Msun, 1.0),
        "m2": (table["m_2"], units.Msun, 1.0),
        "distance": (table["dist"], units.pc, PARSEC),
        "lon": (table["l_gal"], units.rad, 1.0),
        "lat": (table["b_gal"], units.rad, 1.0),
        "iota": (table["i"], units.rad, 1.0),
    }
    numbers = {name: (quantity.to_value(unit) * scale).tolist() for name, (quantity, unit, scale) in columns.items()}
    return tuple(
        Binary(str(name), **{key: values[i] for key, values in numbers.items()}, snr=float(table["snr"][i]))
        for i, name in enumerate(table["label"])
    )
