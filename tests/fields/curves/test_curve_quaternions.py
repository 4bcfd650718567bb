"""Rank four in whole numbers: maximal orders, one left ideal for each supersingular curve, minimal degrees and the index."""

import heapq
import random
from collections import Counter
from fractions import Fraction
from itertools import product

import pytest
from sympy import primerange

from erlangen.errors import ArgumentError
from erlangen.fields.curves import Curve
from erlangen.fields.curves.engine import pari
from erlangen.fields.curves.quaternions import Algebra, QuaternionLattice
from erlangen.fields.curves.supersingular import (
    left_classes,
    left_ideals,
    mass,
    quaternion_homs,
    quaternion_index_theorem,
    quaternion_min_degree,
)


def test_minimal_degrees_below_200():
    """Acceptance 11: the least degree between two different curves is at most sqrt(p/2); all curves are there by Eichler's mass."""
    largest = (0.0, 0)
    for p in primerange(2, 200):
        classes = left_classes(p)
        assert mass(classes) == Fraction(p - 1, 24)
        for i, I1 in enumerate(classes):
            for I2 in classes[:i]:
                least = quaternion_min_degree(I1, I2)
                assert 2 * least**2 <= p
                assert quaternion_min_degree(I2, I1) == least
                largest = max(largest, (least / p**0.5, p))
    assert largest[1] == 179
    assert abs(largest[0] - 9 / 179**0.5) < 1e-12


@pytest.mark.parametrize("p", [11, 37])
def test_index_is_the_degree_squared(p):
    """Acceptance 11: between all pairs of curves, the shortest isogenies and random ones."""
    rng = random.Random(p)
    classes = left_classes(p)
    for I1, I2 in product(classes, classes):
        homs = quaternion_homs(I2, I1)
        betas = [homs.shortest()[1]]
        for _ in range(4):
            k = [rng.randint(-3, 3) for _ in range(4)]
            betas.append(tuple(sum((a * v[c] for a, v in zip(k, homs.basis)), Fraction(0)) for c in range(4)))
        for beta in betas:
            if any(beta):
                verdict = quaternion_index_theorem(I1, I2, beta)
                assert verdict, verdict
                assert verdict["index"] == verdict["degree"] ** 2


@pytest.mark.parametrize("p", [37, 61, 179])
def test_minimal_degrees_beside_a_search_on_curves(p):
    """All supersingular curves over the field of p^2 elements by PARI, and the cheapest ways between them along prime isogenies: the same
    degrees, as often. Nothing is shared with the quaternions. (9 at p = 179.)"""
    PARI = pari()
    one = PARI.ffgen(PARI.ffinit(p, 2, "'a")) ** 0
    modular = {ell: PARI.polmodular(ell) for ell in (2, 3, 5, 7)}

    def around(j, ell):
        # coefficients as elements of the large field, also where j lies in the small one
        poly = PARI.Pol([c if c.type() == "t_FFELT" else int(c) * one for c in modular[ell].subst("x", j).Vec()], "y")
        return [-f.polcoef(0) / f.polcoef(1) for f in poly.factor()[0] if f.poldegree() == 1]

    start = next(
        j
        for j in range(2, p)
        if j != 1728 % p and Curve(p, [3 * j * pow(1728 - j, -1, p), 2 * j * pow(1728 - j, -1, p)]).trace == 0
    )
    queue, arrows = [start * one], {}
    for j in queue:
        for ell in modular:
            arrows[str(j), ell] = [str(k) for k in around(j, ell)]
            queue += [k for k in around(j, ell) if str(k) not in {str(i) for i in queue}]
    found = Counter()
    names = {str(j) for j in queue}
    for name in names:
        cost, heap = {name: 1}, [(1, name)]
        while heap:
            c, here = heapq.heappop(heap)
            for ell in modular if c == cost[here] else ():
                for there in arrows[here, ell]:
                    if c * ell < cost.get(there, c * ell + 1):
                        cost[there] = c * ell
                        heapq.heappush(heap, (c * ell, there))
        found.update(c for there, c in cost.items() if there != name)
    classes = left_classes(p)
    assert len(classes) == len(names)
    assert found == Counter(quaternion_min_degree(a, b) for a in classes for b in classes if a is not b)


def test_multiplication_is_associative_and_norms_multiply():
    rng = random.Random(0)
    for p in (2, 11, 37, 73):
        A = Algebra(p)
        x, y, z = ([rng.randint(-5, 5) for _ in range(4)] for _ in range(3))
        assert A.multiply(A.multiply(x, y), z) == A.multiply(x, A.multiply(y, z))
        assert A.norm(A.multiply(x, y)) == A.norm(x) * A.norm(y)


def test_left_ideals_of_prime_norm():
    order = Algebra(37).maximal_order
    for ell in (2, 3, 5):
        ideals = left_ideals(order, ell)
        assert len(set(ideals)) == ell + 1
        for ideal in ideals:
            assert ideal.norm == ell
            assert order.index(ideal) == ell**2
            assert ideal.left_order() == order
            right = ideal.right_order()
            assert right * right == right
            assert right.discriminant == 37**2
            assert ideal * right == ideal


def test_shortest_beside_going_through_a_box():
    for ideal in left_classes(53):
        value, element = ideal.shortest()
        rows = [k for k in product(range(-2, 3), repeat=4) if any(k)]
        box = [[sum(a * v[c] for a, v in zip(k, ideal.basis)) for c in range(4)] for k in rows]
        assert value <= min(ideal.algebra.norm(x) for x in box) / ideal.norm
        assert ideal.algebra.norm(element) == value * ideal.norm


def test_refusals_of_quaternions_name_the_argument():
    with pytest.raises(ArgumentError) as caught:
        Algebra(15)
    assert caught.value.argument == "p"
    with pytest.raises(ArgumentError) as caught:
        QuaternionLattice.spanned(Algebra(11), [(1, 0, 0, 0), (0, 1, 0, 0)])
    assert caught.value.argument == "numbers"
    I1, I2 = left_classes(11)
    with pytest.raises(ArgumentError) as caught:
        quaternion_index_theorem(I1, I2, (0, 0, 0, 0))
    assert caught.value.argument == "x"
