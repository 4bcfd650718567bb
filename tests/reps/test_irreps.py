"""Irreducible representations against known characters, e3nn, and each other."""

import math

import pytest
import torch

from erlangen.groups import SO, Cyclic, Dihedral, O
from erlangen.reps import intertwiners, invariants, isotypic, multiplicity, reynolds_projector, solid_harmonics
from erlangen.reps.finite import cyclic_irreps, dihedral_irreps
from erlangen.testing import check_rep

F64 = torch.float64


@pytest.mark.parametrize("l", range(7))
def test_wigner_matrices_are_representations(l):
    check_rep(SO(3).irrep(l))
    check_rep(O(3).irrep(l, 1))
    check_rep(O(3).irrep(l, -1))


@pytest.mark.parametrize("l", range(8))
def test_agrees_with_e3nn(l):
    o3 = pytest.importorskip("e3nn.o3")
    g = SO(3).sample(5, dtype=F64, generator=torch.Generator().manual_seed(l))
    x = torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(l))
    theirs = o3.spherical_harmonics(l, x, normalize=False, normalization="norm")
    assert torch.allclose(solid_harmonics(l, x), theirs, rtol=1e-12, atol=1e-12)
    default = torch.get_default_dtype()
    torch.set_default_dtype(F64)
    try:
        matrices = o3.Irrep(l, 1).D_from_matrix(g)
    finally:
        torch.set_default_dtype(default)
    assert torch.allclose(SO(3).irrep(l)(g), matrices, atol=1e-10)


def test_harmonics_are_normalised_homogeneous_and_harmonic():
    x = torch.randn(6, 3, dtype=F64)
    for l in range(6):
        y = solid_harmonics(l, x)
        assert torch.allclose(y.square().sum(-1), x.norm(dim=-1) ** (2 * l))
        assert torch.allclose(solid_harmonics(l, 2 * x), 2**l * y)
        hessian = torch.func.vmap(torch.func.hessian(lambda t, l=l: solid_harmonics(l, t)))(x)
        assert hessian.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() < 1e-9


def test_characters_of_rotations():
    angle = torch.linspace(0.1, 3, 7, dtype=F64)
    for l in range(5):
        c, s, o, z = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
        g = torch.stack([torch.stack([c, -s, z], -1), torch.stack([s, c, z], -1), torch.stack([z, z, o], -1)], -2)
        expected = torch.sin((2 * l + 1) * angle / 2) / torch.sin(angle / 2)
        assert torch.allclose(SO(3).irrep(l).character(g), expected)


def test_clebsch_gordan_series():
    """D_j x D_k = D_|j-k| + ... + D_(j+k), each once."""
    G = SO(3)
    product = G.irrep(2) @ G.irrep(1)
    assert [multiplicity(G.irrep(l), product) for l in range(5)] == [0, 1, 1, 1, 0]


def test_parity_tells_vectors_from_axial_vectors():
    G = O(3)
    cross = intertwiners(G.vector @ G.vector, G.irrep(1, 1))
    assert len(cross) == 1  # the cross product of vectors is axial
    assert len(intertwiners(G.vector @ G.vector, G.vector)) == 0
    assert multiplicity(G.irrep(0, -1), G.pseudoscalar) == 1


@pytest.mark.parametrize("n", [3, 4, 5, 6, 8])
def test_finite_irreps_are_complete_and_orthogonal(n):
    for group, irreps in ((Cyclic(n), cyclic_irreps(Cyclic(n))), (Dihedral(n), dihedral_irreps(Dihedral(n)))):
        every = group.elements()
        table = torch.stack([rep.character(every).double() for rep in irreps])
        gram = table @ table.T / group.order
        kinds = torch.tensor([float(len(intertwiners(rep, rep))) for rep in irreps], dtype=F64)
        assert torch.allclose(gram, torch.diag(kinds), atol=1e-12)
        # The regular representation holds each irrep dim/kind times, which adds up to the order.
        assert sum(rep.dim**2 / float(kind) for rep, kind in zip(irreps, kinds)) == group.order
        for rep in irreps:
            check_rep(rep)
            assert multiplicity(rep, group.regular) == rep.dim / float(kinds[irreps.index(rep)])


def test_isotypic_projectors_resolve_the_identity():
    G = Dihedral(6)
    V = G.regular
    projectors = [isotypic(irrep, V) for irrep in dihedral_irreps(G)]
    assert torch.allclose(sum(projectors), torch.eye(V.dim, dtype=F64), atol=1e-12)
    for p in projectors:
        assert torch.allclose(p @ p, p, atol=1e-12)
    H = SO(3)
    W = H.vector**2
    parts = [isotypic(H.irrep(l), W) for l in range(3)]
    assert [round(float(p.trace())) for p in parts] == [1, 3, 5]
    assert torch.allclose(sum(parts), torch.eye(9, dtype=F64), atol=1e-10)


def test_invariants_are_the_known_tensors():
    metric = invariants(SO(3).tensor(2))[:, 0].reshape(3, 3)
    assert torch.allclose(metric / metric[0, 0], torch.eye(3, dtype=F64))
    assert invariants(SO(3).tensor(3)).shape[1] == 1  # the volume form
    assert invariants(SO(3).tensor(4)).shape[1] == 3
    assert invariants(O(3).tensor(3)).shape[1] == 0
    minkowski = invariants(SO(1, 3).vector.dual @ SO(1, 3).vector.dual)[:, 0].reshape(4, 4)
    assert torch.allclose(minkowski / minkowski[0, 0], torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=F64)), atol=1e-9)


def test_reynolds_projector_is_the_average():
    V = Dihedral(5).vector ** 2
    p = reynolds_projector(V)
    assert torch.allclose(p @ p, p)
    assert round(float(p.trace())) == invariants(V).shape[1]
    W = SO(3).vector ** 2
    sampled = W.matrix(SO(3).sample(200_000, dtype=F64, generator=torch.Generator().manual_seed(0))).mean(0)
    assert (sampled - reynolds_projector(W)).abs().max() < 5 / math.sqrt(200_000)
