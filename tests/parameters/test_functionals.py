"""Universal neural functionals against definitions, null spaces, group averages, hand-written maps and the `nfn` package."""

import copy
import itertools
import math
import pickle
from collections import Counter

import pytest
import torch
from torch import nn

from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.groups import Symmetric
from erlangen.maps import Axis, LinearMaps, Space
from erlangen.parameters import UNF, Blocks, Grouped, InvariantUNF, UNFLinear, WeightSpec, from_state_dicts, invariants, weight_spec
from erlangen.parameters.unf import TypedLinear

MLP = WeightSpec(
    {"w1": (4, 5), "b1": (4,), "w2": (3, 4), "b2": (3,)},
    {"w1": ("1", "0"), "b1": ("1",), "w2": ("2", "1"), "b2": ("2",)},
)


def space(labels: str, **sizes: int) -> Space:
    return Space(tuple(Axis(Symmetric(sizes.get(label, 5)), label) for label in labels))


def count(inp: str, out: str, **sizes: int) -> int:
    return len(LinearMaps([space(inp, **sizes)], [space(out, **sizes)]).terms[0, 0])


def bases(inp: Space, out: Space, reduction: str = "sum") -> torch.Tensor:
    """Every map as a matrix, ``[terms, out, in]``."""
    maps = LinearMaps([inp], [out], reduction)
    terms = len(maps.terms[0, 0])
    each = torch.eye(terms, dtype=torch.float64).unsqueeze(-1)
    basis = torch.eye(inp.dim, dtype=torch.float64).reshape(inp.dim, 1, *inp.shape)
    (y,) = maps.apply({(0, 0): each}, [basis])
    return y.reshape(inp.dim, terms, out.dim).permute(1, 2, 0)


def permutation_matrix(s: Space, sigma: dict[str, list[int]]) -> torch.Tensor:
    """The permutation of all entries of a tensor, written out."""
    matrix = torch.zeros(s.dim, s.dim, dtype=torch.float64)
    strides = [math.prod(s.shape[i + 1 :]) for i in range(len(s.shape))]
    for index in itertools.product(*map(range, s.shape)):
        moved = [sigma[a.label][i] for a, i in zip(s.axes, index)]
        matrix[sum(i * n for i, n in zip(moved, strides)), sum(i * n for i, n in zip(index, strides))] = 1
    return matrix


def stirling(k: int, j: int) -> int:
    return (k == j) if 0 in (k, j) else j * stirling(k - 1, j) + stirling(k - 1, j - 1)


# ---- how many maps there are ----


@pytest.mark.parametrize(
    ("inp", "out", "terms"),
    [("ab", "ab", 4), ("ab", "bc", 2), ("hh", "hh", 15), ("hh", "h", 5), ("h", "hhh", 15), ("hhh", "h", 15), ("", "", 1)],
)
def test_numbers_of_terms(inp, out, terms):
    assert count(inp, out) == terms


def test_terms_of_networks():
    assert sum(UNFLinear(MLP, 1, 1).terms.values()) == 32
    shapes = {"k1": (16, 3, 3, 3), "b1": (16,), "k2": (32, 16, 3, 3), "b2": (32,), "w": (10, 32), "b": (10,)}
    axes = {"k1": ("1", "0", "y1", "x1"), "b1": ("1",), "k2": ("2", "1", "y2", "x2"), "b2": ("2",), "w": ("3", "2"), "b": ("3",)}
    assert sum(UNFLinear(WeightSpec(shapes, axes), 1, 1).terms.values()) == 86


CASES = [("h" * a, "h" * b) for total in range(6) for a in range(total + 1) for b in [total - a]]
CASES += [("ab", "ab"), ("aab", "ab"), ("ab", "ba"), ("abb", "a"), ("hab", "h"), ("aabb", "")]


@pytest.mark.parametrize(("inp", "out"), CASES)
def test_rank_is_the_dimension_also_on_short_axes(inp, out):
    for n in range(1, 5):
        sizes = dict.fromkeys("hab", n) | {"b": min(n + 1, 4)}
        source, target = space(inp, **sizes), space(out, **sizes)
        matrices = bases(source, target).flatten(1)
        expected = math.prod(
            sum(stirling(k, j) for j in range(min(k, sizes[label]) + 1)) for label, k in Counter(inp + out).items()
        )
        assert len(matrices) == expected
        gram = matrices @ matrices.T
        assert int(torch.linalg.matrix_rank(gram)) == expected


@pytest.mark.parametrize(
    ("inp", "out", "n"),
    [
        ("hh", "hh", 2),
        ("hh", "hh", 3),
        ("hh", "h", 4),
        ("hhh", "h", 3),
        ("h", "hhh", 2),
        ("ab", "ab", 3),
        ("aab", "b", 2),
        ("hh", "", 4),
    ],
)
def test_span_is_the_null_space(inp, out, n):
    sizes = dict.fromkeys("hab", n)
    source, target = space(inp, **sizes), space(out, **sizes)
    labels = sorted(set(inp + out))
    equations = []
    for label in labels:
        for g in Symmetric(n).generators.tolist():
            sigma = {x: g if x == label else list(range(n)) for x in labels}
            left, right = permutation_matrix(target, sigma), permutation_matrix(source, sigma)
            eye_in, eye_out = torch.eye(source.dim).double(), torch.eye(target.dim).double()
            equations.append(torch.kron(left, eye_in) - torch.kron(eye_out, right.T.contiguous()))
    values, vectors = torch.linalg.eigh(sum(e.T @ e for e in equations))
    null = vectors[:, values < 1e-9]
    matrices = bases(source, target).flatten(1)
    assert null.shape[1] == len(matrices)
    assert (matrices - matrices @ null @ null.T).abs().max() < 1e-12 * max(1.0, float(matrices.norm()))


@pytest.mark.parametrize(("inp", "out", "n"), [("hh", "hh", 4), ("hhh", "h", 3), ("ab", "ab", 3)])
def test_group_averages_lie_in_the_span(inp, out, n):
    source, target = space(inp, **dict.fromkeys("hab", n)), space(out, **dict.fromkeys("hab", n))
    labels = sorted(set(inp + out))
    matrix = torch.randn(target.dim, source.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    total, elements = torch.zeros_like(matrix), list(itertools.permutations(range(n)))
    for choice in itertools.product(elements, repeat=len(labels)):
        sigma = {label: list(g) for label, g in zip(labels, choice)}
        total += permutation_matrix(target, sigma) @ matrix @ permutation_matrix(source, sigma).T
    average = total.flatten() / len(elements) ** len(labels)
    matrices = bases(source, target).flatten(1).T
    fitted = torch.linalg.lstsq(matrices, average.unsqueeze(1)).solution
    assert (matrices @ fitted - average.unsqueeze(1)).norm() < 1e-12 * average.norm()


# ---- the maps themselves ----


def test_the_four_matrix_maps():
    x = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows, cols, every = x.mean(1, keepdim=True).expand(4, 5), x.mean(0, keepdim=True).expand(4, 5), x.mean().expand(4, 5)
    s = space("ab", a=4, b=5)
    _same_maps(bases(s, s, "mean") @ x.flatten(), [x, rows, cols, every])


def test_the_fifteen_maps_of_recurrent_matrices():
    n = 6
    x = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    diagonal, rows, cols, one = x.diagonal(), x.mean(1), x.mean(0), torch.ones(n, dtype=torch.float64)

    def down(v):
        return torch.einsum("i,j->ij", v, one)

    by_hand = [x, x.T]
    for v in (rows, cols, diagonal):
        by_hand += [down(v), down(v).T, torch.diag(v)]
    for number in (x.mean(), diagonal.mean()):
        by_hand += [number * down(one), number * torch.diag(one)]
    assert len(by_hand) == 15
    s = space("hh", h=n)
    _same_maps(bases(s, s, "mean") @ x.flatten(), by_hand)


def _same_maps(ours: torch.Tensor, by_hand: list[torch.Tensor]) -> None:
    """Each map by hand is one of ours, and all of ours are met."""
    distances = torch.cdist(torch.stack([y.flatten() for y in by_hand]), ours)
    assert sorted(distances.argmin(1).tolist()) == list(range(len(ours)))
    assert distances.amin(1).max() < 1e-12


def test_a_layer_is_its_dense_matrix():
    """The layer with channels and bias against sums written out from the diagrams: partitions of output and input axes."""
    spec = WeightSpec({"w": (3, 3), "b": (3,)}, {"w": ("h", "h"), "b": ("h",)})
    layer = UNFLinear(spec, 2, 3, bias="full", reduction="sum").double()
    with torch.no_grad():
        for p in layer.parameters():
            p.normal_(generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    x = {name: torch.randn(2, *shape, dtype=torch.float64, generator=generator) for name, shape in spec.shapes.items()}
    got = layer(x)
    spaces = [2, 1, 0]
    inputs = [x["w"], x["b"], torch.ones(1, dtype=torch.float64)]
    for l, (name, out_axes) in enumerate((("w", 2), ("b", 1))):
        expected = torch.zeros(3, *[3] * out_axes, dtype=torch.float64)
        for m, in_axes in enumerate(spaces):
            weights = layer.linear.pairs()[l, m]
            for term, diagram in enumerate(layer.linear.maps.terms[l, m]):
                letters = {v: i for i, block in enumerate(diagram.blocks) for v in block}
                for values in itertools.product(range(3), repeat=len(diagram.blocks)):
                    out_index = tuple(values[letters[v]] for v in range(out_axes))
                    in_index = tuple(values[letters[out_axes + v]] for v in range(in_axes))
                    expected[(slice(None), *out_index)] += weights[term] @ inputs[m][(slice(None), *in_index)]
        assert (got[name] - expected).abs().max() < 1e-12 * expected.abs().max()


def test_biases():
    recurrent = UNFLinear(WeightSpec({"w": (4, 4), "b": (4,), "s": ()}, {"w": ("h", "h"), "b": ("h",), "s": ()}), 1, 1)
    assert [len(recurrent.linear.maps.terms[l, 3]) for l in range(3)] == [2, 1, 1]
    constant = UNFLinear(MLP, 2, 3, bias="constant")
    assert [tuple(p.shape) for p in constant.linear.offset] == [(3,)] * 4
    with torch.no_grad():
        for p in constant.linear.offset:
            p.fill_(2.0)
        for p in constant.linear.weight:
            p.zero_()
    y = constant({name: torch.zeros(2, *shape) for name, shape in MLP.shapes.items()})
    assert all((v == 2).all() for v in y.values())


def test_the_same_as_neural_functionals_of_perceptrons():
    """NFN-NP on a 5-4-3 network: each of its maps is one of ours, and each of ours one of its."""
    layers = pytest.importorskip("nfn.layers")
    from nfn.common import network_spec_from_wsfeat, state_dict_to_tensors
    from nfn.common.data import WeightSpaceFeatures

    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    weights, biases = state_dict_to_tensors(net.state_dict())
    network = network_spec_from_wsfeat(WeightSpaceFeatures([w.unsqueeze(0) for w in weights], [b.unsqueeze(0) for b in biases]))
    theirs = layers.NPLinear(network, 1, 1, io_embed=False).double()
    names = ["w1", "b1", "w2", "b2"]
    size = MLP.numel

    def split(x):
        pieces = x.split([math.prod(MLP.shapes[n]) for n in names], 1)
        return {n: p.reshape(len(x), 1, *MLP.shapes[n]) for n, p in zip(names, pieces)}

    def affine(function):
        """The columns of a map and its constant, ``[size + 1, size]``."""
        x = torch.cat([torch.eye(size), torch.zeros(1, size)]).double()
        y = function(split(x))
        y = torch.cat([y[n].reshape(len(x), -1) for n in names], 1).detach()
        return torch.cat([y[:-1] - y[-1:], y[-1:]]).flatten()

    def their_map(x):
        features = WeightSpaceFeatures([x["w1"], x["w2"]], [x["b1"], x["b2"]])
        y = theirs(features)
        return {"w1": y.weights[0], "b1": y.biases[0], "w2": y.weights[1], "b2": y.biases[1]}

    def span(module, function):
        vectors = []
        parameters = list(module.parameters())
        with torch.no_grad():
            for p in parameters:
                p.zero_()
            for p in parameters:
                for i in range(p.numel()):
                    p.view(-1)[i] = 1
                    vectors.append(affine(function))
                    p.view(-1)[i] = 0
        return torch.stack(vectors, 1)

    ours = UNFLinear(MLP, 1, 1, bias="constant").double()
    a, b = span(theirs, their_map), span(ours, lambda x: ours(x))
    assert sum(p.numel() for p in theirs.parameters()) == 44
    assert int(torch.linalg.matrix_rank(a)) == b.shape[1] == int(torch.linalg.matrix_rank(b)) == 36
    for x, y in ((a, b), (b, a)):
        fitted = torch.linalg.lstsq(x, y, driver="gelsd").solution
        assert ((x @ fitted - y).norm(dim=0) / y.norm(dim=0)).max() < 1e-6


# ---- deep networks ----


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inp, self.one, self.two, self.norm, self.out = (
            nn.Linear(3, 6), nn.Linear(6, 5), nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 2),
        )  # fmt: skip

    def forward(self, x):
        x = self.inp(x)
        return self.out(x + self.two(torch.relu(self.one(self.norm(x)))))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 8), nn.Linear(8, 7)
        self.block = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)

    def forward(self, x):
        return self.head(self.block(self.embedding(x)))


NETWORKS = {
    "mlp": MLP,
    "cnn": weight_spec(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(20, 3)),
        example=torch.randn(2, 1, 6, 6),
    ),
    "rnn": weight_spec(nn.RNN(3, 5), outputs="permuted"),
    "gru": weight_spec(nn.GRU(3, 4, num_layers=2), outputs="permuted"),
    "residual": weight_spec(Residual()),
    "transformer": weight_spec(Transformer()),
    "blocks": WeightSpec({"a": (8, 4), "b": (12, 3)}, {"a": (Blocks("h", Grouped("g", 2)), "h"), "b": (Blocks(3, "h"), "k")}),
}


def weights(spec: WeightSpec, *lead: int, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn((*lead, *s), dtype=torch.float64, generator=generator) for n, s in spec.shapes.items()}


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_deep_functionals_are_equivariant(name, norm):
    spec = NETWORKS[name]
    torch.manual_seed(0)
    net = UNF(spec, 2, 3, width=4, layers=3, norm=norm).double()
    x = weights(spec, 2, 2)
    verdict = equivariance_error(net, x, spec.action, spec.action, elements=4, tolerance=1e-12)
    assert verdict, verdict
    assert max(float(y.detach().std()) for y in net(x).values()) > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_heads_are_invariant(name):
    spec = NETWORKS[name]
    torch.manual_seed(0)
    net = InvariantUNF(spec, 2, 3, width=4).double()
    x = weights(spec, 2, 2)
    assert equivariance_error(net, x, spec.action, spec.group.scalar, elements=4, tolerance=1e-12)
    assert equivariance_error(
        lambda p: torch.cat(list(invariants(spec, p).values()), -1), x, spec.action, spec.group.scalar, elements=4, tolerance=1e-12
    )
    assert net(x).std(0).max() > 1e-3


def test_fixed_axes_are_seen():
    spec = NETWORKS["residual"]
    torch.manual_seed(0)
    net = InvariantUNF(spec, 1, 1, width=8).double()
    x = weights(spec, 2, 1)
    moved = {**x, "inp.weight": x["inp.weight"].roll(1, -1)}
    assert (net(moved) - net(x)).abs().max() > 1e-4
    sigma = spec.random_permutation(torch.Generator().manual_seed(3))
    assert (net(spec.apply_permutation(x, sigma)) - net(x)).abs().max() < 1e-12


@pytest.mark.parametrize("labels", ["mlp", "recurrent"])
def test_means_keep_the_scale(labels):
    deviations = []
    for n in (8, 64, 512):
        if labels == "mlp":
            shapes = {"w1": (n, n), "b1": (n,), "w2": (n, n), "b2": (n,)}
            spec = WeightSpec(shapes, {"w1": ("1", "0"), "b1": ("1",), "w2": ("2", "1"), "b2": ("2",)})
        else:
            spec = WeightSpec({"w": (n, n), "b": (n,)}, {"w": ("h", "h"), "b": ("h",)})
        torch.manual_seed(0)
        layer = UNFLinear(spec, 16, 32)
        with torch.no_grad():
            out = layer({name: torch.randn(512 // n, 16, *s) for name, s in spec.shapes.items()})
        deviations.append(float(out[next(iter(out))].std()))
    assert max(deviations) / min(deviations) < 1.2


def test_vmap_compile_and_second_derivatives():
    spec = NETWORKS["gru"]
    torch.manual_seed(0)
    net = UNF(spec, 1, 1, width=3).double()
    x = weights(spec, 3, 1)
    y = net(x)
    each = torch.func.vmap(net)(x)
    assert all(torch.allclose(each[n], y[n], atol=1e-13) for n in y)
    small = WeightSpec({"w": (2, 2), "b": (2,)}, {"w": ("h", "h"), "b": ("h",)})
    layer = UNF(small, 1, 1, width=2, norm=True).double()
    inputs = [v.requires_grad_() for v in weights(small, 1).values()]

    def function(w, b):
        return sum(v.sin().sum() for v in layer({"w": w, "b": b}).values())

    assert torch.autograd.gradgradcheck(function, inputs)
    lazy = torch.compile(layer, backend="eager", fullgraph=True)
    with torch.no_grad():
        a, b = layer(weights(small, 1)), lazy(weights(small, 1))
    assert all(torch.allclose(a[n], b[n]) for n in a)


def test_files_and_channels_by_name():
    spec = NETWORKS["gru"]
    channels = dict.fromkeys(spec.shapes, 1) | {"weight_hh_l0": 2}
    layer, other = UNFLinear(spec, channels, 2), UNFLinear(spec, channels, 2)
    other.load_state_dict(layer.state_dict())
    copied, pickled = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))
    assert copied.spec == pickled.spec == spec
    x = {n: torch.randn(channels[n], *s) for n, s in spec.shapes.items()}
    assert all(torch.equal(pickled(x)[n], y) for n, y in copied(x).items())
    assert all(torch.equal(a, b) for a, b in zip(layer(x).values(), other(x).values()))
    with pytest.raises(ArgumentError, match="weight_ih_l1"):
        UNFLinear(spec, {n: 1 for n in spec.shapes if n != "weight_ih_l1"}, 2)


def test_networks_are_stacked():
    def make():
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))

    spec = weight_spec(make())
    zoo = from_state_dicts([make().state_dict() for _ in range(3)], spec)
    assert zoo["0.weight"].shape == (3, 1, 5, 4)
    assert "1.num_batches_tracked" not in zoo
    assert InvariantUNF(spec)(zoo).shape == (3, 1)
    with pytest.raises(ArgumentError, match=r"0\.weight.*network 1"):
        from_state_dicts([make().state_dict(), nn.Sequential(nn.Linear(4, 6)).state_dict()], spec)


def test_too_many_terms_are_refused():
    def many(k):
        return WeightSpec({"deep": (2,) * k}, {"deep": ("h",) * k})

    with pytest.warns(UserWarning, match="4140 maps from 'deep'"):
        UNFLinear(many(4), 1, 1)
    with pytest.raises(ValueError, match="'deep'.*max_terms"):
        UNFLinear(many(5), 1, 1)


def test_build_time_of_a_transformer_block_does_not_depend_on_sizes():
    """Terms are counted by labels, so wide blocks have as many as narrow ones."""

    def block(width):
        return nn.Sequential(
            nn.Linear(3, width), nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True), nn.Linear(width, 2)
        )

    specs = [weight_spec(block(width), example=torch.randn(2, 5, 3)) for width in (16, 64)]
    narrow, wide = (sum(UNFLinear(spec, 1, 1).terms.values()) for spec in specs)
    assert narrow == wide


def test_layers_take_what_they_are_made_for():
    with pytest.raises(ArgumentError, match="bias"):
        UNFLinear(MLP, 1, 1, bias="none")
    with pytest.raises(ArgumentError, match="layers"):
        UNF(MLP, 1, 1, layers=0)
    with pytest.raises(ArgumentError, match="'w2'"):
        UNFLinear(MLP, 1, 1)({n: torch.randn(1, *s) for n, s in MLP.shapes.items() if n != "w2"})
    typed = TypedLinear([Space()], [Space()], [2], [3])
    assert typed([torch.randn(4, 2)])[0].shape == (4, 3)
