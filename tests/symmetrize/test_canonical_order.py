"""Orders by scores, frames in sequence for products, and the search for an energy's minimum."""

import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions import Images, nodes
from erlangen.errors import ArgumentError
from erlangen.nn import VectorNeurons
from erlangen.symmetrize import Energy, InSequence, LieEnergy, Ordered, Principal, SignFixed, Sorted, Together, Vectors
from erlangen.testing import check_action, check_frame

SETS = nodes(er.Symmetric(5))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mlp(inputs: int, outputs: int) -> nn.Module:
    torch.manual_seed(inputs + outputs)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs)).double()


def test_an_order_makes_an_order_sensitive_model_invariant():
    scores = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = torch.randn(6, 5, 3, generator=rng(), dtype=torch.float64)
    x[0, 1, 0] = x[0, 3, 0]
    model = er.symmetrize(mlp(15, 4), SETS, er.Symmetric(5).scalar, frame=Ordered(scores), example=x)
    y = model(x)
    for _ in range(20):
        g = er.Symmetric(5).sample(6, generator=rng(1))
        assert (model(SETS.act(g, x)) - y).abs().max() < 1e-12
    assert check_frame(Ordered(scores), SETS, x)
    found = Ordered(scores)(SETS, x)
    ordered = scores(SETS.act(er.Symmetric(5).inverse(found.elements[:, 0]), x)).squeeze(-1)
    assert (ordered.diff(dim=1) >= 0).all()
    assert torch.allclose(found.info["margin"], ordered.diff(dim=1).amin(1))


def test_features_decide_between_tied_scores():
    x = torch.randn(6, 5, 3, generator=rng(), dtype=torch.float64)

    class Blind(nn.Module):
        def forward(self, x):
            return torch.zeros_like(x[..., 0])

    assert torch.equal(Ordered(Blind())(SETS, x).elements, Sorted()(SETS, x).elements)


# ---- products ----

MOTIONS = er.E(3)


def test_together_is_an_action():
    assert check_action(Together(er.O(3).vector, SETS))
    assert Together(MOTIONS.point, SETS).data_shape == (5, 3)


@pytest.mark.parametrize("first", [SignFixed(), Principal(), None], ids=["SignFixed", "Principal", "Vectors"])
def test_motions_then_relabelling(first):
    torch.manual_seed(0)
    act = Together(MOTIONS.point, SETS)
    frame = InSequence(first or Vectors(VectorNeurons(1, 3).double()), Sorted())
    x = torch.randn(6, 5, 3, generator=rng(), dtype=torch.float64)
    group = act.group
    out = Together(MOTIONS.point, SETS)
    model = er.symmetrize(nn.Sequential(mlp(15, 15), nn.Unflatten(1, (5, 3))), act, out, frame=frame, example=x)
    g = group.sample(6, generator=rng(3), dtype=torch.float64)
    assert (model(act.act(g, x)) - out.act(g, model(x))).abs().max() < 1e-8
    assert model.frames(x).weights is None


#: Of a plane, with ties in it: what rounding alone would number in every pose.
SHAPES = {
    "water": [[0.0, 0.0, 0.117], [0.0, 0.757, -0.469], [0.0, -0.757, -0.469]],
    "triangle": [[0.1, 0.2, 0.0], [1.3, -0.4, 0.0], [-0.7, 0.9, 0.0]],
    "kite": [[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -0.5, 0.0]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("group", [er.E(3), er.SE(3)], ids=str)
def test_flat_clouds_in_canonical_coordinates(group, shape, offset, dtype):
    """The coordinate across a plane is rounding, which must not number the points."""
    points = torch.tensor(SHAPES[shape], dtype=torch.float64)
    S = er.Symmetric(len(points))
    act = Together(group.point, nodes(S))
    x = act.act(act.group.sample(24, generator=rng(4), dtype=torch.float64), points) + offset
    frame = InSequence(Principal() if offset else SignFixed(), Sorted())
    model = er.symmetrize(Fixed(), act, Together(group.scalar, S.scalar), frame=frame, check=False)
    y = model(x.to(dtype))
    exact = model(points.unsqueeze(0))
    # Rounding of the coordinates, as large as the offset makes them, seen by a function of slope one.
    assert (y - exact).abs().max() < 200 * torch.finfo(dtype).eps * (offset + 2)


class Fixed(nn.Module):
    """A smooth function of ordered points, of slope about one and in the data's precision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = torch.linspace(-1, 1.4, x[0].numel(), dtype=torch.float64).cos()
        return torch.sin(x.double().flatten(1) * weight.roll(1) @ torch.ones_like(weight) + 0.3).unsqueeze(1).to(x.dtype)


def test_scores_that_differ_by_rounding_are_tied():
    """A network in single precision scores one member differently in different places of a batch; the features decide."""

    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 100 + 1e-5 * torch.arange(x.shape[1], dtype=x.dtype).expand(x.shape[:2])

    x = torch.randn(6, 5, 3, generator=rng())
    assert torch.equal(Ordered(Noisy())(SETS, x).elements, Sorted()(SETS, x).elements)
    assert torch.equal(Ordered(Noisy(), tolerance=1e-9)(SETS, x).elements, torch.arange(5).expand(6, 1, 5))
    whole = nn.Linear(3, 1)
    assert torch.equal(Ordered(lambda_of_integers())(SETS, x).elements, Sorted()(SETS, x).elements)
    assert Ordered(whole)(SETS, x[:0]).elements.shape == (0, 1, 5)


def lambda_of_integers() -> nn.Module:
    class Zeros(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(x.shape[:2], dtype=torch.int64)

    return Zeros()


def test_records_weights_and_losses_go_through():
    act = {"pos": Together(MOTIONS.point, SETS), "charge": Together(MOTIONS.scalar, SETS), "name": None}
    torch.manual_seed(0)
    weighted = InSequence(Vectors(VectorNeurons(1, 3).double(), prior=1.0, degenerate="weighted"), Sorted())

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp(20, 2)

        def forward(self, data):
            return self.net(torch.cat([data["pos"], data["charge"]], -1))

    invariant = Together(MOTIONS.scalar, er.Symmetric(5).scalar)
    model = er.symmetrize(Both(), act, invariant, frame=weighted, check=False)
    x = {"pos": torch.randn(3, 5, 3, generator=rng(), dtype=torch.float64), "charge": torch.randn(3, 5, 1).double(), "name": "x"}
    x["pos"][0] = 0  # no axes at all: this datum gets a robust frame
    moved = model.inp.act(invariant.group.sample(3, generator=rng(1), dtype=torch.float64), x)
    assert (model(moved)[1:] - model(x)[1:]).abs().max() < 1e-8
    found = model.frames(x)
    assert torch.allclose(found.weights.sum(1), torch.ones(3, dtype=torch.float64))
    assert "prior" in model.with_losses(x)[1]


# ---- the search ----


def test_the_search_finds_what_a_fine_grid_finds():
    act = Images(er.SO(2).vector)
    torch.manual_seed(0)
    line = torch.linspace(-1, 1, 25, dtype=torch.float64)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    spots = torch.rand(4, 4, 2, generator=rng(2), dtype=torch.float64) - 0.5
    image = torch.exp(-((x - spots[..., 0, None, None]).square() + (y - spots[..., 1, None, None]).square()) / 0.05).sum(1)
    network = nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 121, 1)).double()
    frame = LieEnergy(network, starts=72)
    found = frame(act, image.unsqueeze(1)).elements[:, 0].detach()
    angle = torch.atan2(found[:, 1, 0], found[:, 0, 0])
    grid = torch.arange(0, 2 * math.pi, math.radians(0.25), dtype=torch.float64)
    turns = torch.stack([torch.stack([grid.cos(), -grid.sin()], -1), torch.stack([grid.sin(), grid.cos()], -1)], -2)
    with torch.no_grad():
        for b in range(4):
            energies = network(act.act(turns.mT, image[b].expand(len(grid), 1, 25, 25)))[:, 0]
            away = torch.remainder(angle[b] - grid[energies.argmin()] + math.pi, 2 * math.pi) - math.pi
            assert abs(math.degrees(float(away))) < 0.5


def test_the_minimum_moves_with_the_parameters():
    """The implicit derivative against the minimum found again with moved parameters."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(15, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = torch.randn(1, 5, 3, generator=rng(), dtype=torch.float64)
    frame, weight = LieEnergy(network, resolution=1e-9), network[1].weight
    probe = torch.randn(3, 3, generator=rng(1), dtype=torch.float64)
    (got,) = torch.autograd.grad((frame.train()(er.SO(3).vector, x).elements[0, 0] * probe).sum(), weight)
    for place in ((0, 0), (3, 7)):
        values = []
        for step in (1e-4, -1e-4):
            with torch.no_grad():
                weight[place] += step
                values.append(float((frame.eval()(er.SO(3).vector, x).elements[0, 0] * probe).sum()))
                weight[place] -= step
        assert got[place].item() == pytest.approx((values[0] - values[1]) / 2e-4, rel=2e-2, abs=1e-4)


def test_the_minimum_of_a_network_without_curvature_does_not_move():
    """relu has no second derivative: the implicit derivative there is zero, not a rounding over a ridge of 1e-12."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(15, 8), nn.ReLU(), nn.Linear(8, 1))
    blind = nn.Sequential(nn.Flatten(), nn.Linear(15, 8), nn.ReLU(), nn.Linear(8, 1))
    nn.init.constant_(blind[1].bias, -100.0)
    x = torch.randn(4, 5, 3, generator=rng())
    for net in (network, blind):
        frame = LieEnergy(net, resolution=1e-2).train()
        frame(er.SO(3).vector, x).elements.square().sum().backward()
        assert all(p.grad is None or float(p.grad.abs().max()) < 100 for p in net.parameters())


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Ordered(nn.Linear(3, 2).double())(SETS, torch.zeros(2, 5, 3, dtype=torch.float64)), "network"),
        (lambda: Ordered(nn.Linear(3, 1), tolerance=-1.0), "tolerance"),
        (lambda: er.symmetrize(nn.Identity(), er.SO(3).vector, er.SO(3).vector, frame=Ordered(nn.Identity())), "frame"),
        (lambda: InSequence(Sorted()), "frames"),
        (lambda: er.symmetrize(nn.Identity(), SETS, SETS, frame=InSequence(Sorted(), Sorted())), "frame"),
        (lambda: Together(SETS), "parts"),
        (lambda: LieEnergy(nn.Identity(), starts=0), "starts"),
        (lambda: LieEnergy(nn.Identity(), resolution=0.0), "resolution"),
        (lambda: LieEnergy(nn.Flatten())(er.SO(3).vector, torch.randn(2, 5, 3)), "network"),
        (lambda: er.symmetrize(nn.Identity(), SETS, SETS, frame=LieEnergy(nn.Identity())), "frame"),
        (lambda: er.symmetrize(nn.Identity(), er.SO(1, 3).vector, er.SO(1, 3).vector, frame=LieEnergy(nn.Identity())), "frame"),
    ],
)
def test_bad_input_is_named(build, argument):
    with pytest.raises(ArgumentError) as caught:
        build()
    assert caught.value.argument == argument


def test_a_mixing_stage_is_refused():
    act = Together(SETS, er.Cyclic(3).vector)
    model = InSequence(Sorted(), Energy(mlp(15, 1)))
    with pytest.raises(ArgumentError, match="trick=None"):
        model.train()(act, torch.randn(2, 5, 3, dtype=torch.float64))
