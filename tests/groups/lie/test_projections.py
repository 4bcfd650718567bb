"""Projections onto matrix groups: on the group, commuting with it, and against closed forms."""

import pytest
import torch
from test_forms import special_unitary, unitary

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import (
    SL,
    SO,
    Dihedral,
    GLplus,
    Isometries,
    MatrixGroup,
    O,
    Scalings,
    Sp,
    orbit_invariants,
    polar,
    project,
    projection,
)
from erlangen.groups.project import newton_step

F64 = torch.float64
FORMS = [
    O(3),
    SO(3),
    SO(2),
    O(1, 3),
    SO(1, 3),
    SO(1, 3, connected=True),
    Sp(4),
    unitary(2),
    Isometries(torch.tensor([[2.0, 1.0], [1.0, -1.0]])),
]


def near(group, count=500, size=0.1, seed=0):
    rng = torch.Generator().manual_seed(seed)
    g = group.sample(count, generator=rng, dtype=F64)
    noise = torch.randn(count, group.n, group.n, generator=rng, dtype=F64)
    return g, g @ (torch.eye(group.n, dtype=F64) + size * noise)


@pytest.mark.parametrize("group", FORMS, ids=str)
def test_projections_lie_in_the_group_commute_with_it_and_keep_it(group):
    g, m = near(group)
    p = project(group, m)
    invariants = orbit_invariants(group)
    off = (invariants(p) - invariants(torch.eye(group.n, dtype=F64))).abs().amax(-1)
    assert float(off.max()) <= 1e-12
    h = group.sample(len(m), generator=torch.Generator().manual_seed(1), dtype=F64)
    wanted = h @ p
    assert float(((project(group, h @ m) - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)).max()) <= 1e-10
    assert torch.allclose(project(group, g), g, atol=1e-10)
    if hasattr(group, "form"):
        assert bool(group.contains(p).all())


def test_agrees_with_the_polar_factor():
    for n in (2, 3, 5):
        m = torch.randn(50, n, n, generator=torch.Generator().manual_seed(n), dtype=F64)
        u, _, vh = torch.linalg.svd(m)
        assert float((project(O(n), m) - u @ vh).abs().max()) <= 1e-12
        if n > 2:
            assert bool(SO(n).contains(project(SO(n), m)).all())
            # Nearest: no rotation by a small angle comes closer.
            closest = project(SO(n), m)
            turn = SO(n).exp(SO(n).algebra.combine(1e-3 * torch.randn(50, SO(n).dim, dtype=F64)))
            assert bool(((m - closest).flatten(1).norm(dim=1) <= (m - closest @ turn).flatten(1).norm(dim=1)).all())


def test_the_plane_by_its_angle():
    m = torch.randn(100, 2, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    angle = torch.atan2(m[:, 1, 0] - m[:, 0, 1], m[:, 0, 0] + m[:, 1, 1])
    wanted = torch.stack([torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)], -2)
    assert float((project(SO(2), m) - wanted).abs().max()) <= 1e-12


def test_unitary_by_the_complex_polar_factor():
    _, m = near(unitary(2))
    a, b, c, d = m[:, :2, :2], m[:, :2, 2:], m[:, 2:, :2], m[:, 2:, 2:]
    u, _, vh = torch.linalg.svd(torch.complex(0.5 * (a + d), 0.5 * (c - b)))
    z = u @ vh
    wanted = torch.cat([torch.cat([z.real, -z.imag], -1), torch.cat([z.imag, z.real], -1)], -2)
    assert float((project(unitary(2), m) - wanted).abs().max()) <= 1e-12


@pytest.mark.parametrize(("size", "steps", "tolerance"), [(0.05, 2, 1e-4), (0.05, 3, 1e-9), (0.1, 5, 1e-9)])
def test_newton_converges_quadratically(size, steps, tolerance):
    group = O(1, 3)
    _, m = near(group, 1000, size)
    for _ in range(steps):
        m = newton_step(group, m)
    form = group.form
    assert float((m.mT @ form @ m - form).abs().amax((-2, -1)).median()) <= tolerance


def test_newton_fails_sometimes_from_afar():
    # What is offered is not more than what holds: from deviation 0.3 a few do not arrive.
    _, m = near(O(1, 3), 5000, 0.3)
    p = project(O(1, 3), m)
    off = (p.mT @ O(1, 3).form @ p - O(1, 3).form).abs().amax((-2, -1))
    assert 0 < float((off > 1e-6).double().mean()) < 0.1


@pytest.mark.parametrize("n", [2, 3])
def test_volume(n):
    group = SL(n)
    m = torch.randn(200, n, n, generator=torch.Generator().manual_seed(0), dtype=F64)
    m = m[torch.linalg.det(m).abs() > 0.05]
    if n % 2 == 0:
        with pytest.raises(ArgumentError, match="even size"):
            project(group, m)
        m = m[torch.linalg.det(m) > 0]
    assert float((torch.linalg.det(project(group, m)) - 1).abs().max()) <= 1e-12


def test_scalings_and_orientation():
    assert torch.equal(project(Scalings(2), torch.tensor([[1.0, 5.0], [0.0, 3.0]])), 2 * torch.eye(2))
    with pytest.raises(ArgumentError, match="positive"):
        project(Scalings(2), -torch.eye(2))
    with pytest.raises(ArgumentError, match="positive determinants"):
        project(GLplus(2), torch.diag(torch.tensor([1.0, -1.0])))


def test_nearest_of_finitely_many():
    quarter = MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    g, m = near(quarter, 100, 0.05)
    assert torch.allclose(project(quarter, m), g)


@pytest.mark.parametrize("group", [O(3), SO(3), SO(2), O(1, 3), Sp(4), SL(3)], ids=str)
def test_derivatives_also_at_the_group_itself(group):
    g, m = near(group, 1)
    for matrices in (m, g):  # on an orthogonal group all singular values are equal
        assert torch.autograd.gradcheck(projection(group), matrices.clone().requires_grad_())


def test_a_singular_matrix_spoils_only_itself():
    _, m = near(O(1, 3), 4)
    m[1] = 0
    p = project(O(1, 3), m)
    assert bool(p[[0, 2, 3]].isfinite().all())
    assert not bool(p[1].isfinite().all())
    assert bool(polar(torch.zeros(2, 3, 3)).isfinite().all())


def test_refusals():
    with pytest.raises(ArgumentError, match="group of matrices"):
        project(Dihedral(3), torch.eye(2))
    with pytest.raises(ArgumentError, match="steps"):
        project(O(1, 3), torch.eye(4), steps=0)
    with pytest.raises(ArgumentError, match="matrices"):
        project(O(3), torch.eye(2))
    with pytest.raises(UnsupportedError):
        project(MatrixGroup(algebra=torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])), torch.eye(2))
    with pytest.raises(UnsupportedError):
        project(SO(2, axis="z"), torch.eye(3))
    assert project(special_unitary(), torch.eye(4, dtype=F64)).shape == (4, 4)
