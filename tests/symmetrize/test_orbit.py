"""Orbit distances, the generators of matrices, and the frame made of them."""

import math
import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.groups import SL, SO, Cyclic, GLplus, MatrixGroup, O, Scalings, Sp
from erlangen.symmetrize import Haar, Orbit, OrbitDistance, Shifted, orbit_distance
from erlangen.symmetrize.generators import Equivariant, InOrder, RingMoments, Scalar, cross, scaled
from erlangen.symmetrize.orbit import with_products

F64 = torch.float64
LORENTZ = SO(1, 3, connected=True)


def normal(*shape, seed=0, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Net(nn.Module):
    """A network without any symmetry."""

    def __init__(self, inputs, shape):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, 32), nn.Tanh(), nn.Linear(32, math.prod(shape)), nn.Unflatten(1, shape)
        )

    def forward(self, x):
        return self.layers(x)


# ---- the distance ----


def test_reflections_and_reversals():
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=F64))
    assert float(orbit_distance(mirror, SO(2), p=1)) == 0.5
    assert float(orbit_distance(mirror, O(2), p=1)) == 0.0
    reversal = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=F64))
    assert float(orbit_distance(reversal, O(1, 3))) == 0.0
    assert float(orbit_distance(reversal, LORENTZ)) > 0.1
    # Both reversed: the determinant is one, only the direction of time tells.
    assert float(orbit_distance(-torch.eye(4), SO(1, 3))) == 0.0
    assert float(orbit_distance(-torch.eye(4), LORENTZ)) == pytest.approx(2.0)


@pytest.mark.parametrize("group", [SO(2), SO(3), O(3), O(1, 3), LORENTZ, Sp(4), SL(2), SL(3), GLplus(2)], ids=str)
def test_vanishes_on_the_group_and_nowhere_near_it(group):
    g = group.sample(100, generator=torch.Generator().manual_seed(0), dtype=F64)
    members = g[torch.linalg.det(g) > 0.1] if isinstance(group, GLplus) else g  # small determinants are kept away from, too
    assert float(orbit_distance(members, group, reduction="none").max()) <= 1e-9
    if not isinstance(group, GLplus):
        off = g @ (torch.eye(group.n, dtype=F64) + 0.1 * normal(100, group.n, group.n))
        assert float(orbit_distance(off, group, reduction="none").min()) > 1e-7
        moved = group.sample(100, dtype=F64) @ off
        if group is not LORENTZ:
            assert torch.allclose(orbit_distance(moved, group), orbit_distance(off, group), rtol=1e-6)


@pytest.mark.parametrize("group", [O(3), SO(2), O(1, 3), LORENTZ, Sp(4), SL(3)], ids=str)
def test_gradients_and_zero(group):
    distance = OrbitDistance(group)
    m = normal(2, group.n, group.n).requires_grad_()
    assert torch.autograd.gradcheck(distance, m)
    zero = torch.zeros(group.n, group.n, requires_grad=True)
    distance(zero).backward()
    assert bool(zero.grad.isfinite().all())


def test_is_a_surrogate_of_the_frobenius_distance():
    rng = torch.Generator().manual_seed(0)
    g = O(3).sample(1000, generator=rng, dtype=F64)
    size = torch.logspace(-8, -1, 1000, dtype=F64)[:, None, None]
    m = g + size * torch.randn(1000, 3, 3, generator=rng, dtype=F64)
    exact = (m - er.groups.project(O(3), m)).flatten(1).norm(dim=1)
    root = orbit_distance(m, O(3), reduction="none").sqrt()
    ratio = root / exact
    # |M^T M - 1| is about 2 |M - P|, and the mean over nine entries is smaller than their sum.
    assert 0.3 < float(ratio.min()) <= float(ratio.max()) < 2


def test_finite_groups_by_their_elements():
    quarter = MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    assert float(orbit_distance(1.5 * torch.eye(2), quarter)) == pytest.approx(0.5)


def test_warnings():
    with pytest.warns(UserWarning, match="dimensions more"):
        OrbitDistance(Scalings(2))
    half = MatrixGroup(algebra=er.groups.so_basis(3)[:2])
    with pytest.warns(UserWarning, match="not closed.*by 1"), pytest.warns(UserWarning, match="dimensions more"):
        OrbitDistance(half)


# ---- generators ----


@pytest.mark.parametrize("group", [SO(2), O(2), SO(3), SO(4), O(1, 3), SO(1, 3), LORENTZ, Sp(4), SL(2), SL(3), GLplus(2)], ids=str)
def test_generators_are_equivariant(group):
    net = Scalar(group, 5).double()
    y, g = normal(50, 5, group.n), group.sample(50, generator=torch.Generator().manual_seed(1), dtype=F64)
    wanted = (g @ net(y)).detach()
    error = (net(group.vector.act(g, y)) - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
    assert error.max() <= 1e-9


@pytest.mark.parametrize(("group", "larger"), [(SO(2), O(2)), (SO(3), O(3)), (LORENTZ, O(1, 3)), (SO(1, 3), O(1, 3))], ids=str)
def test_and_not_more_equivariant_than_the_group(group, larger):
    net = Scalar(group, 5).double()
    y = normal(50, 5, group.n)
    outside = larger.sample(50, generator=torch.Generator().manual_seed(2), dtype=F64)
    outside = outside[~group.contains(outside)]
    wanted = outside @ net(y[: len(outside)])
    error = (net(y[: len(outside)] @ outside.mT) - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
    assert error.median() > 1e-3


def test_the_other_generators():
    emlp = Equivariant(SO(3), 4, channels=8).double()
    y, g = normal(20, 4, 3), SO(3).sample(20, dtype=F64)
    assert torch.allclose(emlp(SO(3).vector.act(g, y)), g @ emlp(y), atol=1e-10)
    assert torch.allclose(cross(y[:, :2]), torch.linalg.cross(y[:, 0], y[:, 1]))
    four = normal(20, 4, 4)
    assert torch.allclose((cross(four[:, :3]) * four[:, 3]).sum(-1), torch.linalg.det(four))


def test_indefinite_gram_schmidt():
    group, net = O(1, 3), InOrder(O(1, 3), 4)
    x = normal(300, 4, 4)
    x = x[torch.linalg.cond(x) < 20]
    a = net(x)
    eta = group.form
    assert float((a.mT @ eta @ a - eta).abs().amax((-2, -1)).quantile(0.95)) <= 1e-9
    g = group.sample(len(x), generator=torch.Generator().manual_seed(1), dtype=F64)
    moved = net(x @ g.mT)
    assert float(((moved - g @ a).flatten(1).norm(dim=1) / moved.flatten(1).norm(dim=1)).quantile(0.95)) <= 1e-9
    # Euclidean: the orthogonal factor of a QR decomposition, with a positive diagonal.
    q, r = torch.linalg.qr(x.mT)
    assert torch.allclose(InOrder(O(4), 4)(x), q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2), atol=1e-9)


def test_moments_turn_with_the_image():
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=F64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64)
    moved = Images(SO(2).vector).act(quarter.expand(3, 2, 2), x)
    assert torch.allclose(RingMoments()(moved), RingMoments()(x) @ quarter.T, atol=1e-12)


# ---- the frame: exactness, whether or not the matrices lie in the group ----


@pytest.mark.parametrize("noise", ["none", "invariant"])
@pytest.mark.parametrize("group", [O(3), SO(2), O(1, 3), LORENTZ, Sp(4)], ids=str)
def test_untrained_models_are_exactly_symmetric(group, noise):
    n, own = group.n, group.n + 1
    more = {} if noise == "none" else {"noise": "invariant", "samples": 3}
    frame = Orbit(Scalar(group, own if noise == "none" else 2 * own), project="none", **more)
    x = normal(40, own, n)
    g = group.sample(40, generator=torch.Generator().manual_seed(1), dtype=F64)
    for out, shape in ((group.scalar, (1,)), (group.vector, (2, n)), (group.tensor(2), (n * n,))):
        model = er.symmetrize(Net(own * n, shape), group.vector, out, frame=frame).double().eval()
        found = []
        for data in (group.vector.act(g, x), x):
            torch.manual_seed(5)  # the same noise numbers
            found.append(model(data))
        wanted = out.act(g, found[1])
        error = (found[0] - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
        assert float(error.max()) <= 1e-8
        # ... although no matrix is in the group.
        info = model.frames(x).info
        assert float(info["residual"].min()) > 1e-3
        assert float(info["orbit_distance"].mean()) > 1e-2
    t = normal(40, n * n)
    assert torch.allclose(group.tensor(2).act(g, t), (g @ t.unflatten(1, (n, n)) @ g.mT).flatten(1))


def test_groups_without_a_form_take_the_inverse():
    group = SL(3)
    model = er.symmetrize(Net(12, (3,)), group.vector, group.vector, frame=Orbit(Scalar(group, 4))).double()
    x, g = normal(20, 4, 3), group.sample(20, dtype=F64)
    assert torch.allclose(model(group.vector.act(g, x)), group.vector.act(g, model(x)), rtol=1e-7, atol=1e-7)
    with pytest.raises(ArgumentError, match="singular"):
        model(torch.zeros(2, 4, 3, dtype=F64))


def test_points_of_an_affine_group():
    group = er.SE(3)
    model = er.symmetrize(Net(12, (1,)), group.point, group.scalar, frame=Orbit(Scalar(SO(3), 4))).double()
    x, g = normal(20, 4, 3), group.sample(20, dtype=F64)
    assert torch.allclose(model(group.point.act(g, x)), model(x), atol=1e-9)


def test_images_under_quarter_turns():
    reader = RingMoments()
    frame = Orbit(Scalar(SO(2), reader.vectors), reader=reader)
    model = er.symmetrize(Net(784, (3,)), Images(SO(2).vector), SO(2).scalar, frame=frame, check=False).double()
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=F64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64).expand(4, 2, 2)
    assert torch.allclose(model(Images(SO(2).vector).act(quarter, x)), model(x), atol=1e-10)


# ---- noise ----


def test_noise_of_given_products():
    x, c = normal(5, 4, 4), normal(5, 3, 2, 4, seed=1)
    eta = O(1, 3).form
    z = with_products(c, x, eta)
    assert torch.allclose(z @ eta @ x.unsqueeze(1).mT, c, atol=1e-9)
    g = O(1, 3).sample(5, dtype=F64)
    assert torch.allclose(with_products(c, x @ g.mT, eta), z @ g.unsqueeze(1).mT, atol=1e-8)
    assert bool((with_products(c, torch.zeros_like(x), eta) == 0).all())


def test_shared_noise_moves_the_samples_along():
    net = Scalar(SO(3), 7).double()
    y, g = normal(6, 1, 4, 3).expand(6, 20, 4, 3), SO(3).sample(6, dtype=F64)
    z = nn.functional.normalize(normal(6, 20, 3, 3, seed=3), dim=-1)
    both = torch.cat([y, z], -2)
    assert torch.allclose(net(both @ g[:, None].mT), g[:, None] @ net(both), atol=1e-10)
    frame = Orbit(Scalar(O(1, 3), 8), noise="invariant", samples=20, project="none").double()
    x, g = normal(6, 4, 4), O(1, 3).sample(6, dtype=F64)
    torch.manual_seed(1)
    here = frame(O(1, 3).vector, x).elements
    torch.manual_seed(1)
    there = frame(O(1, 3).vector, x @ g.mT).elements
    assert here.shape == (6, 20, 4, 4)
    assert float(here.std(1).mean()) > 1e-3
    assert torch.allclose(there, g[:, None] @ here, rtol=1e-8, atol=1e-8)


def test_the_estimators_variance_falls_as_one_over_samples():
    group = SO(2)
    rng = torch.Generator().manual_seed(0)
    frame = Orbit(Scalar(group, 6), noise="circle", samples=1, eval_samples=1, project="none", rng=rng)
    model = er.symmetrize(Net(6, (1,)), group.vector, group.scalar, frame=frame, check=False).double().eval()
    x = normal(1, 3, 2).expand(400, 3, 2)
    counts, variances = [1, 4, 16, 64, 256], []
    for k in counts:
        frame.eval_samples = k
        with torch.no_grad():
            variances.append(float(model(x).var()))
    logs = torch.tensor([[math.log(k), math.log(v)] for k, v in zip(counts, variances)], dtype=F64)
    centred = logs - logs.mean(0)
    slope = float((centred[:, 0] * centred[:, 1]).sum() / centred[:, 0].square().sum())
    assert slope == pytest.approx(-1, abs=0.1)


# ---- towards the group ----


def fit(group, steps, p=2.0, batch=500, **options):
    torch.manual_seed(0)
    net, distance = Scalar(group, group.n, width=256, layers=3, **options), OrbitDistance(group, p)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = distance(net(torch.randn(batch, group.n, group.n))).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return distance(net(torch.randn(4000, group.n, group.n)))


def test_a_short_training_brings_the_plane_to_the_group():
    assert float(fit(SO(2), 200, batch=200).mean()) <= 1e-4


@pytest.mark.slow
def test_training_on_the_distance_alone():
    assert float(fit(SO(2), 3000).mean()) <= 1e-4
    assert float(fit(O(3), 3000).median()) <= 1e-2
    assert float(fit(O(3), 3000, newton_schulz=3).median()) <= 1e-3
    group = O(1, 3)
    torch.manual_seed(0)
    with torch.no_grad():
        start = OrbitDistance(group)(Scalar(group, 4, width=256, layers=3)(torch.randn(4000, 4, 4))).mean()
    assert float(fit(group, 3000).mean()) <= float(start) / 3


def test_a_shifted_frame_is_on_the_group_from_the_start():
    group = O(1, 3)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 6))
    base = Orbit(InOrder(group, 4), project="none", keep=0.0)
    model = er.symmetrize(Net(16, (4,)), group.vector, group.vector, frame=Shifted(base, net, largest=0.5)).double()
    x = normal(200, 4, 4)
    x = x[torch.linalg.cond(x) < 10]
    distance = orbit_distance(model.frames(x).elements, group, reduction="none")
    assert float(distance.quantile(0.9)) <= 1e-10
    g = group.sample(len(x), generator=torch.Generator().manual_seed(2), dtype=F64)
    error = (model(x @ g.mT) - group.vector.act(g, model(x))).norm(dim=1) / model(x).norm(dim=1)
    assert float(error.median()) <= 1e-8


def test_projection_modes():
    group = O(3)
    x = normal(32, 4, 3)
    on = {}
    for mode in ("none", "eval", "always", "auto"):
        torch.manual_seed(0)
        frame = Orbit(Scalar(group, 4), project=mode).double()
        on[mode] = [bool(group.contains(frame.train(train)(group.vector, x).elements).all()) for train in (True, False)]
    assert on == {"none": [False, False], "eval": [False, True], "always": [True, True], "auto": [False, False]}
    # Near the group, "auto" starts once training has seen it: in-generator steps bring these matrices there.
    torch.manual_seed(0)
    frame = Orbit(Scalar(group, 4, newton_schulz=12), project="auto").double()
    assert not bool(group.contains(frame.eval()(group.vector, x).elements, 1e-13).all())
    for _ in range(40):
        frame.train()(group.vector, normal(200, 4, 3, seed=7))
    found = frame.eval()(group.vector, x)
    near = found.info["residual"][:, 0] < 0.1
    assert float(near.double().mean()) > 0.9
    assert bool(group.contains(found.elements[near], 1e-13).all())
    x.requires_grad_()
    frame.train()(group.vector, x).elements.square().sum().backward()
    assert bool(x.grad.isfinite().all())


def test_matrices_are_in_the_component_of_the_group_from_the_start():
    """Of special groups none is a reflection; of O(n) some are."""
    for group in (SO(2), SO(3), SO(1, 3)):
        torch.manual_seed(0)
        x = normal(300, 4, group.n)
        raw = Scalar(group, 4).double()
        m = Orbit(raw, project="none").double()(group.vector, x).elements
        assert bool((torch.linalg.det(m) > 0).all())
        assert bool((torch.linalg.det(raw(x)) < 0).any())
        g = group.sample(300, generator=torch.Generator().manual_seed(1), dtype=F64)
        there = Orbit(raw, project="none").double()(group.vector, x @ g.mT).elements[:, 0]
        assert torch.allclose(there, g @ m[:, 0], atol=1e-8)
    torch.manual_seed(0)
    assert bool((torch.linalg.det(Orbit(Scalar(O(3), 4)).double()(O(3).vector, normal(300, 4, 3)).elements) < 0).any())


def test_a_projection_that_never_engaged_is_told_once():
    """A frozen classifier pulls the matrices off the group: its images are sheared, which no longer goes without a word."""
    torch.manual_seed(0)
    reader, plane = RingMoments(), Images(SO(2).vector)
    x = torch.rand(64, 1, 12, 12)
    frame = Orbit(Scalar(SO(2), reader.vectors), reader=reader)
    model = er.symmetrize(nn.Sequential(nn.Flatten(), nn.Linear(144, 2)), plane, SO(2).scalar, frame=frame, check=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing was trained yet
        model.eval()(x)
        model.train()(x)
    model.eval()
    with pytest.warns(UserWarning, match="has projected nothing.*sheared.*project='always'"):
        model(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(x)


def test_losses_train_through_the_model():
    torch.manual_seed(0)
    model = er.symmetrize(Net(16, (1,)), O(1, 3).vector, O(1, 3).scalar, frame=Orbit(Scalar(O(1, 3), 4), weight=2.0, keep=0.5))
    x = normal(16, 4, 4, dtype=torch.float32)
    _, losses = model.with_losses(x)
    assert set(losses) == {"orbit_distance", "kept_products"}
    assert float(losses["orbit_distance"]) == pytest.approx(2 * float(model.frames(x).info["orbit_distance"].mean()), rel=1e-5)
    sum(losses.values()).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.frame.parameters())
    # What was on the group loses nothing: the products are kept.
    exact = Orbit(InOrder(O(1, 3), 4), project="none")
    assert all(float(v) < 1e-8 for v in exact(O(1, 3).vector, normal(3, 4, 4, seed=4)).losses.values())


def test_saves_and_loads(tmp_path):
    from safetensors.torch import load_file, save_file

    def make():
        return er.symmetrize(Net(16, (1,)), O(1, 3).vector, O(1, 3).scalar, frame=Orbit(Scalar(O(1, 3), 4)), check=False)

    one = make()
    with torch.no_grad():
        for p in one.parameters():
            p.add_(0.1 * torch.randn_like(p))
    save_file(one.state_dict(), tmp_path / "model.safetensors")
    two = make()
    two.load_state_dict(load_file(tmp_path / "model.safetensors"))
    x = normal(4, 4, 4, dtype=torch.float32)
    assert torch.equal(one.eval()(x), two.eval()(x))


@pytest.mark.parametrize("noise", ["none", "invariant"])
def test_exports(noise):
    more = {} if noise == "none" else {"noise": noise, "eval_samples": 5}
    frame = Orbit(Scalar(LORENTZ, 4 if noise == "none" else 8), **more)
    model = er.symmetrize(Net(16, (1,)), LORENTZ.vector, LORENTZ.scalar, frame=frame, check=False).eval()
    x = normal(4, 4, 4, dtype=torch.float32)
    exported = torch.export.export(model, (x,)).module()
    found = []
    for call in (exported, model):
        torch.manual_seed(0)
        found.append(call(x))
    assert torch.allclose(*found, atol=1e-5)


# ---- bad input ----


def test_refusals():
    net = Scalar(O(1, 3), 8)
    for arguments, message in [
        ({"samples": 0}, "samples"), ({"samples": 2}, "without noise"), ({"eval_samples": 0, "noise": "invariant"}, "eval_samples"),
        ({"project": "sometimes"}, "project"), ({"noise": "white"}, "noise"), ({"noise": "circle"}, "no invariant law"),
        ({"weight": -1.0}, "weight"), ({"p": 0.5}, "power"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            Orbit(net, **arguments)
    with pytest.raises(ArgumentError, match="generator"):
        Orbit(nn.Linear(3, 3))
    with pytest.raises(ArgumentError, match="keeps no form"):
        Orbit(Scalar(SL(3), 8), noise="invariant")
    with pytest.raises(ArgumentError, match="group of matrices"):
        Scalar(Cyclic(4), 3)
    with pytest.raises(ArgumentError, match="not orthogonal"):
        Scalar(O(1, 3), 4, newton_schulz=3)
    with pytest.raises(ArgumentError, match="reduction"):
        orbit_distance(torch.eye(3), SO(3), reduction="sum")


def test_refusals_of_data():
    noisy = Orbit(Scalar(O(1, 3), 8), noise="invariant")
    with pytest.raises(ArgumentError, match="at least 4 vectors"):
        noisy(O(1, 3).vector, torch.randn(2, 3, 4))
    with pytest.raises(ArgumentError, match="room for noise"):
        noisy(O(1, 3).vector, torch.randn(2, 8, 4))
    with pytest.raises(ArgumentError, match="8 vectors"):
        Orbit(Scalar(O(1, 3), 8))(O(1, 3).vector, torch.randn(2, 3, 4))
    with pytest.raises(ArgumentError, match=r"one of O\(1,3\)"):
        er.symmetrize(Net(9, (1,)), SO(3).vector, SO(3).scalar, frame=Orbit(Scalar(O(1, 3), 4)))
    with pytest.raises(ArgumentError, match="no part"):
        er.symmetrize(Net(9, (1,)), SO(3).tensor(2), SO(3).scalar, frame=Orbit(Scalar(SO(3), 4)))
    with pytest.raises(ArgumentError, match="reader"):
        er.symmetrize(Net(9, (1,)), Images(SO(2).vector), SO(2).scalar, frame=Orbit(Scalar(SO(2), 4)))
    # Averages over a group that is not compact have no measure to be taken by.
    with pytest.raises(ArgumentError, match="no uniform probability measure"):
        er.symmetrize(Net(16, (1,)), O(1, 3).vector, O(1, 3).scalar, frame=Haar(4))


def test_no_warnings_in_ordinary_use():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Orbit(Scalar(O(1, 3), 4))(O(1, 3).vector, torch.randn(4, 4, 4))


# ---- groups by what they are, and means that do not depend on axes ----


def test_the_mean_over_a_form_is_over_all_its_entries():
    """It is the squared Frobenius norm over n^2, so that another orthonormal basis of what is compared gives the same."""
    m = normal(5, 4, 4)
    eta = O(1, 3).form
    off = m.mT @ eta @ m - eta
    assert torch.allclose(orbit_distance(m, O(1, 3), reduction="none"), off.square().mean((-2, -1)), rtol=1e-12)
    assert torch.allclose(orbit_distance(m, O(1, 3), p=1, reduction="none"), off.abs().mean((-2, -1)), rtol=1e-12)
    turn = SO(3).sample(5, dtype=F64, generator=torch.Generator().manual_seed(0))
    three = normal(5, 3, 3)
    assert torch.allclose(orbit_distance(three @ turn, O(3), reduction="none"), orbit_distance(three, O(3), reduction="none"))
    omega = er.groups.bilinear_forms(Sp(4))[0]
    assert torch.allclose(orbit_distance(m, Sp(4)), (m.mT @ omega @ m - omega).square().mean())


CONJUGATE = torch.diag(torch.tensor([2.0, 1.0, 1.0, 0.5], dtype=F64))
OWN = {
    "SO(3)": MatrixGroup(algebra=SO(3).algebra.basis),
    "Lorentz in other units": MatrixGroup(algebra=torch.linalg.inv(CONJUGATE) @ SO(1, 3).algebra.basis @ CONJUGATE),
    "SL(3)": MatrixGroup(algebra=SL(3).algebra.basis),
    "Sp(4)": MatrixGroup(algebra=Sp(4).algebra.basis),
    "about an axis": MatrixGroup(algebra=SO(2, axis=(1.0, 2.0, 3.0)).algebra.basis),
    "a plane in R^4": MatrixGroup(algebra=er.groups.so_basis(4)[:1]),
    "C3": MatrixGroup(generators=[Cyclic(3).irrep(1)(Cyclic(3).generators[0])]),
}


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("name", OWN)
def test_groups_given_by_generators_alone(name, dtype):
    """As the guide says first: a generator of any group of matrices, by default, and exact from the start."""
    group = OWN[name]
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are told apart from larger groups by no polynomial
        frame = Orbit(Scalar(group, 5))
        model = er.symmetrize(Net(5 * group.n, (group.n,)), group.vector, group.vector, frame=frame).to(dtype).eval()
    x = normal(20, 5, group.n)
    g = group.sample(20, generator=torch.Generator().manual_seed(1), dtype=F64, scale=0.5)
    found, wanted = model((x @ g.mT).to(dtype)).double(), (g @ model(x.to(dtype)).double().unsqueeze(-1)).squeeze(-1)
    error = (found - wanted).norm(dim=1) / wanted.norm(dim=1)
    assert float(error.median()) < 200 * torch.finfo(dtype).eps
    assert float(error.max()) < 2e4 * torch.finfo(dtype).eps


def test_an_own_group_has_the_distance_and_projection_of_the_librarys():
    own = OWN["SO(3)"]
    m = normal(6, 3, 3)
    assert torch.equal(orbit_distance(m, own, reduction="none"), orbit_distance(m, SO(3), reduction="none"))
    torch.manual_seed(0)
    frame = Orbit(Scalar(own, 4), project="always").double()
    assert bool(SO(3).contains(frame(SO(3).vector, normal(6, 4, 3)).elements, 1e-12).all())  # and serves that action
    with pytest.raises(er.errors.UnsupportedError, match="projection|forms"):
        Orbit(Scalar(OWN["about an axis"], 4), project="always")
    for build in (
        lambda: Scalar(er.Symmetric(3), 3),
        lambda: Equivariant(er.Symmetric(3), 3),
        lambda: OrbitDistance(er.Symmetric(3)),
    ):
        with pytest.raises(ArgumentError) as caught:
            build()
        assert caught.value.argument == "group"


# ---- gradients where something vanishes ----


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("group", [O(3), LORENTZ, SL(3), GLplus(2)], ids=str)
def test_dead_features_and_zero_data_have_small_gradients(group, dtype):
    """A generator whose last layer is zero makes no matrix, data may be zero: gradients stay below one over the least length."""
    torch.manual_seed(0)
    for kill in ("network", "data", "both"):
        net = Scalar(group, 4).to(dtype)
        if kill != "data":
            nn.init.zeros_(net.network[-1].weight)
        y = normal(3, 4, group.n).to(dtype)
        y = (0 * y if kill != "network" else y).requires_grad_()
        m = net(y)
        (m.sum() + OrbitDistance(group)(m).mean()).backward()
        for leaf in (y, *net.parameters()):
            assert leaf.grad is None or float(leaf.grad.abs().max()) < 1e6


def test_a_finite_groups_distance_has_a_derivative_on_the_group():
    quarter = MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    m = torch.eye(2, dtype=F64).requires_grad_()
    OrbitDistance(quarter, p=1)(m).backward()
    assert torch.equal(m.grad, torch.zeros(2, 2, dtype=F64))


def test_photons_side_by_side_are_left_as_they_are():
    """All products of parallel lightlike vectors are zero, to rounding: nothing is divided by rounding."""
    x = torch.tensor([[[5.0, 3.0, 0.0, 4.0], [1.0, 0.6, 0.0, 0.8]]])
    forms = er.groups.bilinear_forms(O(1, 3))
    assert torch.equal(scaled(x, forms), x)
    g = LORENTZ.sample(8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(scaled(x @ g.mT, forms), x @ g.mT)


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
@pytest.mark.parametrize("photons", [[1.0, 0, 0, 0], [1.0, 2, 3, 0.5], [1.0, 1, 1, 1]], ids=["one", "collinear", "equal"])
def test_data_with_lightlike_vectors_alone_are_told(photons, dtype):
    """A photon's time axis is completed at will, and the axis read off it afterwards depends on that: no frame, not even for invariants."""
    G = er.O(1, 3)
    x = torch.tensor(photons, dtype=dtype)[:, None] * torch.tensor([3.0, 1, 2, 2], dtype=dtype)
    frame = Orbit(InOrder(G, 4))
    with pytest.warns(UserWarning, match="1 of 2 data"):
        frame(G.vector, torch.stack([x, torch.eye(4, dtype=dtype)]))


def test_gram_schmidt_of_points_on_a_ring_and_of_momenta_on_many_scales():
    """Ties are decided by what is known to rounding: the axis of a nearly flat ring is known worse than its points."""
    turn = torch.arange(5, dtype=F64) * 2 * torch.pi / 5
    ring = 1.9 * torch.stack([turn.cos(), turn.sin(), torch.full_like(turn, 0.00525)], -1)
    momenta = torch.tensor([[1e-4, 0, 0, 0], [1.7, 1, -0.5, 0.8], [2500, 900, -1600, 1200], [1.6, -0.2, 1.1, 0.4]], dtype=F64)
    momenta[0] = 1e-4 * torch.tensor([1.9, 0.3, -1.2, 1.1], dtype=F64)
    for G, x in ((er.SO(3), ring), (er.O(1, 3), momenta)):
        g = G.sample(20, dtype=F64, generator=torch.Generator().manual_seed(0))
        frame = er.frames.GramSchmidt("raise")
        here, there = frame(G.vector, x[None]), frame(G.vector, G.vector.act(g, x.expand(20, -1, -1)))
        # As sets: of an axis that the smallest momentum shows alone, both signs come, in any order.
        off = (there.elements.unsqueeze(2) - (g.unsqueeze(1) @ here.elements).unsqueeze(1)).abs().amax((3, 4))
        off, at = off.min(2)
        assert float(off.max() / there.elements.abs().max() ** 2) < 1e-6
        if here.weights is not None:
            wanted = here.weights.expand(20, -1).gather(1, at)
            assert there.weights is not None
            assert torch.allclose(there.weights, wanted, atol=1e-6)
