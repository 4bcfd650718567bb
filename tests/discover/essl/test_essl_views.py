"""Views and the actions that are predicted: exact group laws, reproducible randomness, and what each view must and must not change."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.actions import Images
from erlangen.discover.essl import (
    Crop,
    Factors,
    Grey,
    GridShifts,
    Inversion,
    Jigsaw,
    Jitter,
    Mirror,
    Moved,
    Noise,
    Views,
    image_view,
    mirrors,
    turns,
)
from erlangen.errors import ArgumentError
from erlangen.groups import Torus
from erlangen.groups.finite import multiplication_table
from erlangen.testing import check_action

F64 = torch.float64
C2, C4, D4 = er.Cyclic(2), er.Cyclic(4), er.Dihedral(4)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_four_turns_are_counter_clockwise():
    x = torch.arange(9).view(1, 3, 3)
    moved = turns(C4).act(C4.elements(), x.unsqueeze(0))
    assert ["".join(map(str, image.flatten().tolist())) for image in moved] == ["012345678", "258147036", "876543210", "630741852"]
    for k in range(4):
        assert torch.equal(moved[k], x.rot90(k, (1, 2)))


ACTIONS = {
    "turns": turns(C4),
    "turns and flips": turns(D4),
    "mirror": mirrors(),
    "top and bottom": mirrors(-2),
    "half shifts": GridShifts(C2 * C2),
    "all shifts": GridShifts(er.Cyclic(6) * er.Cyclic(3)),
    "rows": GridShifts(er.Cyclic(6), (-2,)),
    "jigsaw": Jigsaw(2),
    "inversion": Inversion(),
    "turns and inversion": Factors(turns(C4), Inversion()),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_labels_compose_as_the_group_does(name):
    action = ACTIONS[name]
    group, count = action.group, int(action.group.order)
    x = torch.rand(1, 6, 6, generator=seeded(), dtype=F64)
    every, table = group.elements(), multiplication_table(group)
    moved = [action.act(group.take(every, i), x) for i in range(count)]
    assert len({tuple(image.flatten().tolist()) for image in moved}) == count
    for i in range(count):
        for j in range(count):
            assert torch.allclose(action.act(group.take(every, i), moved[j]), moved[int(table[i, j])], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "action",
    [Factors(turns(C4), GridShifts(C2 * C2)), GridShifts(Torus(2)), GridShifts(Torus(1), (-2,)), Inversion(), GridShifts(C4)],
    ids=["factors", "torus", "circle", "inversion", "quarters"],
)
def test_batches_of_elements_are_matched_with_leading_axes(action):
    group = action.group
    g = group.sample(3, 5, generator=seeded(), dtype=F64)
    x = torch.rand(5, 2, 8, 8, generator=seeded(1), dtype=F64)
    moved = action.act(g, x.unsqueeze(0))
    assert moved.shape == (3, 5, 2, 8, 8)
    for i, j in ((0, 0), (1, 4), (2, 3)):
        assert torch.allclose(moved[i, j], action.act(group.take(g, (i, j)), x[j]), atol=1e-12)


def test_the_torus_shifts_band_limited_fields_exactly():
    torus, line = Torus(2), torch.arange(9, dtype=F64) / 9
    field = lambda x, y: torch.cos(2 * math.pi * (2 * x + y)) + torch.sin(2 * math.pi * (x - 3 * y))  # noqa: E731
    row, column = torch.meshgrid(line, line, indexing="ij")
    by = torch.tensor([0.123, 0.71], dtype=F64)
    moved = GridShifts(torus).act(torus.element(2 * math.pi * by), field(row, column))
    assert torch.allclose(moved, field(row - by[0], column - by[1]), atol=1e-12)
    # Whole pixels agree with the finite group.
    finite = er.Cyclic(9)
    shifted = GridShifts(finite * finite).act((finite.element(2), finite.element(5)), field(row, column))
    angles = 2 * math.pi * torch.tensor([2 / 9, 5 / 9], dtype=F64)
    assert torch.allclose(GridShifts(torus).act(torus.element(angles), field(row, column)), shifted, atol=1e-12)


def test_actions_keep_the_laws():
    for action in (GridShifts(C4), GridShifts(C2 * C2), Jigsaw(2), Inversion(), mirrors()):
        assert check_action(action)


def test_a_crop_of_everything_is_the_image():
    x = torch.rand(4, 2, 10, 10, generator=seeded(), dtype=F64)
    assert torch.allclose(Crop(1.0, (1.0, 1.0), (1.0, 1.0))(x), x, atol=1e-12)
    # A crop of a plane is a plane of smaller slope: values at the centres of what is seen.
    plane = torch.arange(10, dtype=F64).expand(1, 1, 10, 10)
    crop = Crop(5, (0.25, 0.25), (1.0, 1.0))(plane)
    steps = crop[0, 0].diff(dim=1)
    assert torch.allclose(steps, torch.full_like(steps, 1.0), atol=1e-9)


def test_parts_have_the_area_and_shape_asked_for():
    x = torch.stack(torch.meshgrid(torch.arange(40.0, dtype=F64), torch.arange(20.0, dtype=F64), indexing="ij")).expand(
        400, 2, 40, 20
    )
    y = Crop(16, (0.1, 0.2), (0.8, 1.25))(x, seeded())
    # A grid of 16 points spans 15/16 of the part; borders repeat the last pixel's centre, so look at the middle.
    height, width = (16 * (y[:, i].diff(dim=axis)[:, 7, 7]) for i, axis in ((0, 1), (1, 2)))
    area, ratio = height * width / 800, width / height
    assert 0.0999 < float(area.min()) < 0.105
    assert 0.195 < float(area.max()) < 0.2001
    assert 0.7999 < float(ratio.min()) < 0.82
    assert 1.22 < float(ratio.max()) < 1.2501


def test_views_repeat_with_the_generator_and_differ_between_images():
    x = torch.rand(1, 3, 12, 12, generator=seeded()).expand(16, 3, 12, 12)
    view = Views(image_view(8), Moved(turns(C4)), Noise(0.01))
    one, again, other = view(x, seeded(1)), view(x, seeded(1)), view(x, seeded(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len({tuple(image.flatten().tolist()) for image in one}) == 16


def test_jitter_stays_in_range_and_keeps_what_it_should():
    x = torch.rand(64, 3, 6, 6, generator=seeded(), dtype=F64)
    y = Jitter(0.9, 0.9, 0.9, 0.5, p=1.0)(x, seeded())
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    dim = 0.4 + 0.2 * x
    luma = torch.tensor([0.299, 0.587, 0.114], dtype=F64).view(3, 1, 1)
    turned = Jitter(0.0, 0.0, 0.0, 0.1, p=1.0)(dim, seeded())
    assert not torch.allclose(turned, dim, atol=1e-3)
    assert torch.allclose((turned * luma).sum(1), (dim * luma).sum(1), atol=1e-3)  # YIQ's usual three decimals
    contrast = Jitter(0.0, 0.5, p=1.0)(dim[:, :1], seeded())
    assert torch.allclose(contrast.mean((-2, -1)), dim[:, :1].mean((-2, -1)), atol=1e-12)
    unchanged = Jitter(0.4, 0.4, p=0.0)(x, seeded())
    assert torch.equal(unchanged, x)


def test_grey_and_mirror():
    x = torch.rand(200, 3, 4, 4, generator=seeded())
    grey = Grey(p=0.5)(x, seeded())
    changed = (grey != x).flatten(1).any(1)
    assert 70 < int(changed.sum()) < 130
    assert torch.equal(grey[changed][:, 0], grey[changed][:, 1])
    assert torch.equal(Grey(p=1.0)(x[:, :1], seeded()), x[:, :1])
    flipped = Mirror(p=0.5)(x, seeded())
    both = (flipped == x).flatten(1).all(1), (flipped == x.flip(-1)).flatten(1).all(1)
    assert bool((both[0] ^ both[1]).all())
    assert torch.equal(mirrors().act(C2.element(1), x), x.flip(-1))


def test_a_group_becomes_an_augmentation_with_its_own_law():
    x = torch.rand(1, 1, 6, 6, generator=seeded()).expand(400, 1, 6, 6)
    moved = Moved(turns(C4))(x, seeded())
    counts = [int((moved == x.rot90(k, (2, 3))).flatten(1).all(1).sum()) for k in range(4)]
    assert sum(counts) == 400
    assert min(counts) > 70


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: Crop(1.5), "'size'"),
        (lambda: Crop(8, (0.5, 0.2)), "'scale'"),
        (lambda: Mirror(1.2), "'p'"),
        (lambda: Jitter(hue=0.7), "'hue'"),
        (lambda: turns(er.Symmetric(3)), "give an action"),
        (lambda: turns(C2), "give an action"),
        (lambda: mirrors(0), "'axis'"),
        (lambda: GridShifts(D4), "'group'"),
        (lambda: GridShifts(C4, (-1, -2)), "'axes'"),
        (lambda: GridShifts(C4).act(C4.element(1), torch.zeros(6, 6)), "side that 4 divides"),
        (lambda: Jigsaw(2).act(torch.arange(4), torch.zeros(1, 5, 5)), "5 x 5"),
        (lambda: turns(C4).act(C4.element(1), torch.zeros(1, 4, 6)), "(4, 6)"),
        (lambda: Moved(C4), "'action'"),
        (lambda: Factors(turns(C4)), "at least two"),
    ],
    ids=range(14),
)
def test_unusable_settings_are_named(call, names):
    with pytest.raises(ArgumentError) as raised:
        call()
    assert names in str(raised.value)


def test_commuting_is_found_out_on_data():
    x = torch.rand(1, 1, 8, 8, generator=seeded())
    assert Factors(GridShifts(C2, (-2,)), GridShifts(C2, (-1,))).commute(x)
    assert not Factors(Images(C4.irrep(1)), GridShifts(er.Cyclic(8), (-1,))).commute(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_jitter_does_not_cut_standardised_images_to_black_and_white(dtype):
    x = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert ((x < 0) | (x > 1)).double().mean() > 0.6
    still = Jitter(0.0, 0.0, 0.0, 0.0, p=1.0)(x)
    assert torch.allclose(still, x, atol=1e-6)
    y = Jitter(0.4, 0.4, 0.4, 0.1, p=1.0)(x, torch.Generator().manual_seed(1))
    assert bool((y.amin((1, 2, 3)) >= x.amin((1, 2, 3))).all())
    assert bool((y.amax((1, 2, 3)) <= x.amax((1, 2, 3))).all())
    for bound in (0.0, 1.0):
        assert (y == bound).double().mean() < 1e-3
    image = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    bright = Jitter(0.4, 0.4, 0.4, 0.1, p=1.0)(image, torch.Generator().manual_seed(1))
    assert 0 <= float(bright.min()) < float(bright.max()) <= 1


QUARTERS = Moved(Images(er.Cyclic(4).irrep(1)))


@pytest.mark.parametrize("view", [Crop(6), Mirror(), Jitter(0.4, 0.4, 0.4, 0.1), Grey(), Noise(), QUARTERS], ids=repr)
def test_views_keep_channels_last(view):
    x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    y, z = (view(t, torch.Generator().manual_seed(1)) for t in (x, x.to(memory_format=torch.channels_last)))
    assert z.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(y, z, atol=1e-6)
