"""What is left of a network's symmetries: closed forms, brute force over all permutations, and the networks themselves."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.parameters import asymmetrize, residual_symmetry_group, weight_spec
from erlangen.parameters.asymmetric import FixedEntries, FixedGate, connection_mask


def mlp(*widths, act=nn.GELU):
    layers = [part for i, o in itertools.pairwise(widths) for part in (nn.Linear(i, o), act())]
    return nn.Sequential(*layers[:-1])


def fix(layer, mask, values):
    parametrize.register_parametrization(layer, "weight", FixedEntries(mask, values))


def test_a_perceptron_has_all_permutations():
    left = residual_symmetry_group(mlp(20, 64, 64, 64, 2))
    assert left.order == math.factorial(64) ** 3
    assert left.log10_order == pytest.approx(267.31, abs=0.005)
    assert left.exact
    assert not left.is_trivial
    assert left.scalings is None
    assert left.group == weight_spec(mlp(20, 64, 64, 64, 2)).group


@pytest.mark.parametrize("mask", ["random_subsets", "unique_subsets", "bound_zeros", "densest"])
def test_fixed_entries_in_all_layers_leave_nothing(mask):
    left = residual_symmetry_group(asymmetrize(mlp(20, 64, 64, 64, 2), n_fix=[2, 3, 3, 3], mask=mask))
    assert left.is_trivial
    assert left.order == left.at_most == 1
    assert all(len(members) == 1 for classes in left.classes.values() for members in classes)


def test_fixed_gates_leave_nothing():
    left = residual_symmetry_group(asymmetrize(mlp(6, 8, 8, 2), "sigma"))
    assert left.is_trivial
    assert dict(left.spec.labels) == {"0": 8, "2": 8}


def test_equal_rows_with_equal_values_can_still_be_exchanged():
    # 28 subsets of 2 of 8 inputs for 64 rows: those with the same subset are a class, for the fixed entries are all 1.
    net = mlp(8, 64, 3)
    mask = connection_mask("random_subsets", 64, 8, 2, torch.Generator().manual_seed(0))
    fix(net[0], mask, torch.ones(64, 8))
    left = residual_symmetry_group(net)
    rows = [tuple(row) for row in mask.tolist()]
    expected = {tuple(i for i, other in enumerate(rows) if other == row) for row in rows}
    assert set(left.classes["0"]) == expected
    assert left.exact
    assert left.order == math.prod(math.factorial(len(c)) for c in expected) > 1
    assert left.group.order == left.order
    # With values that differ nothing is left, and neither where the next layer tells columns apart.
    other = mlp(8, 64, 3)
    fix(other[0], mask, torch.randn(64, 8))
    assert residual_symmetry_group(other).is_trivial
    fix(net[2], torch.rand(3, 64) > 0.5, torch.randn(3, 64))
    assert residual_symmetry_group(net).order < left.order


@pytest.mark.parametrize("seed", range(12))
def test_the_bounds_are_those_of_all_permutations_tried_one_by_one(seed):
    generator = torch.Generator().manual_seed(seed)
    net = mlp(2, 4, 4, 1)
    arrays = []
    for layer in (0, 2, 4):
        shape = net[layer].weight.shape
        mask = torch.rand(shape, generator=generator) > 0.3
        values = torch.where(mask, 0.0, torch.randint(1, 3, shape, generator=generator).float())
        arrays.append((mask, values))
        fix(net[layer], mask, values)
    left = residual_symmetry_group(net)
    every = [torch.tensor(p) for p in itertools.permutations(range(4))]
    one, two = torch.arange(1), torch.arange(2)
    count = 0
    for p, q in itertools.product(every, every):
        moves = [(p, two), (q, p), (one, q)]
        count += all(torch.equal(t[r][:, c], t) for pair, (r, c) in zip(arrays, moves) for t in pair)
    assert left.order <= count <= left.at_most
    assert left.exact == (left.order == left.at_most)


def test_permutations_of_several_neurons_at_once_are_bounded_not_claimed():
    # A circulant of fixed entries is kept by turning rows and columns together, and by no exchange.
    net = mlp(2, 5, 5, 1)
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[torch.arange(5), torch.arange(5)] = False
    mask[torch.arange(5), (torch.arange(5) + 1) % 5] = False
    fix(net[2], mask, torch.ones(5, 5))
    left = residual_symmetry_group(net)
    assert not left.exact
    assert left.order == 1
    assert left.at_most == math.factorial(5) ** 2  # the ten of a dihedral group are among them
    assert not left.is_trivial


def test_elements_that_remain_change_neither_the_function_nor_what_is_fixed():
    net = mlp(6, 12, 5, 2, act=nn.Tanh).double()
    fix(net[0], connection_mask("random_subsets", 12, 6, 1, torch.Generator().manual_seed(1)), torch.ones(12, 6).double())
    left = residual_symmetry_group(net)
    assert left.order > 1
    plain = mlp(6, 12, 5, 2, act=nn.Tanh).double()
    plain.load_state_dict({f"{i}.{n}": getattr(net[i], n).detach() for i in (0, 2, 4) for n in ("weight", "bias")})
    sigma = left.group.sample(generator=torch.Generator().manual_seed(2))
    moved = left.spec.apply_permutation(dict(plain.named_parameters()), sigma)
    x = torch.randn(9, 6, dtype=torch.float64)
    torch.testing.assert_close(torch.func.functional_call(plain, moved, (x,)), net(x), rtol=1e-12, atol=1e-12)
    fixed = ~net[0].parametrizations.weight[0].mask
    assert torch.equal(moved["0.weight"][fixed], net[0].weight[fixed])
    assert not torch.equal(moved["0.weight"], net[0].weight)


def test_moving_the_neurons_of_an_asymmetric_network_changes_what_it_computes():
    plain, asymmetric = mlp(20, 16, 16, 2).double(), asymmetrize(mlp(20, 16, 16, 2).double())
    x = torch.randn(8, 20, dtype=torch.float64)
    spec = weight_spec(plain)
    sigma = spec.random_permutation(torch.Generator().manual_seed(0))
    moved = spec.apply_permutation(dict(plain.named_parameters()), sigma)
    torch.testing.assert_close(torch.func.functional_call(plain, moved, (x,)), plain(x), rtol=1e-12, atol=1e-12)
    names = {name: name.replace("parametrizations.weight.original", "weight") for name, _ in asymmetric.named_parameters()}
    trained = spec.apply_permutation({names[n]: p for n, p in asymmetric.named_parameters()}, sigma)
    other = torch.func.functional_call(asymmetric, {n: trained[names[n]] for n in names}, (x,))
    assert (other - asymmetric(x)).abs().max() > 0.01


def test_relu_neurons_without_fixed_entries_can_be_scaled():
    net = mlp(4, 6, 3, 2, act=nn.ReLU).double()
    assert {k: s.all().item() for k, s in residual_symmetry_group(net).scalings.items()} == {"0": True, "2": True}
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[:2, 0] = False
    values = torch.zeros(6, 4).double()
    values[0, 0] = 2.0  # row 1 has a fixed zero, which scales along
    fix(net[0], mask, values)
    later = torch.ones(3, 6, dtype=torch.bool)
    later[0, 5] = False
    fix(net[2], later, torch.ones(3, 6).double())
    left = residual_symmetry_group(net)
    assert left.scalings["0"].tolist() == [False, True, True, True, True, False]
    assert left.scalings["2"].tolist() == [False, True, True]
    # The scaling of neuron 1 keeps the function and the fixed entries.
    x = torch.randn(7, 4, dtype=torch.float64)
    before = net(x)
    with torch.no_grad():
        net[0].parametrizations.weight.original[1] *= 3
        net[0].bias[1] *= 3
        net[2].parametrizations.weight.original[:, 1] /= 3
    torch.testing.assert_close(net(x), before, rtol=1e-12, atol=1e-12)
    assert residual_symmetry_group(asymmetrize(mlp(4, 6, 3, 2, act=nn.ReLU))).scalings["0"].any().item() is False


@pytest.mark.parametrize("act", [nn.LeakyReLU, nn.PReLU])
def test_other_activations_that_scale_and_layers_without_bias(act):
    net = nn.Sequential(nn.Linear(3, 4, bias=False), act(), nn.Linear(4, 2))
    assert residual_symmetry_group(net).scalings["0"].tolist() == [True] * 4
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[2, 1] = False
    fix(net[0], mask, torch.ones(4, 3))
    left = residual_symmetry_group(net)
    assert left.scalings["0"].tolist() == [True, True, False, True]
    assert left.classes["0"] in (((0, 1, 3), (2,)), ((2,), (0, 1, 3)))
    x = torch.randn(5, 3)
    before = net(x)
    with torch.no_grad():
        net[0].parametrizations.weight.original[3] *= 4
        net[2].weight[:, 3] /= 4
    torch.testing.assert_close(net(x), before)


def test_gates_of_convolutions():
    make = lambda: nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3))  # noqa: E731
    example = torch.randn(1, 2, 6, 6)
    assert residual_symmetry_group(asymmetrize(make(), "sigma", example=example), example).order == 1


def test_convolutions_and_their_flattened_channels():
    make = lambda: nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4, 3))  # noqa: E731
    example = torch.randn(1, 2, 6, 6)
    assert residual_symmetry_group(make(), example).order == math.factorial(5) * math.factorial(4)
    assert residual_symmetry_group(asymmetrize(make()), example).is_trivial
    only = residual_symmetry_group(asymmetrize(make(), layers=["5"]), example)  # columns: positions in groups of a channel
    assert only.order == math.factorial(5)
    assert sorted(len(classes) for classes in only.classes.values()) == [1, 4]


def test_heads_of_attention_are_permuted_as_wholes():
    layer = nn.TransformerEncoderLayer(8, 4, 12, batch_first=True, dropout=0.0)
    free = residual_symmetry_group(layer)
    assert free.order == weight_spec(layer).group.order
    broken = residual_symmetry_group(asymmetrize(layer, layers=["linear1"], n_fix=2))
    assert broken.order < free.order
    assert broken.exact


def test_a_gate_alone_and_a_network_without_hidden_units():
    assert residual_symmetry_group(nn.Sequential(nn.Linear(3, 4), FixedGate(4), nn.Linear(4, 1))).is_trivial
    left = residual_symmetry_group(nn.Linear(3, 2))
    assert left.order == 1
    assert left.group == er.DirectProduct(er.Symmetric(1))


def test_fixed_entries_beside_another_parametrisation_are_refused():
    net = asymmetrize(mlp(4, 3, 2))
    nn.utils.parametrizations.spectral_norm(net[0])
    with pytest.raises(ArgumentError, match="model"):
        residual_symmetry_group(net)


def test_a_single_neuron_can_be_scaled():
    """It has nothing to be exchanged with, so no label, and is free all the same."""
    net = nn.Sequential(nn.Linear(3, 1), nn.ReLU(), nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2))
    found = residual_symmetry_group(net)
    assert {name: s.tolist() for name, s in found.scalings.items()} == {"0": [True], "2": [True] * 4}
    assert not residual_symmetry_group(nn.Sequential(nn.Linear(3, 1), nn.ReLU(), nn.Linear(1, 2))).is_trivial
    fixed = asymmetrize(nn.Sequential(nn.Linear(3, 1), nn.ReLU(), nn.Linear(1, 2)), n_fix=1, layers=["0"])
    assert residual_symmetry_group(fixed).is_trivial
