"""The geometry of symmetric positive matrices."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError

D = torch.float64


def positive(n: int, *batch: int, seed: int = 0) -> torch.Tensor:
    a = torch.randn(*batch, n, n, generator=torch.Generator().manual_seed(seed), dtype=D)
    return a @ a.mT + 0.1 * torch.eye(n, dtype=D)


def bases(n: int, *batch: int) -> torch.Tensor:
    return torch.randn(*batch, n, n, generator=torch.Generator().manual_seed(7), dtype=D) + 2 * torch.eye(n, dtype=D)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_distance_does_not_depend_on_the_basis(n):
    space = er.SPD(n)
    s, t, a = positive(n, 20), positive(n, 20, seed=1), bases(n, 20)
    d = space.distance(s, t)
    assert torch.allclose(space.distance(a @ s @ a.mT, a @ t @ a.mT), d, atol=1e-10)
    values = torch.linalg.eigvals(torch.linalg.solve(s, t)).real.log()
    assert torch.allclose(d, values.norm(dim=-1), atol=1e-10)
    assert torch.allclose(space.distance(t, s), d, atol=1e-10)
    assert torch.allclose(space.distance(torch.linalg.inv(s), torch.linalg.inv(t)), d, atol=1e-10)
    assert torch.equal(space.distance(torch.eye(n, dtype=D), torch.eye(n, dtype=D)), torch.zeros((), dtype=D))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_geodesics(n):
    space = er.SPD(n)
    s, t = positive(n, 10), positive(n, 10, seed=1)
    assert torch.allclose(space.geodesic(s, t, 0.0), s, atol=1e-12)
    assert torch.allclose(space.geodesic(s, t, 1.0), t, rtol=1e-10, atol=1e-10)
    middle = space.geodesic(s, t, 0.5)
    assert torch.equal(middle, middle.mT)
    assert torch.allclose(middle, space.geodesic(t, s, 0.5), atol=1e-11)
    d = space.distance(s, t)
    at = torch.linspace(0.1, 0.9, 10, dtype=D)
    assert torch.allclose(space.distance(s, space.geodesic(s, t, at)), at * d, atol=1e-10)
    assert torch.allclose(middle @ torch.linalg.solve(s, middle), t, rtol=1e-9, atol=1e-10)  # the geometric mean solves this


@pytest.mark.parametrize("n", [1, 2, 3])
def test_means(n):
    space = er.SPD(n)
    many = positive(n, 4, 7)
    mean = space.mean(many)
    assert torch.equal(mean, mean.mT)
    a = bases(n, 4)
    moved = space.mean(a.unsqueeze(-3) @ many @ a.unsqueeze(-3).mT)
    assert torch.allclose(moved, a @ mean @ a.mT, rtol=1e-10, atol=1e-10)
    assert torch.allclose(space.mean(many[:, :2]), space.geodesic(many[:, 0], many[:, 1], 0.5), atol=1e-10)
    assert torch.allclose(
        space.mean(many[:, :2], torch.tensor([0.7, 0.3], dtype=D)), space.geodesic(many[:, 0], many[:, 1], 0.3), atol=1e-10
    )
    assert torch.allclose(space.mean(many[:, :1]), many[:, 0], atol=1e-11)

    nearby = mean.clone().requires_grad_()
    (slope,) = torch.autograd.grad(space.distance(nearby.unsqueeze(1).expand_as(many), many).square().sum(), nearby)
    assert float((mean @ slope @ mean).abs().max()) < 1e-9

    log_mean = space.log_euclidean_mean(many)
    assert torch.allclose(torch.linalg.det(log_mean).log(), torch.linalg.det(many).log().mean(-1), atol=1e-11)
    turn = torch.linalg.qr(a).Q.unsqueeze(-3)
    assert torch.allclose(space.log_euclidean_mean(turn @ many @ turn.mT), turn[:, 0] @ log_mean @ turn[:, 0].mT, atol=1e-11)


def test_the_mean_of_far_matrices_is_found():
    """Ratios of 1e12, where steps of full length leave the mean again."""
    many = torch.stack([torch.diag(torch.tensor(v, dtype=D)) for v in ([1e6, 1e-6], [1e-6, 1e6], [1e3, 1e3])])
    expected = torch.diag(torch.tensor([10.0, 10.0], dtype=D))
    assert torch.allclose(er.SPD(2).mean(many), expected, rtol=1e-9)


def test_derivatives_also_at_equal_arguments():
    space = er.SPD(2)
    root = torch.tensor([[1.2, 0.0], [0.3, 0.8]], dtype=D)
    cases = [(root, root + 0.2), (torch.eye(2, dtype=D), 2 * torch.eye(2, dtype=D)), (root, root)]
    for a, b in cases:
        pair = (a.clone().requires_grad_(), b.clone().requires_grad_())
        functions = [
            lambda a, b: space.squared_distance(a @ a.mT, b @ b.mT),
            lambda a, b: space.geodesic(a @ a.mT, b @ b.mT, 0.3),
            lambda a, b: space.log_euclidean_mean(torch.stack([a @ a.mT, b @ b.mT])),
            lambda a, b: space.mean(torch.stack([a @ a.mT, b @ b.mT, torch.eye(2, dtype=D)])),
        ]
        for f in functions:
            assert torch.autograd.gradcheck(f, pair)
            assert torch.autograd.gradgradcheck(f, pair, fast_mode=True)
    same = torch.eye(2, dtype=D).requires_grad_()
    assert torch.equal(torch.autograd.grad(space.distance(same, torch.eye(2, dtype=D)), same)[0], torch.zeros(2, 2, dtype=D))
    s, t = positive(2, 5), positive(2, 5, seed=1)
    assert torch.allclose(torch.func.vmap(space.distance)(s, t), space.distance(s, t), atol=1e-12)
    compiled = torch.compile(space.distance, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(s, t), space.distance(s, t), atol=1e-12)


def test_the_stretch_of_the_polar_decomposition_is_at_the_length_of_its_logarithm():
    how = er.GLplus(3).decomposition("polar")
    g = torch.linalg.matrix_exp(0.5 * torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0), dtype=D))
    length = how.log_split(g).log_stretch.flatten(1).norm(dim=1)
    assert torch.allclose(er.SPD(3).distance(torch.eye(3, dtype=D), how.split(g).stretch), length, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        (lambda s: s.distance(torch.eye(2), torch.diag(torch.tensor([1.0, -2.0]))), "b", "-2"),
        (lambda s: s.distance(torch.stack([torch.eye(2), torch.zeros(2, 2)]), torch.eye(2)), "a", "[1]"),
        (lambda s: s.distance(torch.tensor([[1.0, 0.5], [0.0, 1.0]]), torch.eye(2)), "a", "not"),
        (lambda s: s.distance(torch.full((2, 2), math.nan), torch.eye(2)), "a", "NaN"),
        (lambda s: s.distance(torch.eye(3), torch.eye(2)), "a", "(3, 3)"),
        (lambda s: s.mean(torch.eye(2)), "many", "(2, 2)"),
        (lambda s: s.mean(torch.ones(0, 2, 2)), "many", "(0, 2, 2)"),
        (lambda s: s.mean(torch.eye(2).expand(3, 2, 2), torch.tensor([1.0, -1.0, 1.0])), "weights", "others"),
        (lambda s: s.mean(torch.eye(2).expand(3, 2, 2), torch.ones(2)), "weights", "(2,)"),
        (lambda s: er.SPD(0), "n", "0"),
    ],
)
def test_bad_input_is_named(call, argument, words):
    with pytest.raises(ArgumentError) as caught:
        call(er.SPD(2))
    assert caught.value.argument == argument
    assert words in str(caught.value)


@pytest.mark.parametrize(("dtype", "power"), [(D, -36), (D, -45), (torch.float32, -17)])
def test_distances_between_thin_ellipses_of_different_axes(dtype, power):
    """The eigenvalues of ``a^-1 b`` spread by the product of both spreads: beyond what a product of matrices resolves."""
    thin = 2.0**power
    a = torch.tensor([[1.0, 0.0], [0.0, thin]], dtype=dtype)
    b = torch.tensor([[1.0 + thin, 1.0], [1.0, 1.0]], dtype=dtype)  # exact in this type; of determinant `thin`
    trace, det = 1.0 + thin + 1.0 / thin, 1.0
    large = 0.5 * (trace + math.sqrt(trace**2 - 4 * det))
    exact = math.hypot(math.log(large), math.log(det / large))
    space, rounding = er.SPD(2), 4 * torch.finfo(dtype).eps / thin
    for x, y in ((a, b), (b, a)):
        assert abs(float(space.distance(x, y)) - exact) < rounding
        middle = space.geodesic(x, y, 0.5)
        assert abs(float(space.distance(x, middle)) - exact / 2) < rounding
        assert torch.allclose(space.mean(torch.stack([x, y])), middle, atol=rounding)


def test_distances_of_very_large_and_small_matrices():
    for dtype, size in ((D, 1e150), (torch.float32, 1e30)):
        one = torch.eye(3, dtype=dtype)
        exact = math.sqrt(3) * 2 * math.log(size)
        assert abs(float(er.SPD(3).distance(one / size, one * size)) / exact - 1) < 1e-6


def test_singular_matrices_and_strange_weights_are_refused():
    v = torch.tensor([[1.0], [3.0], [0.3]], dtype=D)
    with pytest.raises(ArgumentError, match="'b'.*positive"):
        er.SPD(3).distance(torch.eye(3, dtype=D), v @ v.mT)
    many = torch.eye(2).expand(2, 2, 2)
    for weights in ([1.0, 2.0], torch.tensor([1.0, math.inf])):
        with pytest.raises(ArgumentError, match="'weights'"):
            er.SPD(2).mean(many, weights)
