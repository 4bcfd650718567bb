"""Adapters on numbers of awkward size and under transforms of torch."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, jvp, vmap

from erlangen.parameters.adapters import BoraConfig, DoraConfig, LoraConfig, get_peft_model

CONFIGS = {
    "dora": DoraConfig(r=2),
    "dora-in": DoraConfig(r=2, dora_axis="in"),
    "bora": BoraConfig(r=2),
    "bora-col": BoraConfig(r=2, first="col"),
    "bora-true": BoraConfig(r=2, detach_norms=False),
}


def made(config, sizes=(6, 5), dtype=torch.float64):
    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(*sizes)).to(dtype), config)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.2 * torch.rand(p.shape, dtype=dtype)
    return model


def trained(model):
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e20, 1e30])
def test_matrices_of_any_scale(config, scale):
    torch.manual_seed(0)
    layer = nn.Linear(6, 5, bias=False)
    layer.weight.data *= scale
    x = torch.randn(3, 6) / scale
    expected = layer(x)
    model = get_peft_model(nn.Sequential(layer), CONFIGS[config])
    torch.testing.assert_close(model(x), expected)
    model(x).sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_short_rows_are_no_zero_rows(dtype):
    torch.manual_seed(0)
    layer = nn.Linear(6, 5, bias=False).to(dtype)
    layer.weight.data[2] *= 1e-6 if dtype == torch.float16 else 1e-14
    x = torch.eye(6, dtype=dtype)
    expected = layer(x)
    torch.testing.assert_close(get_peft_model(nn.Sequential(layer), BoraConfig(r=2))(x), expected, atol=0, rtol=1e-2)


def test_lengths_are_not_rounded_by_autocast():
    for config in CONFIGS.values():
        model = made(config, (64, 64), torch.float32)
        w = model.base_model[0].base_layer.weight.detach()
        _, factors = next(next(model.layers()).factors("default"))
        expected = factors.scales(w), factors.matrix(w)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert all(torch.equal(t, expected[0][side]) for side, t in factors.scales(w).items())
            assert torch.equal(factors.matrix(w), expected[1])
            assert model(torch.randn(300, 64)).dtype == torch.bfloat16  # as of a plain layer


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6])
def test_a_large_bias_does_not_drown_the_gradient_of_a_magnitude(scale):
    model = made(DoraConfig(r=2), (64, 32), torch.float32)
    with torch.no_grad():
        model.base_model[0].base_layer.bias[::2] = 1000.0
        next(p for n, p in model.named_parameters() if "magnitude_row" in n).mul_(scale)
    x, g = torch.randn(400, 64), torch.randn(400, 32)  # so many that the matrix is written down
    exact = copy.deepcopy(model).double()
    model(x).backward(g)
    exact(x.double()).backward(g.double())
    for p, q in zip(model.parameters(), exact.parameters()):
        if p.requires_grad:
            torch.testing.assert_close(p.grad.double(), q.grad, rtol=1e-4, atol=1e-4 * float(q.grad.abs().max()))


def test_gradients_of_a_model_of_half_precision():
    model = made(BoraConfig(r=2), (64, 32), torch.float32).to(torch.bfloat16)
    x, g = torch.randn(2000, 64).bfloat16(), torch.randn(2000, 32).bfloat16()
    exact = copy.deepcopy(model).double()
    model(x).backward(g)
    exact(x.double()).backward(g.double())
    for p, q in zip(model.parameters(), exact.parameters()):
        if p.requires_grad:
            assert float((p.grad.double() - q.grad).norm() / q.grad.norm()) < 0.02


@pytest.mark.parametrize("many", [3, 300])
@pytest.mark.parametrize("config", CONFIGS)
def test_forward_mode_batches_and_jacobians(config, many):
    model = made(CONFIGS[config])
    x = torch.randn(many, 6, dtype=torch.float64)
    point = trained(model)

    def out(*values):
        return functional_call(model, dict(zip(point, values)), (x,))

    values = tuple(point.values())
    jacobians = torch.autograd.functional.jacobian(out, values)
    for got, expected in zip(torch.autograd.functional.jacobian(out, values, vectorize=True), jacobians):
        torch.testing.assert_close(got, expected)
    moves = tuple(torch.randn_like(t) for t in values)
    along = sum((j.flatten(2) @ m.flatten() for j, m in zip(jacobians, moves)), torch.zeros(()))
    torch.testing.assert_close(jvp(out, values, moves)[1], along)
    name = next(n for n in point if "magnitude" in n)
    some = torch.stack([point[name], 2 * point[name]])
    got = vmap(lambda m: functional_call(model, point | {name: m}, (x,)))(some)
    torch.testing.assert_close(got[1], functional_call(model, point | {name: some[1]}, (x,)))
    model.eval()
    with torch.no_grad():
        all_of = {n: torch.stack([p, 1.5 * p]) for n, p in point.items()}
        got = vmap(lambda p: functional_call(model, p, (x,)))(all_of)
        torch.testing.assert_close(got[1], functional_call(model, {n: 1.5 * p for n, p in point.items()}, (x,)))
        move = torch.randn_like(x)
        with forward_ad.dual_level():
            tangent = forward_ad.unpack_dual(model(forward_ad.make_dual(x, move))).tangent
        torch.testing.assert_close(tangent, model(x + move) - model(x))


@pytest.mark.parametrize("config", [LoraConfig(r=2), BoraConfig(r=2)])
def test_no_inputs_no_shape_and_no_devices(config):
    model = made(config)
    assert model(torch.zeros(0, 6, dtype=torch.float64)).shape == (0, 5)
    assert model(torch.zeros(6, dtype=torch.float64)).shape == (5,)
    with torch.device("meta"):
        far = get_peft_model(nn.Sequential(nn.Linear(6, 5)), config)
        assert far(torch.zeros(2, 6)).is_meta
    empty = get_peft_model(nn.Sequential(nn.Linear(0, 5)), config)
    assert torch.equal(empty(torch.zeros(2, 0)), empty.base_model[0].base_layer.bias.expand(2, 5))
