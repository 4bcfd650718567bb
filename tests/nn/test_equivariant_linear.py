"""The equivariant layer as torch users meet it: channels, bias, masks, sizes, gradients, vmap, compile, saving, dtypes."""

import copy

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.nn import EquivariantLinear, Gated, TensorProduct
from erlangen.serialization import load_weights, save_weights

D = torch.float64
GROUPS = [er.Symmetric(4), er.Alternating(4), er.O(3), er.SO(3), er.Sp(4), er.O(1, 3), er.SO(2), er.Dihedral(4)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mixed(group):
    V = group.vector
    return V**2 + 2 * V + group.scalar


def layer(group, channels=(3, 4), **options):
    made = EquivariantLinear(mixed(group), mixed(group), channels, dtype=D, generator=seeded(), **options)
    if made.bias is not None:
        torch.nn.init.normal_(made.bias, generator=seeded(1))
    return made


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_equivariance_with_channels_and_bias(group):
    V, net = mixed(group), layer(group)
    g = group.sample(20, generator=seeded(2), dtype=D)
    x = torch.randn(20, 3, V.dim, generator=seeded(3), dtype=D)
    moved, expected = net(V.act(g, x)), V.act(g, net(x))
    assert ((moved - expected).norm() / expected.norm()).item() <= 1e-12
    assert net(x[:, None, None]).shape == (20, 1, 1, 4, V.dim)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_variance_is_kept(group):
    V = mixed(group)
    net = EquivariantLinear(V, V, (16, 16), generator=seeded())
    y = net(torch.randn(500, 16, V.dim, generator=seeded(1)))
    assert 0.7 < y.std().item() < 1.5


@pytest.mark.parametrize("group", [er.Symmetric(3), er.Alternating(4), er.O(2), er.SO(3), er.Sp(2), er.SO(1, 1)], ids=str)
@pytest.mark.parametrize("strategy", ["contract", "dense"])
def test_gradients_twice(group, strategy):
    V = group.vector
    maps = er.EquivariantMaps(V**2, V**2 + V, normalize="sqrt", strategy=strategy).prepare()
    weights = torch.randn(maps.dim, 2, 1, generator=seeded(), dtype=D, requires_grad=True)
    x = torch.randn(2, 1, V.dim**2, generator=seeded(1), dtype=D, requires_grad=True)
    assert torch.autograd.gradcheck(maps, (weights, x))
    assert torch.autograd.gradgradcheck(maps, (weights, x))


@pytest.mark.parametrize("group", GROUPS[:6], ids=str)
@pytest.mark.parametrize("strategy", ["contract", "dense"])
def test_vmap_over_parameters_and_data(group, strategy):
    V = mixed(group)
    maps = er.EquivariantMaps(V, V, normalize="sqrt", strategy=strategy).prepare()
    weights = torch.randn(5, maps.dim, 3, 2, generator=seeded(), dtype=D)
    x = torch.randn(5, 6, 2, V.dim, generator=seeded(1), dtype=D)
    for dims, args in (((0, None), (weights, x[0])), ((None, 0), (weights[0], x)), ((0, 0), (weights, x))):
        expected = torch.stack([maps(weights[i] if dims[0] == 0 else weights[0], x[i] if dims[1] == 0 else x[0]) for i in range(5)])
        torch.testing.assert_close(torch.vmap(maps, in_dims=dims)(*args), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("group", [er.Alternating(4), er.SO(3)], ids=str)
def test_compiles_without_graph_breaks(group):
    """Permutations and symplectic groups within networks: tests/nn/test_equivariant_mlp.py."""
    net = layer(group)
    x = torch.randn(64, 3, mixed(group).dim, generator=seeded(), dtype=D)
    torch.compiler.reset()  # what other tests compiled counts against a limit
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), net(x), rtol=1e-10, atol=1e-10)
    (compiled(x).sum()).backward()
    found = net.weight.grad.clone()
    net.zero_grad()
    net(x).sum().backward()
    torch.testing.assert_close(found, net.weight.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_compiles_with_inductor():
    torch.compiler.reset()
    net = layer(er.Symmetric(5))
    x = torch.randn(64, 3, mixed(er.Symmetric(5)).dim, generator=seeded(), dtype=D)
    torch.testing.assert_close(torch.compile(net, fullgraph=True)(x), net(x), rtol=1e-6, atol=1e-6)


def test_weights_do_not_depend_on_how_they_are_evaluated(tmp_path):
    net = layer(er.Symmetric(5))
    assert {name: tuple(p.shape) for name, p in net.state_dict().items()} == {"weight": (net.maps.dim, 4, 3), "bias": (5, 4)}
    save_weights(net, tmp_path / "layer.safetensors")
    other = layer(er.Symmetric(5))
    other.reset_parameters(seeded(9))
    load_weights(other, tmp_path / "layer.safetensors")
    x = torch.randn(2, 3, mixed(er.Symmetric(5)).dim, generator=seeded(), dtype=D)
    assert torch.equal(net(x), other(x))
    outputs = [
        er.EquivariantMaps(net.source, net.target, normalize="sqrt", strategy=s)(net.weight, x)
        for s in ("contract", "dense", "auto")
    ]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(outputs[0], outputs[2], rtol=1e-12, atol=1e-12)
    assert torch.equal(copy.deepcopy(net)(x), net(x))


def test_lower_precision_and_autocast():
    V = mixed(er.SO(3))
    net = EquivariantLinear(V, V, (4, 4), generator=seeded())
    x = torch.randn(64, 4, V.dim, generator=seeded(1))
    expected = net(x)
    low = net.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert low.dtype == torch.bfloat16
    assert float((low.float() - expected).norm() / expected.norm()) < 0.02
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(net.float()(x)).all()


def test_deep_sets_and_matrices():
    V = er.Symmetric(6).vector
    net = EquivariantLinear(V, V, normalize="sum", dtype=D, bias=False, generator=seeded())
    x = torch.randn(4, 6, generator=seeded(1), dtype=D)
    a, b = net.weight.flatten()
    torch.testing.assert_close(net(x), a * x + b * x.sum(-1, keepdim=True))


@pytest.mark.parametrize("normalize", ["mean", "sqrt", "sum"])
def test_orbit_basis_is_the_same_space(normalize):
    V = er.Symmetric(4).vector
    orbit = EquivariantLinear(V**2, V**2, basis="orbit", dtype=D, bias=False, generator=seeded())
    diagram = EquivariantLinear(V**2, V**2, normalize=normalize, dtype=D, bias=False)
    matrix = orbit(torch.eye(16, dtype=D)).mT.detach()
    assert diagram.maps.coefficients(matrix)[1] < 1e-12


def test_mean_normalisation_transfers_to_other_sizes():
    V = er.Symmetric(5).vector
    small = EquivariantLinear(V**2, V**2, (2, 3), normalize="mean", dtype=D, generator=seeded())
    large = small.over(er.Symmetric(9))
    assert large.weight is small.weight
    big = large.source
    g = er.Symmetric(9).sample(5, generator=seeded(1))
    x = torch.randn(5, 2, 81, generator=seeded(2), dtype=D)
    assert float((large(big.act(g, x)) - big.act(g, large(x))).abs().max()) <= 1e-12
    with pytest.raises(ArgumentError, match="'group'"):
        small.over(er.Symmetric(3))


def test_masked_batches_are_each_graph_alone():
    V = er.Symmetric(7).vector
    for normalize in ("mean", "sqrt", "sum"):
        net = EquivariantLinear(V**2 + V, V**2 + V, (2, 3), normalize=normalize, dtype=D, generator=seeded())
        torch.nn.init.normal_(net.bias, generator=seeded(4))
        sizes = [5, 7, 6]
        mask = torch.arange(7) < torch.tensor(sizes)[:, None]
        x = torch.randn(3, 2, 56, generator=seeded(1), dtype=D)
        y = net(x, mask)
        for i, n in enumerate(sizes):
            alone = net.over(er.Symmetric(n))
            matrix, vector = x[i, :, :49].reshape(2, 7, 7)[:, :n, :n], x[i, :, 49:][:, :n]
            expected = alone(torch.cat([matrix.flatten(1), vector], -1))
            got = torch.cat([y[i, :, :49].reshape(3, 7, 7)[:, :n, :n].flatten(1), y[i, :, 49:][:, :n]], -1)
            torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
            assert float(y[i, :, :49].reshape(3, 7, 7)[:, n:].abs().sum()) == 0
    with pytest.raises(ArgumentError, match="'mask'"):
        net(x, mask[:, :5])
    with pytest.raises(ArgumentError, match="'mask'"):
        layer(er.SO(3))(torch.zeros(2, 3, mixed(er.SO(3)).dim, dtype=D), torch.ones(2, 3, dtype=torch.bool))


def test_nothing_to_map_is_said_and_zero():
    V = er.O(3).vector
    with pytest.warns(UserWarning, match="its output is zero"):
        net = EquivariantLinear(V**2, V)
    assert torch.equal(net(torch.randn(4, 9)), torch.zeros(4, 3))
    with pytest.warns(UserWarning, match="the bias alone"):
        net = EquivariantLinear(V, V**2)
    torch.nn.init.ones_(net.bias)
    torch.testing.assert_close(net(torch.randn(4, 3)), torch.eye(3).flatten().expand(4, 9))


@pytest.mark.parametrize("group", [er.Symmetric(5), er.O(3), er.SO(3), er.Sp(4), er.O(1, 3), er.SO(2, axis="z")], ids=str)
def test_tensor_products_commute_with_the_group(group):
    V = mixed(group)
    product = TensorProduct(V, V)
    g = group.sample(10, generator=seeded(), dtype=D)
    x, y = torch.randn(2, 10, 3, V.dim, generator=seeded(1), dtype=D)
    expected = product.output_rep.act(g, product(x, y))
    assert float((product(V.act(g, x), V.act(g, y)) - expected).norm() / expected.norm()) <= 1e-12


def test_tensor_products_are_contractions():
    V = er.Sp(4).vector
    product = TensorProduct(V**2, V**2)
    x, y = torch.randn(2, 4, 4, generator=seeded(), dtype=D)
    out = product(x.flatten(), y.flatten())
    omega = V.group.form
    torch.testing.assert_close(out[:16].reshape(4, 4), x @ omega @ y / 2)
    torch.testing.assert_close(out[16], torch.einsum("ij,ik,jl,kl->", x, omega, omega, y) / 4)
    assert product.output_rep == V**2 + V.group.scalar
    with pytest.raises(ArgumentError, match="'right'"):
        TensorProduct(V, er.O(4).vector)


def test_gates():
    V = mixed(er.SO(3))
    gate = Gated(V)
    assert gate.input_rep.dim == V.dim + 3
    x = torch.randn(5, gate.input_rep.dim, generator=seeded(), dtype=D)
    y = gate(x)
    torch.testing.assert_close(y[:, :9], x[:, :9] * torch.sigmoid(x[:, -3:-2]))
    torch.testing.assert_close(y[:, 15], torch.nn.functional.silu(x[:, 15]))


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda V: EquivariantLinear(V, V, (0, 2)), "channels"),
        (lambda V: EquivariantLinear(V, V, (1,)), "channels"),
        (lambda V: EquivariantLinear(V, er.O(4).vector), "target"),
        (lambda V: EquivariantLinear(V, V, normalize="max"), "normalize"),
        (lambda V: EquivariantLinear(V, V, basis="orbit"), "basis"),
        (lambda V: EquivariantLinear(V, V)(torch.zeros(4)), "x"),
        (lambda V: EquivariantLinear(V, V, (2, 2))(torch.zeros(2, 1, 3)), "x"),
        (lambda V: EquivariantLinear(V, V, (2, 2))(torch.zeros(3)), "x"),
        (lambda V: TensorProduct(V, V, max_order=-1), "max_order"),
        (lambda V: TensorProduct(V, V)(torch.zeros(3), torch.zeros(4)), "y"),
        (lambda V: Gated(V)(torch.zeros(3)), "x"),
    ],
)
def test_bad_input(build, argument):
    V = er.O(3).vector
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        build(V)


def test_third_order_layers_of_twenty_things_fit_in_memory():
    """203 matrices of 8000 x 8000 would be 52 GB; forward and backward stay below 1.5 GiB."""
    from torch.profiler import ProfilerActivity, profile

    V = er.Symmetric(20).vector
    net = EquivariantLinear(V**3, V**3, (8, 8), generator=seeded())
    x = torch.randn(8, 8, 8000, generator=seeded(1), requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        net(x).square().mean().backward()
    live = peak = 0
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    assert 0 < peak < 1.5 * 2**30
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_masked_layers_compile(dtype):
    from erlangen.groups import Symmetric, TableGroup

    V = Symmetric(5).vector
    layer = EquivariantLinear(V**2 + V, V, (2, 3)).to(dtype)
    x, mask = torch.randn(4, 2, 30).to(dtype), torch.arange(5).expand(4, 5) < 3
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, mask), layer(x, mask))
    bits = TableGroup.generated_by([1], lambda a, b: (a + b) % 2, identity=0)
    assert EquivariantLinear(bits.scalar, bits.regular)(torch.ones(3, 1)).shape == (3, 2)


def test_layers_between_the_same_representations_share_what_they_compute_and_nothing_that_is_theirs():
    V = er.O(3).vector
    rep = V + V**2
    with torch.inference_mode():
        EquivariantLinear(rep, rep)  # the first: made where nothing can be trained
    one, two = (EquivariantLinear(rep, rep, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert not torch.equal(one.weight, two.weight)
    assert one.source is rep
    x = torch.randn(4, rep.dim, generator=torch.Generator().manual_seed(2)).requires_grad_()
    expected = x.detach() @ two.maps.matrix(two.weight.detach().flatten()).mT  # the bias is zero
    assert torch.allclose(two(x), expected, atol=1e-5)
    two(x).sum().backward()  # and can be
    assert one.weight.grad is None
    assert two.weight.grad is not None


def test_the_second_layer_without_diagrams_of_its_own_group_warns_as_the_first():
    from erlangen.maps.base import SymmetricOnly

    V = er.groups.Alternating(7).vector
    for _ in range(2):
        with pytest.warns(SymmetricOnly) as seen:
            EquivariantLinear(V, V)
        assert [w.filename for w in seen] == [__file__]
