"""The structured Jacobian against automatic differentiation, the known group, and what can be read as a ReLU network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hidden_networks import DOUBLE, he, moved
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import weight_spec
from erlangen.parameters.hidden import (
    KnownSymmetries,
    NotReluNetwork,
    PositiveMonomial,
    ReluNetwork,
    functional_dimension,
    generators,
    jacobian,
    orbit_dimension,
    relu_network,
    same_orbit,
)
from erlangen.testing import check_action, check_group


@pytest.mark.parametrize("widths", [(3, 5, 1), (4, 6, 5, 3), (2, 3, 4, 3, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_jacobian_is_that_of_jacrev(widths, seed):
    net = he(widths, seed)
    x = torch.randn(9, widths[0], generator=torch.Generator().manual_seed(seed + 50), **DOUBLE)
    module = net.module()

    def outputs(params):
        return torch.func.functional_call(module, params, (x,))

    parts = torch.func.jacrev(outputs)(dict(module.named_parameters()))
    expected = torch.cat([parts[name].flatten(2) for name, _ in module.named_parameters()], -1).detach()
    found = jacobian(net, x)
    assert found.shape == (9, widths[-1], net.num_params)
    assert float((found - expected).abs().max()) <= 1e-12 * float(expected.abs().max())


def test_batches_of_parameters_go_in_one_pass():
    nets = [he((3, 4, 5, 2), seed) for seed in range(4)]
    batch = ReluNetwork.from_vector(torch.stack([n.vector for n in nets]), (3, 4, 5, 2))
    x = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(0), **DOUBLE)
    assert batch(x).shape == (4, 7, 2)
    together, lead = jacobian(batch, x), generators(batch)
    for i, net in enumerate(nets):
        assert torch.allclose(together[i], jacobian(net, x[i]), rtol=0, atol=1e-13)
        assert torch.equal(lead[i], generators(net))
        assert torch.equal(batch.member(i).vector, net.vector)


@pytest.mark.parametrize("seed", range(3))
def test_generators_are_derivatives_of_the_action(seed):
    net = he((3, 4, 5, 2), seed)
    act = KnownSymmetries(net)
    (first, second), step = act.group.identity(**DOUBLE), 1e-6
    found = generators(net)
    for neuron in range(9):
        a, b = first.clone(), second.clone()
        (a if neuron < 4 else b).diagonal()[neuron if neuron < 4 else neuron - 4] += step
        difference = (ReluNetwork.from_params(act.act((a, b), net.params)).vector - net.vector) / step
        assert torch.allclose(difference, found[neuron], atol=1e-5)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), **DOUBLE)
    assert float((jacobian(net, x).flatten(0, 1) @ found.mT).abs().max()) < 1e-12


def test_the_known_group_is_a_group_that_acts_and_keeps_the_function():
    assert check_group(PositiveMonomial(4))
    net = he((3, 4, 5, 2), 0)
    assert check_action(KnownSymmetries(net), net.params)
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), **DOUBLE)
    for seed in range(5):
        other = moved(net, seed, 2.0)
        assert float((other(x) - net(x)).abs().max()) <= 1e-12 * float(net(x).abs().max())
        assert same_orbit(net, other)
        assert not same_orbit(net, he((3, 4, 5, 2), seed + 1))


def test_permutations_are_those_of_the_weight_spec():
    net = he((3, 4, 5, 2), 0)
    assert weight_spec(net.module()) == net.spec
    sigma = net.spec.random_permutation(torch.Generator().manual_seed(3))
    matrices = tuple(torch.eye(len(s), **DOUBLE)[s.argsort()] for s in sigma)
    ours = KnownSymmetries(net).act(matrices, net.params)
    theirs = net.spec.apply_permutation(net.params, sigma)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_orbit_dimension_is_a_rank():
    net = he((3, 4, 4, 1), 0)
    assert orbit_dimension(net) == 8
    w, b = (t.clone() for t in (net.weights[1], net.biases[1]))
    last = net.weights[2].clone()
    w[2], b[2], last[:, 2] = 0, 0, 0  # a neuron that nothing enters and nothing leaves
    assert orbit_dimension(net.replaced({1: (w, b), 2: (last, net.biases[2])})) == 7
    assert orbit_dimension(moved(net, 1, 4.0)) == 8
    assert orbit_dimension(he((3, 2), 0)) == 0


class Written(nn.Module):
    """A module with functions and a reshaping."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.second(nn.functional.relu(self.first(x.view(x.size(0), -1))))


def test_what_is_read():
    torch.manual_seed(0)
    nested = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout()), nn.Linear(5, 2))
    for model in (nested, Written(), nn.Linear(4, 2)):
        before = {name: t.clone() for name, t in model.state_dict().items()}
        assert relu_network(model).widths[0] == 4
        functional_dimension(model, points=20)
        assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
        assert model.training
    pairs = [(np.ones((3, 2)), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))]
    assert relu_network(pairs).weights[0].dtype == torch.float64


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), "Tanh '1'"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), "nothing between"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "behind the last"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.ReLU(), nn.Linear(3, 1)), "does not follow"),
        (nn.Sequential(nn.ReLU()), "does not follow"),
    ],
    ids=["tanh", "no-relu", "relu-last", "relu-twice", "no-layer"],
)
def test_other_models_are_refused_by_name(model, said):
    with pytest.raises(NotReluNetwork, match=said):
        relu_network(model)


def test_shared_layers_branches_and_missing_biases_are_refused():
    layer = nn.Linear(3, 3)
    with pytest.raises(NotReluNetwork, match="twice"):
        relu_network(nn.Sequential(layer, nn.ReLU(), layer))
    with pytest.raises(ArgumentError, match="bias"):
        relu_network(nn.Sequential(nn.Linear(3, 3, bias=False)))

    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return x + self.layer(x)

    with pytest.raises(NotReluNetwork, match="'add'"):
        relu_network(Skips())


def test_bad_input_names_the_argument():
    net = he((2, 3, 1), 0)
    bad = [(w.clone(), b.clone()) for w, b in zip(net.weights, net.biases)]
    bad[0][0][0, 0] = float("nan")
    for arguments, keywords, name in [
        ((bad,), {}, "weights"),
        ((net, torch.randn(5, 3)), {}, "points"),
        ((net, torch.zeros(0, 2)), {}, "points"),
        ((net, 0), {}, "points"),
        ((net, "some"), {}, "points"),
        ((net,), {"multiple": 0}, "multiple"),
        ((net,), {"scale": (1.0, -1.0)}, "scale"),
        ((net,), {"method": "qr"}, "method"),
        (([(torch.zeros(0, 2), torch.zeros(0))],), {}, "weights"),
        ((7,), {}, "model"),
    ]:
        with pytest.raises(ValueError, match=f"argument '{name}"):
            functional_dimension(*arguments, **keywords)
    whole = [(torch.tensor([[1.0, 1.0]]), torch.tensor([0.0])), (torch.ones(1, 1), torch.zeros(1))]
    with pytest.raises(ArgumentError, match="argument 'points'.*kinks"):
        functional_dimension(whole, torch.tensor([[1.0, -1.0], [2.0, -2.0]]))  # integers on a kink
    with pytest.warns(UserWarning, match="float16"):
        functional_dimension(nn.Linear(2, 1).half(), points=10)
