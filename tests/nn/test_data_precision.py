"""Data of another floating-point type than a network's weights are named; autocast converts them."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError

W = [("w", "pseudoscalar", 1)]
NETWORKS = {
    "GFNO": (lambda: er.nn.GFNO(3, 2, W, W, "p4"), lambda: (torch.randn(2, 1, 8, 8),), "x"),
    "PONITA": (lambda: er.nn.PONITA(1, 8, 1, 1), lambda: (torch.randn(2, 5, 3), torch.randn(2, 5, 1)), "pos"),
    "PNITA": (lambda: er.nn.PNITA(1, 8, 1, 1), lambda: (torch.randn(2, 5, 3), torch.randn(2, 5, 1)), "pos"),
    "VectorAttention": (lambda: er.nn.VectorAttention(4), lambda: ((torch.randn(2, 5, 3), torch.randn(2, 5, 4)),), "r"),
    "MultivectorAttention": (lambda: er.nn.MultivectorAttention(4), lambda: ((torch.randn(2, 5, 8), torch.randn(2, 5, 4)),), "r"),
}


def double(x):
    return tuple(map(double, x)) if isinstance(x, tuple) else x.double()


def first(y):
    return y[0] if isinstance(y, tuple) else y


@pytest.mark.parametrize("name", NETWORKS)
def test_another_precision_is_named(name):
    make, data, argument = NETWORKS[name]
    net, x = make(), data()
    with pytest.raises(ArgumentError, match="expected float32, as the network's weights are; got float64") as caught:
        net(*double(x))
    assert caught.value.argument == argument
    single = first(net(*x))
    torch.testing.assert_close(first(net.double()(*double(x))).float(), single, rtol=1e-3, atol=1e-4)
    with pytest.raises(ArgumentError, match="expected float64"):
        net(*x)


def test_vectors_and_values_are_both_looked_at():
    r, v = torch.randn(2, 5, 3), torch.randn(2, 5, 4)
    with pytest.raises(ArgumentError) as caught:
        er.nn.VectorAttention(4)((r, v.double()))
    assert caught.value.argument == "v"


def test_autocast_converts():
    net = er.nn.VectorAttention(4)
    r, v = torch.randn(2, 5, 3), torch.randn(2, 5, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = net((r, v.bfloat16()))
    torch.testing.assert_close(found.float(), net((r, v)), rtol=0.1, atol=0.1)
