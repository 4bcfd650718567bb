"""Networks by factors and by samples: exact quarter turns, invariance on smooth images, state, precision, bad input."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.nn import LieConvNet

G = er.Affine(2)
GROUPS = {"Aff": G, "GL": er.GLplus(2), "SL": er.SL(2), "SO": er.SO(2), "SE": er.SE(2)}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def net(group=G, **options) -> LieConvNet:
    return LieConvNet(group, channels=(3, 6), classes=4, **options).eval()


def blobs(side: int, count: int = 3) -> Tensor:
    """Smooth images without a symmetry, ``[count, 1, side, side]``, that end before the border."""
    rng = torch.Generator().manual_seed(1)
    line = torch.arange(side, dtype=torch.float64) - 0.5 * (side - 1)
    p = torch.stack(torch.meshgrid(-line, line, indexing="ij")[::-1], -1) / side
    centres = 0.12 * torch.randn(count, 5, 1, 1, 2, generator=rng, dtype=torch.float64)
    sizes = 0.05 + 0.03 * torch.rand(count, 5, 1, 1, generator=rng, dtype=torch.float64)
    return torch.exp(-(p - centres).square().sum(-1) / (2 * sizes.square())).sum(1, keepdim=True)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("noncompact", ["frame", "samples"])
def test_quarter_turns_are_exact(name: str, noncompact: str) -> None:
    double = net(GROUPS[name], noncompact=noncompact).double()
    for side in (20, 15):
        x = torch.nn.functional.pad(torch.rand(2, 1, side - 6, side - 6, dtype=torch.float64), (3, 3, 3, 3))
        assert er.equivariance_error(double, x, double.inp, double.out)["worst"] < 1e-12


def test_it_says_its_types() -> None:
    assert er.assert_equivariant(net())


@pytest.mark.parametrize("noncompact", ["frame", "samples"])
def test_whole_pixels_are_exact(noncompact: str) -> None:
    model = net(noncompact=noncompact).double()
    x = torch.zeros(1, 1, 24, 24, dtype=torch.float64)
    x[..., 9:14, 8:14] = torch.rand(5, 6, dtype=torch.float64)
    assert torch.allclose(model(x.roll((4, -3), (-2, -1))), model(x), atol=1e-12)


def test_stretches_and_shifts_change_little_on_smooth_images_and_less_on_fine_ones() -> None:
    errors = []
    for side in (24, 96):
        model = net(canvas=24).double()
        x = blobs(side)
        linear = torch.tensor([[1.25, 0.3], [0.0, 0.8]], dtype=torch.float64)
        g = G.element(linear, torch.tensor([0.04, -0.05], dtype=torch.float64) * side)
        y = Images(G.point).act(g, x)
        # With the rotation that is left over given to the frame, nothing but interpolation remains.
        a, b = (er.actions.image_moments.moment_pose(z, G, 1.0)[:, :2, :2] for z in (x, y))
        turn = torch.linalg.inv(linear @ a) @ b
        seen = model.aligned(y)[:, 0]
        model.samples.elements[0] = turn[0]  # the first angle of the first image, as the moved one is seen
        errors.append(float((model.aligned(x[:1])[0, 0] - seen[0]).abs().max() / seen[0].abs().max()))
    assert errors[0] < 0.15
    assert errors[1] < errors[0] / 3


def test_more_angles_are_more_invariant() -> None:
    x = blobs(33)
    g = G.element(
        er.groups.haar.planar_rotation(torch.tensor(0.3, dtype=torch.float64)) @ torch.diag(torch.tensor([1.2, 0.8])).double()
    )
    moved = Images(G.point).act(g, x)
    errors = []
    for angles in (4, 32):
        model = net(angles=angles).double()
        y = model.features(x)
        errors.append(float((model.features(moved) - y).norm() / y.norm()))
    assert errors[1] < errors[0]
    inp, out = net().acting()
    assert inp.group == G == out.group


def test_more_samples_after_training_change_no_weight() -> None:
    model = net(er.SL(2), noncompact="samples", stretches=1)
    x = model.example(4)
    before, few = copy.deepcopy(dict(model.named_parameters())), model(x)
    model.resample(4)
    assert len(model.samples) == 32
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    assert not torch.equal(model(x), few)
    assert er.equivariance_error(model)


def test_evaluation_repeats_and_training_draws() -> None:
    model = net(G, noncompact="samples", generator=torch.Generator().manual_seed(3))
    x = model.example(4)
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))
    framed = net().train()
    assert torch.equal(framed(x), framed(x))


def test_state_comes_back_to_the_bit() -> None:
    model, other = net(noncompact="samples"), net(noncompact="samples", seed=5)
    x = model.example(4)
    assert not torch.equal(model(x), other(x))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(x), other(x))


@pytest.mark.parametrize("noncompact", ["frame", "samples"])
def test_awkward_input(noncompact: str) -> None:
    model = net(noncompact=noncompact)
    x = model.example(2, 3)
    y = model(x)
    assert torch.allclose(model(x[1, 2]), y[1, 2], atol=1e-5)
    assert model(x[:0]).shape == (0, 3, 4)
    assert model(x[:1]).shape == (1, 3, 4)
    apart = x.transpose(-1, -2).contiguous().transpose(-1, -2)
    assert torch.allclose(model(apart), y, atol=1e-5)
    assert torch.allclose(copy.deepcopy(model).double()(x.double()).float(), y, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(model(x).float(), y, atol=0.1 * float(y.abs().max()) + 0.02)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(x[0]), y[0], atol=1e-5)
    double = copy.deepcopy(model).double()
    z = x[0, :1].double().requires_grad_()
    (slope,) = torch.autograd.grad(double(z).sum(), z, create_graph=True)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("noncompact", ["frame", "samples"])
@pytest.mark.parametrize("brightness", [1e-30, 1e-4, 255.0, 1e20, 1e37])
def test_brightness_does_not_count(name: str, noncompact: str, brightness: float) -> None:
    model = net(GROUPS[name], noncompact=noncompact)
    x = model.example(3, generator=torch.Generator().manual_seed(0))
    y = model(x)
    assert torch.allclose(model(brightness * x), y, atol=1e-5 * float(y.abs().max()))
    dark = model(torch.cat([1e-3 * x[:1], 1e3 * x[1:]]))  # each image for itself
    assert torch.allclose(dark, y, atol=1e-5 * float(y.abs().max()))


def test_slopes_are_those_of_finite_differences() -> None:
    model, x = net().double(), 1e-4 * blobs(16, 1)
    rng = torch.Generator().manual_seed(2)
    way = x * torch.randn(x.shape, generator=rng, dtype=torch.float64)
    (slope,) = torch.autograd.grad(model(x.requires_grad_())[0, 0], x)
    step = 1e-6
    with torch.no_grad():
        measured = (model(x + step * way) - model(x - step * way))[0, 0] / (2 * step)
    assert torch.allclose((slope * way).sum(), measured, rtol=1e-5)


def test_shapes_and_parameters() -> None:
    model = LieConvNet(G, channels=(12, 24, 48), classes=10)
    assert sum(p.numel() for p in model.parameters()) == 25 * (12 + 12 * 24 + 24 * 48) + 84 + 6 * 48 * 48 + 490
    x = model.example(2)
    assert model.field(x).shape == (2, 48, 8, 4, 4)
    assert model.aligned(x).shape == (2, 8, 1, 16, 16)
    assert LieConvNet(G, (4,), canvas=20).aligned(x).shape == (2, 8, 1, 20, 20)
    torch.testing.assert_close(model.head(model.features(x)), model(x))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: LieConvNet(er.SO(3)), "group"),
        (lambda: LieConvNet(G, ()), "channels"),
        (lambda: LieConvNet(G, 4), "channels"),
        (lambda: LieConvNet(G, (4, 0)), "channels"),
        (lambda: LieConvNet(G, classes=0), "classes"),
        (lambda: LieConvNet(G, in_channels=0), "in_channels"),
        (lambda: LieConvNet(G, angles=0), "angles"),
        (lambda: LieConvNet(G, noncompact="window"), "noncompact"),
        (lambda: LieConvNet(G, noncompact="samples", stretch=-1), "stretch"),
        (lambda: LieConvNet(G, noncompact="samples", scale=0), "scale"),
        (lambda: LieConvNet(G, stretches=0), "stretches"),
        (lambda: LieConvNet(G, canvas=0), "canvas"),
        (lambda: LieConvNet(G, size=0.0), "size"),
        (lambda: LieConvNet(G, kernel=4), "kernel"),
        (lambda: LieConvNet(G, turns=2), "turns"),
        (lambda: net()(torch.rand(2, 3, 16, 16)), "images"),
        (lambda: net()(torch.rand(2, 1, 16, 17)), "images"),
        (lambda: net()(torch.zeros(2, 1, 16, 16)), "x"),
        (lambda: net(noncompact="samples").resample(0), "stretches"),
    ],
)
def test_bad_input_is_named(call, named: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == named
