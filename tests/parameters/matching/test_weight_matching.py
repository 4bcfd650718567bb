"""Re-basin: planted permutations come back, the objective never falls, and nothing is worse than standing still."""

import copy
import itertools

import pytest
import torch
from residual_networks import awake, resnet20
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import WeightSpec, asymmetrize, match_activations, match_weights, weight_spec


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 9), nn.LayerNorm(9), nn.GELU(), nn.Linear(9, 3))


def cnn() -> nn.Module:
    """A convolution, a grouped one, and a flattened map."""
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)
    )  # fmt: skip


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.Linear(4, 12), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(12, 2))


class Tied(nn.Module):
    """Embeddings that are also the last layer: one tensor, two places."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.inner, self.head = nn.Embedding(11, 8), nn.Linear(8, 8), nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        x = self.embed(x)
        return self.head(x + torch.tanh(self.inner(x)))


class Recurrent(nn.Module):
    def __init__(self, kind) -> None:
        super().__init__()
        self.cell, self.head = kind(3, 10, num_layers=2, batch_first=True), nn.Linear(10, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0])


MODELS = {
    "mlp": (mlp, torch.randn(2, 6)),
    "cnn": (cnn, torch.randn(2, 2, 4, 4)),
    "resnet20": (lambda: resnet20(1, 4), torch.randn(2, 1, 8, 8)),
    "encoder": (encoder, torch.randn(2, 5, 4)),
    "tied": (Tied, torch.randint(11, (2, 5))),
    "gru": (lambda: Recurrent(nn.GRU), torch.randn(2, 5, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM), torch.randn(2, 5, 3)),
}


def planted(name: str, dtype: torch.dtype = torch.float32):
    """A network, the same moved, and what moved it."""
    torch.manual_seed(0)
    make, x = MODELS[name]
    a = awake(make())
    spec = weight_spec(a, example=x)
    a = a.to(dtype)
    sigma = spec.random_permutation(torch.Generator().manual_seed(1))
    b = copy.deepcopy(a)
    own = dict([*a.named_parameters(), *a.named_buffers()])
    moved = spec.apply_permutation({n: own[n].detach() for n in spec.shapes}, sigma)
    with torch.no_grad():
        for n, t in [*b.named_parameters(), *b.named_buffers()]:
            if n in moved:
                t.copy_(moved[n])
    return a, b, spec, sigma, x


def matched_names(net: nn.Module, spec: WeightSpec) -> list[str]:
    """Parameters that some label moves, those of norms left out."""
    norms = [f"{name}." for name, m in net.named_modules() if "Norm" in type(m).__name__]
    names = [name for name, _ in net.named_parameters() if name in spec.shapes and not name.startswith(tuple(norms))]
    return [name for name in names if any(part.labels for part in spec.layouts[name].parts)]


def rising(history: tuple[float, ...]) -> bool:
    return all(later > earlier for earlier, later in itertools.pairwise(history))


@pytest.mark.parametrize("name", list(MODELS))
def test_planted_permutations_come_back(name):
    a, b, spec, sigma, _ = planted(name)
    found = match_weights(a, b, spec)
    inverse = spec.group.inverse(sigma)
    assert all(torch.equal(p, q) for p, q in zip(found.permutation, inverse))
    for (key, one), (_, other) in zip(a.state_dict().items(), found.moved.state_dict().items()):
        assert torch.equal(one, other), key
    assert rising(found.history)
    own = dict(a.named_parameters())
    total = sum(float(own[n].detach().double().square().sum()) for n in matched_names(a, spec))
    assert found.objective == pytest.approx(total, rel=1e-9)  # at the optimum the inner product is the norm, squared


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_precisions(dtype):
    a, b, spec, _, _ = planted("encoder", dtype)
    found = match_weights(a, b, spec)
    assert all(torch.equal(p, q) and p.dtype == dtype for p, q in zip(found.moved.parameters(), a.parameters()))


@pytest.mark.parametrize("name", ["mlp", "resnet20", "gru"])
def test_of_unlike_networks_the_function_stays_and_weights_come_nearer(name):
    make, x = MODELS[name]
    torch.manual_seed(0)
    a, b = awake(make(), 1), awake(make(), 2)
    found = match_weights(a, b, example=x, restarts=3)
    with torch.no_grad():
        torch.testing.assert_close(found.moved(x), b(x), rtol=1e-4, atol=1e-5)

    def distance(net):
        return sum(float((p - q).square().sum()) for p, q in zip(a.parameters(), net.parameters()))

    assert distance(found.moved) < distance(b)
    assert rising(found.history)
    one, two = dict(a.named_parameters()), dict(found.moved.named_parameters())
    inner = sum(float((one[n].double() * two[n].double()).sum()) for n in matched_names(a, found.spec))
    assert found.objective == pytest.approx(inner, rel=1e-6)


def test_complex_weights():
    spec = WeightSpec({"w": (5, 3)}, {"w": ("h", None)})
    a = {"w": torch.randn(5, 3, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)).real * 1j + 1}
    b = spec.apply_permutation(a, (torch.tensor([3, 1, 4, 0, 2]),))
    assert torch.equal(match_weights(a, b, spec).moved["w"], a["w"])


def test_one_hidden_layer_is_solved_exactly():
    """All permutations of five units: none is better."""
    torch.manual_seed(3)
    a, b = (nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)) for _ in range(2))
    spec = weight_spec(a)
    found = match_weights(a, b, spec)
    own = {name: p for name, p in a.named_parameters() if name != "2.bias"}
    others = dict(b.named_parameters())

    def value(p):
        moved = spec.apply_permutation(others, (torch.tensor(p),))
        return sum(float((w * moved[name]).sum()) for name, w in own.items())

    best = max(map(value, itertools.permutations(range(5))))
    assert found.objective == pytest.approx(best, rel=1e-6)


def test_a_label_twice_in_one_tensor_never_gets_worse():
    """Quadratic assignment of six units against all permutations: a local optimum under exchanges of two, better than the start."""
    spec = WeightSpec({"w": (6, 6)}, {"w": ("h", "h")})
    generator = torch.Generator().manual_seed(0)
    a, b = {"w": torch.randn(6, 6, generator=generator)}, {"w": torch.randn(6, 6, generator=generator)}
    found = match_weights(a, b, spec, restarts=8)
    values = [float((a["w"] * spec.apply_permutation(b, (torch.tensor(p),))["w"]).sum()) for p in itertools.permutations(range(6))]
    assert rising(found.history)
    assert found.objective == pytest.approx(max(values), rel=1e-5)


def test_dicts_shared_names_and_statistics():
    a, b, spec, _, _ = planted("tied")
    found = match_weights(a.state_dict(), b.state_dict(), spec)
    assert all(torch.equal(found.moved[n], t) for n, t in a.state_dict().items())
    a, b, spec, _, _ = planted("cnn")
    b.get_buffer("1.running_var").mul_(1e6)  # moved along, but not compared
    found = match_weights(a.state_dict(), b.state_dict(), spec)
    assert torch.equal(found.moved["1.running_var"], a.get_buffer("1.running_var") * 1e6)
    assert int(found.moved["1.num_batches_tracked"]) == 0


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet20", "encoder", "gru", "tied"])
def test_activations_find_planted_permutations(name):
    a, b, spec, _, x = planted(name, torch.float64)
    shape = (200, *x.shape[1:])
    data = torch.randint(11, shape) if name == "tied" else torch.randn(shape, dtype=torch.float64)
    found = match_activations(a, b, data, spec)
    for (key, own), (_, other) in zip(a.state_dict().items(), found.moved.state_dict().items()):
        assert torch.equal(own, other), key
    assert rising(found.history)


def test_activations_alone_tell_units_that_weights_do_not():
    """Units whose weights are scaled alike: their correlations stay 1."""
    torch.manual_seed(0)
    a = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    b = copy.deepcopy(a)
    with torch.no_grad():
        b[0].weight.mul_(torch.linspace(0.1, 3, 6)[:, None])
        b[0].bias.mul_(torch.linspace(0.1, 3, 6))
    found = match_activations(a, b, torch.randn(50, 4))
    assert found.permutation[0].tolist() == list(range(6))
    assert found.objective == pytest.approx(6, rel=1e-6)


def test_modes_and_hooks_are_left_as_they_were():
    a, b, spec, _, x = planted("encoder")
    a.train()
    b[1].train()
    match_activations(a, b, x, spec)
    assert [a.training, b[0].training, b[1].training] == [True, False, True]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in [*a.modules(), *b.modules()])


def test_scales_of_norms_do_not_sort_units():
    """Of two networks with the same weights but other scales behind them, units stay where they are."""
    torch.manual_seed(0)
    a = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
    b = copy.deepcopy(a)
    with torch.no_grad():
        a[1].weight.copy_(torch.linspace(1, 50, 6))
        b[1].weight.copy_(torch.linspace(50, 1, 6))
    found = match_weights(a, b)
    assert found.permutation[0].tolist() == list(range(6))
    moved = match_weights(
        dict(a.named_parameters()), dict(b.named_parameters()), found.spec.restrict([n for n, _ in a.named_parameters()])
    )
    assert moved.permutation[0].tolist() == list(range(5, -1, -1))  # without modules nothing tells that these are scales


def test_asymmetric_networks_have_nothing_to_move():
    nets = [asymmetrize(nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2)), n_fix=1) for _ in range(2)]
    with pytest.warns(UserWarning, match="FixedEntries"):
        found = match_weights(*nets)
    assert all(torch.equal(p, q) for p, q in zip(found.moved.parameters(), nets[1].parameters()))


@pytest.mark.parametrize("name", list(MODELS))
def test_a_network_is_matched_with_itself_by_standing_still(name):
    torch.manual_seed(0)
    make, x = MODELS[name]
    net = awake(make())
    more = torch.randint(11, (30, 5)) if name == "tied" else torch.randn(30, *x.shape[1:])
    for found in (match_weights(net, net, example=x), match_activations(net, net, more)):
        assert all(torch.equal(p, torch.arange(len(p))) for p in found.permutation)


@pytest.mark.parametrize("name", list(MODELS))
def test_what_is_moved_computes_the_same(name):
    torch.manual_seed(0)
    make, x = MODELS[name]
    a, b = (awake(make(), seed).double() for seed in (1, 2))
    x = x.double() if x.is_floating_point() else x
    more = torch.randint(11, (30, 5)) if name == "tied" else torch.randn(30, *x.shape[1:], dtype=torch.float64)
    with torch.no_grad():
        for found in (match_weights(a, b, example=x), match_activations(a, b, more)):
            torch.testing.assert_close(found.moved(x), b(x), rtol=0, atol=1e-12)


def test_units_before_fixed_gates_stay():
    nets = [asymmetrize(nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)), "sigma", layers=["1"])
            for _ in range(2)]  # fmt: skip
    for found in (match_weights(*nets), match_activations(*nets, torch.randn(40, 4))):
        first, second = found.permutation
        assert torch.equal(first, torch.arange(6))
        assert not torch.equal(second, torch.arange(5))
        assert torch.equal(found.moved[1].fixed_matrix, nets[1][1].fixed_matrix)


class Summed(nn.Sequential):
    """Units that are no set: each is added to the next."""

    def forward(self, x):
        return self[2](self[0](x).cumsum(-1).tanh())


def few(act: nn.Module, kind: type[nn.Sequential] = nn.Sequential) -> nn.Module:
    return kind(nn.Linear(4, 6), act, nn.Linear(6, 2))


UNLIKE = {
    "another activation": (few(nn.Tanh()), few(nn.PReLU(6)), "'1'"),
    "another forward": (few(nn.Tanh()), few(nn.Tanh(), Summed), "Sequential"),
    "more layers": (few(nn.Tanh()), nn.Sequential(*few(nn.Tanh()), nn.Linear(2, 2)), "'3'"),
    "wider": (few(nn.Tanh()), nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 2)), "shape"),
    "without bias": (few(nn.Tanh()), nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2, bias=False)), r"'2\.bias'"),
    "other groups": (
        *(nn.Sequential(nn.Linear(4, 6), nn.GroupNorm(n, 6), nn.Linear(6, 2)) for n in (2, 3)),
        "kinds of axes",
    ),
    "other heads": (
        *(nn.Sequential(nn.Linear(4, 12), nn.TransformerEncoderLayer(12, n, 8), nn.Linear(12, 2)) for n in (2, 3)),
        "kinds of axes",
    ),
}


@pytest.mark.parametrize("name", list(UNLIKE))
def test_networks_that_are_not_alike_are_refused(name):
    """By the permutations of one the other would become another function."""
    a, b, words = UNLIKE[name]
    with pytest.raises(ArgumentError, match=words):
        match_weights(a, b)
    with pytest.raises(ArgumentError, match=words):
        match_activations(a, b, torch.randn(9, 4))


def test_what_is_refused():
    a, b = mlp(), mlp()
    with pytest.raises(ArgumentError, match="spec"):
        match_weights(a.state_dict(), b.state_dict())
    for restarts in (0, 1.5):
        with pytest.raises(ArgumentError, match="restarts"):
            match_weights(a, b, restarts=restarts)
    spec = weight_spec(a)
    with pytest.raises(ArgumentError, match="'scale' in b alone"):
        match_weights(a.state_dict(), {**b.state_dict(), "scale": torch.ones(12)}, spec)
    with pytest.raises(ArgumentError, match="'x'"):
        match_activations(a, b, torch.full((3, 6), torch.nan))
    with pytest.raises(ArgumentError, match=r"0\.weight"):
        match_weights(a, nn.Sequential(nn.Linear(6, 13), *mlp()[1:]))
    with pytest.raises(ArgumentError, match="two samples"):
        match_activations(a, b, torch.randn(1, 6))
    with torch.no_grad():
        b[0].weight[0, 0] = float("nan")
    with pytest.raises(ArgumentError, match="finite"):
        match_weights(a, b)
    with pytest.raises(ArgumentError, match="finite"):
        match_activations(a, b, torch.randn(3, 6))
