"""Asymmetric networks: masks, fixed entries that stay, and that such modules are modules like others."""

import copy
import hashlib
import itertools
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import asymmetrize, residual_symmetry_group, trainable_parameters
from erlangen.parameters.asymmetric import FixedEntries, FixedGate, collide, connection_mask
from erlangen.parameters.asymmetric.network import GATED, differing_parts, fixed_parts

KINDS = ("random_subsets", "unique_subsets", "bound_zeros", "densest")


def mlp(*widths, act=nn.GELU):
    layers = [part for i, o in itertools.pairwise(widths) for part in (nn.Linear(i, o), act())]
    return nn.Sequential(*layers[:-1])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("out", "inp", "n_fix"), [(64, 8, 2), (10, 64, 3), (28, 8, 2), (5, 4, 0)])
def test_every_row_fixes_so_many_inputs(out, inp, n_fix):
    fixed = (~connection_mask("random_subsets", out, inp, n_fix, generator())).sum(1)
    assert fixed.tolist() == [n_fix] * out
    if math.comb(inp, n_fix) >= out:
        mask = connection_mask("unique_subsets", out, inp, n_fix, generator())
        assert (~mask).sum(1).tolist() == [n_fix] * out
        assert not collide(mask)


def test_random_subsets_are_uniform():
    mask = connection_mask("random_subsets", 30_000, 5, 2, generator())
    pairs = dict.fromkeys(itertools.combinations(range(5), 2), 0)
    for row in (~mask).nonzero()[:, 1].view(-1, 2).tolist():
        pairs[tuple(row)] += 1
    # Ten subsets, each of 3000 rows within four standard deviations.
    assert all(abs(count - 3000) < 4 * math.sqrt(30_000 * 0.09) for count in pairs.values())


def test_ordered_masks_follow_their_order():
    assert (~connection_mask("densest", 5, 4, 0)).sum(1).tolist() == [0, 1, 1, 1, 1]
    rows = (~connection_mask("bound_zeros", 8, 4, 2)).tolist()
    subsets = [s for k in (2, 3) for s in itertools.combinations(range(4), k)][:8]
    assert rows == [[i in s for i in range(4)] for s in subsets]
    for kind in ("densest", "bound_zeros"):
        assert not collide(connection_mask(kind, 15, 4, 0))


def test_the_count_of_the_published_network():
    net = asymmetrize(mlp(20, 64, 64, 64, 2), n_fix=[2, 3, 3, 3])
    assert trainable_parameters(net) == 9276
    assert trainable_parameters(mlp(20, 64, 64, 64, 2)) == 9794


def digest():
    """Of everything that is fixed in networks of one seed."""
    found = hashlib.sha256()
    for kind, mask in (("w", "random_subsets"), ("w", "unique_subsets"), ("sigma", "densest")):
        for name, t in fixed_parts(asymmetrize(mlp(20, 64, 2), kind, mask=mask, seed=5)).items():
            found.update(name.encode() + t.numpy().tobytes())
    return found.hexdigest()


def test_what_is_fixed_depends_on_the_seed_alone():
    found = {digest()}
    for hash_seed, threads in (("1", 2), ("random", 1)):
        script = f"import torch, test_asymmetric_network as t; torch.set_num_threads({threads}); print(t.digest())"
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        found.add(
            subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True).stdout.strip()
        )
    assert len(found) == 1
    nets = [asymmetrize(mlp(8, 6, 2), seed=seed) for seed in (0, 0, 1)]
    assert not differing_parts(nets[0], nets[1])
    assert differing_parts(nets[0], nets[2])
    assert differing_parts(nets[0], mlp(8, 6, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fixed_entries_stay_under_weight_decay_bit_for_bit(dtype):
    net = asymmetrize(mlp(10, 16, 16, 3), kappa=[1.0, 0.5, 0.25]).to(dtype)
    before = {name: t.clone() for name, t in fixed_parts(net).items()}
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.3)
    x = torch.randn(32, 10, dtype=dtype)
    for _ in range(100):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    for layer in (net[0], net[2], net[4]):
        part = layer.parametrizations.weight[0]
        fixed = ~part.mask
        assert torch.equal(layer.weight[fixed], part.values[fixed])
        state = optimizer.state[layer.parametrizations.weight.original]
        assert not state["exp_avg"][fixed].any()
        assert not state["exp_avg_sq"][fixed].any()
        assert state["exp_avg_sq"][~fixed].all()
    assert all(torch.equal(t, before[name]) for name, t in fixed_parts(net).items())


@pytest.mark.parametrize("kind", ["w", "sigma"])
def test_asymmetric_modules_are_modules_like_others(kind):
    make = lambda seed: asymmetrize(mlp(6, 5, 4, 2, act=nn.Tanh).double(), kind, seed=seed)  # noqa: E731
    net, x = make(0), torch.randn(7, 6, dtype=torch.float64)
    expected = net(x)
    assert torch.equal(copy.deepcopy(net)(x), expected)
    other = make(1)
    other.load_state_dict(net.state_dict())  # what is fixed travels along
    assert torch.equal(other(x), expected)
    assert not differing_parts(net, other)
    torch.testing.assert_close(torch.func.vmap(net)(x), expected)
    assert torch.equal(torch.func.functional_call(net, dict(net.named_parameters()), (x,)), expected)
    torch.testing.assert_close(torch.compile(net, fullgraph=True, backend="aot_eager")(x), expected)
    torch.testing.assert_close(net.float()(x.float()).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["w", "sigma"])
def test_gradients_are_right_and_can_be_differentiated_again(kind):
    net = asymmetrize(mlp(3, 4, 2, act=nn.Tanh).double(), kind, n_fix=1)
    names = [name for name, _ in net.named_parameters()]
    weights = tuple(p.detach().clone().requires_grad_() for p in net.parameters())
    x = torch.randn(3, 3, dtype=torch.float64)

    def outputs(*values):
        return torch.func.functional_call(net, dict(zip(names, values)), (x,))

    assert torch.autograd.gradcheck(outputs, weights)
    assert torch.autograd.gradgradcheck(outputs, weights)


def test_convolutions_fix_entries_among_channels_and_positions():
    net = asymmetrize(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)), n_fix=5)
    for layer, inputs in ((net[0], 27), (net[2], 72)):
        mask = layer.parametrizations.weight[0].mask
        assert mask.shape == layer.weight.shape
        assert (~mask).flatten(1).sum(1).tolist() == [5] * len(mask)
        assert mask[0].numel() == inputs
    assert net(torch.zeros(2, 3, 8, 8)).shape == (2, 4, 4, 4)


def test_gates_are_what_they_say_on_features_and_on_channels():
    x = torch.randn(5, 7, 4)
    gate = FixedGate(4, generator())
    torch.testing.assert_close(gate(x), torch.sigmoid(x @ gate.fixed_matrix.T) * x)
    images = torch.randn(2, 4, 3, 5)
    channels = FixedGate(4, generator(), axis=1)
    torch.testing.assert_close(channels(images), gate(images.movedim(1, -1)).movedim(-1, 1))
    net = asymmetrize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)), "sigma", example=torch.zeros(1, 3, 8, 8))
    assert isinstance(net[1], FixedGate)
    assert net(torch.zeros(2, 3, 8, 8)).shape == (2, 2, 4, 4)
    assert trainable_parameters(net) == trainable_parameters(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)))


def test_weights_that_are_trained_are_left_as_they_were():
    net = mlp(8, 6, 2)
    before = {name: p.clone() for name, p in net.named_parameters()}
    asymmetrize(net, kappa=0.5, layers=["0"])
    part = net[0].parametrizations.weight[0]
    assert torch.equal(net[0].weight[part.mask], before["0.weight"][part.mask])
    assert torch.equal(net[0].bias, before["0.bias"])
    assert torch.equal(net[2].weight, before["2.weight"])


@pytest.mark.parametrize("mask", KINDS)
def test_all_masks_serve_a_network(mask):
    net = asymmetrize(mlp(12, 16, 16, 3), mask=mask)
    assert sum(isinstance(m, FixedEntries) for m in net.modules()) == 3


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("kind", lambda: asymmetrize(mlp(4, 3, 2), "both")),
        ("values", lambda: asymmetrize(mlp(4, 3, 2), values="zero")),
        ("n_fix", lambda: asymmetrize(mlp(4, 3, 2), n_fix=3)),
        ("n_fix", lambda: asymmetrize(mlp(4, 3, 2), n_fix=[1, 2, 3])),
        ("n_fix", lambda: asymmetrize(mlp(4, 3, 2), n_fix=-1)),
        ("n_fix", lambda: asymmetrize(mlp(4, 3, 2), n_fix=1.5)),
        ("n_fix", lambda: asymmetrize(mlp(4, 3, 2), n_fix=math.nan)),
        ("layers", lambda: asymmetrize(mlp(4, 3, 2), n_fix=1, layers="0")),
        ("mask", lambda: asymmetrize(mlp(8, 64, 2), kappa=1e-60)),
        ("kappa", lambda: asymmetrize(mlp(4, 3, 2), kappa=-1.0)),
        ("kappa", lambda: asymmetrize(mlp(4, 3, 2), kappa=math.nan)),
        ("mask", lambda: asymmetrize(mlp(8, 64, 2), kappa=0.0)),
        ("mask", lambda: asymmetrize(mlp(8, 64, 2), values="constant")),
        ("mask", lambda: asymmetrize(mlp(8, 64, 2), mask="unique_subsets")),
        ("mask", lambda: asymmetrize(mlp(4, 3, 2), mask="none")),
        ("layers", lambda: asymmetrize(mlp(4, 3, 2), layers=["1"])),
        ("module", lambda: asymmetrize(nn.ReLU())),
        ("module", lambda: asymmetrize(nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2)))),
        ("module", lambda: asymmetrize(nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2)), "sigma")),
        ("module", lambda: asymmetrize(nn.Linear(3, 2), "sigma")),
        ("module", lambda: asymmetrize(asymmetrize(mlp(4, 3, 2)))),
        ("mask", lambda: FixedEntries(torch.ones(2, 2), torch.ones(2, 2))),
    ],
)
def test_what_cannot_be_fixed_is_refused(argument, call):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == argument


def test_gates_act_on_what_the_last_layer_gives():
    signals = nn.Sequential(nn.Conv1d(3, 6, 3), nn.ReLU(), nn.Conv1d(6, 2, 3), nn.Flatten(), nn.Tanh())
    asymmetrize(signals, "sigma", example=torch.zeros(1, 3, 10))
    x = signals[0](torch.randn(4, 3, 10))
    expected = torch.sigmoid(torch.einsum("ij,njt->nit", signals[1].fixed_matrix, x)) * x
    torch.testing.assert_close(signals[1](x), expected)
    torch.testing.assert_close(signals[1](x[0]), expected[0])
    assert signals[4].fixed_matrix.shape == (12, 12)
    grids = asymmetrize(nn.Sequential(nn.Linear(3, 6), nn.GELU(), nn.Linear(6, 2)), "sigma", example=torch.zeros(1, 4, 5, 3))
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(grids[1](x), torch.sigmoid(x @ grids[1].fixed_matrix.T) * x)


def test_an_activation_in_two_places_becomes_two_gates():
    act = nn.ReLU()
    net = asymmetrize(nn.Sequential(nn.Linear(3, 4), act, nn.Sequential(nn.Linear(4, 5), act), nn.Linear(5, 2)), "sigma")
    gates = [m for m in net.modules() if isinstance(m, FixedGate)]
    assert [len(g.fixed_matrix) for g in gates] == [4, 5]
    assert not any(isinstance(m, nn.ReLU) for m in net.modules())


class Twice(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second, self.act = nn.Linear(3, 6), nn.Linear(6, width), nn.GELU()

    def forward(self, x):
        return self.act(self.second(self.act(self.first(x))))


def test_an_activation_that_is_called_twice_has_one_width():
    assert asymmetrize(Twice(6), "sigma").act.fixed_matrix.shape == (6, 6)
    with pytest.raises(ArgumentError, match="6 and 5"):
        asymmetrize(Twice(5), "sigma")


def test_numbers_follow_the_names_of_layers():
    net = asymmetrize(mlp(4, 6, 6, 2), n_fix=np.array([3, 1]), kappa=torch.tensor([1.0, 0.5]), layers=["4", "0"])
    counts = {name.partition(".")[0]: (~t).sum(1) for name, t in fixed_parts(net).items() if name.endswith("mask")}
    assert counts["4"].tolist() == [3] * 2
    assert counts["0"].tolist() == [1] * 6
    assert set(counts) == {"0", "4"}


def test_shared_weights_are_left_as_they_are():
    net = nn.ModuleDict({"words": nn.Embedding(7, 4), "head": nn.Linear(4, 7, bias=False), "inner": nn.Linear(4, 4)})
    net["head"].weight = net["words"].weight
    before = net["words"].weight.clone()
    with pytest.raises(ArgumentError, match="'words'"):
        asymmetrize(net, n_fix=1)
    assert torch.equal(net["words"].weight, before)
    assert trainable_parameters(asymmetrize(net, n_fix=1, layers=["inner"])) == 28 + 20 - 4


@pytest.mark.parametrize("act", [kind for kind in GATED if kind is not nn.Threshold])
def test_all_activations_become_gates(act):
    """One that stayed would leave its units all their permutations."""
    net = asymmetrize(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), act(), nn.Linear(8, 2)), "sigma")
    assert isinstance(net[3], FixedGate)
    assert residual_symmetry_group(net).is_trivial


def test_a_gate_in_the_place_of_an_output_is_warned_about():
    def net():
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())

    with pytest.warns(UserWarning, match=r"'3' \(Sigmoid\)"):
        asymmetrize(net(), "sigma")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = asymmetrize(net(), "sigma", layers=["1"])
        asymmetrize(net()[:3], "sigma")
    assert isinstance(kept[3], nn.Sigmoid)


def test_a_refused_module_is_left_as_it_was():
    net = Twice(5)
    act = net.act
    with pytest.raises(ArgumentError, match="6 and 5"):
        asymmetrize(net, "sigma")
    assert net.act is act
    unused = nn.ModuleDict({"a": nn.Linear(3, 3), "act": nn.ReLU()})
    unused.forward = lambda x: unused["a"](x)
    act = unused["act"]
    with pytest.raises(ArgumentError, match="uses"):
        asymmetrize(unused, "sigma")
    assert unused["act"] is act


def test_gates_behind_features_on_the_last_axis():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.act, self.head = nn.Conv1d(2, 6, 3), nn.RMSNorm(6), nn.ReLU(), nn.Linear(6, 2)

        def forward(self, x):
            return self.head(self.act(self.norm(self.conv(x).mT)))

    assert asymmetrize(Last(), "sigma", example=torch.zeros(2, 2, 9)).act.fixed_matrix.shape == (6, 6)


def test_frozen_weights_have_no_fixed_entries_among_the_trained():
    net = mlp(4, 3, 2)
    net[0].requires_grad_(False)
    asymmetrize(net, n_fix=1)
    assert trainable_parameters(net) == sum(p.numel() for p in net[2].parameters()) - 2
