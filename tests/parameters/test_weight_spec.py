"""Specifications of weights: sizes, permutations, folding, and the tracer on the layers that people use."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.parameters import Blocks, Grouped, WeightSpec, check_weight_spec, weight_spec
from erlangen.testing import check_action

Q = Grouped("heads", "qk")
KINDS = {
    "gates": ((12, 5), (Blocks(3, "h"), None)),
    "attention": ((27, 7), (Blocks(Q, Q, Grouped("heads", "v")), "e")),
    "flat": ((6, 24), ("o", Grouped("c", None))),
    "recurrent": ((4, 4), ("h", "h")),
    "conv": ((3, 6, 2, 2), ("c", "o", None, None)),
    "offset": ((9,), (Blocks("c", 2, "h"),)),
    "scalar": ((), ()),
}


def example_spec() -> WeightSpec:
    shapes = {name: shape for name, (shape, _) in KINDS.items()}
    return WeightSpec(shapes, {name: kinds for name, (_, kinds) in KINDS.items()}, {"heads": 3, "qk": 3})


def example_params(*lead: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {n: torch.randn((*lead, *shape), dtype=torch.float64, generator=generator) for n, (shape, _) in KINDS.items()}


def test_sizes_follow_from_shapes():
    assert dict(example_spec().labels) == {"h": 4, "heads": 3, "qk": 3, "v": 3, "e": 7, "o": 6, "c": 3}


def test_folding_is_undone_and_has_typed_axes():
    spec, params = example_spec(), example_params(2, 3)
    pieces = spec.fold(params)
    for (_, part), piece in zip(spec.parts, pieces):
        assert piece.shape == (2, 3 * part.channels, *part.sizes)
    assert [part.labels for name, part in spec.parts if name == "attention"] == [("heads", "qk", "e"), ("heads", "v", "e")]
    back = spec.unfold(pieces)
    assert all(torch.equal(back[name], x) for name, x in params.items())


def test_permuting_folded_tensors_permutes_their_labelled_axes():
    """The permutation of a whole tensor, seen in its parts, moves each axis by its label: an independent reading of both."""
    spec, params = example_spec(), example_params(2)
    sigma = spec.random_permutation(torch.Generator().manual_seed(1))
    by_label = dict(zip(spec.labels, sigma))
    moved = spec.fold(spec.apply_permutation(params, sigma))
    for (_, part), before, after in zip(spec.parts, spec.fold(params), moved):
        for axis, label in enumerate(part.labels):
            before = before.index_select(1 + axis, by_label[label].argsort())
        assert torch.equal(before, after)


def test_permutations_act():
    spec = example_spec()
    assert check_action(spec.action)
    g = spec.group.sample(5, generator=torch.Generator().manual_seed(2))
    batch = spec.action.act(g, example_params(5, 2))
    one = spec.apply_permutation({n: x[3] for n, x in example_params(5, 2).items()}, tuple(part[3] for part in g))
    assert all(torch.equal(batch[name][3], one[name]) for name in one)


def test_permutations_by_label():
    spec, params = example_spec(), example_params()
    moved = spec.apply_permutation(params, {"h": torch.tensor([1, 2, 3, 0])})
    assert torch.equal(moved["recurrent"], params["recurrent"].roll((1, 1), (0, 1)))
    assert torch.equal(moved["conv"], params["conv"])
    assert torch.equal(moved["gates"][4:8], params["gates"][4:8].roll(1, 0))


@pytest.mark.parametrize(
    ("shapes", "axes", "sizes", "named"),
    [
        ({"w": (3, 4)}, {"w": ("h", "h")}, None, "'w'"),
        ({"w": (3, 4), "b": (5,)}, {"w": ("h", None), "b": ("h",)}, None, "'b'"),
        ({"w": (3, 4)}, {"w": ("h",)}, None, "'w'"),
        ({"w": (3, 4)}, {"w": "ha"}, None, "'w'"),
        ({"w": (3, 4)}, {}, None, "'w'"),
        ({"w": (3,)}, {"w": ("h",)}, {"k": 3}, "'k'"),
        ({"w": (10,)}, {"w": (Blocks(3, "h"),)}, None, "'w'"),
        ({"w": (12,)}, {"w": (Grouped("a", "b"),)}, None, "'w'"),
        ({"w": (12,)}, {"w": (Grouped("a", "b"),)}, {"a": 5}, "'w'"),
        ({"w": (12,)}, {"w": (3.5,)}, None, "'w'"),
        ({"w": (12,)}, {"w": (11,)}, None, "'w'"),
        ({}, {}, None, "shapes"),
    ],
)
def test_what_does_not_fit_is_named(shapes, axes, sizes, named):
    with pytest.raises(ArgumentError, match=named):
        WeightSpec(shapes, axes, sizes)


def test_parameters_that_do_not_fit_are_named():
    spec, params = example_spec(), example_params()
    with pytest.raises(ValueError, match="'conv'"):
        spec.apply_permutation({**params, "conv": torch.zeros(3, 6, 2, 3)}, spec.random_permutation())
    with pytest.raises(ValueError, match="'gates'"):
        spec.select({n: x for n, x in params.items() if n != "gates"})
    with pytest.raises(ValueError, match="channel axis"):
        spec.fold(params)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv1, self.norm1 = nn.Conv2d(8, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 8, 3, padding=1), nn.GroupNorm(1, 8)
        self.head = nn.Linear(8 * 4, 5)

    def forward(self, x):
        x = self.stem(x)
        x = F.relu(x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))
        return (
            self.head(F.max_pool2d(x, 3).flatten(1))
            if False
            else self.head(torch.flatten(nn.functional.relu(x[:, :, ::3, ::3]), 1))
        )


class Translator(nn.Module):
    """Encoder and decoder share the hidden label through the initial state; embedding and output head share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.encoder = nn.Embedding(9, 4), nn.GRU(4, 6, num_layers=2, batch_first=True)
        self.decoder, self.narrow, self.head = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 4), nn.Linear(4, 9)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        _, state = self.encoder(x)
        start = state[1].unsqueeze(0)
        y, _ = self.decoder(x, (start, torch.tanh(start)))
        return self.head(self.narrow(y))


class OwnAttention(nn.Module):
    """Attention as people write it, with reshapes, a fused projection and parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.qkv, self.out = nn.Linear(3, 12), nn.Linear(12, 36), nn.Linear(12, 12)
        self.scale, self.norm, self.head = nn.Parameter(torch.ones(12)), nn.LayerNorm(12), nn.Linear(12, 2)

    def forward(self, x):
        x = self.inp(x)
        q, k, v = self.qkv(self.norm(x)).split(12, -1)
        q, k, v = (t.view(x.shape[0], x.shape[1], 3, 4).transpose(1, 2) for t in (q, k, v))
        y = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
        y = y.transpose(1, 2).reshape(x.shape[0], x.shape[1], 12)
        return self.head(x + self.scale * self.out(y)).mean(1)


class Depthwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.point, self.depth = nn.Conv1d(2, 6, 1), nn.Conv1d(6, 6, 3, groups=6, padding=1)
        self.groups, self.norm = nn.Conv1d(6, 4, 3, groups=2, padding=1), nn.GroupNorm(2, 4)
        self.up, self.gate, self.out = nn.ConvTranspose1d(4, 5, 2), nn.PReLU(5), nn.Linear(10, 2)

    def forward(self, x):
        x = self.depth(torch.relu(self.point(x)))
        x = self.gate(self.up(self.norm(self.groups(x))))
        return self.out(torch.cat([x.mean(-1), x.amax(dim=-1)], 1))


MODELS = {
    "mlp": (nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3)), None, 2),
    "residual": (Residual(), torch.randn(2, 3, 6, 6), 2),
    "translator": (Translator(), None, 3),
    "own attention": (OwnAttention(), torch.randn(2, 5, 3), 4),
    "depthwise": (Depthwise(), torch.randn(2, 2, 7), 4),
    "encoder layer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), None, 4),
    "attention, other sizes": (nn.MultiheadAttention(8, 2, kdim=5, vdim=6, add_bias_kv=True, batch_first=True), None, 3),
    "transformer": (
        nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
        (torch.randn(2, 5, 8), torch.randn(2, 3, 8)),
        None,
    ),
    "encoder": (
        nn.Sequential(nn.Linear(3, 8), nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)),
        torch.randn(2, 5, 3),
        None,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_permuting_the_weights_leaves_the_outputs(name):
    model, example, labels = MODELS[name]
    spec = weight_spec(model, example=example, check=False)
    verdict = check_weight_spec(spec, model, example, tries=5)
    assert verdict, verdict
    if labels is not None:
        assert len(spec.labels) == labels, spec


@pytest.mark.parametrize("inputs", ["fixed", "permuted"])
@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (nn.GRU(3, 5, num_layers=2, bidirectional=True), 4),
        (nn.LSTM(3, 5, num_layers=2, proj_size=2), 4),
        (nn.RNN(3, 5, batch_first=True), 1),
        (nn.GRUCell(3, 5), 1),
        (nn.LSTMCell(3, 5), 1),
        (nn.MultiheadAttention(8, 2, batch_first=True), 4),
        (Translator(), None),
    ],
)
def test_outputs_move_along(model, labels, inputs):
    """With outputs permuted, the check compares moved outputs; the check inside raises if they differ."""
    spec = weight_spec(model, inputs=inputs, outputs="permuted")
    if labels is not None:
        assert len(spec.labels) == labels + (inputs == "permuted")


def test_the_labels_are_those_of_the_table():
    spec = weight_spec(MODELS["residual"][0], example=torch.randn(2, 3, 6, 6))
    assert spec.axes["conv1.weight"] == ("conv1", "stem", None, None)
    assert spec.axes["conv2.bias"] == spec.axes["stem.bias"] == ("stem",)
    assert spec.axes["norm1.running_mean"] == ("conv1",)
    assert spec.axes["head.weight"] == (None, Grouped("stem", 2, 2))
    spec = weight_spec(Translator())
    hidden = spec.axes["decoder.weight_hh_l0"][1]
    assert spec.axes["encoder.weight_hh_l1"] == (Blocks(3, hidden), hidden)
    assert "head.weight" not in spec.shapes
    assert spec.axes["embedding.weight"] == (None, spec.axes["narrow.bias"][0])


def test_a_broken_tie_is_detected():
    model, example, _ = MODELS["residual"]
    good = weight_spec(model, example=example)
    axes = {**good.axes, "conv2.weight": ("loose", "conv1", None, None), "conv2.bias": ("loose",)}
    axes |= {"norm2.weight": ("loose",), "norm2.bias": ("loose",)}
    verdict = check_weight_spec(WeightSpec(good.shapes, axes, None), model, example)
    assert not verdict
    assert verdict["worst"] > 1e-3


def test_what_is_not_known_is_fixed_and_named():
    class Cumulative(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = nn.Linear(3, 4), nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.third(torch.relu(self.second(torch.cumsum(self.first(x), -1))))

    with pytest.warns(UserWarning, match="cumsum"):
        spec = weight_spec(Cumulative())
    assert spec.axes["first.weight"] == (None, None)
    assert dict(spec.labels) == {"second": 5}


def test_a_model_as_an_equivariant_function_of_its_weights():
    """`measure` reads a spec's action as it reads any other."""
    model = MODELS["mlp"][0].double()
    spec = weight_spec(model)
    generator = torch.Generator().manual_seed(0)
    params = {n: torch.randn(6, *s, dtype=torch.float64, generator=generator) for n, s in spec.shapes.items()}
    x = torch.randn(7, 4, dtype=torch.float64, generator=generator)

    def outputs(p):
        return torch.func.vmap(lambda q: torch.func.functional_call(model, q, x).flatten())(p)

    assert equivariance_error(outputs, params, spec.action, spec.group.scalar, generator=generator)


def test_models_without_a_guess_ask_for_an_example():
    with pytest.raises(ArgumentError, match="example"):
        weight_spec(MODELS["residual"][0])
    with pytest.raises(ArgumentError, match="inputs"):
        weight_spec(MODELS["mlp"][0], inputs="free")
