"""Members trained at once are the members trained one by one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.training import TrainingConfig, train, train_members

SEEDS = [3, 11, 4]


def make(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 1)).double()


def data(samples: int = 200) -> tuple[Tensor, Tensor]:
    x = torch.randn(samples, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x, x.square().sum(1, keepdim=True)


def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().mean()


@pytest.mark.parametrize("change", [{}, {"clip": 0.3}, {"schedule": "constant", "warmup": 9, "batch_size": 500}])
def test_they_agree_with_training_one_by_one(change: dict[str, object]) -> None:
    config = dataclasses.replace(TrainingConfig(steps=50, batch_size=32, lr=0.01, evaluate_every=10), **change)
    x, y = data()
    train_set, held = (x[:150], y[:150]), (x[150:], y[150:])
    models, histories = train_members(make, SEEDS, train_set, loss, config, validation=held, quiet=True)
    for seed, model, history in zip(SEEDS, models, histories):
        alone = make(seed)
        expected = train(alone, train_set, loss, dataclasses.replace(config, seed=seed), validation=held, quiet=True)
        assert history.losses == pytest.approx(expected.losses, rel=1e-8)
        assert [at for at, _ in history.evaluations] == [at for at, _ in expected.evaluations]
        assert (history.best_step, history.stopped) == (expected.best_step, expected.stopped)
        assert history.best == pytest.approx(expected.best, rel=1e-8)
        for name, weight in alone.state_dict().items():
            assert torch.allclose(model.state_dict()[name], weight, atol=1e-8, rtol=0)
        assert not model.training
    assert not torch.equal(models[0][0].weight, models[1][0].weight)


def test_members_with_data_of_their_own_are_those_trained_alone_on_them() -> None:
    config = TrainingConfig(steps=40, batch_size=32, lr=0.01, evaluate_every=10)
    x, y = data(3 * 70)
    y = y + torch.arange(3).repeat_interleave(70)[:, None]  # what one member learns is wrong for the others
    own = [slice(70 * i, 70 * i + 50) for i in range(3)]
    held = [slice(70 * i + 50, 70 * i + 70) for i in range(3)]
    one_after_another = [tuple(torch.cat([t[part] for part in parts]) for t in (x, y)) for parts in (own, held)]
    models, histories = train_members(
        make, SEEDS, one_after_another[0], loss, config, validation=one_after_another[1], apart=True, quiet=True
    )
    for seed, model, history, mine, its in zip(SEEDS, models, histories, own, held):
        alone = make(seed)
        settings = dataclasses.replace(config, seed=seed)
        expected = train(alone, (x[mine], y[mine]), loss, settings, validation=(x[its], y[its]), quiet=True)
        assert history.losses == pytest.approx(expected.losses, rel=1e-8)
        assert history.best == pytest.approx(expected.best, rel=1e-8)
        assert torch.allclose(model[0].weight, alone[0].weight, atol=1e-8, rtol=0)
    with pytest.raises(ArgumentError, match="equally many samples"):
        train_members(make, SEEDS, data(200), loss, config, apart=True, quiet=True)


def test_each_member_stops_early_on_its_own() -> None:
    config = TrainingConfig(steps=300, batch_size=32, lr=0.1, schedule="constant", evaluate_every=5, patience=2)
    x, y = data()
    held = (x[150:], y[150:])
    models, histories = train_members(make, SEEDS, (x[:150], y[:150]), loss, config, validation=held, quiet=True)
    lengths = set()
    for seed, model, history in zip(SEEDS, models, histories):
        alone = make(seed)
        expected = train(alone, (x[:150], y[:150]), loss, dataclasses.replace(config, seed=seed), validation=held, quiet=True)
        assert (len(history.losses), history.best_step) == (len(expected.losses), expected.best_step)
        assert history.stopped == expected.stopped == "patience"
        assert torch.allclose(model[0].weight, alone[0].weight, atol=1e-7)
        lengths.add(len(history.losses))
    assert len(lengths) > 1


def test_the_members_stand_alone_afterwards() -> None:
    models, _ = train_members(make, SEEDS, data(), loss, TrainingConfig(steps=3), quiet=True)
    before = models[1][0].weight.clone()
    with torch.no_grad():
        models[0][0].weight.zero_()
    assert torch.equal(models[1][0].weight, before)
    assert models[0][0].weight.is_contiguous()
    train(models[1], data(), loss, TrainingConfig(steps=3), quiet=True)
    assert not torch.equal(models[1][0].weight, before)


def test_shared_weights_stay_shared_and_dropout_differs_between_members() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.drop = nn.Linear(4, 4), nn.Linear(4, 4), nn.Dropout(0.5)
            self.second.weight = self.first.weight
            self.register_buffer("scale", torch.tensor(2.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.drop(self.first(x))) * self.scale

    def same(_: int) -> nn.Module:
        torch.manual_seed(0)
        return Tied().double()

    models, histories = train_members(same, [0, 0], data(), loss, TrainingConfig(steps=5), quiet=True)
    assert models[0].first.weight is models[0].second.weight
    assert histories[0].losses != histories[1].losses  # same weights and samples, different masks


def test_a_finished_training_comes_back_from_its_checkpoint(tmp_path: Path) -> None:
    config = TrainingConfig(steps=12, evaluate_every=4)
    call = {"data": data(), "loss": loss, "config": config, "validation": data(50), "checkpoint": tmp_path, "quiet": True}
    models, histories = train_members(make, SEEDS, **call)
    again, same = train_members(make, SEEDS, **call)
    assert same == histories
    assert all(torch.equal(a[0].weight, b[0].weight) for a, b in zip(models, again))
    with pytest.raises(ArgumentError, match="seeds"):
        train_members(make, [3, 11, 5], **call)


def test_what_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="running statistics"):
        train_members(lambda _: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1)), [0], data(), loss, quiet=True)
    with pytest.raises(ArgumentError, match="'seeds'"):
        train_members(make, [], data(), loss, quiet=True)
    with pytest.raises(ArgumentError, match="fp16"):
        train_members(make, [0], data(), loss, TrainingConfig(mixed_precision="fp16"), quiet=True)


def test_sixteen_small_members_train_faster_at_once() -> None:
    seeds = list(range(16))
    config = TrainingConfig(steps=60, batch_size=32)
    alone = [train(make(seed), data(), loss, dataclasses.replace(config, seed=seed), quiet=True).seconds for seed in seeds]
    _, histories = train_members(make, seeds, data(), loss, config, quiet=True)
    assert sum(alone) / sum(history.seconds for history in histories) > 2  # about 10 on an idle machine
