"""Symmetries of meshes: found, given, their action; symmetric solutions; loads that break them (acceptance 7)."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import solids
from erlangen.testing import check_action

MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))


def arch() -> solids.TetMesh:
    """A thick arch, mirror symmetric about x = 0, standing on two feet."""
    half = solids.box((0.1, 0.02, 0.02), (8, 2, 2))
    x = half.vertices
    angle = (torch.pi / 2) * x[:, 0] / 0.1
    radius = 0.06 + x[:, 2]
    bent = torch.stack([radius * torch.sin(angle), x[:, 1], radius * torch.cos(angle)], 1)
    return solids.mirrored(half.moved(bent))


def standing_square() -> solids.TetMesh:
    """Four mirror images of a quarter column."""
    quarter = solids.box((0.01, 0.01, 0.1), (1, 1, 6))
    return solids.mirrored(solids.mirrored(quarter), (0.0, 1.0, 0.0))


def test_symmetries_are_found_and_obey_the_laws_of_an_action():
    found = solids.MeshSymmetry.detect(standing_square())
    # Two mirrors, and the exchange of x and y that Kuhn's cells have.
    assert found.order == 8
    check_action(found.fields)
    given = solids.MeshSymmetry(arch(), MIRROR[None])
    assert given.order == 2
    check_action(given.fields)
    assert solids.MeshSymmetry.detect(solids.box((1.0, 2.0, 3.0), (1, 2, 3))).order == 2  # the inversion of Kuhn's cells


def test_matrices_that_are_no_symmetries_are_refused():
    with pytest.raises(ArgumentError, match="'matrices'.*vertex"):
        solids.MeshSymmetry(solids.beam(0.1, 0.02, (4, 1)), MIRROR[None][:, [1, 0, 2]])
    with pytest.raises(ArgumentError, match="'matrices'.*cut otherwise"):
        solids.MeshSymmetry(solids.box((1.0, 1.0, 1.0), (2, 2, 2)), MIRROR[None])
    with pytest.raises(ArgumentError, match="'matrices'.*orthogonal"):
        solids.MeshSymmetry(arch(), 2 * MIRROR[None])


def test_solutions_of_symmetric_bodies_are_symmetric_and_smaller_systems_give_the_same():
    mesh, material = arch(), solids.NeoHookean(E=2e5)
    symmetry = solids.MeshSymmetry(mesh, MIRROR[None])
    full = solids.rest_shape(mesh, material)
    less = solids.rest_shape(mesh, material, symmetry=symmetry)
    assert full.status == less.status == "stable"
    assert less.system.n_unknowns < 0.56 * full.system.n_unknowns
    image = symmetry.fields.act(MIRROR, full.change)
    assert float((image - full.change).abs().max()) < 1e-10
    assert float((less.mesh.vertices - full.mesh.vertices).abs().max()) < 1e-9
    forward = solids.solve_static(mesh, material)
    reduced = solids.solve_static(mesh, material, symmetry=symmetry)
    assert float((forward.mesh.vertices - reduced.mesh.vertices).abs().max()) < 1e-9


def test_the_basis_is_orthonormal_and_invariant_for_larger_groups_too():
    mesh = standing_square()
    symmetry = solids.MeshSymmetry.detect(mesh)
    free = torch.ones(mesh.n_vertices, dtype=torch.bool)
    Q = symmetry.invariant_basis(free)
    eye = (Q.T @ Q).toarray()
    assert abs(eye - torch.eye(len(eye)).numpy()).max() < 1e-12
    fields = torch.from_numpy(Q.T.toarray()).view(-1, mesh.n_vertices, 3)
    for g in symmetry.matrices:
        torch.testing.assert_close(symmetry.fields.act(g, fields), fields, rtol=0, atol=1e-12)
    # As many as the average character says.
    stays = (symmetry.images == torch.arange(mesh.n_vertices)).sum(1)
    trace = stays * symmetry.matrices.diagonal(dim1=1, dim2=2).sum(1)
    assert len(fields) == round(float(trace.mean()))


def test_a_load_across_the_mirror_is_refused_and_a_free_solution_is_not_symmetric():
    mesh = arch()
    symmetry = solids.MeshSymmetry(mesh, MIRROR[None])
    wind = solids.Loads(gravity=(1.0, 0.0, -9.8))
    with pytest.raises(ArgumentError, match="load not invariant"):
        solids.rest_shape(mesh, solids.NeoHookean(E=2e5), wind, symmetry=symmetry)
    with pytest.raises(ArgumentError, match="supports"):
        solids.solve_static(mesh, fixed=torch.arange(20), symmetry=symmetry)
    E = torch.linspace(1e5, 2e5, len(mesh), dtype=torch.float64)
    with pytest.raises(ArgumentError, match="material"):
        solids.solve_static(mesh, solids.NeoHookean(E=E), symmetry=symmetry)
    uneven = solids.Loads(potential=lambda x: 1e-3 * x[:, 0])
    with pytest.raises(ArgumentError, match="potential"):
        solids.solve_static(mesh, loads=uneven, symmetry=symmetry)


def test_gravity_leaves_of_a_symmetric_body_what_keeps_the_vertical():
    cube = solids.mirrored(solids.mirrored(solids.box((0.05, 0.05, 0.1), (1, 1, 2), (0.0, 0.0, -0.05))), (0.0, 1.0, 0.0))
    everything = solids.MeshSymmetry.detect(cube)
    found = solids.solve_static(cube, solids.NeoHookean(E=1e6))
    left = found.stability.symmetry
    assert left.order <= everything.order
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    for g in left.matrices:
        torch.testing.assert_close(g @ up, up, rtol=0, atol=1e-12)
    shares = found.stability.shares()
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-9)


def test_projectors_take_fields_apart():
    symmetry = solids.MeshSymmetry.detect(standing_square())
    u = torch.randn(symmetry.mesh.n_vertices, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    parts = {name: symmetry.project(name, u) for name, *_ in symmetry.characters}
    torch.testing.assert_close(sum(parts.values()), u, rtol=0, atol=1e-12)
    for name, part in parts.items():
        torch.testing.assert_close(symmetry.project(name, part), part, rtol=0, atol=1e-12)
    assert set(symmetry.shares(parts["symmetric"])) == set(parts)
    with pytest.raises(ArgumentError, match="'name'"):
        symmetry.project("odd", u)


def test_refinement_by_scikit_fem_loses_the_mirror_and_mirrored_halves_keep_it():
    skfem = pytest.importorskip("skfem")
    half = solids.box((0.1, 0.1, 0.1), (1, 1, 1), (0.0, -0.05, 0.0))
    coarse = solids.mirrored(half)
    fine = skfem.MeshTet(coarse.vertices.numpy().T.copy(), coarse.tets.numpy().T.copy()).refined(2)
    theirs = solids.TetMesh(fine.p.T, fine.t.T)
    assert solids.MeshSymmetry.detect(theirs).order == 1  # its vertices are symmetric, its tetrahedra are not: skfem 12
    ours = solids.mirrored(solids.box((0.1, 0.1, 0.1), (4, 4, 4), (0.0, -0.05, 0.0)))

    def mirror_error(mesh):
        u = solids.solve_static(mesh, solids.NeoHookean(E=1e5), stability=False).displacement
        at = torch.cdist(mesh.vertices @ MIRROR, mesh.vertices).argmin(1)
        return float((u[at] @ MIRROR - u).abs().max() / u.abs().max())

    assert mirror_error(theirs) > 0.01
    assert mirror_error(ours) < 1e-10
