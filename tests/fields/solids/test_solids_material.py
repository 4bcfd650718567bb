"""Materials and elements: closed forms against autograd, invariance, what moves rest vertices (acceptance 1)."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.solids import (
    CorotatedLinear,
    CustomMaterial,
    Loads,
    Material,
    NeoHookean,
    StVenantKirchhoff,
    TetMesh,
    box,
    supports,
    traction,
)
from erlangen.fields.solids.assembly import Elements, Pattern, positive_part
from erlangen.fields.solids.loads import as_supports
from erlangen.groups import SO

KINDS = (NeoHookean, StVenantKirchhoff, CorotatedLinear)


def gradients(count: int = 40, size: float = 0.3) -> torch.Tensor:
    noise = torch.randn(count, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.eye(3, dtype=torch.float64) + size * noise


@pytest.mark.parametrize("kind", KINDS)
def test_stress_and_tangent_are_the_energy_s_derivatives(kind):
    F = gradients()
    E = torch.linspace(0.5, 2.0, len(F), dtype=torch.float64)
    material = kind(E=E, nu=0.3)
    torch.testing.assert_close(material.stress(F), Material.stress(material, F), rtol=0, atol=1e-10)
    tangent = material.tangent(F)
    torch.testing.assert_close(tangent, Material.tangent(material, F), rtol=0, atol=1e-10)
    torch.testing.assert_close(tangent, tangent.mT, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_rest_is_free_of_stress_and_turning_costs_nothing(kind):
    material = kind(E=1.0, nu=0.4)
    rest = torch.eye(3, dtype=torch.float64)[None]
    assert float(material.energy(rest).abs()) < 1e-14
    assert float(material.stress(rest).abs().max()) < 1e-14
    F = gradients()
    R = SO(3).sample(len(F), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(material.energy(R @ F), material.energy(F), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(material.stress(R @ F), R @ material.stress(F), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_small_strains_are_linear_elasticity(kind):
    material = kind(E=3.0, nu=0.2)
    mu, lam = material.lame()
    eye = torch.eye(3, dtype=torch.float64)
    both = torch.einsum("ik,jl->ijkl", eye, eye) + torch.einsum("il,jk->ijkl", eye, eye)
    linear = (mu * both + lam * torch.einsum("ij,kl->ijkl", eye, eye)).reshape(9, 9)
    torch.testing.assert_close(material.tangent(eye[None])[0], linear, rtol=0, atol=1e-12)


def test_a_custom_energy_is_the_closed_form():
    def density(F, mu, lam):
        e = (F.mT @ F - torch.eye(3, dtype=F.dtype)) / 2
        return mu * e.square().sum((1, 2)) + lam / 2 * e.diagonal(dim1=1, dim2=2).sum(1).square()

    F = gradients()
    own, known = CustomMaterial(E=2.0, nu=0.3, density=density), StVenantKirchhoff(E=2.0, nu=0.3)
    torch.testing.assert_close(own.stress(F), known.stress(F), rtol=0, atol=1e-10)
    torch.testing.assert_close(own.tangent(F), known.tangent(F), rtol=0, atol=1e-10)
    with pytest.raises(ArgumentError, match="'density'"):
        CustomMaterial()
    with pytest.raises(ArgumentError, match="'density'"):
        CustomMaterial(density=lambda F, mu, lam: F.sum()).energy(F)


@pytest.mark.parametrize("kind", KINDS)
def test_assembled_derivatives_by_positions_and_by_rest_positions(kind):
    draw = torch.Generator().manual_seed(0)
    mesh = box((1.0, 1.0, 2.0), (2, 1, 2))
    X, x = (mesh.vertices + 0.05 * torch.randn(mesh.vertices.shape, dtype=torch.float64, generator=draw) for _ in range(2))
    material = kind(E=torch.rand(len(mesh), dtype=torch.float64, generator=draw) + 0.5, nu=0.4)
    elements = Elements(X, x, mesh.tets, material)
    pattern = Pattern(mesh.tets, torch.ones(len(X), dtype=torch.bool))

    def told(function, at):
        return torch.autograd.functional.jacobian(function, at).flatten(2).flatten(0, 1)

    force = torch.autograd.functional.jacobian(lambda x: Elements(X, x, mesh.tets, material).energy(), x)
    torch.testing.assert_close(elements.forces(), force, rtol=0, atol=1e-10)
    K = told(lambda x: Elements(X, x, mesh.tets, material).forces(), x)
    torch.testing.assert_close(torch.tensor(pattern.matrix(elements.stiffness()).toarray()), K, rtol=0, atol=1e-10)
    J = told(lambda X: Elements(X, x, mesh.tets, material).forces(), X)
    torch.testing.assert_close(torch.tensor(pattern.matrix(elements.rest_jacobian()).toarray()), J, rtol=0, atol=1e-10)


def test_no_forces_under_rigid_motion():
    mesh = box((1.0, 2.0, 1.0), (2, 2, 2))
    R = SO(3).sample(1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)[0]
    E = 1e6
    moved = Elements(mesh.vertices, mesh.vertices @ R.mT + 3.0, mesh.tets, NeoHookean(E=E))
    assert float(moved.forces().abs().max()) < 1e-10 * E


def test_clamped_stiffness_has_no_negative_curvature_and_leaves_others_alone():
    A = torch.randn(20, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    A = A + A.mT
    A[::2] = A[::2] @ A[::2]
    clamped = positive_part(A)
    assert float(torch.linalg.eigvalsh(clamped).min()) > -1e-10
    assert torch.equal(clamped[::2], A[::2])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"E": -1.0}, "'E'.*-1.0"),
        ({"E": torch.tensor([1.0, 0.0])}, "'E'.*element 1"),
        ({"nu": 0.5}, "'nu'.*0.5"),
        ({"nu": -1.0}, "'nu'"),
        ({"rho": float("nan")}, "'rho'.*nan"),
        ({"E": "soft"}, "'E'.*'soft'"),
        ({"E": torch.ones(2, 2)}, "'E'.*shape"),
    ],
)
def test_parameters_out_of_range(parts, message):
    with pytest.raises(ArgumentError, match=message):
        NeoHookean(**parts)


def test_loads_and_supports_say_what_is_wrong():
    mesh = box((1.0, 1.0, 1.0), (1, 1, 1))
    assert int(supports(mesh).sum()) == 4
    pressure = traction(mesh, 2.0)
    torch.testing.assert_close(pressure.sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-14, rtol=0)
    with pytest.raises(ArgumentError, match="'gravity'.*shape"):
        Loads(gravity=(0.0, 1.0))
    with pytest.raises(ArgumentError, match="'masses'.*at index 1"):
        Loads(masses=torch.tensor([1.0, -1.0]))
    with pytest.raises(ArgumentError, match="'forces'.*8 vertices"):
        Loads(forces=torch.zeros(3, 3)).fits(8)
    for bad, message in (
        ([0, 9], "9 at index 1"),
        ([0, 1], "2 of part 0"),
        (torch.ones(8, dtype=torch.bool), "all fixed"),
        ([], "none"),
    ):
        with pytest.raises(ArgumentError, match=message):
            as_supports(torch.as_tensor(bad, dtype=None if len(bad) else torch.int64), mesh)
    two = TetMesh(torch.cat([mesh.vertices, mesh.vertices + torch.tensor([0.0, 0, 2])]), torch.cat([mesh.tets, mesh.tets + 8]))
    with pytest.raises(ArgumentError, match="'fixed'.*0 of part 1.*first vertex is 8"):
        as_supports(None, two)
