"""Losses of self-supervision: closed values, gradients that are stopped, and agreement with another implementation."""

from __future__ import annotations

import importlib.util
import math
import sys
from unittest.mock import MagicMock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from erlangen.discover.essl import barlow_twins_loss, info_nce, nt_xent, simsiam_loss
from erlangen.errors import ArgumentError

F64 = torch.float64


def pair(n: int, d: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return a, b


@given(n=st.integers(2, 12), temperature=st.floats(0.05, 2.0))
def test_of_orthonormal_rows_both_contrastive_losses_have_a_closed_form(n, temperature):
    z = torch.linalg.qr(torch.randn(16, n, generator=torch.Generator().manual_seed(n), dtype=F64)).Q.mT
    for loss, negatives in ((info_nce, n - 1), (nt_xent, 2 * n - 2)):
        expected = math.log1p(negatives * math.exp(-1 / temperature))
        assert float(loss(z, z, temperature)) == pytest.approx(expected, abs=1e-10)


def test_info_nce_is_its_definition_row_by_row():
    a, b = pair(5, 3)
    u, v = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(5):
        row = [math.exp(float(u[i] @ v[j]) / 0.3) for j in range(5)]
        column = [math.exp(float(u[j] @ v[i]) / 0.3) for j in range(5)]
        total -= (math.log(row[i] / sum(row)) + math.log(column[i] / sum(column))) / 10
    assert float(info_nce(a, b, 0.3)) == pytest.approx(total, abs=1e-12)


def test_the_projection_of_simsiam_gets_no_gradient():
    a, b = pair(6, 4)
    p1, z1, p2, z2 = (t.clone().requires_grad_() for t in (a, b, b, a))
    simsiam_loss(p1, z1, p2, z2).backward()
    assert z1.grad is None
    assert z2.grad is None
    assert p1.grad.abs().max() > 0 or p2.grad.abs().max() > 0
    # Projections alone, made by a network, give it nothing to learn from.
    w = torch.eye(4, dtype=F64, requires_grad=True)
    assert not simsiam_loss(a, a @ w, b, b @ w).requires_grad


def test_simsiam_of_identical_predictions_and_projections_is_minus_one():
    z = pair(7, 3)[0]
    assert float(simsiam_loss(z, z, z, z)) == pytest.approx(-1, abs=1e-12)


def test_barlow_twins_of_whitened_identical_views_is_zero():
    z = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
    white = torch.linalg.qr(z - z.mean(0)).Q
    white = white - white.mean(0)
    assert float(barlow_twins_loss(white, white)) == pytest.approx(0, abs=1e-12)
    # A column copied over another: two off-diagonal correlations of 1.
    copied = torch.cat([white, white[:, :1]], 1)
    assert float(barlow_twins_loss(copied, copied, 0.5)) == pytest.approx(1.0, abs=1e-12)


def test_a_constant_column_is_no_infinity():
    a = torch.cat([pair(8, 2)[0], torch.ones(8, 1, dtype=F64)], 1).requires_grad_()
    loss = barlow_twins_loss(a, a)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(a.grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("scale", [1.0, 1e-12])
def test_dead_features_get_no_gradient_and_the_others_their_own(dtype, scale):
    """A row or column that is zero has neither direction nor correlation; what is left is the loss without it."""
    a, b = (scale * v.to(dtype) for v in pair(16, 5))

    def gradients(loss, a, b):
        a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
        value = loss(a, b)
        return float(value.detach()), torch.autograd.grad(value, (a, b))

    # A constant column that rounding does not leave exactly constant, in one view only.
    dead = b.clone()
    dead[:, 0] = 0.3 * scale
    _, (of_a, of_b) = gradients(barlow_twins_loss, a, dead)
    assert not of_b[:, 0].any()
    assert float(of_a.abs().max()) * scale < 10
    zeroed = a.clone()
    zeroed[0] = 0
    for loss in (info_nce, nt_xent, lambda p, z: simsiam_loss(p, z, z, p)):
        value, grads = gradients(loss, zeroed, b)
        assert math.isfinite(value)
        assert not grads[0][0].any()
        assert max(float(g.abs().max()) for g in grads) * scale < 10
    # Minus the mean cosine: the dead row counts as zero.
    alive = torch.nn.functional.cosine_similarity(zeroed[1:] / scale, b[1:] / scale).sum() / 16
    assert float(simsiam_loss(zeroed, b, zeroed, b)) == pytest.approx(-float(alive), rel=1e-5)


def test_meanings_are_those_of_lightly(monkeypatch):
    pytest.importorskip("lightly")
    if importlib.util.find_spec("torchvision") is None:  # which other losses of the package use, not these
        for name in ("torchvision", "torchvision.ops"):
            monkeypatch.setitem(sys.modules, name, MagicMock())
    losses = pytest.importorskip("lightly.loss")
    a, b = pair(16, 8)
    assert float(nt_xent(a, b, 0.2)) == pytest.approx(float(losses.NTXentLoss(temperature=0.2)(a, b)), abs=1e-6)
    negative = losses.NegativeCosineSimilarity()
    assert float(simsiam_loss(a, b, b, a)) == pytest.approx(float(negative(a, a) + negative(b, b)) / 2, abs=1e-6)
    # Their batch norm adds 1e-5 to the variances.
    assert float(barlow_twins_loss(a, b)) == pytest.approx(float(losses.BarlowTwinsLoss(lambda_param=0.0051)(a, b)), rel=1e-4)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda a: info_nce(a, a[:-1]), "shapes (6, 4) and (5, 4)"),
        (lambda a: info_nce(a[:1], a[:1]), "at least 2"),
        (lambda a: nt_xent(a, a, 0.0), "temperature"),
        (lambda a: barlow_twins_loss(a, a, -1.0), "off_diagonal"),
        (lambda a: simsiam_loss(a, a, a, a[:, :2]), "two views"),
    ],
    ids=["shapes", "batch", "temperature", "weight", "simsiam"],
)
def test_unusable_input_is_named(call, names):
    with pytest.raises(ArgumentError) as raised:
        call(pair(6, 4)[0])
    assert names in str(raised.value)
