"""Equilibrium and rest shapes against closed forms, tables of the source and an independent solver (acceptance 2 to 5 and 10)."""

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import solids


def cantilever(cells=(20, 4)):
    mesh = solids.beam(0.1, 0.02, cells)
    return mesh, mesh.vertices[:, 0] == 0


# ---- the column ----


def test_a_hanging_weight_lengthens_the_rest_column_as_the_closed_form_says():
    column = solids.column(0.2, 0.02, (4, 40))
    rest = solids.rest_shape(column, solids.NeoHookean(E=3e5, nu=0.0), stability=False)
    top = column.vertices[:, 2] == 0.2
    excess = float(rest.change[top, 2].mean())
    assert excess == pytest.approx(1000 * 9.8 * 0.2**2 / (2 * 3e5), rel=0.01)
    assert 1e3 * excess == pytest.approx(0.656, rel=0.01)


def test_a_small_sag_is_that_of_scikit_fem_on_the_same_mesh():
    skfem = pytest.importorskip("skfem")
    from skfem.models.elasticity import lame_parameters, linear_elasticity

    mesh, root = cantilever((10, 2))
    E, nu, rho = 1e9, 0.3, 1000.0
    found = solids.solve_static(mesh, solids.NeoHookean(E=E, nu=nu, rho=rho), fixed=root, stability=False)
    assert found.sag / 0.1 < 1e-4
    # Their own elements; tetrahedra are given in the order that they take.
    theirs = skfem.MeshTet(mesh.vertices.numpy().T.copy(), mesh.tets.numpy().T.copy())
    basis = skfem.Basis(theirs, skfem.ElementVector(skfem.ElementTetP1()))
    K = linear_elasticity(*lame_parameters(E, nu)).assemble(basis)
    pull = skfem.LinearForm(lambda v, _: -9.8 * rho * v[2]).assemble(basis)
    held = basis.nodal_dofs[:, root.numpy()].ravel()
    u = skfem.solve(*skfem.condense(K, pull, D=held))
    told = torch.from_numpy(u[basis.nodal_dofs].T.copy())
    assert float((found.displacement - told).abs().max()) < 1e-3 * float(told.abs().max())


@pytest.mark.parametrize(
    ("cells", "E", "status"), [((4, 40), 2.4e5, "unstable"), ((4, 40), 2.8e5, "stable"), ((2, 20), 2e5, "stable")]
)
def test_greenhill_s_column_buckles_below_its_critical_stiffness(cells, E, status):
    rest = solids.rest_shape(solids.column(0.2, 0.02, cells), solids.NeoHookean(E=E, nu=0.0))
    assert rest.status == status
    assert rest.residual < 1e-9 * 0.2 * 0.02**2 * 1000 * 9.8
    if status == "unstable":
        # The first mode bends to a side; the mesh's only symmetry exchanges x and y.
        assert rest.stability.mode_type == "antisymmetric"
        assert rest.stability.negative == 1
        assert 2.4e5 < rest.stability.critical_E < 2.8e5
        assert "buckles" in rest.report()


@pytest.mark.slow
def test_greenhill_s_load_is_approached_by_finer_columns():
    theory = 1000 * 9.8 * 0.02**2 * 0.2**3 / (7.8373 * 0.02**4 / 12)
    assert theory == pytest.approx(3.001e5, rel=1e-3)
    coarse = solids.critical_stiffness(solids.column(0.2, 0.02, (4, 40)), solids.NeoHookean(E=3e5, nu=0.0))
    fine = solids.critical_stiffness(solids.column(0.2, 0.02, (8, 80)), solids.NeoHookean(E=3e5, nu=0.0))
    assert 0 < theory - fine < theory - coarse
    assert fine == pytest.approx(theory, rel=0.06)


# ---- the cantilever ----


@pytest.mark.parametrize(("E", "sag", "change"), [(5e5, 4.585, 4.571), (2e5, 11.454, 11.400), (1e5, 22.68, 22.675)])
def test_the_table_of_the_cantilever(E, sag, change):
    mesh, root = cantilever()
    material = solids.NeoHookean(E=E, nu=0.45)
    assert 1e3 * solids.solve_static(mesh, material, fixed=root, stability=False).sag == pytest.approx(sag, rel=5e-3)
    rest = solids.rest_shape(mesh, material, fixed=root)
    assert rest.status == "stable"
    assert rest.steps <= 12
    assert 1e3 * float(rest.change.norm(dim=1).max()) == pytest.approx(change, rel=5e-3)
    assert rest.residual < 1e-9 * mesh.volume() * 1000 * 9.8
    assert rest.matching[1] < 1e-8


def test_a_droop_of_nearly_half_the_length_is_cured_and_newton_is_quadratic():
    mesh, root = cantilever()
    rest = solids.rest_shape(mesh, solids.NeoHookean(E=5e4), fixed=root)
    assert 1e3 * float(rest.change.norm(dim=1).max()) == pytest.approx(44.60, rel=5e-3)
    assert rest.status == "stable"
    assert rest.matching[1] < 1e-8
    # In units of the largest residual, the digits double where the basin is reached.
    r = np.array(rest.history)
    fast = r[1:] < 0.1 * r[:-1]
    assert fast[-3:].all()
    scale = float(rest.system.dead(mesh.vertices).abs().max())
    assert any(r[i + 1] / scale <= 30 * (r[i] / scale) ** 2 for i in range(len(r) - 2))


def test_the_weight_of_the_rest_shape_differs_by_its_volume():
    mesh, root = cantilever((10, 2))
    dead = solids.rest_shape(mesh, solids.NeoHookean(E=1e5), fixed=root)
    own = solids.rest_shape(mesh, solids.NeoHookean(E=1e5), fixed=root, mass="rest")
    assert 0 < float((dead.mesh.vertices - own.mesh.vertices).norm(dim=1).max()) < 1e-3
    # The independent check: an ordinary body of that shape, weighed as it is.
    alone = solids.solve_static(own.mesh, solids.NeoHookean(E=1e5), fixed=root)
    assert float((alone.mesh.vertices - mesh.vertices).norm(dim=1).max()) < 1e-8


@pytest.mark.parametrize("material", [solids.StVenantKirchhoff(E=3e5, nu=0.3), solids.CorotatedLinear(E=3e5, nu=0.3)])
def test_other_materials_have_rest_shapes_too(material):
    mesh, root = cantilever((10, 2))
    rest = solids.rest_shape(mesh, material, fixed=root)
    assert rest.status == "stable"
    assert rest.matching[1] < 1e-8


def test_round_trip_from_a_random_rest_shape():
    draw = torch.Generator().manual_seed(0)
    mesh = solids.beam(0.1, 0.02, (8, 2))
    root = mesh.vertices[:, 0] == 0
    a, b = torch.randn(2, 3, 3, dtype=torch.float64, generator=draw)
    smooth = 2e-3 * torch.sin(30 * mesh.vertices @ a) @ b * (mesh.vertices[:, :1] / 0.1)
    bent = mesh.moved(mesh.vertices + smooth)
    E = torch.linspace(2e5, 6e5, len(mesh), dtype=torch.float64)
    for material in (solids.NeoHookean(E=2e5), solids.NeoHookean(E=E)):
        x = solids.solve_static(bent, material, fixed=root, stability=False).mesh
        rest = solids.rest_shape(x, material, fixed=root, mass="rest", stability=False)
        assert float((rest.mesh.vertices - bent.vertices).abs().max()) < 1e-7 * 0.1


def test_forces_and_potentials_balance():
    mesh, root = cantilever((8, 2))
    tip = mesh.vertices[:, 0] == 0.1
    still = solids.Loads(gravity=(0.0, 0.0, 0.0), forces=solids.traction(mesh, (0.0, 0.0, 50.0), tip))
    spring = solids.Loads(potential=lambda x: 0.5 * x[:, 2].square())
    for loads in (still, spring):
        found = solids.solve_static(mesh, solids.NeoHookean(E=1e6), loads, root)
        assert found.status == "stable"
        rest = solids.rest_shape(mesh, solids.NeoHookean(E=1e6), loads, root)
        assert rest.matching[1] < 1e-8
    assert float(solids.solve_static(mesh, solids.NeoHookean(E=1e6), still, root).displacement[tip, 2].min()) > 0


def test_a_column_that_is_too_slender_leaves_its_balance_and_comes_to_rest():
    half = solids.box((0.01, 0.02, 0.2), (1, 2, 12), (0.0, -0.01, 0.0))
    rest = solids.rest_shape(solids.mirrored(half), solids.NeoHookean(E=1.2e5, nu=0.0))
    assert rest.status == "unstable"
    gone = rest.settle()
    assert gone.status == "stable"
    assert gone.lambda_min > 0
    assert rest.matching[1] > 0.01


# ---- the other routes ----


def test_the_plastic_route_comes_nearer_with_every_step_and_ends_stably():
    mesh, root = cantilever((8, 2))
    rest = solids.rest_shape(mesh, solids.NeoHookean(E=2e5), fixed=root, method="plastic", max_steps=15)
    assert rest.status == "stable"
    assert rest.lambda_min > 0
    assert all(b < a for a, b in zip(rest.history, rest.history[1:]))
    assert rest.history[-1] < 1e-2 * rest.history[0]
    assert rest.matching[1] == pytest.approx(float((rest.equilibrium.vertices - mesh.vertices).norm(dim=1).max()), rel=1e-4)


def test_naive_and_fixed_point_are_what_they_say():
    mesh, root = cantilever((8, 2))
    material = solids.NeoHookean(E=2e5)
    naive = solids.rest_shape(mesh, material, fixed=root, method="naive")
    assert torch.equal(naive.mesh.vertices, mesh.vertices)
    assert naive.matching[1] == pytest.approx(solids.solve_static(mesh, material, fixed=root).sag)
    again = solids.rest_shape(mesh, material, fixed=root, method="fixed point")
    direct = solids.rest_shape(mesh, material, fixed=root)
    torch.testing.assert_close(again.mesh.vertices, direct.mesh.vertices, rtol=0, atol=1e-8)


# ---- stress ----


def test_stress_of_a_pulled_bar():
    bar = solids.box((1.0, 1.0, 4.0), (2, 2, 8))
    material = solids.NeoHookean(E=1e6, nu=0.0)
    top = bar.vertices[:, 2] == 4
    pull = solids.Loads(gravity=(0.0, 0.0, 0.0), forces=solids.traction(bar, (0.0, 0.0, 1000.0), top))
    found = solids.solve_static(bar, material, pull)
    assert solids.mean_stress(found) == pytest.approx(1000.0, rel=1e-2)
    assert not bool(solids.fractured(found, 2000.0).any())
    assert bool(solids.fractured(found, 900.0).all())
    ball = torch.eye(3, dtype=torch.float64)[None] * 7
    assert float(solids.von_mises(ball)) == 0.0
    with pytest.raises(ArgumentError, match="'strength'"):
        solids.fractured(found, -1.0)


def test_arguments_that_do_not_fit():
    mesh, root = cantilever((4, 1))
    for call, message in (
        (lambda: solids.rest_shape(mesh, method="magic", fixed=root), "'method'.*'magic'"),
        (lambda: solids.rest_shape(mesh, mass="none", fixed=root), "'mass'"),
        (lambda: solids.rest_shape("horse"), "'target'"),
        (lambda: solids.solve_static(mesh, "steel", fixed=root), "'material'.*'steel'"),
        (lambda: solids.solve_static(mesh, solids.NeoHookean(E=torch.ones(3)), fixed=root), "'E'.*24 elements"),
        (lambda: solids.solve_static(mesh, fixed=root, start=mesh.vertices[:3]), "'start'"),
        (lambda: solids.solve_static(mesh, fixed=root, loads=3), "'loads'"),
        (lambda: solids.solve_static(mesh, fixed=root, loads=solids.Loads(potential=lambda x: x.sum())), "'potential'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
