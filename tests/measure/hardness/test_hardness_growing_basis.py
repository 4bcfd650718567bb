"""Sparse invariant polynomials are found from queries about the square of the target."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.measure.hardness import SparseInvariant, SparsePolynomial, growing_basis


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", [0, 1, 2, 10])
def test_three_terms_of_degree_six(seed):
    """n = 20, coefficients 1, -0.8, 0.6, with label noise in half of the cases."""
    family, generator = SparseInvariant(20, 3), seeded(seed)
    target, x = family.polynomial([1, -0.8, 0.6], generator), family.sample_inputs(80_000, generator)
    y = target(x) + (0.5 * torch.randn(len(x), generator=generator) if seed % 2 else 0)
    found = growing_basis(x, y, degree=3, terms=8)
    terms = found.polynomial.terms()
    assert terms.keys() == target.terms().keys()
    assert all(abs(terms[t] - a) < 0.02 for t, a in target.terms().items())
    assert found.queries <= 4 * (20 * 6 + 1)
    if not seed % 2:
        assert found.residual < 1e-10


def test_higher_degrees_in_one_block_and_a_constant():
    target = SparsePolynomial(torch.tensor([[3, 0, 0, 0], [0, 2, 1, 0], [0, 0, 0, 0]]), torch.tensor([1.0, 0.7, -2.0]))
    x = SparseInvariant(4, 1).sample_inputs(100_000, seeded(0))
    found = growing_basis(x, target(x), degree=3, terms=5)
    assert found.polynomial.terms().keys() == target.terms().keys()
    assert found.residual < 1e-10


def test_blocks_of_three():
    family = SparseInvariant(10, 2, er.O(3))
    target, x = family.polynomial([1, 0.5], seeded(0)), family.sample_inputs(100_000, seeded(1))
    found = growing_basis(x, target(x), degree=2, terms=4)
    assert found.polynomial.terms().keys() == target.terms().keys()


def test_no_structure_no_terms():
    x = SparseInvariant(8, 2).sample_inputs(20_000, seeded(0))
    found = growing_basis(x, torch.randn(len(x), generator=seeded(1)), degree=2, terms=4)
    assert found.polynomial.terms() == {}
    assert found.residual == 1
    assert torch.equal(found.polynomial(x), torch.zeros(len(x)))


X = torch.rand(10, 3, 1)
BAD = {
    "x": lambda: growing_basis(torch.rand(10, 3), torch.rand(10), 2, 1),
    "x heavy tails": lambda: growing_basis(3 * X, torch.rand(10), 2, 1),
    "y": lambda: growing_basis(X, torch.rand(9), 2, 1),
    "degree": lambda: growing_basis(X, torch.rand(10), 0, 1),
    "terms": lambda: growing_basis(X, torch.rand(10), 2, 0),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_arguments_are_named(what):
    with pytest.raises(ArgumentError) as caught:
        BAD[what]()
    assert caught.value.argument == what.split()[0]
