"""Haar sampling: moments of characters (Schur's orthogonality), invariance, and laws of angles."""

from __future__ import annotations

import math

import pytest
import torch
from lie_catalogue import rng
from scipy.stats import kstest, uniform

from erlangen.groups.haar import haar_o, haar_so
from erlangen.groups.orthogonal import SO, Isometries, O
from erlangen.groups.torus import U1, Torus

COUNT = 40_000


@pytest.mark.parametrize(
    ("group", "second", "fourth"),
    [
        # E tr^2 counts the irreducible parts of V, E tr^4 the invariants in V^4.
        (SO(2), 2, 6),
        (SO(3), 1, 3),
        (SO(4), 1, 4),
        (SO(5), 1, 3),
        (O(2), 1, 3),
        (O(3), 1, 3),
        (O(4), 1, 3),
        (U1(), 2, 6),
        (Torus(2), 4, 36),
        (SO(2, axis="z"), 3, 19),
        (Isometries(torch.diag(torch.tensor([1.0, 4.0, 9.0]))), 1, 3),
    ],
    ids=str,
)
def test_moments_of_the_character(group, second, fourth):
    g = group.sample(COUNT, generator=rng(11), dtype=torch.float64)
    trace = g.diagonal(dim1=-2, dim2=-1).sum(-1)
    for power, expected in ((2, second), (4, fourth)):
        values = trace**power
        error = 5 * float(values.std()) / math.sqrt(COUNT)
        assert abs(float(values.mean()) - expected) < error, (power, float(values.mean()))
    if group != SO(2, axis="z"):
        assert float(g.mean(0).abs().max()) < 5 * float(g.std(0).max()) / math.sqrt(COUNT)


def test_rotation_angles_have_the_haar_density():
    """The angle of a uniform rotation has density (1 - cos t) / pi on [0, pi]."""
    g = SO(3).sample(5000, generator=rng(2), dtype=torch.float64)
    angle = SO(3).log(g).flatten(1).norm(dim=1) / math.sqrt(2)
    assert kstest(((angle - angle.sin()) / math.pi).numpy(), uniform.cdf).pvalue > 1e-3
    plane = SO(2).log(SO(2).sample(5000, generator=rng(2), dtype=torch.float64))[:, 1, 0]
    assert kstest(((plane + math.pi) / (2 * math.pi)).numpy(), uniform.cdf).pvalue > 1e-3


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_samples_are_orthogonal_with_the_right_determinant(n):
    turns, all_ = haar_so(n, (500,), rng(), torch.float64), haar_o(n, (500,), rng(), torch.float64)
    eye = torch.eye(n, dtype=torch.float64).expand(500, n, n)
    for g in (turns, all_):
        torch.testing.assert_close(g @ g.mT, eye, rtol=0, atol=1e-13)
    assert (torch.linalg.det(turns) > 0).all()
    assert 0.4 < float((torch.linalg.det(all_) > 0).double().mean()) < 0.6


def test_columns_are_uniform_on_the_sphere():
    """Each column's second moments are I/n, also of the one whose sign fixes the determinant."""
    for n in (3, 4):
        g = haar_so(n, (COUNT,), rng(4), torch.float64)
        second = torch.einsum("bik,bjk->kij", g, g) / COUNT
        torch.testing.assert_close(second, torch.eye(n, dtype=torch.float64).expand(n, n, n) / n, rtol=0, atol=0.01)
        assert float(g.mean(0).abs().max()) < 0.02


def test_the_generator_s_device_decides_where_numbers_are_drawn():
    g = SO(3).sample(3, generator=rng(), device=torch.device("cpu"))
    assert g.device.type == "cpu"
    assert torch.equal(g, SO(3).sample(3, generator=rng()))
