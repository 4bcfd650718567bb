"""Projectors onto designs of a subgroup: known dimensions, laws of projectors, each way to average against the plain mean; soft states."""

from __future__ import annotations

import itertools

import pytest
import torch

import erlangen as er
from erlangen.design import SoftSymmetrizer, Symmetrizer
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, Dihedral, FiniteAbelian, MatrixGroup, Subgroup, Symmetric, subgroup_lattice

D = torch.float64
D4, D6 = Dihedral(4), Dihedral(6)
LATTICES = {group: subgroup_lattice(group) for group in (D4, D6, Symmetric(3))}

#: Free numbers of one scalar and of one planar vector on each leg, by the subgroup.
SCALARS_AND_VECTORS = {
    D4: {
        "H_4": (4, 8), "H_2": (2, 4), "H_1": (1, 2), "H_4_0": (3, 4), "H_4_2": (3, 4), "H_4_1": (2, 4), "H_4_3": (2, 4), "H_2_0": (2, 2),
        "H_2_1": (1, 2), "H_1_0": (1, 1),
    },
    D6: {
        "H_6": (6, 12), "H_3": (3, 6), "H_2": (2, 4), "H_1": (1, 2), "H_6_0": (4, 6), "H_6_2": (4, 6), "H_6_4": (4, 6), "H_6_1": (3, 6),
        "H_6_3": (3, 6), "H_6_5": (3, 6), "H_3_0": (2, 3), "H_3_1": (2, 3), "H_3_2": (2, 3),
        "H_2_0": (2, 2), "H_2_1": (1, 2), "H_1_0": (1, 1),
    },
}  # fmt: skip


def legs(group):
    """A scalar and a planar vector on each leg."""
    return {"scalar": group.vector, "vector": er.actions.OnAxes({-2: group.vector, -1: group.irrep(1)})}


@pytest.mark.parametrize("group", [D4, D6], ids=str)
def test_dimensions_on_legs_are_the_known_ones(group) -> None:
    lattice = LATTICES[group]
    assert set(SCALARS_AND_VECTORS[group]) == set(lattice.names)
    for name, (scalars, vectors) in SCALARS_AND_VECTORS[group].items():
        subgroup = lattice.subgroups[lattice.place(name)]
        for part, dim in (("scalar", scalars), ("vector", vectors)):
            assert Symmetrizer(subgroup, legs(group)[part]).dim == dim
        assert Symmetrizer(subgroup, legs(group)).dim == scalars + vectors


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Opaque(er.Action):
    """An action of which nothing is known but what it does: no size beforehand, hence no matrix."""

    def __init__(self, action: er.Action) -> None:
        super().__init__(action.group)
        self.action, self.data_shape = action, tuple(None for _ in action.data_shape)

    def act(self, g, x):
        return self.action.act(g, x)

    def example(self, *batch, generator=None, dtype=None):
        return self.action.example(*batch, generator=generator, dtype=dtype)


ACTIONS = [
    D4.vector,
    D4.vector + 2 * D4.irrep(1),
    er.actions.OnAxes({-2: D4.vector, -1: D4.irrep(1)}),
    er.actions.OnAxes({-2: D4.vector, -1: D4.vector}),
    Opaque(er.actions.OnAxes({-2: D4.vector, -1: D4.irrep(1)})),
    Symmetric(3).regular,
    Symmetric(3).vector ** 2,
    Symmetric(3).vector @ Symmetric(3).pseudoscalar,
]


@pytest.mark.parametrize("action", ACTIONS, ids=repr)
def test_laws_of_projectors(action) -> None:
    lattice = LATTICES[action.group]
    group, x = action.group, action.example(5, 2, generator=generator(), dtype=D)
    y = action.example(5, 2, generator=torch.Generator().manual_seed(1), dtype=D)
    projectors = [Symmetrizer(H, action) for H in lattice.subgroups]
    assert torch.equal(projectors[0](x), x)
    for H, P in zip(lattice.subgroups, projectors):
        mean = torch.stack([action.act(group.take(group.elements(), i), x) for i in sorted(H.positions)]).mean(0)
        assert torch.allclose(P(x), mean, rtol=0, atol=1e-12)
        assert torch.allclose(P(P(x)), P(x), rtol=0, atol=1e-12)
        assert torch.allclose((P(x) * y).sum(), (x * P(y)).sum(), rtol=0, atol=1e-12)  # orthogonal
        for i in H.positions:
            assert torch.allclose(action.act(group.take(group.elements(), i), P(x)), P(x), rtol=0, atol=1e-12)
        assert P(x.float()).dtype == torch.float32
    for i, j in lattice.covers():
        assert torch.allclose(projectors[j](projectors[i](x)), projectors[j](x), rtol=0, atol=1e-12)
        assert torch.allclose(projectors[i](projectors[j](x)), projectors[j](x), rtol=0, atol=1e-12)


def test_dimensions_are_those_of_the_character() -> None:
    action = D4.vector + D4.irrep(1) @ D4.irrep(1)
    for H in LATTICES[D4].subgroups:
        assert Symmetrizer(H, action).dim == round(float(action.character(H.elements).mean()))


def test_groups_of_matrices_and_products_act() -> None:
    quarter = MatrixGroup([torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    for group, action in ((quarter, quarter.vector), (D4 * Symmetric(2), (D4 * Symmetric(2)).lift(0, D4.irrep(1)))):
        whole = subgroup_lattice(group).subgroups[-1]
        assert Symmetrizer(whole, action).dim == 0
        assert float(Symmetrizer(whole, action)(torch.ones(3, 2, dtype=D)).abs().max()) < 1e-15


def test_parts_without_an_action_are_left_alone() -> None:
    whole = LATTICES[D4].subgroups[-1]
    symmetrize = Symmetrizer(whole, {"shape": D4.vector, "controller": None})
    x = {"shape": torch.tensor([1.0, 2.0, 3.0, 6.0]), "controller": torch.tensor([1, 2])}
    found = symmetrize(x)
    assert found["shape"].tolist() == [3.0] * 4
    assert found["controller"] is x["controller"]
    assert symmetrize.dim == 1
    soft = SoftSymmetrizer(Symmetrizer(LATTICES[D4].subgroups[0], symmetrize.action), symmetrize, 0.5)(x)
    assert torch.equal(soft["controller"], x["controller"])
    assert soft["shape"].tolist() == [2.0, 2.5, 3.0, 4.5]


def test_gradients_are_symmetric_as_the_design_is() -> None:
    P = Symmetrizer(LATTICES[D4].subgroups[-2], D4.vector)
    x = torch.randn(4, dtype=D, generator=generator(), requires_grad=True)
    (P(x) * torch.arange(4.0, dtype=D)).sum().backward()
    assert x.grad is not None
    assert torch.allclose(P(x.grad), x.grad, rtol=0, atol=1e-15)


@pytest.mark.parametrize("amount", [0.0, 0.25, 2 / 3, 1.0])
def test_soft_states_scale_what_the_larger_subgroup_takes_away(amount: float) -> None:
    lattice = LATTICES[D6]
    action = D6.vector + D6.irrep(2)
    x = torch.randn(7, action.dim, dtype=D, generator=generator())
    every = action.matrix(D6.elements()).to(D)
    for i, j in itertools.combinations(range(len(lattice.subgroups)), 2):
        H, K = lattice.subgroups[i], lattice.subgroups[j]
        if not H.positions < K.positions:
            continue
        low, high = Symmetrizer(H, action), Symmetrizer(K, action)
        soft = SoftSymmetrizer(low, high, amount)
        assert float(soft.weights.sum()) == pytest.approx(1, abs=1e-14)
        # The source's weights: a / |H| on H, (1 - a) / (|K| - |H|) on the rest of K.
        ratio = H.order / K.order
        a = (1 - ratio) * (1 - amount) + ratio
        assert float(soft.weights[sorted(H.positions)].sum()) == pytest.approx(a, abs=1e-14)
        assert torch.allclose(soft(x), x @ torch.einsum("g,gij->ji", soft.weights, every), rtol=0, atol=1e-12)
        rest = low(x) - high(x)
        eigenvalue = a - (1 - a) * H.order / (K.order - H.order)
        assert torch.allclose(soft(rest), eigenvalue * rest, rtol=0, atol=1e-12)
        assert torch.allclose(soft(high(x)), high(x), rtol=0, atol=1e-12)
        if amount in (0.0, 1.0):
            assert torch.equal(soft(x), (low, high)[int(amount)](x))
        assert soft.dim == pytest.approx((1 - amount) * low.dim + amount * high.dim)


def test_affine_actions_are_averaged_and_angles_are_refused() -> None:
    class Turned(er.Action):
        """A half turn about a point that is not the origin."""

        data_shape = (2,)

        def act(self, g, x):
            g, x = self.align(g, x)
            return torch.where(g[..., :1] == 1, 2 * torch.tensor([1.0, 3.0], dtype=x.dtype) - x, x)

    class Phases(er.Action):
        """Angles in turns, modulo 1."""

        data_shape = (1,)

        def act(self, g, x):
            g, x = self.align(g, x)
            return (x + g[..., :1] / 2) % 1.0

    C2 = er.Cyclic(2)
    whole = subgroup_lattice(C2).subgroups[-1]
    found = Symmetrizer(whole, Turned(C2))(torch.randn(4, 2, dtype=D, generator=generator()))
    assert torch.allclose(found, torch.tensor([1.0, 3.0], dtype=D).expand(4, 2), rtol=0, atol=1e-14)
    with pytest.raises(ArgumentError, match="averages are fixed"):
        Symmetrizer(whole, Phases(C2))


def test_what_does_not_fit_is_refused() -> None:
    whole, trivial = LATTICES[D4].subgroups[-1], LATTICES[D4].subgroups[0]
    with pytest.raises(ArgumentError, match="action of D_4"):
        Symmetrizer(whole, D6.vector)
    P, one = Symmetrizer(whole, D4.vector), Symmetrizer(trivial, D4.vector)
    with pytest.raises(ArgumentError, match="'x'"):
        P(torch.ones(5))
    with pytest.raises(ArgumentError, match="floating-point"):
        P(torch.ones(4, dtype=torch.int64))
    with pytest.raises(ArgumentError, match="'lower'"):
        SoftSymmetrizer(P, one, 0.5)
    with pytest.raises(ArgumentError, match="'amount'"):
        SoftSymmetrizer(one, P, 1.5)
    with pytest.raises(ArgumentError, match="'lower'"):
        SoftSymmetrizer(Symmetrizer(subgroup_lattice(FiniteAbelian(2)).subgroups[0], FiniteAbelian(2).regular), P, 0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_orbits_longer_than_half_precision_counts_have_their_mean(dtype: torch.dtype) -> None:
    """300 ones sum to 256 in bfloat16, 300 times 300 is no number in float16."""
    group = Cyclic(300)
    whole = Symmetrizer(Subgroup(group, frozenset(range(300))), group.vector)
    for value in (1.0, 300.0):
        x = torch.full((2, 300), value, dtype=dtype)
        assert torch.equal(whole(x), x)
