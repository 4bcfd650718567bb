"""Moments of images: whatever their brightness, and a word where ink is not positive."""

from __future__ import annotations

import pytest
import torch

from erlangen.actions.image_moments import image_moments
from erlangen.errors import ArgumentError


def bar() -> torch.Tensor:
    """4 x 8 pixels of ink: variances (n^2 - 1) / 12 for n pixels, and their centre one up of the canvas's."""
    x = torch.zeros(1, 1, 20, 20)
    x[..., 7:11, 6:14] = 1.0
    return x


@pytest.mark.parametrize("brightness", [1e-38, 1e-12, 1.0, 1e30, 3e38])
def test_brightness_counts_in_the_mass_alone(brightness: float) -> None:
    moments = image_moments(brightness * bar())
    assert torch.allclose(moments.mean, torch.tensor([[0.0, 1.0]]), atol=1e-5)
    assert torch.allclose(moments.covariance, torch.tensor([[[63 / 12, 0.0], [0.0, 15 / 12]]]), atol=1e-5)
    if brightness < 1e37:
        assert torch.allclose(moments.mass / brightness, torch.tensor(32.0))


def test_one_pixel_has_its_own_variance() -> None:
    x = torch.zeros(1, 5, 5)
    x[0, 1, 4] = 1e-20
    _, mean, covariance = image_moments(x)
    assert torch.equal(mean, torch.tensor([2.0, 1.0]))
    assert torch.allclose(covariance, torch.eye(2) / 12)


@pytest.mark.parametrize(
    "image",
    [
        0 * bar(),
        -bar(),
        bar() - bar().mean(),  # standardised by itself: what is left is rounding
        (bar() - 0.07) / 0.3,  # by the data: some mass is left, of negative variance
        bar().index_fill(-1, torch.tensor([3]), float("nan")),
        bar().index_fill(-1, torch.tensor([3]), float("inf")),
        torch.ones(1, 1, 0, 0),
    ],
    ids=["empty", "negative", "own mean", "data's mean", "nan", "inf", "no pixels"],
)
def test_ink_without_moments_is_named(image: torch.Tensor) -> None:
    with pytest.raises(ArgumentError, match="positive ink on an empty background; got none at"):
        image_moments(image)


def test_a_little_negative_ink_is_no_fault() -> None:
    x = bar()
    x[..., 6, 6:14] = -0.05  # an overshoot of bicubic interpolation
    assert image_moments(x).covariance[0, 1, 1] > 1.0
