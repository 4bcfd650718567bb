"""Four waveforms, Fisher matrices, modes."""

import math

import pytest
import torch

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.fields import binaries as bi

TRUE = {"amp": 1e-22, "iota": 0.9, "psi": 0.4, "phi0": 0.7}
PLACE = (2.61e-3, 3.3e-17, 0.0, 1.77, 0.1)
#: By gbgpu 1.2.4 and lisaanalysistools 1.2.8, four sidereal years, SciRDv1 and foreground.
RATIOS = {
    "HM Cnc": 145,
    "V407 Vul": 130.5,
    "ES Cet": 122,
    "SDSS J065133.34+284423.4": 81.7,
    "AM CVn": 77,
    "SDSS J093506.92+441107.0": 41,
}
SIGMA_PSI = {
    86.9: (0.0061, 0.0061, 0.0061),
    60: (0.0173, 0.0164, 0.0106),
    30: (0.240, 0.0495, 0.0093),
    10: (18.7, 0.0505, 0.0086),
    3: (2297, 0.0505, 0.0085),
}


def test_four_waveforms_are_all():
    waves = bi.FourWaves(*PLACE)
    direct = bi.waveform(TRUE["amp"], *PLACE[:3], TRUE["phi0"], TRUE["iota"], TRUE["psi"], *PLACE[3:]).channels[:2]
    assert float((waves.data(**TRUE) - direct).norm() / direct.norm()) < 1e-12

    def B(phi, psi):  # A_cross = 0, unit A_plus
        return bi.waveform(1.0, *PLACE[:3], phi, math.pi / 2, psi, *PLACE[3:]).channels[:2]

    b1, b2, b3, b4 = (B(phi, psi) for phi in (0.0, math.pi / 2) for psi in (0.0, math.pi / 4))

    def mixed(phi, psi):
        return math.cos(phi) * (math.cos(2 * psi) * b1 + math.sin(2 * psi) * b2) + math.sin(phi) * (
            math.cos(2 * psi) * b3 + math.sin(2 * psi) * b4
        )

    plus, cross = 1e-22 * (1 + math.cos(0.9) ** 2), -2e-22 * math.cos(0.9)
    other = plus * mixed(0.7, 0.4) + cross * mixed(0.7 + math.pi / 2, 0.4 + math.pi / 4)
    assert float((other - direct).norm() / direct.norm()) < 1e-12


def test_likelihood_at_the_truth_and_the_closed_form():
    waves = bi.FourWaves(*PLACE)
    c = waves.correlate(waves.data(**TRUE))
    half = float(waves.snr(**TRUE)) ** 2 / 2
    assert abs(float(waves.log_likelihood(c, **TRUE)) / half - 1) < 1e-9
    assert abs(float(waves.maximum(c)) / half - 1) < 1e-12
    for name, value in zip(("amp", "iota", "psi", "phi0"), waves.best(c)):
        assert abs(float(value) / TRUE[name] - 1) < 1e-9
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(200, 4, dtype=torch.float64, generator=rng)
    assert (bi.parts(*bi.from_parts(x)) - x).abs().max() < 1e-12
    for iota in (0.0, math.pi / 2, math.pi):
        there = bi.parts(1.0, iota, 0.3, 1.0)
        assert (bi.parts(*bi.from_parts(there)) - there).abs().max() < 1e-7


def test_grid_against_direct_waveforms():
    waves = bi.FourWaves(*PLACE)
    generator = torch.Generator().manual_seed(0)
    data = waves.data(**TRUE) + waves.noise(generator)
    grid = bi.Grid.regular(7, 8, 12)
    found = waves.grid(waves.correlate(data), grid)
    for i, j, k in [(0, 0, 0), (1, 3, 5), (3, 1, 7), (6, 7, 11), (2, 4, 1)]:
        h = bi.waveform(1e-22, *PLACE[:3], grid.phi0[k], grid.iota[i], grid.psi[j], *PLACE[3:]).channels[:2]
        dh, hh = (bi.inner(a, h, waves.psd, waves.span) for a in (data, h))
        assert abs(float(found[i, j, k]) - max(0.0, float(dh)) ** 2 / (2 * float(hh))) < 1e-9 * float(
            waves.maximum(waves.correlate(data))
        )
    # symmetric under the group: a quarter turn of psi and half a turn of the phase
    grid = bi.Grid.regular(5, 8, 8)
    L = waves.grid(waves.correlate(data), grid)
    assert (L - L.roll((2, 4), (1, 2))).abs().max() < 1e-8 * L.max()


def test_modes_of_verification_binaries():
    counted = 0
    for i, b in enumerate(bi.verification_binaries()):
        lam, beta = b.ecliptic()
        waves = bi.FourWaves(b.f, b.fdot, 0.0, lam, beta)
        truth = {"amp": b.amp, "iota": b.iota, "psi": 0.3 + i, "phi0": 0.9 * i}
        snr = float(waves.snr(**truth))
        if snr <= 10 or abs(math.cos(b.iota)) >= 0.9:
            continue
        counted += 1
        c = waves.correlate(waves.data(**truth) + waves.noise(torch.Generator().manual_seed(i)))
        for timed, expected in ((None, 4), ((truth["phi0"], 0.1), 2)):
            modes = bi.find_modes(waves, c, timed_phase=timed)
            assert len(modes.psi) == expected, b.name
            apart = (modes.psi.sort().values.diff() / (2 * math.pi / expected) - 1).abs()
            assert float(apart.max()) < 1e-6
        assert 0 <= float(waves.maximum(c) - waves.log_likelihood(c, **truth)) < 12  # half of chi-squared with 4 degrees of freedom
    assert counted == 8


def test_signal_to_noise_ratios():
    for b in bi.verification_binaries():
        if b.name in RATIOS:
            lam, beta = b.ecliptic()
            waves = bi.FourWaves(b.f, b.fdot, 0.0, lam, beta)
            psi = torch.linspace(0, math.pi / 2, 9, dtype=torch.float64)[:-1]
            assert abs(float(waves.snr(b.amp, b.iota, psi, 0.3).mean()) / RATIOS[b.name] - 1) < 0.05, b.name


def test_fisher_of_j0651():
    b = bi.verification_binaries()[11]
    assert b.name.startswith("SDSS J0651")
    lam, beta = b.ecliptic()
    at = {"amp": b.amp, "f0": b.f, "fdot": 3.3e-17, "fddot": 0.0, "phi0": 0.7, "psi": 0.3, "lam": lam, "beta": beta}
    for iota, (free, tenth, hundredth) in SIGMA_PSI.items():
        F = bi.fisher_matrix(at | {"iota": math.radians(iota)})
        assert bool(F.measures("psi")) == (free < 1)
        if iota == 3:  # so near to singular that its error is shown as what it is: none
            assert F.covariance()[5, 5] ** 0.5 > 1000
        else:
            assert abs(F.sigma("psi") / free - 1) < 0.02
        for sigma, expected in ((0.1, tenth), (0.01, hundredth)):
            assert abs(F.with_phase(sigma).sigma("psi") / expected - 1) < 0.02
    F = bi.fisher_matrix(at | {"iota": 0.0})
    verdict = F.regular()
    assert not verdict
    assert set(verdict.witness) == set(F.names)
    with pytest.raises(UnsupportedError, match="singular"):
        F.sigma("psi")
    assert bool(F.with_phase(0.1).regular()) is False  # the inclination is not seen to first order there, either
    with pytest.raises(ArgumentError, match="sigma"):
        F.with_phase(0.0)
    with pytest.raises(ArgumentError, match="free"):
        bi.fisher_matrix(at | {"iota": 1.0}, free=["psi", "mass"])


def test_fisher_is_the_second_derivative_of_the_likelihood():
    waves = bi.FourWaves(*PLACE)
    F = bi.fisher_matrix(dict(zip(("f0", "fdot", "fddot", "lam", "beta"), PLACE)) | TRUE, free=["amp", "iota", "psi", "phi0"])
    c = waves.correlate(waves.data(**TRUE))

    def minus(x):
        return -waves.log_likelihood(c, TRUE["amp"] * x[0].exp(), TRUE["iota"] + x[1], TRUE["psi"] + x[2], TRUE["phi0"] + x[3])

    H = torch.func.hessian(minus)(torch.zeros(4, dtype=torch.float64))
    assert float((F.matrix - H).abs().max() / H.abs().max()) < 1e-9


def test_samples_copied_by_the_group_are_as_likely():
    waves = bi.FourWaves(*PLACE)
    c = waves.correlate(waves.data(**TRUE) + waves.noise(torch.Generator().manual_seed(3)))
    drawn = bi.sample_posterior(waves, c, 400, generator=torch.Generator().manual_seed(0))
    assert drawn.values.shape == (4, 400, 4)
    logs = waves.log_likelihood(c, *drawn.values.unbind(-1))
    assert (logs - logs[:1]).abs().max() < 1e-10 * logs.abs().max()
    psi = drawn.values[..., 2]
    turned = psi - psi[:1] - math.pi / 2 * torch.arange(4, dtype=torch.float64)[:, None]
    assert torch.minimum(turned % (2 * math.pi), -turned % (2 * math.pi)).max() < 1e-9
    assert (drawn.mode_weights - 0.25).abs().max() < 1e-12
    # their spread is that of the Fisher matrix where the signal is loud
    F = bi.fisher_matrix(dict(zip(("f0", "fdot", "fddot", "lam", "beta"), PLACE)) | TRUE, free=["amp", "iota", "psi", "phi0"])
    assert abs(float(psi[0].std()) / F.sigma("psi") - 1) < 0.25
    timed = bi.sample_posterior(waves, c, 200, timed_phase=(TRUE["phi0"], 0.1), generator=torch.Generator().manual_seed(0))
    right = [k for k in range(4) if abs(math.remainder(float(timed.values[k, :, 3].median()) - TRUE["phi0"], 2 * math.pi)) < 0.5]
    assert len(right) == 2
    assert abs(float(timed.mode_weights[right].sum()) - 1) < 1e-12


@pytest.mark.parametrize("c", [torch.zeros(4), torch.full((4,), math.nan), torch.ones(2, 4)])
def test_products_that_hold_nothing(c):
    waves = bi.FourWaves(*PLACE)
    with pytest.raises(ArgumentError, match="'c'"):
        bi.find_modes(waves, c.double())
    with pytest.raises(ArgumentError, match="'c'"):
        bi.sample_posterior(waves, c.double(), 10)


@pytest.mark.parametrize(
    "what",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"castropy.units.core\nUnit.__init__\n.",
        b"\x80\x04\x8c\x12astropy.units.core\x8c\x0dUnit.__init__\x93.",
        b"cnumpy\nload\n.",
    ],
)
def test_the_reader_of_the_binaries_takes_numbers_only(what):
    """Nothing but arrays and units is looked up, in either form of the format, so that nothing can be called."""
    import io

    from erlangen.fields.binaries.verification import _Reader

    with pytest.raises(ArgumentError, match="numbers with units only"):
        _Reader(io.BytesIO(what)).load()
