"""Charges, the algebra with its central extension, orbits and their invariants."""

import math

import pytest
import torch

from erlangen.fields import spacetime as st

Vector, Data, Element = st.BMS3Vector, st.BoundaryData, st.BMS3Element


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def random_data(n=64, *batch, seed=0, **options):
    draw = rng(seed)
    return Data(st.CircleField.random(n, *batch, generator=draw), st.CircleField.random(n, *batch, generator=draw), **options)


def test_poisson_brackets_close_up_to_the_cocycle():
    draw = rng()
    x, y = (Vector.random(64, 100, generator=draw) for _ in range(2))
    for G in (1.0, 0.3):
        data = random_data(64, 100, G=G)
        off = data.poisson(x, y) - (data.charge(x.bracket(y)) + x.central(y, G))
        assert (off.abs() / data.poisson(x, y).abs().max()).max() < 1e-12


def test_jacobi_and_the_cocycle_condition():
    draw = rng(1)
    x, y, z = (Vector.random(64, 50, generator=draw) for _ in range(3))
    cyclic = ((x, y, z), (y, z, x), (z, x, y))
    sums = [a.bracket(b).bracket(c) for a, b, c in cyclic]
    size = max(float(s.T.abs().max()) for s in sums)
    assert (sums[0].T + sums[1].T + sums[2].T).abs().max() < 1e-12 * size
    assert (sums[0].Y + sums[1].Y + sums[2].Y).abs().max() < 1e-12 * size
    parts = torch.stack([a.bracket(b).central(c) for a, b, c in cyclic])
    assert (parts.sum(0)).abs().max() < 1e-12 * parts.abs().max()
    assert (x.central(y) + y.central(x)).abs().max() < 1e-12 * x.central(y).abs().max()


def test_modes_obey_the_algebra_with_c_3_over_G():
    data = random_data(64, G=1.0)
    P, J = (lambda m: data.modes(m)[0]), (lambda m: data.modes(m)[1])
    found = 1j * data.mode_bracket(("J", 2), ("P", -2))
    assert abs(found - 4 * P(0) - 2) < 1e-12  # (3 / 12) 2^3 = 2
    for m in (-3, -1, 2, 5):
        for n in (-5, -2, 0, 3):
            central = 3 / 12 * m**3 * (m + n == 0)
            assert abs(1j * data.mode_bracket(("J", m), ("P", n)) - (m - n) * P(m + n) - central) < 1e-11
            assert abs(1j * data.mode_bracket(("J", m), ("J", n)) - (m - n) * J(m + n)) < 1e-11
            assert abs(data.mode_bracket(("P", m), ("P", n))) < 1e-12
    half = random_data(64, G=0.5)
    assert abs(1j * half.mode_bracket(("J", 2), ("P", -2)) - 4 * half.modes(0)[0] - 4) < 1e-12


@pytest.mark.parametrize("end", ["future", "past"])
def test_six_generators_close_and_leave_the_vacuum_alone(end):
    six = list(st.isometries(32, end).values())
    span = torch.stack([torch.cat([v.T, v.Y]) for v in six], 1)
    for a in six:
        for b in six:
            c = a.bracket(b)
            column = torch.cat([c.T, c.Y])
            assert (span @ torch.linalg.lstsq(span, column).solution - column).abs().max() < 1e-12
            assert abs(float(a.central(b)) - float(Data.vacuum(32).poisson(a, b) - Data.vacuum(32).charge(c))) < 1e-14
    turn, bx, by = (st.isometries(32, end)[name] for name in ("rotation", "boost x", "boost y"))
    assert (bx.bracket(by).Y - turn.Y).abs().max() < 1e-12  # so(2,1): boosts make a turn, a turn exchanges them
    assert (turn.bracket(bx).Y + by.Y).abs().max() < 1e-12
    vacuum = Data.vacuum(32, end)
    for v in six:
        theta, xi = vacuum.variation(v)
        assert max(float(theta.abs().max()), float(xi.abs().max())) < 1e-12
    phi = st.circle(32)
    for wave in (torch.cos(2 * phi), torch.sin(3 * phi)):
        assert vacuum.variation(Vector(0, wave))[0].abs().max() > 1
        assert vacuum.variation(Vector(wave, 0))[1].abs().max() > 1


def test_the_energy_of_a_simple_orbit():
    def exact(eps, G):
        return (-(1 + eps**2 / 2) + 1 / math.sqrt(1 - eps**2) - 1) / (8 * G)

    for eps, G in ((0.5, 1.0), (0.2, 0.7)):
        moved = Data.vacuum(128, G=G).act(Element(lambda phi, e=eps: phi + e * torch.sin(phi), n=128))
        assert float(moved.energy) == pytest.approx(exact(eps, G), abs=1e-12)
    assert exact(0.5, 1.0) == pytest.approx(-0.1212874327, abs=1e-10)


def test_the_energy_formula_and_its_minimum_on_the_vacuum_orbit():
    draw = rng(2)
    g = Element.random(128, 1000, band=4, slope=0.8, generator=draw)
    energies = Data.vacuum(128).act(g).energy
    assert (energies >= -1 / 8 - 1e-13).all()
    assert energies.max() > -0.1
    second = st.CircleField(g.h).derivative(2).values
    formula = (-g.slope.square() + (second / g.slope).square()).mean(-1) / 8
    assert (energies - formula).abs().max() < 1e-9


def test_traces_of_the_monodromy():
    assert float(Data(-0.36, 0, n=16).trace()) == pytest.approx(-0.6180339887, abs=1e-10)
    assert float(Data.vacuum(16).trace()) == pytest.approx(-2, abs=1e-12)
    assert float(Data(0.5, 0, n=16).trace()) == pytest.approx(2 * math.cosh(math.pi * math.sqrt(0.5)), abs=1e-11)
    g = Element.random(128, 20, band=3, slope=0.5, generator=rng(3))
    for theta in (-0.36, -1.0, 0.5, -2.3):
        data = Data(theta, 0.1, n=128)
        moved = data.act(g)
        assert (moved.trace() - data.trace()).abs().max() < 1e-9
        assert (torch.linalg.det(moved.monodromy()) - 1).abs().max() < 1e-12


def test_the_monodromy_against_scipy():
    from scipy.integrate import solve_ivp

    data = random_data(32, seed=4)
    field = st.CircleField(data.theta)

    def rate(phi, state):
        q = float(field.at(torch.tensor([phi], dtype=torch.float64))) / 4
        return [state[2], state[3], q * state[0], q * state[1]]

    end = solve_ivp(rate, (0, 2 * math.pi), [1, 0, 0, 1], method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    assert (data.monodromy() - torch.from_numpy(end).view(2, 2)).abs().max() < 1e-9


@pytest.mark.parametrize(("mean", "wave", "mode"), [(-300.0, 250.0, 20), (-2e4, 1e4, 8), (100.0, 100.0, 5)])
def test_monodromies_of_steep_aspects(mean, wave, mode):
    from scipy.integrate import solve_ivp

    def rate(phi, state):
        q = (mean + wave * math.cos(mode * phi)) / 4
        return [state[2], state[3], q * state[0], q * state[1]]

    end = solve_ivp(rate, (0, 2 * math.pi), [1, 0, 0, 1], method="DOP853", rtol=3e-14, atol=1e-14).y[:, -1]
    found = Data(lambda phi: mean + wave * torch.cos(mode * phi), 0, n=64).monodromy()
    speed = math.sqrt(abs(mean)) / 2  # derivatives have another size than values
    sizes = torch.tensor([[1.0, 1 / speed], [speed, 1.0]], dtype=torch.float64)
    off, size = ((v / sizes).abs().max() for v in (found - torch.from_numpy(end).view(2, 2), found))
    assert off < 3e-11 * size


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_vacuums_orbit_has_no_rest_of_a_unique_kind(dtype):
    g = Element.random(64, 20, band=2, slope=0.3, generator=rng(0))
    vacuum = Data(-torch.ones(64, dtype=dtype), torch.zeros(64, dtype=dtype))
    assert not vacuum.act(Element.from_displacement(g.h.to(dtype))).rest().found.any()


@pytest.mark.parametrize("theta", [-0.4, 0.3])
def test_mass_and_spin_are_found_on_an_orbit(theta):
    data = Data(theta, 1.2, n=128, G=2.0)
    g = Element.random(128, 4, band=3, slope=0.4, generator=rng(5))
    rest = data.act(g).rest()
    assert rest.found.all()
    assert (rest.theta - theta).abs().max() < 1e-9
    assert (rest.spin - 1.2 / 8).abs().max() < 1e-9
    assert (rest.mass - theta / 16).abs().max() < 1e-9
    back = data.act(g).act(Element.from_displacement(rest.h))
    assert (back.theta - theta).abs().max() < 1e-7
    moved = data.act(g)
    translated = moved.act(Element(None, torch.cos, n=128))
    assert ((rest.Y * (moved.xi - translated.xi)).mean(-1)).abs().max() < 1e-9
    assert (moved.xi - translated.xi).abs().max() > 0.1
    assert not Data.vacuum(128).act(g).rest().found.any()


def test_the_metric_of_one_datum():
    import sympy as sp

    metric = Data(lambda phi: -1 + 0.5 * torch.cos(phi), 0.25, "past", n=16).metric()
    v, phi = sp.Symbol("v", real=True), sp.Symbol("phi", real=True)
    assert abs(float(metric[0, 2].subs({v: 2, phi: sp.pi / 2})) - (0.25 - 0.5)) < 1e-14
    assert metric[0, 1] == 1
    assert metric[2, 2] == sp.Symbol("r", positive=True) ** 2


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Data(-1, 0, n=16, G=0), "'G'"),
        (lambda: Data(-1, 0, n=16, G=-1.0), "'G'"),
        (lambda: Data(-1, 0, "up", n=16), "'end'"),
        (lambda: Data(torch.ones(16), torch.ones(18)), "'xi'"),
        (lambda: Data(torch.ones(17), 0), "'theta'"),
        (lambda: Data(torch.ones(16) * 1j, 0), "'theta'"),
        (lambda: Data(-1, 0), "'theta'"),
        (lambda: Data(-1, 0, n=16).charge(torch.ones(18)), "'T'"),
        (lambda: Data(-1, 0, n=16).charge(1, torch.ones(16) * 1j), "'Y'"),
        (lambda: Data(-1, 0, n=16).act(Element.identity(18)), "'element'"),
        (lambda: Data(-1, 0, n=16).modes(8), "'m'"),
        (lambda: Data(-1, 0, n=16).mode_bracket(("Q", 1), ("P", 1)), "'first'"),
        (lambda: Data(-1, 0, n=16).variation(Vector(1, 0, n=18)), "'vector'"),
        (lambda: random_data(16, 3).metric(), "'self'"),
        (lambda: Vector(1, 0, n=16).central(Vector(1, 0, n=16), G=0), "'G'"),
    ],
)
def test_refusals_of_data_name_the_argument(make, argument):
    with pytest.raises(ValueError, match=argument):
        make()
