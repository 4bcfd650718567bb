"""Equivariant subspaces of several groups on one space: dimensions, projectors, closed forms."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import pad

import erlangen as er
from erlangen.discover.soft import Layout, SoftEquivariance, TensorType, dimension, equivariant_basis, hidden_layout, project
from erlangen.errors import ArgumentError
from erlangen.maps.subspaces import candidates, common_basis, pair_basis
from erlangen.reps import Rep

F64 = torch.float64
S, V, T2, T3 = (Layout(3, [(TensorType(k), 1)]) for k in range(4))
GROUPS = {"O3": er.O(3), "SO3": er.SO(3), "O2z": er.AxialO("z"), "SO2z": er.SO(2, axis="z")}
#: Groups whose elements are not orthogonal.
OTHERS = {
    "scaling": er.Scalings(3),
    "SL2 in a plane": er.MatrixGroup(algebra=pad(er.SL(2).algebra.basis, (0, 1, 0, 1)), name="SL(2) in a plane"),
    "Lorentz": er.SO(1, 2),
}


@pytest.mark.parametrize(
    ("source", "target", "dims"),
    [
        (5 * S + 5 * V, T2, (5, 10, 30, 50)),
        (V, V, (1, 1, 2, 3)),
        (V, T2, (0, 1, 4, 7)),
        (T2, T2, (3, 3, 10, 19)),
        (T3, T2, (0, 6, 26, 51)),
        (T3, T3, (15, 15, 71, 141)),
    ],
    ids=["5S+5V-T2", "V-V", "V-T2", "T2-T2", "T3-T2", "T3-T3"],
)
def test_dimensions(source: Layout, target: Layout, dims: tuple[int, ...]) -> None:
    assert tuple(dimension(g.vector, target, source) for g in GROUPS.values()) == dims


@pytest.mark.parametrize("name", [*GROUPS, *OTHERS])
def test_the_projector_is_orthogonal_and_lands_on_equivariant_maps(name: str) -> None:
    vector: Rep = (GROUPS | OTHERS)[name].vector
    source = Layout(3, [(TensorType(), 2), (TensorType(1), 2), (TensorType(1, 1), 1)])
    target = Layout(3, [(TensorType(1), 1), (TensorType(0, 1), 1), (TensorType(2), 1), (TensorType(), 1)])
    draw = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, target.dim, source.dim, generator=draw, dtype=F64)
    once = project(a, vector, target, source)
    assert (project(once, vector, target, source) - once).abs().max() < 1e-12
    assert abs((once * b).sum() - (a * project(b, vector, target, source)).sum()) < 1e-10
    g = vector.group.sample(20, generator=draw, dtype=F64)
    left, right = target.rep(vector)(g) @ once, once @ source.rep(vector)(g)
    size = target.rep(vector)(g).flatten(1).norm(dim=1).max() * source.rep(vector)(g).flatten(1).norm(dim=1).max()
    assert (left - right).abs().max() < 1e-10 * size


def test_duals_give_maps_that_vectors_alone_do_not() -> None:
    scaling = er.Scalings(3).vector
    assert len(equivariant_basis(scaling, TensorType(), TensorType(2))) == 0
    assert len(equivariant_basis(scaling, TensorType(), TensorType(1, 1))) == 9
    assert len(equivariant_basis(scaling, TensorType(), TensorType(2, weight=2))) == 9
    assert hidden_layout(60, 3, dual=True).dim == 60
    assert any(kind.q for kind, _ in hidden_layout(60, 3, dual=True))


def test_closed_forms_on_three_by_three_matrices() -> None:
    w = torch.randn(3, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
    penalty = SoftEquivariance(w, GROUPS, tune="off")
    about = (w - w.trace() / 3 * torch.eye(3)).square().sum() / 2
    assert penalty.residuals()["O3"] == pytest.approx(float(about), abs=1e-12)
    a, s = (w[0, 0] + w[1, 1]) / 2, (w[0, 1] - w[1, 0]) / 2
    diagonal = torch.diag(torch.stack([a, a, w[2, 2]]))
    assert torch.allclose(project(w, GROUPS["O2z"].vector, V, V), diagonal, atol=1e-12)
    turning = diagonal.clone()
    turning[0, 1], turning[1, 0] = s, -s
    assert torch.allclose(project(w, GROUPS["SO2z"].vector, V, V), turning, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_subgroup_has_no_larger_residual(seed: int) -> None:
    w = torch.randn(9, 20, dtype=F64, generator=torch.Generator().manual_seed(seed))
    r = SoftEquivariance(w, GROUPS, inp=5 * S + 5 * V, out=T2, tune="off").residuals()
    assert r["SO2z"] <= r["O2z"] + 1e-12
    assert r["SO2z"] <= r["SO3"] + 1e-12
    assert max(r["SO3"], r["O2z"]) <= r["O3"] + 1e-12


def test_the_two_ways_to_a_distance_and_the_gradient_agree() -> None:
    source, target = hidden_layout(60, 3, dual=True), hidden_layout(45, 3, dual=True)
    groups = {**GROUPS, **OTHERS}
    w = torch.randn(45, 60, dtype=F64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    penalty = SoftEquivariance(w, groups, inp=source, out=target, tune="off")
    residuals = penalty.energy()
    for value, group in zip(residuals, groups.values()):
        assert value.requires_grad
        left = w - project(w, group.vector, target, source)
        assert value.item() == pytest.approx(0.5 * left.square().sum().item(), rel=1e-10)
        (gradient,) = torch.autograd.grad(value, w, retain_graph=True)
        assert (gradient - left).abs().max() < 1e-10


def test_the_penalty_can_be_differentiated_twice() -> None:
    w = torch.randn(3, 4, dtype=F64, requires_grad=True)
    penalty = SoftEquivariance(w, GROUPS, inp=S + V, tune="off")
    assert torch.autograd.gradcheck(lambda w: penalty.energy(), (w,))
    assert torch.autograd.gradgradcheck(lambda w: penalty.energy(), (w,))


def test_large_subspaces_are_seen_through_their_complement() -> None:
    pair = pair_basis([er.Scalings(3).vector, er.O(3).vector], TensorType(1), TensorType(1))
    assert pair.columns.shape == (9, 1)
    assert pair.whole.tolist() == [0.0, 1.0]


def test_maps_common_to_two_groups() -> None:
    about = [er.SO(2, axis="z").vector, er.SO(2, axis="x").vector]
    for out, inp in ((1, 1), (2, 1), (2, 2), (2, 3)):
        both = common_basis(about, TensorType(out), TensorType(inp))
        assert both.shape[1] == dimension(er.SO(3).vector, *(Layout(3, [(TensorType(k), 1)]) for k in (out, inp)))


@pytest.mark.parametrize("d", [2, 3, 4])
def test_hidden_layouts_have_exactly_the_width(d: int) -> None:
    for width in range(20, 401):
        layout = hidden_layout(width, d)
        assert layout.dim == width
        top = max(kind.rank for kind, _ in layout)
        assert (top + 1) * d**top <= width < (top + 2) * d ** (top + 1)


def test_layouts_of_representations() -> None:
    G = er.O(3)
    layout = Layout.of(2 * G.vector + G.pseudoscalar + G.vector @ G.pseudoscalar, 3)
    assert layout.parts == ((TensorType(1), 2), (TensorType(twisted=True), 1), (TensorType(1, twisted=True), 1))
    assert layout.rep(G.vector) == 2 * G.vector + G.pseudoscalar + G.vector @ G.pseudoscalar
    W = er.SO(1, 3).vector
    assert Layout.of(W @ W.dual, 4).parts == ((TensorType(1, 1), 1),)
    with pytest.raises(ArgumentError, match="'inp'"):
        Layout.of(G.vector, 4, "inp")


def test_a_discovered_algebra_is_a_candidate() -> None:
    noisy = er.SO(2, axis="z").algebra.basis
    found = candidates({"found": er.LieAlgebra(noisy)})["found"]
    w = torch.randn(3, 3, dtype=F64)
    r = SoftEquivariance(w, {"found": found, "SO2z": er.SO(2, axis="z")}, tune="off").residuals()
    assert r["found"] == pytest.approx(r["SO2z"], abs=1e-12)
