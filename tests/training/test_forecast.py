"""Forecasts that feed on themselves, and what trains for them."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.training import pushforward, relative_l2, rollout, unrolled

mse = torch.nn.functional.mse_loss


def fibonacci(w):
    half = w.shape[1] // 2
    return w[:, :half] + w[:, half:]


def test_rollout_feeds_the_latest_states_back():
    window = torch.tensor([[1.0, 10.0, 1.0, 20.0]])[..., None, None].expand(1, 4, 3, 3)  # two states of two channels
    made = rollout(fibonacci, window, 4)
    assert made.shape == (1, 4, 2, 3, 3)
    assert made[0, :, 0, 0, 0].tolist() == [2, 3, 5, 8]
    assert made[0, :, 1, 0, 0].tolist() == [30, 50, 80, 130]


def test_relative_errors_are_means_over_samples_and_channels():
    target = torch.ones(2, 2, 4, 4) * torch.tensor([1.0, 10.0])[:, None, None]
    prediction = target.clone()
    prediction[0, 0] *= 1.5
    assert float(relative_l2(prediction, target)) == pytest.approx(0.5 / 4)
    assert float(relative_l2(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))) == 0.0
    with pytest.raises(ArgumentError, match="prediction"):
        relative_l2(prediction, target[:1])


def test_gradients_flow_through_a_rollout_and_stop_in_a_pushforward():
    a = torch.tensor(2.0, requires_grad=True)
    window, states = torch.ones(1, 1, 1, 1), torch.zeros(1, 2, 1, 1, 1)
    # (a^2 + a^4) / 2 against zero: 1/2 (2 a + 4 a^3).
    (through,) = torch.autograd.grad(unrolled(mse, 2)(lambda w: a * w, window, states), a)
    assert float(through) == pytest.approx(18.0)
    # a^2 + (2 a)^2, the 2 held fixed: 2 a + 8 a.
    (stopped,) = torch.autograd.grad(pushforward(mse)(lambda w: a * w, window, states), a)
    assert float(stopped) == pytest.approx(20.0)


def test_windows_longer_than_what_is_pushed_forward():
    window = torch.tensor([1.0, 1.0]).view(1, 2, 1, 1)
    states = torch.tensor([2.0, 3.0, 5.0]).view(1, 3, 1, 1, 1)
    assert float(pushforward(mse, 2)(fibonacci, window, states)) == 0.0


def test_bad_windows_are_refused():
    with pytest.raises(ArgumentError, match="steps"):
        rollout(fibonacci, torch.ones(1, 2, 1, 1), 0)
    with pytest.raises(ArgumentError, match="window"):
        rollout(lambda w: w[:, :2], torch.ones(1, 3, 1, 1), 2)


def test_losses_refuse_fewer_states_than_they_compare():
    window, states = torch.randn(2, 2, 4, 4), torch.randn(2, 1, 1, 4, 4)
    for loss in (unrolled(torch.nn.functional.mse_loss, 2), pushforward(torch.nn.functional.mse_loss, 1)):
        with pytest.raises(ArgumentError, match="'states'.*at least 2"):
            loss(lambda w: w[:, :1], window, states)


@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (2, 1, 0, 4)])
def test_nothing_to_compare_is_refused(shape):
    with pytest.raises(ArgumentError, match="argument 'target'.*at least one"):
        relative_l2(torch.zeros(shape), torch.zeros(shape))
