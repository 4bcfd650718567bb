"""The link of both ends: unique, equivariant, and what it conserves."""

import math

import pytest
import torch

import erlangen as er
from erlangen.fields import spacetime as st

Vector, Data, Element = st.BMS3Vector, st.BoundaryData, st.BMS3Element


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_link_is_the_only_map():
    verdict = st.link_is_unique()
    assert verdict.holds
    assert verdict.how == "exact"
    assert verdict.tried == 12
    proof = verdict.witness
    assert str(proof.u) == "v"
    assert str(proof.angle) == "phi + pi"
    assert proof.free["all"] == 0
    assert all(proof.free[some] > 0 for some in proof.free if some != "all")


@pytest.mark.parametrize("theta", [-1.0, -0.4, 0.7])
def test_charges_are_conserved_in_every_orbit(theta):
    n = 128
    past = Data(theta, 0.3, "past", n=n).act(Element.random(n, 100, band=6, slope=0.5, generator=rng(1)))
    vectors = Vector.random(n, 100, generator=rng(2))
    future = st.link(past)
    verdict = st.conserved(past, future, vectors)
    assert verdict.holds
    assert verdict["worst"] <= 1e-12
    g = Element.random(n, 100, band=3, slope=0.3, generator=rng(3))
    both = st.conserved(past.act(st.link_element(g)), future.act(g), vectors)
    assert both["worst"] <= 1e-12
    assert (future.energy - past.energy).abs().max() < 1e-12
    straight = Data(past.theta, past.xi, "future")  # the control: no antipode
    phi = st.circle(n)
    gap = straight.charge(torch.cos(phi), 0) - past.charge(st.link_generator(Vector(torch.cos(phi), 0)))
    assert gap.abs().max() > 0.01  # a vacuum in motion has little momentum; see the next test for a body's
    turned = Vector(0 * phi, torch.cos(phi))
    assert (straight.charge(turned) - past.charge(st.link_generator(turned))).abs().max() > 0.2
    even = straight.charge(torch.cos(2 * phi), 0) - past.charge(st.link_generator(Vector(torch.cos(2 * phi), 0)))
    assert even.abs().max() < 1e-11  # which even modes alone do not see
    assert not st.conserved(past, straight, vectors)


def test_without_the_antipode_a_moving_body_breaks_the_law():
    past = Data(8.0, 0.3, "past", n=64).act(Element.boost(0.5, 64))
    cosine = Vector(torch.cos, 0, n=64)
    gap = Data(past.theta, past.xi, "future").charge(cosine) - past.charge(st.link_generator(cosine))
    assert abs(float(gap)) == pytest.approx(2 * 9 / 8 * math.sinh(0.5), abs=1e-12)  # twice the momentum, 1.17


def test_linking_commutes_with_the_group_and_is_its_own_inverse():
    n = 128
    past = Data(-0.4, 0.3, "past", n=n).act(Element.random(n, band=3, generator=rng(4)))
    g = Element.random(n, 3, band=3, slope=0.3, generator=rng(5))
    a, b = st.link(past.act(g)), st.link(past).act(st.link_element(g))
    assert (a.theta - b.theta).abs().max() < 1e-12
    assert (a.xi - b.xi).abs().max() < 1e-11
    again = st.link(st.link(past))
    assert again.end == "past"
    assert torch.equal(again.theta, past.theta)
    assert torch.equal(again.xi, past.xi)
    vector = Vector.random(n, generator=rng(6))
    assert torch.equal(st.link_generator(st.link_generator(vector)).T, vector.T)
    x = Vector.random(64, generator=rng(7))
    y = Vector.random(64, generator=rng(8))
    assert (st.link_generator(x.bracket(y)).T - st.link_generator(x).bracket(st.link_generator(y)).T).abs().max() < 1e-12


def test_isometries_of_both_ends_are_linked():
    future, past = st.isometries(32, "future"), st.isometries(32, "past")
    for name in future:
        linked = st.link_generator(past[name])
        assert (linked.T - future[name].T).abs().max() < 1e-14
        assert (linked.Y - future[name].Y).abs().max() < 1e-14


def test_the_core_audits_the_link():
    group = st.BMS3(96)
    x = st.OnData(group).example(4, generator=rng(9), dtype=torch.float64)
    assert er.equivariance_error(st.link_values, x, st.OnData(group), st.OnLinked(group)).holds
    control = er.equivariance_error(lambda data: data, x, st.OnData(group), st.OnLinked(group))
    assert not control.holds
    assert control["worst"] > 0.1
    trace = er.equivariance_error(
        lambda data: st.monodromy(data[..., 0, :]).diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True),
        x,
        st.OnData(group),
        group.scalar,
    )
    assert trace.holds


@pytest.mark.parametrize("end", ["past", "future"])
def test_the_conditions_by_hand_at_special_points(end):
    """The proof takes v and tan(phi / 2) for unknowns: here are points it may leave out, by numbers. Two past ends: the identity."""
    import sympy as sp

    h, c, s, *slopes = unknowns = sp.symbols("h c s h_v h_phi k_v k_phi")

    def isometries(sign, x, y):
        return [(1, 0, 0), (-sign * x, 0, 0), (-sign * y, 0, 0), (0, 1, 0), (0, -sign * y, -sign * x), (0, sign * x, -sign * y)]

    sign = -1 if end == "past" else 1
    for x, y in ((1, 0), (-1, 0), (0, 1), (sp.Rational(-3, 5), sp.Rational(4, 5))):
        for v in (0, -2):
            found = [c**2 + s**2 - 1]
            for (lift, turn, slope), (to_lift, to_turn, to_slope) in zip(isometries(sign, x, y), isometries(1, c, s)):
                speed = lift + v * slope
                found += [
                    speed * slopes[0] + turn * slopes[1] - to_lift - h * to_slope,
                    speed * slopes[2] + turn * slopes[3] - to_turn,
                ]
            basis = sp.groebner([one for one in map(sp.expand, found) if one != 0], *unknowns, order="grevlex")
            (solution,) = sp.linsolve(basis.exprs, unknowns)
            assert all(sp.Poly(p, *unknowns).total_degree() == 1 for p in basis.exprs)
            assert solution == (v, sign * x, sign * y, 1, 0, 0, 1)


def boosted_directions(rapidity, axis, angles, time_sign):
    """Where a boost of Minkowski space takes null directions: of the light that ends at I+ (or begins at I-, seen as directions)."""
    c, s = math.cosh(rapidity), math.sinh(rapidity)
    t = torch.full_like(angles, time_sign)
    x, y = torch.cos(angles), torch.sin(angles)
    along, across = x * math.cos(axis) + y * math.sin(axis), -x * math.sin(axis) + y * math.cos(axis)
    t, along = c * t + s * along, c * along + s * t
    return torch.atan2(across, along) + axis, t


@pytest.mark.parametrize("end", ["future", "past"])
def test_boosts_of_explicit_null_vectors(end):
    """A point of I+ in direction phi is where light with momentum (1, cos phi, sin phi) ends; one of I- in direction phi is where
    light comes from that runs opposite, so that the null vector from the origin to it is (-1, cos phi, sin phi)."""
    n, rapidity = 64, 0.6
    phi = st.circle(n)
    moved, _ = boosted_directions(rapidity, 0.0, phi, 1.0 if end == "future" else -1.0)
    # A point moves by the boost, and data are pulled back. At I+ light piles up forwards, at I- backwards.
    name = st.isometries(n, end)["boost x"]
    element = Element.exp(name, rapidity)
    wrapped = torch.atan2(torch.sin(moved - element.f), torch.cos(moved - element.f))
    assert wrapped.abs().max() < 1e-12
    closed = Element.boost(-rapidity if end == "future" else rapidity, n)
    assert (element.h - closed.h).abs().max() < 1e-12
    linked = st.link_element(Element.exp(st.isometries(n, "past")["boost x"], rapidity))
    future = Element.exp(st.isometries(n, "future")["boost x"], rapidity)
    assert (linked.h - future.h).abs().max() < 1e-12


@pytest.mark.parametrize("part", ["flat", "killing", "algebra", "central charges", "zero modes", "matter"])
def test_every_formula_is_derived(part):
    verdict = st.derive(part)
    assert verdict.holds, verdict
    assert verdict.how == "exact"
    if part == "central charges":
        assert str(verdict.witness["c_M"]) == "3/G"
        assert verdict.witness["c_L"] == 0
    if part == "flat":
        assert verdict.witness != 0  # what the wrong sign leaves


def test_refusals_of_the_link():
    past = Data(-1, 0, "past", n=16)
    with pytest.raises(ValueError, match="'data'"):
        st.link(torch.ones(16))
    with pytest.raises(ValueError, match="'future'"):
        st.conserved(past, past, Vector(1, 0, n=16))
    future = st.link(past)
    with pytest.raises(ValueError, match="'vectors'"):
        st.conserved(past, future, Vector(torch.zeros(0, 16), 0))
    with pytest.raises(ValueError, match="'future'"):
        st.conserved(past, Data(-1, 0, "future", 2.0, n=16), Vector(1, 0, n=16))
    with pytest.raises(ValueError, match="'part'"):
        st.derive("all")
