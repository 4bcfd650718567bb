"""Images moved by affine maps, and their moments, against closed forms on smooth images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import erlangen as er
from erlangen.actions import Images
from erlangen.actions.image_moments import image_moments, moment_pose, planar_linear_part
from erlangen.actions.images import pulled_back
from erlangen.errors import ArgumentError

G = er.Affine(2)
DOUBLE = {"dtype": torch.float64}
MAP = torch.tensor([[1.2, 0.4], [-0.3, 0.9]], **DOUBLE)
SHIFT = torch.tensor([2.0, -3.0], **DOUBLE)


def pixels(side: int) -> Tensor:
    """Coordinates ``[side, side, 2]``, x to the right and y upwards."""
    line = torch.arange(side, **DOUBLE) - 0.5 * (side - 1)
    return torch.stack(torch.meshgrid(-line, line, indexing="ij")[::-1], -1)


def bell(p: Tensor) -> Tensor:
    """A smooth image without a symmetry."""
    x, y = p.unbind(-1)
    return torch.exp(-((x - 1) ** 2) / 30 - (y + 2) ** 2 / 18 - x * y / 40) * (1 + 0.2 * torch.sin(x / 4))


def test_affine_maps_move_images_as_they_move_points() -> None:
    p = pixels(48)
    back = (p - SHIFT) @ torch.linalg.inv(MAP).mT
    act, g = Images(G.point), G.element(MAP, SHIFT)
    error = (act.act(g, bell(p)[None]) - bell(back)[None])[..., 2:-2, 2:-2].abs().max()
    assert error < 0.04  # an eighth of the second derivatives, 1/9 and 1/15 at most, along either axis of either grid
    finer = pixels(192) / 4  # four times as many pixels: a quarter of the step, a sixteenth of the error
    again = Images(G.point).act(G.element(MAP, 4 * SHIFT), bell(finer)[None])
    assert (again - bell((finer - SHIFT) @ torch.linalg.inv(MAP).mT)[None])[..., 8:-8, 8:-8].abs().max() < error / 10


def test_moving_back_is_moving_by_the_inverse() -> None:
    x, act, g = bell(pixels(20))[None], Images(G.point), G.element(MAP, SHIFT)
    assert torch.allclose(act.act_inverse(g, x), act.act(G.inverse(g), x), atol=1e-13)
    linear = Images(er.GLplus(2).vector)
    assert torch.allclose(linear.act(MAP, x), act.act(G.element(MAP), x), atol=1e-14)
    turns = Images(er.SO(2).vector)
    h = er.SO(2).sample(5, **DOUBLE)
    assert torch.allclose(turns.act_inverse(h, x), turns.act(h.mT, x), atol=1e-14)
    wind = Images(er.O(2).vector, er.O(2).vector)
    k = er.O(2).sample(5, **DOUBLE)
    y = torch.randn(5, 2, 9, 9, **DOUBLE)
    assert torch.allclose(wind.act_inverse(k, y), wind.act(k.mT, y), atol=1e-14)


def test_a_density_keeps_its_mass() -> None:
    x = bell(2 * pixels(48))[None]
    moved = Images(G.point, G.pseudoscalar.dual).act(G.element(MAP, SHIFT), x)
    assert torch.allclose(moved.sum(), x.sum(), rtol=1e-3)


def test_whole_pixels_and_quarter_turns_are_exact() -> None:
    x, act = torch.randn(3, 9, 9, **DOUBLE), Images(G.point)
    shifted = act.act(G.element(translation=torch.tensor([2.0, 3.0], **DOUBLE)), x)
    assert torch.allclose(shifted[:, :6, 2:], x[:, 3:, :7], atol=1e-13)
    assert float(shifted[:, 6:].abs().max()) < 1e-13
    quarter = G.element(torch.tensor([[0.0, -1.0], [1.0, 0.0]], **DOUBLE))
    assert torch.allclose(act.act(quarter, x), torch.rot90(x, 1, (-2, -1)), atol=1e-13)


def test_pulled_back_is_torchs_affine_grid() -> None:
    x = torch.randn(2, 3, 10, 14, **DOUBLE)
    theta = torch.tensor([[[0.9, 0.2, 0.1], [-0.1, 1.1, -0.2]]], **DOUBLE).expand(2, 2, 3)
    theirs = torch.nn.functional.grid_sample(
        x, torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False
    )
    # Their coordinates are in half sides, and y runs down.
    half = torch.tensor([7.0, -5.0], **DOUBLE)
    matrix = theta[..., :2] * half[:, None] / half
    assert torch.allclose(pulled_back(x, matrix, theta[..., 2] * half), theirs, atol=1e-12)


def test_another_canvas_has_the_same_centre() -> None:
    x = bell(pixels(40))[None, None]
    small = pulled_back(x, 2 * torch.eye(2, **DOUBLE)[None], None, 20)
    assert torch.allclose(small[0, 0], torch.nn.functional.avg_pool2d(x, 2)[0, 0], atol=1e-13)


def test_moments_of_a_normal_law_are_its_own() -> None:
    covariance = torch.tensor([[9.0, 2.0], [2.0, 5.0]], **DOUBLE)
    mean = torch.tensor([1.5, -2.25], **DOUBLE)
    off = pixels(49) - mean
    x = torch.exp(-0.5 * (off @ torch.linalg.inv(covariance) * off).sum(-1))
    mass, centre, found = image_moments(x[None])
    assert torch.allclose(mass, 2 * math.pi * covariance.det().sqrt(), rtol=1e-9)
    assert torch.allclose(centre, mean, atol=1e-6)
    assert torch.allclose(found, covariance, atol=1e-5)
    pose = moment_pose(x[None], G, 2.0)
    assert torch.allclose(pose[:2, :2] @ pose[:2, :2].mT, covariance / 4, atol=1e-5)
    assert torch.equal(pose[:2, :2], pose[:2, :2].mT)
    own = moment_pose(x[None], er.SL(2), 2.0)
    assert torch.allclose(torch.linalg.det(own), torch.ones((), **DOUBLE))
    assert torch.allclose(moment_pose(x[None], er.SE(2), 2.0), G.element(translation=centre))


def test_the_pose_moves_along_up_to_a_rotation() -> None:
    p = pixels(61)
    x = torch.stack([bell(p), bell(p + 1).square()])
    y = Images(G.point).act(G.element(MAP, SHIFT), x[:, None])
    here, there = moment_pose(x[:, None], G, 4.0), moment_pose(y, G, 4.0)
    turn = torch.linalg.inv(G.element(MAP, SHIFT) @ here) @ there
    assert torch.allclose(
        turn[:, :2, :2] @ turn[:, :2, :2].mT, torch.eye(2, **DOUBLE).expand(2, 2, 2), atol=4e-2
    )  # interpolation widens
    assert turn[:, :2, 2].abs().max() < 0.05


def test_thin_ink_has_a_pose_and_derivatives() -> None:
    for where in ((slice(4, 5), slice(4, 5)), (slice(4, 5), slice(None))):
        x = torch.zeros(1, 9, 9, **DOUBLE)
        x[(0, *where)] = 1.0
        assert float(torch.linalg.eigvalsh(image_moments(x).covariance).min()) == pytest.approx(1 / 12)
        x.requires_grad_()
        (slope,) = torch.autograd.grad(moment_pose(x, G, 2.0).square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(slope.square().sum(), x)
        assert torch.isfinite(slope).all()
        assert torch.isfinite(second).all()
    y = torch.rand(2, 1, 5, 5, **DOUBLE).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: moment_pose(y, G, 2.0), y)


def test_batches_of_any_shape() -> None:
    assert image_moments(torch.rand(0, 1, 5, 5)).covariance.shape == (0, 2, 2)
    assert moment_pose(torch.rand(2, 3, 1, 5, 5), G, 1.0).shape == (2, 3, 3, 3)
    assert Images(G.point).act(G.sample(0), torch.rand(0, 1, 5, 5)).shape == (0, 1, 5, 5)
    assert Images(G.point).act(G.sample(4), torch.rand(4, 2, 5, 5).to(torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: image_moments(torch.zeros(2, 1, 5, 5)), "x"),
        (lambda: image_moments(torch.zeros(5, 5)), "x"),
        (lambda: image_moments(torch.zeros(1, 5, 5, dtype=torch.uint8)), "x"),
        (lambda: moment_pose(torch.ones(1, 5, 5), G, 0.0), "size"),
        (lambda: planar_linear_part(er.Affine(3)), "group"),
        (lambda: planar_linear_part(er.O(2)), "group"),
        (lambda: Images(er.Affine(4).point), "space"),
        (lambda: er.frames.ImageMoments(size=-1.0), "size"),
        (lambda: er.frames.ImageMoments(angles=0), "angles"),
    ],
)
def test_bad_input_is_named(call, named: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == named


def test_an_empty_image_is_found_in_its_batch() -> None:
    x = torch.ones(2, 3, 1, 5, 5)
    x[1, 2] = 0
    with pytest.raises(ArgumentError, match=r"none at \[1, 2\]; 1 of 6"):
        image_moments(x)


def test_the_frame_makes_any_image_model_nearly_invariant() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(6 * 33**2, 4)
    ).double()
    act = Images(G.point)
    p = pixels(37)
    x = torch.stack([bell(1.4 * p), bell(1.4 * p - 1).square()])[:, None]
    g = G.element(MAP, SHIFT)
    errors = {}
    for angles in (1, 16):
        symmetric = er.symmetrize(model, act, 4 * G.scalar, frame=er.frames.ImageMoments(angles=angles), check=False)
        errors[angles] = float((symmetric(act.act(g, x)) - symmetric(x)).norm() / symmetric(x).norm())
    plain = float((model(act.act(g, x)) - model(x)).norm() / model(x).norm())
    assert errors[16] < 0.05 < plain
    assert er.frames.ImageMoments().refuse(G.point)
    assert er.frames.ImageMoments().refuse(er.O(2).vector)
    assert not er.frames.ImageMoments().refuse(Images(er.SL(2).vector))
