"""exp and log: closed forms against general ones, round trips, derivatives, the principal logarithm against SciPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lie_catalogue import GROUPS, IDS, rng
from torch.autograd import gradcheck, gradgradcheck

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.affine import SE
from erlangen.groups.logarithm import matrix_log
from erlangen.groups.orthogonal import SO

LIE = [(g, i) for (g, dim, _), i in zip(GROUPS, IDS) if dim]


@pytest.mark.parametrize("group", [g for g, _ in LIE], ids=[i for _, i in LIE])
def test_exp_agrees_with_the_series_and_log_inverts_it(group):
    c = 0.6 * torch.randn(20, group.dim, generator=rng(), dtype=torch.float64) / math.sqrt(group.dim)
    a = group.algebra.combine(c)
    series = sum(torch.linalg.matrix_power(a, k) / float(math.factorial(k)) for k in range(25))
    torch.testing.assert_close(group.exp(a), series, rtol=0, atol=1e-12)
    torch.testing.assert_close(group.log(group.exp(a)), a, rtol=0, atol=1e-12)
    a32 = a.float()
    assert group.exp(a32).dtype == group.log(group.exp(a32)).dtype == torch.float32
    torch.testing.assert_close(group.log(group.exp(a32)), a32, rtol=0, atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(st.floats(-9, 0), st.sampled_from([0.0, math.pi]), st.tuples(*[st.floats(-1, 1)] * 3), st.sampled_from([1, -1]))
def test_rotation_logarithm_at_the_edges(digits, centre, axis, side):
    """Angles within 10^digits of 0 and of pi, both sides of the latter: nothing is lost."""
    axis = torch.tensor(axis, dtype=torch.float64)
    if axis.norm() < 1e-3:
        axis = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    angle = centre + side * 10.0**digits * 0.5
    a = SO(3).algebra.combine(angle * axis / axis.norm())
    g = SO(3).exp(a)
    back = SO(3).log(g)
    torch.testing.assert_close(SO(3).exp(back), g, rtol=0, atol=1e-14)
    folded = abs(angle) if abs(angle) <= math.pi else 2 * math.pi - abs(angle)
    assert float(back.norm()) / math.sqrt(2) == pytest.approx(folded, abs=2e-15, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("group", [SO(2), SO(3), SO(2, axis="x"), SE(2), SE(3)], ids=str)
def test_derivatives_are_finite_at_the_identity(group, dtype):
    a = torch.zeros(3, group.n, group.n, dtype=dtype, requires_grad=True)
    group.log(group.exp(a)).square().sum().backward()
    assert torch.isfinite(a.grad).all()


@pytest.mark.parametrize("group", [SO(2), SO(3), SE(2), SE(3), SO(4), SO(1, 3)], ids=str)
def test_gradients(group):
    c = torch.randn(3, group.dim, generator=rng(), dtype=torch.float64) / math.sqrt(group.dim)
    c[0] = 0
    c[1] *= 0.5 / c[1].norm()  # about where the power series ends
    c.requires_grad_(True)
    assert gradcheck(lambda c: group.exp(group.algebra.combine(c)), (c,))
    assert gradcheck(lambda c: group.log(group.exp(group.algebra.combine(c))), (c,))
    if group in (SO(3), SE(3)):
        assert gradgradcheck(lambda c: group.exp(group.algebra.combine(c)), (c,))


def test_the_series_meets_the_closed_form():
    """No jump where the power series hands over (angle 1/2), for rotations and translations."""
    for angle in (0.5 - 1e-9, 0.5 + 1e-9):
        a = SE(3).algebra.combine(torch.tensor([angle, 0, 0, 1.0, 2.0, 3.0], dtype=torch.float64))
        torch.testing.assert_close(SE(3).exp(a), torch.linalg.matrix_exp(a), rtol=0, atol=1e-15)
        torch.testing.assert_close(SE(3).log(SE(3).exp(a)), a, rtol=0, atol=4e-15)


@pytest.mark.parametrize("spread", [1e-6, 0.1, 1.0, 3.0])
def test_principal_logarithm_against_scipy(spread):
    a = spread * torch.randn(20, 5, 5, generator=rng(), dtype=torch.float64) / math.sqrt(5)
    g = torch.linalg.matrix_exp(a)
    mine = matrix_log(g)
    theirs = torch.tensor(np.stack([scipy.linalg.logm(x).real for x in g.numpy()]))
    size = theirs.flatten(1).norm(dim=1).amax()
    torch.testing.assert_close(mine, theirs, rtol=0, atol=float(1e-12 * size) + 1e-14)  # g itself is known to 1e-16


def test_principal_logarithm_of_jordan_blocks_and_mixed_sizes():
    g = torch.eye(4, dtype=torch.float64) + torch.diag(torch.ones(3, dtype=torch.float64), 1)
    nilpotent = g - torch.eye(4, dtype=torch.float64)
    exact = nilpotent - nilpotent @ nilpotent / 2 + torch.linalg.matrix_power(nilpotent, 3) / 3
    tiny = torch.eye(4, dtype=torch.float64) + 1e-9 * nilpotent
    both = matrix_log(torch.stack([g, tiny]))
    torch.testing.assert_close(both[0], exact, rtol=0, atol=1e-12)
    torch.testing.assert_close(both[1], 1e-9 * nilpotent, rtol=0, atol=1e-17)


def test_principal_logarithm_is_differentiable():
    a = 0.5 * torch.randn(3, 3, 3, generator=rng(), dtype=torch.float64)
    a[0] *= 1e-8
    assert gradcheck(matrix_log, (torch.linalg.matrix_exp(a).requires_grad_(True),))


def test_principal_logarithm_refuses():
    with pytest.raises(UnsupportedError, match="negative real eigenvalue"):
        matrix_log(torch.diag(torch.tensor([1.0, -1.0, -1.0])))
    with pytest.raises(UnsupportedError, match="singular"):
        matrix_log(torch.zeros(2, 2))
    with pytest.raises(ArgumentError, match="finite"):
        matrix_log(torch.full((2, 2), torch.nan))
    with pytest.raises(ArgumentError, match="real matrices"):
        matrix_log(torch.zeros(2, 3))
