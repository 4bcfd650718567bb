"""What padding holds, what ran first and in which precision must not change a layer's numbers."""

import pytest
import torch

import erlangen as er
from erlangen.maps import EquivariantMaps
from erlangen.nn import EquivariantLinear, LieGNN, NormActivation, TensorProduct, VectorNeurons
from erlangen.nn.soft_mlp import TensorProducts
from erlangen.nn.vector_neurons import VectorReLU
from erlangen.reps.layout import Layout, TensorType

NAN = float("nan")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- padding ----


@pytest.mark.parametrize("filling", [NAN, float("inf"), 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [1, 2])
def test_whatever_stands_in_padding_reaches_neither_outputs_nor_gradients(filling, dtype, power):
    V = er.Symmetric(5).vector ** power
    layer = EquivariantLinear(V, V + V.group.scalar, (2, 3), normalize="mean", dtype=dtype, generator=seeded())
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    x = torch.randn(2, 2, V.dim, generator=seeded(1), dtype=dtype)
    real = mask if power == 1 else (mask[:, :, None] & mask[:, None, :]).flatten(1)
    dirty = torch.where(real[:, None], x, filling).requires_grad_()
    clean = torch.where(real[:, None], x, 0.0).requires_grad_()
    found, wanted = layer(dirty, mask), layer(clean, mask)
    assert torch.equal(found, wanted)
    assert not found[..., : V.dim][~real[:, None].expand(2, 3, V.dim)].any()
    a = torch.autograd.grad(found.square().sum(), [layer.weight, dirty])
    b = torch.autograd.grad(wanted.square().sum(), [layer.weight, clean])
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])


def test_padded_nodes_of_a_cloud_may_hold_nan():
    net = LieGNN(torch.eye(3), width=8, blocks=2).double().eval()
    x = torch.randn(2, 4, 3, generator=seeded(), dtype=torch.float64)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    dirty, clean = (torch.where(mask.unsqueeze(-1), x, value) for value in (NAN, 0.0))
    found, wanted = net(dirty, mask=mask), net(clean, mask=mask)
    assert torch.equal(found, wanted)
    a = torch.autograd.grad(found.sum(), list(net.parameters()))
    b = torch.autograd.grad(wanted.sum(), list(net.parameters()))
    assert all(torch.equal(i, j) for i, j in zip(a, b))


def test_points_that_count_nothing_may_hold_nan():
    net = VectorNeurons(1, 2).double()
    x = torch.randn(2, 4, 3, 1, generator=seeded(), dtype=torch.float64)
    weights = torch.tensor([[1.0, 2.0, 0.5, 1.0], [1.0, 1.0, 0.0, 0.0]], dtype=torch.float64).unsqueeze(-1)
    dirty = torch.where(weights.unsqueeze(-1) == 0, NAN, x)
    found, wanted = net(dirty, weights), net(x, weights)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    a = torch.autograd.grad(found.sum(), list(net.parameters()))
    b = torch.autograd.grad(wanted.sum(), list(net.parameters()))
    assert all(torch.allclose(i, j, rtol=1e-10, atol=1e-12) for i, j in zip(a, b))


# ---- inference first ----


@pytest.mark.parametrize(
    "rep",
    [
        er.Symmetric(4).vector ** 2,
        er.SO(3).vector ** 2,
        er.Dihedral(5).irrep(1),
        er.Alternating(4).vector ** 2,
        er.SO(4).vector ** 3,
    ],
    ids=str,
)
def test_a_layer_that_first_ran_in_inference_mode_can_be_trained(rep):
    _first_in_inference_mode(rep, "diagram")


def test_orbits_that_first_ran_in_inference_mode_can_be_trained():
    _first_in_inference_mode(er.Symmetric(4).vector ** 2, "orbit")


def _first_in_inference_mode(rep, basis):
    maps = EquivariantMaps(rep, rep, basis=basis)  # nothing is prepared yet
    weights, x = torch.randn(maps.dim, 2, 2, generator=seeded()), torch.randn(3, 2, rep.dim, generator=seeded(1))
    with torch.inference_mode():
        first = maps(weights, x)
    weights.requires_grad_()
    again = maps(weights, x)
    assert torch.equal(first, again)
    (found,) = torch.autograd.grad((again * x).sum(), [weights])
    fresh = EquivariantMaps(rep, rep, basis=basis)
    assert torch.equal(found, torch.autograd.grad((fresh(weights, x) * x).sum(), [weights])[0])


# ---- half precision ----


@pytest.mark.parametrize("normalize", ["sum", "sqrt", "mean"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_long_sums_are_made_in_float32(normalize, dtype, autocast):
    V = er.Symmetric(5000).vector
    layer = EquivariantLinear(V, V, normalize=normalize, generator=seeded())
    x = torch.full((5000,), 20.0)
    a, b = layer.weight.detach().to(dtype).double().flatten().tolist()
    expected = 20 * (a + b * {"sum": 5000, "sqrt": 5000**0.5, "mean": 1}[normalize])
    if autocast:
        a, b = layer.weight.detach().double().flatten().tolist()
        expected = 20 * (a + b * {"sum": 5000, "sqrt": 5000**0.5, "mean": 1}[normalize])
        with torch.autocast("cpu", dtype):
            found = layer(x)
    else:
        found = layer.to(dtype)(x.to(dtype))
    assert found.dtype == dtype
    assert float((found.detach().double() - expected).abs().max()) <= torch.finfo(dtype).eps * abs(expected)


@pytest.mark.parametrize("rep", [er.O(3).vector ** 2, er.Dihedral(5).irrep(1) + er.Dihedral(5).vector], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_rounds_once(rep, dtype):
    """The rounded layer differs from the exact one on the same rounded weights and data by the last rounding alone."""
    layer = EquivariantLinear(rep, rep, (16, 4), bias=False, generator=seeded()).to(dtype)
    x = torch.randn(32, 16, rep.dim, generator=seeded(1)).to(dtype)
    found = layer(x).detach().double()
    exact = EquivariantMaps(rep, rep, normalize="sqrt")(layer.weight.detach().double(), x.double())
    assert float((found - exact).abs().max()) <= 0.6 * torch.finfo(dtype).eps * float(exact.abs().max())


def test_norms_and_products_do_not_overflow():
    V = er.SO(3).vector
    x = torch.tensor([[300.0, 400.0, 0.0], [0.0, 0.0, 0.0]])
    found = NormActivation(V, "tanh")(x.half())
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.0, 0.0]]).half(), rtol=1e-3, atol=0)
    long, short = torch.full((1, 20), 100.0), torch.full((1, 20), 100.0)
    V = er.O(20).vector
    product = TensorProduct(V, V, max_order=0)
    for y in (product(long.half(), short.half()), product(long, short)):
        torch.testing.assert_close(y.float(), torch.full((1, 1), 200000 / 20**0.5), rtol=1e-3, atol=0)
    with torch.autocast("cpu", torch.float16):
        torch.testing.assert_close(product(long, short).float(), torch.full((1, 1), 200000 / 20**0.5), rtol=1e-3, atol=0)


def test_vector_neurons_and_their_relatives_in_half_precision():
    torch.manual_seed(0)
    x = 300 * torch.randn(2, 4, 3, 2)
    net = VectorNeurons(2, 3)
    exact = net(x)
    low = net.half()(x.half())
    assert float((low.float() - exact).norm() / exact.norm()) < 0.02
    relu = VectorReLU(2)
    exact = relu(x)
    assert float((relu.half()(x.half()).float() - exact).norm() / exact.norm()) < 0.01
    products = TensorProducts(Layout(3, [(TensorType(), 2), (TensorType(1), 2), (TensorType(2), 2)]))
    y = 100 * torch.randn(4, products.layout.dim)
    exact = products(y)
    assert float((products.half()(y.half()).float() - exact).norm() / exact.norm()) < 0.02


def test_masses_are_not_lost_in_half_precision():
    """A light particle of high energy: its mass is the small difference of large squares."""
    net = LieGNN(er.SO(1, 3).form, width=8, blocks=2).eval()
    p = torch.tensor([[[300.0, 0.0, 0.0, 299.0], [200.0, 150.0, 100.0, 50.0]]])
    exact = net(p)
    with torch.autocast("cpu", torch.bfloat16):
        found = net(p)
        torch.testing.assert_close(net._product(p, p), torch.tensor([[599.0, 5000.0]]).float())
    assert found.shape == exact.shape
    torch.testing.assert_close(net._product(p.half(), p.half()), torch.tensor([[599.0, 5000.0]]))
