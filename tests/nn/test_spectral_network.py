"""The group-equivariant Fourier operator: its laws for every kind of field, its size, its resolution, its precisions."""

import copy
import warnings

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError

F64 = torch.float64


def network(group="p4m", kind="scalar", n_modes=4, width=3, count=1, **options):
    torch.manual_seed(0)
    return er.nn.GFNO(n_modes, width, [("u", kind, count)], [("u", kind, 1)], group=group, n_layers=2, **options).double()


def shift_error(net, x):
    with torch.no_grad():
        y = net(x)
        return max(
            float((net(x.roll(by, (-2, -1))) - y.roll(by, (-2, -1))).norm() / y.norm()) for by in [(1, 0), (0, 1), (3, 5), (-2, 7)]
        )


@pytest.mark.parametrize("group", ["p2", "pm", "p4", "pmm", "p4m"])
@pytest.mark.parametrize("size", [16, 17, 32])
def test_turns_about_grid_points_about_pixels_and_shifts_are_symmetries(group, size):
    net = network(group)
    x = torch.randn(2, 1, size, size, dtype=F64)
    for pixels in (False, True):
        verdict = er.assert_equivariant(net, x, *net.acting((size, size), pixels))
        assert verdict["worst"] < 1e-10
    assert shift_error(net, x) < 1e-10


def test_turning_a_picture_is_turning_about_pixels():
    net = network("p4m")
    x = torch.randn(2, 1, 16, 16, dtype=F64)
    with torch.no_grad():
        for moved in (lambda u: torch.rot90(u, 1, (-2, -1)), lambda u: u.flip(-1), lambda u: u.mT):
            assert torch.allclose(net(moved(x)), moved(net(x)), atol=1e-12)


def test_rectangles_have_the_groups_that_exchange_no_axes():
    net = network("pmm", "vector", n_modes=(3, 5), count=2)
    x = torch.randn(2, 4, 9, 14, dtype=F64)
    assert er.assert_equivariant(net, x, *net.acting((9, 14)))
    with pytest.raises(ArgumentError, match="sides"):
        network("p4")(torch.randn(1, 1, 16, 18, dtype=F64))


def test_the_symmetric_position_keeps_turns_of_pictures_and_breaks_shifts():
    net = network("p4", grid="symmetric")
    x = torch.randn(2, 1, 16, 16, dtype=F64)
    assert er.assert_equivariant(net, x, *net.acting((16, 16), pixels=True))["worst"] < 1e-10
    assert shift_error(net, x) > 1e-3
    assert er.assert_equivariant(net)
    broken = network("p4", grid="cartesian")
    assert not er.equivariance_error(broken, x, *broken.acting((16, 16), pixels=True))


def test_quarter_turns_are_no_mirrors_and_mirrors_act_as_the_kind_says():
    x = torch.randn(2, 1, 16, 16, dtype=F64)
    scalar, pseudo = (network("p4m", kind) for kind in ("scalar", "pseudoscalar"))
    as_scalar, as_pseudo = scalar.acting((16, 16)), pseudo.acting((16, 16))
    four = network("p4")
    assert er.equivariance_error(four, x, *as_scalar)["worst"] > 1e-2
    assert er.equivariance_error(scalar, x, *as_scalar)["worst"] < 1e-10
    assert er.equivariance_error(pseudo, x, *as_pseudo)["worst"] < 1e-10
    assert er.equivariance_error(pseudo, x, *as_scalar)["worst"] > 1e-2
    assert er.equivariance_error(scalar, x, *as_pseudo)["worst"] > 1e-2
    with torch.no_grad():  # the law by hand: -w mirrored
        assert torch.allclose(pseudo(-x.flip(-1)), -pseudo(x).flip(-1), atol=1e-12)


@pytest.mark.parametrize("group", ["p4m", "p6m"])
def test_velocities_turn_their_components(group):
    net = network(group, "vector")
    x = torch.randn(2, 2, 16, 16, dtype=F64)
    assert er.assert_equivariant(net, x, *net.acting((16, 16)))["worst"] < 1e-10


def test_velocities_by_hand():
    """A quarter turn from axis 0 to axis 1 of the arrays: u'(x) = R u(R^-1 x)."""
    net = network("p4m", "vector")
    x = torch.randn(2, 2, 16, 16, dtype=F64)

    def turned(u):
        moved = u.flip(-1).roll(1, -1).mT  # (i, j) reads (j, -i): R = [[0, -1], [1, 0]]
        return torch.stack([-moved[:, 1], moved[:, 0]], 1)

    with torch.no_grad():
        assert torch.allclose(net(turned(x)), turned(net(x)), atol=1e-12)


def test_several_fields_of_different_kinds():
    torch.manual_seed(0)
    state = [("height", "scalar", 1), ("velocity", "vector", 1), ("vorticity", "pseudoscalar", 2)]
    net = er.nn.GFNO(4, 3, state, [*state, ("stress", "tensor", 1)], group="p4m", n_layers=2)
    assert net(torch.randn(2, 5, 10, 10)).shape == (2, 9, 10, 10)
    assert er.assert_equivariant(net)


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("group", "width", "wanted"), [("p4", 10, 853_121), ("p4m", 7, 835_969)])
def test_sizes_are_those_of_the_source_in_the_plane(group, width, wanted):
    fields = [("w", "scalar", 10)], [("w", "scalar", 1)]
    assert count(er.nn.GFNO(12, width, *fields, group=group, grid="symmetric")) == wanted


@pytest.mark.parametrize(("group", "width", "wanted"), [("p4", 11, 4_799_708), ("p4m", 7, 3_887_304)])
def test_sizes_are_those_of_the_source_in_space_and_time(group, width, wanted):
    net = er.nn.GFNO((8, 8, 6), width, [("w", "scalar", 10)], [("w", "scalar", 1)], group=group, grid="symmetric", time_padding=6)
    assert count(net) == wanted


@pytest.mark.parametrize(("group", "width", "wanted"), [("p4", 40, 1_031_681), ("p4m", 50, 951_601)])
def test_sizes_are_those_of_the_source_with_radial_kernels(group, width, wanted):
    fields = [("w", "scalar", 10)], [("w", "scalar", 1)]
    assert count(er.nn.GFNO(13, width, *fields, group=group, kernel="radial", grid="symmetric")) == wanted


def test_a_plain_operator_has_the_rest_of_the_sources_size():
    """Outside of its spectral layers; of those ours keep 23 x 23 real numbers, the source 2 x 12 x 12 complex ones."""
    net = er.nn.GFNO(12, 20, [("w", "scalar", 10)], [("w", "scalar", 1)], group="p1", grid="cartesian")
    spectral = 4 * 20 * 20
    assert count(net) - spectral * 23 * 23 == 928_661 - spectral * 2 * 2 * 12 * 12


def test_the_block_is_what_its_steps_are_on_the_grid():
    """Normalised and mixed on the grid, step by step; the network does both on coefficients."""
    net = network("p4", width=4)
    block, x = net.blocks[0], torch.randn(3, 4, 4, 12, 12, dtype=F64)

    def norm(u):
        mean, var = u.mean((2, 3, 4), keepdim=True), u.var((2, 3, 4), keepdim=True, unbiased=False)
        return (u - mean) / (var + 1e-5).sqrt()

    y = norm(block.conv(norm(x)))
    y = block.second(torch.nn.functional.gelu(block.first(y))) + block.skip(x)
    from erlangen.nn.spectral_waves import Waves

    assert torch.allclose(block(x, Waves((12, 12), (4, 4), F64)), torch.nn.functional.gelu(y), atol=1e-12)


def test_the_same_weights_on_a_finer_grid():
    """One spectral layer of a band-limited field: exact. The network's nonlinearity makes more waves, that the coarse grid folds."""
    torch.manual_seed(0)
    lift = er.nn.Lift(er.nn.GridSymmetry("p4m", 2).group.scalar, 3, er.nn.GridSymmetry("p4m", 2)).double()
    layer = er.nn.GSpectralConv(3, 2, 6, group="p4m").double()
    from erlangen.nn.spectral_waves import Waves

    c = torch.randn(11, 6, 2, 1, 1, dtype=F64)
    coarse, fine = (Waves((n, n), (6, 6), F64).synthesise(c) for n in (32, 64))
    assert torch.allclose(fine[..., ::2, ::2], coarse, atol=1e-13)
    low, high = (layer(lift(u)) for u in (coarse, fine))
    assert torch.allclose(high[..., ::2, ::2], low, atol=1e-10)


def test_radial_spatial_and_hybrid_networks():
    radial = network("p4m", kernel="radial", width=5)
    assert er.assert_equivariant(radial)
    small = network("p4m", "vector", kernel="spatial")
    assert er.assert_equivariant(small)
    hybrid = network("p4", equivariant_layers=1)
    x = torch.randn(2, 1, 12, 12, dtype=F64)
    assert not er.equivariance_error(hybrid, x, *network("p4").acting((12, 12)))
    assert shift_error(hybrid, x) < 1e-10
    assert hybrid.blocks[1].skip.weight.shape == (12, 12, 1)
    assert er.assert_equivariant(hybrid)  # under what it says: shifts only
    with pytest.raises(ArgumentError, match="in_fields"):
        network("p4m", "pseudoscalar", kernel="radial")


def test_fields_that_do_not_repeat_and_times_that_do_not():
    for mode in ("zero", "reflect"):
        net = network("p4m", "vector", padding=3, padding_mode=mode)
        x = torch.randn(2, 2, 10, 10, dtype=F64)
        assert net(x).shape == (2, 2, 10, 10)
        assert er.assert_equivariant(net, x, *net.acting((10, 10), pixels=True))
    torch.manual_seed(0)
    net = er.nn.GFNO((3, 3, 3), 2, [("w", "pseudoscalar", 2)], [("w", "pseudoscalar", 1)], "p4m", n_layers=1, time_padding=2)
    x = torch.randn(2, 2, 8, 8, 6)
    assert net(x).shape == (2, 1, 8, 8, 6)
    assert er.assert_equivariant(net)


def test_batches_of_none_and_one_and_arrays_of_any_stride():
    net = network("p4m", count=2)
    assert net(torch.zeros(0, 2, 12, 12, dtype=F64)).shape == (0, 1, 12, 12)
    x = torch.randn(4, 12, 12, 2, dtype=F64).movedim(-1, 1)
    y = net(x)
    assert torch.allclose(torch.cat([net(one[None]) for one in x]), y, atol=1e-12)
    assert torch.allclose(net(x[0]), y[0], atol=1e-12)
    assert torch.allclose(net(x.view(2, 2, 2, 12, 12)).flatten(0, 1), y, atol=1e-12)
    assert torch.allclose(torch.vmap(net)(x), y, atol=1e-12)


def test_constant_fields_and_derivatives():
    net = network("p4", width=2)
    x = torch.full((1, 1, 8, 8), 2.0, dtype=F64, requires_grad=True)
    y = net(x)
    assert float((y - y.mean()).abs().max().detach()) < 1e-12  # constant in, constant out, by the shifts
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    assert bool(first.isfinite().all())
    assert bool(second.isfinite().all())
    x = torch.randn(1, 1, 8, 8, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(net, x)


def test_precisions():
    net, x = network("p4m", width=4), torch.randn(2, 1, 16, 16, dtype=F64)
    exact = net(x)
    single = copy.deepcopy(net).float()
    assert (single(x.float()) - exact).norm() < 1e-5 * exact.norm()
    with torch.autocast("cpu", torch.bfloat16):
        assert (single(x.float()).double() - exact).norm() < 5e-2 * exact.norm()
    assert er.assert_equivariant(single)
    half = copy.deepcopy(net).to(torch.bfloat16)
    assert half(x.bfloat16()).dtype == torch.bfloat16


def test_state_does_not_depend_on_the_grid_and_comes_back_bit_for_bit():
    net, other = network("p4"), er.nn.GFNO(4, 3, group="p4", n_layers=2).double()
    x = torch.randn(1, 1, 16, 16, dtype=F64)
    net(x), net(torch.randn(1, 1, 9, 9, dtype=F64))
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))
    assert all(t.dtype == F64 for t in net.state_dict().values())


def test_data_with_channels_behind_the_grid():
    torch.manual_seed(0)
    net = er.nn.GFNO(3, 2, 3 * [("h", "scalar", 1), ("v", "vector", 1)], [("h", "scalar", 1), ("v", "vector", 1)], "p4m")
    x = torch.randn(2, 8, 8, 3, 3)  # three frames of three channels
    y = er.nn.ChannelsLast(net, channels=3)(x)
    assert y.shape == (2, 8, 8, 1, 3)
    assert torch.equal(y[..., 0, :].movedim(-1, 1), net(torch.cat([x[..., t, :].movedim(-1, 1) for t in range(3)], 1)))
    with pytest.raises(ArgumentError, match="channels"):
        er.nn.ChannelsLast(net, channels=2)(x)


@pytest.mark.slow
def test_it_compiles_as_one_graph():
    net = network("p4m").float()
    x = torch.randn(2, 1, 12, 12)
    assert torch.allclose(torch.compile(net, fullgraph=True)(x), net(x), atol=1e-5)


def test_one_graph_without_a_compiler():
    net = network("p4m").float()
    x = torch.randn(2, 1, 12, 12)
    assert torch.allclose(torch.compile(net, fullgraph=True, backend="eager")(x), net(x), atol=1e-6)


def test_bad_input_is_refused_with_the_arguments_name():
    net = network("p4", count=2)
    one = [("u", "scalar", 1)]
    cases = [
        ("n_modes", lambda: net(torch.randn(1, 2, 6, 6, dtype=F64))),
        ("x", lambda: net(torch.randn(1, 2, 12, 14))),
        ("x", lambda: net(torch.randn(1, 3, 12, 12))),
        ("x", lambda: net(torch.randn(12, 12))),
        ("x", lambda: net(torch.randn(1, 2, 12, 12, dtype=torch.complex64))),
        ("x", lambda: net(torch.ones(1, 2, 12, 12, dtype=torch.int64))),
        ("sizes", lambda: net.acting(12)),
        ("sizes", lambda: net.acting((12, 12, 12))),
        ("in_fields", lambda: er.nn.GFNO(4, 3, [("u", "spinor", 1)], one)),
        ("in_fields", lambda: er.nn.GFNO(4, 3, "vorticity", one)),
        ("out_fields", lambda: er.nn.GFNO(4, 3, one, [("u", "scalar")])),
        ("group", lambda: er.nn.GFNO(4, 3, one, one, group="p4mn")),
        ("n_modes", lambda: er.nn.GFNO((4, 5), 3, one, one, group="p4")),
        ("hidden_channels", lambda: er.nn.GFNO(4, 0, one, one)),
        ("n_layers", lambda: er.nn.GFNO(4, 3, one, one, n_layers=0)),
        ("grid", lambda: er.nn.GFNO(4, 3, one, one, grid="polar")),
        ("norm", lambda: er.nn.GFNO(4, 3, one, one, norm="batch")),
        ("kernel", lambda: er.nn.GFNO(4, 3, one, one, kernel="steerable")),
        ("equivariant_layers", lambda: er.nn.GFNO(4, 3, one, one, equivariant_layers=5)),
        ("time_padding", lambda: er.nn.GFNO(4, 3, one, one, time_padding=2)),
        ("padding_mode", lambda: er.nn.GFNO(4, 3, one, one, padding=2, padding_mode="wrap")),
    ]
    for name, make in cases:
        with pytest.raises(ArgumentError) as caught:
            make()
        assert caught.value.argument == name, (name, str(caught.value))


def test_hexagonal_groups_have_no_edges_and_glides_go_by_their_short_names():
    """The edges of an array along hexagonal axes are turned elsewhere by 60 and 120 degrees."""
    for options in ({"padding": 2}, {"padding": 2, "padding_mode": "reflect"}, {"grid": "symmetric"}):
        with pytest.raises(ArgumentError, match=f"'{min(options)}'"):
            network("p6", **options)
    for name in ("pmg", "pgg", "cmm"):
        net = network(name, "vector", padding=2)
        assert net.symmetry.order == 4
        assert er.assert_equivariant(net)


def test_what_is_no_number_or_no_tensor_is_named():
    wrong = [
        ("n_modes", {"n_modes": 2.5}),
        ("n_modes", {"n_modes": None}),
        ("n_layers", {"n_layers": True}),
        ("padding", {"padding": True}),
        ("equivariant_layers", {"equivariant_layers": True}),
    ]
    for name, options in wrong:
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            er.nn.GFNO(**options)
    for layer in (network(), er.nn.GSpectralConv(1, 1, 2), er.nn.GPointwise(1, 1)):
        with pytest.raises(ArgumentError, match="'x'.*list"):
            layer([1.0])


@pytest.mark.parametrize("options", [{}, {"kernel": "spatial"}, {"kernel": "radial"}])
def test_rounding_of_constant_fields_is_not_normalised_to_a_signal(options):
    """A constant field becomes a constant, which single precision knows as well as double."""
    for seed in range(3):
        torch.manual_seed(seed)
        net = er.nn.GFNO(4, 5, [("u", "scalar", 2)], [("u", "scalar", 1)], group="p4m", **options)
        exact = copy.deepcopy(net).double()
        with torch.no_grad():
            for x in (torch.zeros(1, 2, 12, 12), torch.ones(1, 2, 12, 12), torch.randn(1, 2, 12, 12)):
                assert torch.allclose(net(x).double(), exact(x.double()), rtol=0, atol=1e-4)
            small = exact(1e-5 * torch.randn(1, 2, 12, 12, dtype=F64))
        assert float(small.std()) > 1e-3  # a small field is no constant one


def test_fields_that_vary_too_little_for_their_precision_are_warned_of():
    net = network("p4").float()
    x = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def lost(x):
        with torch.no_grad():
            exact = copy.deepcopy(net).double()(x.double())
            return float((net(x) - exact).abs().max() / exact.std())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for fine in (x, 100 + x, 1e-3 * x, torch.full_like(x, 1e4)):
            net(fine)
        network("p4", norm="none").float()(1e-6 * x)
        copy.deepcopy(net).double()(1e4 + x.double())
        net.to(torch.bfloat16)(x.bfloat16())
        net.float()
        assert lost(x) < 1e-4
    for poor in (1e4 + x, 1e-6 * x):
        with pytest.warns(UserWarning, match="fields vary too little for float32: channel 0 of sample 0"):
            assert lost(poor) > 1e-3


def test_networks_with_channels_last_refuse_what_is_none():
    for make, argument in (
        (lambda: er.nn.ChannelsLast([1]), "net"),
        (lambda: er.nn.ChannelsLast(network(), channels=True), "channels"),
        (lambda: er.nn.ChannelsLast(network())([1]), "x"),
    ):
        with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
            make()
