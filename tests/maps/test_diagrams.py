"""Diagrams as values: text, composition, transposition, products, and their matrices."""

import random
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.maps import Axis, Diagram, Space, diagrams
from erlangen.maps.diagrams import matrix, symplectic_sign
from erlangen.maps.diagrams.inner import inner, orbit_matrix
from erlangen.maps.epsilon import alternating_tensor, alternation, signed_permutations


def spaces(group, *orders):
    return [Space((Axis(group),) * k) for k in orders]


def power(group, k, *, twisted=False):
    return Space((Axis(group),) * k, frozenset([0]) if twisted else frozenset())


@st.composite
def partition_diagrams(draw, most=7):
    size = draw(st.integers(0, most))
    labels = draw(st.lists(st.integers(0, size), min_size=size, max_size=size))
    blocks = [[v for v in range(size) if labels[v] == c] for c in set(labels)]
    top = draw(st.integers(0, size))
    return Diagram.of(top, size - top, blocks)


@given(partition_diagrams())
def test_text_round_trip(d):
    assert Diagram.parse(str(d), d.top) == d
    assert d.transpose().transpose() == d
    assert hash(Diagram.parse(str(d), d.top)) == hash(d)


@given(partition_diagrams(4), partition_diagrams(4))
def test_tensor_is_the_kronecker_product(a, b):
    n = 2

    def matrix_of(d):
        return matrix(d, power(er.Symmetric(n), d.bottom), power(er.Symmetric(n), d.top))

    assert torch.equal(matrix_of(a.tensor(b)), torch.kron(matrix_of(a), matrix_of(b)))
    assert torch.equal(matrix_of(a.transpose()), matrix_of(a).T)


def test_heads_survive_text_and_transposition():
    d = Diagram.parse("1*|2 5|3*|4*", top=2)
    assert (d.heads, d.crossing, str(d)) == (((0, 2, 3),), 1, "1*|2 5|3*|4*")
    assert Diagram.parse("J:1 3|2", top=1).transpose().heads == ((0, 1),)
    assert str(Diagram.parse("J:1 3|2", top=1)) == "J:1 3|2"


def test_partition_algebra():
    rng = random.Random(0)
    for _ in range(200):
        n, l, m, k = rng.choice([2, 3, 4]), *(rng.randint(0, 3) for _ in range(3))
        a, b = rng.choice(diagrams(*spaces(er.Symmetric(9), m, l))), rng.choice(diagrams(*spaces(er.Symmetric(9), k, m)))
        closed, product = a.compose(b)
        upper, middle, lower = spaces(er.Symmetric(n), l, m, k)
        assert torch.equal(matrix(a, middle, upper) @ matrix(b, lower, middle), n**closed * matrix(product, lower, upper))


@pytest.mark.parametrize("symplectic", [False, True])
def test_brauer_algebra(symplectic):
    rng = random.Random(1)
    for _ in range(200):
        n = rng.choice([2, 4]) if symplectic else rng.choice([2, 3, 4])
        group = er.Sp(n) if symplectic else er.O(n)
        l, m, k = rng.choice([(2, 2, 2), (1, 3, 1), (3, 1, 3), (2, 2, 0), (0, 2, 2), (3, 3, 1), (1, 1, 3), (3, 3, 3)])
        upper, middle, lower = spaces(group, l, m, k)
        a = rng.choice(diagrams(middle, upper, spanning=True))
        b = rng.choice(diagrams(lower, middle, spanning=True))
        closed, product = a.compose(b)
        sign = symplectic_sign(a, b) if symplectic else 1
        left = matrix(a, middle, upper) @ matrix(b, lower, middle)
        assert torch.equal(left, sign * n**closed * matrix(product, lower, upper))


def test_signs_of_named_products():
    cup_cap, swap = Diagram.parse("1 2|3 4", top=2), Diagram.parse("1 4|2 3", top=2)
    assert cup_cap.compose(cup_cap) == (1, cup_cap)
    assert symplectic_sign(cup_cap, cup_cap) == 1
    assert symplectic_sign(cup_cap, swap) == symplectic_sign(swap, cup_cap) == -1


def test_orbit_basis_is_integral_and_inverts():
    for k, l in ((2, 2), (3, 2), (3, 3)):
        source, target = spaces(er.Symmetric(7), k, l)
        listed = diagrams(source, target)
        change = orbit_matrix(listed, source, target)
        assert torch.equal(change, change.round())
        back = torch.linalg.inv(change).round()
        assert torch.equal(change @ back, torch.eye(len(listed), dtype=torch.float64))
        assert bool(((back >= 0) & (back <= 1)).all())  # a diagram is the sum of coarser orbits


def test_orbit_elements_are_disjoint_zero_one_matrices():
    for group, k, l in ((er.Symmetric(3), 2, 2), (er.Symmetric(2), 2, 1), (er.Alternating(3), 1, 2), (er.Alternating(4), 2, 2)):
        source, target = spaces(group, k, l)
        listed = diagrams(source, target)
        stacked = torch.stack([matrix(d, source, target).double() for d in listed])
        orbits = torch.tensordot(orbit_matrix(listed, source, target), stacked, 1)
        assert torch.equal(orbits, orbits.round())
        assert torch.equal(orbits.sum(0), torch.ones_like(orbits[0]))
        assert bool((orbits >= 0).all())


@pytest.mark.parametrize("group", [er.Symmetric(3), er.Alternating(4), er.O(3), er.SO(3), er.SO(1, 2), er.Sp(4)], ids=str)
def test_inner_products_are_those_of_the_matrices(group):
    generator = torch.Generator().manual_seed(0)
    source, target = spaces(group, 2, 2)
    m = torch.randn(2, target.dim, source.dim, generator=generator, dtype=torch.float64)
    for d in diagrams(source, target):
        expected = (matrix(d, source, target) * m).sum((-2, -1))
        torch.testing.assert_close(inner(d, source, target, m), expected)


def test_gram_matrices_by_counting():
    source, target = spaces(er.Sp(4), 2, 2)
    stacked = torch.stack([matrix(d, source, target) for d in diagrams(source, target)]).flatten(1)
    by_text = {str(d): i for i, d in enumerate(diagrams(source, target))}
    order = [by_text[t] for t in ("1 3|2 4", "1 4|2 3", "1 2|3 4")]
    gram = (stacked @ stacked.T)[order][:, order]
    assert gram.diagonal().tolist() == [16, 16, 16]
    assert sorted(gram[0, 1:].abs().tolist()) == [4, 4]
    n, (source, target) = 5, spaces(er.Symmetric(5), 2, 1)
    listed = diagrams(source, target)
    stacked = torch.stack([matrix(d, source, target) for d in listed])
    for i, a in enumerate(listed):
        for j, b in enumerate(listed):
            joined = Diagram.of(0, 3, a.blocks).transpose()
            closed, rest = Diagram.of(0, 3, b.blocks).compose(joined)
            assert not rest.blocks
            assert int((stacked[i] * stacked[j]).sum()) == n**closed


def test_alternating_tensor():
    assert alternating_tensor(3, 3)[1, 2, 0] == 1
    assert alternating_tensor(2, 1).tolist() == [1, -1]
    permutations, signs = signed_permutations(4)
    dets = torch.linalg.det(torch.eye(4)[permutations])
    assert torch.equal(signs.double(), dets.double().round())
    with pytest.raises(ArgumentError, match="n! = 39916800"):
        alternating_tensor(11, 11)


@pytest.mark.parametrize(
    ("n", "shared", "new", "legs"), [(4, 1, 1, 2), (4, 1, 1, 1), (5, 2, 1, 1), (6, 0, 3, 3), (6, 1, 2, 2), (3, 0, 0, 3)]
)
def test_alternation_is_the_dense_contraction(n, shared, new, legs):
    head = alternation(n, shared, new, legs)
    x = torch.randn(2, n ** (shared + legs), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    eps = alternating_tensor(n, shared + new + legs).double()
    letters = "abcdefg"
    s, u, b = letters[:shared], letters[shared : shared + new], letters[shared + new : shared + new + legs]
    y = torch.einsum(f"{s}{u}{b},z{s}{b}->z{s}{u}", eps, x.reshape(2, *(n,) * (shared + legs)))
    torch.testing.assert_close(head(x), y.flatten(1) if shared + new else y[:, None])
    first, second = head.sums
    torch.testing.assert_close(second(first(x)), head(x))


def test_drawing_is_an_image_with_a_title():
    for text, top in (("1 2|3 4", 2), ("J:1 2|3|4", 2), ("1*|2 5|3*|4*", 2), ("", 0)):
        root = ElementTree.fromstring(Diagram.parse(text, top).svg())
        assert root.find("{*}title").text == (text or None)
        assert len(root.findall(".//{*}circle")) == Diagram.parse(text, top).size


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Diagram(1, 1, ((0,),)), "blocks"),
        (lambda: Diagram(1, 1, ((1,), (0,))), "blocks"),
        (lambda: Diagram(-1, 1, ()), "top"),
        (lambda: Diagram(1, 1.0, ((0,), (1,))), "bottom"),
        (lambda: Diagram(1, 1, ((0,), (1,)), ((2,),)), "heads"),
        (lambda: Diagram.parse("1 two", top=1), "text"),
        (lambda: Diagram.parse("1|3", top=1), "blocks"),
        (lambda: Diagram.parse("1 2|3 4", top=2).compose(Diagram.parse("1 2", top=1)), "other"),
    ],
)
def test_bad_input(build, argument):
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        build()


def test_products_of_heads_are_refused_with_a_way_out():
    head = Diagram.parse("J:1|2|3", top=1)
    with pytest.raises(UnsupportedError, match="coefficients"):
        head.compose(head.transpose())
