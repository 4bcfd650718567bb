"""Training: it learns, it resumes to the bit, it refuses foreign checkpoints."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.training import TrainingConfig, train
from erlangen.training.loop import batch_of

SCRIPT = """
import sys, torch
from torch import nn
from erlangen.training import TrainingConfig, train
torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.randn(300, 4); y = x.square().sum(1, keepdim=True)
torch.manual_seed(1)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
config = TrainingConfig(steps=int(sys.argv[2]), batch_size=32, evaluate_every=20, checkpoint_every=7, seed=3)
history = train(net, (x[:250], y[:250]), lambda m, a, b: (m(a) - b).square().mean(), config,
                validation=(x[250:], y[250:]), checkpoint=sys.argv[1] or None, quiet=True)
torch.manual_seed(0)
total = sum(float(p.double().sum()) for p in net.parameters())
print(repr(total), repr(sum(history.losses)), len(history.losses), repr(history.best), history.best_step)
"""


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
    seen = torch.cat([batch_of(step, 60, 20, 5) for step in range(3)])
    assert sorted(seen.tolist()) == list(range(60))
    assert not torch.equal(batch_of(0, 60, 20, 5), batch_of(3, 60, 20, 5))


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


def run(directory, steps=400, kill_after=None):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, directory, str(steps)], stdout=subprocess.PIPE, text=True)
    if kill_after is None:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        return out
    checkpoint = os.path.join(directory, "training.safetensors")
    deadline = time.monotonic() + 60
    while not os.path.exists(checkpoint) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(kill_after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return None


def test_killed_and_started_again_it_ends_with_the_same_bits(tmp_path):
    undisturbed = run("")
    directory = str(tmp_path / "checkpoint")
    for pause in (0.0, 0.11, 0.23):
        run(directory, kill_after=pause)
    assert run(directory) == undisturbed
    assert run(directory) == undisturbed  # a finished one answers at once


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    net, data, loss = problem()
    train(net, data, loss, TrainingConfig(steps=10), checkpoint=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="lr 0.001 there, 0.01 here"):
        train(net, data, loss, TrainingConfig(steps=10, lr=0.01), checkpoint=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="model"):
        train(nn.Linear(3, 2).double(), data, loss, TrainingConfig(steps=10), checkpoint=tmp_path, quiet=True)


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
    with pytest.raises(ArgumentError, match="'steps'"):
        TrainingConfig(steps=0)
