"""Orders, ideals, forms, class groups, the index theorem and the degree form in whole numbers: PARI is not asked."""

import random
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.fields.curves.class_groups import class_group
from erlangen.fields.curves.forms import Form, count_reduced, reduced_forms
from erlangen.fields.curves.hom import degree, degree_form_of, homs, index_by_theorem, index_theorem
from erlangen.fields.curves.ideals import Ideal, Lattice, multiply, norm
from erlangen.fields.curves.orders import Order, split_discriminant


@pytest.fixture(autouse=True)
def _without_pari(monkeypatch):
    from erlangen.fields.curves import engine

    def refuse(*_):
        raise AssertionError("PARI was asked for")

    monkeypatch.setattr(engine, "engine", refuse)
    engine.pari.cache_clear()
    yield
    engine.pari.cache_clear()


def random_lattice(rng, d, largest_conductor=6):
    """An invertible lattice of a random conductor: an order times a random ideal class, moved by an element of the field."""
    order = Order(d, rng.randint(1, largest_conductor))
    base = Ideal.of_form(order, rng.choice(reduced_forms(order.discriminant))).lattice
    return base.scaled((Fraction(rng.randint(1, 9), rng.randint(1, 5)), Fraction(rng.randint(-9, 9), rng.randint(1, 5))))


def test_discriminants():
    assert split_discriminant(4**2 - 4 * 67) == (-7, 6)
    for D in range(-400, 0):
        if D % 4 in (0, 1):
            d, f = split_discriminant(D)
            assert d * f * f == D
            assert split_discriminant(d) == (d, 1)


def test_reduced_forms_of_each_order_are_as_many_as_its_class_number():
    for d in (-3, -4, -7, -8, -11, -23, -47, -71):
        for f in range(1, 13):
            order = Order(d, f)
            assert len(reduced_forms(order.discriminant)) == order.class_number == count_reduced(order.discriminant)


def test_forms_multiply_as_a_group_and_as_ideals():
    rng = random.Random(0)
    for D in (-23, -47, -63, -252, -1676, -3299, -4 * 3299, -84, -420):
        forms, one = reduced_forms(D), Form.principal(D).reduced()
        order = Order.of_discriminant(D)
        for _ in range(30):
            f, g, h = (rng.choice(forms) for _ in range(3))
            assert f * g == g * f
            assert (f * g) * h == f * (g * h)
            assert f * f.inverse() == one
            assert f * one == f
            product = Ideal.of_form(order, f) * Ideal.of_form(order, g)
            assert product.form == f * g
            assert product.norm == f.a * g.a


def test_the_form_of_an_ideal_is_that_of_its_norms():
    for D in (-63, -252, -1676):
        order = Order.of_discriminant(D)
        for form in reduced_forms(D):
            ideal = Ideal.of_form(order, form)
            x, y = ideal.lattice.basis
            taken = {
                norm(order.d, (a * x[0] + b * y[0], a * x[1] + b * y[1])) / ideal.norm
                for a in range(-4, 5)
                for b in range(-4, 5)
                if (a, b) != (0, 0)
            }
            assert {v for v in taken if v <= 20} <= form.values(20)
            assert ideal.form == form


def test_index_theorem_as_lattices():
    """Acceptance 3: 500 random cases without curves."""
    rng = random.Random(26)
    seen = set()
    for _ in range(500):
        d = rng.choice([-7, -8, -11, -15, -20, -23, -47])
        a1, a2 = random_lattice(rng, d), random_lattice(rng, d)
        x, y = homs(a2, a1).basis
        beta = None
        while beta is None or not any(beta):
            k, m = rng.randint(-3, 3), rng.randint(-3, 3)
            beta = (k * x[0] + m * y[0], k * x[1] + m * y[1])
        verdict = index_theorem(a1, a2, beta)
        assert verdict, verdict
        g = gcd(a1.order.f, a2.order.f)
        assert verdict["index"] == degree(beta, a2, a1) * a1.order.f / g
        seen.add((a1.order.f, a2.order.f))
    assert len(seen) > 25


def test_kernel_ideal_is_recovered_where_f1_divides_f2():
    """The lattice of E2/E2[I] is a2 I^-1; it is that of E1 exactly where f1 divides f2, else #E2[I] = deg f1/g."""
    rng = random.Random(3)
    for _ in range(200):
        a1, a2 = random_lattice(rng, -23), random_lattice(rng, -23)
        beta = homs(a2, a1).basis[1]
        ideal = Ideal(a2.order, homs(a1, a2).scaled(beta))
        f1, f2 = a1.order.f, a2.order.f
        assert ideal.norm == degree(beta, a2, a1) * f1 // gcd(f1, f2)
        assert (ideal.norm == degree(beta, a2, a1)) == (f2 % f1 == 0)


def test_degrees_are_l_over_g_times_a_primitive_form():
    rng = random.Random(5)
    for _ in range(200):
        a1, a2 = random_lattice(rng, -23), random_lattice(rng, -23)
        f1, f2 = a1.order.f, a2.order.f
        hom = homs(a1, a2)
        assert hom.order == Order(-23, gcd(f1, f2))
        form = degree_form_of(a1.order, a2.order, hom.form)
        assert form.factor == lcm(f1, f2) // gcd(f1, f2)
        x, y = hom.basis
        small = {
            degree((k * x[0] + m * y[0], k * x[1] + m * y[1]), a1, a2)
            for k in range(-3, 4)
            for m in range(-3, 4)
            if (k, m) != (0, 0)
        }
        assert {v for v in small if v <= 2000} <= form.values(2000)
        assert min(form.values(2000)) == form.minimum <= form.bound


def test_reduced_forms_of_discriminant_63():
    """Acceptance 9."""
    assert reduced_forms(-63) == [Form(1, 1, 16), Form(2, -1, 8), Form(2, 1, 8), Form(4, 1, 4)]
    for f1, f2 in ((1, 6), (2, 3)):
        assert degree_form_of(Order(-7, f1), Order(-7, f2), Form(1, 1, 2)).factor == 6


def test_class_group_of_the_toy():
    toy = class_group(Order.of_frobenius(419, 0))
    three, five, seven = Form(3, 2, 140), Form(5, 2, 84), Form(7, 2, 60)
    assert str(toy.group) == "Z/27"
    assert {f.discriminant for f in (three, five, seven)} == {-1676}
    assert seven.reduced() == three**7 * three**-2 == three**5
    assert five.reduced() == three**12
    for form, order in ((three, 27), (five, 9), (seven, 27)):
        assert min(k for k in range(1, 28) if (form**k).is_principal) == order
    assert toy.element(three).tolist() == [1]


@pytest.mark.parametrize("D", [-252, -63, -84, -420, -3299, -4 * 5 * 7 * 11, -23 * 9, -1676])
def test_class_groups_are_homomorphic_images_of_forms(D):
    """Z/27 x Z/3 (-3299), Z/2 x Z/2 (-84) and others: elements, forms and words agree."""
    order = Order.of_discriminant(D)
    classes = class_group(order)
    group, forms = classes.group, reduced_forms(D)
    assert group.order == len(forms)
    er.testing.check_group(group)
    rng = random.Random(1)
    for _ in range(20):
        f, g = rng.choice(forms), rng.choice(forms)
        assert torch.equal(classes.element(f * g), group.multiply(classes.element(f), classes.element(g)))
    for g in group.elements():
        form = classes.form(g)
        assert torch.equal(classes.element(form), g)
        product = Form.principal(D)
        for (ell, b), k in classes.word(g).items():
            product = product * Form.of(ell, b, D) ** k
        assert product.reduced() == form


def test_ideals_that_are_not_invertible():
    order = Order(-7, 6)
    for n in range(1, 21):
        for ideal in Ideal.of_norm(order, n):
            assert ideal.norm == n
            assert order <= ideal.multipliers
            colon = ideal.lattice.colon(ideal.lattice)
            assert colon == Lattice.of_order(ideal.multipliers)
            inverse = Lattice.of_order(order).colon(ideal.lattice)
            assert ideal.is_invertible == ((ideal.lattice * inverse) == Lattice.of_order(order))


def test_smallest_endomorphism_beside_all_small_elements():
    for d, f in [(-7, 1), (-7, 2), (-4, 1), (-3, 2), (-8, 3), (-23, 5)]:
        order = Order(d, f)
        values = [norm(d, (x, y * f)) for x in range(-60, 61) for y in range(-3, 4) if y]
        assert min(values) == order.smallest_norm()


def test_multiplication_is_that_of_complex_numbers():
    rng = random.Random(0)
    for d in (-7, -8, -20):
        w = complex(d, (-d) ** 0.5) / 2
        x, y = [(rng.randint(-5, 5), rng.randint(-5, 5)) for _ in range(2)]
        z = multiply(d, x, y)
        assert abs((z[0] + z[1] * w) - (x[0] + x[1] * w) * (y[0] + y[1] * w)) < 1e-9


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: Order(-28), "d"),
        (lambda: Order(-7, True), "f"),
        (lambda: Form(1.0, 1.0, 2.0), "form"),
        (lambda: Form(np.int64(3), np.int64(2), np.int64(140)), "form"),  # its products would overflow
        (lambda: Form.of(0, 1, -7), "a"),
        (lambda: reduced_forms(-7.0), "D"),
        (lambda: Ideal.prime(Order(-7, 6), 9), "ell"),
        (lambda: Ideal.prime(Order(-419, 2), 15), "ell"),
        (lambda: Ideal.prime(Order(-7), 1), "ell"),
        (lambda: Ideal.prime(Order(-7), 0), "ell"),
        (lambda: Ideal.of_norm(Order(-7), 0), "n"),
        (lambda: Ideal.of_norm(Order(-7), -4), "n"),
        (lambda: Ideal.generated(Order(-7), [(0, 0)]), "numbers"),
        (lambda: Ideal.whole(Order(-7), 0), "numbers"),
        (lambda: homs(Lattice.of_order(Order(-8)), Lattice.of_order(Order(-7))), "other"),
        (lambda: Lattice.of_order(Order(-8)) * Lattice.of_order(Order(-7)), "other"),
        (lambda: Lattice.of_order(Order(-8)) + Lattice.of_order(Order(-7)), "other"),
        (lambda: Lattice.of_order(Order(-8)) & Lattice.of_order(Order(-7)), "other"),
        (lambda: Lattice.of_order(Order(-8)).index(Lattice.of_order(Order(-7))), "other"),
        (lambda: index_by_theorem(0, Order(-7), Order(-7)), "degree"),
        (lambda: class_group(-23), "order"),
        (lambda: class_group(Order(-23), avoiding=0), "avoiding"),  # once without end: every prime divides 0
        (lambda: Order(-7, 0), "f"),
        (lambda: split_discriminant(5), "D"),
        (lambda: Order.of_frobenius(67, 17), "trace"),
        (lambda: Form(1, 3, 2), "form"),
        (lambda: Form(1, 1, 2) * Form(1, 0, 1), "other"),
        (lambda: Form(2, 2, 4) * Form(2, 2, 4), "other"),
        (lambda: Form.of(3, 1, -1676), "b"),
        (lambda: Ideal.prime(Order(-7), 3), "ell"),
        (lambda: Ideal(Order(-7), Lattice.of_order(Order(-8))), "lattice"),
        (lambda: Ideal(Order(-7), Lattice.of_order(Order(-7, 2))), "lattice"),
        (lambda: Ideal.whole(Order(-7)) * Ideal.whole(Order(-7, 2)), "other"),
        (lambda: degree((0, 0), Lattice.of_order(Order(-7)), Lattice.of_order(Order(-7))), "x"),
        (lambda: class_group(Order(-7, 2)).element(Ideal.of_norm(Order(-7, 2), 2)[0]), "of"),
        (lambda: degree_form_of(Order(-7, 2), Order(-7, 3), Form(1, 1, 16)), "form"),
        (lambda: index_by_theorem(2, Order(-7), Order(-8)), "other"),
        (lambda: Order(-7, 2) & Order(-8), "other"),
    ],
)
def test_refusals_name_the_argument(call, argument):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == argument
