"""Bases of vectors by the form alone: massless, equal and dependent vectors, in both precisions."""

import math
import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.groups import Isometries
from erlangen.symmetrize import GramSchmidt, Orbit, Shifted
from erlangen.symmetrize.generators import InOrder, Scalar

F64 = torch.float64
LORENTZ = er.SO(1, 3, connected=True)


class Net(nn.Module):
    """A function without symmetry and of slope one, in float64 whatever comes in, so that its own rounding counts for nothing."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        rng = torch.Generator().manual_seed(0)
        flat = x.double().flatten(1)
        weight = torch.randn(flat.shape[1], math.prod(self.shape), generator=rng, dtype=F64) / flat.shape[1] ** 0.5
        return torch.sin(flat @ weight + 0.3).unflatten(1, self.shape).to(x.dtype)


def momenta(kind, seed=0, count=16):
    """Six momenta of each event, of mass one or zero."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, 4, generator=rng, dtype=F64)
    x[..., 0] = (x[..., 1:].square().sum(-1) + (0 if "massless" in kind else 1)).sqrt()
    if "equal" in kind:
        x[:, 1] = x[:, 0]
    if "sum" in kind:  # a decay: the rest are its products, combined
        x[:, 2], x[:, 3], x[:, 4], x[:, 5] = x[:, 0] + x[:, 1], x[:, 0], 2 * x[:, 1], x[:, 1]
    if "plane" in kind:
        x[:, 3:] = x[:, :3] + x[:, :1]
    if "alone" in kind:
        x = x[:, :1] * torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 1.0], dtype=F64)[:, None]
    return x


def errors(frame, group, x, out, dtype, seed=1):
    """Of each moved datum, relative to the outputs, in units of the dtype's precision."""
    shape = (out.dim,)
    model = er.symmetrize(Net(shape), group.vector, out, frame=frame, check=False).eval()
    g = group.sample(len(x), generator=torch.Generator().manual_seed(seed), dtype=F64)

    def run(data):
        torch.manual_seed(5)  # the same noise numbers
        return model(data.to(dtype)).double()

    # The datum itself is rounded first, so that both runs see the same one but for the rounding of the moved.
    x = x.to(dtype).double()
    wanted = out.act(g, run(x))
    return (run(group.vector.act(g, x)) - wanted).norm(dim=-1) / wanted.norm(dim=-1).clamp_min(0.1) / torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("kind", ["plain", "massless", "massless equal", "equal", "sum", "massless sum", "plane", "alone"])
@pytest.mark.parametrize(
    "group", [er.O(1, 3), er.SO(1, 3), LORENTZ, Isometries(torch.diag(torch.tensor([4.0, -1.0, -2.0, -1.0])))], ids=str
)
def test_events_of_all_kinds(group, kind, dtype):
    """Exact for scalars, vectors and tensors, as far as rounding of boosted momenta allows."""
    for frame in (Orbit(InOrder(group, 6)), GramSchmidt("raise")):
        for out in (group.scalar, group.vector, group.tensor(2)):
            found = errors(frame, group, momenta(kind), out, dtype)
            assert bool(found.isfinite().all())
            assert float(found.median()) < 30
            assert float(found.max()) < 1e5  # one part in a hundred in float32, 2e-11 in float64


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("group", [er.O(3), er.SO(3), er.SO(2), er.SO(4)], ids=str)
@pytest.mark.parametrize("open_axes", [0, 1, 2, 3])
def test_rotations_of_vectors_that_span_less(group, open_axes, dtype):
    n = group.n
    span = max(n - open_axes, 0)
    rng = torch.Generator().manual_seed(2)
    x = torch.randn(12, 6, span, generator=rng, dtype=F64) @ torch.randn(12, span, n, generator=rng, dtype=F64)
    for frame in (Orbit(InOrder(group, 6, rank=2)), GramSchmidt(rank=2)):
        for out in (group.scalar, group.vector, group.tensor(2)):
            assert float(errors(frame, group, x, out, dtype).max()) < 2e3
    if not span:
        model = er.symmetrize(Net((n,)), group.vector, group.vector, frame=Orbit(InOrder(group, 6)), check=False)
        assert float(model(x.to(dtype)).abs().max()) < 10 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_many_seeds(dtype):
    """No event of a thousand has its axes chosen by rounding."""
    for kind in ("massless equal", "massless sum", "sum"):
        for frame in (Orbit(InOrder(er.O(1, 3), 6)), GramSchmidt()):
            found = errors(frame, er.O(1, 3), momenta(kind, seed=3, count=350), er.O(1, 3).vector, dtype)
            assert float(found.max()) < (2e4 if dtype == torch.float32 else 1e7)


def test_directions_of_both_signs_are_told():
    """Two spacelike vectors leave a boost open, which has no average: invariants are exact, of vectors only what lies in the span."""
    group = er.O(2, 2)
    x = torch.randn(8, 2, 4, generator=torch.Generator().manual_seed(0), dtype=F64).repeat(1, 3, 1)
    frame = Orbit(InOrder(group, 6))
    with pytest.warns(UserWarning, match="5 of 8 data leave directions of both signs open"):
        assert float(errors(frame, group, x, group.scalar, F64).max()) < 1e4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame(group.vector, torch.randn(8, 6, 4, dtype=F64))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_learned_poses_on_top_of_an_order(dtype):
    """The whole chain in either precision, with massless and equal momenta; gradients are finite and reach the network."""
    group = LORENTZ
    for kind in ("massless", "equal", "sum"):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.Tanh(), nn.Linear(8, 6)).to(dtype)
        frame = Shifted(Orbit(InOrder(group, 6)), network, largest=0.5)
        assert float(errors(frame, group, momenta(kind), group.vector, dtype).median()) < 100
        model = er.symmetrize(Net((4,)), group.vector, group.vector, frame=frame, check=False)
        x = momenta(kind).to(dtype).requires_grad_()
        y, losses = model.with_losses(x)
        (y.square().sum() + sum(losses.values())).backward()
        for leaf in (x, *network.parameters()):
            assert bool(leaf.grad.isfinite().all())
        assert float(network[1].weight.grad.abs().max()) > 0


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("group", [er.O(3), LORENTZ], ids=str)
def test_noise_beside_dependent_vectors(group, dtype):
    """p4 = p1 + p2 has no vectors with given products; those with the nearest ones move along all the same."""
    n = group.n
    x = momenta("sum")[..., -n:] if n == 3 else momenta("sum")
    for data in (x, momenta("equal")[..., -n:], 0 * x):
        torch.manual_seed(0)
        frame = Orbit(Scalar(group, 8).to(dtype), noise="invariant", project="none")
        found = errors(frame, group, data, group.vector, dtype)
        assert float(found.median()) < 100
        assert float(found.max()) < 1e5


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_batches_of_none_and_one(dtype):
    frame = Orbit(InOrder(er.O(1, 3), 4))
    for size in (0, 1):
        found = frame(er.O(1, 3).vector, torch.randn(size, 4, 4, dtype=dtype))
        assert found.elements.shape == (size, 1, 4, 4)
        assert found.elements.dtype == F64


def test_other_vectors_span_what_a_line_does_not():
    """Two bodies and their velocities: invariants would depend on how axes beside the line are completed; tensors beside it are refused."""
    for group, dtype in ((er.SE(3), torch.float32), (er.E(3), F64)):
        inp = er.actions.Record({"pos": group.point, "vel": group.vector})
        rng = torch.Generator().manual_seed(1)
        x = {name: torch.randn(12, 2, 3, generator=rng, dtype=F64) for name in ("pos", "vel")}
        x["pos"] = x["pos"] + 30

        class Both(nn.Module):
            def forward(self, data):
                return Net((3,))(torch.cat([data["pos"], data["vel"]], 1))

        model = er.symmetrize(Both(), inp, group.vector, frame=GramSchmidt(of="pos"), check=False)
        g = group.sample(12, generator=rng, dtype=F64)
        y = model({name: part.to(dtype) for name, part in x.items()}).double()
        moved = model({name: part.to(dtype) for name, part in inp.act(g, x).items()}).double()
        assert float((moved - group.vector.act(g, y)).abs().max()) < 5000 * torch.finfo(dtype).eps
    tensor = er.actions.Record({"pos": er.SE(3).point, "stress": er.SE(3).of_linear_part(er.SO(3).vector ** 2)})
    line = {"pos": torch.randn(2, 2, 3, dtype=F64), "stress": torch.randn(2, 9, dtype=F64)}
    with pytest.raises(er.errors.ArgumentError, match="'stress'"):
        GramSchmidt()(tensor, line)


def test_an_own_group_is_served():
    own = er.MatrixGroup(algebra=er.SO(3).algebra.basis)
    assert GramSchmidt().refuse(own.vector) == ""
    assert "isometry group" in GramSchmidt().refuse(er.groups.SL(3).vector)
    x = torch.randn(4, 5, 3, dtype=F64)
    assert torch.equal(GramSchmidt()(own.vector, x).elements, GramSchmidt()(er.SO(3).vector, x).elements)
    assert GramSchmidt().refuse(er.groups.AffineGroup(own).point) == ""
    for build in (lambda: GramSchmidt(rank=-1), lambda: InOrder(er.SO(3), 3, rank=-1)):
        with pytest.raises(er.errors.ArgumentError) as caught:
            build()
        assert caught.value.argument == "rank"
    with pytest.raises(er.errors.ArgumentError, match="'rank'.*4 axes open"):
        GramSchmidt(rank=4)(er.SO(4).vector, torch.zeros(1, 3, 4))


# ---- momenta of very different scales, near ties and nothing at all ----


@pytest.mark.parametrize("massless", [False, True])
def test_momenta_over_seven_orders_of_magnitude(massless):
    """A large momentum, known badly in the others' rest frame, gives no axis although as much of it is left as of them."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(64, 6, 4, generator=rng, dtype=F64)
    scale = 10 ** (7 * torch.rand(64, 6, 1, generator=rng, dtype=F64))
    x = x * scale
    x[..., 0] = (x[..., 1:].square().sum(-1) + (0 if massless else scale[..., 0].square())).sqrt()
    x = x / x.norm(dim=-1).amax(1)[:, None, None]
    found = errors(GramSchmidt("raise"), LORENTZ, x, LORENTZ.scalar, torch.float32) * torch.finfo(torch.float32).eps
    assert float(found.max()) < 3e-3
    assert float(found.median()) < 1e-6
    here = GramSchmidt("raise")(LORENTZ.vector, x.float())
    for unit in (2.0**-33, 2.0**23):
        there = GramSchmidt("raise")(LORENTZ.vector, unit * x.float())
        torch.testing.assert_close(there.elements, here.elements, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_nearly_equal_momenta(dtype):
    """Two particles that differ by 10^-k in what decides which gives an axis."""
    for k in range(3, 17):
        x = momenta("plain", seed=k, count=8)
        mirror = torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=F64)
        x[:, 3:] = x[:, :3] * mirror + 10.0**-k * torch.randn(8, 3, 4, generator=torch.Generator().manual_seed(k), dtype=F64)
        for group in (er.O(1, 3), LORENTZ):
            assert float(errors(GramSchmidt("raise"), group, x, group.vector, dtype).max()) < 1e5


def test_nothing_at_all_is_told():
    """Of zero momenta no boost is distinguished: invariant outputs are exact, and nobody may take others for it."""
    x = momenta("plain", count=3)
    x[1] = 0
    with pytest.warns(UserWarning, match="1 of 3 data"):
        GramSchmidt()(LORENTZ.vector, x)
    with pytest.raises(er.errors.ArgumentError):
        GramSchmidt("raise")(LORENTZ.vector, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GramSchmidt("raise")(er.O(3).vector, torch.zeros(2, 3, 3))  # averaged over


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_scalar_matrices_of_collimated_massless_momenta(dtype):
    """Products are small differences: what rounding leaves of them decides, and less than two digits are told."""
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(32, 6, 4, generator=rng, dtype=F64)
    x = x[:, :1] * torch.rand(32, 6, 1, generator=rng, dtype=F64) + 1e-2 * x
    x[..., 0] = x[..., 1:].norm(dim=-1)
    torch.manual_seed(0)
    frame = Orbit(Scalar(LORENTZ, 6).to(dtype), project="none")
    found = errors(frame, LORENTZ, x, LORENTZ.vector, dtype) * torch.finfo(dtype).eps
    assert float(found.detach().max()) < (0.1 if dtype == torch.float32 else 1e-8)
    if dtype == torch.float32:
        x[..., 1:] = x[:, :1, 1:] * (1 + x[..., :1] + 1e-3 * x[..., 1:])
        x[..., 0] = x[..., 1:].norm(dim=-1)
        with pytest.warns(UserWarning, match="less than two digits"):
            frame(LORENTZ.vector, x.to(dtype))
