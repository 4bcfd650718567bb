"""The space of equivariant maps: against the null space, against group averages, named operations, and bad input."""

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.maps import Axis, Diagram, EquivariantMaps, LinearMaps, Space, diagrams
from erlangen.maps.diagrams import matrix
from erlangen.maps.numeric import numeric_basis
from erlangen.maps.typed_axes import spaces_of

D = torch.float64


def maps(group, k, l, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EquivariantMaps(group.vector**k, group.vector**l, **options)


def sample(group, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return group.sample(count, generator=generator, dtype=D)


def matrices(rep, g):
    return rep.matrix(g).to(D)


GROUPS = [
    *(er.Symmetric(n) for n in (1, 2, 3, 4)),
    *(er.Alternating(n) for n in (1, 2, 3, 4, 5)),
    *(er.O(n) for n in (1, 2, 3, 4)),
    *(er.SO(n) for n in (2, 3, 4)),
    *(er.Sp(n) for n in (2, 4)),
    er.Sp(4, ordering="interleaved"),
    er.O(1, 1),
    er.O(1, 3),
    er.SO(1, 2),
    er.SO(2, 2),
]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_closed_form_spans_the_null_space(group):
    """Every closed-form basis is independent and equals the numeric null space, for all small cases."""
    n = group.element_shape[0]
    for k, l in itertools.product(range(5), range(5)):
        if n ** (k + l) > 800 or k + l > 6:
            continue
        found = maps(group, k, l)
        verdict = found.verify()
        assert verdict, (k, l, verdict)
        stacked = found.basis().flatten(1)
        assert not len(stacked) or int(torch.linalg.matrix_rank(stacked, rtol=1e-8)) == found.dim


@pytest.mark.parametrize("group", [er.Symmetric(3), er.Symmetric(4), er.O(2), er.O(3), er.O(1, 2)], ids=str)
def test_twisted_maps_span_the_null_space(group):
    V, s = group.vector, group.pseudoscalar
    for k, l in ((1, 1), (2, 1), (2, 2), (3, 1), (0, 3), (3, 0)):
        assert EquivariantMaps(V**k, V**l @ s).verify()
        assert EquivariantMaps(V**k @ s, V**l @ s).dim == EquivariantMaps(V**k, V**l).dim


@pytest.mark.parametrize(("group", "size"), [(er.SO(3), 9), (er.SO(2), 8), (er.O(3), 8), (er.SO(4), 6)], ids=str)
def test_independent_sets_have_full_rank(group, size):
    n = group.element_shape[0]
    space = Space((Axis(group),) * size)
    stacked = torch.stack([matrix(d, space, Space()).flatten() for d in diagrams(space, Space())]).to(torch.float32)
    assert stacked.shape == (maps(group, size, 0).dim, n**size)
    gram = (stacked @ stacked.T).double()
    assert int(torch.linalg.matrix_rank(gram, rtol=1e-9)) == len(stacked)


@pytest.mark.parametrize("group", [er.O(3), er.SO(3), er.SO(2), er.Sp(2)], ids=str)
def test_spanning_sets_span_no_more(group):
    k, l = (3, 3) if group == er.SO(3) else (2, 4)
    spanning = maps(group, k, l, basis="spanning")
    assert spanning.verify()
    assert int(torch.linalg.matrix_rank(spanning.basis().flatten(1), rtol=1e-8)) == maps(group, k, l).dim


@pytest.mark.parametrize("group", [er.Symmetric(4), er.Alternating(5), er.O(3), er.SO(3), er.Sp(4), er.O(1, 3), er.SO(5)], ids=str)
def test_equivariance_of_every_basis_element(group):
    n = group.element_shape[0]
    g = sample(group, 24 if group == er.Symmetric(4) else 50)
    if group == er.Symmetric(4):
        g = group.elements()
    V = group.vector
    for k, l in ((1, 1), (2, 2), (2, 1), (3, 1), (1, 2), (3, 3), (0, 4)):
        if n ** (k + l) > 4100:
            continue
        basis = maps(group, k, l).basis()
        if not len(basis):
            continue
        left = torch.einsum("gab,kbc->gkac", matrices(V**l, g), basis)
        right = torch.einsum("kab,gbc->gkac", basis, matrices(V**k, g))
        scale = left.flatten(2).norm(dim=-1).clamp_min(1)
        assert float(((left - right).flatten(2).norm(dim=-1) / scale).max()) <= 1e-12


@st.composite
def cases(draw):
    group = draw(
        st.sampled_from([er.Symmetric(3), er.Symmetric(5), er.Alternating(4), er.O(3), er.SO(3), er.SO(2), er.Sp(4), er.SO(1, 2)])
    )
    return (
        group,
        draw(st.integers(0, 3)),
        draw(st.integers(0, 2)),
        draw(st.sampled_from(["sum", "sqrt", "mean"])),
        draw(st.integers(0, 99)),
    )


@settings(max_examples=60, deadline=None)
@given(cases())
def test_contraction_is_the_matrix(case):
    group, k, l, normalize, seed = case
    generator = torch.Generator().manual_seed(seed)
    V = group.vector
    source, target = V**k + 2 * V, V**l + group.scalar
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contracted, dense = (EquivariantMaps(source, target, normalize=normalize, strategy=s) for s in ("contract", "dense"))
        plain = EquivariantMaps(source, target)
    weights = torch.randn(plain.dim, 3, 2, generator=generator, dtype=D)
    x = torch.randn(4, 2, source.dim, generator=generator, dtype=D)
    torch.testing.assert_close(contracted(weights, x), dense(weights, x), rtol=1e-12, atol=1e-12)
    if normalize == "sum":
        expected = torch.einsum("koi,kab,zib->zoa", weights, plain.basis(), x)
        torch.testing.assert_close(contracted(weights, x), expected, rtol=1e-12, atol=1e-12)


def test_direct_sums_interleaved_and_inside_products():
    V = er.Symmetric(3).vector
    one = V.group.scalar
    for source, target in ((V + one + V, one + V**2 + one), ((V + one) @ V, V @ (one + V)), (V @ (V + 2 * one), V)):
        assert EquivariantMaps(source, target).verify()


def test_projection_is_the_average_over_the_group():
    generator = torch.Generator().manual_seed(0)
    for group in (er.Symmetric(4), er.Alternating(4), er.Alternating(5), er.Alternating(3)):
        V = group.vector
        for k, l in ((1, 1), (2, 1), (2, 2)):
            m = torch.randn(V.dim**l, V.dim**k, generator=generator, dtype=D)
            g = group.elements()
            average = torch.einsum("gab,bc,gdc->ad", matrices(V**l, g), m, matrices(V**k, g)) / len(g)
            for basis in ("diagram", "orbit"):
                found = maps(group, k, l, basis=basis).project(m)
                torch.testing.assert_close(found, average, rtol=1e-12, atol=1e-12)


def test_coefficients_find_what_was_put_in():
    generator = torch.Generator().manual_seed(0)
    for group, k, l in ((er.Symmetric(5), 2, 2), (er.SO(3), 2, 3), (er.Sp(4), 2, 2), (er.Dihedral(4), 1, 1)):
        found = maps(group, k, l)
        weights = torch.randn(found.dim, generator=generator, dtype=D)
        back, distance = found.coefficients(found.matrix(weights))
        torch.testing.assert_close(back, weights, rtol=1e-9, atol=1e-9)
        assert distance < 1e-12
    _, distance = maps(er.SO(3), 1, 1).coefficients(torch.diag(torch.tensor([1.0, -1.0, 0.0])))
    assert distance == pytest.approx(1)


def test_products_of_jellyfish_stay_in_the_algebra():
    found = maps(er.Alternating(4), 2, 2)
    basis = found.basis()
    for i, j in ((15, 16), (18, 21), (21, 21), (3, 20)):
        assert found.coefficients(basis[i] @ basis[j])[1] < 1e-12


# ---- named operations ----


def test_the_fifteen_operations_on_matrices():
    n = 5
    x = torch.randn(n, n, generator=torch.Generator().manual_seed(0), dtype=D)
    one, eye = torch.ones(n, dtype=D), torch.eye(n, dtype=D)
    r, c, d, t, s = x.sum(1), x.sum(0), x.diagonal(), x.diagonal().sum(), x.sum()
    # Output axes are 1 and 2, input axes 3 and 4.
    named = {
        "1 3|2 4": x, "1 4|2 3": x.T, "1 2 3 4": d.diag(), "1 2 3|4": r.diag(), "1 2 4|3": c.diag(), "1 2|3 4": t * eye,
        "1 2|3|4": s * eye, "1 3|2|4": torch.outer(r, one), "1|2 3|4": torch.outer(one, r), "1 4|2|3": torch.outer(c, one),
        "1|2 4|3": torch.outer(one, c), "1 3 4|2": torch.outer(d, one), "1|2 3 4": torch.outer(one, d),
        "1|2|3 4": t * torch.outer(one, one), "1|2|3|4": s * torch.outer(one, one),
    }  # fmt: skip
    found = maps(er.Symmetric(n), 2, 2)
    assert set(found.labels) == set(named)
    for label, expected in named.items():
        weights = torch.tensor([float(name == label) for name in found.labels], dtype=D)
        torch.testing.assert_close(found(weights, x.flatten()).reshape(n, n), expected)


def test_small_symmetric_cases():
    assert maps(er.Symmetric(3), 2, 2).dim == 14
    assert maps(er.Symmetric(4), 2, 2).dim == 15
    assert maps(er.Symmetric(2), 2, 3).dim == 16
    assert maps(er.Symmetric(2), 3, 3).dim == 32
    assert maps(er.Symmetric(3), 0, 0).dim == 1
    assert maps(er.Symmetric(1), 3, 2).dim == 1
    assert maps(er.Symmetric(6), 1, 1).labels == ("1 2", "1|2")


def test_alternating_cases():
    basis = maps(er.Alternating(3), 1, 1).basis()
    expected = [torch.eye(3, dtype=D), torch.ones(3, 3, dtype=D), torch.tensor([[0, 1, -1], [-1, 0, 1], [1, -1, 0]], dtype=D)]
    assert all(any(torch.equal(b, e) or torch.equal(b, -e) for b in basis) for e in expected)
    assert maps(er.Alternating(2), 1, 1).dim == 4
    assert maps(er.Alternating(4), 1, 2).dim == 6
    labels = maps(er.Alternating(4), 2, 2).labels
    assert [label.startswith("J:") for label in labels] == [False] * 15 + [True] * 7
    e = torch.eye(4, dtype=D)
    four = maps(er.Alternating(4), 3, 0)
    weights = torch.tensor([float(label == "J:1|2|3") for label in four.labels], dtype=D)
    for indices, value in (((0, 1, 2), 1), ((1, 0, 2), -1), ((0, 0, 1), 0), ((1, 2, 3), -1)):
        x = torch.einsum("a,b,c->abc", *(e[i] for i in indices)).flatten()
        assert float(four(weights, x)) == value
    three = maps(er.Alternating(3), 3, 0)
    weights = torch.tensor([float(label == "J:1|2|3") for label in three.labels], dtype=D)
    a = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=D)
    torch.testing.assert_close(three(weights, torch.einsum("a,b,c->abc", *a).flatten())[0], torch.linalg.det(a))


def test_jellyfish_change_sign_under_odd_permutations_exactly():
    for n in (3, 4, 5):
        found = maps(er.Alternating(n), 2, 2 if n < 5 else 1)
        V = er.Symmetric(n).vector
        transposition = torch.tensor([1, 0, *range(2, n)])
        cycles = torch.stack([torch.tensor([1, i, *[0 if j == i else j for j in range(2, n)]]) for i in range(2, n)])
        left, right = (matrices(V ** (2 if n < 5 else 1), transposition), matrices(V**2, transposition))
        for label, b in zip(found.labels, found.basis()):
            assert torch.equal(left @ b, (-1 if label.startswith("J") else 1) * b @ right)
            for cycle in cycles:
                assert torch.equal(matrices(V ** (2 if n < 5 else 1), cycle) @ b, b @ matrices(V**2, cycle))


def test_too_few_axes_give_the_symmetric_maps_and_say_so():
    with pytest.warns(UserWarning, match="jellyfish need 5 axes") as caught:
        alternating = EquivariantMaps(er.Alternating(6).vector ** 2, er.Alternating(6).vector ** 2)
    assert len(caught) == 1
    assert torch.equal(alternating.basis(), maps(er.Symmetric(6), 2, 2).basis())


def test_signed_fields_compose_to_maps_of_the_whole_symmetric_group():
    group = er.Symmetric(4)
    even, odd = group.vector, group.vector @ group.pseudoscalar
    there, back = EquivariantMaps(even**2, odd), EquivariantMaps(odd, even)
    assert (there.dim, back.dim) == (1, 0)
    back = EquivariantMaps(odd, even**2)
    generator = torch.Generator().manual_seed(0)
    b = back.matrix(torch.randn(back.dim, generator=generator, dtype=D)) @ there.matrix(torch.ones(1, dtype=D))
    for g in group.elements():
        torch.testing.assert_close(matrices(even**2, g) @ b, b @ matrices(even**2, g), rtol=0, atol=1e-12)


def test_orthogonal_and_symplectic_operations():
    n = 4
    x = torch.randn(n, n, generator=torch.Generator().manual_seed(0), dtype=D)
    found = maps(er.O(n), 2, 2)
    named = {"1 3|2 4": x, "1 4|2 3": x.T, "1 2|3 4": x.trace() * torch.eye(n, dtype=D)}
    for group in (er.Sp(n), er.Sp(n, ordering="interleaved")):
        omega = group.form
        symplectic = {**named, "1 2|3 4": (omega * x).sum() * omega}
        other = maps(group, 2, 2)
        assert other.dim == 3
        for label, expected in symplectic.items():
            weights = torch.tensor([float(name == label) for name in other.labels], dtype=D)
            torch.testing.assert_close(other(weights, x.flatten()).reshape(n, n), expected)
    interleaved = er.Sp(n, ordering="interleaved").form
    assert float((interleaved * x).sum()) == pytest.approx(sum(float(x[2 * i, 2 * i + 1] - x[2 * i + 1, 2 * i]) for i in range(2)))
    for label, expected in named.items():
        weights = torch.tensor([float(name == label) for name in found.labels], dtype=D)
        torch.testing.assert_close(found(weights, x.flatten()).reshape(n, n), expected)


def test_orderings_of_phase_space_have_the_same_invariants():
    block, interleaved = er.Sp(4), er.Sp(4, ordering="interleaved")
    order = torch.tensor([0, 2, 1, 3])
    g = sample(block, 3)
    assert bool(interleaved.contains(g[:, order][:, :, order]).all())
    x = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=D)
    a = maps(block, 2, 0)(torch.ones(1, dtype=D), x.flatten())
    b = maps(interleaved, 2, 0)(torch.ones(1, dtype=D), x[order][:, order].flatten())
    torch.testing.assert_close(a, b)
    er.testing.check_group(interleaved)


def test_rotation_operations():
    generator = torch.Generator().manual_seed(0)
    x, v = torch.randn(3, 3, generator=generator, dtype=D), torch.randn(3, generator=generator, dtype=D)
    eps = torch.zeros(3, 3, 3, dtype=D)
    for i, j, k in itertools.permutations(range(3)):
        eps[i, j, k] = (j - i) * (k - i) * (k - j) / 2
    one = torch.ones(1, dtype=D)
    cross = maps(er.SO(3), 2, 1)
    assert cross.dim == 1
    torch.testing.assert_close(cross(one, x.flatten()), torch.einsum("ijk,jk->i", eps, x))
    torch.testing.assert_close(maps(er.SO(3), 0, 3)(one, one).reshape(3, 3, 3), eps)
    torch.testing.assert_close(maps(er.SO(3), 1, 2)(one, v).reshape(3, 3), torch.einsum("ijk,k->ij", eps, v))
    plane = maps(er.SO(2), 1, 1)
    assert plane.dim == 2
    assert {tuple(b.flatten().tolist()) for b in plane.basis()} == {(1, 0, 0, 1), (0, 1, -1, 0)}
    for n in (2, 3, 4):
        found = maps(er.SO(n), n, 0)
        weights = torch.tensor([float(label.startswith("J")) for label in found.labels], dtype=D)
        vectors = torch.randn(n, n, generator=generator, dtype=D)
        product = vectors[0]
        for vector in vectors[1:]:
            product = (product[:, None] * vector).flatten()
        torch.testing.assert_close(found(weights, product)[0], torch.linalg.det(vectors))


def test_cross_product_is_a_pseudovector():
    group = er.O(3)
    V, P = group.vector, group.vector @ group.pseudoscalar
    assert EquivariantMaps(V @ V, V).dim == 0
    cross = EquivariantMaps(V @ V, P)
    assert cross.dim == 1
    a, b = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=D)
    torch.testing.assert_close(cross(torch.ones(1, dtype=D), torch.outer(a, b).flatten()), torch.linalg.cross(a, b))
    torch.testing.assert_close(P(-torch.eye(3, dtype=D)), torch.eye(3, dtype=D))


def test_dimensions_agree_with_clebsch_gordan():
    """Of SO(3): multiplicities of spins in tensor powers by the triangle rule, sums of products of two of them."""
    powers = [{0: 1}]
    for _ in range(4):
        after = {}
        for j, count in powers[-1].items():
            for total in range(abs(j - 1), j + 2):
                after[total] = after.get(total, 0) + count
        powers.append(after)
    for k, l in itertools.product(range(5), range(4)):
        expected = sum(count * powers[l].get(j, 0) for j, count in powers[k].items())
        assert maps(er.SO(3), k, l).dim == expected
    assert [maps(er.Sp(2), k, k).dim for k in range(5)] == [1, 1, 2, 5, 14]
    assert maps(er.Sp(4), 3, 3).dim == 14
    assert numeric_basis(er.Sp(4).vector ** 3, er.Sp(4).vector ** 3).dim == 14


def test_products_of_groups_have_products_of_maps():
    S, O3 = er.Symmetric(4), er.O(3)
    G = S * O3
    points = G.lift(0, S.vector) @ G.lift(1, O3.vector)
    found = EquivariantMaps(points, points)
    assert (found.dim, found.has_diagrams) == (2, True)
    assert found.verify()
    A = er.Alternating(3) * er.Symmetric(3)
    mixed = A.lift(0, er.Alternating(3).vector) @ A.lift(1, er.Symmetric(3).vector)
    assert EquivariantMaps(mixed, mixed).dim == 6
    assert EquivariantMaps(mixed, mixed).verify()


def test_exact_arithmetic_on_request():
    V = er.Dihedral(4).vector
    found = EquivariantMaps(V**2, V, basis="rational")
    assert torch.equal(found.basis(), found.basis().round())
    assert found.verify()


def test_axes_too_large_for_heads_are_refused():
    V = er.O(11).vector
    assert EquivariantMaps(V**6, V**5 @ V.group.pseudoscalar).dim == 1
    with pytest.raises(ArgumentError, match="n! = 39916800"):
        EquivariantMaps(V**6, V**5 @ V.group.pseudoscalar).prepare()


def test_no_maps_give_zero():
    V = er.O(3).vector
    nothing = EquivariantMaps(V, V**2)
    assert nothing.dim == 0
    assert torch.equal(nothing(torch.zeros(0), torch.ones(2, 3)), torch.zeros(2, 9))
    assert nothing.project(torch.ones(9, 3)).abs().max() == 0


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: EquivariantMaps(er.SO(3).vector, er.O(3).vector), "target"),
        (lambda: EquivariantMaps("V", er.O(3).vector), "source"),
        (lambda: EquivariantMaps(er.O(3).vector, er.O(3).vector, basis="fourier"), "basis"),
        (lambda: EquivariantMaps(er.O(3).vector, er.O(3).vector, basis="orbit").basis(), "basis"),
        (lambda: EquivariantMaps(er.Dihedral(3).vector, er.Dihedral(3).vector, basis="spanning"), "basis"),
        (lambda: EquivariantMaps(er.Symmetric(3).vector, er.Symmetric(3).vector, basis="orbit", normalize="mean"), "normalize"),
        (lambda: EquivariantMaps(er.O(3).vector, er.O(3).vector, strategy="fast"), "strategy"),
        (lambda: EquivariantMaps(er.O(3).vector, er.O(3).vector)(torch.zeros(2), torch.zeros(3)), "weights"),
        (lambda: EquivariantMaps(er.O(3).vector, er.O(3).vector)(torch.zeros(1), torch.zeros(4)), "x"),
        (lambda: EquivariantMaps(er.O(3).vector, er.O(3).vector).coefficients(torch.zeros(2, 3)), "matrix"),
        (lambda: maps(er.O(2), 3, 3, max_diagrams=14).basis(), "max_diagrams"),
        (lambda: maps(er.O(8), 8, 8).basis(), "basis"),  # two million matrices that no memory holds
        (lambda: maps(er.O(2), 8, 8).basis(), "basis"),
        (lambda: er.Sp(3), "n"),
        (lambda: er.Sp(4, ordering="pq"), "ordering"),
        (lambda: er.Symmetric(3).vector ** -1, "k"),
        (lambda: er.Symmetric(0), "n"),
    ],
)
def test_bad_input(build, argument):
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        build()


def test_linear_maps_name_what_is_wrong():
    h = Axis(er.Symmetric(4), "h")
    linear = LinearMaps([Space((h, h))], [Space((h,))])
    good = {(0, 0): torch.zeros(5, 2, 3)}
    with pytest.raises(ArgumentError, match=r"xs\[0\].*C, 4, 4"):
        linear.apply(good, [torch.zeros(3, 4, 5)])
    with pytest.raises(ArgumentError, match=r"weights\[0, 0\].*\[5, C_out, 3\]"):
        linear.apply({(0, 0): torch.zeros(4, 2, 3)}, [torch.zeros(3, 4, 4)])
    with pytest.raises(ArgumentError, match="xs"):
        linear.apply(good, [])
    with pytest.raises(ArgumentError, match="normalize"):
        LinearMaps([Space((h,))], [Space((h,))], "max")


def test_which_representations_are_tensors():
    assert spaces_of(er.SO(2, axis="z").vector) is None
    assert spaces_of(er.Cyclic(4).regular) is None
    G = er.Symmetric(3)
    (space,) = spaces_of(G.vector @ G.pseudoscalar @ G.vector @ G.pseudoscalar)
    assert space == Space((Axis(G), Axis(G)))
    assert math.prod(space.shape) == space.dim == 9
    assert Diagram.parse("1|2", top=1) in diagrams(Space((Axis(G),)), Space((Axis(G),)))
