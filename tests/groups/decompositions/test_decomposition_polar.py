"""Polar and semidirect decompositions: factors, coordinates, densities, derivatives, points and bad input."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import SL, SO, GLplus, Isometries, Sp, matrix_log
from erlangen.groups.decompositions import Ball, Box, Normal

D = torch.float64
GROUPS = [
    *(GLplus(n) for n in range(1, 7)),
    *(SL(n) for n in range(2, 7)),
    Sp(2),
    Sp(4),
    Sp(4, ordering="interleaved"),
    Sp(6),
    SO(1, 1, connected=True),
    SO(1, 3, connected=True),
    SO(2, 3, connected=True),
    SO(3, 2, connected=True),
    SO(2, 2, connected=True),
    SO(2),
    SO(3),
    SO(5),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def elements(group, count: int, seed: int = 0, radius: float = 2.3) -> torch.Tensor:
    """Elements whose logarithmic stretch has at most this length: of condition up to e^(sqrt 2 radius)."""
    return group.decomposition("polar").points(count, window=radius, kind="random", generator=seeded(seed), dtype=D).elements


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_factors_and_coordinates_go_round(group):
    how = group.decomposition("polar")
    g = elements(group, 1000, radius=6.5)
    stretch, turn = how.split(g)
    size = g.flatten(1).norm(dim=1)
    assert float(((how.join(stretch, turn) - g).flatten(1).norm(dim=1) / size).max()) < 1e-12
    assert torch.equal(stretch, stretch.mT)
    assert bool((torch.linalg.eigvalsh(stretch) > 0).all())
    assert float((turn @ turn.mT - torch.eye(group.n, dtype=D)).abs().max()) < 1e-13
    assert bool(group.contains(turn, 1e-12).all())
    assert bool(group.contains(stretch).all())
    again = how.split(how.join(stretch, turn))
    cond = torch.linalg.cond(g)
    assert float(((again.turn - turn).flatten(1).norm(dim=1) / cond).max()) < 1e-14
    c = how.coordinates(g)
    assert c.shape == (len(g), group.dim)
    assert how.dim == group.dim
    assert float(((how.element(c) - g).flatten(1).norm(dim=1) / (size * cond)).max()) < 1e-14

    mild = how.coordinates(elements(group, 100, 1))
    assert float((how.coordinates(how.element(mild)) - mild).abs().max()) < 1e-12


@pytest.mark.parametrize("group", [GLplus(2), GLplus(3), SL(4), Sp(4), SO(1, 3, connected=True)], ids=str)
def test_special_elements_and_batches(group):
    how = group.decomposition("polar")
    one = group.identity(dtype=D)
    assert torch.equal(how.coordinates(one), torch.zeros(how.dim, dtype=D))
    g = elements(group, 6)
    for shape in [(), (0,), (2, 3)]:
        batch = g[0] if shape == () else g[: math.prod(shape)].reshape(*shape, *g.shape[1:])
        stretch, turn = how.split(batch)
        assert stretch.shape == turn.shape == batch.shape
        assert how.coordinates(batch).shape == (*shape, how.dim)
        assert how.log_density(batch).shape == shape
    if group.n % 2 == 0 and bool(group.contains(-one)) and not isinstance(group, SO):
        stretch, turn = how.split(-one)
        assert torch.equal(stretch, one)
        assert torch.equal(turn, -one)
        assert float((how.element(how.coordinates(-one)) + one).abs().max()) < 1e-12


def test_a_half_turn_of_the_unitary_group_is_in_its_algebra():
    how = Sp(4).decomposition("polar")
    g = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=D))
    c = how.coordinates(g)
    assert float((how.element(c) - g).abs().max()) < 1e-14
    near = Sp(4).exp(how.compact.basis[0] * 3.1 + how.compact.basis[1] * 0.01)
    assert float((how.element(how.coordinates(near)) - near).abs().max()) < 1e-12


def test_ill_conditioned_matrices_keep_their_digits():
    rng = seeded()
    for n in (2, 3, 5):
        turn = (
            GLplus(n)
            .decomposition("polar")
            .compact.place(torch.rand(2, 50, max(1, n * n if n > 3 else 2 * n - 3), generator=rng, dtype=D))
        )
        values = torch.logspace(0, -8, n, dtype=D)
        g = turn[0] * values @ turn[1]
        stretch, found = GLplus(n).decomposition("polar").split(g)
        assert float((stretch @ found - g).abs().max()) < 1e-9
        assert float((found @ found.mT - torch.eye(n, dtype=D)).abs().max()) < 1e-13


def test_matrices_far_from_one_in_size():
    """Determinants of 1e-400 and 1e400 are no numbers, the factors are."""
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=D)
    stretch = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=D)
    for n in (2, 3):
        g = torch.block_diag(stretch @ turn, torch.eye(n - 2, dtype=D))
        how = GLplus(n).decomposition("polar")
        for size in (1e-200, 1e200):
            c, moved = how.coordinates(g), how.coordinates(size * g)
            assert torch.allclose(how.split(size * g).turn, how.split(g).turn, atol=1e-14)
            assert torch.allclose(moved[:n], c[:n] + math.log(size), atol=1e-10)
            assert torch.allclose(moved[n:], c[n:], atol=1e-12)


def test_what_is_made_in_inference_mode_serves_training():
    with torch.inference_mode():
        how = SL(3).decomposition("polar")
    g = torch.eye(3, dtype=D, requires_grad=True)
    how.coordinates(g).sum().backward()
    assert g.grad is not None


def test_worked_examples():
    how = SL(2).decomposition("polar")
    x, turn = how.log_split(torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=D))
    entry = math.asinh(1) / math.sqrt(2)
    assert torch.allclose(x, torch.tensor([[entry, entry], [entry, -entry]], dtype=D), atol=1e-15)
    assert abs(entry - 0.623225) < 1e-6
    assert abs(float(how.compact.coordinates(turn)) + math.pi / 4) < 1e-15
    g = torch.tensor([[-1.0, 1.0], [0.0, -1.0]], dtype=D)
    x, turn = how.log_split(g)
    assert torch.allclose(torch.linalg.eigvalsh(x), torch.tensor([-0.481212, 0.481212], dtype=D), atol=1e-6)
    assert abs(float(how.compact.coordinates(turn)) + 2.677945) < 1e-6
    with pytest.raises(UnsupportedError):
        matrix_log(g)


def boost(p: int, q: int, *rapidities: float) -> torch.Tensor:
    x = torch.zeros(p + q, p + q, dtype=D)
    for i, r in enumerate(rapidities):
        x[i, p + i] = x[p + i, i] = r
    return torch.linalg.matrix_exp(x.expand(2, -1, -1))[0]


def test_worked_densities():
    cases = [
        (SL(3), torch.diag(torch.tensor([1.0, 0.0, -1.0], dtype=D).exp()), 2.504525),
        (Sp(4), torch.diag(torch.tensor([1.0, 0.5, -1.0, -0.5], dtype=D).exp()), 3.152838),
        (SO(1, 3, connected=True), boost(1, 3, 1.0), 1.381098),
        (SO(2, 3, connected=True), boost(2, 3, 1.0, 0.5), 1.811957),
    ]
    for group, g, value in cases:
        assert abs(float(group.decomposition("polar").log_density(g).exp()) - value) < 1e-6


@pytest.mark.parametrize(
    "group", [GLplus(2), GLplus(3), SL(3), SL(4), Sp(4), Sp(6), SO(1, 4, connected=True), SO(2, 4, connected=True)], ids=str
)
def test_density_is_the_product_over_roots_and_does_not_move_with_turns(group):
    how = group.decomposition("polar")
    structure = how._structure
    h = torch.randn(20, structure.rank, generator=seeded(), dtype=D)
    g = torch.linalg.matrix_exp(torch.einsum("br,rij->bij", h, structure.abelian))
    roots = structure.root_values(h)
    by_roots = (structure.multiplicities * (torch.sinh(roots) / roots).log()).sum(-1)
    assert torch.allclose(how.log_density(g), by_roots, atol=1e-10, rtol=1e-10)
    k = elements(group, 20)
    k = how.split(k).turn
    assert torch.allclose(how.log_density(k @ g @ k.mT), by_roots, atol=1e-10, rtol=1e-10)
    assert torch.allclose(how.log_density(g @ k), by_roots, atol=1e-10, rtol=1e-10)
    assert float(how.log_density(group.identity(dtype=D)).abs()) < 1e-14


@pytest.mark.parametrize("group", [GLplus(2), SL(3), Sp(4), SO(2, 3, connected=True)], ids=str)
def test_density_is_the_numerical_jacobian(group):
    """``(X, A) -> exp(X) exp(A)``: the left-translated differential at A = 0, over that of the identity, is J."""
    how = group.decomposition("polar")
    d = len(how.basis)
    c = torch.cat([how.coordinates(elements(group, 1)[0])[:d], torch.zeros(how.dim - d, dtype=D)])
    algebra = torch.cat([how.basis, how.compact.basis / 2**0.5]).flatten(1)

    def log_volume(at: torch.Tensor) -> torch.Tensor:
        columns = torch.func.jacrev(how.element)(at)
        moved = torch.einsum("ij,jkd->dik", torch.linalg.inv(how.element(at)), columns)
        return torch.linalg.slogdet(moved.flatten(1) @ algebra.mT).logabsdet

    expected = log_volume(c) - log_volume(torch.zeros_like(c))
    assert abs(float(how.log_density(how.element(c)) - expected)) < 1e-10


def test_an_integral_of_the_general_linear_group():
    """The integral of exp(-tr g^T g) det(g)^s is 2^(-n(n+1)/2) Gamma_n(s/2) in plain coordinates of X; here n = 2, s = 4."""
    how = GLplus(2).decomposition("polar")
    root = math.sqrt(2)  # between the plain and the orthonormal coordinate off the diagonal
    window = Box((-3.5, -3.5, -2.2 * root), (1.2, 1.2, 2.2 * root))
    points = how.points(2**15, window, generator=seeded(), dtype=D)
    g = points.elements
    value = (points.log_weights.exp() * (-g.square().sum((-2, -1))).exp() * torch.linalg.det(g) ** 4).mean() / root
    assert abs(float(value) / (math.pi / 16) - 1) < 5e-3


@pytest.mark.parametrize("group", [GLplus(2), SL(2), GLplus(3), Sp(4), SO(1, 3, connected=True)], ids=str)
def test_derivatives_also_where_singular_values_are_equal(group):
    how = group.decomposition("polar")
    turned = how.split(elements(group, 1)[0]).turn  # all singular values 1
    pair = torch.linalg.matrix_exp(0.4 * how.basis[:1])[0] @ turned
    for g in [turned, pair] if group.n < 4 else [turned]:
        c = how.coordinates(g).requires_grad_()
        functions = [
            lambda c: how.split(how.element(c)),
            lambda c: how.coordinates(how.element(c)),
            lambda c: how.log_density(how.element(c)),
        ]
        for f in functions:
            assert torch.autograd.gradcheck(f, (c,))
            assert torch.autograd.gradgradcheck(f, (c,), fast_mode=True)


@pytest.mark.parametrize("n", [2, 3])
def test_vmap_compile_and_half_precision(n):
    how = GLplus(n).decomposition("polar")
    g = elements(GLplus(n), 4)
    for f in [lambda g: how.split(g).stretch, how.coordinates, how.log_density]:
        assert torch.allclose(torch.func.vmap(f)(g), f(g), atol=1e-12)
        assert torch.allclose(torch.compile(f, fullgraph=True, backend="aot_eager")(g), f(g), atol=1e-12)
    hessian = torch.func.vmap(torch.func.jacrev(torch.func.jacrev(how.log_density)))(torch.eye(n, dtype=D).expand(2, n, n))
    assert bool(torch.isfinite(hessian).all())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert how.split(g.bfloat16()).stretch.dtype == torch.float32
        assert torch.allclose(how.split(g.float()).stretch, how.split(g).stretch.float(), atol=1e-5)
    assert torch.equal(how.coordinates(g.mT.contiguous().mT), how.coordinates(g))


def test_semidirect_and_the_modular_function():
    for group in [er.SE(2), er.SE(3), er.Affine(2), er.Affine(3), er.AffineGroup(SL(2))]:
        how = group.decomposition("semidirect")
        g = group.sample(50, generator=seeded(), dtype=D, scale=0.5)
        x, h = how.split(g)
        assert torch.equal(how.join(x, h), g)
        assert float((how.element(how.coordinates(g)) - g).abs().max()) < 1e-12
        a, b = g[:25], g[25:]
        assert torch.allclose(group.modular(a @ b), group.modular(a) * group.modular(b), rtol=1e-12)
        expected = how.linear.log_density(h) - torch.linalg.det(h).log()
        assert torch.allclose(how.log_density(g), expected, atol=1e-12)
    assert torch.allclose(er.SE(3).modular(er.SE(3).sample(5, dtype=D)), torch.ones(5, dtype=D))


def test_left_measure_of_the_affine_group_is_not_right_invariant():
    group = er.Affine(1)
    shift = group.element(torch.tensor([[1.4]], dtype=D), torch.tensor([0.3], dtype=D))

    def bump(g):
        return (-4 * g[:, 0, 0].log().square() - 2 * g[:, 0, 1].square()).exp()

    def integral(f):
        return group.integrate(f, Normal(0.8), 2**14, generator=seeded())

    value, error = integral(bump)
    left, left_error = integral(lambda g: bump(shift @ g))
    right, right_error = integral(lambda g: bump(g @ torch.linalg.inv(shift)))
    assert abs(float(left - value)) < 3 * float(left_error + error)
    # the integral of 1_A(g s^-1) is the measure of A s
    ratio = float(group.modular(shift))
    assert abs(float(right / value) - ratio) < 3 * float((right_error + error) / value)
    assert abs(ratio - 1 / 1.4) < 1e-12
    # exactly: int exp(-4 s^2 - s) ds int exp(-2 x^2) dx
    exact = math.sqrt(math.pi / 4) * math.exp(1 / 16) * math.sqrt(math.pi / 2)
    assert abs(float(value) - exact) < 3 * float(error)


def test_points_cover_their_window_and_a_grid_is_closed_under_its_rotations():
    how = SL(2).decomposition("polar")
    for kind in ("random", "sobol", "grid"):
        points = how.points(64, window=0.7, kind=kind, generator=seeded(), dtype=D)
        assert bool((how.log_split(points.elements).log_stretch.flatten(1).norm(dim=1) <= 0.7 + 1e-12).all())
        assert bool(SL(2).contains(points.elements).all())
        assert points.window == Ball(0.7)
        # weights: J over the density 1 / (pi rho^2)
        density = how.log_density(points.elements) + math.log(math.pi * 0.49)
        assert torch.allclose(points.log_weights, density, atol=1e-12)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=D)
    grid = how.points(24, window=0.7, kind="grid", angles=8, generator=seeded(), dtype=D).elements
    moved = (quarter @ grid).unsqueeze(1) - grid
    assert float(moved.abs().amax((-2, -1)).amin(1).max()) < 1e-15
    again = how.points(24, window=0.7, kind="grid", angles=8, generator=seeded(), dtype=D).elements
    assert torch.equal(grid, again)


def test_the_volume_of_a_ball_of_stretches():
    """int over |X| <= rho of sinh(2r)/(2r), r = |X| / sqrt 2: of SL(2), pi (cosh(sqrt 2 rho) - 1)."""
    value, error = SL(2).integrate(lambda g: torch.ones(len(g), dtype=D), 1.3, 4096, generator=seeded())
    exact = math.pi * (math.cosh(math.sqrt(2) * 1.3) - 1)
    assert abs(float(value) - exact) < 4 * float(error)
    assert float(error) < 2e-3 * exact


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        (lambda how: how.split(torch.stack([torch.eye(2), -torch.diag(torch.tensor([1.0, -1.0]))])), "g", "[1]"),
        (lambda how: how.split(torch.zeros(2, 2)), "g", "determinant 0"),
        (lambda how: how.split(torch.full((2, 2), math.nan)), "g", "NaN"),
        (lambda how: how.split(torch.ones(2, 3)), "g", "shape (2, 3)"),
        (lambda how: how.split(torch.eye(2, dtype=torch.complex64)), "g", "complex64"),
        (lambda how: how.split([[1.0, 0.0], [0.0, 1.0]]), "g", "list"),
        (lambda how: how.element(torch.zeros(3)), "c", "shape (3,)"),
        (lambda how: how.points(8, window=0.0), "window", "0.0"),
        (lambda how: how.points(8, window=-1), "window", "-1"),
        (lambda how: how.points(0, window=1.0), "count", "0"),
        (lambda how: how.points(8, window=1.0, kind="halton"), "kind", "halton"),
        (lambda how: how.points(9, window=1.0, kind="grid", angles=4), "count", "9"),
        (lambda how: how.points(8, window=Box(0.0, (1.0, 1.0))), "window", "2"),
        (lambda how: how.group.integrate(lambda g: g[0], 1.0, 64), "function", "shape"),
        (lambda how: how.group.integrate(lambda g: g, 1.0, 1), "count", "1"),
        (lambda how: how.group.integrate(lambda g: g, kind="grid"), "kind", "grid"),
        (lambda how: how.group.decomposition("schur"), "name", "schur"),
        (lambda how: how.group.decomposition("semidirect"), "name", "GL+(2)"),
    ],
)
def test_bad_input_is_named(call, argument, words):
    with pytest.raises(ArgumentError) as caught:
        call(GLplus(2).decomposition("polar"))
    assert caught.value.argument == argument
    assert words in str(caught.value)


def test_groups_that_have_no_polar_decomposition_say_which_they_have():
    with pytest.raises(ArgumentError, match="semidirect"):
        er.SE(2).decomposition("polar")
    with pytest.raises(ArgumentError, match="transposition"):
        Isometries(torch.diag(torch.tensor([2.0, -1.0]))).decomposition("polar")
    with pytest.raises(ArgumentError, match="determinant 1"):
        SL(2).decomposition("polar").split(torch.eye(2, dtype=D) * (1 + 1e-6))
    SL(2).decomposition("polar").split(torch.eye(2, dtype=D) * (1 + 1e-8))
    with pytest.raises(ArgumentError, match="not in it"):
        Sp(2).decomposition("polar").split(2 * torch.eye(2))
    with pytest.raises(UnsupportedError, match="connected"):
        SO(1, 3).decomposition("polar").coordinates(torch.eye(4))


SINGULAR = {
    "a thirds' matrix": [[0.1, 0.3], [0.3, 0.9]],
    "one unit in the last place": [[1.0, 1.0], [1.0, 1.0 + 2**-52]],
    "three rows of a plane": [[1.0, 2.0, 3.0], [7.0, 8.0, 9.0], [4.0, 5.0, 6.0]],
    "very small": [[1e-80, 3e-80, 0.0], [3e-80, 9e-80, 0.0], [0.0, 0.0, 1e-80]],
}


@pytest.mark.parametrize("name", SINGULAR)
def test_matrices_that_are_singular_to_rounding_are_refused(name):
    g = torch.tensor(SINGULAR[name], dtype=torch.float64)
    for h in (g, g.flip(0), g.mT, g @ torch.diag(torch.logspace(-9, 3, len(g), dtype=torch.float64))):
        group = GLplus(len(g))
        assert not bool(group.contains(h))
        with pytest.raises(ArgumentError, match="argument 'g'.*positive determinant"):
            group.decomposition("polar").split(h)


def test_matrices_far_from_singular_in_their_own_axes_are_elements():
    for n in (2, 3, 5):
        group, rng = GLplus(n), torch.Generator().manual_seed(n)
        g = group.sample(50, generator=rng, dtype=torch.float64)
        sizes = torch.logspace(-40, 40, n, dtype=torch.float64)
        for h in (g, g * sizes, g * sizes.unsqueeze(1), 1e-150 * g):
            assert bool(group.contains(h).all())
        swapped = g[:, torch.randperm(n, generator=rng)]
        assert torch.equal(group.contains(swapped), torch.linalg.det(swapped) > 0)
        spread = SO(n).sample(20, generator=rng, dtype=torch.float64) * torch.logspace(0, -8, n, dtype=torch.float64)
        group.decomposition("polar").split(spread @ SO(n).sample(20, generator=rng, dtype=torch.float64))  # of condition 1e8
