"""`supervised` and `steps_within`: moved batches, and a measurement that leaves everything as it was."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.training import TrainingConfig, steps_within, supervised, train

X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)
LOSS = supervised(nn.functional.mse_loss)


def test_a_move_is_drawn_for_every_batch_and_resumed_like_everything_random():
    rng = torch.Generator().manual_seed(3)
    seen = []

    def move(x, y):
        seen.append(float(torch.rand((), generator=rng)))
        return x, y

    for _ in range(2):
        train(nn.Linear(3, 1), (X, Y), supervised(nn.functional.mse_loss, move), TrainingConfig(steps=3), quiet=True)
    assert len(set(seen[:3])) == 3
    assert seen[:3] == seen[3:]  # a function of the seed and the step


def test_measuring_leaves_model_and_random_numbers_alone():
    net, rng = nn.Linear(3, 1), torch.Generator().manual_seed(3)
    before, expected = [p.clone() for p in net.parameters()], rng.get_state()
    torch.manual_seed(1)
    first = torch.get_rng_state()

    def move(x, y):
        return x + torch.randn(x.shape, generator=rng), y

    steps_within(0.01, net, (X, Y), supervised(nn.functional.mse_loss, move), TrainingConfig(), trial=2)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters()))
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(rng.get_state(), expected)
    assert torch.equal(torch.get_rng_state(), first)


def test_twice_the_time_is_about_twice_the_steps_and_a_slow_loss_gets_fewer():
    def slow(model, x, y):
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        return LOSS(model, x, y)

    net, config = nn.Linear(3, 1), TrainingConfig()
    one, two = (steps_within(seconds, net, (X, Y), slow, config, trial=3) for seconds in (0.5, 1.0))
    assert 1 <= one <= 25  # each takes a fiftieth of a second at least
    assert one < two
    assert steps_within(1e-9, net, (X, Y), LOSS, config, trial=1) == 1


def test_no_time_and_no_trial_are_refused():
    for argument, seconds, trial in (("seconds", 0.0, 5), ("seconds", float("nan"), 5), ("trial", 1.0, 0)):
        with pytest.raises(ArgumentError) as caught:
            steps_within(seconds, nn.Linear(3, 1), (X, Y), LOSS, TrainingConfig(), trial=trial)
        assert caught.value.argument == argument
