"""What `weight_spec` follows, layer by layer: the labels that each has, and what it does not believe."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import Blocks, Grouped, WeightSpec, check_weight_spec, weight_spec
from erlangen.parameters.kinds import row
from erlangen.parameters.layers import rule_for


class Written(nn.Module):
    """Layers by name and a forward pass that is written beside them."""

    def __init__(self, run, **layers):
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.run(self, x)


L, C1, C2 = nn.Linear, nn.Conv1d, nn.Conv2d
IMAGE = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
SIGNAL = IMAGE[..., 0]
SEQUENCE = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))


def unet(m, x):
    a = torch.relu(m.a(x))
    b = F.interpolate(torch.relu(m.b(F.max_pool2d(a, 2))), scale_factor=2)
    return m.d(torch.relu(m.c(torch.cat([a, b], 1))))


def dense(m, x):
    x = torch.cat([x, torch.relu(m.a(x))], 1)
    x = torch.cat([x, torch.relu(m.b(x))], 1)
    return m.c(x.mean((2, 3)))


def cells(m, x):
    h, c = torch.zeros(x.shape[0], 5), x.new_zeros(x.shape[0], 5)
    h, c = m.r(x, (h, c))
    h, c = m.r(x, (h, c))
    return m.o(h)


def heads(m, x):
    h = m.a(x)
    q, k, v = h[..., :4], h[..., 4:8], h[..., 8:]
    return m.b(torch.softmax(q @ k.mT, -1) @ v)


P, ATTENTION = nn.utils.parametrizations, nn.MultiheadAttention(8, 2, batch_first=True)
#: Model, example, and the sizes of the labels that it has with inputs and outputs fixed.
CASES = {
    "cat with inputs": (
        Written(lambda m, x: m.c(torch.relu(m.b(torch.cat([x, torch.relu(m.a(x))], -1)))), a=L(3, 5), b=L(8, 6), c=L(6, 2)),
        None,
        [5, 6],
    ),
    "cat with as many inputs": (
        Written(lambda m, x: m.b(torch.cat([x, torch.relu(m.a(x))], -1)), a=L(2, 2), b=L(4, 3)),
        None,
        [2],
    ),
    "densenet": (Written(dense, a=C2(3, 3, 3, padding=1), b=C2(6, 4, 3, padding=1), c=L(10, 2)), IMAGE, [3, 4]),
    "unet": (
        Written(unet, a=C2(3, 4, 3, padding=1), b=C2(4, 4, 3, padding=1), c=C2(8, 5, 3, padding=1), d=C2(5, 2, 1)),
        IMAGE,
        [4, 4, 5],
    ),
    "stack": (
        Written(lambda m, x: m.c(torch.stack([torch.relu(m.a(x)), torch.tanh(m.b(x))], 1)), a=L(3, 5), b=L(3, 5), c=L(5, 2)),
        None,
        [5],
    ),
    "stack flattened": (
        Written(lambda m, x: m.c(torch.stack([m.a(x), torch.tanh(m.b(x))], -1).flatten(-2)), a=L(3, 5), b=L(3, 5), c=L(10, 2)),
        None,
        [5],
    ),
    "list of outputs": (Written(lambda m, x: [m.c(h := torch.relu(m.a(x))), m.b(h)], a=L(3, 5), b=L(5, 2), c=L(5, 4)), None, [5]),
    "hidden units are an output": (Written(lambda m, x: {"h": (h := m.a(x)), "y": m.b(h)}, a=L(3, 5), b=L(5, 2)), None, []),
    "weight_norm": (nn.Sequential(P.weight_norm(L(3, 5)), nn.ReLU(), P.weight_norm(L(5, 2))), None, [5]),
    "weight_norm of columns": (nn.Sequential(P.weight_norm(L(3, 5), dim=1), nn.ReLU(), L(5, 2)), None, [5]),
    "spectral_norm": (nn.Sequential(P.spectral_norm(C2(3, 5, 3)), nn.ReLU(), P.spectral_norm(C2(5, 2, 1))), IMAGE, [5]),
    "spectral_norm, transposed": (nn.Sequential(C1(3, 4, 1), P.spectral_norm(nn.ConvTranspose1d(4, 5, 2)), C1(5, 2, 1)), SIGNAL, [4, 5]),
    "cells from zeros": (Written(cells, r=nn.LSTMCell(3, 5), o=L(5, 2)), torch.randn(2, 3), [5]),
    "layers from zeros": (
        Written(lambda m, x: m.o(m.r(x, torch.zeros(2, x.shape[1], 5))[0]), r=nn.GRU(3, 5, num_layers=2), o=L(5, 2)),
        SEQUENCE,
        [5, 5],
    ),
    "GLU": (nn.Sequential(L(3, 10), nn.GLU(), L(5, 2)), None, [5]),
    "glu of channels": (Written(lambda m, x: m.b(F.glu(m.a(x), 1)), a=C2(3, 8, 1), b=C2(4, 2, 1)), IMAGE, [4]),
    "gate by slices": (Written(lambda m, x: m.b((h := m.a(x))[..., :5] * h[..., 5:].sigmoid()), a=L(3, 10), b=L(5, 2)), None, [5]),
    "heads by slices": (Written(heads, a=L(3, 12), b=L(4, 2)), SEQUENCE, [4, 4]),
    "PixelShuffle": (nn.Sequential(C2(3, 8, 1), nn.PixelShuffle(2), C2(2, 3, 1)), IMAGE, [2]),
    "PixelUnshuffle": (nn.Sequential(C2(3, 4, 1), nn.PixelUnshuffle(2), C2(16, 3, 1)), IMAGE, [4]),
    "pixel_shuffle": (Written(lambda m, x: m.b(F.pixel_shuffle(m.a(x), 2)), a=C2(3, 8, 1), b=C2(2, 2, 1)), IMAGE, [2]),
    "Upsample": (nn.Sequential(C2(3, 4, 1), nn.Upsample(scale_factor=2, mode="bilinear"), C2(4, 2, 1)), IMAGE, [4]),
    "EmbeddingBag": (nn.Sequential(nn.EmbeddingBag(9, 4), L(4, 2)), torch.randint(9, (2, 5)), [4]),
    "norm": (Written(lambda m, x: m.b((h := m.a(x)) / h.norm(dim=-1, keepdim=True)), a=L(3, 5), b=L(5, 2)), None, [5]),
    "linalg.norm": (
        Written(lambda m, x: m.b((h := m.a(x)) / torch.linalg.norm(h, dim=-1, keepdim=True)), a=L(3, 5), b=L(5, 2)),
        None,
        [5],
    ),
    "std": (Written(lambda m, x: m.b((h := m.a(x)) / h.std(-1, keepdim=True)), a=L(3, 5), b=L(5, 2)), None, [5]),
    "max": (Written(lambda m, x: m.b((h := m.a(x)) - h.max(-1, keepdim=True).values), a=L(3, 5), b=L(5, 2)), None, [5]),
    "adaptive pooling": (Written(lambda m, x: m.b(F.adaptive_avg_pool2d(m.a(x), 1).flatten(1)), a=C2(3, 8, 1), b=L(8, 2)), IMAGE, [8]),
    "grouped transposed": (nn.Sequential(C1(3, 4, 1), nn.ConvTranspose1d(4, 6, 2, groups=2), C1(6, 2, 1)), SIGNAL, [2, 2, 3]),
    "depthwise transposed": (nn.Sequential(C1(3, 4, 1), nn.ConvTranspose1d(4, 4, 2, groups=4), C1(4, 2, 1)), SIGNAL, [4]),
    "cumsum of positions": (Written(lambda m, x: m.b(m.a(x).cumsum(1)), a=L(3, 4), b=L(4, 2)), SEQUENCE, [4]),
    "pad and roll": (
        Written(lambda m, x: m.b(torch.roll(F.pad(m.a(x), (1, 1)), 2, -1)), a=C1(3, 4, 1), b=C1(4, 2, 1)),
        SIGNAL,
        [4],
    ),
    "repeat": (Written(lambda m, x: m.b(m.a(x).repeat(1, 2)), a=L(3, 4), b=L(8, 2)), None, [4]),
    "functional norms": (
        Written(
            lambda m, x: m.b(F.group_norm(F.batch_norm(m.a(x), m.n.running_mean, m.n.running_var, m.n.weight, m.n.bias), 2)),
            a=C1(3, 4, 1),
            n=nn.BatchNorm1d(4),
            b=C1(4, 2, 1),
        ),
        SIGNAL,
        [2, 2],
    ),
    "instance norm of one sample": (nn.Sequential(C1(3, 6, 1), nn.InstanceNorm1d(6, affine=True), C1(6, 2, 1)), SIGNAL[0], [6]),
    "weights of heads": (
        Written(lambda m, x: m.m(h := m.a(x), h, h, average_attn_weights=False)[0], a=L(3, 8), m=ATTENTION),
        SEQUENCE,
        [8, 2, 4, 4],
    ),
    "examples in a list": (
        Written(lambda m, x: m.b(torch.relu(m.a(x[0])) + m.c(x[1])), a=L(3, 5), b=L(5, 2), c=L(4, 5)),
        ([torch.randn(2, 3), torch.randn(2, 4)],),
        [5],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layers_have_the_labels_that_they_have(name):
    """The check inside `weight_spec` tries permutations in double precision, of the inputs and outputs too."""
    model, example, sizes = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = weight_spec(model, example=example)
        more = weight_spec(model, example=example, outputs="permuted")
        most = weight_spec(model, example=example, inputs="permuted", outputs="permuted")
    assert sorted(spec.labels.values()) == sorted(sizes), spec
    assert check_weight_spec(spec, model, example)["worst"] < 1e-12
    assert len(spec.labels) <= len(more.labels) <= len(most.labels)


@pytest.mark.parametrize(
    ("model", "example", "said", "labels"),
    [
        (nn.Sequential(P.orthogonal(L(5, 5)), nn.ReLU(), L(5, 2)), None, "weight.*_Orthogonal", 0),
        (nn.Sequential(nn.utils.spectral_norm(L(3, 5)), nn.ReLU(), L(5, 4), L(4, 2)), None, "'Linear' is not known", 1),
        (nn.Sequential(L(3, 8), nn.AvgPool1d(2), L(4, 2)), SEQUENCE, "'AvgPool1d' takes features apart", 0),
        (nn.Sequential(L(3, 8), nn.MaxPool1d(2), L(4, 2)), torch.randn(2, 3), "'MaxPool1d' takes features apart", 0),
        (Written(lambda m, x: m.b(F.max_pool1d(m.a(x), 2)), a=L(3, 8), b=L(4, 2)), None, "'max_pool1d'", 0),
        (Written(lambda m, x: m.b(m.a(x)[..., ::2]), a=L(3, 8), b=L(4, 2)), None, "'getitem'", 0),
        (Written(lambda m, x: m.b((h := m.a(x)).max(-1, keepdim=True).indices * h), a=L(3, 5), b=L(5, 2)), None, "'max'", 0),
    ],
    ids=["orthogonal", "old spectral_norm", "pooled features", "one sample", "max_pool1d", "every second", "places of max"],
)
def test_what_loses_its_labels_is_named(model, example, said, labels):
    with pytest.warns(UserWarning, match=said):
        spec = weight_spec(model, example=example)
    assert len(spec.labels) == labels


def test_a_module_that_cannot_be_copied_is_refused_by_name():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.utils.weight_norm(L(3, 5)), nn.ReLU(), L(5, 2))
    with pytest.raises(ArgumentError, match=r"'model'.*parametrizations\.weight_norm"):
        weight_spec(model)


def test_a_fixed_block_beside_a_label_is_a_length_and_not_a_count():
    spec = weight_spec(CASES["cat with as many inputs"][0])
    kind = spec.axes["b.weight"][1]
    assert kind == row([2, "a"]) == Blocks(Grouped(2), "a") != Blocks(2, "a")
    assert eval(repr(kind)) == kind
    assert eval(repr(row([2, 3, "a"]))) == row([2, 3, "a"])
    params = {"w": torch.arange(4.0)}
    moved = WeightSpec({"w": (4,), "b": (2,)}, {"w": (kind,), "b": ("a",)}).apply_permutation(
        params | {"b": torch.zeros(2)}, {"a": torch.tensor([1, 0])}
    )
    assert moved["w"].tolist() == [0, 1, 3, 2]


class ChannelsLast(nn.LayerNorm):
    """Normalises channels, as ConvNeXt does: its weight goes with the second axis of an image, not with the last."""

    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class OwnStart(nn.Linear):
    """Only its initial values are its own."""

    def reset_parameters(self):
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)


class Turned(nn.TransformerEncoderLayer):
    def forward(self, x, *args, **options):
        return super().forward(x.flip(-1))


@pytest.mark.parametrize("width", [4, 6])
def test_a_subclass_has_a_rule_only_if_it_computes_the_same(width):
    # With 6 channels on a 6 x 6 image the rule of LayerNorm fits and is wrong.
    model = nn.Sequential(C2(3, width, 1), ChannelsLast(width), nn.ReLU(), C2(width, 2, 1))
    spec = weight_spec(model, example=IMAGE, check=False)
    assert spec.axes["1.weight"] == ("0",)
    assert check_weight_spec(spec, model, IMAGE)
    assert rule_for(OwnStart(3, 4)) is not None
    hooked = nn.Linear(3, 4)
    hooked.register_forward_hook(lambda layer, args, out: out.cumsum(-1))
    patched = nn.Linear(3, 4)
    patched.forward = lambda x: x
    around = nn.TransformerEncoder(Turned(8, 2, 16, batch_first=True), 1, enable_nested_tensor=False)
    gated = nn.TransformerEncoderLayer(8, 2, 16, activation=lambda x: x.cumsum(-1))
    assert [rule_for(layer) for layer in (ChannelsLast(3), hooked, patched, around, gated)] == [None] * 5


def test_functions_of_other_modules_do_not_have_the_rules_of_their_namesakes():
    with pytest.warns(UserWarning, match="'softmax' is not known"):
        spec = weight_spec(Written(lambda m, x: m.b(softmax(m.a(x))), a=L(3, 5), b=L(5, 2)))
    assert not spec.labels


@torch.fx.wrap
def softmax(x):
    return x.cumsum(-1)


def test_outputs_that_are_no_numbers_prove_nothing():
    model = Written(lambda m, x: m.b(torch.log(-m.a(x).abs() - 1)), a=L(3, 5), b=L(5, 2))
    spec = weight_spec(model, check=False)
    verdict = check_weight_spec(spec, model)
    assert not verdict
    assert verdict["worst"] == float("inf")


def test_tracing_leaves_torch_as_it_was():
    before = torch.zeros
    weight_spec(CASES["cells from zeros"][0], example=torch.randn(2, 3))
    weight_spec(CASES["cells from zeros"][0], example=torch.randn(2, 3))
    assert torch.zeros is before
    assert torch.zeros(1).dtype == torch.float32


# ---- other packages ----


class OnGraph(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x, edges):
        return self.second(torch.relu(self.first(x, edge_index=edges)), edges)


EDGES = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]])


def test_graph_convolutions_have_rules_and_others_are_named():
    geometric = pytest.importorskip("torch_geometric")
    g, nodes = geometric.nn, torch.randn(4, 3)
    edges = geometric.EdgeIndex(EDGES, sparse_size=(4, 4))
    cases = [(g.GCNConv(3, 5), [5]), (g.SAGEConv(3, 5, aggr="max"), [5]), (g.GraphConv(3, 5), [5]), (g.GATConv(3, 5), [5])]
    for first, sizes in cases:
        for index in (EDGES, edges):
            spec = weight_spec(OnGraph(first, g.GCNConv(5, 2)), example=(nodes, index))
            assert list(spec.labels.values()) == sizes
    spec = weight_spec(OnGraph(g.GATConv(3, 5, heads=3), g.GATConv(15, 2, heads=2, concat=False)), example=(nodes, EDGES))
    assert sorted(spec.labels.values()) == [2, 3, 5]
    for other in (g.SAGEConv(3, 5, project=True), g.GINConv(L(3, 5)), g.ChebConv(3, 5, 2)):
        with pytest.warns(UserWarning, match=f"torch_geometric.{type(other).__name__}"):
            assert not weight_spec(OnGraph(other, g.GCNConv(5, 2)), example=(nodes, EDGES)).labels


def test_layers_of_e3nn_are_named():
    o3 = pytest.importorskip("e3nn.o3")
    model = nn.Sequential(o3.Linear("4x0e+2x1o", "3x0e+2x1o"), o3.Linear("3x0e+2x1o", "4x0e"), L(4, 5), nn.ReLU(), L(5, 2))
    with pytest.warns(UserWarning, match="'e3nn.Linear' is not known"):
        spec = weight_spec(model, example=torch.randn(2, 10))
    assert list(spec.labels.values()) == [5]


def test_convnext_of_timm():
    timm = pytest.importorskip("timm")
    model = timm.create_model("test_convnext", num_classes=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = weight_spec(model, example=torch.randn(1, 3, 32, 32))
    assert spec.axes["stem.1.weight"] == spec.axes["stem.0.bias"]
    assert len(spec.labels) >= 8
