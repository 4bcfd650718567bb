"""Layers of geometric-algebra attention: the numbers of the published package, symmetry, masks, chunks, derivatives, bad input."""

import itertools
import warnings
from pathlib import Path

import clifford_cases as recipe
import numpy as np
import pytest
import torch

import erlangen as er
from erlangen import nn as layers
from erlangen.errors import ArgumentError

F64 = torch.float64
KINDS = (*recipe.VECTOR, *recipe.MULTIVECTOR)


@pytest.fixture(scope="module")
def reference():
    """What geometric-algebra-attention 0.5.1 gives (make_clifford_reference.py)."""
    stored = np.load(Path(__file__).parent / "clifford_reference.npz")
    return dict(zip(stored["names"].tolist(), np.split(stored["values"], stored["sizes"].cumsum()[:-1])))


def flat(y):
    return torch.cat([part.flatten() for part in (y if isinstance(y, tuple) else (y,))])


def cloud(*batch, n=5, d=6, size=3, seed=0, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    r = torch.randn(*batch, n, size, generator=generator, dtype=dtype)
    return r, torch.randn(*batch, n, d, generator=generator, dtype=dtype)


def make(kind="VectorAttention", d=6, **options):
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(layers, kind)(d, **options).double()


def inputs_of(kind, *batch, n=5, seed=0):
    r, v = cloud(*batch, n=n, size=3 if kind in recipe.VECTOR else 8, seed=seed)
    return (cloud(*batch, n=3, seed=seed + 1)[1], (r, v)) if kind.startswith("Labeled") else (r, v)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [True, False], ids=["own networks", "given networks"])
@pytest.mark.filterwarnings("ignore:r_i x r_j")
def test_numbers_are_those_of_the_published_package(kind, own, reference):
    tried = 0
    for name, (case, options) in recipe.cases().items():
        if case != kind:
            continue
        options = dict(options)
        inputs, mask = recipe.data(kind, options.pop("weights", False), options.pop("mask", False))
        layer = getattr(layers, kind)(recipe.D, **options)
        if not own:
            layer = getattr(layers, kind)(recipe.D, *recipe.networks(layer.invariant_dims, layer.gives_vectors), **options)
        layer = recipe.filled(layer)
        with torch.no_grad():
            got = flat(layer(inputs, mask=mask))
        expected = torch.from_numpy(reference[name])
        assert torch.allclose(got, expected, rtol=1e-10, atol=1e-10), name
        options.pop("chunk", None)
        chunked = recipe.filled(getattr(layers, kind)(recipe.D, **options, chunk=3))
        with torch.no_grad():
            assert torch.allclose(flat(chunked(inputs, mask=mask)), expected, rtol=1e-10, atol=1e-10), f"{name} in chunks"
        tried += 1
    assert tried >= 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduce", [True, False])
def test_layers_that_know_their_types_are_equivariant(kind, reduce):
    for options in (
        {"rank": 1},
        {"rank": 2, "invariant_mode": "full"},
        {"rank": 3, "parity": "o3", "include_normalized_products": True},
    ):
        layer = make(kind, reduce=reduce, **options)
        verdict = er.assert_equivariant(layer, elements=4)
        assert verdict["worst"] < 1e-11
    rich = make(kind, reduce=reduce, rank=3, merge_fun="concat", join_fun="concat", linear_terms=2, linear_mode="full")
    er.assert_equivariant(rich, elements=4)


def test_in_the_plane():
    for kind, options in itertools.product(recipe.VECTOR, ({"rank": 3}, {"rank": 3, "parity": "o3"})):
        er.assert_equivariant(make(kind, dim=2, reduce=False, **options), elements=4)
    r, v = cloud(4, size=2)
    mirror = torch.tensor([-1.0, 1.0], dtype=F64)
    seen = make(dim=2, merge_fun="concat")
    assert (seen((r * mirror, v)) - seen((r, v))).abs().max() > 1e-3
    unseen = make(dim=2, merge_fun="concat", parity="o3")
    assert torch.allclose(unseen((r * mirror, v)), unseen((r, v)), atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_points_come_in_any_order_and_batches_are_loops(kind):
    order = torch.tensor([3, 0, 4, 1, 2])
    for reduce, rank in itertools.product((True, False), (1, 2, 3)):
        layer = make(kind, reduce=reduce, rank=rank, invariant_mode="partial", merge_fun="concat")
        inputs = inputs_of(kind, 2, 3)
        y = layer(inputs)
        points = inputs[1] if kind.startswith("Labeled") else inputs
        moved = tuple(x[..., order, :] for x in points)
        again = layer((inputs[0], moved) if kind.startswith("Labeled") else moved)
        for a, b in zip(*((p if isinstance(p, tuple) else (p,)) for p in (y, again))):
            assert torch.allclose(a if reduce else a[..., order, :], b, atol=1e-13)
        one = layer(torch.utils._pytree.tree_map(lambda t: t[1, 2], inputs))
        for a, b in zip(*((p if isinstance(p, tuple) else (p,)) for p in (y, one))):
            assert torch.allclose(a[1, 2], b, atol=1e-13)


def test_fed_with_differences_a_layer_does_not_see_where_the_cloud_is():
    pos, v = cloud(4)
    layer = make(rank=3, reduce=False)
    shifted = pos.mul(2**20).round().div(2**20)  # so that differences of shifted positions are exact
    y = [layer(((p - p[:, :1]), v)) for p in (shifted, shifted + 4)]
    assert torch.equal(*y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_is_the_absence_of_points(kind):
    mask = torch.tensor([True, False, True, True, False])
    for reduce, rank, chunk in itertools.product((True, False), (1, 2, 3), (None, 4)):
        layer = make(kind, reduce=reduce, rank=rank, invariant_mode="partial", chunk=chunk)
        inputs = inputs_of(kind, 2)
        points = inputs[1] if kind.startswith("Labeled") else inputs
        fewer = tuple(x[:, mask] for x in points)
        broken = tuple(torch.where(mask[:, None], x, torch.nan) for x in points)
        wrapped = [(inputs[0], p) if kind.startswith("Labeled") else p for p in (broken, fewer)]
        y = layer(wrapped[0], mask=mask.expand(2, 5))
        for a, b in zip(*((p if isinstance(p, tuple) else (p,)) for p in (y, layer(wrapped[1])))):
            assert torch.allclose(a if reduce else a[..., mask, :], b, atol=1e-12)
            assert reduce or not a[..., ~mask, :].any()


def test_points_come_and_go_smoothly():
    r, v = cloud(2)
    for rank, mode, chunk in itertools.product((1, 2, 3), ("single", "partial"), (None, 4)):
        layer = make(rank=rank, invariant_mode=mode, chunk=chunk)
        there = torch.ones(2, 5, dtype=F64)
        there[:, 2] = 0
        assert torch.allclose(layer((r, v), mask=there), layer((r, v), mask=there > 0), atol=1e-14)
        there[:, 2] = 1e-9
        assert torch.allclose(layer((r, v), mask=there), layer((r, v), mask=there > 0.5), atol=1e-6)
        # A point that is half there twice is there once.
        there[:, 2] = 1
        twice = torch.cat([there, there[:, 2:3] / 2], 1)
        twice[:, 2] = 0.5
        double = tuple(torch.cat([x, x[:, 2:3]], 1) for x in (r, v))
        assert torch.allclose(layer(double, mask=twice), layer((r, v)), atol=1e-13)


def test_one_point_left_and_none():
    r, v = (x.requires_grad_() for x in cloud(2))
    mask = torch.tensor([[True, False, False, False, False], [False] * 5])
    for rank, reduce, chunk in itertools.product((1, 2, 3), (True, False), (None, 4)):
        for layer in (make(rank=rank, reduce=reduce, chunk=chunk), make(rank=rank, reduce=reduce, invariant_mode="full")):
            y = layer((r, v), mask=mask)
            assert not y[1].any()
            alone = layer((r[:1, :1], v[:1, :1]))
            assert torch.allclose(y[:1] if reduce else y[:1, :1], alone, atol=1e-13)
            grads = torch.autograd.grad(y.square().sum(), (r, v), allow_unused=True)
            assert all(g is None or bool(g.isfinite().all()) for g in grads)


@pytest.mark.parametrize("kind", ["VectorAttention", "TiedVectorAttention", "LabeledVectorAttention", "MultivectorAttention"])
def test_no_points_no_clouds_one_point(kind):
    for reduce in (True, False):
        layer = make(kind, reduce=reduce, rank=3)
        for batch, n in (((2,), 0), ((0,), 5), ((), 1), ((1,), 1)):
            y, z = flat(layer(inputs_of(kind, *batch, n=n))), flat(layer(inputs_of(kind, *batch, n=n)))
            assert torch.equal(y, z)
            assert y.isfinite().all()


@pytest.mark.parametrize("chunk", [3, 30, 10_000])
@pytest.mark.parametrize("kind", ["VectorAttention", "TiedVectorAttention", "LabeledMultivectorAttention"])
def test_chunks_give_the_same_numbers_and_derivatives(kind, chunk):
    for reduce, rank, mode in itertools.product((True, False), (2, 3), ("single", "partial")):
        whole, parts = (make(kind, reduce=reduce, rank=rank, invariant_mode=mode, chunk=c) for c in (None, chunk))
        inputs = inputs_of(kind, 2, n=4)
        r = (inputs[1] if kind.startswith("Labeled") else inputs)[0].requires_grad_()
        found = []
        for layer in (whole, parts):
            y = flat(layer(inputs))
            (first,) = torch.autograd.grad(y.sin().sum(), r, create_graph=True)
            found.append((y, first, *torch.autograd.grad(first.square().sum(), list(layer.parameters()), allow_unused=True)))
        for a, b in zip(*found):
            assert (a is None) == (b is None)
            assert a is None or torch.allclose(a, b, rtol=1e-10, atol=1e-12)


def test_attention_weights_sum_to_one_and_make_the_result():
    r, v = cloud(2, n=4)
    for kind, reduce, rank in itertools.product(("VectorAttention", "MultivectorAttention"), (True, False), (1, 2, 3)):
        inputs = (r if kind.startswith("V") else layers.Vector2Multivector()(r), v)
        layer = make(kind, reduce=reduce, rank=rank)
        y, weights = layer(inputs, return_attention=True)
        assert weights.shape == (2, *[4] * rank)
        total = weights.flatten(1).sum(1) if reduce else weights.reshape(2, 4, -1).sum(2)
        assert torch.allclose(total, torch.ones_like(total))
        assert torch.allclose(y, layer(inputs), atol=1e-13)
    label = cloud(2, n=3)[1]
    _, weights = make("LabeledVectorAttention")((label, (r, v)), return_attention=True)
    assert weights.shape == (2, 3, 4, 4)


@pytest.mark.parametrize("mode", ["single", "partial", "full"])
def test_derivatives_are_right_and_finite_where_points_coincide(mode):
    generic, v = cloud(3, 1, n=3, d=3)[0][0], cloud(1, n=3, d=3)[1]
    for kind, rank in itertools.product(("VectorAttention", "Vector2VectorAttention"), (2, 3)):
        layer = make(kind, d=3, rank=rank, invariant_mode=mode, include_normalized_products=True, merge_fun="concat")
        layer.value_net = (
            layer.score_net[:1] if False else torch.nn.Sequential(torch.nn.Linear(layer.invariant_dims, 3), torch.nn.Tanh())
        )
        layer.double()
        r = generic.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda r, layer=layer: layer((r, v)), r)
        assert torch.autograd.gradgradcheck(lambda r, layer=layer: layer((r, v)), r, atol=1e-4)
        awkward = torch.tensor([[[1.0, 2, 3], [1, 2, 3], [0, 0, 0]], [[1, 2, 3], [-2, -4, -6], [0.1, 0.2, 0.3]]], dtype=F64)
        awkward.requires_grad_()
        y = layer((awkward, v.expand(2, -1, -1)))
        (first,) = torch.autograd.grad(y.sum(), awkward, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), awkward)
        assert first.isfinite().all()
        assert second.isfinite().all()
        assert second.abs().max() < 1e6


# What tells mirror images apart: rank, invariant mode, merging, and whether it does.
MIRRORS = [
    (1, "single", "concat", False),
    (2, "single", "concat", False),
    (2, "full", "concat", False),
    (3, "single", "mean", False),
    (3, "single", "concat", True),
    (3, "partial", "mean", True),
    (3, "full", "mean", True),
    (4, "single", "mean", False),
    (4, "partial", "mean", True),
]


@pytest.mark.parametrize(("rank", "mode", "merge", "chiral"), MIRRORS)
def test_which_layers_tell_mirror_images_apart(rank, mode, merge, chiral):
    r, v = cloud(4, n=4)
    inp = er.O(3).vector
    for reduce in (True, False):
        layer = make(rank=rank, invariant_mode=mode, merge_fun=merge, reduce=reduce)
        still = er.frames.PerDatum(er.O(3))
        verdict = er.equivariance_error(lambda r, layer=layer: layer((r, v)), r, inp, still, tolerance=1e-11)
        assert bool(verdict) is not chiral
        assert not chiral or verdict["worst"] > 1e-5
        never = make(rank=rank, invariant_mode=mode, merge_fun=merge, reduce=reduce, parity="o3")
        assert er.equivariance_error(lambda r, layer=never: layer((r, v)), r, inp, still, tolerance=1e-11)


def test_axial_covariants_break_reflections_and_are_left_out():
    r, v = cloud(4)
    axial = make("Vector2VectorAttention", covariant_mode="partial", merge_fun="concat")
    act = er.O(3).vector
    assert not er.equivariance_error(lambda r: axial((r, v)), r, act, act)
    assert er.equivariance_error(lambda r: axial((r, v)), r, er.SO(3).vector, er.SO(3).vector)
    polar = make("Vector2VectorAttention", covariant_mode="partial", merge_fun="concat", parity="o3")
    assert er.equivariance_error(lambda r: polar((r, v)), r, act, act)
    with pytest.raises(ArgumentError, match="covariant_mode"):
        make("Vector2VectorAttention", covariant_mode="single", parity="o3")


def test_what_always_vanishes_is_warned_of():
    with pytest.warns(UserWarning, match="always zero"):
        layer = layers.Vector2VectorAttention(6, covariant_mode="single").double()
    r, v = cloud(4)
    assert layer((r, v)).abs().max() < 1e-15
    for options in ({"reduce": False}, {"merge_fun": "concat"}, {"covariant_mode": "partial"}, {"rank": 3}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layers.Vector2VectorAttention(6, **{"covariant_mode": "single", **options})


def test_copies_of_the_whole_cloud_are_invisible():
    r, v = cloud(2)
    layer = make(rank=2, invariant_mode="full")
    assert torch.allclose(layer((torch.cat([r, r], 1), torch.cat([v, v], 1))), layer((r, v)), atol=1e-13)


def test_weights_multiply_values():
    kinds = ("VectorAttention", "Vector2VectorAttention", "LabeledVectorAttention", "MultivectorAttention")
    for kind, rank, chunk in itertools.product(kinds, (1, 2, 3), (None, 4)):
        layer = make(kind, rank=rank, chunk=chunk)
        inputs = inputs_of(kind, 2)

        def weighted(w, kind=kind, inputs=inputs, layer=layer):
            return layer((inputs[0], (*inputs[1], w)) if kind.startswith("Labeled") else (*inputs, w))

        assert torch.allclose(weighted(torch.full((2, 5), 3.0, dtype=F64)), 3 * layer(inputs), atol=1e-12)
        w = torch.rand(2, 5, dtype=F64)
        w[0, 2] = 0
        w.requires_grad_()
        (g,) = torch.autograd.grad(weighted(w).sum(), w)
        assert g.isfinite().all()


def test_networks_of_ones_own_see_every_ordered_tuple():
    seen = []

    def score(m):
        seen.append(m.shape)
        return m.sum(-1, keepdim=True)

    layer = layers.VectorAttention(6, score_net=score).double()
    layer(cloud(2))
    assert seen == [(2, 5, 5, 6)]
    late = layers.VectorAttention(6).double()
    late.value_net = torch.nn.Sequential(*late.value_net)
    late.value_net.register_forward_hook(lambda net, inputs, m: seen.append(m.shape))
    late(cloud(2))
    assert seen == 2 * [(2, 5, 5, 6)]
    normal = layers.VectorAttention(6, value_net=torch.nn.Sequential(layers.MomentumNormalization(2), torch.nn.Linear(2, 6)))
    normal.double()(cloud(2))
    q = torch.stack([torch.stack([a @ b, torch.linalg.cross(a, b).norm()]) for c in cloud(2)[0] for a in c for b in c])
    assert torch.allclose(normal.value_net[0].mu, 0.01 * q.mean(0))
    assert torch.allclose(normal.value_net[0].sigma, 0.99 + 0.01 * q.std(0, correction=0))
    before = normal.value_net[0].mu.clone()
    normal.eval()(cloud(2))
    assert torch.equal(normal.value_net[0].mu, before)


def test_momentum_norms():
    layer, x = layers.MomentumLayerNormalization(momentum=0.5), torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert torch.allclose(layer(x), x / 1.75)
    assert layer(x[:0]).shape == (0, 2)
    layers.MomentumNormalization(2)(x[:0])
    x.requires_grad_()
    y = layer(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(g, torch.full_like(g, 1 / float(layer.norm)))
    for bad in (layers.MomentumLayerNormalization, lambda momentum: layers.MomentumNormalization(2, momentum)):
        with pytest.raises(ArgumentError, match="momentum"):
            bad(momentum=1.5)


def test_conversions():
    r = torch.randn(4, 3)
    assert torch.equal(layers.Multivector2Vector()(layers.Vector2Multivector()(r)), r)
    for module, x in ((layers.Multivector2Vector(), r), (layers.Vector2Multivector(), torch.randn(4, 8))):
        with pytest.raises(ArgumentError, match="expected"):
            module(x)


@pytest.mark.parametrize("kind", KINDS)
def test_precisions_compilation_copies_and_vmap(kind, tmp_path):
    layer = make(kind, rank=2, reduce=False, invariant_mode="partial")
    inputs = inputs_of(kind, 2)
    y = flat(layer(inputs))
    single = torch.utils._pytree.tree_map(lambda t: t.float(), inputs)
    assert torch.allclose(flat(layer.float()(single)).double(), y, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        half = flat(layer(single))
    assert torch.allclose(half.double(), y, atol=0.1 * float(y.abs().max()) + 0.05)
    other = make(kind, rank=2, reduce=False, invariant_mode="partial").float()
    with torch.no_grad():
        for p in other.parameters():
            p.add_(0.1)
    from torch.func import functional_call, stack_module_state

    state, buffers = stack_module_state([layer, other])
    both = torch.func.vmap(lambda s, b: flat(functional_call(layer, (s, b), (single,))))(state, buffers)
    assert torch.allclose(both[1], flat(other(single)), atol=1e-5)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(flat(other(single)), flat(layer(single)))
    strided = torch.utils._pytree.tree_map(lambda t: t.transpose(0, 1).contiguous().transpose(0, 1), single)
    assert torch.allclose(flat(layer(strided)), flat(layer(single)), atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), [("VectorAttention", {}), ("TiedVectorAttention", {"rank": 3})])
def test_compiled_whole(kind, options):
    layer = make(kind, **options)
    inputs = inputs_of(kind, 2, n=3)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert torch.allclose(flat(compiled(inputs)), flat(layer(inputs)), atol=1e-12)
    r = inputs[0].requires_grad_()
    (a,) = torch.autograd.grad(flat(compiled(inputs)).sum(), r)
    (b,) = torch.autograd.grad(flat(layer(inputs)).sum(), r)
    assert torch.allclose(a, b, atol=1e-12)


R, V = cloud(2)
BAD_CALLS = [
    ("r", (R[..., :2], V), {}),
    ("r", (R.long(), V), {}),
    ("r", (R[0, 0], V), {}),
    ("v", (R, V[:, :4]), {}),
    ("v", (R, V[..., :5]), {}),
    ("w", (R, V, torch.ones(2, 4)), {}),
    ("mask", (R, V), {"mask": torch.ones(2, 4, dtype=torch.bool)}),
    ("mask", (R, V), {"mask": torch.ones(2, 5, dtype=torch.int64)}),
    ("inputs", R, {}),
    ("inputs", (R,), {}),
]


@pytest.mark.parametrize(("name", "inputs", "options"), BAD_CALLS)
def test_calls_that_do_not_fit_are_refused(name, inputs, options):
    with pytest.raises(ArgumentError, match=f"argument '{name}'"):
        make()(inputs, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"rank": 0},
        {"rank": 2.5},
        {"n_dim": 0},
        {"chunk": 0},
        {"linear_terms": -1},
        {"invariant_mode": "all"},
        {"linear_mode": "all"},
        {"merge_fun": "sum"},
        {"join_fun": "sum"},
        {"parity": "e3"},
        {"dim": 4},
        {"linear_terms": 1, "parity": "o3"},
    ],
)
def test_choices_that_there_are_not_are_refused(options):
    with pytest.raises(ArgumentError, match=f"argument '{next(iter(options))}'"):
        layers.VectorAttention(**{"n_dim": 4, **options})


def test_more_is_refused():
    with pytest.raises(ArgumentError, match="covariant_mode"):
        layers.Vector2VectorAttention(4, covariant_mode="all")
    with pytest.raises(ArgumentError, match="dim"):
        layers.MultivectorAttention(4, dim=2)
    with pytest.raises(ArgumentError, match="'r': expected vectors .*8"):
        make("MultivectorAttention")((R, V))
    with pytest.raises(ArgumentError, match="labels"):
        make("LabeledVectorAttention")((V[:1], (R, V)))
    with pytest.raises(ArgumentError, match="inputs"):
        make("LabeledVectorAttention")((R, V))
    with pytest.raises(ArgumentError, match="chunk"):
        make(rank=4)((torch.zeros(60, 3, dtype=F64), torch.zeros(60, 6, dtype=F64)))
    with pytest.raises(ArgumentError, match="return_attention"):
        make(chunk=5)((R, V), return_attention=True)


def test_weights_and_masks_have_their_range_and_padding_may_be_anything():
    torch.manual_seed(0)
    layer = layers.VectorAttention(6, rank=2).double()
    r, v, w = (torch.randn(2, 4, 3, dtype=F64), torch.randn(2, 4, 6, dtype=F64), torch.rand(2, 4, dtype=F64))
    mask = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    y = layer((r, v, w), mask=mask)
    padded = torch.where(mask, w, torch.nan)
    torch.testing.assert_close(layer((r, v, padded), mask=mask), y, rtol=0, atol=0)
    for name, call in {
        "w": lambda: layer((r, v, -w)),
        "mask": lambda: layer((r, v), mask=2 * mask.double()),
        "mask'.*nan": lambda: layer((r, v), mask=torch.full((2, 4), torch.nan)),
        "v": lambda: layer((r, v.long())),
    }.items():
        with pytest.raises(ArgumentError, match=name):
            call()


@pytest.mark.parametrize("options", [{}, {"chunk": 7}, {"reduce": False}], ids=str)
@pytest.mark.parametrize("kind", ["VectorAttention", "LabeledVectorAttention"])
def test_running_numbers_do_not_follow_padding(kind, options):
    options = {} if kind != "VectorAttention" else options

    def ran(inputs, mask=None):
        layer = make(kind, **options)
        layer.value_net = torch.nn.Sequential(layers.MomentumNormalization(2, 0.5), torch.nn.Linear(2, 6)).double()
        layer.score_net = torch.nn.Sequential(layers.MomentumNormalization(6, 0.5), torch.nn.Linear(6, 1)).double()
        for part in (layer.value_net, layer.score_net):
            torch.nn.init.constant_(part[1].weight, 0.3)
        layer.train()(inputs, mask=mask)
        return [number for net in (layer.value_net, layer.score_net) for number in (net[0].mu, net[0].sigma)]

    def padded(x):
        return torch.cat([x, 50 * torch.ones_like(x[..., :2, :])], -2)

    whole = inputs_of(kind, 2)
    (r, v), labels = (whole, None) if kind == "VectorAttention" else (whole[1], whole[0])
    wide = (padded(r), padded(v)) if labels is None else (labels, (padded(r), padded(v)))
    mask = torch.arange(7).expand(2, 7) < 5
    for one, other in zip(ran(whole), ran(wide, mask)):
        assert torch.allclose(one, other, atol=1e-12)
    for number, start in zip(ran(wide, mask & False), (0.0, 1.0, 0.0, 1.0)):
        assert torch.equal(number, torch.full_like(number, start))  # nothing there: they stay
