"""`Shifted`: as exact as its base, for compact groups and others."""

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups import DirectProduct
from erlangen.symmetrize import GramSchmidt, Principal, Shifted, SignFixed
from erlangen.symmetrize.shifted import exponential
from erlangen.testing import check_frame

pytestmark = pytest.mark.filterwarnings("ignore")


def network(inputs: int, outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs)).double()


@pytest.mark.parametrize(
    ("group", "base", "dim"),
    [
        (er.SO(3), SignFixed(), 3),
        (er.O(3), Principal(), 3),
        (er.SE(3), Principal(), 6),
        (er.E(2), SignFixed(), 3),
        (er.SO(1, 3, connected=True), GramSchmidt(), 6),
    ],
    ids=str,
)
def test_is_exact_on_any_base(group, base, dim):
    act = group.point
    n = act.data_shape[-1]
    x = torch.randn(8, 7, n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if n == 4:
        x[..., 0] = x.norm(dim=-1) + 1
    frame = Shifted(base, network(7 * n, dim), largest=1.0)
    assert check_frame(frame, act, x, atol=1e-8 if n == 4 else 1e-9)
    moved = frame(act, x).elements
    assert not torch.allclose(moved, base(act, x).elements.to(moved.dtype))  # the network does move it


def test_gradients_reach_the_network():
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    frame = Shifted(SignFixed(), network(15, 3))
    model = er.symmetrize(network(15, 1), er.SO(3).vector, er.SO(3).scalar, frame=frame)
    model(x).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in frame.network.parameters())


def test_noise_draws_and_spreads_samples():
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    rng = torch.Generator().manual_seed(0)
    frame = Shifted(Principal(), network(15, 3), noise=0.3, samples=5, generator=rng)
    found = frame(er.SO(3).vector, x)
    assert found.elements.shape == (4, 20, 3, 3)
    assert not frame.is_exact
    assert er.SO(3).contains(found.elements).all()
    assert not torch.equal(found.elements, frame(er.SO(3).vector, x).elements)


def test_the_exponential_of_a_product_is_that_of_its_factors():
    group = DirectProduct(er.SO(3), er.Symmetric(4), er.SE(2))
    c = torch.randn(5, 6, dtype=torch.float64)
    turn, swap, motion = exponential(group, c)
    assert torch.allclose(turn, er.SO(3).exp(er.SO(3).algebra.combine(c[:, :3])))
    assert torch.equal(swap, torch.arange(4).expand(5, 4))
    assert torch.allclose(motion, er.SE(2).exp(er.SE(2).algebra.combine(c[:, 3:])))


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Shifted(nn.Identity(), nn.Identity()), "base"),
        (lambda: Shifted(Principal(), nn.Identity(), noise=-1.0), "noise"),
        (lambda: Shifted(Principal(), nn.Identity(), samples=2), "samples"),
        (lambda: Shifted(Principal(), nn.Identity(), largest=0.0), "largest"),
        (lambda: Shifted(Principal(), network(15, 2))(er.SO(3).vector, torch.randn(2, 5, 3, dtype=torch.float64)), "network"),
    ],
)
def test_bad_input_is_named(build, argument):
    with pytest.raises(ArgumentError) as caught:
        build()
    assert caught.value.argument == argument
