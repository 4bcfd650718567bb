"""Functional dimensions with known values, three methods that must agree, and what invariance and monotonicity demand."""

from __future__ import annotations

import pytest
import torch
from hidden_networks import DOUBLE, he, moved, with_column, with_rows
from torch import nn

from erlangen.parameters.hidden import batch_functional_dimension, functional_dimension, jacobian
from erlangen.parameters.hidden.modular import PRIMES, residues
from erlangen.parameters.hidden.ranks import Sketch, Triangle, decide


def dim(net, **keywords):
    return functional_dimension(net, **keywords).dim


@pytest.mark.parametrize(("widths", "expected"), [((2, 3, 1), 10), ((3, 7, 1), 29), ((4, 2, 1), 11)], ids=str)
def test_one_generic_hidden_layer(widths, expected):
    for seed in range(20):
        found = functional_dimension(he(widths, seed))
        assert (found.dim, found.max_dim, found.deficit) == (expected, expected, 0)
        assert not found.is_lower_bound


def test_variants_of_one_hidden_layer():
    net = he((3, 4, 1), 0)
    row, bias = net.weights[0][0], net.biases[0][0]
    assert dim(net) == 17
    assert dim(with_rows(net, 1, 1, -2 * row, -2 * bias)) == 16
    assert dim(with_rows(net, 1, 1, 2 * row, 2 * bias)) == 13
    assert dim(with_column(net, 1, 1, 0.0)) == 14
    # Parallel neurons with several outputs.
    for widths, full, less in (((3, 4, 3), 27, 24), ((4, 5, 2), 32, 30)):
        net = he(widths, 1)
        assert dim(net) == full
        assert dim(with_rows(net, 1, 1, 2 * net.weights[0][0], 2 * net.biases[0][0])) == less


def full_network(seed=0):
    """A (3, 6, 6, 1) network without hidden symmetries."""
    while True:
        net = he((3, 6, 6, 1), seed)
        if dim(net) == 61:
            return net
        seed += 1


def off(net, neuron):
    return with_rows(net, 2, neuron, -net.weights[1][neuron].abs(), -1.0)


def on(net, neuron):
    return with_rows(net, 2, neuron, net.weights[1][neuron].abs(), 1.0)


def test_variants_of_two_hidden_layers():
    net = full_network()
    assert dim(off(net, 0)) == 54
    assert dim(off(off(net, 0), 1)) == 47
    assert dim(on(net, 0)) == 60
    assert dim(on(on(net, 0), 1)) == 53
    assert dim(with_column(net, 2, 3, 0.0)) == 55


@pytest.mark.parametrize("outputs", [1, 3])
def test_constant_functions_and_affine_ones(outputs):
    net = he((3, 6, 6, outputs), 0)
    for neuron in range(6):
        net = off(net, neuron)
    assert dim(net) == outputs
    assert dim(he((4, outputs), 0)) == 5 * outputs


@pytest.mark.parametrize("seed", range(6))
def test_orbits_have_one_dimension(seed):
    net = he((3, 5, 5, 1), seed)
    first = functional_dimension(net, seed=1)
    for s in range(3):
        mild = functional_dimension(moved(net, s, 0.75), seed=1)  # e^0.75 s: mostly within 0.1 ... 10
        assert (mild.dim, mild.deficit) == (first.dim, first.deficit)
        assert min(mild.gap, first.gap) > 1e3
    exact = functional_dimension(net, seed=1, multiple=10, method="exact").dim
    for s in range(2):
        wild = functional_dimension(moved(net, s, 2.0), seed=1, multiple=10, method="exact")
        assert wild.dim == exact


def test_exact_sketch_and_svd_agree():
    shapes = [(2, 4, 1), (3, 5, 2), (2, 3, 3, 1), (3, 4, 4, 2), (4, 4, 4, 4, 1)]
    for seed in range(50):
        net = he(shapes[seed % len(shapes)], seed)
        assert net.num_params <= 150
        found = {method: dim(net, points=12 * net.num_params, method=method, seed=seed) for method in ("exact", "sketch", "svd")}
        assert len(set(found.values())) == 1, (seed, found)


def test_residues_are_exact():
    x = torch.randn(30, generator=torch.Generator().manual_seed(0), **DOUBLE) * 10.0 ** torch.arange(-15, 15, **DOUBLE)
    for p in PRIMES:
        for value, found in zip(x.tolist(), residues(x, p).tolist()):
            top, bottom = value.as_integer_ratio()
            assert found == top * pow(bottom, -1, p) % p


def test_a_sketch_keeps_directions_that_one_row_each_holds():
    # With one bucket for each row, 60 unit rows in 180 buckets would collide in nearly every draw.
    for seed in range(40):
        sketch = Sketch(60, torch.Generator().manual_seed(seed))
        sketch.add(torch.eye(60, **DOUBLE))
        sketch.add(torch.eye(60, **DOUBLE)[:1].expand(300, 60))
        assert decide(sketch.factor()).rank == 60


def test_triangles_keep_small_singular_values():
    g = torch.Generator().manual_seed(0)
    right = torch.linalg.qr(torch.randn(12, 12, generator=g, **DOUBLE)).Q
    values = torch.tensor([1.0] * 9 + [1e-9, 0.0, 0.0], **DOUBLE)
    left = torch.linalg.qr(torch.randn(400, 12, generator=g, **DOUBLE)).Q
    triangle = Triangle(12)
    for block in ((left * values) @ right).split(7):
        triangle.add(block)
    found = decide(triangle.factor())
    assert found.rank == 10
    assert found.gap > 1e3


@pytest.mark.parametrize("seed", range(5))
def test_bounds_null_space_and_scalings(seed):
    net = he((4, 5, 5, 5, 1), seed)
    found = functional_dimension(net)
    assert found.dim <= found.num_params - found.orbit_dim
    assert found.deficit >= 0
    assert found.max_dim == net.num_params - 15
    null = found.null_space()
    assert null.shape == (net.num_params, net.num_params - found.dim)
    assert torch.allclose(null.mT @ null, torch.eye(null.shape[1], **DOUBLE), atol=1e-12)
    lead = found._generators / found._generators.norm(dim=-1, keepdim=True)
    assert float((lead - lead @ null @ null.mT).abs().max()) < 1e-10
    hidden = found.hidden_space()
    assert hidden.shape == (net.num_params, found.deficit)
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(seed), **DOUBLE)
    assert float((jacobian(net, x).flatten(0, 1) @ null).abs().max()) < 1e-8
    if found.deficit:
        assert float((lead @ hidden).abs().max()) < 1e-9


def test_more_inputs_never_lower_the_rank():
    net = he((5, 5, 5, 5, 1), 3)
    x = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0), **DOUBLE)
    ranks = [batch_functional_dimension(net, x[:n]).dim for n in (1, 10, 50, 200, 1000, 4000)]
    assert ranks == sorted(ranks)
    assert ranks[0] == 1
    adaptive = functional_dimension(net, "adaptive")
    assert [g.rank for g in adaptive.history] == sorted(g.rank for g in adaptive.history)
    for g in adaptive.history:
        assert adaptive.dim >= functional_dimension(net, g.points // 2, seed=5).dim or g.points < 200
    assert adaptive.history[-1].rank == adaptive.dim


def test_scales_find_what_unit_inputs_do_not():
    # A kink at 40, which inputs of size one never reach.
    net = he((2, 3, 1), 0)
    net = with_rows(net, 1, 0, torch.tensor([1.0, 0.0]), -40.0)
    assert dim(net) < 10
    found = functional_dimension(net, scale=(1, 10, 100))
    assert found.dim == 10
    assert [g.scale for g in found.history] == [1, 10, 100]
    assert found.history[0].rank < 10


def test_all_regions_of_a_line():
    for m in (1, 2, 5, 12):
        found = functional_dimension(he((1, m, 1), m, bias=1.0))
        assert found.dim == 2 * m + 1
        assert not found.is_lower_bound
        assert found.num_regions == m + 1
    # As many random inputs find no more, and the deep network's regions are those of a fine grid.
    net = he((1, 4, 4, 1), 2, bias=1.0)
    found = functional_dimension(net)
    grid = torch.linspace(-400, 400, 400_001, **DOUBLE).unsqueeze(1)
    assert batch_functional_dimension(net, grid).num_regions == found.num_regions
    assert functional_dimension(net, points=20_000, scale=(1, 10)).dim <= found.dim


def test_given_inputs_that_are_not_generic():
    # Copies, inputs on a plane, and one outside of it: independent ones of a region are found whatever the order.
    net = he((3, 4), 0)  # one region, rank n_d (n_0 + 1)
    flat = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), **DOUBLE)
    flat[:, 2] = 0
    x = torch.cat([flat[:1].expand(20, 3), flat])
    assert batch_functional_dimension(net, x).dim == 12
    assert batch_functional_dimension(net, torch.cat([x, torch.ones(1, 3)])).dim == 16


def test_other_activations_by_automatic_differentiation():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))
    x = torch.randn(60, 3)
    found = batch_functional_dimension(net, x)
    assert (found.dim, found.max_dim, found.orbit_dim) == (26, 26, 0)
    assert found.what == "batch functional dimension"
    assert "26 of at most 26" in repr(found)
    assert found.per_layer == ()
    assert batch_functional_dimension(net, x[:3]).dim == 6
    # A ReLU network that the reader refuses gives what the structured way does.
    relu = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    wrapped = nn.Sequential(relu, nn.LeakyReLU(1.0))
    assert batch_functional_dimension(wrapped, x).dim == batch_functional_dimension(relu, x).dim == 22


def test_results_repeat_and_can_be_read():
    net, calls = he((5, 5, 5, 1), 0), []
    first = functional_dimension(net, seed=3, progress=lambda done, total: calls.append((done, total)))
    again = functional_dimension(net, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first.singular_values, again.singular_values)
    assert calls[-1][0] == calls[-1][1]
    assert f"of at most {first.max_dim}" in repr(first)
    assert sum(layer.params for layer in first.per_layer) == net.num_params
    with torch.no_grad():
        assert functional_dimension(net.module(), seed=3).dim == first.dim
