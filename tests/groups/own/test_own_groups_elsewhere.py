"""What takes groups takes somebody's own class of the same elements as one of the library's."""

import pytest
import torch
from own_groups import F64, Heisenberg, Permutations, RigidMotions, Rotations

from erlangen.errors import ArgumentError
from erlangen.groups import SE, SO, AffineGroup, Cyclic, MatrixGroup, O, Torus
from erlangen.groups.forms import bilinear_forms, commutant
from erlangen.groups.project import project

OWN_TORUS = MatrixGroup(algebra=Torus(2).algebra.basis)


class Shifts(Permutations):
    """The cyclic shifts of n points."""

    def __init__(self, n):
        super().__init__(n)
        self.order, self.name = n, f"own C_{n}"

    def elements(self):
        return (torch.arange(self.n)[:, None] + torch.arange(self.n)) % self.n

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return self.elements()[torch.randint(self.n, batch, generator=generator)]


def test_floor_one():
    assert AffineGroup(Rotations(3)) == SE(3)
    with pytest.raises(ArgumentError, match="linear_group"):
        AffineGroup(Heisenberg(3))
    m = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert torch.equal(project(Rotations(3), m), project(SO(3), m))
    assert torch.equal(bilinear_forms(Rotations(3)), torch.eye(3, dtype=F64)[None])
    assert len(commutant(Rotations(2))) == 2


def test_self_supervision():
    from erlangen.discover.essl.targets import target_of
    from erlangen.discover.essl.transforms import GridShifts, turns

    own, ours, x = Shifts(4), Cyclic(4), torch.randn(2, 4, 4)
    g, h = own.elements()[1], own.elements()[3]
    assert torch.equal(GridShifts(own * own).act((g, h), x), GridShifts(ours * ours).act((g, h), x))
    assert torch.equal(turns(own).act(g, x), turns(ours).act(g, x))
    assert turns(Rotations(2)).space == turns(SO(2)).space
    angles = torch.tensor([0.3, -2.0], dtype=F64)
    assert torch.allclose(
        target_of(OWN_TORUS).of(Torus(2).element(angles)), torch.stack([angles.cos(), angles.sin()], -1).flatten()
    )
    moved = [GridShifts(group).act(Torus(2).element(angles), x.double()) for group in (OWN_TORUS, Torus(2))]
    assert torch.equal(*moved)


def test_latent_actions():
    from erlangen.discover.nft.latent import LatentAction

    assert LatentAction(Rotations(3).vector).kind == "space"
    latent = LatentAction(OWN_TORUS.vector)
    g = Torus(2).element(torch.tensor([0.3, -2.0], dtype=F64))
    before = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = latent.identify(torch.stack([before, before @ g.mT]))
    assert torch.allclose(found, g, atol=1e-12)


def test_measures():
    from erlangen.measure.gwl import GWL, kchain
    from erlangen.measure.hardness.cos_relu import CosReLU
    from erlangen.measure.hardness.sparse_invariant import SparseInvariant

    for own, ours in ((Rotations(3), SO(3)), (Rotations(3, reflections=True), O(3))):
        assert str(GWL(own).compare(*kchain(3))) == str(GWL(ours).compare(*kchain(3)))
    assert CosReLU(4, 4, Shifts(4)) == CosReLU(4, 4, Cyclic(4))
    assert SparseInvariant(5, 2, Rotations(3, reflections=True)) == SparseInvariant(5, 2, O(3))


def test_fits():
    from erlangen.fitting.choice import choose
    from erlangen.fitting.store import group_from_dict, group_to_dict

    for own, ours in ((Rotations(3), SO(3)), (RigidMotions(), SE(3))):
        assert group_from_dict(group_to_dict(own)) == ours
    assert "moves points" in choose(RigidMotions(), None, True).reason
