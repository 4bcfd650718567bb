"""Pareto optimality against a brute force of its own: repeated points, balls that touch, space, any unit and any origin."""

import itertools
import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location import GeometricMedian, Mean, Optimal, check_location, dominated, optimum
from erlangen.fields.mechanisms.location.balls import most_welcome


def costs(x, places, p):
    return np.linalg.norm(x[:, None] - places, ord=p, axis=-1).min(1)


def bettered(x, y, p, step):
    """Whether some of a grid's places, in any number that ``y`` has, are better for somebody and worse for nobody."""
    now, (low, high) = costs(x, y, p), (min(x.min(), y.min()), max(x.max(), y.max()))
    grid = np.array(list(itertools.product(np.arange(low, high + step / 2, step), repeat=x.shape[1])))
    far = np.linalg.norm(x[:, None] - grid, ord=p, axis=-1)
    # Of places that the same agents accept and gain from, one is enough.
    kinds = np.unique(np.hstack([(far <= now[:, None] + 1e-12).T, (far < now[:, None] - 1e-7).T]), axis=0)
    for few in itertools.combinations_with_replacement(kinds, len(y)):
        together = np.any(few, axis=0)
        if together[: len(x)].all() and together[len(x) :].any():
            return True
    return False


def cases(d, k, norm, count):
    rng = np.random.default_rng(100 * d + 10 * k + (9 if math.isinf(norm) else int(norm)))
    for number in range(count):
        n, side = int(rng.integers(1, 6 if d < 3 else 5)), int(rng.integers(2, 5 if d < 3 else 4))
        x = rng.integers(0, side, (n, d)).astype(float)
        if d > 1 and number % 5 == 0:
            x[:, 1] = x[:, 0]
        y = [x[rng.integers(0, n, k)], rng.integers(0, 2 * side - 1, (k, d)) / 2, np.repeat(np.median(x, axis=0)[None], k, 0)]
        yield x, y[number % 3]


@pytest.mark.parametrize("norm", [1, 2, 3, math.inf])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_what_a_grid_betters_is_found(d, k, norm):
    found = 0
    for x, y in cases(d, k, norm, 40):
        flag, better = dominated(torch.from_numpy(x)[None], torch.from_numpy(y)[None], norm)
        if bool(flag):
            gain = costs(x, y, norm) - costs(x, better[0].numpy(), norm)
            assert gain.min() > -1e-9
            assert gain.max() > 1e-9
        else:
            assert not bettered(x, y, norm, 0.5 if d == 3 else 0.25), (x, y)
        found += bool(flag)
    assert 1 < found < 40


@pytest.mark.parametrize(("factor", "origin"), [(1e-9, 0.0), (1e-120, 0.0), (1e100, 0.0), (1.0, 4096.0)])
def test_neither_the_unit_nor_the_origin_matters(factor, origin):
    for norm, d, k in itertools.product((1, 2, 3, math.inf), (2, 3), (1, 2)):
        for x, y in cases(d, k, norm, 5):
            asked = [dominated(torch.from_numpy(a)[None], torch.from_numpy(b)[None], norm)[0]
                     for a, b in ((x, y), ((x + origin) * factor, (y + origin) * factor))]  # fmt: skip
            assert asked[0] == asked[1], (x, y, norm)


def test_turned_grids_touch_as_the_straight_ones_do():
    rng = np.random.default_rng(4)
    for d, k in ((2, 1), (2, 2), (2, 3), (3, 1), (3, 2)):
        for x, y in cases(d, k, 2, 20):
            turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
            straight, turned = (
                dominated(torch.from_numpy(a)[None], torch.from_numpy(b)[None], 2)[0] for a, b in ((x, y), (x @ turn, y @ turn))
            )
            assert straight == turned, (x, y)


@pytest.mark.parametrize("off", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("d", [2, 3])
def test_a_place_just_off_the_hull_is_dominated(d, off):
    x, y = torch.zeros(1, 3, d, dtype=torch.float64), torch.full((1, 1, d), 0.0, dtype=torch.float64)
    x[0, 1, 0], x[0, 2, 0], y[0, 0, 0], y[0, 0, 1] = 1.0, 0.4, 0.3, off
    flag, better = dominated(x, y, 2)
    assert bool(flag)
    assert better[0, 0].tolist() == pytest.approx([0.3, *[0.0] * (d - 1)], abs=1e-12)


@pytest.mark.parametrize("norm", [1, 2, 3, math.inf])
def test_dtypes_and_empty_batches(norm):
    for d, k in itertools.product((1, 2, 3), (1, 2)):
        x, y = torch.rand(3, 4, d), 2 * torch.ones(3, k, d)
        flag, better = dominated(x, y, norm)
        assert bool(flag.all())
        assert better.dtype == torch.float32
        assert dominated(x[:0], y[:0], norm)[1].shape == (0, k, d)
        for objective in ("total", "maximum", 2):
            places, least = optimum(x, k, objective, norm)
            _, exact = optimum(x.double(), k, objective, norm)
            assert places.dtype == torch.float32
            assert torch.allclose(least.double(), exact, rtol=1e-5)
            tiny = optimum(1e-9 * x.double(), k, objective, norm)[1]
            assert torch.allclose(tiny * 1e9, exact, rtol=1e-8)
            assert optimum(x[:0], k, objective, norm)[0].shape == (0, k, d)
    assert GeometricMedian()(np.zeros((0, 3, 2))).shape == (0, 1, 2)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("X", lambda: Mean()(np.array([[1 + 2j], [2]]))),
        ("X", lambda: Mean()(torch.tensor([[1 + 2j], [2]]))),
        ("k", lambda: Optimal(0)),
        ("objective", lambda: Optimal(1, "sum")),
    ],
)
def test_what_is_refused_at_once(argument, call):
    with pytest.raises(ArgumentError) as problem:
        call()
    assert problem.value.argument == argument


def test_rounding_is_no_waste():
    for place in (0.1, 1e6 + 0.1, 123456.789):
        same = np.full((1, 3, 2), place)
        assert check_location(Mean(), "PO", same)
        cloud = np.random.default_rng(0).normal(size=(50, 5, 3)) + place
        assert check_location(Mean(), "PO", cloud)
        assert check_location(GeometricMedian(), "PO", cloud)


@pytest.mark.parametrize("norm", [1.5, 2, 3])
def test_the_deepest_point_of_balls(norm):
    """Nothing near by and nothing on the way to any centre is deeper; the problem is convex."""
    rng = np.random.default_rng(int(10 * norm))
    for d, n in ((2, 2), (2, 5), (3, 3), (3, 6)):
        x, r = rng.normal(size=(n, d)), 2 * rng.random(n)
        point, depth = most_welcome(x, r, norm)

        def deep(z, x=x, r=r):
            return (r - np.linalg.norm(x - z[..., None, :], ord=norm, axis=-1)).min(-1)

        assert depth == pytest.approx(deep(point), abs=1e-13)
        step = rng.normal(size=(4000, d)) * 10.0 ** rng.uniform(-6, 0, (4000, 1))
        assert deep(point + step).max() <= depth + 1e-12
