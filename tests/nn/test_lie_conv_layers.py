"""Lie-group convolutions against explicit sums, exact subgroups, and the limit of many samples."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.nn import LieConv, LieLift, LieProject
from erlangen.nn.lie_conv import FourierKernel, GroupSplines, PlaneSplines, Samples, SirenKernel, SplineKernel

GROUPS = {"SO": er.SO(2), "SL": er.SL(2), "GL": er.Affine(2)}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def few(name: str, angles: int = 4) -> Samples:
    return Samples(GROUPS[name], angles=angles, stretches=2, stretch=0.4, scale=0.2)


def at(image: Tensor, row: int, column: int) -> Tensor:
    """The pixel, zero outside."""
    inside = 0 <= row < image.shape[-2] and 0 <= column < image.shape[-1]
    return image[..., row, column] if inside else torch.zeros(image.shape[:-2]).to(image)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("kernel", ["spline", "fourier", "siren"])
def test_a_lift_is_its_double_sum(name: str, kernel: str) -> None:
    samples = few(name)
    lift = LieLift(2, 3, samples, kernel=kernel, reach=2.0).double()
    x = torch.randn(2, 7, 7, dtype=torch.float64)
    found = lift(x)
    row, column, radius = 2, 4, 4
    for j, h in enumerate(samples.elements):
        total = torch.zeros(3, dtype=torch.float64)
        for up in range(-radius, radius + 1):
            for right in range(-radius, radius + 1):
                u = torch.linalg.inv(h) @ torch.tensor([float(right), float(up)], dtype=torch.float64)
                total += lift.kernel(u).view(3, 2) @ at(x, row - up, column + right)
        assert torch.allclose(found[:, j, row, column], total / torch.linalg.det(h), atol=1e-12)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("kernel", ["spline", "fourier", "siren"])
def test_a_layer_is_its_double_sum(name: str, kernel: str) -> None:
    samples = few(name)
    layer = LieConv(2, 3, samples, kernel=kernel, reach=1.5).double()
    f = torch.randn(2, len(samples), 6, 6, dtype=torch.float64)
    found, w = layer(f), samples.weights()
    row, column, i, radius = 3, 2, 1, 3
    h = samples.elements[i]
    total = torch.zeros(3, dtype=torch.float64)
    for j, g in enumerate(samples.elements):
        b = layer.group(torch.linalg.inv(h) @ g).view(3, 2)
        for up in range(-radius, radius + 1):
            for right in range(-radius, radius + 1):
                a = layer.plane(torch.linalg.inv(h) @ torch.tensor([float(right), float(up)], dtype=torch.float64))
                here = at(f[:, j], row - up, column + right)
                total += w[j] / len(samples) / torch.linalg.det(g) * a * (b @ here)
    assert torch.allclose(found[:, i, row, column], total, atol=1e-12)


@pytest.mark.parametrize("kernel", ["spline", "fourier"])
def test_a_separable_layer_is_the_full_one_with_the_product_kernel(kernel: str) -> None:
    samples = few("GL")
    product, full = (LieConv(2, 3, samples, kernel=kernel, separable=s).double() for s in (True, False))
    with torch.no_grad():
        a, b = product.plane.weight, product.group.weight.unflatten(0, (3, 2))
        full.weight.copy_(torch.einsum("du,dcv->dcvu", a, b).flatten(0, 1))
    f = torch.randn(2, 2, len(samples), 7, 7, dtype=torch.float64)
    assert torch.allclose(product(f), full(f), atol=1e-12)
    m_u, m_v = a.shape[1], b.shape[2]
    assert sum(p.numel() for p in product.parameters()) == 6 * m_v + 3 * m_u
    assert sum(p.numel() for p in full.parameters()) == 6 * m_v * m_u


def test_the_determinant_is_that_of_the_inputs_sample() -> None:
    samples = few("GL")
    with torch.no_grad():
        sizes = torch.linspace(0.5, 2, len(samples), dtype=torch.float64)[:, None, None]
        samples.elements.copy_(samples.elements[0].clone() * sizes)
    layer = LieConv(1, 1, samples).double()
    v, dets = samples.relative(), torch.linalg.det(samples.elements)
    b = layer.group(v)[..., 0]
    expected = b * samples.weights() / dets / len(samples)  # divides columns
    assert len(dets.unique()) == len(samples)
    assert torch.allclose(layer.mixing()[0, :, 0], expected, atol=1e-14)
    assert not torch.allclose(layer.mixing()[0, :, 0], b * samples.weights() / dets[:, None] / len(samples), rtol=0.1)


def test_the_aligned_order_is_that_of_moved_kernels() -> None:
    """``|det h|^-1 sum k(h^-1 y) f(y) = sum k(u) f(h u)``, on a smooth image that is known between pixels, too."""
    h = torch.tensor([[1.1, 0.3], [-0.2, 0.9]], dtype=torch.float64)
    kernel = SplineKernel(PlaneSplines(reach=24.0), 1).double()
    line = torch.arange(-40.0, 41.0, dtype=torch.float64)
    u = torch.stack(torch.meshgrid(-line, line, indexing="ij")[::-1], -1)

    def image(p: Tensor) -> Tensor:
        return torch.exp(-p.square().sum(-1) / 300) * (1 + 0.3 * torch.sin(p[..., 0] / 9))

    moved = (kernel(u @ torch.linalg.inv(h).mT)[..., 0] * image(u)).sum() / torch.linalg.det(h)
    aligned = (kernel(u)[..., 0] * image(u @ h.mT)).sum()
    assert float((moved - aligned).abs() / aligned.abs()) < 1e-3


@pytest.mark.parametrize("kernel", [SplineKernel(GroupSplines("GL"), 4), FourierKernel("group", 4), SirenKernel("group", 4)])
def test_kernels_do_not_jump(kernel: torch.nn.Module) -> None:
    """Through the identity, where stretches are equal, and at half turns, where the angle jumps."""
    kernel = copy.deepcopy(kernel).double()
    for angle in (0.0, math.pi):
        values = []
        for step in (-1e-6, 1e-6):
            turn = er.groups.haar.planar_rotation(torch.tensor(angle + step, dtype=torch.float64))
            stretch = torch.tensor([[1 + step, step], [step, 1 - step]], dtype=torch.float64)
            values.append(kernel(stretch @ turn))
        assert float((values[0] - values[1]).abs().max()) < 1e-3 * max(1.0, float(values[0].abs().max()))
    v = torch.eye(2, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(kernel(v).sum(), v, create_graph=True)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("name", GROUPS)
def test_quarter_turns_are_exact_with_shared_stretches(name: str) -> None:
    samples = few(name, angles=8)
    modules = [LieLift(1, 2, samples), LieConv(2, 2, samples), LieConv(2, 2, samples, separable=False)]
    modules += [LieProject(how, samples) for how in ("max", "mean", "logmeanexp")]
    for module in modules:
        double = copy.deepcopy(module).double()
        x = double.example(2, dtype=torch.float64)
        assert er.equivariance_error(double, x, double.inp, double.out)["worst"] < 1e-12


def test_a_stretch_of_its_own_for_each_element_breaks_them() -> None:
    samples = Samples(er.SL(2), angles=8, stretches=1, kind="sobol")
    lift = LieLift(1, 2, samples).double()
    x = torch.randn(2, 1, 9, 9, dtype=torch.float64)
    assert er.equivariance_error(lift, x, lift.inp, lift.out)["worst"] > 0.1


def test_whole_pixels_are_exact_inside_of_the_canvas() -> None:
    samples = few("GL")
    lift, layer = LieLift(1, 2, samples).double(), LieConv(2, 2, samples).double()
    x = torch.zeros(1, 1, 40, 40, dtype=torch.float64)
    x[..., 18:22, 18:22] = torch.randn(4, 4, dtype=torch.float64)
    y, moved = layer(lift(x)), layer(lift(x.roll((3, -2), (-2, -1))))
    assert torch.allclose(moved, y.roll((3, -2), (-2, -1)), atol=1e-12)


def bumps(v: Tensor) -> Tensor:
    """Two smooth bumps on SL(2), as functions of ``log P`` and ``R``."""
    from erlangen.nn.lie_conv.kernels import group_coordinates

    stretch, turn = group_coordinates(v)
    at_one = torch.tensor([0.25, 0.1, 0.0], dtype=torch.float64)
    first = torch.exp(-8 * stretch.square().sum(-1)) * (1 + turn[..., 0]) ** 3
    return first + 0.7 * torch.exp(-8 * (stretch - at_one).square().sum(-1)) * (1 + turn[..., 1]) ** 3


def convolved(samples: tuple[Tensor, Tensor], h: Tensor, moved: Tensor, weighted: bool = True) -> Tensor:
    """``mean_j w_j b(h^-1 g_j) F(moved^-1 g_j)``."""
    elements, log_weights = samples
    w = log_weights.exp() if weighted else torch.ones_like(log_weights)
    b = bumps(torch.linalg.inv(h)[:, None] @ elements)
    return (b * (w * bumps(torch.linalg.inv(moved) @ elements))).mean(1)


def equivariance(count: int, kind: str, seed: int, weighted: bool = True) -> float:
    """Relative difference of ``b * (g F)`` at ``g h`` and ``b * F`` at ``h``."""
    how = er.SL(2).decomposition("polar")
    points = how.points(count, 2.6, kind, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    s, angle = 0.43, 0.8
    g = er.groups.haar.planar_rotation(torch.tensor(angle, dtype=torch.float64)) @ torch.diag(
        torch.tensor([s, -s], dtype=torch.float64).exp()
    )
    h = how.points(6, 0.3, "sobol", generator=torch.Generator().manual_seed(9), dtype=torch.float64).elements
    one = torch.eye(2, dtype=torch.float64)
    here, there = (convolved(points[:2], at, by, weighted) for at, by in ((h, one), (g @ h, g)))
    return float((here - there).norm() / here.norm())


def exponent(kind: str) -> float:
    counts = [2**k for k in range(8, 14)]
    errors = [sum(math.log(equivariance(n, kind, seed)) for seed in range(10)) / 10 for n in counts]
    x = torch.tensor(counts, dtype=torch.float64).log()
    y = torch.tensor(errors, dtype=torch.float64)
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def test_the_error_falls_with_the_number_of_samples() -> None:
    assert -0.62 <= exponent("random") <= -0.40
    assert exponent("sobol") <= -0.85


def test_without_weights_the_law_is_broken_in_the_limit() -> None:
    weighted, plain = (equivariance(2**15, "sobol", 0, weights) for weights in (True, False))
    assert weighted < 5e-3
    assert plain > 0.05


def test_layers_take_any_batch_precision_and_order() -> None:
    samples = few("SL")
    lift, layer = LieLift(1, 2, samples), LieConv(2, 2, samples)
    assert layer(lift(torch.randn(0, 1, 8, 8))).shape == (0, 2, 8, 8, 8)
    x = torch.randn(2, 3, 1, 8, 8)
    y = layer(lift(x))
    assert torch.allclose(y[1, 2], layer(lift(x[1, 2])), atol=1e-5)
    apart = x.transpose(-1, -2).contiguous().transpose(-1, -2)
    assert torch.allclose(layer(lift(apart)), y, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(layer(lift(x)).float(), y, atol=0.15 * float(y.abs().max()))
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(lift(x)), y, atol=1e-6)
    f = torch.randn(1, 2, len(samples), 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(copy.deepcopy(layer).double(), f, fast_mode=True)


def test_samples_survive_changes_of_precision() -> None:
    samples = few("GL")
    kept = samples.elements.clone()
    assert torch.equal(samples.float().half().double().elements, kept)
    samples.resample(5)
    assert len(samples) == 20
    assert torch.allclose(samples.weights().mean(), torch.ones((), dtype=torch.float64))
    other = few("GL")
    other.resample(5, seed=3)
    other.load_state_dict(samples.state_dict())
    assert torch.equal(other.elements, samples.elements)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Samples(er.SO(3)), "group"),
        (lambda: Samples(er.SL(2), angles=0), "angles"),
        (lambda: Samples(er.SL(2), stretches=1.5), "stretches"),
        (lambda: Samples(er.SL(2), stretch=0.0), "stretch"),
        (lambda: Samples(er.GLplus(2), scale=-1), "scale"),
        (lambda: Samples(er.SL(2), kind="halton"), "kind"),
        (lambda: LieLift(0, 1, few("SL")), "in_channels"),
        (lambda: LieLift(1, 1, 8), "samples"),
        (lambda: LieLift(1, 1, few("SL"), kernel="bessel"), "kernel"),
        (lambda: LieLift(1, 1, few("SL"), reach=-1), "reach"),
        (lambda: LieConv(1, 1, few("SL"), kernel="siren", separable=False), "separable"),
        (lambda: LieConv(1, 1, few("SL"), turns=3), "turns"),
        (lambda: LieProject("sum", few("SL")), "how"),
        (lambda: LieLift(1, 1, few("SL"))(torch.randn(2, 2, 8, 8)), "images"),
        (lambda: LieConv(1, 1, few("SL"))(torch.randn(2, 1, 5, 8, 8)), "field"),
        (lambda: LieConv(1, 1, few("SL"))(torch.zeros(2, 1, 8, 8, 8, dtype=torch.int64)), "field"),
        (lambda: GroupSplines("E"), "kind"),
    ],
)
def test_bad_input_is_named(call, named: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == named


def test_a_kernel_larger_than_the_image_is_said() -> None:
    with pytest.warns(UserWarning, match="stretch"):
        LieLift(1, 1, few("GL"), reach=4.0)(torch.randn(1, 1, 6, 6))


def test_quarter_turns_move_a_field_and_its_samples() -> None:
    samples = few("SL")
    f = torch.zeros(1, len(samples), 3, 3)
    f[0, 0, 0, 2] = 1.0  # at the first angle, in the corner at the upper right
    act = LieConv(1, 1, samples).inp
    assert isinstance(act, Images)
    moved = act.act(er.Cyclic(4).element(1), f)
    assert moved[0, 2, 0, 0] == 1.0  # two stretches for each angle
