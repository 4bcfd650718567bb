"""The class group on curves: axioms, the toy of 419, graphs, large primes."""

import random

import networkx
import pytest
import torch
from sympy import sqrt_mod

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.fields import curves
from erlangen.fields.curves import Curve, Form, Ideal, curves_with_trace
from erlangen.fields.curves.class_groups import check_modulus
from erlangen.fields.curves.large_class_groups import large_class_group
from erlangen.fields.curves.orders import kronecker

TOY = [0, 158, 410, 368, 404, 75]


def test_the_toys_orbits():
    """Acceptance 6: lengths 27, 9, 27 and the beginning; [7] = [3]^5 and [5] = [3]^12, in forms and on curves."""
    E = Curve.montgomery(419, 0)
    for ell, length in ((3, 27), (5, 9), (7, 27)):
        way = curves.walk(E, [(ell, 1)] * length)
        assert way[-1] == E
        assert len(set(way)) == length
    action = curves.class_group_action(E)
    assert [F.montgomery_coefficient for F in action.orbit(E)[:6]] == TOY
    three = curves.walk(E, [(3, 1)] * 12)
    assert curves.walk(E, [(7, 1)])[-1] == three[4]
    assert curves.walk(E, [(5, 1)])[-1] == three[11]
    order = E.endomorphism_order()
    for form in (Form(3, 2, 140), Form(5, 2, 84), Form(7, 2, 60)):
        ideal = Ideal.of_form(order, form)
        assert action.act_ideal(ideal, E) == curves.walk(E, [(form.a, 1)])[-1] == curves.ideal_isogeny(E, ideal).codomain


@pytest.mark.parametrize(
    ("p", "trace"),
    [
        (67, 4),
        (103, 4),
        (109, 6),
        (113, -2),
        (199, 0),
        (419, 0),
        (1009, 10),
        (131, 5),
        (61, -1),
        (37, 2),
        (5, 0),
        (7, 0),
        (7, 1),
        (11, 0),
    ],
)
def test_axioms_on_every_order_of_an_isogeny_class(p, trace):
    """Acceptance 7: identity, compatibility, freeness, transitivity for all class groups of a census."""
    every = curves_with_trace(p, trace)
    for order in {E.endomorphism_order() for E in every}:
        E = next(E for E in every if E.endomorphism_order() == order)
        if order.class_number > 30:
            continue
        action = curves.class_group_action(E)
        er.testing.check_action(action, E)
        verdict = action.is_torsor()
        assert verdict, verdict
        assert verdict["curves"] == order.class_number
        assert len(action.stabilizer(E)) == 1
        points = action.points()
        assert points.is_transitive
        assert points.dim == order.class_number
        graph = points.schreier_graph()
        assert graph.shape == (len(action.group.generators) * points.dim, 3)


def test_ideals_act_as_their_classes():
    rng = random.Random(2)
    E = Curve.montgomery(419, 0)
    action = curves.class_group_action(E)
    order = action.order
    for _ in range(12):
        ideal = Ideal.of_norm(order, rng.choice([9, 15, 21, 35, 45, 105, 17]) if rng.random() < 0.9 else 1)
        for one in ideal[:2]:
            if one.is_invertible:
                assert curves.ideal_isogeny(E, one).codomain == action.act_ideal(one, E)


def test_class_between_and_representatives():
    E = Curve.montgomery(419, 0)
    action = curves.class_group_action(E)
    for g in action.group.elements()[::5]:
        F = action.act(g, E)
        assert curves.class_between(E, F) == action.classes.form(g)
        assert action.representative(F)[0] == action.representative(E)[0]


def test_graph_and_pictures():
    action = curves.class_group_action(Curve.montgomery(419, 0))
    graph = action.graph((3, 5, 7))
    assert isinstance(graph, networkx.MultiDiGraph)
    assert graph.number_of_edges() == 81
    assert networkx.is_strongly_connected(graph)
    drawn = curves.draw_graph(graph, "toy", "A")
    assert [len(t["x"]) for t in drawn.as_dict()["traces"]] == [81, 81, 81, 27]
    found = curves.volcano(Curve(67, j=33, trace=4), 2)
    assert found.depth == 1
    assert found.counts() == {(0, 0): 8, (0, 1): 4, (1, 0): 4}
    drawn = curves.draw_volcano(found)
    assert drawn.plotly_figure.layout.yaxis.ticktext == ("conductor 6", "conductor 3")


def test_64_bits_commute_and_go_back():
    """Any prime, no class group: random products of prime ideals commute, and the conjugates lead back."""
    p = 2**64 - 59
    E = Curve(p, (3, 12345))
    D = E.trace**2 - 4 * p
    letters = []
    for ell in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31):
        if kronecker(D, ell) == 1:
            root = sqrt_mod(D % ell, ell)
            letters.append((ell, (E.trace + root) * pow(2, -1, ell) % ell))
    rng = random.Random(0)
    a, b = ([rng.choice(letters) for _ in range(4)] for _ in range(2))
    there, other = curves.walk(E, a + b)[-1], curves.walk(E, b + a)[-1]
    assert there == other != E
    assert curves.walk(there, [(ell, E.trace - lam) for ell, lam in reversed(a + b)])[-1] == E
    assert Curve(p, there.a).trace == E.trace


@pytest.mark.parametrize("D", [-3299, -1676, -336, -4 * 5 * 7 * 11 * 13, -12451])
def test_large_class_groups_beside_listed_ones(D):
    """PARI's structure and discrete logarithms, against groups that are listed: forms, elements, words."""
    order = curves.Order.of_discriminant(D)
    large, listed = large_class_group(order, 1), curves.class_group(order)
    assert large.group.invariant_factors == listed.group.invariant_factors
    for g in listed.group.elements()[::3]:
        form = listed.form(g)
        h = large.element(form)
        assert large.form(h) == form
        product = Form.principal(D)
        for (ell, b), k in large.word(h).items():
            product = product * Form.of(ell, b, D) ** k
        assert product.reduced() == form


def test_the_action_at_64_bits():
    """2 034 407 288 classes; elements are residues, words are short, and (g h) E = g (h E)."""
    action = curves.class_group_action(Curve(2**64 - 59, (3, 12345)))
    E, group = action.curve, action.group
    assert group.order == 2_034_407_288
    g, h = (group.sample(generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert sum(map(abs, action.classes.word(g).values())) < 60
    assert action.act(group.multiply(g, h), E) == action.act(g, action.act(h, E))


def test_classes_beyond_64_bits_are_refused_by_name():
    with pytest.raises(UnsupportedError, match="cyclic factor"):
        check_modulus([2**62 + 1])


@pytest.mark.slow
def test_a_field_of_128_bits_has_too_many_classes():
    """6 831 359 746 819 776 767 classes: beyond 2^62, below 2^63, where residues of the core would still fit but not their sums."""
    with pytest.raises(UnsupportedError, match=r"cyclic factor of order 6831359746819776767 .* curves\.walk"):
        curves.class_group(curves.Order(-(2**128 - 173)))


def test_opposite_eigenvalues_are_told_by_y():
    """Where the trace vanishes modulo ell, lam and -lam have the same x^p: every pair of ideals of such primes, there and back."""
    tried = 0
    for p in (67, 103, 419, 1009, 2003):
        for b in range(1, 12):
            E = Curve(p, (2, b))
            for ell in (5, 7, 11, 13):
                D = E.trace**2 - 4 * p
                if E.trace % ell or kronecker(D, ell) != 1:
                    continue
                lam = int(sqrt_mod(-p % ell, ell))
                if lam in (1, ell - 1):
                    continue
                tried += 1
                assert curves.walk(E, [(ell, lam), (ell, -lam)])[-1] == E
                F = curves.walk(E, [(ell, lam)])[-1]
                assert Curve(p, F.a).trace == E.trace
    assert tried >= 5


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda action: action.act(torch.tensor([1]), Curve(419, (1, 1))), "x"),
        (lambda action: action.act(torch.tensor([1]), Curve(67, (1, 1))), "x"),
        (lambda action: action.act(torch.tensor([1]), 0), "x"),
        (lambda action: action.graph((2,)), "primes"),
        (lambda action: action.graph((9,)), "primes"),
        (lambda action: action.act(torch.tensor([[1], [2]]), action.curve), "g"),
        (lambda action: action.classes.form(torch.tensor([[1], [2]])), "g"),
        (lambda action: action.act_ideal("x", action.curve), "of"),
        (lambda action: action.graph((11,)), "ell"),
        (lambda action: action.act_ideal(Ideal.whole(curves.Order(-419)), action.curve), "of"),
    ],
)
def test_actions_refuse_by_name(call, argument):
    action = curves.class_group_action(Curve.montgomery(419, 0))
    with pytest.raises(ArgumentError) as caught:
        call(action)
    assert caught.value.argument == argument


def test_a_curve_on_another_level_is_refused():
    crater, floor = Curve(67, j=42, trace=4), Curve(67, j=14, trace=4)
    with pytest.raises(ArgumentError, match="f=2"):
        curves.class_group_action(crater).act(torch.tensor([0]), floor)
