"""Valid but awkward bodies, supports, loads and materials: right numbers, or a word."""

import itertools
import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import solids
from erlangen.fields.solids import inverse
from erlangen.fields.solids.static import minimise
from erlangen.fields.solids.system import System

F64 = torch.float64
CORNER = [[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.03, 0.03, 0.1]]


def cube(cells=2):
    return solids.box((0.1, 0.1, 0.1), (cells, cells, cells))


def wheel(n: int, layers: int = 4) -> solids.TetMesh:
    """A prism over a regular polygon, all of its n wedges cut alike: its symmetries are the n rotations."""
    angle = 2 * math.pi * np.arange(n) / n
    ring = 0.02 * np.stack([np.cos(angle), np.sin(angle)], 1)
    disc = np.concatenate([np.zeros((1, 2)), ring / 2, ring])
    vertices = np.concatenate([np.column_stack([disc, np.full(len(disc), 0.1 * k / layers)]) for k in range(layers + 1)])
    tets = []
    for k, i in itertools.product(range(layers), range(n)):
        j = (i + 1) % n
        for a, b, c in ((0, 1 + i, 1 + j), (1 + i, 1 + n + i, 1 + n + j), (1 + i, 1 + j, 1 + n + j)):
            a, b, c = (v + k * len(disc) for v in (a, b, c))
            d, e, f = (v + len(disc) for v in (a, b, c))
            tets += [(a, b, c, d), (d, b, c, e), (d, e, c, f)]
    return solids.TetMesh(vertices, tets).check()


# ---- bodies ----


@pytest.mark.parametrize("method", ["direct", "fixed point", "plastic"])
def test_one_tetrahedron(method):
    rest = solids.rest_shape(solids.TetMesh(CORNER, [[0, 1, 2, 3]]), method=method)
    assert rest.status == "stable"
    assert rest.matching[1] < 1e-12
    # One vertex is free: its weight is a quarter of the body's, and the residual compares with that.
    assert rest.residual < 1e-11


def test_a_tetrahedron_given_twice_would_weigh_twice_and_is_refused():
    for again in ([0, 1, 2, 3], [1, 2, 0, 3], [1, 0, 2, 3]):
        with pytest.raises(ArgumentError, match=r"'tets'.*tetrahedron 1 again at tetrahedron 2"):
            solids.TetMesh([*CORNER, [0, 0, -1]], [[0, 1, 2, 4], [0, 1, 2, 3], again])
    with pytest.raises(ArgumentError, match="'vertices'.*real"):
        solids.TetMesh(torch.tensor(CORNER, dtype=torch.complex128), [[0, 1, 2, 3]])


def test_two_bodies_at_once_are_what_each_is_alone_also_where_their_vertices_coincide():
    one = cube()
    alone = solids.rest_shape(one, solids.NeoHookean(E=5e4)).change
    for beside in (0.3, 0.1):
        shift = torch.tensor([beside, 0, 0], dtype=F64)
        both = solids.TetMesh(torch.cat([one.vertices, one.vertices + shift]), torch.cat([one.tets, one.tets + one.n_vertices]))
        rest = solids.rest_shape(both, solids.NeoHookean(E=5e4))
        torch.testing.assert_close(rest.change, torch.cat([alone, alone]), rtol=0, atol=1e-14)


def test_units_scale_and_single_precision_is_taken():
    # Lengths by 1000, moduli by 1000: rho g L / E is the same, and so is the shape.
    small, large = cube(), solids.TetMesh(1000 * cube().vertices.float(), cube().tets.to(torch.int32))
    here, there = (solids.rest_shape(m, solids.NeoHookean(E=E)) for m, E in ((small, 1e4), (large, 1e7)))
    assert here.status == there.status == "stable"
    torch.testing.assert_close(1000 * here.change, there.change, rtol=1e-5, atol=1e-6)
    assert there.lambda_min == pytest.approx(1e6 * here.lambda_min, rel=1e-5)


def test_far_from_the_origin_nothing_changes_but_the_last_digits():
    near = solids.rest_shape(cube(), solids.NeoHookean(E=1e4))
    far = solids.rest_shape(solids.TetMesh(cube().vertices + 1000, cube().tets), solids.NeoHookean(E=1e4))
    assert far.status == "stable"
    torch.testing.assert_close(far.change, near.change, rtol=0, atol=1e-11)
    assert far.matching[1] < 1e-10
    assert far.lambda_min == pytest.approx(near.lambda_min, rel=1e-8)


@pytest.mark.parametrize("thin", [1e-2, 1e-5, 1e-8])
def test_slivers_do_not_stop_the_search(thin):
    mesh = cube(3)
    vertices = mesh.vertices.clone()
    inner = int((vertices - 0.1 / 3).norm(dim=1).argmin())
    vertices[inner, 0] += (1 - thin) * 0.1 / 3
    mesh = solids.TetMesh(vertices, mesh.tets)
    assert float(mesh.volumes().min()) < 2 * thin * (0.1 / 3) ** 3 / 6
    rest = solids.rest_shape(mesh, solids.NeoHookean(E=2e4))
    assert rest.status == "stable"
    assert rest.matching[1] < 1e-8


@pytest.mark.parametrize("kind", [solids.NeoHookean, solids.StVenantKirchhoff, solids.CorotatedLinear])
@pytest.mark.parametrize("nu", [0.0, 0.49, -0.5])
def test_all_ratios_of_poisson_hanging_and_standing(kind, nu):
    mesh = cube()
    for fixed in (None, mesh.vertices[:, 2] == 0.1):
        rest = solids.rest_shape(mesh, kind(E=1e4, nu=nu), fixed=fixed)
        assert rest.status == "stable"
        assert rest.matching[1] < 1e-8
        # What stands is made taller, what hangs shorter.
        far = mesh.vertices[:, 2] == (0.1 if fixed is None else 0.0)
        assert float(rest.change[far, 2].mean()) > 0


def test_moduli_that_span_a_million():
    mesh = cube()
    E = 10 ** torch.linspace(4, 10, len(mesh), dtype=F64)[torch.randperm(len(mesh), generator=torch.Generator().manual_seed(0))]
    rest = solids.rest_shape(mesh, solids.NeoHookean(E=E))
    assert rest.status == "stable"
    assert rest.matching[1] < 1e-10
    assert rest.residual < 1e-7 * mesh.volume() * 9800


# ---- supports ----


def test_supports_in_all_the_forms_that_people_write():
    mesh = cube()
    mask = mesh.vertices[:, 2] == 0
    at = mask.nonzero()[:, 0]
    forms = (
        mask,
        mask.numpy(),
        mask.tolist(),
        at,
        at.numpy(),
        at.tolist(),
        at.int(),
        tuple(at.tolist()),
        torch.cat([at, at]),
        range(0, 27, 3),
    )
    for form in forms:
        assert torch.equal(System(mesh, fixed=form).fixed, mask)
    for bad, message in (
        (mask.to(torch.uint8), "noughts and ones"),
        (mask.long(), "noughts and ones"),
        ([], "none"),
        (~torch.ones_like(mask), "none"),
        (torch.ones_like(mask), "all fixed"),
        ("bottom", "'bottom'"),
        ({0, 3, 9}, "indices"),
        ([0.0, 3.0, 9.0], "float"),
        (True, "shape"),
        ([-1, 0, 3], "-1 at index 0"),
        ([0, 3, 6], "not on a line"),
    ):
        with pytest.raises(ArgumentError, match=f"'fixed'.*{message}"):
            solids.rest_shape(mesh, fixed=bad)


# ---- loads ----


def test_tractions_on_tilted_faces_and_selections_that_load_nothing():
    R = torch.linalg.matrix_exp(torch.tensor([[0, 0.3, -0.2], [-0.3, 0, 0.5], [0.2, -0.5, 0]], dtype=F64))
    body = solids.box((1.0, 2.0, 3.0), (2, 3, 2))
    top = body.vertices[:, 2] == 3
    tilted = solids.TetMesh(body.vertices @ R.T, body.tets)
    pull = torch.tensor([1.0, 2.0, 3.0], dtype=F64)
    torch.testing.assert_close(solids.traction(tilted, pull, top).sum(0), 2 * pull)
    torch.testing.assert_close(solids.traction(tilted, 5.0, top).sum(0), -10 * R[:, 2])
    # A mask of integers would be the vertices 0 and 1, which have no triangle: nothing would be loaded, without a word.
    for where, message in ((top.long(), "noughts and ones"), ([0], "nothing would be loaded"), ("top", "'top'")):
        with pytest.raises(ArgumentError, match=f"'where'.*{message}"):
            solids.traction(tilted, pull, where)
    with pytest.raises(ArgumentError, match="'force'.*'x'"):
        solids.traction(tilted, "x", top)


@pytest.mark.parametrize("gravity", ["down", None, (0.0, 0.0, float("nan"))])
def test_gravity_that_is_none(gravity):
    with pytest.raises(ArgumentError, match="'gravity'"):
        solids.Loads(gravity=gravity)


def test_a_force_on_one_vertex_moves_it_there_and_work_is_twice_the_energy_of_small_strains():
    mesh = cube()
    tip = int((mesh.vertices - 0.1).norm(dim=1).argmin())
    force = torch.zeros(mesh.n_vertices, 3, dtype=F64)
    force[tip] = torch.tensor([0.3, -0.2, 0.1]) * 1e-4
    found = solids.solve_static(mesh, solids.NeoHookean(E=1e6), solids.Loads(gravity=(0, 0, 0), forces=force))
    work = float((force * found.displacement).sum())
    assert work > 0
    elastic = float(found.system.elements(mesh.vertices, found.mesh.vertices).energy())
    assert work == pytest.approx(2 * elastic, rel=1e-4)


def test_potentials_that_couple_vertices_or_cannot_be_followed_are_refused():
    mesh = cube()
    for potential, message in (
        (lambda x: (x[:, 2] - x[:, 2].mean()).square(), "other vertices"),
        (lambda x: x[:, 2].roll(1) * x[:, 2], "other vertices"),
        (lambda x: torch.zeros(len(x)), "autograd"),
        (lambda x: x.detach()[:, 0].numpy(), "ndarray"),
    ):
        with pytest.raises(ArgumentError, match=f"'potential'.*{message}"):
            solids.solve_static(mesh, loads=solids.Loads(potential=potential))


# ---- users' materials ----


def stable(F, mu, lam):
    k = mu + lam
    return mu / 2 * (F.square().sum((1, 2)) - 3) + k / 2 * (F.det() - 1 - mu / k).square()


def test_a_callable_is_the_closed_form_through_all_solvers():
    mesh = solids.beam(0.1, 0.02, (6, 2))
    root = mesh.vertices[:, 0] == 0
    own, known = solids.CustomMaterial(E=1e5, nu=0.3, density=stable), solids.NeoHookean(E=1e5, nu=0.3)
    a, b = (solids.rest_shape(mesh, m, fixed=root) for m in (own, known))
    torch.testing.assert_close(a.mesh.vertices, b.mesh.vertices, rtol=0, atol=1e-12)
    assert a.lambda_min == pytest.approx(b.lambda_min, rel=1e-8)
    x, y = (solids.solve_static(mesh, m, fixed=root).mesh.vertices for m in (own, known))
    torch.testing.assert_close(x, y, rtol=0, atol=1e-10)


def test_densities_that_are_no_elastic_bodies_say_so():
    mesh = cube()
    strained = solids.CustomMaterial(density=lambda F, mu, lam: mu * F.square().sum((1, 2)))
    found = solids.rest_shape(mesh, strained)
    assert found.status == "failed"
    assert "stress at rest" in found.report()
    linear = solids.CustomMaterial(density=lambda F, mu, lam: mu * F.sum((1, 2)))
    assert not linear.tangent(torch.eye(3, dtype=F64)[None]).any()
    for density, message in (
        (lambda F, mu, lam: torch.zeros(len(F)), "autograd"),
        (lambda F, mu, lam: F[:, 0, 0].detach().numpy(), "ndarray"),
    ):
        with pytest.raises(ArgumentError, match=f"'density'.*{message}"):
            solids.solve_static(mesh, solids.CustomMaterial(density=density))


# ---- bodies too soft ----


def test_loads_that_no_rest_shape_carries_are_said_with_the_same_limit_for_every_modulus():
    mesh = solids.beam(0.1, 0.02, (10, 2))
    root = mesh.vertices[:, 0] == 0
    limits = []
    for E in (8e3, 5e3, 3e3):
        rest = solids.rest_shape(mesh, solids.NeoHookean(E=E, nu=0.0), fixed=root)
        assert rest.status == "failed"
        assert rest.stability is None
        assert "of the loads only" in rest.report()
        limits.append(rest.reached / E)
        with pytest.raises(ArgumentError, match="'found'.*'failed'"):
            solids.mean_stress(rest)
    assert limits == pytest.approx([limits[0]] * 3, rel=5e-3)


def test_an_equilibrium_of_inverted_tetrahedra_has_failed_and_no_distance():
    rest = solids.rest_shape(cube(), solids.NeoHookean(E=500.0))
    assert rest.status == "unstable"
    gone = rest.settle()
    assert gone.status == "failed"
    assert gone.inverted
    assert gone.stability is None
    assert math.isnan(gone.sag)
    assert "inside out" in gone.report()
    assert rest.matching == (math.inf, math.inf)
    for method in ("naive", "fixed point"):
        other = solids.rest_shape(cube(), solids.NeoHookean(E=200.0), method=method)
        assert other.status == "failed"
        assert "inside out" in other.report()
    with pytest.raises(ArgumentError, match="'found'"):
        solids.fractured(gone, 1e4)


def test_where_all_loads_at_once_fail_they_are_led_up_to_the_same_answer(monkeypatch):
    mesh = solids.beam(0.1, 0.02, (10, 2))
    root = mesh.vertices[:, 0] == 0
    shares: list[tuple[float, bool]] = []
    newton = inverse._newton

    def watched(system, target, X, share):
        out = newton(system, target, X, share)
        shares.append((share, out[0] is not None))
        return out

    monkeypatch.setattr(inverse, "_newton", watched)
    for E in (2e4, 1.5e4):
        shares.clear()
        rest = solids.rest_shape(mesh, solids.NeoHookean(E=E, nu=0.0), fixed=root)
        assert shares[0] == (1.0, False)
        assert shares[-1] == (1.0, True)
        assert sum(good for _, good in shares) >= 2
        assert rest.status in ("stable", "unstable")
        assert rest.reached == 1.0
        # Small shares of the loads, one after another, follow the branch that starts at the target.
        X = mesh.vertices
        for share in np.linspace(0, 1, 41)[1:]:
            X, _ = newton(rest.system, mesh.vertices, X, float(share))
            assert X is not None
        torch.testing.assert_close(rest.mesh.vertices, X, rtol=0, atol=1e-8)


# ---- stability ----


@pytest.mark.parametrize(("E", "cells"), [(2e5, 10), (5e4, 10), (1.5e4, 12)])
def test_lowest_eigenvalues_are_those_of_a_dense_solver(E, cells):
    mesh = solids.column(0.2, 0.02, (2, cells))
    rest = solids.rest_shape(mesh, solids.NeoHookean(E=E, nu=0.0))
    dense = np.linalg.eigvalsh(rest.system.stiffness(rest.system.elements(rest.mesh.vertices, mesh.vertices)).toarray())
    np.testing.assert_allclose(rest.stability.eigenvalues, dense[:3], rtol=0, atol=1e-9 * abs(dense).max())
    assert rest.stability.negative == int((dense < 0).sum())
    assert isinstance(rest.stability.critical_E, float)


# ---- symmetry ----


@pytest.mark.parametrize("n", [3, 4, 5, 12, 30])
def test_rotations_only_solve_by_the_nth_part_and_name_the_mode_by_characters(n):
    mesh = wheel(n)
    symmetry = solids.MeshSymmetry.detect(mesh)
    assert symmetry.order == n
    assert torch.linalg.det(symmetry.matrices).min() > 0
    material = solids.NeoHookean(E=2e5, nu=0.3)
    full = solids.rest_shape(mesh, material)
    less = solids.rest_shape(mesh, material, symmetry=symmetry)
    assert float((full.mesh.vertices - less.mesh.vertices).abs().max()) < 1e-12
    assert less.system.n_unknowns < 1.6 * full.system.n_unknowns / n
    assert less.lambda_min == pytest.approx(full.lambda_min, rel=1e-9)
    # Bending to a side: a pair of modes whose character is that of the plane, 2 cos of the angle.
    pair = full.stability.modes[:2]
    for R, moved in zip(symmetry.matrices, symmetry.fields.act(symmetry.matrices.unsqueeze(1), pair)):
        trace = float((moved * pair).sum())
        assert trace == pytest.approx(float(R.trace()) - 1, abs=1e-8)
    if n > 24:
        assert full.stability.mode_type == "not symmetric"
        assert full.stability.shares()["symmetric"] < 1e-12
        return
    by_name = {name: character for name, character, *_ in full.stability.symmetry.characters}
    found = by_name[full.stability.mode_type]
    torch.testing.assert_close(found, full.stability.symmetry.matrices.diagonal(dim1=1, dim2=2).sum(1) - 1, rtol=0, atol=1e-9)


def test_a_group_of_order_48_tells_the_symmetric_share():
    mesh = solids.box((0.05, 0.05, 0.05), (1, 1, 1))
    for normal in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        mesh = solids.mirrored(mesh, normal)
    symmetry = solids.MeshSymmetry.detect(mesh)
    assert symmetry.order == 48
    swollen = mesh.vertices.clone()
    assert symmetry.shares(swollen) == {"symmetric": pytest.approx(1.0, abs=1e-12)}
    aside = torch.ones_like(swollen)
    assert symmetry.shares(aside)["symmetric"] < 1e-12


# ---- the layer ----


@pytest.mark.parametrize("kind", ["neo", "stvk", "corotated", "custom", "potential", "masses"])
def test_gradients_of_the_layer_by_every_input_are_differences(kind):
    mesh = solids.beam(0.1, 0.02, (3, 1))
    root = mesh.vertices[:, 0] == 0
    draw = torch.Generator().manual_seed(3)

    def some(*shape):
        return torch.rand(*shape, dtype=F64, generator=draw)

    n, m = mesh.n_vertices, len(mesh)
    weights = some(n, 3) - 0.5
    given = {
        "X": mesh.vertices.clone(), "E": 2e5 * (1 + some(m)), "nu": 0.1 + 0.3 * some(m), "rho": 1000 * (1 + some(m)),
        "gravity": torch.tensor([1.0, 0.5, -9.8], dtype=F64), "forces": 0.01 * (some(n, 3) - 0.5),
    }  # fmt: skip
    if kind == "masses":
        given["masses"] = 1e-3 * (1 + some(n))
        given.pop("rho")
    materials = {
        "stvk": solids.StVenantKirchhoff(),
        "corotated": solids.CorotatedLinear(),
        "custom": solids.CustomMaterial(density=stable),
    }

    def told(p):
        loads = {name: p[name] for name in ("gravity", "forces", "masses") if name in p}
        if kind == "potential":
            loads["potential"] = lambda x: 5 * x[:, 2].square() + 3 * x[:, 0] * x[:, 1]
        parts = {name: p[name] for name in ("nu", "rho") if name in p}
        made = solids.equilibrium(
            p["X"],
            p["E"],
            solids.Loads(**loads),
            tets=mesh.tets,
            fixed=root,
            material=materials.get(kind),
            tolerance=1e-13,
            **parts,
        )
        return (weights * made).sum()

    asked = {name: value.clone().requires_grad_() for name, value in given.items()}
    slopes = torch.autograd.grad(told(asked), list(asked.values()))
    for name, slope in zip(asked, slopes):
        way = (some(*given[name].shape) - 0.5) * given[name].abs().mean()
        near = [told(given | {name: given[name] + h * way}) for h in (1e-5, -1e-5)]
        assert float((slope * way).sum()) == pytest.approx(float(near[0] - near[1]) / 2e-5, rel=1e-5, abs=1e-12), name


def test_the_layer_warns_of_inverted_tetrahedra():
    mesh = cube()
    system = System(mesh, solids.NeoHookean(E=200.0))
    x, _, good = minimise(system, mesh.vertices, mesh.vertices.clone(), tolerance=1e-12, max_steps=300)
    assert good
    assert float(system.elements(mesh.vertices, x).F.det().min()) < 0
    with pytest.warns(UserWarning, match="inside out"):
        solids.equilibrium(mesh.vertices, 200.0, tets=mesh.tets)
