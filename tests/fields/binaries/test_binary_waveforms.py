"""Waveforms: against the quadrupole formula, interferometry in time, and gbgpu's numbers."""

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import binaries as bi
from erlangen.fields.binaries.constants import ARM, FOUR_YEARS, C

NAMES = ("amp", "f0", "fdot", "fddot", "phi0", "iota", "psi", "lam", "beta")
AT = dict(zip(NAMES, (1e-22, 2.61e-3, 3.3e-17, 0.0, 0.7, 0.9, 0.4, 1.77, 0.1)))
SPAN = int(FOUR_YEARS / 10) * 10.0
#: gbgpu 1.2.4 with lisaanalysistools 1.2.8, N = 256, span 126232590 s, dt = 10 s: parameters, first bin, norm of A and E, and in bins
#: 120, 126, 128, 129, 131 and 140 the coefficients of A and of E.
PRINTED = [
    ((1e-22, 0.00261, 3.3e-17, 0.0, 0.7, 0.9, 0.4, 1.77, 0.1), 329339, 6.085905861432489e-16,
     [8.600475532e-17-3.7250902e-17j, -2.518456263e-17+1.930480776e-17j, -4.836941255e-17+1.017725518e-16j,
      6.029210999e-18-4.655424122e-17j, -2.993793503e-18+1.576086426e-18j, -7.362195922e-17-8.490806199e-17j],
     [-9.042909436e-17+2.677349783e-17j, -5.563438545e-18+9.613118643e-18j, 2.99407594e-17-5.199670535e-17j,
      -2.295908092e-17+4.504852669e-17j, -1.949961131e-17+3.459543559e-17j, -5.357916865e-17-5.967911829e-17j]),
    ((6e-23, 0.00622, 7.5e-16, 1e-27, 2.1, 0.66, 1.2, 2.0, -0.3), 785039, 2.4380079320499232e-15,
     [3.240927007e-17-1.178870758e-18j, -1.578091402e-17-1.183053512e-16j, 3.094736229e-17+7.322876943e-17j,
      -1.004640312e-16-1.259548769e-16j, -3.257943452e-17+6.08235331e-17j, -1.476391449e-16+1.762397916e-16j],
     [-1.941392466e-17+2.213235418e-16j, 1.74652002e-17-1.24049214e-16j, -1.763062142e-16-1.20859453e-16j,
      1.264209665e-17-1.764789306e-16j, 7.810461123e-17+1.234980539e-16j, -5.790042822e-17+2.242848756e-17j]),
    ((4e-22, 0.00047, 1.4e-19, 0.0, 5.0, 1.45, 0.2, 3.9, 1.1), 59201, 3.9968761992444163e-17,
     [-4.993269877e-18+1.237906236e-18j, -2.278905329e-19+1.061677829e-18j, -1.974076764e-17+1.298858327e-17j,
      1.158396743e-17-5.571328285e-18j, 4.761288443e-18+3.071787984e-19j, 1.485846292e-18-3.933520248e-18j],
     [-1.014723868e-18+4.787626895e-18j, 4.331118135e-19-1.375275006e-18j, 4.190720965e-18+3.322170198e-18j,
      -2.557706625e-18-3.174364778e-18j, -1.768581934e-18-2.034323381e-18j, 3.615901363e-18+6.22529041e-19j]),
]  # fmt: skip


def channels(**change):
    return bi.waveform(**(AT | change)).channels[:2]


def apart(a, b):
    return float((a - b).norm() / b.norm())


def test_identities_of_the_group():
    h = channels()
    for dpsi, dphi in [(math.pi, 0), (math.pi / 2, math.pi), (3 * math.pi / 2, math.pi), (0, 2 * math.pi)]:
        assert apart(channels(psi=0.4 + dpsi, phi0=0.7 + dphi), h) < 1e-12
    for dpsi, dphi in [(math.pi / 2, 0), (0, math.pi)]:
        assert abs(apart(channels(psi=0.4 + dpsi, phi0=0.7 + dphi), h) - 2) < 1e-12
    assert abs(apart(channels(psi=0.4 + math.pi / 4, phi0=0.7 + math.pi / 2), h) - 1.9967) < 1e-3
    assert abs(apart(channels(iota=math.pi - 0.9), h) - 1.334) < 1e-3


@pytest.mark.parametrize("printed", PRINTED, ids=["2.61 mHz", "6.22 mHz", "0.47 mHz"])
def test_numbers_of_gbgpu(printed):
    at, first, norm, A, E = printed
    h = bi.waveform(*at, span=SPAN)
    assert int(h.first) == first
    ours = h.channels[:2]
    there = torch.tensor([A, E], dtype=torch.complex128)
    # gbgpu takes the two averages along an arm in the other order: 3e-5 at 2.6 mHz, 5e-4 at 6.2 mHz; see test_interferometry_in_time
    assert apart(ours[:, [120, 126, 128, 129, 131, 140]], there) < {0.00261: 5e-5, 0.00622: 7e-4, 0.00047: 1e-6}[at[1]]
    assert abs(float(ours.norm()) / norm - 1) < 6e-5


@pytest.mark.parametrize("f0", [2.61e-3, 6.22e-3])
def test_interferometry_in_time(f0):
    """The slow part, put back on its carrier, is the Michelson signal of frozen arms in time, from the orbit's own strain."""
    amp, phi0, iota, psi, lam, beta, N = 1e-22, 0.7, 0.9, 0.4, 1.77, 0.1, 256
    h = bi.waveform(amp, f0, 0.0, 0.0, phi0, iota, psi, lam, beta, N=N)
    slow = torch.fft.ifft(torch.fft.ifftshift(h.channels, dim=-1), dim=-1) * (2 * N / FOUR_YEARS)
    t = torch.arange(N, dtype=torch.float64) * FOUR_YEARS / N
    carrier = float(h.first) + N // 2
    A, E, T = (slow * torch.exp(2j * math.pi * carrier * t / FOUR_YEARS)).real
    at, P = bi.sky_basis(lam, beta), bi.spacecraft(t)
    phi = bi.from_peer_phase(phi0)
    l = math.cos(psi) * at.north + math.sin(psi) * at.east
    u = math.cos(psi) * at.east - math.sin(psi) * at.north

    def H(tau):
        plus, cross = bi.strain(2 * amp, iota, bi.orbital_phase(tau, phi, f0))
        return plus[:, None, None] * (torch.outer(l, l) - torch.outer(u, u)) + cross[:, None, None] * (
            torch.outer(l, u) + torch.outer(u, l)
        )

    def link(r, s, tau):  # the shift of light received at r from s
        n = (P[:, r] - P[:, s]) / ARM
        grown = H(tau - ARM / C + P[:, s] @ at.k / C) - H(tau + P[:, r] @ at.k / C)
        return torch.einsum("ti,tij,tj->t", n, grown, n) / (2 * (1 + n @ at.k))

    def michelson(a, b, c):
        def once(tau):
            return link(a, b, tau) + link(b, a, tau - ARM / C) - link(a, c, tau) - link(c, a, tau - ARM / C)

        return once(t) - once(t - 2 * ARM / C)

    X, Y, Z = michelson(0, 1, 2), michelson(1, 2, 0), michelson(2, 0, 1)
    assert apart(A, (Z - X) / math.sqrt(2)) < 1e-7
    assert apart(E, (X - 2 * Y + Z) / math.sqrt(6)) < 1e-7
    assert apart(T, (X + Y + Z) / math.sqrt(3)) < 1e-4  # small differences of large numbers
    assert apart(A, -(Z - X) / math.sqrt(2)) > 1.9  # so that the phase is that of the orbit, not half a turn off


def test_quadrupole_formula():
    """Second differences of the orbit give plus and cross, with their signs."""
    rng = torch.Generator().manual_seed(0)
    lon, lat, psi, phi = (torch.rand(100, dtype=torch.float64, generator=rng) * 2 - 1 for _ in range(4))
    iota = torch.rand(100, dtype=torch.float64, generator=rng) * math.pi
    psi, phi = 3 * psi, 3 * phi
    step = 2e-3  # of the phase; with angular frequency 1
    at = bi.sky_basis(lon, lat)
    n = -at.k

    def rr(phase):
        r = bi.separation(phase, iota, psi, lon, lat)
        return r[:, :, None] * r[:, None, :]

    second = sum(c * rr(phi + j * step) for j, c in zip((-2, -1, 0, 1, 2), (-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12))) / step**2
    l = psi.cos()[:, None] * at.north + psi.sin()[:, None] * at.east
    u = torch.linalg.cross(n, l)
    across = torch.eye(3, dtype=torch.float64) - n[:, :, None] * n[:, None, :]
    tt = across @ second @ across
    tt = tt - across * torch.einsum("bij,bij->b", tt, across)[:, None, None] / 2
    # h = (2 G mu / c^4 d) d^2(r r) = (h0 / 2) tt in units of a^2 omega^2
    plus, cross = bi.strain(1.0, iota, phi)
    assert (0.5 * torch.einsum("bi,bij,bj->b", l, tt, l) - plus).abs().max() < 1e-6
    assert (0.5 * torch.einsum("bi,bij,bj->b", l, tt, u) - cross).abs().max() < 1e-6
    # the orbit turns about L, star 1 is nearest at a quarter, and it recedes by -K cos(phi)
    v = (bi.separation(phi + step, iota, psi, lon, lat) - bi.separation(phi - step, iota, psi, lon, lat)) / (2 * step)
    L = bi.angular_momentum(iota, psi, lon, lat)
    assert (torch.linalg.cross(bi.separation(phi, iota, psi, lon, lat), v) - L).abs().max() < 1e-5
    assert ((v * at.k).sum(-1) + iota.sin() * phi.cos()).abs().max() < 1e-5
    assert ((bi.separation(torch.tensor(math.pi / 2), iota, psi, lon, lat) * n).sum(-1) - iota.sin()).abs().max() < 1e-12


def test_derivatives_and_vmap():
    at = torch.tensor(list(AT.values()), dtype=torch.float64)
    batch = at.repeat(3, 1)
    batch[:, 5] = torch.tensor([0.3, 0.9, 2.0])
    batch[:, 1] += torch.tensor([0.0, 1e-5, 3e-3])
    together = bi.waveform(*batch.T).channels
    for i in range(3):
        assert apart(bi.waveform(*batch[i]).channels, together[i]) < 1e-12
    mapped = torch.func.vmap(lambda x: bi.waveform(*x).channels)(batch)
    assert apart(mapped, together) < 1e-12
    for name, step in [
        ("phi0", 1e-5),
        ("iota", 1e-5),
        ("psi", 1e-5),
        ("lam", 1e-7),
        ("beta", 1e-7),
        ("fdot", 1e-20),
        ("f0", 1e-13),
    ]:
        i = list(AT).index(name)

        def moved(x, i=i):
            return torch.view_as_real(bi.waveform(*[x if j == i else v for j, v in enumerate(at)]).channels[:2])

        slope = torch.func.jacfwd(moved)(at[i])
        numeric = (moved(at[i] + step) - moved(at[i] - step)) / (2 * step)
        assert apart(slope, numeric) < 1e-5, name


def test_single_precision_is_converted_and_large_batches_are_cut():
    at = torch.tensor(list(AT.values()), dtype=torch.float32)
    assert apart(bi.waveform(*at).channels, bi.waveform(*at.double()).channels) < 1e-12
    many = torch.tensor(list(AT.values()), dtype=torch.float64).repeat(2, 60, 1)
    many[..., 6] = torch.linspace(0, 1, 120, dtype=torch.float64).view(2, 60)
    h = bi.waveform(*many.unbind(-1), N=128)
    assert (h.channels.shape, h.first.shape) == ((2, 60, 3, 128), (2, 60))
    assert apart(h.channels[1, 50], bi.waveform(*many[1, 50], N=128).channels) < 1e-12


@pytest.mark.parametrize(("f0", "beta"), [(8e-3, 0.0), (9.5e-3, 0.6), (2e-2, 1.15)])
def test_signals_are_not_folded(f0, beta):
    """What is accepted at 256 samples is that of 8192, up to the lines beyond: nothing folds over at the ends."""
    at = AT | {"f0": f0, "beta": beta}
    few, many = bi.waveform(**at).channels[:2], bi.waveform(**at, N=8192).channels[:2]
    assert apart(few, many[:, 4096 - 128 : 4096 + 128]) < 0.06
    with pytest.raises(ArgumentError, match="'N'"):
        bi.waveform(**at | {"f0": 1.4 * f0}, N=256)
    assert bi.waveform(**at | {"f0": 1.4 * f0}, N=512).channels.shape == (3, 512)


def test_single_precision_of_pi_is_pi():
    pi = torch.tensor(math.pi, dtype=torch.float32)
    assert float(pi) > math.pi
    assert apart(bi.waveform(**AT | {"iota": pi}).channels, bi.waveform(**AT | {"iota": math.pi}).channels) < 1e-12
    assert float(bi.angular_momentum(pi, 0.0, 0.0, 0.0)[2].abs()) < 1e-15
    with pytest.raises(ArgumentError, match="iota"):
        bi.angular_momentum(3.1416, 0.0, 0.0, 0.0)


def test_numbers_of_physics():
    hm = bi.verification_binaries()[0]
    assert hm.name == "HM Cnc"
    assert abs(hm.period - 321.5) < 0.1
    assert abs(float(bi.chirp_mass(0.26, 0.50)) - 0.3116) < 1e-3
    # SDSS J0651+2844 by gravitational waves alone: Pdot = -(8.2 +- 1.7)e-12 (Hermes et al. 2012)
    P = 765.206543
    assert abs(float(bi.fdot_gravitational(bi.chirp_mass(0.26, 0.50), 2 / P)) * P**2 / 2 / 8.2e-12 - 1) < 0.05
    K1, K2 = (float(bi.velocity_amplitude(414.79, *m, 1.47)) for m in ((0.61, 0.21), (0.21, 0.61)))
    assert abs(K1 / K2 - 0.21 / 0.61) < 1e-12
    assert 8e5 < K2 < 1.1e6


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: bi.amplitude(0.3, 1e-3, 0.0), "distance"),
        (lambda: bi.amplitude(-0.3, 1e-3, 1.0), "mass"),
        (lambda: bi.fdot_gravitational(0.3, 0.0), "f"),
        (lambda: bi.chirp_mass(0.0, 1.0), "m1"),
        (lambda: bi.angular_momentum(-0.1, 0.0, 0.0, 0.0), "iota"),
        (lambda: bi.noise(torch.tensor([1e-3, 0.0])), "f"),
        (lambda: bi.noise(1e-3, 1e12), "span"),
        (lambda: bi.waveform(**AT, N=1), "N"),
        (lambda: bi.waveform(**AT | {"f0": 0.02}), "N"),
        (lambda: bi.waveform(**AT | {"fdot": 1e-14}), "N"),
        (lambda: bi.waveform(**AT | {"f0": 0.0}), "f0"),
        (lambda: bi.waveform(**AT | {"f0": -1e-3}), "f0"),
        (lambda: bi.waveform(**AT | {"f0": torch.tensor([1e-3, math.nan])}), "f0"),
        (lambda: bi.waveform(**AT | {"iota": 3.2}), "iota"),
        (lambda: bi.waveform(**AT | {"amp": -1e-22}), "amp"),
        (lambda: bi.waveform(**AT | {"beta": 57.0}), "beta"),
        (lambda: bi.waveform(**AT | {"psi": math.inf}), "psi"),
        (lambda: bi.FourWaves(-1e-3, 0.0, 0.0, 1.0, 0.1), "f0"),
        (lambda: bi.waveform(**AT, span=0.0), "span"),
        (lambda: bi.FourWaves(2e-3, 0.0, 0.0, 1.0, 0.1, psd=torch.zeros(256, dtype=torch.float64)), "psd"),
        (lambda: bi.inner(torch.ones(2, 4), torch.ones(2, 4), torch.zeros(4), 1.0), "psd"),
    ],
)
def test_refused(call, name):
    with pytest.raises(ArgumentError, match=f"'{name}'"):
        call()
