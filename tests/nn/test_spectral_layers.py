"""Layers of Fourier operators: waves against the FFT, the spectral layer against sums over the grid, filters real by construction."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups import CrystallographicGroup
from erlangen.nn.spectral_symmetry import GridSymmetry
from erlangen.nn.spectral_waves import Waves
from erlangen.reps import MatrixRep

F64 = torch.float64


@pytest.mark.parametrize(("sizes", "modes"), [((9, 8), (4, 3)), ((7, 8, 9), (4, 3, 5)), ((11,), (6,))])
def test_coefficients_are_those_of_the_fast_fourier_transform(sizes, modes):
    x = torch.randn(3, 2, *sizes, dtype=F64)
    d = len(sizes)
    c = Waves(sizes, modes, F64).analyse(x)
    full = torch.fft.fftn(x, dim=tuple(range(2, 2 + d))) / x[0, 0].numel()
    for axis, m in enumerate(modes[:-1]):
        full = torch.cat([full.narrow(2 + axis, sizes[axis] - m + 1, m - 1), full.narrow(2 + axis, 0, m)], 2 + axis)
    full = full[..., : modes[-1]]
    assert (torch.view_as_real(full).movedim((0, 1, -1), (-2, -1, -3)) - c).abs().max() < 1e-14


def test_what_is_band_limited_comes_back_and_energy_is_parsevals():
    waves = Waves((12, 10), (5, 4), F64)
    y = waves.synthesise(waves.analyse(torch.randn(3, 12, 10, dtype=F64)))
    c = waves.analyse(y)
    assert torch.allclose(waves.synthesise(c), y, atol=1e-13)
    assert torch.allclose((waves.multiplicity[..., None, None] * c.square()).sum((0, 1, 2)), y.square().mean((1, 2)), atol=1e-13)
    assert torch.allclose(c.flatten(0, 1)[waves.zero, 0], y.mean((1, 2)), atol=1e-14)


def test_the_axis_of_time_is_not_turned_and_groups_in_space_have_their_orders():
    symmetry = GridSymmetry("p4m", 3)
    assert bool((symmetry.matrices[:, 2] == torch.tensor([0, 0, 1])).all())
    assert symmetry.order == 8
    assert GridSymmetry("O", 3).order == 24
    assert GridSymmetry("Oh", 3).order == 48
    velocity = symmetry.value("vector").matrix(symmetry.group.elements())
    assert torch.equal(velocity, symmetry.matrices[:, :2, :2].to(F64))


def by_hand(layer, f):
    """The group convolution as its definition says it, sum by sum."""
    symmetry, size = layer.symmetry, f.shape[-1]
    psi = layer.filter((size, size))  # [C, D, n, N, N]
    turns, n = symmetry.matrices, symmetry.order
    points = torch.cartesian_prod(torch.arange(size), torch.arange(size))
    inverse = torch.linalg.inv(turns.to(F64)).round().long()
    out = torch.zeros(f.shape[0], psi.shape[1], n, size * size, dtype=F64)
    for s in range(n):
        for t in range(n):
            for i, x in enumerate(points):
                at = ((x - points) @ inverse[s].T) % size  # R_s^-1 (x - y) for every y
                values = psi[:, :, symmetry.division[s, t], at[:, 0], at[:, 1]]
                out[:, :, s, i] += torch.einsum("cdy,bcy->bd", values, f[:, :, t].flatten(2))
    return out.unflatten(-1, (size, size))


@pytest.mark.parametrize("group", ["p1", "pm", "p4", "p4m", "p3m1"])
def test_the_spectral_layer_is_the_sum_over_shifts_and_turns(group):
    torch.manual_seed(0)
    layer = er.nn.GSpectralConv(2, 3, n_modes=4, group=group).double()
    f = torch.randn(2, 2, layer.order, 9, 9, dtype=F64)
    with torch.no_grad():
        made, wanted = layer(f), by_hand(layer, f)
    assert (made - wanted).abs().max() < 1e-12 * wanted.abs().max()


def test_p1_is_the_plain_spectral_convolution():
    layer = er.nn.GSpectralConv(2, 3, n_modes=4, group="p1").double()
    x = torch.randn(2, 2, 12, 12, dtype=F64)
    kernel = torch.fft.rfft2(
        layer.filter((12, 12))[:, :, 0]
    )  # [C, D, N, N/2 + 1], the same complex weights at k and conjugate at -k
    kept = torch.zeros(12, 7, dtype=F64)
    kept[torch.tensor([0, 1, 2, 3, 9, 10, 11])[:, None], torch.arange(4)] = 1
    plain = torch.fft.irfft2(torch.einsum("bchw,cdhw->bdhw", torch.fft.rfft2(x), kernel * kept), s=(12, 12))
    assert torch.allclose(layer(x.unsqueeze(2)).squeeze(2), plain, atol=1e-14)
    assert layer.weight.numel() == 2 * 3 * 7 * 7


def test_filters_are_real_and_nothing_is_dropped_on_the_way_back():
    layer = er.nn.GSpectralConv(2, 3, n_modes=4, group="p4m").double()
    matrices = layer.matrices().view(len(layer.index), 8, 2, 2, 8, 3).movedim(3, 0)  # [part, k, t, C, s, D]
    zero = Waves((9, 9), (4, 4), F64).zero
    assert bool((matrices[1, zero] == 0).all())
    assert not any(name.startswith("imag") for name, _ in layer.named_parameters())
    f = torch.randn(1, 2, 8, 16, 16, dtype=F64)
    c = Waves((16, 16), (4, 4), F64).analyse(f).flatten(0, 1).transpose(-1, -2)
    column = layer.mix(c).unflatten(0, (7, 4))[:, 0]  # the column k_y = 0
    assert torch.allclose(column[:, 0], column.flip(0)[:, 0], atol=1e-14)
    assert torch.allclose(column[:, 1], -column.flip(0)[:, 1], atol=1e-14)


@pytest.mark.parametrize("group", ["p1", "p2", "pm", "pmm", "p4", "p4m", "cm", "p4g", "p6", "p6m"])
def test_layers_commute_with_their_group(group):
    torch.manual_seed(1)
    assert er.assert_equivariant(er.nn.GSpectralConv(2, 3, n_modes=4, group=group))
    assert er.assert_equivariant(er.nn.GPointwise(2, 3, group=group))
    assert er.assert_equivariant(er.nn.RadialSpectralConv(2, 3, n_modes=4, group=group))


@pytest.mark.parametrize("group", ["p1", "p4", "p4m", "p6m"])
def test_small_filters_commute_and_are_sums_over_offsets(group):
    torch.manual_seed(0)
    layer = er.nn.GSpatialConv(2, 3, group=group).double()
    assert er.assert_equivariant(layer)
    f = torch.randn(2, 2, layer.order, 6, 6, dtype=F64)
    psi = torch.zeros(2, 3, layer.order, 6, 6, dtype=F64)  # turned by nothing, its entry -o is psi(o)
    kernel = layer.kernel().view(3, layer.order, 2, layer.order, 3, 3)[:, 0]
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            psi[..., -i, -j] = kernel[..., i + 1, j + 1].transpose(0, 1)
    layer.filter = lambda sizes: psi
    assert torch.allclose(layer(f), by_hand(layer, f), atol=1e-12)


def test_in_space_the_cube_and_in_space_and_time_its_plane():
    torch.manual_seed(2)
    for layer in (
        er.nn.GSpectralConv(1, 2, n_modes=(3, 3, 3), group="O"),
        er.nn.GSpectralConv(1, 1, n_modes=(2, 2, 2), group="Oh"),
        er.nn.GSpectralConv(2, 2, n_modes=(3, 3, 2), group="p4m"),
        er.nn.GSpatialConv(1, 2, group="O", axes=3),
    ):
        x = layer.double().example(2, dtype=F64)
        assert er.assert_equivariant(layer, x, layer.inp, layer.out, elements=12)


@pytest.mark.parametrize("kind", ["scalar", "pseudoscalar", "vector", "pseudovector", "tensor"])
def test_fields_of_every_kind_are_lifted_and_projected(kind):
    symmetry = GridSymmetry("p4m", 2)
    rep = symmetry.fields([("a", kind, 2), ("b", "scalar", 1)], "fields")
    assert er.assert_equivariant(er.nn.Lift(rep, 3, symmetry))
    project = er.nn.Project(3, rep, symmetry)
    assert er.assert_equivariant(project)
    assert project.bias.numel() == (3 if kind == "scalar" else 1)


def test_values_that_turn_by_numbers_that_are_not_whole_keep_their_precision():
    """Velocities in a hexagonal cell by their Cartesian components: matrices with the root of 3."""
    symmetry = GridSymmetry("p6m", 2)
    axes = torch.tensor([[1.0, -0.5], [0.0, 3**0.5 / 2]], dtype=F64)  # the cell's, as columns
    rep = MatrixRep(symmetry.space, lambda g: axes @ g[..., :-1].to(F64) @ torch.linalg.inv(axes), 2)
    net = er.nn.GFNO(3, 2, [("v", rep, 1)], [("v", rep, 1)], group="p6m", n_layers=1)
    x = torch.randn(2, 2, 8, 8, dtype=F64)
    assert er.assert_equivariant(net.double(), x, *net.acting((8, 8)))["worst"] < 1e-10
    assert er.assert_equivariant(net.float().double(), x, *net.acting((8, 8)))["worst"] < 1e-10


def test_a_vorticity_in_space_and_time_keeps_its_sign_law():
    symmetry = GridSymmetry("p4m", 3)
    assert er.assert_equivariant(er.nn.Lift(symmetry.value("pseudoscalar"), 2, symmetry))
    assert er.assert_equivariant(er.nn.Project(2, symmetry.value("vector"), symmetry))


def test_radial_kernels_have_one_weight_for_each_orbit():
    # 25 x 25 wave numbers up to 12: by quarter turns (625 - 1) / 4 + 1, by the square's symmetries 13 * 14 / 2.
    assert len(er.nn.RadialSpectralConv(1, 1, n_modes=13, group="p4").weight) == 157
    assert len(er.nn.RadialSpectralConv(1, 1, n_modes=13, group="p4m").weight) == 91


def test_bad_layers_are_refused_with_the_arguments_name():
    symmetry = GridSymmetry("p4m", 2)
    layer = er.nn.GSpectralConv(2, 3, n_modes=4, group="p4")
    cases = [
        ("group", lambda: er.nn.GSpectralConv(2, 3, 4, group="p5")),
        ("group", lambda: er.nn.GSpectralConv(2, 3, 4, group=4)),
        ("group", lambda: er.nn.GSpectralConv(2, 3, 4, group="Oh")),
        ("n_modes", lambda: er.nn.GSpectralConv(2, 3, (4, 5), group="p4")),
        ("n_modes", lambda: er.nn.GSpectralConv(2, 3, 0)),
        ("in_channels", lambda: er.nn.GSpectralConv(0, 3, 4)),
        ("out_channels", lambda: er.nn.GPointwise(3, 1.5)),
        ("n_modes", lambda: layer(torch.randn(1, 2, 4, 6, 6))),
        ("x", lambda: layer(torch.randn(1, 2, 4, 8, 9))),
        ("x", lambda: layer(torch.randn(1, 3, 4, 8, 8))),
        ("x", lambda: layer(torch.randn(1, 2, 4, 8, 8, dtype=torch.complex64))),
        ("kind", lambda: symmetry.value("spinor")),
        ("kind", lambda: symmetry.value(er.O(3).vector)),
        ("fields", lambda: symmetry.fields([("a", "scalar", 0)], "fields")),
        ("fields", lambda: symmetry.fields([], "fields")),
        ("radius", lambda: er.nn.GSpatialConv(2, 3, radius=-1)),
        ("axes", lambda: er.nn.GSpatialConv(2, 3, GridSymmetry(CrystallographicGroup(["-x"]), 1))),
        ("x", lambda: er.nn.GSpatialConv(2, 3)(torch.randn(1, 2, 4, 2, 2))),
        ("bias", lambda: er.nn.Project(3, symmetry.value("pseudoscalar"), symmetry, bias=True)),
    ]
    for name, make in cases:
        with pytest.raises(ArgumentError) as caught:
            make()
        assert caught.value.argument == name, (name, str(caught.value))
