"""`perceptron`: what layers it has, in which order their weights are drawn, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.nn.perceptron import perceptron


def test_it_is_the_network_written_out():
    torch.manual_seed(0)
    made = perceptron(3, 8, 8, 2, activation=nn.SiLU)
    torch.manual_seed(0)
    written = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 2))
    x = torch.randn(5, 3)
    assert torch.equal(made(x), written(x))
    assert made.state_dict().keys() == written.state_dict().keys()


def test_dropout_and_a_last_activation_are_layers_of_their_own():
    kinds = [type(layer).__name__ for layer in perceptron(3, 8, 2, dropout=0.5, activate_last=True)]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout"]
    assert [type(layer).__name__ for layer in perceptron(3, 8, 2)] == ["Linear", "ReLU", "Linear"]


@pytest.mark.parametrize("widths", [(), (3,), (3, 0, 2)])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ArgumentError, match="widths"):
        perceptron(*widths)
