"""Forms, commutants and orbit invariants: the table of dimensions, invariance, and which group they describe."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.groups import (
    SL,
    SO,
    Cyclic,
    GLplus,
    Isometries,
    LieAlgebra,
    MatrixGroup,
    O,
    Scalings,
    Sp,
    bilinear_forms,
    commutant,
    invariants_of,
    orbit_invariants,
    so_basis,
)
from erlangen.groups.forms import centralizer, invariant_tensors, is_special
from erlangen.groups.symplectic import symplectic_form

F64 = torch.float64


def unitary(m):
    """U(m) on R^2m: the rotations that commute with the complex structure."""
    inside = LieAlgebra(centralizer(symplectic_form(m)[None]))
    skew = 0.5 * (inside.basis - inside.basis.mT)
    return MatrixGroup(algebra=LieAlgebra.spanned_by(skew), name=f"U({m})")


def special_unitary():
    """SU(2) on R^4: unit quaternions by multiplication from the left."""
    i = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
    j = torch.tensor([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
    return MatrixGroup(algebra=torch.stack([i, j, i @ j]), name="SU(2)")


TABLE = [
    (SO(2), 2), (O(2), 1), (SO(3), 1), (SO(4), 1), (SO(5), 1), (O(3), 1), (O(4), 1), (O(5), 1), (O(1, 3), 1), (SO(1, 3), 1),
    (SO(1, 3, connected=True), 1), (Sp(4), 1), (Sp(4, ordering="interleaved"), 1), (SL(2), 1), (SL(3), 0), (GLplus(2), 0),
    (GLplus(3), 0), (unitary(2), 2), (special_unitary(), 4),
]  # fmt: skip


@pytest.mark.parametrize(("group", "dimension"), TABLE, ids=lambda v: str(v))
def test_dimensions_of_the_space_of_forms(group, dimension):
    forms = bilinear_forms(group)
    assert len(forms) == dimension
    g = group.sample(50, dtype=F64)
    for form in forms:
        assert ((g.mT @ form @ g - form).abs().amax() / g.abs().amax() ** 2) < 1e-9


@pytest.mark.parametrize("group", [O(3), O(1, 3), Sp(4), Sp(6, ordering="interleaved"), SO(2, 2)], ids=str)
def test_the_only_form_is_the_groups_own(group):
    assert torch.equal(bilinear_forms(group)[0], group.form)


def test_discrete_generators_count():
    # Reflections of the axes alone: every diagonal form; with a quarter turn, the multiples of the identity and of the area.
    flips = MatrixGroup(generators=[torch.diag(torch.tensor([-1.0, 1.0])), torch.diag(torch.tensor([1.0, -1.0]))])
    quarter = MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    assert len(bilinear_forms(flips)) == 2
    assert len(bilinear_forms(quarter)) == 2
    shear = MatrixGroup(generators=[torch.tensor([[1.0, 1.0], [0.0, 1.0]])])
    for form in bilinear_forms(shear):
        assert torch.allclose(shear.generators[0].T @ form @ shear.generators[0], form, atol=1e-12)


@pytest.mark.parametrize(
    ("group", "count"),
    [(SO(2), 2), (O(2), 1), (SO(3), 1), (unitary(2), 2), (special_unitary(), 4), (SL(3), 1), (Scalings(2), 4)],
    ids=str,
)
def test_commutants(group, count):
    found = commutant(group)
    assert len(found) == count
    assert torch.equal(found[0], torch.eye(group.n, dtype=F64))
    g = group.sample(20, dtype=F64)
    assert ((g[:, None] @ found - found @ g[:, None]).abs().amax() / g.abs().amax()) < 1e-9


@pytest.mark.parametrize(
    "group", [group for group, _ in TABLE] + [SO(2, axis="z"), Isometries(torch.tensor([[2.0, 1.0], [1.0, -1.0]]))], ids=str
)
def test_invariants_do_not_change_and_are_those_of_the_identity_on_the_group(group):
    rng = torch.Generator().manual_seed(0)
    g = group.sample(100, generator=rng, dtype=F64)
    m = torch.randn(100, group.n, group.n, generator=rng, dtype=F64)
    here, moved = invariants_of(group, m), invariants_of(group, g @ m)
    scale = (g.flatten(1).norm(dim=1) * m.flatten(1).norm(dim=1))[:, None] ** 2 + 1
    assert bool(((moved - here).abs() <= 1e-9 * scale).all())
    members = invariants_of(group, g)
    identity = invariants_of(group, torch.eye(group.n, dtype=F64))
    assert bool(((members - identity).abs() <= 1e-9 * g.flatten(1).norm(dim=1)[:, None] ** 4).all())


def test_which_group_the_invariants_describe():
    for group in (SO(2), SO(3), O(1, 3), Sp(4), SL(3), unitary(2), special_unitary(), GLplus(2), SO(2, axis="z")):
        assert orbit_invariants(group).excess == 0
    # A shear: forms and the area do not tell it from others, the fixed covector does.
    shear = MatrixGroup(algebra=torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]))
    assert orbit_invariants(shear).excess == 0
    # Dilations have no polynomial invariants at all.
    assert orbit_invariants(Scalings(2)).excess == 3
    assert invariants_of(GLplus(2), torch.eye(2)).shape == (0,)


def test_tensors_of_higher_degree():
    (epsilon,) = invariant_tensors(SO(3), 3)
    assert abs(float(epsilon[0, 1, 2])) == pytest.approx(6**-0.5)
    assert torch.allclose(epsilon, -epsilon.transpose(0, 1))
    assert len(invariant_tensors(O(3), 3)) == 0
    assert len(invariant_tensors(O(2), 4)) == 3
    g, m = SO(3).sample(dtype=F64), torch.randn(3, 3, dtype=F64)
    moved, here = (torch.einsum("ijk,ia,jb,kc->abc", epsilon, *[a] * 3) for a in (g @ m, m))
    assert torch.allclose(moved, here)


def test_determinants():
    assert [is_special(g) for g in (SO(3), O(3), SL(2), Sp(4), GLplus(2), O(1, 3))] == [True, False, True, True, False, False]
    # The area is a form of the plane already, and the symplectic form fixes the volume.
    assert [orbit_invariants(g).with_det for g in (SO(2), SO(3), Sp(4), SL(3))] == [False, True, False, True]
    assert so_basis(3).shape[0] == orbit_invariants(SO(3)).group.dim


def test_refusals():
    with pytest.raises(ArgumentError, match="group of matrices"):
        bilinear_forms(Cyclic(4))
    with pytest.raises(ArgumentError, match="matrices"):
        invariants_of(SO(3), torch.randn(2, 2))
    with pytest.raises(ArgumentError, match="degree"):
        invariant_tensors(SO(3), 0)
