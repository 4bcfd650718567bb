"""Best places, worst cases, and Pareto optimality against brute force."""

import itertools
import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.fields.mechanisms.location import (
    Dictator,
    EndPoint,
    GeometricMedian,
    Median,
    agent_costs,
    best_found,
    dominated,
    geometric_median,
    known_ratio,
    optimum,
    ratios,
    social_cost,
    worst_case,
    worst_profile,
)
from erlangen.fields.mechanisms.location.optimum import _of_supports, _on_the_line, _welzl
from erlangen.fields.mechanisms.location.pareto import dominated_among
from erlangen.fields.mechanisms.location.profiles import draw


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "ratio"), [(3, 1.118034), (5, 1.201850), (7, 1.25)])
def test_the_median_is_that_bad_and_no_worse(n, ratio):
    at = ratios(Median(), worst_profile(n)).item()
    assert at == pytest.approx(known_ratio(Median(), n, 2), abs=1e-9)
    assert at == pytest.approx(ratio, abs=1e-6)
    m = n // 2
    assert at == pytest.approx(math.sqrt(m**2 + (m + 1) ** 2) / (m + 1), abs=1e-12)
    for part in draw(100_000, n, 2, generator=seeded(n)).split(20_000):
        assert float(ratios(Median(), part).max()) <= at + 1e-9


@pytest.mark.parametrize(
    ("mechanism", "n", "d", "objective"),
    [
        (Median(), 3, 2, "total"),
        (Median(), 3, 2, "maximum"),
        (Median(), 3, 1, "maximum"),
        (EndPoint(), 4, 1, "total"),
        (EndPoint(), 4, 1, "maximum"),
        (Dictator(), 3, 2, "total"),
        (Dictator(), 3, 2, "maximum"),
    ],
    ids=str,
)
def test_the_search_reaches_what_is_known(mechanism, n, d, objective):
    found = worst_case(mechanism, n, d, objective)
    known = known_ratio(mechanism, n, d, objective)
    assert 0.999 * known <= found.ratio <= known * (1 + 1e-9)
    assert found.within(known)
    assert not found.within(0.9 * known)
    assert found.cost / found.optimum == pytest.approx(found.ratio)


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 7])
def test_the_search_reaches_what_is_known_of_more(n):
    known = known_ratio(Median(), n, 2)
    assert 0.999 * known <= worst_case(Median(), n, 2).ratio <= known * (1 + 1e-9)


def test_totals_of_medians_are_least_where_they_should_be():
    x = draw(2000, 5, 3, generator=seeded())
    assert float((ratios(Median(), x, "total", 1) - 1).abs().max()) < 1e-12
    assert float((ratios(Median(), x[..., :1]) - 1).abs().max()) < 1e-12
    assert float((ratios(GeometricMedian(), x) - 1).abs().max()) < 1e-12


def test_geometric_medians():
    x = torch.randn(3000, 6, 2, dtype=torch.float64, generator=seeded())
    y = geometric_median(x)
    to = x - y.unsqueeze(1)
    r = torch.linalg.vector_norm(to, dim=-1, keepdim=True)
    free = r.squeeze(-1).amin(1) > 0
    assert float(torch.linalg.vector_norm((to / r.clamp_min(1e-300)).sum(1), dim=-1)[free].max()) < 1e-9
    # On a vertex: the pull of the others is at most its weight. Weiszfeld's iteration stalls there.
    pull = torch.linalg.vector_norm((to / r.clamp_min(1e-300)).sum(1), dim=-1)[~free]
    assert len(pull) > 100
    assert float(pull.max()) <= 1 + 1e-12
    # An even number on a line: the end of the segment that comes first; a multiple point; weights; all in one.
    line = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    assert geometric_median(line).tolist() == [1.0, 0.0]
    assert geometric_median(torch.tensor([[0.0, 0], [0, 0], [5, 1], [9, -3]])).tolist() == [0.0, 0.0]
    assert geometric_median(torch.tensor([[0.0, 0], [5, 1], [9, -3]]), torch.tensor([1.0, 1, 5])).tolist() == [9.0, -3.0]
    assert geometric_median(torch.ones(4, 2)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("d", [2, 3])
def test_smallest_balls(d):
    x = torch.randn(60, 7, d, dtype=torch.float64, generator=seeded(d))
    assert torch.allclose(_of_supports(x), torch.from_numpy(np.array([_welzl(one) for one in x.numpy()])), atol=1e-12)
    many = torch.randn(400, d, dtype=torch.float64, generator=seeded(d))
    centre, radius = optimum(many, 1, "maximum")
    reach = torch.linalg.vector_norm(many - centre, dim=-1)
    assert int((reach > radius - 1e-9).sum()) >= 2
    moved = [
        float(torch.linalg.vector_norm(many - centre - 1e-3 * torch.eye(d)[i] * s, dim=-1).max()) for i in range(d) for s in (1, -1)
    ]
    assert min(moved) > float(radius)


@pytest.mark.parametrize("objective", ["total", "maximum"])
@pytest.mark.parametrize("norm", [1, 2, math.inf, 3])
def test_optima_against_a_fine_grid(norm, objective):
    x = torch.rand(4, 4, 2, dtype=torch.float64, generator=seeded())
    _, cost = optimum(x, 1, objective, norm)
    side = torch.linspace(0, 1, 201, dtype=torch.float64)
    places = torch.cartesian_prod(side, side)
    each = social_cost(agent_costs(x.unsqueeze(1), places[:, None], norm), objective).amin(1)
    assert bool((cost <= each + 1e-9).all())
    assert bool((each <= cost + 4 * 0.01).all())


def test_several_places():
    x = torch.randn(9, 1, dtype=torch.float64, generator=seeded())
    for k in (2, 3):
        for objective in ("total", "maximum"):
            assert optimum(x, k, objective)[1].item() == pytest.approx(_on_the_line(x, k, objective)[1], abs=1e-12)
    clusters = torch.cat([torch.randn(20, 2, generator=seeded(), dtype=torch.float64) + 20 * i for i in range(3)])
    places, cost, proven = best_found(clusters, 3)
    assert not proven
    assert sorted(round(v / 20) for v in places[:, 0].tolist()) == [0, 1, 2]
    apart = sum(optimum(clusters[20 * i : 20 * i + 20])[1].item() for i in range(3))
    assert cost == pytest.approx(apart)
    with pytest.raises(UnsupportedError, match="groupings"):
        optimum(clusters, 2)
    assert optimum(x[:2], 3)[1].item() == 0


def brute(x, y, norm, side):
    """Whether a grid's place is better for somebody, by a margin, and worse for nobody."""
    k, d = y.shape[-2:]
    axis = torch.linspace(0, 1, side, dtype=torch.float64)
    places = torch.cartesian_prod(*[axis] * d).reshape(-1, d)
    if k == 2:
        i, j = torch.triu_indices(len(places), len(places))
        return dominated_among(x, y, torch.stack([places[i], places[j]], 1), norm)[0]
    return dominated_among(x, y, places[:, None], norm)[0]


@pytest.mark.parametrize(
    ("k", "d", "norm", "side"),
    [
        (1, 1, 2, 401),
        (1, 2, 2, 61),
        (1, 2, 1, 61),
        (1, 2, math.inf, 61),
        (1, 2, 3, 41),
        (1, 3, 1, 11),
        (2, 1, 2, 81),
        (2, 2, 2, 9),
        (2, 2, 1, 9),
    ],
)
def test_pareto_optimality_against_a_grid(k, d, norm, side):
    """500 random profiles, some outcomes optimal: what a grid's place betters is found, and what is found is better."""
    rng = seeded(7)
    axis = torch.linspace(0, 1, side, dtype=torch.float64)
    x = axis[torch.randint(side, (500, 3, d), generator=rng)]
    y = axis[torch.randint(side, (500, k, d), generator=rng)]
    some = torch.arange(500) % 2 == 0
    weights = torch.rand(500, k, 3, generator=rng, dtype=torch.float64)
    if k == 2:  # one agent has a place of its own, and the others share one between them
        weights[:, 0, 1:], weights[:, 1, 0] = 0, 0
    y = torch.where(some[:, None, None], (weights / weights.sum(-1, keepdim=True)) @ x, y)
    bad, better = dominated(x, y, norm)
    gain = agent_costs(x, y, norm) - agent_costs(x, better, norm)
    assert bool((gain[bad].amin(-1) >= -1e-9).all())
    assert bool((gain[bad].amax(-1) > 1e-9).all())
    by_grid = brute(x, y, norm, side)
    assert not bool((by_grid & ~bad).any())
    assert 20 < int(bad.sum()) < 480
    # Where the exact test sees a better place by a wide margin, a fine grid has one near it.
    if k == 1:
        wide = bad & (gain.amin(-1) > 2 * d / side)
        assert not bool((wide & ~by_grid).any())


def test_pareto_refuses_too_many_people():
    with pytest.raises(ArgumentError, match="at most 10"):
        dominated(torch.rand(1, 12, 2), torch.rand(1, 2, 2), 2)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("objective", lambda: optimum(np.eye(2), 1, "least")),
        ("k", lambda: optimum(np.eye(2), 0)),
        ("n", lambda: worst_profile(4)),
        ("d", lambda: worst_case(EndPoint(), 3, 2)),
        ("X", lambda: optimum(np.array([[np.nan, 0.0]]))),
    ],
)
def test_what_is_refused(argument, call):
    with pytest.raises(ArgumentError) as problem:
        call()
    assert problem.value.argument == argument


def test_derivatives_of_the_geometric_median():
    x = torch.randn(3, 5, 2, dtype=torch.float64, generator=seeded(3)) * torch.tensor([1.0, 10.0])
    free = torch.linalg.vector_norm(x - geometric_median(x).unsqueeze(1), dim=-1).amin(1) > 1e-3
    assert bool(free.any())
    assert torch.autograd.gradcheck(geometric_median, x[free].requires_grad_(), eps=1e-6, atol=1e-6)
    vertex = torch.tensor([[0.0, 0], [1, 0], [-1, 1], [0, -1]], dtype=torch.float64, requires_grad=True)
    geometric_median(vertex)[0].backward()
    assert vertex.grad.tolist() == [[1, 0], [0, 0], [0, 0], [0, 0]]


def test_thousands_of_people():
    x = torch.randn(5000, 2, dtype=torch.float64, generator=seeded())
    place, cost, proven = best_found(x, 1)
    assert proven
    assert float(agent_costs(x, place + 1e-3).sum()) > cost
    bad, _ = dominated(x[None], Median()(x)[None], 2)
    assert not bool(bad)
    assert bool(dominated(x[None], x.amax(0)[None, None] + 1, 2)[0])


def test_of_groupings_that_cost_the_same_one_is_taken_in_any_order():
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    for objective in ("total", "maximum"):
        places = [optimum(corners[list(order)], 2, objective)[0] for order in itertools.permutations(range(4))]
        assert all(torch.equal(each, places[0]) for each in places)
