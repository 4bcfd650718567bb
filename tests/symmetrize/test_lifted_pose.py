"""The canonical pose that a network over an affine group chooses."""

from __future__ import annotations

import copy

import pytest
import torch

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError

G = er.Affine(2)


@pytest.mark.parametrize("noncompact", ["frame", "samples"])
def test_it_moves_along_with_quarter_turns_and_whole_pixels(noncompact: str) -> None:
    torch.manual_seed(0)
    net = er.nn.LieConvNet(G, channels=(3, 6), classes=4, noncompact=noncompact).double().eval()
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3 * 20**2, 2)
    ).double()
    act = Images(G.point)
    symmetric = er.symmetrize(model, act, 2 * G.scalar, frame=er.frames.LiftedPose(net), check=False)
    x = torch.zeros(3, 1, 24, 24, dtype=torch.float64)
    x[..., 8:15, 7:15] = torch.rand(3, 1, 7, 8, dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    g = G.element(quarter, torch.tensor([2.0, -3.0], dtype=torch.float64))
    moved = act.act(g, x)
    assert torch.allclose(symmetric(moved), symmetric(x), atol=1e-11)
    assert not torch.allclose(model(moved), model(x), atol=1e-3)
    elements = symmetric.frame(act, x).elements
    assert torch.allclose(symmetric.frame(act, moved).elements, g @ elements, atol=1e-11)


def test_poses_are_where_the_network_looks_from() -> None:
    net = er.nn.LieConvNet(G, channels=(3,), classes=4)
    x = net.example(2)
    assert torch.allclose(Images(G.point).act_inverse(net.poses(x)[:, 3], x), net.aligned(x)[:, 3], atol=1e-6)
    torch.testing.assert_close(net.poses(x[0]), net.poses(x)[0])
    assert net.scores(x).shape == (2, 8, 4)
    linear = er.nn.LieConvNet(er.SL(2), channels=(3,), noncompact="samples")
    assert torch.allclose(linear.poses(x), linear.samples.elements.float().expand(2, 32, 2, 2))


def test_bad_input_is_named() -> None:
    with pytest.raises(ArgumentError, match="network"):
        er.frames.LiftedPose(torch.nn.Linear(2, 2))
    frame = er.frames.LiftedPose(er.nn.LieConvNet(G, channels=(3,)))
    assert frame.refuse(G.point)
    assert frame.refuse(Images(er.SL(2).vector))
    assert not copy.deepcopy(frame).refuse(Images(G.point))


def test_the_two_kinds_of_lifting_tell_of_each_other() -> None:
    quarter = Images(er.groups.Cyclic(4).irrep(1))
    with pytest.raises(ArgumentError, match=r"Lift takes an erlangen\.nn\.Lifting"):
        er.frames.LiftedPose(er.nn.Lifting(quarter, 1))
    with pytest.raises(ArgumentError, match=r"LiftedPose takes an erlangen\.nn\.LieConvNet"):
        er.frames.Lift(er.nn.LieConvNet(G, channels=(3,)))


FRAMES = {
    "LiftedPose": (lambda of: er.frames.LiftedPose(er.nn.LieConvNet(G, channels=(3,)), of=of), Images(G.point)),
    "ImageMoments": (lambda of: er.frames.ImageMoments(of=of), Images(G.point)),
    "Lift": (
        lambda of: er.frames.Lift(er.nn.Lifting(Images(er.groups.Cyclic(4).irrep(1)), 1), of=of),
        Images(er.groups.Cyclic(4).irrep(1)),
    ),
    "ImageVectors": (lambda of: er.frames.ImageVectors(1, of=of), Images(er.SO(2).vector)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_name_that_no_image_has_is_refused(name: str) -> None:
    """In a record, and where data are an image that has no name."""
    make, act = FRAMES[name]
    record = er.actions.Record({"image": act, "label": er.frames.PerDatum(act.group)})
    assert not make("image").refuse(record)
    assert not make(None).refuse(act)
    for inp, of in ((record, "nope"), (record, "label"), (act, "image")):
        assert f"no part '{of}' of" in make(of).refuse(inp)
    with pytest.raises(ArgumentError, match="no part 'nope'"):
        er.symmetrize(lambda data: data["image"].mean((1, 2, 3)), record, act.group.scalar, frame=make("nope"))
