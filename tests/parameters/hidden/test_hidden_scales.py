"""Inputs, outputs and kinks on any scale and far from zero: every number is what it is on a scale of one."""

from __future__ import annotations

import warnings

import pytest
import torch
from hidden_networks import DOUBLE, he
from test_hidden_diagnose import difference
from torch import nn

from erlangen.parameters.hidden import (
    ReluNetwork,
    apply_move,
    batch_functional_dimension,
    bounds,
    diagnose,
    functional_dimension,
    jacobian,
    orbit_dimension,
    same_orbit,
    simplify,
)
from erlangen.parameters.hidden.observe import observe

SCALES = torch.tensor([1.0, 1e6, 1e-3], **DOUBLE)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **DOUBLE)


def scaled(net, scales=SCALES):
    """The network of features that are ``scales`` times as large, with the same outputs."""
    return net.replaced({0: (net.weights[0] / scales, net.biases[0])})


@pytest.mark.parametrize("method", ["svd", "sketch", "exact", "auto"])
@pytest.mark.parametrize(("widths", "expected"), [((3, 13, 1), 53), ((3, 5, 5, 2), 52)], ids=str)
def test_features_on_any_scale_see_the_same_dimension(widths, expected, method):
    net, x = he(widths, 0), normal(4000, 3)
    for moved, inputs in ((net, x), (scaled(net), x * SCALES), (scaled(net), (x * SCALES).float().double())):
        found = functional_dimension(moved, inputs, method=method)
        assert (found.dim, found.num_on_kinks, found.is_lower_bound) == (expected, 0, False)
        assert found.gap > 1e6


def test_the_null_space_of_scaled_and_shifted_inputs_is_one():
    net = he((3, 4, 1), 0)
    w, b = net.weights[0] / SCALES, net.biases[0]
    centre = 1e4 * SCALES
    net = net.replaced({0: (w, b - w @ centre)})
    x = normal(300, 3) * SCALES + centre
    found = functional_dimension(net, x)
    assert found.dim == found.max_dim == 17
    rows = jacobian(net, x).flatten(0, 1)
    null = found.null_space()
    assert float(((rows @ null).norm(dim=-1) / rows.norm(dim=-1)).max()) < 1e-11


def breakpoints(far, near=0.0, count=40):
    """A network of one input with kinks from ``near - far`` to ``near + far``."""
    w = normal(count, 1)
    return ReluNetwork(
        (w, normal(1, count, seed=1)), (-w[:, 0] * (near + torch.linspace(-far, far, count, **DOUBLE)), torch.zeros(1))
    )


@pytest.mark.parametrize("method", ["svd", "sketch", "exact", "auto"])
@pytest.mark.parametrize(("far", "near"), [(1e5, 0), (1e6, 0), (1e12, 0), (1e-12, 0), (1.0, 1e5), (1e-4, 3.0)])
def test_kinks_on_any_scale_are_all_found(far, near, method):
    found = functional_dimension(breakpoints(far, near), method=method)
    assert (found.dim, found.num_regions, found.is_lower_bound) == (81, 41, False)
    assert found.gap > 1e6


def test_a_slope_of_rounding_is_no_kink():
    # 0.1 + 0.2 - 0.3 is 5e-17: the second layer's neuron is constant, and has no kink at 1e16.
    first = (torch.ones(3, 1), torch.tensor([5.0, 5.0, 5.0]))
    second = (torch.tensor([[0.1, 0.2, -0.3]], **DOUBLE), torch.ones(1))
    net = ReluNetwork((first[0], second[0], torch.ones(1, 1)), (first[1], second[1], torch.zeros(1)))
    assert functional_dimension(net).num_regions == 2


def test_where_singular_values_do_not_decide_the_exact_rank_does():
    # Kinks from 1e4 to 1e20.
    w = normal(20, 1)
    net = ReluNetwork((w, normal(1, 20, seed=1)), (-w[:, 0] * torch.logspace(4, 20, 20, **DOUBLE), torch.zeros(1)))
    found = functional_dimension(net)
    assert (found.dim, found.method, found.gap, found.is_lower_bound) == (41, "exact", float("inf"), False)
    with pytest.warns(UserWarning, match="no clear gap"):
        guess = functional_dimension(net, method="svd")
    assert guess.dim == 40
    assert guess.is_lower_bound


def test_other_activations_on_scaled_features():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 1)).double()
    x = normal(200, 3)
    assert batch_functional_dimension(net, x).dim == 21
    for scales in (SCALES, torch.tensor([1.0, 1e11, 1.0], **DOUBLE), torch.tensor([1.0, 1e9, 1e-9], **DOUBLE)):
        other = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 1)).double()
        other.load_state_dict(net.state_dict() | {"0.weight": net[0].weight.detach() / scales})
        found = batch_functional_dimension(other, x * scales)
        assert (found.dim, found.is_lower_bound) == (21, False)


class Attends(nn.Module):
    """The bias of keys shifts all weights of attention alike, so its derivative is zero, and computed as rounding."""

    def __init__(self):
        super().__init__()
        self.inp, self.attention, self.out = nn.Linear(2, 4), nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 1)

    def forward(self, x):
        h = self.inp(x)
        return self.out(self.attention(h, h, h, need_weights=False)[0])[:, 0]


def test_rounding_is_no_derivative():
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*lower bound")
        found = batch_functional_dimension(Attends(), normal(400, 3, 2))
    null = found.null_space()
    assert found.gap > 1e3
    assert not found.is_lower_bound
    start = 12 + 48 + 4  # inp, in_proj_weight, the query's biases
    assert torch.allclose(null[start : start + 4].norm(dim=1), torch.ones(4, **DOUBLE))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_a_derivative_far_from_zero_is_no_rounding(offset, dtype):
    """Far from zero derivatives depend a million times as much on the parameters; in 60 digits no singular value is below 1e-9."""
    torch.manual_seed(3)
    scales = torch.tensor([1e8, 1.0, 1e-8], **DOUBLE)
    for seed in range(4):
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        with torch.no_grad():
            net[0].bias -= offset * net[0].weight.sum(1)
            net[0].weight /= scales
        x = (normal(200, 3, seed=seed) + offset) * scales
        found = batch_functional_dimension(net.to(dtype), x.to(dtype))
        assert (found.dim, found.is_lower_bound) == (26, False)


def almost_parallel():
    """Two neurons that differ in the feature of large scale alone, whose weights are small."""
    w, b = normal(5, 3), normal(5, seed=1)
    w[1], b[1] = 2 * w[0], 2 * b[0]
    w[1, 1] *= -1
    return scaled(ReluNetwork((w, normal(1, 5, seed=2)), (b, torch.zeros(1))))


def test_neurons_that_differ_in_small_weights_are_not_merged():
    net, x = almost_parallel(), normal(2000, 3) * SCALES
    assert diagnose(net, x).mechanisms == ()
    smaller = simplify(net, x)
    assert smaller.removed == 0
    assert difference(net, smaller.network, x) == 0
    # Those that do not differ are.
    w, b = net.weights[0].clone(), net.biases[0].clone()
    w[1], b[1] = 3 * w[0], 3 * b[0]
    net = net.replaced({0: (w, b)})
    assert [m.name for m in diagnose(net, x).mechanisms] == ["parallel"]
    assert simplify(net, x).removed == 1
    assert difference(net, simplify(net, x).network, x) < 1e-12


def test_stably_active_neurons_of_scaled_features_fold_to_as_many_as_are_needed():
    scales = torch.tensor([1e-8, 1e8, 1.0], **DOUBLE)
    net = scaled(ReluNetwork((normal(5, 3), normal(4, 5, seed=1)), (torch.full((5,), 30.0), torch.zeros(4))), scales)
    x = normal(500, 3) * scales
    found = simplify(net, x)
    assert found.network.widths == (3, 3, 4)
    assert difference(net, found.network, x) < 1e-12


def test_orbits_see_every_column():
    net = scaled(he((3, 5, 1), 0))
    w = net.weights[0].clone()
    w[:, 1] *= 3
    assert not same_orbit(net, net.replaced({0: (w, net.biases[0])}))
    assert same_orbit(net, scaled(he((3, 5, 1), 0), SCALES.clone()))
    assert orbit_dimension(scaled(he((3, 5, 5, 1), 0), 1e12 * SCALES)) == 10


def test_scalings_that_move_nothing_are_counted():
    # Neurons 0 and 0 of both layers are joined to each other alone: scaling both moves nothing.
    first, second, third = normal(3, 2), normal(3, 3), normal(1, 3)
    first[0], second[:, 0], second[0, :], third[:, 0] = 0, 0, 0, 0
    second[0, 0] = 1e-9
    a, b = normal(3), normal(3)
    a[0] = b[0] = 0
    assert orbit_dimension(ReluNetwork((first, second, third), (a, b, torch.zeros(1)))) == 5


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_bounds_are_as_sharp_on_every_scale(size):
    first = (torch.tensor([[1.0], [-1.0]], **DOUBLE), torch.tensor([0.0, 2.0], **DOUBLE))
    for constant, high in ((1.0, -1.0), (1.8, -0.2), (2.2, 0.2)):
        second = (-torch.ones(1, 2), torch.full((1,), constant, **DOUBLE))
        net = ReluNetwork((first[0], second[0], torch.ones(1, 1)), (size * first[1], size * second[1], torch.zeros(1)))
        wanted = (torch.zeros(2, dtype=torch.bool), torch.ones(1, dtype=torch.bool))
        assert float(bounds(net, wanted=wanted).high[1]) == pytest.approx(size * high)
        assert float(bounds(net, (-5 * size, 5 * size), wanted).high[1]) == pytest.approx(size * high)


def test_what_the_solver_leaves_open_is_not_proved():
    # At most 1e-9, which is above zero and below what the solver resolves.
    first = (torch.tensor([[1.0], [-1.0]], **DOUBLE), torch.tensor([0.0, 2.0], **DOUBLE))
    net = ReluNetwork(
        (first[0], -torch.ones(1, 2), torch.ones(1, 1)), (first[1], torch.tensor([2 + 1e-9], **DOUBLE), torch.zeros(1))
    )
    assert float(bounds(net, wanted=(torch.zeros(2) > 0, torch.ones(1) > 0)).high[1]) > 0


def test_images_far_from_zero_are_not_collapsed():
    # Activations that vary by one around 1e13, where a singular value is 1e-13 of another.
    offset = 1e13
    w = torch.cat([torch.tensor([[1.0, -1.0, 0.5]], **DOUBLE), normal(1, 3)])
    net = ReluNetwork(
        (normal(3, 3), w, normal(1, 2, seed=3)),
        (torch.full((3,), offset, **DOUBLE), -0.5 * offset * torch.tensor([1.0, 9]), torch.zeros(1)),
    )
    assert diagnose(net).of("collapsed image") == ()


def test_moves_keep_the_small_output_too():
    # Nothing arrives at the second output from the neuron that is off, and it is 1e-12 of the first.
    net = he((3, 6, 6, 2), 0)
    last = net.weights[2].clone()
    last[0] *= 1e12
    net = net.replaced({2: (last, net.biases[2])})
    x = normal(2000, 3, seed=9)
    for move in diagnose(net).moves:
        other = apply_move(net, move, min(1.0, move.high))
        change = (other(x) - net(x)).abs().amax(0) / net(x).abs().amax(0)
        assert float(change.max()) < 1e-9, move


def test_inputs_on_a_kink_are_those_whose_sign_rounding_decides():
    net = ReluNetwork((torch.tensor([[1.0, -1e-6]], **DOUBLE), torch.ones(1, 1)), (torch.zeros(1), torch.zeros(1)))
    x = torch.tensor([[1.0, 1e6], [1.0, 1e6 * (1 + 1e-12)], [3.0, 1.0]], **DOUBLE)
    assert len(observe(net, x, torch.Generator()).x) == 2
