"""The matrix exponential is right to rounding, alone and in batches."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.linalg import matrix_exp


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 2e-15), (torch.float32, 1e-6)])
@pytest.mark.parametrize("batch", [(), (1,), (1, 1), (2,), (3, 2), (0,)])
def test_rotations_of_every_size(dtype: torch.dtype, bound: float, batch: tuple[int, ...]) -> None:
    for angle in torch.logspace(-4, 0.7, 60, dtype=dtype):
        turn = matrix_exp(angle * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=dtype).expand(*batch, 2, 2))
        assert turn.shape == (*batch, 2, 2)
        assert turn.dtype == dtype
        wide = angle.double()
        exact = torch.stack([torch.stack([wide.cos(), -wide.sin()]), torch.stack([wide.sin(), wide.cos()])])
        assert bool(((turn - exact).abs() < bound * max(1.0, float(angle))).all()), float(angle)


def test_gradients_of_a_single_matrix() -> None:
    a = (0.04 * torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).requires_grad_()
    (alone,) = torch.autograd.grad(matrix_exp(a)[0, 1], a)
    (together,) = torch.autograd.grad(matrix_exp(torch.stack([a, 2 * a, a / 3]))[0][0, 1], a)
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-15)
    assert torch.autograd.gradcheck(matrix_exp, (a,))


def test_one_element_is_as_good_a_member_as_many() -> None:
    lorentz = er.SO(1, 3, connected=True)
    a = 0.02 * lorentz.algebra.basis.sum(0)
    g = lorentz.exp(a)
    form = lorentz.form
    assert (g.mT @ form @ g - form).abs().max() < 1e-14
