"""The fast exponentials against torch's own, forward and backward."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.discover.exponential import act, block_exp, is_block_mask, matrix_exp


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.floats(1e-8, 3.0), st.integers(0, 99))
def test_exponential_is_torchs(n: int, size: float, seed: int) -> None:
    a = size * random(5, n, n, seed=seed) / n**0.5
    ours, theirs = matrix_exp(a), torch.linalg.matrix_exp(a)
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-7


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-8, 4.0), st.integers(0, 99))
def test_blocks_in_closed_form(size: float, seed: int) -> None:
    a = size * random(5, 2, 2, seed=seed)
    assert torch.allclose(block_exp(a), torch.linalg.matrix_exp(a), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("exponential", [matrix_exp, block_exp])
@pytest.mark.parametrize("size", [0.0, 0.01, 1.0])
def test_gradients(exponential, size: float) -> None:
    assert torch.autograd.gradcheck(exponential, (size * random(3, 2, 2)).requires_grad_())


def test_action_in_blocks_is_the_action() -> None:
    mask = torch.kron(torch.eye(3), torch.ones(2, 2)).double()
    basis, w, v = random(2, 6, 6) * mask, random(7, 2, seed=1), random(7, 3, 6, seed=2)
    assert is_block_mask(mask[None])
    assert not is_block_mask(torch.ones(1, 6, 6))
    g = torch.linalg.matrix_exp(torch.einsum("bk,kij->bij", w, basis))
    wanted = torch.einsum("bij,btj->bti", g, v)
    for blocks in (True, False):
        assert torch.allclose(act(basis, w, v, blocks), wanted, rtol=1e-6, atol=1e-8)
