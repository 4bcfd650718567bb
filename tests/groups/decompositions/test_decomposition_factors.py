"""Iwasawa, Cartan and triangular decompositions: factors, coordinates, densities and derivatives."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.groups import SL, SO, GLplus, Sp

D = torch.float64
LINEAR = [*(GLplus(n) for n in range(2, 7)), *(SL(n) for n in range(2, 7))]
FORMS = [
    Sp(2),
    Sp(4),
    Sp(4, ordering="interleaved"),
    Sp(6),
    SO(1, 1, connected=True),
    SO(1, 3, connected=True),
    SO(2, 3, connected=True),
    SO(3, 2, connected=True),
    SO(2, 2, connected=True),
    SO(3),
]
CASES = [(g, name) for g in LINEAR for name in ("iwasawa", "cartan", "ldu")] + [
    (g, n) for g in FORMS for n in ("iwasawa", "cartan")
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def elements(group, count: int, seed: int = 0, radius: float = 2.3) -> torch.Tensor:
    return group.decomposition("polar").points(count, window=radius, kind="random", generator=seeded(seed), dtype=D).elements


def in_adapted_basis(how, g: torch.Tensor) -> torch.Tensor:
    basis = how._structure.adapted
    return basis.mT @ g @ basis


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_factors_are_in_their_sets_and_go_round(group, name):
    how = group.decomposition(name)
    g = elements(group, 1000, radius=6.5)
    factors = how.split(g)
    size = g.flatten(1).norm(dim=1)
    error = (how.join(*factors) - g).flatten(1).norm(dim=1) / size
    # Elimination without exchange of rows grows with its factors.
    grown = math.prod(f.flatten(1).norm(dim=1) for f in factors) / size if name == "ldu" else 1.0
    assert float((error / grown).max()) < 1e-12
    one = torch.eye(group.n, dtype=D)
    turns = {"iwasawa": [factors[0]], "cartan": [factors[0], factors[2]], "ldu": []}[name]
    for turn in turns:
        assert float((turn @ turn.mT - one).abs().max()) < 1e-13
        assert bool(group.contains(turn, 1e-12).all())
    middle = in_adapted_basis(how, factors[1])
    assert float((middle - torch.diag_embed(middle.diagonal(dim1=1, dim2=2))).abs().amax((1, 2)).div(size).max()) < 1e-14
    if name == "iwasawa":
        assert bool((middle.diagonal(dim1=1, dim2=2) > 0).all())
        unipotent = in_adapted_basis(how, factors[2])
        assert torch.allclose(unipotent.tril(), one.expand_as(unipotent), atol=1e-12 * float(unipotent.abs().max()))
    if name == "ldu":
        assert torch.equal(factors[0].triu(), one.expand_as(g))
        assert torch.equal(factors[2].tril(), one.expand_as(g))
    if name == "cartan":
        h = how._structure.root_values(torch.einsum("rij,bij->br", how._structure.abelian, how.chamber(g)))
        assert bool((h > -1e-11).all())
        values = torch.linalg.svdvals(g)
        assert torch.allclose(
            in_adapted_basis(how, factors[1]).diagonal(dim1=1, dim2=2).sort(-1, descending=True).values, values, rtol=1e-9
        )


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_coordinates(group, name):
    how = group.decomposition(name)
    mild = 0.6 * torch.randn(50, how.dim, generator=seeded(), dtype=D)
    g = how.element(mild)
    assert bool(group.contains(g).all())
    found = how.coordinates(g)
    assert float((how.element(found) - g).abs().max()) < 1e-11
    if name != "cartan":
        again = how.coordinates(how.element(found))
        assert float((again - found).abs().max()) < 1e-11
        assert how.dim == group.dim


@pytest.mark.parametrize("group", [GLplus(2), SL(3), Sp(4), Sp(6), SO(1, 3, connected=True), SO(2, 3, connected=True)], ids=str)
def test_special_elements_have_a_cartan_decomposition(group):
    how = group.decomposition("cartan")
    one = group.identity(dtype=D)
    h = how._structure.abelian
    turns = how.compact.place(torch.rand(5, how.compact.uniforms, generator=seeded(), dtype=D))
    repeated = torch.linalg.matrix_exp(torch.stack([h[0] * 0.8, h.sum(0) * 0.5]))
    special = torch.cat([one[None], turns, turns[:2] @ repeated @ turns[2:4], turns[:1] @ repeated[:1]])
    k, a, right = how.split(special)
    assert float((k @ a @ right - special).abs().max()) < 1e-13
    assert bool(group.contains(k, 1e-12).all())
    assert bool(group.contains(right, 1e-12).all())
    assert float((in_adapted_basis(how, a) * (1 - one)).abs().max()) < 1e-14
    for shape in [(), (0,), (2, 2)]:
        batch = special[: math.prod(shape)].reshape(*shape, *one.shape)
        assert how.split(batch).left.shape == batch.shape
        assert how.log_density(batch).shape == shape


def test_the_bloch_messiah_form_of_two_modes():
    """Two-mode squeezing is two single-mode squeezers, of opposite signs, between balanced beam splitters."""
    r = 0.7
    g = torch.linalg.matrix_exp(
        r * torch.block_diag(torch.tensor([[0, 1.0], [1, 0]]), torch.tensor([[0, -1.0], [-1, 0]])).to(D).expand(2, 4, 4)
    )[0]
    k, a, _ = Sp(4).decomposition("cartan").split(g)
    assert torch.allclose(a.diagonal(), torch.tensor([r, r, -r, -r], dtype=D).exp(), atol=1e-14)
    assert torch.allclose(k[:2, :2].abs() ** 2 + k[2:, :2].abs() ** 2, torch.full((2, 2), 0.5, dtype=D), atol=1e-13)


def test_a_boost_is_found():
    """A boost of rapidity 1.2 along (1, 2, 2) / 3 after a turn."""
    group = SO(1, 3, connected=True)
    axis = torch.tensor([1.0, 2.0, 2.0], dtype=D) / 3
    x = torch.zeros(4, 4, dtype=D)
    x[0, 1:] = x[1:, 0] = 1.2 * axis
    g = torch.linalg.matrix_exp(x.expand(2, 4, 4))[0]
    k, a, _ = group.decomposition("cartan").split(g)
    assert abs(float(a[0, 0]) - math.cosh(1.2)) < 1e-14
    assert torch.allclose(k[1:, 1], axis, atol=1e-14)


@pytest.mark.parametrize("group", [GLplus(2), SL(3), Sp(4), SO(1, 3, connected=True), SO(2, 3, connected=True)], ids=str)
def test_iwasawa_density_is_the_numerical_jacobian(group):
    _jacobian(group, "iwasawa")


@pytest.mark.parametrize("group", [GLplus(2), SL(3)], ids=str)
def test_triangular_density_is_the_numerical_jacobian(group):
    _jacobian(group, "ldu")


def _jacobian(group, name):
    """The density in coordinates, at a turn of zero: the determinant of the left-translated differential in an orthonormal basis of the
    algebra, where the compact part is measured as a probability."""
    how = group.decomposition(name)
    polar = group.decomposition("polar")
    algebra = torch.cat([polar.basis, polar.compact.basis / 2**0.5]).flatten(1)
    c = 0.3 * torch.randn(how.dim, generator=seeded(1), dtype=D)
    turns = how.compact.dim if name == "iwasawa" else 0
    c[:turns] = 0
    columns = torch.func.jacrev(how.element)(c)
    moved = torch.einsum("ij,jkd->dik", torch.linalg.inv(how.element(c)), columns)
    found = torch.linalg.slogdet(moved.flatten(1) @ algebra.mT).logabsdet
    # Coordinates of the turn have unit sqrt 2 in the inner product tr X^T Y; elsewhere the compact factor's volume is divided by.
    compact = polar.compact
    found = found - 0.5 * turns * math.log(2) if turns else found - compact.log_volume
    assert abs(float(how.log_density(how.element(c)) - found)) < 1e-10


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (GLplus(2), "iwasawa"),
        (SL(3), "iwasawa"),
        (Sp(4), "iwasawa"),
        (SO(1, 3, connected=True), "iwasawa"),
        (SL(2), "ldu"),
        (GLplus(3), "ldu"),
    ],
    ids=str,
)
def test_derivatives(group, name):
    how = group.decomposition(name)
    at = [torch.zeros(how.dim, dtype=D), 0.4 * torch.randn(how.dim, generator=seeded(), dtype=D)]
    for c in at if group.n < 4 else at[:1]:
        c.requires_grad_()
        for f in (
            lambda c: how.split(how.element(c)),
            lambda c: how.log_density(how.element(c)),
            lambda c: how.coordinates(how.element(c)),
        ):
            assert torch.autograd.gradcheck(f, (c,), fast_mode=True)
            assert torch.autograd.gradgradcheck(f, (c,), fast_mode=True)


@pytest.mark.parametrize("group", [GLplus(2), SL(3), Sp(4), SO(1, 3, connected=True), SO(2, 3, connected=True)], ids=str)
def test_derivatives_of_the_cartan_decomposition(group):
    how, polar = group.decomposition("cartan"), group.decomposition("polar")
    c = polar.coordinates(elements(group, 1, 3)[0]).requires_grad_()
    functions = [lambda c: how.log_density(polar.element(c)), lambda c: how.chamber(polar.element(c))]
    if group != SO(1, 3, connected=True):  # there, turns about the boost are left open
        functions.append(lambda c: how.split(polar.element(c)))
    for f in functions:
        assert torch.autograd.gradcheck(f, (c,), fast_mode=True)
        assert torch.autograd.gradgradcheck(f, (c,), fast_mode=True)
    # What does not depend on the choice of k has derivatives also where roots vanish.
    one = torch.zeros(polar.dim, dtype=D, requires_grad=True)
    found = torch.autograd.grad(how.join(*how.split(polar.element(one))).sum(), one)[0]
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize(("group", "name"), [(GLplus(3), n) for n in ("iwasawa", "cartan", "ldu")] + [(Sp(4), "cartan")], ids=str)
def test_vmap_and_compile(group, name):
    how = group.decomposition(name)
    g = how.element(0.3 * torch.randn(3, how.dim, generator=seeded(), dtype=D))
    for f in [lambda g: how.split(g)[1], how.log_density]:
        assert torch.allclose(torch.func.vmap(f)(g), f(g), atol=1e-12)
        assert torch.allclose(torch.compile(f, fullgraph=True, backend="aot_eager")(g), f(g), atol=1e-12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.allclose(how.split(g.float())[1], how.split(g)[1].float(), atol=1e-4)


def test_bad_input_is_named():
    how = GLplus(2).decomposition("ldu")
    with pytest.raises(ArgumentError, match=r"argument 'g'.*minor 1 zero at \[1\]"):
        how.split(torch.stack([torch.eye(2), torch.tensor([[0.0, -1.0], [1.0, 0.0]])]))
    with pytest.raises(ArgumentError, match=r"argument 'g'.*positive leading minors"):
        how.coordinates(-torch.eye(2))
    with pytest.raises(ArgumentError, match=r"argument 'name'.*GL\+\(n\) and SL\(n\)"):
        Sp(2).decomposition("ldu")
    with pytest.raises(ArgumentError, match=r"argument 'c'"):
        SL(2).decomposition("cartan").element(torch.zeros(2))
