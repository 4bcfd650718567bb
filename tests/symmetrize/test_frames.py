"""Frames: exactness, sizes, closed forms, degenerate clouds, and agreement with the peer."""

import itertools
import math
import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.symmetrize import AllElements, GramSchmidt, Haar, Pairs, PerDatum, Phase, Principal, SignFixed, Stochastic, Weighted
from erlangen.testing import check_frame

F64 = torch.float64


def cloud(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Net(nn.Module):
    """A network without any symmetry on n points, invariant or per-point output."""

    def __init__(self, n, d, out):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(n * d, 32), nn.Tanh(), nn.Linear(32, math.prod(out)), nn.Unflatten(1, out)
        )

    def forward(self, x):
        return self.layers(x)


def groups(d):
    return [er.O(d), er.SO(d), er.E(d), er.SE(d)]


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize(
    "frame", [Principal(), Principal("descending"), SignFixed(), GramSchmidt()], ids=lambda f: type(f).__name__
)
def test_exact_frames_are_exact(d, frame):
    x = cloud(6, 9, d)
    for group in groups(d):
        for out, shape in ((group.scalar, (2,)), (group.vector, (9, d)), (group.point, (9, d))):
            net = Net(9, d, shape).double()
            model = er.symmetrize(net, group.point, out, frame=frame, check=False)  # what it would check is asserted
            assert er.equivariance_error(model, x, group.point, out, scale=10.0, elements=12)["worst"] < 1e-10
            single = er.symmetrize(net.float(), group.point, out, frame=frame, check=False)
            error = er.equivariance_error(single, x.float(), group.point, out, elements=12, tolerance=2e-5)
            # The net is not Lipschitz with a small constant: allow for its gradient.
            assert error["median"] < 2e-5


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_sizes_and_membership(d):
    x = cloud(5, 8, d)
    for group, size in ((er.O(d), 2**d), (er.E(d), 2**d)) + (((er.SO(d), 2 ** (d - 1)), (er.SE(d), 2 ** (d - 1))) if d > 1 else ()):
        found = Principal()(group.point, x).elements
        assert group.batch_shape(found) == (5, size)
        assert group.contains(found, 1e-12).all()
        assert len({tuple(e.round(decimals=8).flatten().tolist()) for e in found[0]}) == size


@pytest.mark.parametrize("group", [er.O(3), er.SO(3), er.E(3), er.SE(2)], ids=str)
def test_the_frame_of_a_moved_cloud_is_the_moved_frame(group):
    d = group.point.data_shape[0]
    x = cloud(4, 7, d)
    g = group.sample(4, dtype=F64, generator=torch.Generator().manual_seed(1))
    here = Principal()(group.point, x).elements
    there = Principal()(group.point, group.point.act(g, x)).elements
    expected = group.multiply(g.unsqueeze(1), here)
    distance = (there.unsqueeze(2) - expected.unsqueeze(1)).flatten(3).norm(dim=-1)  # [4, k, k]
    assert distance.amin(2).max() < 1e-10
    assert distance.amin(1).max() < 1e-10


def test_translations_have_one_element():
    T = er.Translations(3)
    assert Principal()(T.point, cloud(4, 6, 3)).elements.shape == (4, 1, 4, 4)
    check_frame(Principal(), T.point)


# ---- closed forms ----


def test_square_of_a_projection_averages_to_the_eigenvalues():
    """phi(x) = sum_i (x_i . a)^2 on centred points: sum_k a_k^2 lambda_k over the frame, |a|^2 tr C / 3 over all rotations."""
    a = torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    x = cloud(3, 20, 3)
    x = x - x.mean(1, keepdim=True)

    class Phi(nn.Module):
        def forward(self, x):
            return (x @ a).square().sum(1, keepdim=True)

    values = torch.linalg.eigvalsh(x.mT @ x)
    framed = er.symmetrize(Phi(), er.O(3).vector, er.O(3).scalar, frame=Principal())
    assert torch.allclose(framed(x)[:, 0], values @ a.square())
    everywhere = er.symmetrize(Phi(), er.SO(3).vector, er.SO(3).scalar, frame=Haar(40_000, torch.Generator().manual_seed(0)))
    average = a.square().sum() * values.sum(1) / 3
    assert torch.allclose(everywhere(x)[:, 0], average, rtol=2e-2)
    assert not torch.allclose(framed(x)[:, 0], average, rtol=2e-2)


def test_odd_functions_average_to_zero_and_the_determinant_survives_rotations_only():
    x = cloud(5, 3, 3)

    class Odd(nn.Module):
        def forward(self, x):
            return x[:, 0, :1]

    class Det(nn.Module):
        def forward(self, x):
            return torch.linalg.det(x)[:, None]

    assert er.symmetrize(Odd(), er.O(3).vector, er.O(3).scalar, frame=Principal())(x).abs().max() < 1e-14
    rotations = er.symmetrize(Det(), er.SO(3).vector, er.SO(3).scalar, frame=Principal())
    assert torch.allclose(rotations(x)[:, 0], torch.linalg.det(x))
    assert er.symmetrize(Det(), er.O(3).vector, er.O(3).scalar, frame=Principal())(x).abs().max() < 1e-13


def test_an_odd_power_agrees_on_all_frame_elements():
    class Cube(nn.Module):
        def forward(self, x):
            return x**3

    group, x = er.O(3), cloud(4, 6, 3)
    model = er.symmetrize(Cube(), group.vector, group.vector, frame=Principal())
    axes = Principal()(group.vector, x).elements
    for k in range(8):
        u = axes[:, k]
        assert torch.allclose((x @ u) ** 3 @ u.mT, model(x), atol=1e-12)


@pytest.mark.parametrize(
    "group",
    [
        er.Cyclic(4),
        er.Dihedral(4),
        er.Symmetric(3),
        er.MatrixGroup(
            [
                torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
                torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
                -torch.eye(3),
            ],
            name="O_h",
        ),
    ],
    ids=str,
)
def test_finite_groups_average_over_all_elements(group):
    V = group.vector
    net, x = Net(1, V.dim, (V.dim,)).double(), cloud(5, V.dim)
    model = er.symmetrize(net, V, V)
    every = group.elements()
    by_hand = torch.stack(
        [V.act(group.take(every, i), net(V.act(group.inverse(group.take(every, i)), x))) for i in range(int(group.order))]
    ).mean(0)
    assert torch.allclose(model(x), by_hand, atol=1e-13)
    assert er.equivariance_error(model, x, V, V, elements=100)["worst"] < 1e-12


# ---- degenerate clouds ----

TETRAHEDRON = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=F64)
CUBE = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)), dtype=F64)
ROD = torch.tensor([[0.0, 0, -1], [0, 0, 0.3], [0, 0, 0.7]], dtype=F64)


@pytest.mark.parametrize("points", [TETRAHEDRON, CUBE, ROD], ids=["tetrahedron", "cube", "rod"])
def test_degenerate_clouds_follow_the_policy(points):
    x, group = points[None].expand(3, -1, -1), er.SO(3)
    with pytest.warns(UserWarning, match="3 of 3 clouds"):
        Principal()(group.vector, x)
    with pytest.raises(ArgumentError, match="distinct"):
        Principal(degenerate="raise")(group.vector, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Principal(degenerate="ignore")(group.vector, x)
        for frame in (Principal(degenerate="weighted"), Pairs()):
            for G, out, shape in ((er.SO(3), "scalar", (1,)), (er.O(3), "scalar", (1,)), (er.SE(3), "vector", (len(points), 3))):
                model = er.symmetrize(Net(len(points), 3, shape).double(), G.point, getattr(G, out), frame=frame)
                assert er.equivariance_error(model, x, G.point, getattr(G, out))["worst"] < 1e-10


def test_weighted_frames_are_continuous_where_principal_ones_jump():
    """Two sides of an eigenvalue crossing, 1e-6 apart."""
    base = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0.3, 0.2, 1], [-0.3, -0.2, -1]], dtype=F64)
    x = base + 0.0
    step = torch.zeros_like(x)
    step[0, 0], step[1, 0] = 1e-6, -1e-6
    other = torch.zeros_like(x)
    other[2, 1], other[3, 1] = 1e-6, -1e-6
    turn = er.SO(3).sample(dtype=F64, generator=torch.Generator().manual_seed(5))
    sides = torch.stack([(x + step) @ turn.T, (x + other) @ turn.T])
    net = Net(6, 3, (1,)).double()
    smooth = er.symmetrize(net, er.SO(3).vector, er.SO(3).scalar, frame=Pairs())(sides)
    assert (smooth[0] - smooth[1]).abs() < 1e-4


def test_pairs_in_the_plane():
    check_frame(Pairs(), er.SO(2).vector)
    check_frame(Pairs(), er.O(2).vector)
    check_frame(Pairs(), er.E(2).point)


# ---- cheaper and stochastic ----


def test_sign_fixed_evaluates_once():
    calls = []

    class Count(nn.Module):
        def forward(self, x):
            calls.append(len(x))
            return x.sum((1, 2), keepdim=False)[:, None]

    er.symmetrize(Count(), er.E(3).point, er.E(3).scalar, frame=SignFixed())(cloud(7, 5, 3))
    assert calls == [7]


def test_an_axis_without_skewness_gets_both_signs():
    """Flat and mirror-symmetric clouds beside a generic one: exact all the same, and as the full frame where nothing is skewed."""
    flat = cloud(1, 5, 3) * torch.tensor([1.0, 1.0, 0.0], dtype=F64)
    half = cloud(1, 5, 3, seed=2)[:, :2]
    even = torch.cat([half, -half, torch.zeros(1, 1, 3, dtype=F64)], 1)
    x = torch.cat([flat, even, cloud(1, 5, 3, seed=3)])
    for G in (er.E(3), er.SE(3)):
        net = Net(5, 3, (5, 3)).double()
        model = er.symmetrize(net, G.point, G.vector, frame=SignFixed())
        assert er.equivariance_error(model, x, G.point, G.vector)["worst"] < 1e-10
        found = model.frames(x)
        assert (found.weights > 0).sum(1).tolist() == ([2, 8, 1] if isinstance(G, er.E) else [1, 4, 1])
        whole = er.symmetrize(net, G.point, G.vector, frame=Principal())
        assert torch.allclose(model(x)[1], whole(x)[1], atol=1e-12)
        assert model.frames(x[2:]).elements.shape[1] == 1


def test_stochastic_draws_average_to_the_whole_frame():
    group, x = er.E(3), cloud(1, 6, 3)
    net = Net(6, 3, (1,)).double()
    whole = er.symmetrize(net, group.point, group.scalar, frame=Principal())(x)
    frame = Stochastic(Principal(), generator=torch.Generator().manual_seed(0))
    model = er.symmetrize(net, group.point, group.scalar, frame=frame)
    model.train()
    draws = model(x.expand(20_000, -1, -1))
    assert abs(float((draws.mean() - whole).detach())) < 4 * float(draws.std().detach()) / math.sqrt(20_000)
    model.eval()
    assert torch.allclose(model(x), whole)
    again = er.symmetrize(
        net, group.point, group.scalar, frame=Stochastic(Principal(), generator=torch.Generator().manual_seed(0))
    ).train()
    first = er.symmetrize(
        net, group.point, group.scalar, frame=Stochastic(Principal(), generator=torch.Generator().manual_seed(0))
    ).train()
    assert torch.equal(again(x.expand(9, -1, -1)), first(x.expand(9, -1, -1)))


# ---- Lorentz ----


def jets(count, particles, seed=0):
    """Massless momenta, nearly parallel, zero-padded."""
    rng = torch.Generator().manual_seed(seed)
    pt = 300 * torch.rand(count, particles, generator=rng, dtype=F64) ** 4 + 1
    eta, phi = 0.3 * torch.randn(2, count, particles, generator=rng, dtype=F64)
    p = torch.stack([pt * torch.cosh(eta), pt * phi.cos(), pt * phi.sin(), pt * torch.sinh(eta)], -1)
    return torch.cat([p, torch.zeros(count, 3, 4, dtype=F64)], 1)


@pytest.mark.parametrize(
    "group",
    [
        er.SO(1, 3, connected=True),
        er.SO(1, 3),
        er.O(1, 3),
        er.SO(3, 1),
        er.SO(2, 2),
        er.Isometries(torch.diag(torch.tensor([2.0, -1, -1, -1.5]))),
    ],
    ids=str,
)
def test_lorentz_frames_on_jets(group):
    x = jets(64, 12)
    if str(group) == "SO(3,1)":
        x = x.roll(-1, -1)
    if "of a form" in str(group):
        x = cloud(64, 12, 4) + torch.tensor([6.0, 0, 0, 0], dtype=F64)
    model = er.symmetrize(Net(x.shape[1], 4, (2,)).double(), group.vector, group.scalar)
    assert isinstance(model.frame, GramSchmidt)
    found = model.frames(x).elements
    assert group.contains(found, 1e-8).all()
    error = er.equivariance_error(model, x / 100, group.vector, group.scalar, scale=math.acosh(5))
    assert error["worst"] < 1e-9
    assert error["mean"] < 1e-11


def test_two_particles_are_enough_for_invariants():
    group, x = er.SO(1, 3, connected=True), jets(64, 2)[:, :2] / 100
    model = er.symmetrize(Net(2, 4, (1,)).double(), group.vector, group.scalar)
    assert er.equivariance_error(model, x, group.vector, group.scalar, scale=1.0)["mean"] < 1e-10


def test_lorentz_vectors_come_back():
    group = er.SO(1, 3, connected=True)
    x = cloud(16, 6, 4) + torch.tensor([5.0, 0, 0, 0], dtype=F64)
    model = er.symmetrize(Net(6, 4, (6, 4)).double(), group.vector, group.vector)
    assert er.equivariance_error(model, x, group.vector, group.vector, scale=1.0)["worst"] < 1e-10


# ---- circles ----


def test_phase_serves_circles_in_any_representation():
    G = er.SO(2)
    for rep in (G.vector, 3 * G.vector, G.irrep(2) + G.irrep(4), G.vector + G.scalar + G.irrep(3)):
        model = er.symmetrize(Net(2, rep.dim, (2, rep.dim)).double(), rep, rep, frame=Phase())
        assert er.equivariance_error(model, cloud(8, 2, rep.dim), rep, rep)["worst"] < 1e-11
    assert "rational" in Phase().refuse(
        er.MatrixGroup(algebra=torch.block_diag(*[w * torch.tensor([[0.0, -1], [1, 0]]) for w in (1.0, math.sqrt(2))])[None]).vector
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_circles_whose_slow_coordinates_vanish(dtype):
    """A datum whose first vector, or lowest frequency, is zero: others turn, too; one that nothing turns has vectors of zero."""
    G = er.SO(2)
    fast = G.irrep(2) + G.irrep(3)
    cases = {
        "first vector": (G.vector, torch.tensor([[[0.0, 0.0], [1.0, 0.5], [-0.3, 2.0]]])),
        "first vector is rounding": (G.vector, torch.tensor([[[1e-9, -1e-9], [1.0, 0.5], [-0.3, 2.0]]])),
        "lowest frequency": (fast, torch.tensor([[[0.0, 0.0, 1.0, 0.4]]])),
        "both": (fast, torch.tensor([[[0.7, 0.1, 1.0, 0.4]]])),
        "nothing": (fast, torch.tensor([[[0.0, 0.0, 0.0, 0.0]]])),
    }
    if dtype == torch.float64:
        cases.pop("first vector is rounding")
    for name, (rep, x) in cases.items():
        x = x.to(dtype).expand(20, -1, -1)
        g = G.sample(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
        for out in (G.scalar, G.vector, G.irrep(3)):
            torch.manual_seed(0)
            model = er.symmetrize(Net(x.shape[1], rep.dim, (1, out.dim)).to(dtype), rep, out, frame=Phase(), check=False)
            error = (model(rep.act(g, x)) - out.act(g, model(x))).abs().max()
            assert error < 100 * torch.finfo(dtype).eps, (name, str(out))
        if name == "nothing":
            assert model(x).abs().max() < 10 * torch.finfo(dtype).eps
    inp = er.actions.Record({"a": G.vector, "b": G.vector})
    x = {"a": torch.zeros(3, 2, dtype=dtype), "b": torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], dtype=dtype)}
    found = Phase()(inp, x)
    first, second = (row[weights > 0] for row, weights in zip(found.elements[:2], found.weights))
    assert torch.allclose(second @ first.mT, torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=dtype), atol=1e-6)
    assert Phase()(G.vector, torch.zeros(0, 2, dtype=dtype)).elements.shape[0] == 0


# ---- the wrapper ----


@pytest.mark.parametrize(
    ("frame", "inp"),
    [
        (AllElements(), er.Symmetric(4).vector),
        (AllElements(), er.Dihedral(5).irrep(1)),
        (Principal(), er.SE(3).point),
        (Principal(), er.O(4).vector),
        (SignFixed(), er.E(3).point),
        (Pairs(), er.SE(3).point),
        (GramSchmidt(), er.SO(3).vector),
        (GramSchmidt(), er.SE(2).point),
        (Phase(), 2 * er.SO(2).vector),
        (Stochastic(Principal()), er.SE(3).point),
        (Haar(4), er.SO(3).vector),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, er.Frame) else str(v),
)
def test_every_shipped_frame_passes_the_public_check(frame, inp):
    check_frame(frame, inp)


def test_chunks_do_not_change_the_result():
    group, x = er.E(3), cloud(4, 6, 3)
    net = Net(6, 3, (6, 3)).double()
    whole = er.symmetrize(net, group.point, group.point)(x)
    for chunk in (1, 3, 8):
        assert torch.allclose(er.symmetrize(net, group.point, group.point, chunk=chunk)(x), whole, atol=1e-14)


def test_masks_agree_with_shorter_clouds():
    G = er.SE(3)

    class Sum(nn.Module):
        def forward(self, data):
            w = data["mask"].to(data["pos"].dtype)[..., None]
            return torch.tanh((w * data["pos"]) @ torch.tensor([1.0, 2.0, -0.5], dtype=F64)).sum(1, keepdim=True)

    inp = {"pos": G.point, "mask": PerDatum(G)}
    x = cloud(3, 9, 3)
    mask = torch.arange(9) < torch.tensor([[9], [6], [4]])
    for frame in (Principal(weights="mask"), Pairs(weights="mask")):
        model = er.symmetrize(Sum(), inp, G.scalar, frame=frame)
        together = model({"pos": x, "mask": mask})
        for i, n in enumerate((9, 6, 4)):
            alone = model({"pos": x[i : i + 1, :n], "mask": mask[i : i + 1, :n]})
            assert torch.allclose(together[i], alone[0], atol=1e-12)
    with pytest.raises(ArgumentError, match=r"'mask'.*none in datum 1"):
        Principal(weights="mask")(er.Record(inp), {"pos": x, "mask": mask & (torch.arange(3) != 1)[:, None]})


def test_agrees_with_the_peer_where_the_peer_is_right():
    peer = pytest.importorskip("frame_averaging_pytorch")
    group, x = er.E(3), cloud(6, 20, 3)
    net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer.FrameAverage(net, dim=3)(x) + x.mean(1, keepdim=True)
    assert torch.allclose(er.symmetrize(net, group.point, group.point)(x), theirs, atol=1e-12)


def test_gradients():
    group = er.E(3)
    model = er.symmetrize(Net(5, 3, (1,)).double(), group.point, group.scalar, frame=Principal(grad=True))
    x = cloud(2, 5, 3).requires_grad_()
    assert torch.autograd.gradcheck(model, (x,))
    g = group.sample(2, dtype=F64)
    (here,) = torch.autograd.grad(model(x).sum(), x)
    moved = group.point.act(g, x).detach().requires_grad_()
    (there,) = torch.autograd.grad(model(moved).sum(), moved)
    assert torch.allclose(there, group.vector.act(g, here), atol=1e-9)


def test_state_functional_calls_autocast_and_compile():
    group, x = er.SE(3), torch.randn(4, 6, 3)
    net = Net(6, 3, (1,))
    model = er.symmetrize(net, group.point, group.scalar, frame=Principal(degenerate="ignore"))
    assert {name.removeprefix("model.") for name in model.state_dict()} == set(net.state_dict())
    params = {name: torch.stack([p, 2 * p]) for name, p in model.named_parameters()}
    both = torch.func.vmap(lambda p: torch.func.functional_call(model, p, (x,)))(params)
    assert torch.allclose(both[0], model(x), atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).isfinite().all()
    compiled = torch.compile(model, backend="eager")
    assert torch.allclose(compiled(x), model(x), atol=1e-5)


def test_several_arguments_and_keywords():
    G = er.E(3)

    class Step(nn.Module):
        def forward(self, pos, vel, scale=1.0):
            return pos + scale * torch.tanh(vel) @ torch.arange(9, dtype=F64).view(3, 3)

    x, v = cloud(4, 5, 3), cloud(4, 5, 3, seed=1)
    model = er.symmetrize(Step(), (G.point, G.vector), G.point)
    assert er.equivariance_error(model, (x, v), (G.point, G.vector), G.point)["worst"] < 1e-10
    named = er.symmetrize(Step(), {"pos": G.point, "vel": G.vector}, G.point)
    assert torch.allclose(named(pos=x, vel=v, scale=0.5), model(x, v, scale=0.5))


def test_errors_name_what_is_wrong():
    G = er.E(3)
    net = Net(5, 3, (1,)).double()
    model = er.symmetrize(net, G.point, G.scalar)
    with pytest.raises(ArgumentError, match=r"shape \(2, 5, 4\)"):
        model(torch.zeros(2, 5, 4))
    with pytest.raises(ArgumentError, match="at least one point"):
        model(torch.zeros(2, 0, 3))
    with pytest.raises(ArgumentError, match="finite"):
        model(torch.full((2, 5, 3), math.nan))
    with pytest.raises(ArgumentError, match="'out'"):
        er.symmetrize(net, G.point, er.SO(3).scalar)
    with pytest.raises(ArgumentError, match="Principal.*GramSchmidt.*Phase"):
        er.symmetrize(net, er.SL(3).vector, er.SL(3).scalar)
    with pytest.raises(ArgumentError, match=r"Haar\(k\)"):
        er.symmetrize(net, er.SO(3).vector ** 2, er.SO(3).scalar)
    with pytest.raises(ArgumentError, match="not compact"):
        er.symmetrize(net, er.SL(3).vector, er.SL(3).scalar, frame=Haar(3))
    with pytest.raises(ArgumentError, match="'model'"):
        er.symmetrize(nn.Flatten(0), G.point, G.vector)(cloud(2, 5, 3))
    with pytest.raises(ArgumentError, match="'out'"):
        er.symmetrize(Net(5, 3, (5, 2)).double(), G.point, G.vector)(cloud(2, 5, 3))
    with pytest.raises(ArgumentError, match="'frame'"):
        er.symmetrize(net, G.point, G.scalar, frame="principal")
    with pytest.raises(ArgumentError, match="'pos'"):
        er.symmetrize(net, {"pos": G.point}, G.scalar)(vel=cloud(2, 5, 3))


def test_a_frame_of_ones_own():
    class First(er.Frame):
        def forward(self, inp, x):
            return Weighted(inp.group.identity(len(x), 1, dtype=x.dtype))

    with pytest.raises(AssertionError, match="averages are invariant"):
        check_frame(First(), er.SO(3).vector)


def test_wrong_frames_and_models_are_refused_when_wrapped():
    class First(er.Frame):
        def forward(self, inp, x):
            return Weighted(inp.group.identity(len(x), 1, dtype=x.dtype))

    G = er.SO(3)
    with pytest.raises(ArgumentError, match="'frame'.*relative error"):
        er.symmetrize(torch.nn.Identity(), G.vector, G.vector, frame=First())
    er.symmetrize(torch.nn.Identity(), G.vector, G.vector, frame=First(), check=False)

    class OverTheBatch(torch.nn.Module):
        def forward(self, x):
            return x * x.square().mean()

    x = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0))
    er.symmetrize(torch.nn.Identity(), G.vector, G.vector, example=x)
    with pytest.raises(ArgumentError, match="rest of the batch"):
        er.symmetrize(OverTheBatch(), G.vector, G.vector, example=x)


def test_frames_may_ask_for_losses():
    class Asking(er.frames.Principal):
        def forward(self, inp, x):
            return super().forward(inp, x)._replace(losses={"margin": x.square().mean()})

    G = er.SO(3)
    model = er.symmetrize(torch.nn.Identity(), G.vector, G.vector, frame=Asking())
    x = torch.randn(6, 5, 3)
    y, losses = model.with_losses(x)
    assert torch.equal(y, model(x))
    assert losses["margin"] == x.square().mean()
    assert er.symmetrize(torch.nn.Identity(), G.vector, G.vector).with_losses(x)[1] == {}
    few = er.symmetrize(torch.nn.Identity(), G.vector, G.vector, frame=er.frames.Stochastic(Asking())).train()
    assert few.frames(x).elements.shape[1] == 1
    assert few.with_losses(x)[1].keys() == {"margin"}


def test_a_missing_part_of_the_output_is_the_model_s():
    G, x = er.Cyclic(4), torch.randn(2, 4)
    model, out = (lambda x: {"energies": x}), {"energy": G.scalar}
    for ask in (lambda: er.symmetrize(Named(model), G.vector, out)(x), lambda: er.equivariance_error(model, x, G.vector, out)):
        with pytest.raises(ArgumentError, match="'model': expected outputs of the structure .*energy.*; got {'energies'}"):
            ask()
    with pytest.raises(ArgumentError, match="'x': expected data of the structure"):
        er.Record({"pos": G.vector}).act(G.sample(), {"position": x})


class Named(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)
