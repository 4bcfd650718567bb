"""Vector neurons: rotations pass through, in training too."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.groups import O
from erlangen.nn import VectorNeurons
from erlangen.nn.vector_neurons import VectorReLU


def turned(R, x):
    return torch.einsum("ij,bnjc->bnic", R, x)


@pytest.mark.parametrize("train", [False, True])
def test_equivariance_with_dropout_of_whole_vectors(train):
    torch.manual_seed(0)
    net = VectorNeurons(2, 3, dropout=0.3).double().train(train)
    x = torch.randn(4, 6, 3, 2, dtype=torch.float64)
    for R in O(3).sample(10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)):
        torch.manual_seed(5)
        here = torch.einsum("ij,bjm->bim", R, net(x))
        torch.manual_seed(5)  # the same vectors are dropped
        assert (net(turned(R, x)) - here).abs().max() < 1e-12


def test_order_of_points_and_padding_do_not_matter():
    net = VectorNeurons(1, 2).double()
    x = torch.randn(4, 6, 2, 1, dtype=torch.float64)
    assert torch.allclose(net(x), net(x[:, torch.randperm(6)]), atol=1e-12)
    padded = torch.cat([x, 99 * torch.ones(4, 3, 2, 1, dtype=torch.float64)], 1)
    mask = torch.cat([torch.ones(4, 6, 1), torch.zeros(4, 3, 1)], 1)
    assert torch.allclose(net(padded, mask), net(x), atol=1e-12)


def test_relu_removes_what_points_against_the_direction():
    relu = VectorReLU(3).double()
    y = torch.randn(50, 3, 3, dtype=torch.float64)
    k = relu.direction(y)
    assert (relu(y) * k).sum(-2).min() > -1e-4
    kept = (y * k).sum(-2, keepdim=True).expand_as(y) >= 0
    assert torch.equal(relu(y)[kept], y[kept])


def test_no_parameter_is_a_bias():
    net = VectorNeurons(2, 3)
    assert all(p.ndim == 2 for p in net.parameters())
    assert net(torch.zeros(2, 4, 3, 2)).abs().max() == 0


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: VectorNeurons(0, 3), "inputs"),
        (lambda: VectorNeurons(1, 3, width=0), "width"),
        (lambda: VectorNeurons(1, 3, dropout=1.0), "dropout"),
    ],
)
def test_bad_input_is_named(build, argument):
    with pytest.raises(ArgumentError) as caught:
        build()
    assert caught.value.argument == argument
