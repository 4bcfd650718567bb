"""Wide and large data: sizes are asked before anything of that size is made, and what is too large says so."""

import pytest
import torch

from erlangen.discover import discover, fit_quadric
from erlangen.discover.samples import MOST_COMPONENTS, MOST_ENTRIES, MOST_SAMPLES, samples_of
from erlangen.discover.soft.belief import default_candidates
from erlangen.errors import ArgumentError
from erlangen.groups import SO, LieAlgebra, so_basis
from erlangen.groups.linear import gl_basis, sl_basis
from erlangen.groups.named_algebras import _candidates, nearest_named
from erlangen.groups.names import parse_group
from erlangen.groups.size import basis_bytes
from erlangen.groups.torus import torus_basis


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("SO(1000)", "3,996.0 GB"),
        ("SE(1000)", "3,996.0 GB"),
        ("GL+(300)", "64.8 GB"),
        ("Sp(1000)", "4,004.0 GB"),
        ("U(1000)", "32.0 GB"),
    ],
)
def test_a_group_too_large_is_refused_with_its_size(name, gigabytes):
    with pytest.raises(ArgumentError, match=gigabytes):
        parse_group(name)


def test_the_size_is_that_of_the_basis():
    basis = so_basis(7)
    assert basis_bytes(21, 7) == basis.nbytes


@pytest.mark.parametrize("n", [3, 4, 6])
def test_the_nearest_algebra_is_the_first_of_the_best_whatever_the_order_of_building(n):
    rng = torch.Generator().manual_seed(n)
    for k in (1, 2, 3, 6):
        algebra = LieAlgebra(torch.randn(k, n, n, generator=rng, dtype=torch.float64))
        overlaps = []
        for candidate in _candidates(algebra):
            exact = torch.linalg.qr(candidate.basis().flatten(1).mT).Q
            assert exact.shape[1] == candidate.dim
            given = torch.linalg.qr(algebra.basis.flatten(1).mT).Q
            overlaps.append((candidate.name, float((exact.mT @ given).square().sum()) / max(candidate.dim, k)))
        best = max(overlap for _, overlap in overlaps)
        named = nearest_named(algebra)
        assert named.name == next(name for name, overlap in overlaps if overlap > best - 1e-9)
        assert named.overlap == pytest.approx(best)


@pytest.mark.parametrize(
    ("basis", "name"),
    [
        (so_basis(12), "so(12)"),
        (so_basis(3, 9), "so(3,9)"),
        (torch.kron(torch.eye(4, dtype=torch.float64), so_basis(3)), "so(3) on 4 copies"),
        (sl_basis(12), "sl(12)"),
        (gl_basis(12), "gl(12)"),
        (torch.kron(torch.eye(30, dtype=torch.float64), so_basis(2)), "so(2) on 30 copies"),
        (so_basis(24), "so(24)"),
        (torch.kron(torch.eye(20, dtype=torch.float64), so_basis(3)), "so(3) on 20 copies"),
        (torus_basis(100), "u(1)^100"),
    ],
)
def test_exact_algebras_of_large_matrices_have_their_names(basis, name):
    named = nearest_named(LieAlgebra(basis))
    assert named.name == name
    assert named.overlap == pytest.approx(1)


def test_disjoint_generators_are_orthonormal_as_they_stand():
    columns = LieAlgebra(3 * so_basis(2, 3))._columns
    assert torch.allclose(columns.mT @ columns, torch.eye(10, dtype=torch.float64))
    assert SO(2, 3).algebra.same_span(LieAlgebra(columns.mT.reshape(10, 5, 5)))


@pytest.mark.parametrize("n", [60, 200])
def test_tokens_too_wide_are_refused_with_a_reason(n):
    x = torch.randn(500, n, generator=torch.Generator().manual_seed(0))
    found = discover(x, x.norm(dim=1), quiet=True)
    assert not found
    assert not found.candidates
    assert f"tokens of {n} components" in found.verdict.reason
    assert str(MOST_COMPONENTS) in str(found)


def test_wide_tokens_on_a_small_subspace_are_searched_there():
    rng = torch.Generator().manual_seed(0)
    plane = torch.linalg.qr(torch.randn(34, 2, generator=rng)).Q
    found = discover(torch.randn(2000, 1, 2, generator=rng) @ plane.T, steps=500, quiet=True)
    assert found.algebra is not None
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    assert found.algebra.same_span(LieAlgebra(plane @ turn.unsqueeze(0) @ plane.T), 1e-5)


def test_default_candidates_of_wide_tokens_are_refused():
    with pytest.raises(ArgumentError, match="at most 32 components; got 33"):
        default_candidates(33)


def test_samples_are_thinned_only_where_they_are_many():
    few = samples_of(torch.randn(1000, 2, 3))
    assert few.thinned() is few
    x = torch.arange(MOST_SAMPLES + 5.0)[:, None]
    thin = samples_of(x, x[:, 0]).thinned()
    assert len(thin) == MOST_SAMPLES
    assert len(thin.x.unique()) == MOST_SAMPLES
    assert torch.equal(thin.x[:, 0], thin.scalars)
    assert torch.equal(thin.x, samples_of(x).thinned().x)
    assert len(samples_of(torch.zeros(1500, 300)).thinned()) == MOST_ENTRIES // 300**2


def test_a_quadric_is_the_same_part_by_part(monkeypatch):
    v = torch.randn(3000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    light = torch.cat([v.norm(dim=1, keepdim=True), v], 1)
    sphere = v / v.norm(dim=1, keepdim=True)
    whole = [fit_quadric(x) for x in (light, sphere)]
    monkeypatch.setattr("erlangen.discover.quadric.MOST_ENTRIES", 1000)
    for x, before in zip((light, sphere), whole):
        after = fit_quadric(x)
        assert after.exact == before.exact
        assert after.is_cone == before.is_cone
        assert torch.allclose(after.form, before.form, atol=1e-9)
