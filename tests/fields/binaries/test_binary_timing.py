"""Ephemerides, scales of time, light travel times."""

import math

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time

from erlangen.errors import ArgumentError
from erlangen.fields import binaries as bi

T0 = Time(2455652.5980910, format="jd", scale="tdb")
HERMES = {"T0": T0, "P": 765.206543, "Pdot": -9.8e-12, "sigma_T0": 0.0000084 * 86400, "sigma_P": 5.5e-5, "sigma_Pdot": 2.8e-12}
LAUNCHED = Time(2036.0, format="jyear", scale="tdb")


def test_scales():
    assert abs(bi.tcb_minus_tdb(Time("2035-01-01", scale="tdb")) - 28.4) < 0.1
    rate = bi.tcb_minus_tdb(Time("2035-01-02", scale="tdb")) - bi.tcb_minus_tdb(Time("2035-01-01", scale="tdb"))
    assert abs(rate / 86400 / 1.550519768e-8 - 1) < 1e-3


def test_light_from_january_to_july_also_far_ahead():
    sky = SkyCoord("06h51m33.34s", "+28d44m23.4s")
    for year in (2012, 2036):
        found = []
        for day in ("01-01", "07-01"):
            t = Time(f"{year}-{day}", scale="utc")
            there = bi.barycentric(t, sky)
            assert there.scale == "tdb"
            found.append((there - t.tdb).sec)
        assert abs(found[0] - found[1]) > 800
    ground = EarthLocation.from_geodetic(10 * u.deg, 50 * u.deg)
    t = Time("2036-03-01", scale="utc")
    assert abs((bi.barycentric(t, sky, ground) - bi.barycentric(t, sky)).sec) < 0.022


def test_the_ephemeris_of_2012_is_not_usable_in_2036_and_what_cures_it():
    old = bi.Ephemeris(**HERMES)
    N = old.cycles(LAUNCHED)
    assert abs(N * old.P / 86400 / (LAUNCHED.jd - T0.jd) - 1) < 1e-4
    assert abs(0.5 * N**2 * old.P * 2.8e-12 - 1.1e3) < 1e2
    assert old.sigma(LAUNCHED) > old.P / 4
    assert not old.usable(LAUNCHED)
    until = old.usable_until()
    assert abs(old.sigma(until) / (old.P / 20) - 1) < 1e-6
    assert T0 < until < LAUNCHED
    cured = bi.Ephemeris(**HERMES | {"sigma_Pdot": 1e-14, "sigma_P": 1e-7})
    assert cured.usable(LAUNCHED)
    assert cured.usable_until() > LAUNCHED
    # with the published error of the period alone the phase is lost, too
    assert bi.Ephemeris(**HERMES | {"sigma_Pdot": 1e-14}).sigma(LAUNCHED) == pytest.approx(N * 5.5e-5, rel=0.01)
    assert bi.Ephemeris(**HERMES | {"sigma_Pdot": 0.0, "sigma_P": 0.0}).usable_until() is None
    assert bi.Ephemeris(**HERMES | {"sigma_T0": 100.0}).usable_until() == T0


def test_cycles_and_phase():
    e = bi.Ephemeris(**HERMES)
    for n in (0, 1, 1000, 10**6):
        t = T0 + (e.P * n + e.P * e.Pdot * n**2 / 2) * u.s
        assert abs(e.cycles(t) - n) < 1e-7 * max(1, n / 1e4)
        assert abs(math.remainder(e.phase(t) - 1.5 * math.pi, 2 * math.pi)) < 1e-4
    # the scale is that of T0, whichever t comes in
    t = T0 + 1000.25 * e.P * u.s
    assert abs(math.remainder(e.phase(t.tcb) - e.phase(t), 2 * math.pi)) < 1e-6
    wrong = Time(t.jd1, t.jd2, format="jd", scale="tcb")  # TCB taken for TDB: 16 s at T0, 28 in 2035
    assert abs(math.remainder(e.phase(wrong) - e.phase(t), 2 * math.pi)) > 0.1


def test_correlations_and_weights():
    e = bi.Ephemeris(**HERMES | {"correlations": (0.0, 0.0, -0.9)})
    assert e.sigma_after(1e6) < bi.Ephemeris(**HERMES).sigma_after(1e6)
    assert abs(bi.wrong_pair_penalty(0.1) - 493.48) < 0.01
    right, wrong = bi.phase_log_weights([2 * math.pi, math.pi], 0.06, 0.08)
    assert abs(right - wrong - math.pi**2 / (2 * 0.1**2)) < 1e-6
    assert np.isclose(e.sigma_phase(LAUNCHED), 4 * math.pi * e.sigma(LAUNCHED) / e.P)


def test_usable_until_finds_the_first_time_also_where_errors_cancel_later():
    """Opposite errors of period and rate: the error rises to a bump just above the limit, falls to nothing, and rises again."""
    rng = np.random.default_rng(0)
    bumps = 0
    for i in range(40):
        sP, sR = 10 ** rng.uniform(-6, -4), 10 ** rng.uniform(-13, -11)
        peak = sP**2 / (2 * 600.0 * sR)  # of |n sP - n^2 P sR / 2|, at n = sP / (P sR)
        P = 600.0
        scale = P / 20 / peak * (1 + 10 ** rng.uniform(-6, 0)) if i % 2 else 1.0
        e = bi.Ephemeris(T0, P, 0.0, 0.0, sP * scale, sR * scale, correlations=(0.0, 0.0, -1.0))
        until = e.usable_until()
        n = np.geomspace(1, 1000 * 365.25 * 86400 / P, 400_000)
        bad = n[np.abs(n * sP * scale - n**2 * P * sR * scale / 2) > P / 20]
        if len(bad) == 0:
            continue
        if until is None:
            raise AssertionError((sP, sR, scale))
        assert e.cycles(until) <= bad[0] * (1 + 1e-6)
        assert abs(e.sigma(until) / (P / 20) - 1) < 1e-6
        bumps += bad[0] < sP / (P * sR)
    assert bumps > 10


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"T0": 2455652.6}, "T0"),
        ({"T0": Time(2455652.6, format="jd")}, "T0"),
        ({"T0": Time(2455652.6, format="jd", scale="tdb", location=EarthLocation.from_geodetic(0, 0))}, "T0"),
        ({"T0": Time([2455652.6, 1.0], format="jd", scale="tdb")}, "T0"),
        ({"P": 0.0}, "P"),
        ({"P": math.nan}, "P"),
        ({"Pdot": math.inf}, "Pdot"),
        ({"sigma_P": -1.0}, "sigma_P"),
        ({"event": "noon"}, "event"),
        ({"correlations": (2.0, 0.0, 0.0)}, "correlations"),
    ],
)
def test_ephemerides_that_are_none(change, name):
    with pytest.raises(ArgumentError, match=f"'{name}'"):
        bi.Ephemeris(**HERMES | change)


def test_weights_want_errors():
    with pytest.raises(ArgumentError, match="sigma_Pdot"):
        bi.Ephemeris(**HERMES | {"sigma_Pdot": None}).sigma(LAUNCHED)
    with pytest.raises(ArgumentError, match="'t'"):
        bi.Ephemeris(**HERMES).phase(Time("2036-01-01", scale="utc"))
    with pytest.raises(ArgumentError, match="sigma"):
        bi.wrong_pair_penalty(0.0)
    with pytest.raises(ArgumentError, match="'t'"):
        bi.barycentric(2455652.6, SkyCoord(0, 0, unit="deg"))
