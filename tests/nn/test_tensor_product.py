"""Products of tensors: their normalisation, and the invariants of phase space in both orders of its coordinates."""

import pytest
import torch

import erlangen as er
from erlangen.fields.beams import coupled_lattices, eigen_emittances, random_beams, transport
from erlangen.nn import TensorProduct

D = torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 5])
def test_products_are_divided_by_the_root_of_what_they_add_up(n, dtype):
    V = er.O(n).vector
    x, y = torch.randn(2, 4, n, generator=torch.Generator().manual_seed(0), dtype=dtype)
    found = TensorProduct(V, V)(x, y)
    torch.testing.assert_close(found[:, : n * n], (x[:, :, None] * y[:, None, :]).flatten(1))
    torch.testing.assert_close(found[:, -1], (x * y).sum(-1) / n**0.5)
    a, b = torch.randn(2, 4, n, n, generator=torch.Generator().manual_seed(1), dtype=dtype)
    found = TensorProduct(V**2, V**2)(a.flatten(1), b.flatten(1))
    torch.testing.assert_close(found[:, : n * n], (a @ b).flatten(1) / n**0.5)
    torch.testing.assert_close(found[:, -1], (a * b).sum((1, 2)) / n)


def test_variance_one_stays_one():
    V = er.O(20).vector
    x, y = torch.randn(2, 4000, 20, generator=torch.Generator().manual_seed(0), dtype=D)
    assert float(TensorProduct(V, V, max_order=0)(x, y).var()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("ordering", ["block", "interleaved"])
def test_the_invariant_of_a_covariance_matrix(ordering):
    """``-tr(Omega Sigma Omega Sigma) / 4``, half the sum of the squared emittances, whatever the order of the coordinates."""
    group = er.Sp(4, ordering=ordering)
    pairs = TensorProduct(group.vector**2, group.vector**2)
    generator = torch.Generator().manual_seed(0)
    sigma, lattice = random_beams(5, generator=generator).double(), coupled_lattices(5, generator=generator).double()
    order = [0, 1, 2, 3] if ordering == "block" else [0, 2, 1, 3]
    mine = sigma[:, order][:, :, order]
    found = pairs(mine.flatten(1), mine.flatten(1))
    product = group.form @ mine @ group.form @ mine
    torch.testing.assert_close(found[:, -1], -product.diagonal(dim1=1, dim2=2).sum(-1) / 4)
    torch.testing.assert_close(found[:, -1], eigen_emittances(sigma).square().sum(-1) / 2)
    torch.testing.assert_close(found[:, :16], (mine @ group.form @ mine).flatten(1) / 2)
    moved = transport(lattice, sigma)[:, order][:, :, order]
    torch.testing.assert_close(pairs(moved.flatten(1), moved.flatten(1))[:, -1], found[:, -1], rtol=1e-4, atol=1e-6)
