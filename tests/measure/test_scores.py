"""Scores: by hand, their limits, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.measure import accuracy, mean_square, r_squared


def test_accuracy_of_classes_and_of_one_logit_is_the_same():
    generator = torch.Generator().manual_seed(0)
    logits, label = torch.randn(50, generator=generator), torch.randint(2, (50,), generator=generator)
    both = accuracy(torch.stack([torch.zeros(50), logits], 1), label)
    assert accuracy(logits, label) == both == float(((logits > 0) == (label == 1)).double().mean())
    assert 0 < both < 1


def test_explained_variance_is_one_of_the_truth_none_of_the_mean_and_all_targets_count_together():
    y = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 0.1]) + 7
    p = y + torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert r_squared(y, y) == 1
    assert r_squared(y.mean(0).expand_as(y), y) == pytest.approx(0, abs=1e-12)
    expected = 1 - (p - y).square().mean() / y.var(0, unbiased=False).mean()
    assert r_squared(p, y) == pytest.approx(float(expected), rel=1e-12)
    assert r_squared(p, y.flatten()) == pytest.approx(float(expected), rel=1e-12)
    assert mean_square(p, y) == pytest.approx(float((p - y).square().mean()), rel=1e-12)


def test_a_target_that_does_not_vary_has_no_explained_variance():
    constant = torch.full((5,), 3.0)
    assert r_squared(constant, constant) == 1
    assert r_squared(constant + 1, constant) == -math.inf


@pytest.mark.parametrize(
    ("argument", "logits", "label"),
    [
        ("logits", torch.zeros(0, 2), torch.zeros(0)),
        ("logits", torch.zeros(3, 2, 2), torch.zeros(3)),
        ("label", torch.zeros(3, 2), torch.zeros(4)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(argument, logits, label):
    with pytest.raises(ArgumentError) as caught:
        accuracy(logits, label)
    assert caught.value.argument == argument
