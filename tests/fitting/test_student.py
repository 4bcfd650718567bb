"""`train_student`: any network learns any function from fresh inputs, and errors are relative to the variance of the labels."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.fitting import train_student
from erlangen.training import TrainingConfig


def test_any_module_any_target():
    curve = train_student(
        lambda x: x[:, :1],
        nn.Linear(3, 1),
        lambda count, g: torch.randn(count, 3, generator=g),
        TrainingConfig(steps=400, lr=0.05, evaluate_every=100),
    )
    assert curve.steps == (100, 200, 300, 400)
    assert curve.final < 1e-4
    assert list(curve.errors) == sorted(curve.errors, reverse=True)
    assert curve.baseline == pytest.approx(1, abs=0.01)
    assert curve.variance == pytest.approx(1, abs=0.1)


def test_errors_are_relative_to_the_variance_of_the_labels():
    """A target a hundred times smaller is not learned just because its mean squared error is small."""
    silent = nn.Linear(3, 1).requires_grad_(True)
    nn.init.zeros_(silent.weight)
    nn.init.zeros_(silent.bias)
    config = TrainingConfig(steps=1, lr=1e-12)
    curve = train_student(lambda x: 0.01 * x[:, 0], silent, lambda count, g: torch.randn(count, 3, generator=g), config)
    assert curve.final == pytest.approx(1, abs=0.01)


def test_bad_targets_are_named():
    draw = lambda count, g: torch.randn(count, 3, generator=g)  # noqa: E731
    for who, target, student in (
        ("target", lambda x: torch.zeros(len(x)), nn.Linear(3, 1)),
        ("target", lambda x: x, nn.Linear(3, 1)),
        ("student", lambda x: x[:, 0], nn.Linear(3, 2)),
    ):
        with pytest.raises(ArgumentError) as caught:
            train_student(target, student, draw, TrainingConfig(steps=2))
        assert caught.value.argument == who
