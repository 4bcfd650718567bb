"""Images of any dtype and batch: quarter turns are exact, other turns are rounded where pixels are integers."""

import pytest
import torch

import erlangen as er
from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.symmetrize import AllElements, Energy, FiniteShift, Reference

F64 = torch.float64
SPACES = {"C_8": er.Cyclic(8).irrep(1), "SO(2)": er.SO(2).vector, "O(2)": er.O(2).vector}


def quarter(group, k):
    if group.is_finite:
        return group.element(2 * k)
    angle = torch.tensor(k * torch.pi / 2, dtype=F64)
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int16, torch.int64, torch.bool, torch.bfloat16, torch.float16, torch.float32, F64]
)
@pytest.mark.parametrize("name", list(SPACES))
def test_quarter_turns_are_exact_in_every_dtype(name, dtype):
    act = Images(SPACES[name])
    x = torch.randint(0, 250, (2, 3, 9, 9), generator=torch.Generator().manual_seed(0)).to(dtype)
    for k in range(4):
        assert torch.equal(act.act(quarter(act.group, k), x), x.rot90(k, (-2, -1)))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_pixels_that_are_integers_are_rounded(interpolation, dtype):
    act = Images(SPACES["C_8"], interpolation=interpolation)
    x = torch.randint(0, 256, (2, 1, 12, 12), generator=torch.Generator().manual_seed(0))
    eighth = act.group.element(1)
    moved = act.act(eighth, x.to(dtype))
    # Nearest pixels tie at some places, which are found in the precision that holds the pixels.
    wanted = act.act(eighth, x.double() if dtype == torch.int64 else x.float()).double()
    assert moved.dtype == dtype
    assert (moved.double() - (wanted.clamp(0, 255) if dtype == torch.uint8 else wanted)).abs().max() <= 0.5
    mask = act.act(eighth, x > 128)
    assert mask.dtype == torch.bool
    assert 0.2 < mask.double().mean() < 0.8


def test_half_precision_finds_its_places_in_single():
    act, x = Images(SPACES["C_8"]), torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    moved = act.act(act.group.element(1), x.bfloat16())
    assert moved.dtype == torch.bfloat16
    assert (moved.float() - act.act(act.group.element(1), x.bfloat16().float())).abs().max() < 4e-3


@pytest.mark.parametrize("name", list(SPACES))
def test_no_images_are_no_images(name):
    act = Images(SPACES[name])
    g = act.group.sample(0) if not act.group.is_finite else act.group.elements()[:0]
    assert act.act(g, torch.zeros(0, 2, 7, 7)).shape == (0, 2, 7, 7)
    assert act.act(act.group.identity(), torch.zeros(0, 2, 7, 7)).shape == (0, 2, 7, 7)


def test_vectors_of_integers_are_refused_where_they_turn_between_pixels():
    G = er.Cyclic(8)
    act = Images(G.irrep(1), G.irrep(1))
    with pytest.raises(ArgumentError, match="'x'.*floating-point"):
        act.act(G.element(1), torch.zeros(1, 2, 7, 7, dtype=torch.uint8))


# ---- exactness is a matter of the grid ----


def net(channels):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, channels))


@pytest.mark.parametrize("space", [er.Cyclic(4).irrep(1), er.Dihedral(4).irrep(1), er.Cyclic(2).irrep(1) * 2], ids=str)
def test_quarter_turns_and_flips_are_exact(space):
    act = Images(space)
    for frame in (AllElements(), Energy(net(1)), Reference(net(8), 8)):
        assert frame.exact_on(act)
    model = er.symmetrize(net(1), act, act.group.scalar, example=torch.rand(2, 1, 6, 6))
    assert model.is_exact


@pytest.mark.parametrize("space", [er.Cyclic(8).irrep(1), er.Cyclic(3).irrep(1), er.Dihedral(6).irrep(1), er.SO(2).vector], ids=str)
def test_turns_off_the_grid_are_not_and_examples_are_taken_all_the_same(space):
    act = Images(space)
    group, x = act.group, torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    frames = (
        [AllElements(), Energy(net(1)), Reference(net(8), 8), FiniteShift(AllElements(), net(int(group.order)))]
        if group.is_finite
        else []
    )
    for frame in frames:
        assert not frame.exact_on(act)
        assert not frame.exact_on(er.Record({"image": act, "label": None}))
    for frame in frames[:3]:
        model = er.symmetrize(net(1), act, group.scalar, frame=frame, example=x)
        assert not model.is_exact
        assert model.eval()(x).shape == (2, 1)
