"""The learner: what an invariant encoder can and cannot, what weight 0 is, continuous parameters, saving, and bad input."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import erlangen as er
from erlangen.datasets import fashion
from erlangen.discover.essl import (
    ESSL,
    BarlowTwins,
    Crop,
    GridShifts,
    Inversion,
    Jigsaw,
    Jitter,
    Mirror,
    Moved,
    Noise,
    Sensitivity,
    SimCLR,
    SimSiam,
    Views,
    info_nce,
    mirrors,
    turns,
)
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import Torus
from erlangen.serialization import load_weights, save_weights
from erlangen.training import TrainingConfig

F64 = torch.float64
C2, C4, D4 = er.Cyclic(2), er.Cyclic(4), er.Dihedral(4)
VIEW = Views(Crop(1.0), Jitter())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder(channels: int = 1, width: int = 8) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(4 * width, 16),
    )  # fmt: skip


def learner(**sensitivity) -> ESSL:
    torch.manual_seed(0)
    settings = {"of": C4, "view": Views(Crop(8), Jitter()), "head": (16,)} | sensitivity
    return ESSL(encoder(), SimCLR(VIEW, (16, 8)), Sensitivity(**settings))


class Rings(nn.Module):
    """Sums over rings about the image's centre: unchanged by turns, in exact arithmetic and here to rounding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        side = x.shape[-1]
        line = 2 * torch.arange(side) - (side - 1)
        radius = line.square().unsqueeze(1) + line.square()
        return torch.stack([x[..., radius == r].sort(-1).values.sum(-1) for r in radius.unique()], -1).flatten(1)


@pytest.mark.parametrize(("group", "order"), [(C4, 4), (D4, 8)], ids=["turns", "turns and flips"])
def test_an_invariant_encoder_leaves_the_heads_guessing(group, order):
    """The least loss is log |G|, the accuracy 1 / |G|."""
    x = torch.rand(40, 1, 6, 6, generator=seeded(), dtype=F64)
    width = Rings()(x).shape[1]
    torch.manual_seed(0)
    model = ESSL(Rings(), None, Sensitivity(group, 1.0, Views(), head=(16,)), features=width).double()
    optimizer = torch.optim.LBFGS(model.heads.parameters(), max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model.training_step(x)["sensitivity"]
        loss.backward()
        return loss

    optimizer.step(closure)
    assert model.training_step(x)["sensitivity"].item() == pytest.approx(math.log(order), abs=1e-6)
    assert model.group_accuracy(x) == pytest.approx(1 / order, abs=1e-6)


def test_an_encoder_that_sees_the_turn_names_it():
    """A linear map of the pixels tells where the bright corner is."""
    x = torch.zeros(64, 1, 6, 6)
    x[:, :, :2, :2] = 1 + torch.rand(64, 1, 2, 2, generator=seeded())
    torch.manual_seed(0)
    model = ESSL(nn.Sequential(nn.Flatten(), nn.Linear(36, 8)), None, Sensitivity(C4, view=Views(), head=(16,)))
    model.fit(x, TrainingConfig(steps=150, batch_size=32, lr=0.01), quiet=True)
    assert model.group_accuracy(x) == 1.0


def test_weight_zero_is_the_base_method_bit_for_bit():
    x = torch.rand(64, 1, 12, 12, generator=seeded())
    config = TrainingConfig(steps=4, batch_size=16)
    torch.manual_seed(0)
    alone = ESSL(encoder(), SimCLR(VIEW, (16, 8)))
    zero = learner(weight=0.0)
    for model in (alone, zero):
        model.fit(x, config, quiet=True)
    assert alone.state_dict().keys() == zero.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(alone.state_dict().values(), zero.state_dict().values()))
    # And the base method is what it says: two views, a projector, a loss.
    torch.manual_seed(0)
    by_hand = ESSL(encoder(), SimCLR(VIEW, (16, 8)))
    one, two = seeded(3), seeded(3)
    projector = by_hand.networks["projector"]
    expected = info_nce(projector(by_hand.encoder(VIEW(x, one))), projector(by_hand.encoder(VIEW(x, one))), 0.5)
    torch.manual_seed(0)
    again = ESSL(encoder(), SimCLR(VIEW, (16, 8)))
    assert torch.equal(again.training_step(x, two)["loss"], expected)


def test_the_total_is_the_weighted_sum_and_all_copies_are_one_pass():
    model, x = learner(weight=0.7), torch.rand(6, 1, 12, 12, generator=seeded())
    seen: list[int] = []
    model.encoder.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    losses = model.training_step(x, seeded())
    assert seen == [6, 6, 24]
    assert torch.allclose(losses["loss"], losses["invariance"] + 0.7 * losses["sensitivity"])


@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        ({}, 4),
        ({"n_elements": 2}, 2),
        ({"single": True}, 1),
        ({"of": D4, "n_elements": 3}, 3),
        ({"of": er.SO(2)}, 4),
        ({"relative": True}, 5),
    ],
    ids=["all", "subset", "single", "dihedral subset", "circle", "relative"],
)
def test_how_many_copies_a_step_makes(settings, copies):
    model, x = learner(**settings), torch.rand(6, 1, 12, 12, generator=seeded())
    seen: list[int] = []
    model.encoder.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    model.training_step(x, seeded())["loss"].backward()
    assert seen[-1] == 6 * copies


def test_labels_of_a_subset_and_of_single_elements_are_right():
    x = torch.rand(10, 1, 4, 4, generator=seeded(), dtype=F64)
    for settings in ({"n_elements": 2}, {"single": True}, {}):
        sensitivity = Sensitivity(C4, view=Views(), **settings)
        moved, (labels,) = sensitivity.moved(x, seeded(5))
        for i in range(len(moved)):
            for j in range(10):
                assert torch.equal(moved[i, j], x[j].rot90(int(labels[i, j]), (1, 2)))


def test_factors_have_a_head_each():
    sensitivity = Sensitivity([turns(C4), Inversion(), GridShifts(C2 * C2)], view=Views(), head=(8,))
    assert [head[-1].out_features for head in sensitivity.heads(5)] == [4, 2, 4]
    x = torch.rand(3, 1, 4, 4, generator=seeded(), dtype=F64)
    for chosen in (sensitivity, Sensitivity([turns(C4), Inversion(), GridShifts(C2 * C2)], view=Views(), n_elements=7)):
        moved, truths = chosen.moved(x, seeded())
        for i in range(len(moved)):
            turn, inverted, shift = (int(t[i, 1]) for t in truths)
            expected = x[1].roll((2 * (shift // 2), 2 * (shift % 2)), (1, 2))
            expected = 1 - expected if inverted else expected
            assert torch.allclose(moved[i, 1], expected.rot90(turn, (1, 2)))
    assert len({tuple(int(t[i, 0]) for t in sensitivity.moved(x)[1]) for i in range(32)}) == 32


class Bumps(nn.Module):
    """The first Fourier phases of a periodic field, from which its place can be read off."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = torch.fft.fft2(x.squeeze(1))
        z = torch.stack([z[:, 1, 0], z[:, 0, 1]], 1)
        z = z / z.abs()
        return torch.cat([z.real, z.imag], 1)


def test_continuous_parameters_are_regressed():
    """Shifts of a bump on a torus, turns of a gradient, rotations of a frame in space."""
    line = torch.arange(8) / 8
    wave = torch.cos(2 * math.pi * line)
    bump = (wave.unsqueeze(1) + wave).view(1, 1, 8, 8).repeat(32, 1, 1, 1)
    ramp = torch.linspace(-1, 1, 9).expand(32, 1, 9, 9)
    disk = (torch.linspace(-1, 1, 9).square().unsqueeze(1) + torch.linspace(-1, 1, 9).square() < 0.6).float()
    cloud = torch.eye(3).expand(32, 3, 3)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(81, 8))
    cases = (
        (Bumps(), 4, bump, Sensitivity(GridShifts(Torus(2)), 1.0, Views(), head=(32,)), 0.1),
        (flat, 8, ramp * disk, Sensitivity(er.SO(2), 1.0, Views(), head=(32,)), 0.1),
        (nn.Sequential(nn.Flatten()), 9, cloud, Sensitivity(er.SO(3).vector, 1.0, Views(), head=(64,)), 0.25),
    )
    for make, features, x, sensitivity, allowed in cases:
        torch.manual_seed(0)
        model = ESSL(make, None, sensitivity, features=features)
        before = model.group_error(x)[0]
        model.fit(x, TrainingConfig(steps=150, batch_size=32, lr=0.02), quiet=True)
        assert before > 0.5
        assert model.group_error(x)[0] < allowed
        every = model._errors(x, 0, 256)[0]
        assert model.group_error(x, of="median")[0] == pytest.approx(float(every.median()))
        with pytest.raises(ArgumentError, match="'of'"):
            model.group_error(x, of="mode")
        with pytest.raises(UnsupportedError, match="group_error"):
            model.group_accuracy(x)


def test_a_relative_head_tells_what_an_absolute_one_cannot():
    """Images in random poses: the turn between two copies is there, the pose is not."""
    x = torch.rand(256, 1, 4, 4, generator=seeded())
    errors = {}
    for relative in (False, True):
        torch.manual_seed(0)
        sensitivity = Sensitivity(C4, 1.0, Moved(turns(C4)), head=(128,), relative=relative)
        model = ESSL(nn.Sequential(nn.Flatten(), nn.Linear(16, 64)), None, sensitivity)
        with warnings.catch_warnings():
            # Of a relative head the view's own pose is no contradiction; of an absolute one it is.
            warnings.simplefilter("error" if relative else "ignore")
            model.fit(x, TrainingConfig(steps=200, batch_size=64, lr=0.01), quiet=True)
        errors[relative] = model.group_accuracy(torch.rand(200, 1, 4, 4, generator=seeded(9)))
    assert errors[False] < 0.35
    assert errors[True] > 0.6


def test_stopping_and_going_on_changes_no_bit(tmp_path):
    x = torch.rand(40, 1, 12, 12, generator=seeded())
    config = TrainingConfig(steps=6, batch_size=8, checkpoint_every=2)
    whole, parts = learner(), learner()
    whole.fit(x, config, quiet=True)
    step, calls = parts.training_step, []

    def stopping(*args: object) -> dict[str, torch.Tensor]:
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("power cut")
        return step(*args)

    parts.training_step = stopping  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="power cut"):
        parts.fit(x, config, checkpoint=tmp_path, quiet=True)
    fresh = learner()
    history = fresh.fit(x, config, checkpoint=tmp_path, quiet=True)
    assert len(history.losses) == 6
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), fresh.state_dict().values()))


def test_weights_go_through_safetensors(tmp_path):
    model, x = learner(), torch.rand(5, 1, 12, 12, generator=seeded())
    model.training_step(x)["loss"].backward()
    other = learner(head=(16,))
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1.0)
    load_weights(other, save_weights(model, tmp_path / "essl.safetensors"))
    assert torch.equal(other.eval().encoder(x), model.eval().encoder(x))
    load_weights(other.encoder, save_weights(model.encoder, tmp_path / "encoder.safetensors"))


@pytest.mark.parametrize("method", [SimCLR, SimSiam, BarlowTwins], ids=lambda m: m.__name__)
def test_every_method_takes_tensors_datasets_and_loaders(method):
    x, y = torch.rand(24, 1, 12, 12, generator=seeded()), torch.arange(24)
    results = []
    for data in (x, TensorDataset(x), TensorDataset(x, y), DataLoader(TensorDataset(x, y), batch_size=8)):
        torch.manual_seed(0)
        model = ESSL(encoder(), method(VIEW, (16, 8)), Sensitivity(C4, view=Views(Crop(8)), head=(16,)))
        config = None if isinstance(data, DataLoader) else TrainingConfig(steps=2, batch_size=8)
        if config is None:
            assert model.group_accuracy(data) == model.group_accuracy(x)
            continue
        model.fit(data, config, quiet=True)
        results.append(model.encoder(x))
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_float64_is_kept():
    model = learner().double()
    x = torch.rand(4, 1, 12, 12, generator=seeded(), dtype=F64)
    assert model.training_step(x)["loss"].dtype == F64


def test_training_on_clothes_names_turns_of_clothes():
    clothes = fashion("train").subset(slice(1000))
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 64),
    )  # fmt: skip
    model = ESSL(net, SimCLR(VIEW, (64, 32)), Sensitivity(C4, 0.4, Views(Crop(14), Jitter()), (64,)))
    x = clothes.x.unsqueeze(1)
    assert model.group_accuracy(x) < 0.4
    model.fit(x, TrainingConfig(steps=60, batch_size=64, lr=5e-3), quiet=True)
    assert model.group_accuracy(x) > 0.5


# ---- bad input ----


@pytest.mark.parametrize(
    ("predicted", "ignored", "contradict"),
    [
        (turns(C4), Moved(turns(C4)), True),
        (turns(C4), Moved(turns(D4)), True),
        (turns(C4), Moved(turns(er.SO(2))), True),
        (turns(C4), Mirror(), False),
        (turns(D4), Mirror(), True),
        (mirrors(), Mirror(), True),
        (mirrors(-2), Mirror(), False),
        (turns(C4), Views(Mirror(), Moved(mirrors(-2))), True),
        (GridShifts(C2 * C2), Moved(GridShifts(Torus(2))), True),
        (GridShifts(C2 * C2), Moved(GridShifts(er.Cyclic(12) * er.Cyclic(12))), True),
        (GridShifts(C2, (-1,)), Moved(GridShifts(Torus(1), (-2,))), False),
        (Jigsaw(2), Moved(turns(C4)), False),
        (Inversion(), Moved(turns(C4)), False),
    ],
    ids=range(13),
)
def test_predicting_what_is_ignored_is_warned_of(predicted, ignored, contradict):
    view = ignored if isinstance(ignored, Views) else Views(ignored, Noise(0.1))
    model = ESSL(encoder(), SimCLR(view, (16, 8)), Sensitivity(predicted, view=Views(), head=(8,)))
    x = torch.rand(4, 1, 12, 12, generator=seeded())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.check(x)
    assert bool(caught) == contradict
    if contradict:
        message = str(caught[0].message)
        assert repr(predicted) in message
        assert repr(view.actions[0]) in message


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: learner(weight=-0.1), "'weight'"),
        (lambda: learner(weight=float("nan")), "'weight'"),
        (lambda: learner(of=[]), "'of'"),
        (lambda: learner(of="C4"), "'of'"),
        (lambda: learner(of=er.Symmetric(3)), "give an action"),
        (lambda: learner(n_elements=5), "from 1 to 4"),
        (lambda: learner(n_elements=2, single=True), "'single'"),
        (lambda: ESSL(encoder()), "neither"),
        (lambda: ESSL(encoder(), None, Sensitivity(C4, 0.0)), "neither"),
        (lambda: ESSL(nn.Flatten(), SimCLR()), "'features'"),
        (lambda: learner().training_step(torch.rand(1, 1, 12, 12)), "at least two samples"),
        (lambda: learner().training_step(torch.zeros(4, 1, 12, 12, dtype=torch.uint8)), "255"),
        (lambda: learner(view=Views()).training_step(torch.rand(4, 1, 12, 16)), "(12, 16)"),
        (lambda: ESSL(encoder(), SimCLR(VIEW, (8, 4)), features=7).training_step(torch.rand(4, 1, 12, 12)), "[batch, 7]"),
        (lambda: learner(of=[turns(C4), GridShifts(er.Cyclic(8), (-1,))]).check(torch.rand(4, 1, 12, 12)), "commute"),
        (lambda: SimCLR(temperature=0.0), "'temperature'"),
        (lambda: SimCLR(negatives="none"), "'negatives'"),
    ],
    ids=range(17),
)  # fmt: skip
def test_unusable_input_is_named(call, names):
    with pytest.raises(ArgumentError) as raised:
        call()
    assert names in str(raised.value)


def test_a_group_without_targets_is_refused():
    with pytest.raises(UnsupportedError, match="SO\\(3\\)"):
        Sensitivity(turns(er.O(2)))
    with pytest.raises(UnsupportedError):
        ESSL(encoder(), SimCLR(VIEW, (8, 4))).group_accuracy(torch.rand(4, 1, 12, 12))


def test_asking_for_errors_leaves_frozen_normalisation_frozen():
    model = learner().train()
    model.encoder[1].eval()
    before = [m.training for m in model.modules()]
    model.group_accuracy(torch.rand(8, 1, 12, 12, generator=seeded()))
    assert [m.training for m in model.modules()] == before
    assert before.count(False) == 1
