"""Every named Lie group: axioms, dimension, compactness, membership, representations, sampling conventions."""

from __future__ import annotations

import math

import pytest
import torch
from lie_catalogue import ELLIPSOID, GROUPS, IDS, rng

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.affine import SE, E
from erlangen.groups.linear import SL, GLplus, Scalings
from erlangen.groups.orthogonal import SO, Isometries, O
from erlangen.groups.symplectic import Sp
from erlangen.groups.torus import Torus
from erlangen.testing import check_action, check_group, check_rep


@pytest.mark.parametrize(("group", "dim", "compact"), GROUPS, ids=IDS)
def test_axioms_dimension_and_compactness(group, dim, compact):
    assert check_group(group)
    assert group.dim == dim
    assert group.is_compact is compact


@pytest.mark.parametrize(("group", "dim", "compact"), GROUPS, ids=IDS)
def test_representations(group, dim, compact):
    for rep in (group.vector, group.vector.dual, group.pseudoscalar, group.vector**2):
        assert check_rep(rep, trials=4)
    assert check_action(group.point)


@pytest.mark.parametrize(("group", "dim", "compact"), GROUPS, ids=IDS)
def test_strangers_are_not_members(group, dim, compact):
    bad = group.sample(5, generator=rng(), dtype=torch.float64)
    bad[:, 0, 0] *= -1.7
    bad[:, -1, -1] += 0.3
    if not isinstance(group, GLplus):
        assert not group.contains(bad).any()
    with pytest.raises(ArgumentError, match="'g'"):
        group.contains(torch.zeros(group.n + 1, group.n + 1))


@pytest.mark.parametrize(("group", "dim", "compact"), GROUPS, ids=IDS)
def test_samples_follow_the_conventions(group, dim, compact):
    assert group.sample(2, 3).shape == (2, 3, group.n, group.n)
    assert group.sample().dtype == torch.get_default_dtype()
    for dtype in (torch.float32, torch.float64):
        g = group.sample(50, generator=rng(3), dtype=dtype)
        assert g.dtype == dtype
        assert group.contains(g).all()
    assert torch.equal(group.sample(4, generator=rng(1)), group.sample(4, generator=rng(1)))
    assert not torch.equal(group.sample(4, generator=rng(1)), group.sample(4, generator=rng(2))) or group.n == 1


@pytest.mark.parametrize(("group", "dim", "compact"), GROUPS, ids=IDS)
def test_dual_pairs_with_vectors(group, dim, compact):
    V = group.vector
    g = group.sample(20, generator=rng(), dtype=torch.float64)
    x, form = (torch.randn(20, V.dim, generator=rng(5 + i), dtype=torch.float64) for i in range(2))
    paired = (V.act(g, x) * V.dual.act(g, form)).sum(-1)
    torch.testing.assert_close(paired, (x * form).sum(-1), rtol=1e-9, atol=1e-9)
    assert V.is_orthogonal is torch.allclose(V(g) @ V(g).mT, torch.eye(V.dim, dtype=torch.float64).expand(20, -1, -1))


def test_orthogonal_discrete_parts():
    g = O(3).sample(4000, generator=rng())
    assert 0.45 < float((torch.linalg.det(g) > 0).float().mean()) < 0.55
    # O(1, 3) has four components, SO(1, 3) two of them, SO+(1, 3) one.
    for group, count in ((O(1, 3), 4), (SO(1, 3), 2), (SO(1, 3, connected=True), 1), (O(2, 3), 4)):
        p = group.signature[0]
        g = group.sample(400, generator=rng(), dtype=torch.float64)
        time = torch.linalg.det(g[:, :p, :p]).sign()
        kinds = {(int(a), int(b)) for a, b in zip(time, torch.linalg.det(g).sign())}
        assert len(kinds) == count
    time_reversal = torch.diag(torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64))
    parity_and_time = -torch.eye(4, dtype=torch.float64)
    assert O(1, 3).contains(time_reversal)
    assert not SO(1, 3).contains(time_reversal)
    assert SO(1, 3).contains(parity_and_time)
    assert not SO(1, 3, connected=True).contains(parity_and_time)


def test_lorentz_factors_stay_below_the_scale():
    gamma = SO(1, 3, connected=True).sample(5000, generator=rng(), scale=math.acosh(5))[:, 0, 0]
    assert float(gamma.min()) >= 1 - 1e-5
    assert 4.9 < float(gamma.max()) < 5 + 1e-3


def test_minkowski_products_are_kept():
    g = SO(1, 3).sample(50, generator=rng(), dtype=torch.float64, scale=math.acosh(5))
    u, v = (torch.randn(50, 4, generator=rng(i), dtype=torch.float64) for i in range(2))
    form = SO(1, 3).form
    before, after = ((a @ form * b).sum(-1) for a, b in ((u, v), (SO(1, 3).vector.act(g, u), SO(1, 3).vector.act(g, v))))
    torch.testing.assert_close(before, after, rtol=1e-10, atol=1e-10)


def test_rotation_about_an_axis():
    group = SO(2, axis=(0.0, 3.0, 4.0))
    g = group.sample(30, generator=rng(), dtype=torch.float64)
    axis = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    torch.testing.assert_close(g @ axis, axis.expand(30, 3))
    assert not group.contains(SO(3).sample(10, generator=rng())).any()
    # Counter-clockwise about z: x goes to y.
    z = SO(2, axis="z")
    quarter = z.exp(z.algebra.combine(torch.tensor([math.pi / 2], dtype=torch.float64)))
    torch.testing.assert_close(quarter[:, 0], torch.tensor([0.0, 1, 0], dtype=torch.float64), atol=1e-12, rtol=0)


def test_isometries_are_conjugate_to_the_standard_group():
    group = Isometries(ELLIPSOID)
    S = group.to_standard
    torch.testing.assert_close(S.mT @ S, ELLIPSOID.double())
    g = group.sample(20, generator=rng(), dtype=torch.float64)
    assert SO(3).contains(S @ g @ torch.linalg.inv(S)).all()
    assert Isometries(torch.eye(3) * 7).vector.is_orthogonal
    assert Isometries(torch.diag(torch.tensor([-1.0, 1, 1, 1]))).signature == (3, 1)


def test_affine_elements():
    G = SE(3)
    turn = SO(3).sample(4, generator=rng())
    shift = torch.randn(4, 3, generator=rng())
    g = G.element(turn, shift)
    assert torch.equal(G.rotation(g), turn)
    assert torch.equal(G.translation(g), shift)
    x = torch.randn(4, 5, 3, generator=rng())
    torch.testing.assert_close(G.point.act(g, x), x @ turn.mT + shift[:, None])
    torch.testing.assert_close(G.vector.act(g, x), x @ turn.mT)
    torch.testing.assert_close(G.point.act(g, x[0, 0]), (turn @ x[0, 0]) + shift)  # many elements, one point
    homogeneous = torch.cat([x[:, 0], torch.ones(4, 1)], -1)
    torch.testing.assert_close(G.homogeneous.act(g, homogeneous)[:, :3], G.point.act(g, x[:, 0]))
    assert G.linear_group == SO(3)
    assert torch.equal(G.element(), torch.eye(4))
    assert G.element(translation=shift).shape == (4, 4, 4)
    with pytest.raises(ArgumentError, match="translation"):
        G.element(turn, torch.zeros(2))
    mirror = E(3).element(rotation=torch.diag(torch.tensor([-1.0, 1, 1])))
    assert float(E(3).pseudoscalar.act(mirror, torch.ones(1))) == -1
    assert E(3).of_linear_part(O(3).irrep(1, 1)) == E(3).irrep(1, 1)


def test_groups_are_values():
    assert SO(3) == SO(3, 0)
    assert hash(E(3)) == hash(E(3))
    assert SO(3) != O(3)
    assert SO(1, 3) != SO(1, 3, connected=True)
    assert SO(3, connected=True) == SO(3)
    assert SO(2, axis="z") == SO(2, axis=(0, 0, 2.0))
    assert SO(2, axis="z") != SO(2)
    assert E(3).point == E(3).point
    assert E(3).vector == E(3).vector
    assert Sp(4) != Sp(6)
    assert str(SO(1, 3, connected=True)) == "SO+(1,3)"


@pytest.mark.parametrize(
    "make",
    [
        lambda: SO(0),
        lambda: SO(-1, 3),
        lambda: SO(3.0),
        lambda: SO(3, axis="z"),
        lambda: SO(2, axis="w"),
        lambda: SO(2, axis=(0, 0, 0)),
        lambda: O(0),
        lambda: Sp(3),
        lambda: SL(1),
        lambda: Scalings(0),
        lambda: Torus(0),
        lambda: Isometries(torch.zeros(2, 2)),
        lambda: Isometries(torch.tensor([[1.0, 1], [0, 1]])),
    ],
)
def test_refusals_name_the_argument(make):
    with pytest.raises(ArgumentError, match="argument '"):
        make()


def test_reflections_have_no_logarithm():
    with pytest.raises(UnsupportedError, match="reflection"):
        O(3).log(-torch.eye(3))
