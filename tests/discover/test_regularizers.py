"""Penalties of a learned algebra where a channel or a datum is zero: their derivatives are those of a constant, not 1e12."""

import pytest
import torch

from erlangen.discover.regularizers import correlation, triviality

TURN = [[0.0, -1.0], [1.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["frobenius", "killing"])
def test_a_channel_that_is_zero_has_a_moderate_derivative(kind, dtype):
    basis = torch.tensor([TURN, [[0.0, 0.0], [0.0, 0.0]]], dtype=dtype, requires_grad=True)
    value = correlation(kind, basis)
    (gradient,) = torch.autograd.grad(value, basis)
    assert float(value.detach()) == 0
    assert float(gradient.abs().max()) <= 2.0  # n |L| / |L|, by the other channel scaled to sqrt(n)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_datum_that_is_zero_counts_as_unmoved(dtype):
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=dtype)
    angle = torch.tensor(0.1, dtype=dtype, requires_grad=True)
    moved = x @ torch.matrix_exp(angle * torch.tensor(TURN, dtype=dtype)).mT
    value = triviality("rel_diff", x, moved, torch.tensor([TURN], dtype=dtype))
    (slope,) = torch.autograd.grad(value, angle)
    # -|e^{iq} - 1| / 2 = -sin(q / 2)
    assert float(value.detach()) == pytest.approx(-float(torch.tensor(0.05).sin()), rel=1e-5)
    assert float(slope) == pytest.approx(-0.5 * float(torch.tensor(0.05).cos()), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_derivative_at_a_zero_datum_does_not_overflow(dtype):
    x = torch.zeros(1, 2, dtype=dtype)
    moved = torch.tensor([[3e-3, 4e-3]], dtype=dtype, requires_grad=True)
    (gradient,) = torch.autograd.grad(triviality("rel_diff", x, moved, torch.zeros(1, 2, 2, dtype=dtype)), moved)
    assert torch.allclose(gradient, torch.tensor([[-0.6, -0.8]], dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_study_s_rotation_of_a_zero_vector_has_no_derivative(dtype):
    from erlangen.studies.orbit import Gathered

    class Reads(torch.nn.Module):
        group, vectors = None, 1

        def forward(self, y):
            return y.unsqueeze(-1)

    y = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype, requires_grad=True)
    found = Gathered(Reads())(y)
    (gradient,) = torch.autograd.grad(found[:, 0, 0].sum(), y)
    assert torch.allclose(found[1], torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=dtype))
    # of y_0 / |y| at (3, 4): (16, -12) / 125
    assert torch.allclose(gradient, torch.tensor([[0.0, 0.0], [0.128, -0.096]], dtype=dtype))
