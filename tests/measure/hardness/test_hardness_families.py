"""Families of hard symmetric functions: norms, invariances and inner products, each by a second method."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.measure.hardness import AveragedReLU, CosReLU, DegreeParity, GraphCosReLU, SparseInvariant, SparsePolynomial
from erlangen.measure.hardness.alternating import (
    alternating,
    amplitude,
    directions,
    inner_product,
    signs,
    squared_norm,
    squared_norm_by_series,
)
from erlangen.measure.hardness.sparse_invariant import radial_polynomials, square_coefficient

RING = torch.eye(6).roll(1, 0) + torch.eye(6).roll(-1, 0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def literal(z: torch.Tensor, k: int) -> torch.Tensor:
    """The definition of phi_k, all 2k rectified half-planes, for any k."""
    return torch.relu(z @ directions(k, z.dtype).mT) @ signs(2 * k, z.dtype)


# ---- the function of two variables ----


@pytest.mark.parametrize(("k", "norm"), [(1, 1.0), (2, 0.72676046), (4, 0.11678670), (6, 0.04830625), (8, 0.02651376)])
def test_norm_by_kernel_and_by_series(k, norm):
    # 0.72676046 is cut, not rounded, from 0.726760455...
    assert squared_norm(k) == pytest.approx(norm, abs=1e-7)
    assert squared_norm_by_series(k) == pytest.approx(norm, abs=1e-7)
    assert squared_norm(k) == pytest.approx(squared_norm_by_series(k), abs=1e-12)


def test_k_1_is_the_first_coordinate():
    z = torch.randn(100, 2, dtype=torch.float64, generator=seeded())
    assert torch.allclose(literal(z, 1), z[:, 0], atol=1e-14)
    assert torch.allclose(alternating(z, 1), z[:, 0], atol=1e-14)


@pytest.mark.parametrize("k", [3, 5])
def test_odd_k_vanishes_and_is_refused(k):
    z = torch.randn(100, 2, dtype=torch.float64, generator=seeded())
    assert literal(z, k).abs().max() < 1e-12
    for make in (lambda: alternating(z, k), lambda: CosReLU(10, k), lambda: GraphCosReLU(RING, 4, k), lambda: squared_norm(k)):
        with pytest.raises(ValueError, match="'k'") as caught:
            make()
        assert caught.value.argument == "k"


@pytest.mark.parametrize("k", [2, 4, 6, 8])
def test_half_of_the_half_planes_is_enough(k):
    z = torch.randn(100, 2, dtype=torch.float64, generator=seeded())
    assert torch.allclose(literal(z, k), alternating(z, k), atol=1e-13)


@pytest.mark.parametrize("k", [2, 4, 6, 8])
def test_orthogonal_to_all_monomials_of_lower_degree(k):
    """Polar quadrature with the kinks among the nodes' symmetry axes; the radial part of E phi p is a positive factor."""
    count = 4 * k * 64
    angle = (torch.arange(count, dtype=torch.float64) + 0.5) * (2 * math.pi / count)
    z = torch.stack([angle.cos(), angle.sin()], 1)
    f = literal(z, k)
    for a, b in itertools.product(range(k), repeat=2):
        if a + b < k:
            assert abs(float((f * z[:, 0] ** a * z[:, 1] ** b).mean())) < 1e-10
    assert abs(float((f * torch.cos(k * angle)).mean())) > 1e-3  # and not to those of degree k


@pytest.mark.parametrize("k", [2, 4])
def test_amplitudes_are_fourier_coefficients(k):
    count = 4 * k * 4096
    angle = (torch.arange(count, dtype=torch.float64) + 0.5) * (2 * math.pi / count)
    f = literal(torch.stack([angle.cos(), angle.sin()], 1), k)
    for m in range(1, 4 * k):
        # E r^2 = 2 and the mean square of a cosine is 1/2: the amplitude is the coefficient itself.
        assert 2 * float((f * torch.cos(m * angle)).mean()) == pytest.approx(amplitude(m, k), abs=1e-5)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 6.3), st.floats(0, 6.3), st.sampled_from([2, 4, 6]))
def test_bounded_by_the_operator_norm(a, b, left, right, k):
    def turn(t: float) -> torch.Tensor:
        return torch.tensor([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]], dtype=torch.float64)

    m = turn(left) @ torch.diag(torch.tensor([a, b], dtype=torch.float64)) @ turn(right)
    assert abs(float(inner_product(m, k))) <= max(abs(a), abs(b)) ** k * squared_norm(k) + 1e-12


# ---- networks averaged over a group ----

GROUPS = {
    "plain": None,
    "cyclic": er.Cyclic(6),
    "dihedral": er.Dihedral(6),
    "blocks": er.PermutationGroup([[1, 0, 2, 3, 4, 5], [0, 1, 3, 4, 2, 5]]),
}


@pytest.mark.parametrize("name", GROUPS)
def test_averaged_functions_are_invariant(name):
    family = CosReLU(6, 4, GROUPS[name])
    f, x = family.sample_target(seeded()), family.sample_inputs(50, seeded(1), torch.float64)
    for g in family.elements:
        moved = torch.empty_like(x)
        moved[:, g] = x
        assert (f(moved) - f(x)).abs().max() < 1e-10
        easy = family.random_network(seeded(2))
        assert (easy(moved) - easy(x)).abs().max() < 1e-10
    if name != "plain":
        assert (f(x.roll(1, 1).flip(1) ** 2) - f(x**2)).abs().max() > 1e-3 or name == "dihedral"


@pytest.mark.parametrize("name", GROUPS)
def test_value_is_the_sum_over_the_group_of_the_definition(name):
    family = CosReLU(6, 4, GROUPS[name])
    a = family.sample_labels(1, seeded())[0]
    x = family.sample_inputs(20, seeded(1), torch.float64)
    total = torch.zeros(20, dtype=torch.float64)
    for g in family.elements:
        moved = torch.empty_like(x)
        moved[:, g] = x
        total += literal(moved @ a.mT, 4) / math.sqrt(squared_norm(4) * len(family.elements))
    assert torch.allclose(family.of(a)(x), total, atol=1e-12)


@pytest.mark.parametrize(("name", "k"), [("plain", 2), ("plain", 4), ("cyclic", 4)])
def test_gram_by_kernel_agrees_with_a_million_samples(name, k):
    """Seven functions, 21 random pairs and 7 norms, each within five standard errors."""
    family = CosReLU(6, k, GROUPS[name])
    targets = family.sample_targets(7, seeded(3))
    exact, sampled = family.gram(targets), family.gram(targets, exact=False, samples=1_000_000, generator=seeded(4))
    assert exact.exact
    assert sampled.samples == 1_000_000
    assert ((exact.values - sampled.values).abs() < 5 * sampled.errors).all()
    assert sampled.errors.max() < 5e-3


def test_block_by_block_gram_equals_pairs():
    family = CosReLU(8, 4, er.Cyclic(8))
    labels = family.sample_labels(9, seeded())
    family.block = 20  # blocks of two rows
    pairs = family.products(labels[:, None], labels[None])
    assert torch.allclose(family.gram_of(labels), pairs, atol=1e-14)


@pytest.mark.parametrize(("k", "largest"), [(2, 3e-2), (4, 2e-3), (6, 1e-4)])
def test_random_planes_are_nearly_uncorrelated(k, largest):
    family = CosReLU(40, k)
    assert family.sample_correlations(2000, seeded()).abs().mean() < largest


def test_norm_of_averages_is_near_one():
    family = CosReLU(20, 4, er.Cyclic(20))
    norms = family.gram_of(family.sample_labels(200, seeded())).diagonal()
    assert norms.mean() == pytest.approx(1.006, abs=0.01)


def test_the_easy_partner_is_standardised():
    family = CosReLU(6, 4, er.Cyclic(6))
    y = family.random_network(seeded())(family.sample_inputs(200_000, seeded(1), torch.float64))
    assert abs(float(y.mean())) < 0.012
    assert float(y.var()) == pytest.approx(1, abs=0.02)
    with pytest.raises(ArgumentError, match="targets"):
        family.gram([AveragedReLU(torch.eye(6, dtype=torch.float64)[:1], torch.ones(1).double(), family.elements)])


# ---- parities of degrees ----


def all_graphs(n: int) -> torch.Tensor:
    bits = torch.arange(2 ** (n * n))[:, None] >> torch.arange(n * n) & 1
    return bits.view(-1, n, n).to(torch.float64)


def test_parity_gram_by_enumeration_of_all_graphs():
    family = DegreeParity(4)
    labels = family.all_labels()
    graphs = all_graphs(4)
    values = torch.stack([family.evaluate(label, graphs) for label in labels])
    enumerated = values @ values.mT / len(graphs)
    gram = family.gram_of(labels)
    assert (gram - enumerated).abs().max() < 1e-12
    eigenvalues = torch.linalg.eigvalsh(gram).flip(0)
    assert int((eigenvalues > 1e-9).sum()) == 16
    assert float(eigenvalues[0]) == pytest.approx(5.41015625, abs=1e-10)
    assert torch.allclose(family.spectrum(), eigenvalues, atol=1e-10)
    complement = len(labels) - 1 - torch.arange(len(labels))
    assert torch.allclose(gram[torch.arange(32), complement], torch.ones(32, dtype=torch.float64))  # (-1)^4


@pytest.mark.parametrize(("n", "mean"), [(4, 0.14226), (6, 0.07880), (8, 0.04521)])
def test_mean_correlation_of_parities(n, mean):
    family = DegreeParity(n)
    assert family.mean_correlation() == pytest.approx(mean, abs=1e-5)
    gram = family.gram_of(family.all_labels())
    off = gram.fill_diagonal_(0).abs().sum() / (len(gram) * (len(gram) - 1))
    assert float(off) == pytest.approx(family.mean_correlation(), abs=1e-12)


def test_parity_with_another_probability_and_sign():
    family = DegreeParity(4, p=0.3)
    f, g = family.of([0, 2], b=1), family.of([1])
    graphs = all_graphs(4)
    weight = 0.3 ** graphs.sum((1, 2)) * 0.7 ** (16 - graphs.sum((1, 2)))
    assert float((weight * f(graphs) * g(graphs)).sum()) == pytest.approx(float(family.gram([f, g]).values[0, 1]), abs=1e-12)
    assert float(family.gram([f, family.of([0, 2])]).values[0, 1]) == -1


def test_parities_are_invariant_and_of_degrees():
    family = DegreeParity(6)
    x = family.sample_inputs(40, seeded(), torch.float64)
    for f in (family.sample_target(seeded(1), half=True), family.linear([2, 3])):
        assert er.equivariance_error(f, x, family.action, family.action.group.scalar, generator=seeded())["worst"] < 1e-10
    f = family.sample_target(seeded(1))
    assert torch.equal(f(x), f.scale * family.of_degrees(f.label, family.degrees(x)))
    assert set(f(x).tolist()) == {-1.0, 1.0}
    drawn = family.sample_degrees(5000, seeded())
    assert torch.allclose(drawn.flatten().bincount(minlength=7).double() / drawn.numel(), family.law, atol=0.01)


def test_the_linear_partner_is_standardised():
    y = DegreeParity(8).linear([0, 3, 4])(DegreeParity(8).sample_inputs(100_000, seeded(), torch.float64))
    assert abs(float(y.mean())) < 0.015
    assert float(y.var()) == pytest.approx(1, abs=0.02)


def test_undirected_graphs_by_monte_carlo_only():
    family = DegreeParity(3, directed=False)
    targets = [family.of([1]), family.of([1, 2]), family.of([0, 3])]
    with pytest.raises(UnsupportedError, match="exact=False"):
        family.gram(targets)
    with pytest.raises(UnsupportedError):
        family.spectrum()
    with pytest.raises(UnsupportedError):
        family.sample_degrees(4)
    upper = torch.triu_indices(3, 3)
    graphs = torch.zeros(64, 3, 3, dtype=torch.float64)
    graphs[:, upper[0], upper[1]] = (torch.arange(64)[:, None] >> torch.arange(6) & 1).double()
    graphs = torch.maximum(graphs, graphs.mT)
    values = torch.stack([f(graphs) for f in targets])
    sampled = family.gram(targets, exact=False, samples=100_000, generator=seeded())
    assert ((values @ values.mT / 64 - sampled.values).abs() <= 5 * sampled.errors).all()
    directed = DegreeParity(3).gram([DegreeParity(3).of([1]), DegreeParity(3).of([1, 2])]).values[0, 1]
    assert abs(float(directed - sampled.values[0, 1])) > 10 * float(sampled.errors[0, 1])  # the product formula fails here


# ---- features on a graph ----


def test_graph_family_gram_and_norm():
    family = GraphCosReLU(RING, 5, 2)
    targets = family.sample_targets(4, seeded())
    exact, sampled = family.gram(targets), family.gram(targets, exact=False, samples=200_000, generator=seeded(1))
    assert torch.allclose(exact.values.diagonal(), torch.ones(4, dtype=torch.float64), atol=1e-12)
    assert ((exact.values - sampled.values).abs() < 5 * sampled.errors).all()


def test_graph_family_is_symmetric_when_the_graph_moves_along():
    graph = torch.zeros(5, 5)
    for i, j in [(0, 1), (1, 2), (2, 3), (1, 4)]:
        graph[i, j] = graph[j, i] = 1
    family = GraphCosReLU(graph, 4, 4)
    x = family.sample_inputs(10, seeded(), torch.float64)
    label = family.sample_labels(1, seeded(1))[0]
    g = torch.tensor([3, 0, 4, 1, 2])
    moved = torch.empty_like(x)
    moved[:, g] = x
    other = family.relabelled(g)
    assert (other.evaluate(label, moved) - family.evaluate(label, x)).abs().max() < 1e-12
    assert (family.evaluate(label, moved) - family.evaluate(label, x)).abs().max() > 1e-3


# ---- sparse invariant polynomials ----


@pytest.mark.parametrize("m", [1, 2, 3])
def test_radial_polynomials_are_orthonormal(m):
    family = SparseInvariant(1, 1, er.O(m))
    r = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    x = torch.zeros(len(r), m, dtype=torch.float64)
    x[:, 0] = r.pow(1 / m)  # quantiles of the radius
    h = radial_polynomials(x, 4)
    assert torch.allclose(h.mT @ h / len(r), torch.eye(5, dtype=torch.float64), atol=1e-3)
    for degree in (1, 2):
        assert square_coefficient(degree, m) == pytest.approx(float((h[:, degree] ** 2 * h[:, 2 * degree]).mean()), abs=1e-3)
    inside = family.sample_inputs(1000, seeded(), torch.float64)
    assert float(inside.norm(dim=-1).max()) <= 1
    assert float(inside.norm(dim=-1).pow(m).mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("m", [1, 3])
def test_sparse_invariants_are_orthonormal_and_invariant(m):
    family = SparseInvariant(4, 2, er.O(m))
    labels = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]])
    targets = [er.measure.hardness.Target(family, label) for label in labels]
    assert torch.equal(family.gram(targets).values, torch.eye(3, dtype=torch.float64))
    sampled = family.gram(targets, exact=False, samples=100_000, generator=seeded())
    assert ((sampled.values - torch.eye(3)).abs() < 5 * sampled.errors).all()
    x = family.sample_inputs(20, seeded(), torch.float64)
    for f in (targets[0], family.polynomial([1, -0.8, 0.6], seeded(1))):
        assert er.equivariance_error(f, x, family.action, family.action.group.scalar, generator=seeded())["worst"] < 1e-10


def test_polynomials_of_the_study_have_distinct_terms_of_one_degree():
    p = SparseInvariant(20, 3).polynomial([1, -0.8, 0.6], seeded())
    assert len(p.terms()) == 3
    assert p.degrees.sum(1).tolist() == [3, 3, 3]


# ---- bad inputs ----

CYCLIC = CosReLU(6, 2, er.Cyclic(6))
BAD = {
    "p": lambda: DegreeParity(4, p=1.0),
    "p zero": lambda: DegreeParity(4, p=0.0),
    "S": lambda: DegreeParity(4).of([5]),
    "S linear": lambda: DegreeParity(4).linear(range(5)),
    "A": lambda: CYCLIC.of(torch.ones(2, 6)),
    "A shape": lambda: CYCLIC.of(torch.eye(2)),
    "group": lambda: CosReLU(6, 2, er.Cyclic(7)),
    "group kind": lambda: CosReLU(3, 2, er.SO(3)),
    "group large": lambda: CosReLU(9, 2, er.Symmetric(9)),
    "n": lambda: DegreeParity(0),
    "d": lambda: SparseInvariant(3, 4),
    "group block": lambda: SparseInvariant(3, 2, er.Cyclic(3)),
    "x": lambda: CYCLIC.sample_target()(torch.zeros(3, 5)),
    "x graph": lambda: DegreeParity(4).of([1])(torch.zeros(3, 5, 5)),
    "x features": lambda: GraphCosReLU(RING, 5, 2).sample_target()(torch.zeros(3, 5)),
    "x blocks": lambda: SparseInvariant(4, 2).sample_target()(torch.zeros(3, 5, 1)),
    "adjacency": lambda: GraphCosReLU(torch.eye(4), 5, 2),
    "features": lambda: GraphCosReLU(RING, 1, 2),
    "targets": lambda: CYCLIC.gram([]),
    "targets of another family": lambda: CYCLIC.gram([CosReLU(6, 4).sample_target()]),
    "degrees": lambda: SparsePolynomial(torch.zeros(2, 3, dtype=torch.int64), torch.ones(1)),
    "degrees negative": lambda: SparsePolynomial(torch.tensor([[-1]]), torch.ones(1)),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_inputs_name_the_argument(what):
    with pytest.raises(ValueError, match="argument") as caught:
        BAD[what]()
    assert isinstance(caught.value, ArgumentError)
    assert caught.value.argument == what.split()[0]
