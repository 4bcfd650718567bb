"""Lines between networks, means and barriers."""

import warnings

import pytest
import torch
from residual_networks import awake, resnet20
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import asymmetrize, average, barrier, interpolate
from erlangen.parameters.interpolation import reestimate


def mlp(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 7), nn.Tanh(), nn.Linear(7, 2)).double()


def square(x, y):
    return lambda model: (model(x) - y).square().mean()


def test_the_line():
    a, b = mlp(0), mlp(1)
    for t, net in zip((0.0, 0.25, 1.0, 2.0), interpolate(a, b, [0.0, 0.25, 1.0, 2.0])):
        for p, q, r in zip(a.parameters(), b.parameters(), net.parameters()):
            torch.testing.assert_close(r, (1 - t) * p + t * q, rtol=0, atol=1e-15)
            assert r.requires_grad
    mixed = interpolate(a.state_dict(), b.state_dict(), torch.tensor([0.5]))[0]
    assert torch.equal(mixed["0.bias"], (a[0].bias + b[0].bias) / 2)


def test_the_mean():
    members = [mlp(seed) for seed in range(3)]
    mean = average(members)
    expected = torch.stack([m[2].weight for m in members]).mean(0)
    torch.testing.assert_close(mean[2].weight, expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(average([m.state_dict() for m in members])["2.weight"], expected, rtol=0, atol=1e-15)


def test_counters_are_those_of_the_first_and_half_precision_is_kept():
    a, b = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    a.num_batches_tracked.fill_(5)
    b.running_mean.fill_(1.0)
    half = interpolate(a, b, [0.5])[0]
    assert int(half.num_batches_tracked) == 5
    assert half.running_mean.tolist() == [0.5, 0.5]
    low = average([{"w": torch.ones(1, dtype=torch.bfloat16)}, {"w": torch.full((1,), 3.0, dtype=torch.bfloat16)}])["w"]
    assert low.dtype == torch.bfloat16
    assert low.item() == 2.0


def test_barriers():
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    a, b = mlp(0), mlp(1)
    assert float(barrier(a, a, square(x, y))) == pytest.approx(0, abs=1e-15)
    one, two = barrier(a, b, square(x, y)), barrier(b, a, square(x, y))
    assert one.height == pytest.approx(two.height, rel=1e-12)
    assert len(one.losses) == 25
    torch.testing.assert_close(torch.tensor(one.losses), torch.tensor(two.losses[::-1]))
    line = [square(x, y)(net).item() for net in interpolate(a, b, one.ts)]
    above = [v - ((1 - t) * line[0] + t * line[-1]) for t, v in zip(one.ts, line)]
    assert one.height == pytest.approx(max(0, *above[1:-1]), abs=1e-14)
    assert one.at == one.ts[max(range(25), key=lambda i: above[i])]


def test_linear_models_have_no_barrier():
    """Their loss is convex along the line."""
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    a, b = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()
    assert barrier(a, b, square(x, y)).height <= 1e-14
    assert barrier(a, b, square(x, y), ts=[0, 0.5, 1]).height <= 1e-14


def test_a_known_barrier():
    """w^2 (w - 1)^2 between its minima 0 and 1 is 1/16 in the middle."""
    a, b = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        a.weight.fill_(0.0)
        b.weight.fill_(1.0)
    found = barrier(a, b, lambda net: (net.weight * (net.weight - 1)).square().sum())
    assert found.height == pytest.approx(1 / 16, abs=1e-15)
    assert found.at == 0.5


def test_statistics_are_taken_anew():
    x = torch.randn(40, 1, 8, 8)
    nets = [awake(resnet20(1, 4), seed) for seed in range(2)]
    with pytest.warns(UserWarning, match="batch norm"):
        barrier(*nets, lambda net: net(x).square().mean(), ts=2)
    seen = []
    barrier(*nets, lambda net: seen.append(net[1].running_mean.clone()) or net(x).square().mean(), ts=3, inputs=[x[:20], x[20:]])
    for mean, net in zip(seen, interpolate(*nets, [0, 0.5, 1])):
        torch.testing.assert_close(mean, net[0](x).mean((0, 2, 3)).detach(), atol=1e-5, rtol=1e-4)
    net = nets[0].train()
    momentum = net[1].momentum
    reestimate(net, [x])
    assert net.training
    assert net[1].momentum == momentum
    assert net[1].training


def test_infinite_entries_that_agree_stay():
    """Masks of attention are buffers with minus infinity, whose differences are no numbers."""

    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)
            self.register_buffer("causal", torch.full((5, 5), -torch.inf).triu(1))

        def forward(self, x):
            h = self.inner(x)
            return (h @ h.mT + self.causal).softmax(-1) @ h

    a, b = Causal(), Causal()
    half = interpolate(a, b, [0.5])[0]
    assert torch.equal(half.causal, a.causal)
    assert torch.equal(average([a, b, Causal()]).causal, a.causal)
    x = torch.randn(5, 4)
    assert bool(half(x).isfinite().all())
    found = barrier(a, b, lambda net: net(x).square().mean())
    assert float(barrier(a, a, lambda net: net(x).square().mean())) == 0
    assert found.losses[12] == half(x).square().mean().item()


def test_norms_that_are_not_reached_keep_their_statistics():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.aside = nn.BatchNorm1d(2), nn.BatchNorm1d(2)

        def forward(self, x):
            return self.used(x)

    net, x = Two(), torch.randn(30, 2)
    net.aside.running_mean.fill_(3.0)
    reestimate(net, [x])
    assert net.aside.running_mean.tolist() == [3.0, 3.0]
    torch.testing.assert_close(net.used.running_mean, x.mean(0))
    torch.testing.assert_close(net.used.running_var, x.var(0))


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(2), nn.InstanceNorm1d(2, track_running_stats=True)])
def test_statistics_are_means_over_batches(norm):
    """Those of instance norm, too, of which torch keeps no plain mean."""
    net = nn.Sequential(norm)
    batches = [torch.randn(6, 2, 9) + i for i in range(3)]
    reestimate(net, batches)
    torch.testing.assert_close(norm.running_mean, torch.stack([x.mean((0, 2)) for x in batches]).mean(0))
    assert norm.momentum == 0.1


def test_kept_singular_vectors_are_warned_about():
    a, b = (nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))) for _ in range(2))
    with pytest.warns(UserWarning, match="spectral_norm"):
        interpolate(a, b, [0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interpolate(a, a, [0.5])
        interpolate(a, b, [0.0, 1.0])


def test_statistics_that_cannot_be_taken_are_refused_and_left():
    net = nn.Sequential(nn.BatchNorm1d(2))
    net[0].running_mean.fill_(3.0)
    for batches in ([], [torch.randn(4, 2), torch.ones(1, 2)]):
        with pytest.raises(ArgumentError, match="inputs"):
            reestimate(net, batches)
        with pytest.raises(ArgumentError, match="inputs"):
            barrier(net, net, lambda model: model(torch.ones(1, 2)).sum(), inputs=batches)
        assert net[0].running_mean.tolist() == [3.0, 3.0]


def test_masks_must_coincide():
    def masked(seed, kappa=1.0):
        return asymmetrize(mlp(0), n_fix=1, kappa=kappa, seed=seed)

    interpolate(masked(0), masked(0), [0.5])
    with pytest.raises(ArgumentError, match="masks"):
        interpolate(masked(0), masked(1), [0.5])
    with pytest.raises(ArgumentError, match="masks"):
        average([masked(0).state_dict(), masked(1).state_dict()])
    with pytest.raises(ArgumentError, match="fixed entries"):
        average([masked(0), masked(0, kappa=2.0)])
    gates = [asymmetrize(mlp(0), kind="sigma", seed=seed, example=torch.randn(2, 3).double()) for seed in range(2)]
    for given in (gates, [gate.state_dict() for gate in gates]):
        with pytest.raises(ArgumentError, match="fixed_matrix"):
            interpolate(*given, [0.5])


def test_what_is_refused():
    a = mlp(0)
    with pytest.raises(ArgumentError, match="members"):
        average([])
    with pytest.raises(ArgumentError, match="weight"):
        interpolate(a, nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)), [0.5])
    with pytest.raises(ArgumentError, match="class of module at '1'"):
        interpolate(a, nn.Sequential(a[0], nn.ReLU(), a[2]), [0.5])
    for other in (torch.ones(2, dtype=torch.int32), torch.ones(2) * 1j):
        with pytest.raises(ArgumentError, match="'w'"):
            interpolate({"w": torch.ones(2)}, {"w": other}, [0.5])
    with pytest.raises(ArgumentError, match=r"2\.weight"):
        interpolate(a.state_dict(), {k: v for k, v in a.state_dict().items() if k != "2.weight"}, [0.5])
    for ts in (0.5, [float("nan")], [0.0, float("inf")]):
        with pytest.raises(ArgumentError, match="ts"):
            interpolate(a, a, ts)
    for ts in (1, 2.5, [0.0, 2.0, 1.0], [0.0, 0.5], []):
        with pytest.raises(ArgumentError, match="ts"):
            barrier(a, a, lambda net: 0.0, ts=ts)
    with pytest.raises(ArgumentError, match="loss"):
        barrier(a, a, lambda net: float("nan"))
