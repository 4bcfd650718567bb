"""Query lower bounds and dimensions: closed forms, exhaustive search, and the inequality they rest on."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.measure.hardness import (
    CosReLU,
    DegreeParity,
    Gram,
    SparseInvariant,
    csq_dimension,
    csq_lower_bound,
    gradient_signal,
    monte_carlo_gram,
    sampled_bound,
    sampled_dimension,
)
from erlangen.measure.hardness.cliques import greedy_independent, largest_independent


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_gram(count: int, dim: int, seed: int) -> torch.Tensor:
    f = torch.nn.functional.normalize(torch.randn(count, dim, generator=seeded(seed), dtype=torch.float64), dim=1)
    return f @ f.mT


def best_by_trying_all(gram: torch.Tensor, tau: float) -> float:
    best = 0.0
    for size in range(2, len(gram) + 1):
        for members in itertools.combinations(range(len(gram)), size):
            gamma = max(abs(float(gram[i, j])) for i, j in itertools.combinations(members, 2))
            best = max(best, size * (tau * tau - gamma) / 2)
    return best


@pytest.mark.parametrize("count", [2, 7, 40, 41, 300])
@pytest.mark.parametrize("tau", [0.05, 0.1, 0.9])
def test_orthonormal_families(count, tau):
    bound = csq_lower_bound(torch.eye(count), tau)
    assert bound.queries == pytest.approx(count * tau * tau / 2, rel=1e-12)
    assert (bound.size, bound.gamma, bound.exact) == (count, 0, count <= 40)
    assert csq_dimension(torch.eye(count)) == (count, count <= 40)
    assert gradient_signal(torch.eye(count)) == pytest.approx(1 / count)


def test_monotone_in_the_family_and_in_the_tolerance():
    gram = random_gram(30, 40, 0)
    bounds = [csq_lower_bound(gram[:n, :n], 0.4).queries for n in (5, 10, 20, 30)]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[-1]
    bounds = [csq_lower_bound(gram, tau).queries for tau in (0.2, 0.3, 0.5, 0.7)]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[-1]


def test_correlations_above_the_square_of_the_tolerance_prove_nothing():
    gram = torch.full((5, 5), 0.01) + 0.99 * torch.eye(5)
    bound = csq_lower_bound(gram, 0.1)
    assert bound.queries == 0
    assert "nothing follows" in bound.note
    assert "0.01" in bound.note
    assert csq_lower_bound(gram, 0.11).queries > 0


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(2, 12), st.sampled_from([0.3, 0.5, 0.8]))
@example(0, 2, 9, 0.3)  # the two halves of this Gram matrix differ by rounding
@settings(max_examples=40, deadline=None)
def test_the_best_sub_family_is_found(seed, count, dim, tau):
    gram = random_gram(count, dim, seed)
    bound = csq_lower_bound(gram, tau)
    assert bound.queries == pytest.approx(best_by_trying_all(gram, tau), abs=1e-12)
    inside = gram[list(bound.members)][:, list(bound.members)]
    if bound.size > 1:
        assert float(inside.fill_diagonal_(0).abs().max()) == pytest.approx(bound.gamma)


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_largest_independent_sets(seed, count, density):
    conflicts = torch.rand(count, count, generator=seeded(seed)).triu(1) < density
    conflicts = (conflicts.triu(1) | conflicts.triu(1).mT).bool()

    def free(members: tuple[int, ...]) -> bool:
        return not any(bool(conflicts[i, j]) for i, j in itertools.combinations(members, 2))

    largest = next(k for k in range(count, 0, -1) if any(free(m) for m in itertools.combinations(range(count), k)))
    found = largest_independent(conflicts)
    assert free(tuple(found))
    assert len(found) == largest
    assert largest_independent(conflicts, more_than=largest) is None
    greedy = greedy_independent(conflicts)
    assert free(tuple(greedy))
    assert 1 <= len(greedy) <= largest


def test_copies_up_to_sign_count_once():
    f = torch.eye(4, dtype=torch.float64)
    f = torch.cat([f, -f, f])
    assert csq_lower_bound(f @ f.mT, 0.5).size == 4
    family = DegreeParity(4)
    everything = family.gram_of(family.all_labels())
    assert csq_dimension(everything)[0] <= 16
    assert csq_lower_bound(everything, 0.9).size <= 16


def test_norms_do_not_matter():
    gram = random_gram(12, 30, 1)
    scale = torch.rand(12, generator=seeded()).double() + 0.5
    scaled = scale[:, None] * gram * scale
    assert csq_lower_bound(scaled, 0.5).queries == pytest.approx(csq_lower_bound(gram, 0.5).queries)
    assert gradient_signal(scaled) == pytest.approx(gradient_signal(gram))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_no_query_beats_what_the_bound_rests_on(seed):
    """The lemma itself: no unit vector is correlated by tau with more than (1 - gamma) / (tau^2 - gamma) members."""
    f = torch.nn.functional.normalize(torch.randn(25, 12, generator=seeded(seed), dtype=torch.float64), dim=1)
    tau = 0.6
    bound = csq_lower_bound(f @ f.mT, tau)
    if bound.size < 2:
        return
    chosen = f[list(bound.members)]
    most = (1 - bound.gamma) / (tau * tau - bound.gamma)
    queries = [*torch.nn.functional.normalize(torch.randn(200, 12, generator=seeded(seed + 1), dtype=torch.float64), dim=1)]
    for size in (1, 2, 3):  # sums of members are the queries that do best
        queries += [
            torch.nn.functional.normalize(chosen[list(m)].sum(0), dim=0)
            for m in itertools.islice(itertools.combinations(range(len(chosen)), size), 200)
        ]
    assert int((torch.stack(queries) @ chosen.mT >= tau).sum(1).max()) <= most + 1e-9


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_gradient_signal_bounds_the_mean_squared_correlation(seed):
    f = torch.nn.functional.normalize(torch.randn(9, 6, generator=seeded(seed), dtype=torch.float64), dim=1)
    signal = gradient_signal(f @ f.mT)
    phi = torch.nn.functional.normalize(torch.randn(500, 6, generator=seeded(seed + 1), dtype=torch.float64), dim=1)
    assert float((phi @ f.mT).square().mean(1).max()) <= signal + 1e-12
    top = torch.linalg.svd(f)[2][0]
    assert float((f @ top).square().mean()) == pytest.approx(signal)


@given(st.integers(0, 1000), st.integers(2, 8))
@settings(max_examples=30, deadline=None)
def test_dimension_by_trying_all(seed, count):
    gram = random_gram(count, 6, seed)

    def reached(size: int) -> bool:
        return any(
            all(abs(float(gram[i, j])) <= 1 / size for i, j in itertools.combinations(members, 2))
            for members in itertools.combinations(range(count), size)
        )

    assert csq_dimension(gram) == (max(size for size in range(1, count + 1) if reached(size)), True)


# ---- whole families from random pairs ----


def test_sampled_never_exceeds_the_truth():
    """C(8, 2) = 28 orthonormal functions: repetitions among the draws are all that keeps the number from growing."""
    family = SparseInvariant(8, 2)
    found = sampled_dimension(family, 20_000, generator=seeded())
    assert 22 <= found <= 28
    bound = sampled_bound(family, 0.5, 20_000, generator=seeded())
    assert 22 <= bound.size <= 28
    assert bound.queries == pytest.approx(bound.size * 0.25 / 4)


def test_sampled_parities_agree_with_the_whole_family():
    family = DegreeParity(6)
    exact, _ = csq_dimension(family.gram_of(family.all_labels()))
    assert sampled_dimension(family, 20_000, generator=seeded()) <= max(exact, 1) + 1
    nothing = sampled_bound(DegreeParity(2), 0.01, 500, generator=seeded())
    assert nothing.queries == 0
    assert "nothing follows" in nothing.note


def test_sampled_dimension_grows_with_n_and_k():
    by_k = [sampled_dimension(CosReLU(20, k), 10_000, generator=seeded()) for k in (2, 4, 6)]
    by_n = [sampled_dimension(CosReLU(n, 4), 10_000, generator=seeded()) for n in (6, 10, 20)]
    assert by_k == sorted(set(by_k))
    assert by_n == sorted(set(by_n))


# ---- Gram matrices of anything ----


def test_monte_carlo_bounds_are_cautious():
    """Upper confidence bounds replace the estimates: a sampled Gram proves less than the exact one, and more with more samples."""
    family = SparseInvariant(6, 1)
    targets = [family.sample_target(seeded(i)) for i in range(6)]
    exact = csq_lower_bound(family.gram(targets), 0.3)
    few, many = (csq_lower_bound(family.gram(targets, exact=False, samples=s, generator=seeded()), 0.3) for s in (2_000, 100_000))
    assert few.queries < many.queries < exact.queries


def test_any_callables():
    net = torch.nn.Linear(2, 1)
    draw = lambda count, g: torch.randn(count, 2, generator=g)  # noqa: E731
    gram = monte_carlo_gram([net, lambda x: x[:, 0]], draw, 50_000, generator=seeded())
    w = net.weight.detach()[0].double()
    assert abs(float(gram.values[0, 1] - w[0])) < 5 * float(gram.errors[0, 1])
    assert not gram.exact
    family = CosReLU(2, 2)
    mixed = family.gram([family.sample_target(seeded()), net], exact=False, samples=5000, generator=seeded())
    assert mixed.values.shape == (2, 2)


BAD = {
    "tau": lambda: csq_lower_bound(torch.eye(3), 0.0),
    "tau large": lambda: csq_lower_bound(torch.eye(3), 1.0),
    "tau sampled": lambda: sampled_bound(SparseInvariant(4, 2), 1.5),
    "gram": lambda: csq_lower_bound(torch.ones(2, 3), 0.1),
    "gram asymmetric": lambda: gradient_signal(torch.tensor([[1.0, 0.5], [0.0, 1.0]])),
    "gram zero": lambda: csq_dimension(torch.zeros(2, 2)),
    "pairs": lambda: sampled_dimension(SparseInvariant(4, 2), 0),
    "confidence": lambda: sampled_dimension(SparseInvariant(4, 2), 10, confidence=1.0),
    "functions": lambda: monte_carlo_gram([], lambda b, g: torch.zeros(b)),
    "functions shape": lambda: monte_carlo_gram([lambda x: x], lambda b, g: torch.zeros(b, 2)),
    "samples": lambda: monte_carlo_gram([lambda x: x], lambda b, g: torch.zeros(b), 1),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_arguments_are_named(what):
    with pytest.raises(ArgumentError) as caught:
        BAD[what]()
    assert caught.value.argument == what.split()[0]


def test_undirected_graphs_have_no_sampled_bound():
    with pytest.raises(UnsupportedError):
        sampled_bound(DegreeParity(4, directed=False), 0.1, 10)


def test_gram_accepts_what_it_made():
    assert csq_lower_bound(Gram(torch.eye(3).double()), 0.1).size == 3
