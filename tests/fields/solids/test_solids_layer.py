"""Equilibrium as a layer: gradients against finite differences and gradcheck; fitted materials (acceptance 6)."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import solids


def small():
    mesh = solids.beam(0.1, 0.02, (4, 1))
    return mesh, mesh.vertices[:, 0] == 0


def test_gradients_by_modulus_density_and_rest_positions_are_those_of_differences():
    mesh, root = small()
    weights = torch.randn(mesh.vertices.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def told(X, E, rho):
        return (weights * solids.equilibrium(X, E, tets=mesh.tets, fixed=root, rho=rho)).sum()

    X, E, rho = (torch.as_tensor(v, dtype=torch.float64).clone().requires_grad_() for v in (mesh.vertices, 2e5, 1000.0))
    gX, gE, grho = torch.autograd.grad(told(X, E, rho), (X, E, rho))
    with torch.no_grad():
        assert float(gE) == pytest.approx(float(told(X, E + 20, rho) - told(X, E - 20, rho)) / 40, rel=1e-5)
        assert float(grho) == pytest.approx(float(told(X, E, rho + 0.1) - told(X, E, rho - 0.1)) / 0.2, rel=1e-5)
        for k in torch.randperm(X.numel(), generator=torch.Generator().manual_seed(1))[:10].tolist():
            nudge = torch.zeros(X.numel(), dtype=torch.float64)
            nudge[k] = 1e-6
            nudge = nudge.view_as(X)
            assert float(gX.flatten()[k]) == pytest.approx(
                float(told(X + nudge, E, rho) - told(X - nudge, E, rho)) / 2e-6, rel=1e-5, abs=1e-8
            )


def test_gradcheck_of_everything_in_units_of_order_one():
    mesh = solids.box((1.0, 1.0, 2.0), (1, 1, 1))
    draw = torch.Generator().manual_seed(0)
    E = (1 + torch.rand(len(mesh), dtype=torch.float64, generator=draw)).requires_grad_()
    nu = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    rho = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    gravity = torch.tensor([0.1, 0.0, -1.0], dtype=torch.float64, requires_grad=True)
    forces = (0.01 * torch.randn(8, 3, dtype=torch.float64, generator=draw)).requires_grad_()
    X = mesh.vertices.clone().requires_grad_()

    def layer(X, E, nu, rho, gravity, forces):
        return solids.equilibrium(
            X, E, solids.Loads(gravity=gravity, forces=forces), tets=mesh.tets, nu=nu, rho=rho, tolerance=1e-14
        )

    assert torch.autograd.gradcheck(layer, (X, E, nu, rho, gravity, forces), eps=1e-6, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", [solids.StVenantKirchhoff, solids.CorotatedLinear])
def test_gradcheck_of_other_materials_by_modulus(kind):
    mesh = solids.box((1.0, 1.0, 2.0), (1, 1, 1))
    E = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda E: solids.equilibrium(mesh.vertices, E, tets=mesh.tets, nu=0.3, rho=0.01, material=kind(), tolerance=1e-14),
        (E,),
        atol=1e-6,
    )


def test_moduli_of_two_parts_are_found_from_a_picture():
    mesh, root = small()
    parts = (mesh.vertices[mesh.tets].mean(1)[:, 0] > 0.05).long()
    true = torch.tensor([6e5, 2e5], dtype=torch.float64)
    seen = solids.solve_static(mesh, solids.NeoHookean(E=true[parts]), fixed=root).mesh.vertices
    found = solids.fit_material(mesh, seen, solids.NeoHookean(E=4e5), fixed=root, parts=parts)
    torch.testing.assert_close(found.material.E, true[parts], rtol=1e-4, atol=0)
    assert found.distance < 1e-7
    assert found.converged


def test_what_the_layer_refuses():
    mesh, root = small()
    with pytest.raises(ArgumentError, match="'X'.*float32"):
        solids.equilibrium(mesh.vertices.float(), 1e5, tets=mesh.tets, fixed=root)
    with pytest.raises(ArgumentError, match="'E'"):
        solids.equilibrium(mesh.vertices, -1.0, tets=mesh.tets, fixed=root)
    with pytest.raises(ArgumentError, match="'seen'"):
        solids.fit_material(mesh, mesh.vertices[:3], fixed=root)
    with pytest.raises(ArgumentError, match="'parts'"):
        solids.fit_material(mesh, mesh.vertices, fixed=root, parts=torch.zeros(2, dtype=torch.int64))
