"""Zoos, baselines and predictors."""

import pytest
import torch
from torch import nn

from erlangen.datasets.digits import split_digits
from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.parameters import (
    DeepSet,
    InvariantDeepSet,
    InvariantUNF,
    Standardize,
    StatNN,
    WeightSpec,
    canonical_signs,
    weight_statistics,
)
from erlangen.parameters.mlp_zoo import ZooConfig, load_zoo, train_zoo
from erlangen.parameters.predict import PredictionConfig, fit_predictor, kendall_tau
from erlangen.parameters.rnn_zoo import LETTERS, RecurrentZooConfig, sums, train_recurrent_zoo

SPEC = WeightSpec({"w": (4, 3), "b": (4,), "s": ()}, {"w": ("h", None), "b": ("h",), "s": ()})


def weights(*lead: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {n: torch.randn((*lead, *s), dtype=torch.float64, generator=generator) for n, s in SPEC.shapes.items()}


@pytest.fixture(scope="module")
def zoo():
    (x, y), (held_x, held_y) = split_digits()
    return train_zoo(x, y, held_x, held_y, ZooConfig(networks=300, steps=(10, 120)), quiet=True)


def test_networks_of_a_zoo_differ_as_asked(zoo):
    assert zoo.params["0.weight"].shape == (300, 1, 16, 64)
    assert zoo.accuracy.min() < 0.2 < 0.8 < zoo.accuracy.max()
    for name, (low, high) in (("lr", (-3.5, -1.5)), ("decay", (-4, -1)), ("scale", (-1, 0.5)), ("fraction", (-1.5, 0))):
        exponents = zoo.settings[name].log10()
        assert low <= exponents.min() < exponents.max() <= high
    # More steps at a higher rate do better: settings and networks stand in one order.
    assert kendall_tau(zoo.settings["lr"] * zoo.settings["steps"], zoo.accuracy) > 0.2


def test_accuracies_are_those_of_the_networks(zoo):
    _, (held_x, held_y) = split_digits()
    net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    for i in (0, 17, 299):
        net.load_state_dict({name: w[i, 0] for name, w in zoo.params.items()})
        assert float((net(held_x).argmax(1) == held_y).float().mean()) == pytest.approx(float(zoo.accuracy[i]), abs=1e-6)


def test_a_stack_trains_as_torch_does():
    """One network of a zoo, trained again by torch's AdamW with full batches of the one sample that it sees."""
    x, y = torch.randn(1, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([1])
    config = ZooConfig(networks=1, hidden=4, steps=(30, 30), log_fraction=(0.0, 0.0))
    zoo = train_zoo(x, y, x, y, config, quiet=True)
    untrained = train_zoo(
        x, y, x, y, ZooConfig(networks=1, hidden=4, steps=(1, 1), log_fraction=(0.0, 0.0), log_lr=(-30, -30)), quiet=True
    )
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    net.load_state_dict({name: w[0, 0] for name, w in untrained.params.items()})
    settings = {name: float(value[0]) for name, value in zoo.settings.items()}
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings["lr"], weight_decay=settings["decay"])
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    for name, p in net.named_parameters():
        assert (zoo.params[name][0, 0] - p).abs().max() < 1e-5


def test_zoos_are_kept(zoo, tmp_path):
    path = zoo.save(tmp_path / "zoo.safetensors", ZooConfig())
    again = load_zoo(path)
    assert list(again.params) == list(zoo.params)
    assert all(torch.equal(again.params[n], w) for n, w in zoo.params.items())
    assert torch.equal(again.accuracy, zoo.accuracy)
    assert again.spec == zoo.spec
    with pytest.raises(ArgumentError, match="path"):
        load_zoo(tmp_path / "none.safetensors")


def test_weights_tell_something_even_in_a_small_zoo(zoo):
    seen, unseen = zoo[:220], zoo[220:]
    torch.manual_seed(0)
    functional = InvariantUNF(zoo.spec, 2, width=8, layers=1)
    settings = PredictionConfig(epochs=8, validation=60, batch=16)
    fitted = fit_predictor(functional, zoo.spec, seen.params, seen.accuracy, settings, quiet=True)
    with torch.no_grad():
        assert kendall_tau(fitted(unseen.params), unseen.accuracy) > 0.4
    with pytest.raises(ArgumentError, match="validation"):
        fit_predictor(functional, zoo.spec, seen.params, seen.accuracy, PredictionConfig(), quiet=True)
    with pytest.raises(ArgumentError, match="target"):
        fit_predictor(functional, zoo.spec, seen.params, seen.accuracy + 1, settings, quiet=True)


def test_baselines_do_not_look_at_places():
    """Statistics and deep sets do not change under any permutation of entries, labelled or not."""
    x = weights(5, 2)
    shuffled = {**x, "w": x["w"].flatten(-2)[..., torch.randperm(12)].unflatten(-1, (4, 3))}
    torch.manual_seed(0)
    for net in (StatNN(SPEC, 2, width=8).double(), InvariantDeepSet(SPEC, 2).double()):
        assert (net(shuffled) - net(x)).abs().max() < 1e-12
        assert net(x).std() > 1e-4
    deep = DeepSet(SPEC, 2, 3, layers=3).double()
    assert equivariance_error(deep, x, SPEC.action, SPEC.action, elements=4, tolerance=1e-12)
    shared = DeepSet(SPEC, 2, 3, shared=True, form="difference").double()
    assert equivariance_error(shared, x, SPEC.action, SPEC.action, elements=4, tolerance=1e-12)


def test_deep_set_layers_are_their_formula():
    from erlangen.parameters import DeepSetLayer

    x = weights(2, 3)
    layer = DeepSetLayer(SPEC, 3, 2).double()
    weight, bias = layer.maps[0].weight, layer.maps[0].bias
    by_hand = torch.einsum("oc,bcij->boij", weight[:, :3], x["w"])
    by_hand = by_hand + (x["w"].mean((-2, -1)) @ weight[:, 3:].T + bias)[..., None, None]
    assert (layer(x)["w"] - by_hand).abs().max() < 1e-12


def test_statistics():
    x = torch.tensor([[[0.0, 4.0, 1.0, 3.0, 2.0]]])
    spec = WeightSpec({"w": (5,)}, {"w": (None,)})
    assert weight_statistics(spec, {"w": x}).tolist() == [[2.0, 2.0, 0.0, 1.0, 2.0, 3.0, 4.0]]
    assert weight_statistics(SPEC, weights(4, 2)).shape == (4, 2 * 3 * 7)


def test_scales_come_from_the_zoo_and_respect_permutations():
    x = {n: 3 + 5 * w for n, w in weights(200, 1).items()}
    scale = Standardize(SPEC).double().fit(x)
    y = scale(x)
    assert all(abs(float(w.mean())) < 1e-12 and abs(float(w.std()) - 1) < 1e-12 for w in y.values())
    assert equivariance_error(scale, x, SPEC.action, SPEC.action, elements=3)
    again = Standardize(SPEC).double()
    again.load_state_dict(scale.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again(x).values(), y.values()))


def test_recurrent_networks_are_functions_of_their_zoo():
    questions, answers = sums(20)
    assert questions.shape == (400, 6)
    texts = ["".join(LETTERS[i] for i in row) for row in answers]
    assert texts[399] == "38."
    config = RecurrentZooConfig(networks=6, hidden=12, largest=6, steps=(400, 400), log_lr=(-2.2, -1.7))
    params, success, spec = train_recurrent_zoo(config, quiet=True)
    assert dict(spec.labels) == {"h": 12}
    assert success.max() > 0.1
    assert InvariantUNF(spec)(params).shape == (6, 1)


def test_signs_are_brought_to_one_form():
    class Sine(nn.Module):
        def forward(self, x):
            return x.sin()

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 5), Sine(), nn.Linear(5, 5), Sine(), nn.Linear(5, 1)).double()
    params = {n: p.detach() for n, p in net.named_parameters()}
    layers = [("0.weight", "0.bias", "2.weight"), ("2.weight", "2.bias", "4.weight")]
    x = torch.randn(7, 2, dtype=torch.float64)
    canonical = canonical_signs(params, layers)
    assert (canonical["0.bias"] >= 0).all()
    assert (canonical["2.bias"] >= 0).all()
    assert (torch.func.functional_call(net, canonical, x) - net(x)).abs().max() < 1e-14
    flips = torch.tensor([1.0, -1, -1, 1, -1], dtype=torch.float64)
    flipped = {**params, "2.weight": params["2.weight"] * flips[:, None], "2.bias": params["2.bias"] * flips}
    flipped["4.weight"] = params["4.weight"] * flips
    again = canonical_signs(flipped, layers)
    assert all(torch.equal(again[n], w) for n, w in canonical.items())
