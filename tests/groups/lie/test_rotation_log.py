"""Logarithms of rotations of four and more dimensions: exp is onto, so that every rotation has one, half turns included."""

import math

import pytest
import torch

from erlangen.errors import UnsupportedError
from erlangen.groups import SE, SO, E, Isometries, MatrixGroup, O
from erlangen.groups.logarithm import matrix_log
from erlangen.linalg import matrix_exp

F64 = torch.float64
NEAR = [0.0, 1e-15, 1e-12, 1e-8, 1e-5, 1e-3, 0.1]


def turned(n, angles, seed=0):
    """A rotation of ``R^n`` by these angles, in planes of a random basis."""
    q = SO(n).sample(generator=torch.Generator().manual_seed(seed), dtype=F64)
    block = torch.eye(n, dtype=F64)
    for k, angle in enumerate(angles):
        c, s = math.cos(angle), math.sin(angle)
        block[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = torch.tensor([[c, -s], [s, c]], dtype=F64)
    return q @ block @ q.mT


@pytest.mark.parametrize("off", NEAR)
@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("second", ["other", "same", "both"])
def test_half_turns_and_what_is_near_them(n, off, second):
    angles = {"other": [math.pi - off, 0.7], "same": [math.pi - off, math.pi - off], "both": [math.pi, off - math.pi]}[second]
    for seed in range(3):
        g = turned(n, angles, seed)
        for group in (SO(n), O(n), MatrixGroup(algebra=SO(n).algebra)):
            a = group.log(g)
            assert (matrix_exp(a) - g).abs().max() < 2e-14
            assert torch.allclose(a, -a.mT, rtol=0, atol=1e-14)
            assert torch.linalg.matrix_norm(a, 2) < math.pi + 1e-12
        single = SO(n).log(g.float())
        assert single.dtype == torch.float32
        assert (matrix_exp(single.double()) - g).abs().max() < 3e-6


def test_exact_half_turns():
    for n in (4, 5, 7):
        for count in range(2, n + 1, 2):
            g = torch.diag(torch.tensor([-1.0] * count + [1.0] * (n - count), dtype=F64))
            a = SO(n).log(torch.stack([g, torch.eye(n, dtype=F64)]))
            assert (matrix_exp(a[0]) - g).abs().max() < 1e-14
            assert not a[1].any()
    with pytest.raises(UnsupportedError, match="reflection"):
        O(5).log(torch.diag(torch.tensor([-1.0, 1, 1, 1, 1])))


@pytest.mark.parametrize("group", [SE(4), E(5)], ids=str)
@pytest.mark.parametrize("off", [0.0, 1e-8, 1e-3, 1.0])
def test_rigid_motions(group, off):
    n = group.space_dim
    g = group.element(turned(n, [math.pi - off, 0.3]), torch.linspace(-2, 3, n, dtype=F64))
    assert (matrix_exp(group.log(g)) - g).abs().max() < 1e-13


def test_in_the_coordinates_of_a_form():
    stretch = torch.diag(torch.tensor([1.0, 2.0, 3.0, 0.5], dtype=F64))
    G = Isometries(stretch @ stretch)
    g = torch.linalg.inv(stretch) @ turned(4, [math.pi, 0.4]) @ stretch
    assert (matrix_exp(G.log(g)) - g).abs().max() < 1e-13


@pytest.mark.parametrize("angles", [(math.pi, 0.7), (math.pi - 1e-9, 0.2), (math.pi - 1e-4, 1.1), (3.0, 2.9)])
def test_derivatives_are_those_of_the_inverse_of_exp(angles):
    g = turned(4, angles)
    a = SO(4).log(g).detach()
    direction = SO(4).algebra.combine(torch.linspace(-1, 1, 6, dtype=F64))
    # Along exp(a + t d) the logarithm is a + t d.
    t = torch.zeros((), dtype=F64, requires_grad=True)
    path = matrix_exp((a + t * direction).expand(2, 4, 4))
    weights = torch.randn(4, 4, dtype=F64, generator=torch.Generator().manual_seed(1))
    (slope,) = torch.autograd.grad((SO(4).log(path)[0] * weights).sum(), t)
    assert abs(float(slope - (direction * weights).sum())) < 1e-6
    assert torch.isfinite(slope)


def test_two_half_turns_have_finite_gradients():
    g = -torch.eye(4, dtype=F64)
    g.requires_grad_()
    SO(4).log(g).square().sum().backward()
    assert torch.isfinite(g.grad).all()


def test_other_groups_refuse_what_they_cannot_know():
    g = turned(4, [math.pi - 1e-9, math.pi - 1e-9])
    with pytest.raises(UnsupportedError):
        matrix_log(g)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("n", [4, 5, 8])
def test_rotations_in_half_precision(n, dtype):
    g = SO(n).sample(100, generator=torch.Generator().manual_seed(1), dtype=dtype)
    a = SO(n).log(g)
    assert a.dtype == dtype
    assert (torch.linalg.matrix_exp(a.double()) - g.double()).abs().max() < 2 * torch.finfo(dtype).eps
