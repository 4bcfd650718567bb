"""The finite group: laws, exponentials, adjoint action, actions on data, and the group of the core."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp

import erlangen as er
from erlangen.fields import spacetime as st
from erlangen.testing import check_action, check_group

N = 128
Element, Vector = st.BMS3Element, st.BMS3Vector


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def elements(count=5, n=N, seed=0):
    draw = rng(seed)
    return [Element.random(n, count, band=3, slope=0.3, generator=draw) for _ in range(3)]


def apart(a, b):
    return max(float((a.h - b.h).abs().max()), float((a.alpha - b.alpha).abs().max()))


def test_the_laws_of_a_group():
    g, h, k = elements()
    assert apart((g @ h) @ k, g @ (h @ k)) < 1e-9
    one = Element.identity(N)
    assert apart(g @ g.inverse(), one) < 1e-9
    assert apart(g.inverse() @ g, one) < 1e-9
    assert apart(g @ one, g) < 1e-14
    assert apart(one @ g, g) < 1e-13


def test_an_action_from_the_left_in_the_stated_order():
    draw = rng(11)
    g, h = (Element.random(64, 5, band=2, slope=0.2, generator=draw) for _ in range(2))
    data = st.BoundaryData(*(st.CircleField.random(64, 5, band=3, generator=rng(s)) for s in (1, 2)))
    twice, once = data.act(h).act(g), data.act(g @ h)
    assert (twice.theta - once.theta).abs().max() < 1e-9 * once.theta.abs().max()
    assert (twice.xi - once.xi).abs().max() < 1e-9 * once.xi.abs().max()
    other = data.act(h @ g)
    assert (other.theta - once.theta).abs().max() > 0.1  # the order matters


def test_one_parameter_groups_and_scipys_integration():
    vector = Vector.random(N, band=3, generator=rng(3)) * 0.3
    whole = Element.exp(vector)
    half = Element.exp(vector, 0.5)
    assert apart(half @ half, whole) < 1e-12
    t, y = st.CircleField(vector.T), st.CircleField(vector.Y)
    dy = y.derivative()

    def rate(_, state):
        f, log = (torch.from_numpy(part) for part in (state[:N], state[N : 2 * N]))
        return torch.cat([y.at(f), dy.at(f), t.at(f) * torch.exp(-log)]).numpy()

    start = torch.cat([st.circle(N), torch.zeros(2 * N, dtype=torch.float64)]).numpy()
    end = torch.from_numpy(solve_ivp(rate, (0, 1), start, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1])
    assert (whole.f - end[:N]).abs().max() < 1e-11
    assert (whole.alpha - end[2 * N :]).abs().max() < 1e-11


def test_exponentials_agree_with_the_explicit_flow():
    vector = Vector.random(32, band=2, generator=rng(4)) * 0.02
    data = st.BoundaryData(-0.5, 0.2, n=32)
    finite, explicit = data.act(Element.exp(vector)), st.explicit_flow(data, vector, 400)
    assert (finite.theta - explicit.theta).abs().max() < 1e-8
    assert (finite.xi - explicit.xi).abs().max() < 1e-8


def closed_form(n, theta, xi, rapidity, lift):
    """What exp(lift sin, rapidity sin) makes of constants: the boost, and alpha = lift sin."""
    phi = st.circle(n)
    c, s = math.cosh(rapidity), math.sinh(rapidity)
    slope = 1 / (c - s * torch.cos(phi))
    change = -2 * (theta + 1) * slope**3 * s * torch.sin(phi)
    moved = slope**2 * (theta + 1) - 1
    return moved, slope**2 * xi + lift * (torch.sin(phi) * change / 2 + torch.cos(phi) * moved + torch.cos(phi))


@pytest.mark.parametrize("n", [64, 256])
def test_flows_agree_with_a_closed_form(n):
    theta, xi = closed_form(n, -0.4, 0.1, 0.5, 0.7)
    vector = Vector(lambda phi: 0.7 * torch.sin(phi), lambda phi: 0.5 * torch.sin(phi), n=n)
    data = st.BoundaryData(-0.4, 0.1, n=n)
    direct, by_element = data.flow(vector), data.act(Element.exp(vector))
    assert (direct.theta - theta).abs().max() < 2e-13
    assert (direct.xi - xi).abs().max() < 2e-12
    assert (by_element.theta - theta).abs().max() < 1e-8
    assert (by_element.xi - xi).abs().max() < 1e-7


def test_explicit_steps_are_bounded_by_the_speed_not_by_the_third_power():
    """Third derivatives of the generator are sources. Were they stiff, with steps of N^-3, 64 steps at N = 256 would be hopeless."""
    vector = Vector(0, lambda phi: 0.35 * torch.sin(phi), n=256)
    data = st.BoundaryData(-0.4, 0.1, n=256)
    exact = data.flow(vector)
    assert (st.explicit_flow(data, vector, 64).theta - exact.theta).abs().max() < 1e-7


def test_the_boost_fixes_the_vacuum():
    for rapidity in (0.3, 1.0, -1.0):
        phi = st.circle(N)
        f = 2 * torch.atan(math.exp(rapidity) * torch.tan(phi / 2))  # with its jump at pi
        data = st.BoundaryData.vacuum(N)
        assert (data.act(Element(f)).theta + 1).abs().max() < 1e-9  # rounding by the third derivative, N^3
        assert apart(Element(f), Element.boost(rapidity, N)) < 1e-14
        assert apart(Element.exp(Vector(0, torch.sin, n=N), rapidity), Element.boost(rapidity, N)) < 1e-12
    fewer = st.BoundaryData.vacuum(96)
    assert (fewer.act(Element.boost(0.7, 96)).theta + 1).abs().max() < 1e-10


def test_the_adjoint_action():
    g = elements()[0]
    x, y = (Vector.random(N, 5, band=3, generator=rng(s)) * 0.2 for s in (5, 6))
    assert apart(g @ Element.exp(x) @ g.inverse(), Element.exp(g.adjoint(x))) < 1e-9
    small = 1e-4
    slope = (Element.exp(y * small).adjoint(x) - Element.exp(y * -small).adjoint(x)) * (1 / (2 * small))
    assert (slope.T - y.bracket(x).T).abs().max() < 1e-6
    assert (slope.Y - y.bracket(x).Y).abs().max() < 1e-6
    data = st.BoundaryData(*(st.CircleField.random(N, 5, band=3, generator=rng(s)) for s in (7, 8)), G=0.5)
    moved = g.adjoint(x)
    gain = data.act(g).charge(moved) - data.charge(x)
    assert (gain - g.cocycle(moved, G=0.5)).abs().max() < 1e-12
    theta, xi = g.coadjoint(data.theta, data.xi, central=False)
    assert (st.BoundaryData(theta, xi, G=0.5).charge(moved) - data.charge(x)).abs().max() < 1e-12


def test_the_group_of_the_core():
    group = st.BMS3(96)
    verdict = check_group(group)
    assert verdict["worst"] < 1e-9
    assert check_action(st.OnData(group), atol=1e-8)["worst"] < 1e-8
    assert check_action(st.OnGenerators(group))
    assert group == st.BMS3(96) != st.BMS3(64)
    assert group.generators is None
    assert group.algebra is None
    assert not group.is_compact
    g = group.sample(3, generator=rng(), dtype=torch.float64)
    assert group.equal((g[0] + 2 * math.pi, g[1]), g).all()
    assert group.contains(g).all()
    assert not group.contains((20 * g[0], g[1])).any()
    assert apart(group.element(g), Element.from_displacement(*g)) == 0
    vector = Vector.random(96, generator=rng(9)) * 0.2
    assert apart(group.element(group.exp((vector.T, vector.Y))), Element.exp(vector)) == 0
    with pytest.raises(er.errors.UnsupportedError, match="continuous part"):
        st.OnData(group).orbit(st.OnData(group).example(dtype=torch.float64))


def test_finite_orbits_by_the_turns_of_the_grid():
    turns = er.Cyclic(32).vector
    theta = -0.5 + 0.1 * torch.cos(4 * st.circle(32))
    theta = theta.round(decimals=12)
    assert len(turns.orbit(theta)) == 8
    assert len(turns.stabilizer(theta)) == 4


def test_gradients_through_actions_charges_and_inverses():
    n = 16
    draw = rng(10)
    h = (0.2 * torch.sin(st.circle(n)) + 0.05 * torch.cos(2 * st.circle(n))).requires_grad_()
    alpha, theta, xi = (st.CircleField.random(n, band=2, generator=draw).values.requires_grad_() for _ in range(3))
    T, Y = (st.CircleField.random(n, band=2, generator=draw).values for _ in range(2))

    def charge(*parts):
        return st.BoundaryData(parts[2], parts[3]).act(Element.from_displacement(parts[0], parts[1])).charge(T, Y)

    assert torch.autograd.gradcheck(charge, (h, alpha, theta, xi), atol=1e-7)
    assert torch.autograd.gradcheck(lambda p: Element.from_displacement(p).inverse().h, (h,), atol=1e-7)
    assert torch.autograd.gradcheck(lambda p: 1e-2 * st.monodromy(p), (theta,), atol=1e-8)
    y = (0.1 * Y).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: Element.exp(Vector(T, p)).alpha, (y,), atol=1e-7)


def test_large_batches_are_moved_in_parts_as_one_by_one():
    g = Element.random(32, 3, 100, band=2, slope=0.3, generator=rng(12))
    data = st.BoundaryData(*(st.CircleField.random(32, 100, band=2, generator=rng(s)) for s in (13, 14)))
    whole, one = data.act(g), data[70].act(g[2, 70])
    assert whole.theta.shape == (3, 100, 32)
    assert (whole.theta[2, 70] - one.theta).abs().max() < 1e-12
    assert (whole.xi[2, 70] - one.xi).abs().max() < 1e-12
    assert apart((g @ g)[2, 70], g[2, 70] @ g[2, 70]) < 1e-13


def test_single_precision_stays_single():
    data = st.BoundaryData(torch.full((16,), -0.5), torch.zeros(16))
    element = Element.from_displacement(0.1 * torch.sin(st.circle(16, torch.float32)))
    assert data.act(element).theta.dtype == torch.float32 == element.inverse().h.dtype


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Element(lambda phi: phi + 1.5 * torch.sin(phi), n=64), "'f'"),
        (lambda: Element(lambda phi: 2 * phi, n=64), "'f'"),
        (lambda: Element(lambda phi: -phi, n=64), "'f'"),
        (lambda: Element(torch.zeros(64)), "'f'"),
        (lambda: Element(None, torch.ones(15)), "n"),
        (lambda: Element(st.circle(64), torch.ones(32, dtype=torch.float64)), "'alpha'"),
        (lambda: Element(st.circle(64) * (1 + 0j)), "'f'"),
        (lambda: Element.from_displacement(lambda phi: 1.5 * torch.sin(phi), n=64), "'h'"),
        (lambda: Element.identity(64) @ Element.identity(32), "'other'"),
        (lambda: Element.random(64, slope=1.5), "'slope'"),
        (lambda: Element.identity(64).adjoint(Vector(1, 0, n=32)), "'vector'"),
        (lambda: Vector(torch.ones(16), torch.ones(18)), "'Y'"),
        (lambda: Vector(torch.sin, torch.cos), "'T'"),
        (lambda: Vector(1, 0, n=16).bracket(Vector(1, 0, n=18)), "'other'"),
        (lambda: st.BMS3(15), "'n'"),
        (lambda: st.BMS3(32, band=9), "'band'"),
    ],
)
def test_refusals_name_the_argument(make, argument):
    with pytest.raises(ValueError, match=argument):
        make()
