"""From orbits drawn in space to a table as a detector and a telescope would fill it, and back: in numpy, by the conventions alone."""

import numpy as np
import pytest

pytest.importorskip("astropy")

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from erlangen.fields import binaries as bi


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_true_directions_are_among_the_two_that_are_left(seed):
    rng, n = np.random.default_rng(seed), 30
    lon, lat = rng.uniform(0, 2 * np.pi, n), np.arcsin(rng.uniform(-1, 1, n))
    L = rng.normal(size=(n, 3))
    L /= np.linalg.norm(L, axis=1)[:, None]
    k = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    east = np.cross([0.0, 0.0, 1.0], k)
    east /= np.linalg.norm(east, axis=1)[:, None]
    north = np.cross(k, east)
    psi = np.arctan2((L * east).sum(1), (L * north).sum(1))
    # star 2 is in front of star 1 at T0; the detector's epoch is told in another scale than the eclipse
    T0 = Time(2463000.25 + rng.uniform(0, 1, n), format="jd", scale="tdb")
    epoch = Time([2464321.75] * n, format="jd", scale="tcb")
    P = rng.uniform(400, 2000, n)
    orbit = 1.5 * np.pi + 2 * np.pi * (epoch.tdb - T0).to_value("s") / P
    wrong = rng.integers(0, 4, n)  # the detector names one of four: so many quarter turns, and quarters of the orbit, on
    table = Table()
    table["name"] = [f"b{i}" for i in range(n)]
    table["lam"], table["beta"] = np.degrees(lon) * u.deg, np.degrees(lat) * u.deg
    table["inclination"] = np.degrees(np.arccos(-(L * k).sum(1))) * u.deg
    table["psi"] = (psi + wrong * np.pi / 2) * u.rad
    table["gw_phase"] = ((2 * (orbit + wrong * np.pi / 2) + np.pi) % (2 * np.pi)) * u.rad
    table["gw_phase_error"], table["epoch"], table["T0"] = [3.0] * n * u.deg, epoch, T0
    table["P"] = P / 86400 * u.d
    table["T0_error"], table["P_error"], table["Pdot_error"] = [1.0] * n * u.s, [1e-6] * n * u.s, np.full(n, 1e-14)
    truth = SkyCoord(*L.T, representation_type="cartesian", frame="barycentricmeanecliptic").galactic.cartesian.xyz.value.T
    for found, true in zip(bi.orientations(bi.sources_of(table)), truth):
        apart = np.abs(found.candidates.galactic.cartesian.xyz.value.T - true).max(1)
        assert apart.min() < 1e-9
        assert found.left == 2
        assert abs(float(found.candidates.weights[apart.argmin()]) - 0.5) < 1e-6
        assert found.off < 0.01
