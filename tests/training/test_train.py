"""Training: it learns, stops early, reads tensors and datasets, and leaves nothing behind."""

import json

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from erlangen.errors import ArgumentError
from erlangen.training import History, Shuffle, TrainingConfig, train


def problem():
    torch.manual_seed(0)
    x = torch.randn(200, 3, dtype=torch.float64)
    return nn.Linear(3, 1).double(), (x, x.sum(1, keepdim=True)), lambda m, a, b: (m(a) - b).square().mean()


def test_it_learns():
    net, data, loss = problem()
    history = train(net, data, loss, TrainingConfig(steps=400, lr=0.05, weight_decay=0.0), quiet=True)
    assert history.losses[-1] < 1e-4 * history.losses[0]
    assert torch.allclose(net.weight, torch.ones_like(net.weight), atol=1e-2)
    assert not net.training


def test_every_sample_is_seen_once_in_an_epoch():
    seen = torch.cat([Shuffle(60, 20, 5).batch(step) for step in range(3)])
    assert sorted(seen.tolist()) == list(range(60))
    assert not torch.equal(Shuffle(60, 20, 5).batch(0), Shuffle(60, 20, 5).batch(3))


def test_early_stopping_restores_the_best_weights():
    net, data, loss = problem()
    scores = iter([1.0, 3.0, 2.0, 2.0, 2.0, 2.0])
    kept = {}

    def metric(m, *_):
        score = next(scores)
        kept[score] = m.weight.detach().clone()
        return score

    history = train(
        net, data, loss, TrainingConfig(steps=100, evaluate_every=5, patience=2), validation=data, metric=metric, quiet=True
    )
    assert history.stopped == "patience"
    assert (history.best, history.best_step, len(history.losses)) == (3.0, 10, 20)
    assert torch.equal(net.weight, kept[3.0])


def test_interruption_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path):
    net, data, loss = problem()
    calls = []

    def interrupting(m, a, b):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return loss(m, a, b)

    with pytest.raises(KeyboardInterrupt, match=r"stopped after 7 steps; start again with checkpoint="):
        train(net, data, interrupting, TrainingConfig(steps=20), checkpoint=tmp_path, quiet=True)
    again, data, loss = problem()
    resumed = train(again, data, loss, TrainingConfig(steps=20), checkpoint=tmp_path, quiet=True)
    whole, data, loss = problem()
    assert train(whole, data, loss, TrainingConfig(steps=20), quiet=True).losses == resumed.losses
    assert torch.equal(whole.weight, again.weight)


def test_bad_data_are_named():
    net, _, loss = problem()
    with pytest.raises(ArgumentError, match="'data'"):
        train(net, (torch.zeros(3, 3), torch.zeros(4, 1)), loss, quiet=True)
    with pytest.raises(ArgumentError, match="validation"):
        train(net, (torch.zeros(3, 3), torch.zeros(3, 1)), loss, validation=(), quiet=True)
    with pytest.raises(ArgumentError, match="schedule"):
        TrainingConfig(schedule="linear")
    with pytest.raises(ArgumentError, match="'clip'"):
        TrainingConfig(clip=-1.0)
    with pytest.raises(ArgumentError, match="'steps'"):
        TrainingConfig(steps=0)


class Records(Dataset):
    def __init__(self, *tensors):
        self.tensors = tensors

    def __len__(self):
        return len(self.tensors[0])

    def __getitem__(self, i):
        return tuple(t[i] for t in self.tensors)


@pytest.mark.parametrize("kind", [Records, TensorDataset])
def test_datasets_train_as_tensors_do(kind):
    config = TrainingConfig(steps=30, batch_size=16, evaluate_every=10)
    net, data, loss = problem()
    expected = train(net, data, loss, config, validation=data, quiet=True)
    other, _, _ = problem()
    found = train(other, kind(*data), loss, config, validation=kind(*data), quiet=True)
    assert found.losses == expected.losses
    assert found.evaluations == expected.evaluations
    assert torch.equal(net.weight, other.weight)
    with pytest.raises(ArgumentError, match="loader.dataset"):
        train(net, DataLoader(kind(*data)), loss, quiet=True)


def test_the_callers_random_numbers_and_model_are_left_alone():
    net, data, loss = problem()
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    for precision in ("bf16", "no"):
        net.float()
        forward = net.forward
        train(net, [t.float() for t in data], loss, TrainingConfig(steps=3, mixed_precision=precision), quiet=True)
        assert net.forward == forward
        assert net(torch.zeros(1, 3)).dtype == torch.float32
    assert torch.equal(torch.rand(3), expected)


def test_the_rate_warms_up_and_falls_to_zero():
    config = TrainingConfig(steps=110, lr=0.2, warmup=10)
    assert [config.rate(s) for s in (0, 4, 9, 10)] == pytest.approx([0.02, 0.1, 0.2, 0.2])
    assert config.rate(60) == pytest.approx(0.1)
    assert config.rate(110) == pytest.approx(0.0)
    assert TrainingConfig(schedule="constant", lr=0.3).rate(999) == 0.3


def test_a_history_survives_json():
    net, data, loss = problem()
    history = train(net, data, loss, TrainingConfig(steps=4), quiet=True)
    assert History.from_dict(json.loads(json.dumps(history.as_dict(), allow_nan=False))) == history
