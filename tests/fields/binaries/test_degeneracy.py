"""What channels cannot tell: every row of the table, and by brute force."""

import itertools
import math
import random
from fractions import Fraction

import pytest
import torch

from erlangen.actions import AngleShifts
from erlangen.errors import ArgumentError
from erlangen.fields import binaries as bi
from erlangen.testing import check_group

INF = math.inf
TABLE = [
    (["gravitational waves"], 8, (2, 4), 4),
    (["face-on gravitational waves"], INF, (2,), INF),
    (["face-off gravitational waves"], INF, (2,), INF),
    (["radial velocity"], INF, (), INF),
    (["reflection"], INF, (), INF),
    (["ellipsoidal"], INF, (2,), INF),
    (["equal eclipses"], INF, (2,), INF),
    (["gravitational waves", "eclipses"], 2, (2,), 2),
    (["gravitational waves", "ellipsoidal"], 4, (2, 2), 2),
    (["face-on gravitational waves", "radial velocity"], 2, (2,), 2),
    (["gravitational waves", "odd harmonics"], 2, (2,), 2),
    (["gravitational waves", "astrometry"], 2, (2,), 2),
    (["gravitational waves", "astrometry", "radial velocity"], 1, (), 1),
]


@pytest.mark.parametrize(("channels", "order", "invariants", "values"), TABLE, ids=lambda v: str(v))
def test_every_row(channels, order, invariants, values):
    group = bi.degeneracy_group(channels)
    assert (group.order, group.invariant_factors, group.psi_values) == (order, invariants, values)
    assert check_group(group)
    characters = [k for c in channels for k in bi.CHANNELS[c]]
    assert group == bi.degeneracy_group(characters) == bi.degeneracy_group([characters])
    if order < INF:
        N = max(4, group.exponent)
        seen = [
            tuple(Fraction(x, N) for x in p)
            for p in itertools.product(range(N), repeat=2)
            if all(sum(a * b for a, b in zip(k, p)) % N == 0 for k in characters)
        ]
        assert sorted(seen) == group.shifts()


def test_half_a_turn_is_left_by_waves_and_timing_but_not_by_astrometry():
    half = (Fraction(1, 2), 0)
    both = bi.degeneracy_group(["gravitational waves", "odd harmonics", "radial velocity", "ellipsoidal"])
    assert both.contains_shift(half)
    assert both.breaks("astrometry")
    assert not both.breaks("eclipses")
    assert bi.degeneracy_group(["gravitational waves", "astrometry"]).shifts()[1] == (Fraction(1, 2), Fraction(1, 2))
    assert bi.degeneracy_group([]).dim == 2
    assert bi.degeneracy_group([]).psi_shifts() == []


def test_random_channels_have_the_order_of_the_determinant():
    rng = random.Random(3)
    for _ in range(50):
        a, b, c, d = (rng.randint(-4, 4) for _ in range(4))
        group = bi.degeneracy_group([(a, b), (c, d)])
        det = abs(a * d - b * c)
        assert group.order == (det or INF)


def test_the_orbit_of_an_estimate():
    group = bi.degeneracy_group(["gravitational waves"])
    orbit = AngleShifts(group).orbit(torch.tensor([0.3, 1.1], dtype=torch.float64))
    assert len(orbit) == 8
    values = {round(float(x[0]), 9) for x in orbit}
    assert values == {round((0.3 + k * math.pi / 2) % (2 * math.pi), 9) for k in range(4)}


@pytest.mark.parametrize("bad", [["x-rays"], [(2, 2.0)], [(1, 2, 3)], "gravitational waves", 5, [(True, 1)], [7], [[(2, "a")]]])
def test_channels_that_are_none(bad):
    with pytest.raises(ArgumentError, match="channels"):
        bi.degeneracy_group(bad)


def test_candidates_turn_about_the_line_of_sight():
    rng = torch.Generator().manual_seed(0)
    lon = 2 * math.pi * torch.rand(50, dtype=torch.float64, generator=rng)
    lat = torch.asin(2 * torch.rand(50, dtype=torch.float64, generator=rng) - 1)
    iota = torch.acos(2 * torch.rand(50, dtype=torch.float64, generator=rng) - 1)
    psi = 2 * math.pi * torch.rand(50, dtype=torch.float64, generator=rng)
    L = bi.candidate_vectors(lon, lat, iota, psi)
    found_iota, found_psi = bi.orientation(L, lon[:, None], lat[:, None])
    assert (found_iota - iota[:, None]).abs().max() < 1e-12
    off = (found_psi - psi[:, None] - math.pi / 2 * torch.arange(4, dtype=torch.float64)).remainder(2 * math.pi)
    assert torch.minimum(off, 2 * math.pi - off).max() < 1e-12
    k = bi.sky_basis(lon, lat).k
    assert ((L * k[:, None]).sum(-1) + iota[:, None].cos()).abs().max() < 1e-12
    from erlangen.fields.binaries.population import turns_about

    n = -k  # position angles run from north to east, which is right-handed about the direction to us
    turned = torch.einsum("nbij,bj->bni", turns_about(n, 4), L[:, 0])
    assert (turned - L).abs().max() < 1e-12


def test_candidates_in_frames_and_with_a_timed_phase():
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    there = SkyCoord(l=[186.9, 10.0], b=[12.7, -50.0], unit="deg", frame="galactic")
    iota, psi = [60, 100] * u.deg, [20, 300] * u.deg
    four = bi.candidates(there, iota, psi)
    assert four.vectors.shape == (2, 4, 3)
    galactic = torch.as_tensor(four.galactic.cartesian.xyz.value).movedim(0, -1)
    assert (galactic - four.vectors).abs().max() < 1e-12
    # the angle to the line of sight is that of the inclination in any frame
    line = there.icrs.cartesian.xyz.value
    icrs = four.icrs.cartesian.xyz.value
    assert abs(-(line[:, :, None] * icrs).sum(0) - torch.as_tensor(iota.to_value("rad")).cos()[:, None].numpy()).max() < 1e-12
    two = bi.candidates(there, iota, psi, ["gravitational waves", "eclipses"])
    assert len(two) == 2
    # a phase that disagrees by a quarter of an orbit takes the other pair
    timed = bi.candidates(
        there, iota, psi, phase=[0.2, 0.2], sigma_phase=0.06, timed_phase=[0.2, 0.2 + math.pi / 2], sigma_timed=0.08
    )
    assert timed.likely().tolist() == [[True, False, True, False], [False, True, False, True]]
    logs = timed.weights.log()
    assert abs(float(logs[0, 0] - logs[0, 1]) - math.pi**2 / (2 * 0.1**2)) < 1e-6
    face_on = bi.candidates(there, [0.0, 1.0], [0.1, 0.1])
    assert face_on.continuous.tolist() == [True, False]
    assert bool(bi.candidates(there, iota, psi, ["radial velocity"]).continuous.all())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"iota": 3.5}, "iota"),
        ({"iota": float("nan")}, "iota"),
        ({"timed_phase": 0.1}, "phase"),
        ({"phase": 0.1, "timed_phase": 0.1}, "sigma_timed"),
        ({"phase": 0.1, "timed_phase": 0.1, "sigma_timed": -1.0}, "sigma_timed"),
        ({"phase": 0.1, "timed_phase": 0.1, "sigma_timed": 0.0}, "sigma_timed"),
        ({"phase": 0.1, "timed_phase": 0.1, "sigma_timed": 0.1, "sigma_phase": float("nan")}, "sigma_phase"),
        ({"phase": 0.1, "channels": [(4, 0), (0, 3)]}, "channels"),
        ({"phase": 0.1, "channels": ["radial velocity"]}, "channels"),
        ({"phase": 0.1, "channels": [(4, 0)]}, "channels"),
        ({"sky": 3}, "sky"),
        ({"psi": "north"}, "psi"),
    ],
)
def test_candidates_refuse(change, name):
    from astropy.coordinates import SkyCoord

    given = {"sky": SkyCoord(10.0, 20.0, unit="deg"), "iota": 1.0, "psi": 0.3} | change
    with pytest.raises(ArgumentError, match=name):
        bi.candidates(given.pop("sky"), given.pop("iota"), given.pop("psi"), **given)


def test_places_that_are_missing_and_errors_of_each():
    from astropy.coordinates import SkyCoord

    with pytest.raises(ArgumentError, match="sky"):
        bi.candidates(SkyCoord([10.0, math.nan], [1.0, 2.0], unit="deg"), 1.0, 0.3)
    there = SkyCoord([10.0, 20.0], [1.0, 2.0], unit="deg")
    found = bi.candidates(there, 1.0, 0.3, phase=0.2, sigma_phase=[0.3, 3.0], timed_phase=0.2, sigma_timed=[0.4, 4.0])
    logs = found.weights.log()
    assert [float(x[0] - x[1]) for x in logs] == pytest.approx([math.pi**2 / (2 * 0.5**2), math.pi**2 / (2 * 5.0**2)], rel=1e-9)


def test_phases_that_go_with_the_angles_of_other_channels():
    """Each candidate's angle and phase together are a point that the channels cannot tell from the first."""
    from astropy.coordinates import SkyCoord

    for channels in (
        ["gravitational waves", "astrometry"],
        ["gravitational waves", "ellipsoidal"],
        [(3, 1), (0, 2)],
        [(6, 2), (0, 4), (3, 3)],
    ):
        group = bi.degeneracy_group(channels)
        try:
            found = bi.candidates(SkyCoord(1.0, 2.0, unit="deg"), 1.0, 0.3, channels, phase=0.7)
        except ArgumentError:
            assert any(dpsi == 0 and 2 * dphi % 1 for dpsi, dphi in group.shifts())
            continue
        for psi, phase in zip((found.psi - 0.3).tolist(), (found.phase - 0.7).tolist()):
            assert any(
                abs(math.remainder(psi - 2 * math.pi * float(a), 2 * math.pi)) < 1e-9
                and abs(math.remainder(phase - 2 * math.pi * float(b), math.pi)) < 1e-9
                for a, b in group.shifts()
            )


def test_a_frame_that_aberrates_is_refused():
    from astropy.coordinates import GCRS, SkyCoord

    sky = SkyCoord(10.0, 20.0, unit="deg", frame=GCRS(obstime="2030-01-01"))
    with pytest.raises(ArgumentError, match="sky"):
        _ = bi.candidates(sky, 1.0, 0.3).icrs
