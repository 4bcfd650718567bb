"""Learned optimizers, persistent evolution strategies and meta-training against closed forms and plain optimizers."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import UNF, DeepSet, LearnedOptimizer, LearnedUpdate, WeightSpec, weight_spec
from erlangen.parameters.deepset import DeepSetLayer
from erlangen.parameters.learned_optimizer import Inputs
from erlangen.parameters.meta import MetaConfig, Task, evaluate, meta_train, meta_train_all
from erlangen.parameters.pes import PES
from erlangen.parameters.traced import Traced
from erlangen.parameters.unf import UNFLinear

ALL = WeightSpec(
    {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (3, 6), "2.bias": (3,)},
    {"0.weight": ("1", "0"), "0.bias": ("1",), "2.weight": ("2", "1"), "2.bias": ("2",)},
)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def data(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return (
        torch.randn(8, 4, dtype=torch.float64, generator=generator),
        torch.randn(8, 3, dtype=torch.float64, generator=generator),
    )


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[dict[str, torch.Tensor]]:
    trajectory = []
    for step in range(steps):
        x, y = data(step)
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
        trajectory.append({n: p.detach().clone() for n, p in net.named_parameters()})
    return trajectory


def paper_functional(spec: WeightSpec, last: str) -> nn.Sequential:
    """Three deep-set layers of width 32 shared by all tensors, and a last layer of either kind."""
    deep = [DeepSetLayer(spec, a, 32, shared=True, form="difference") for a in (19, 32, 32)]
    end = UNFLinear(spec, 32, 1, bias="constant") if last == "unf" else DeepSetLayer(spec, 32, 1, shared=True, form="difference")

    class Between(nn.Module):
        def forward(self, x):
            return {name: value.relu() for name, value in x.items()}

    return nn.Sequential(deep[0], Between(), deep[1], Between(), deep[2], Between(), end)


@pytest.mark.parametrize(("last", "count"), [("unf", 3783), ("deepset", 2788)])
def test_numbers_of_parameters_are_the_published_ones(last, count):
    spec = WeightSpec(
        {"w1": (32, 64), "b1": (32,), "w2": (10, 32), "b2": (10,)},
        {"w1": ("1", "0"), "b1": ("1",), "w2": ("2", "1"), "b2": ("2",)},
    )
    update = LearnedUpdate(spec, paper_functional(spec, last))
    assert sum(p.numel() for p in update.parameters()) == count
    params = {n: torch.randn(s) for n, s in spec.shapes.items()}
    moved, _ = update(params, params, update.start(params))
    assert all(moved[n].shape == params[n].shape for n in params)


def test_without_the_functional_it_is_sgd_with_momentum():
    net, twin = network(), network()
    update = LearnedUpdate(ALL, paper_functional(ALL, "unf"), lr=0.1, momentum=0.9, strength=0.0).double()
    ours = train(net, LearnedOptimizer(net.named_parameters(), update), 50)
    plain = train(twin, torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9), 50)
    # The three numbers are float32, as weights of the update are made.
    for a, b in zip(ours, plain):
        assert all((a[n] - b[n]).abs().max() < 1e-7 for n in a)
    assert (plain[-1]["0.weight"] - network()[0].weight).abs().max() > 0.05


@pytest.mark.parametrize("normalized", [False, True])
def test_permuted_weights_have_the_permuted_trajectory(normalized):
    net, twin = network(), network()
    spec = weight_spec(net)
    sigma = spec.random_permutation(torch.Generator().manual_seed(1))
    moved = spec.apply_permutation({n: p.detach() for n, p in twin.named_parameters()}, sigma)
    twin.load_state_dict(moved)
    inputs = Inputs(normalized=normalized)
    torch.manual_seed(0)
    update = LearnedUpdate(spec, UNF(spec, inputs.channels, 1, width=4), inputs, strength=0.1).double()
    first = train(net, LearnedOptimizer(net.named_parameters(), update), 30)
    second = train(twin, LearnedOptimizer(twin.named_parameters(), update), 30)
    for a, b in zip(first, second):
        there = spec.apply_permutation(a, sigma)
        assert all((there[n] - b[n]).abs().max() < 1e-8 for n in b)
    plain = train(network(), torch.optim.SGD(network().parameters(), lr=0.1), 1)
    assert (first[-1]["0.weight"] - plain[0]["0.weight"]).abs().max() > 1e-3


def test_the_optimizer_is_the_function_and_can_be_saved():
    net, twin = network(), network()
    spec = weight_spec(net)
    torch.manual_seed(0)
    update = LearnedUpdate(spec, UNF(spec, 19, 1, width=4)).double()
    optimizer = LearnedOptimizer(net.named_parameters(), update)
    train(net, optimizer, 3)
    params = {n: p.detach() for n, p in twin.named_parameters()}
    state = update.start(params)
    with torch.no_grad():
        for step in range(3):
            x, y = data(step)
            with torch.enable_grad():
                leaves = {n: p.clone().requires_grad_() for n, p in params.items()}
                loss = (torch.func.functional_call(twin, leaves, x) - y).square().mean()
                gradients = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))
            params, state = update(params, gradients, state)
    assert all((params[n] - p).abs().max() < 1e-14 for n, p in net.named_parameters())
    again = LearnedOptimizer(twin.named_parameters(), update)
    twin.load_state_dict(net.state_dict())
    again.load_state_dict(optimizer.state_dict())
    x, y = data(3)
    for model, opt in ((net, optimizer), (twin, again)):
        opt.zero_grad()
        loss = opt.step(lambda model=model: _closure(model, x, y))
        assert float(loss.detach()) > 0
    assert all((a - b).abs().max() < 1e-14 for a, b in zip(net.parameters(), twin.parameters()))


def _closure(model, x, y):
    loss = (model(x) - y).square().mean()
    loss.backward()
    return loss


def test_optimizers_say_what_they_need():
    net = network()
    update = LearnedUpdate(weight_spec(net), UNF(weight_spec(net), 19, 1))
    with pytest.raises(ArgumentError, match="without names"):
        LearnedOptimizer(net.parameters(), update)
    with pytest.raises(ArgumentError, match=r"2\.bias"):
        LearnedOptimizer([(n, p) for n, p in net.named_parameters() if n != "2.bias"], update)
    with pytest.raises(ArgumentError, match="momentum"):
        LearnedUpdate(weight_spec(net), UNF(weight_spec(net), 19, 1), momentum=1.0)


# ---- evolution strategies: x moves by theta at every step, the loss is the sum of x squared over the steps ----

STEPS = 12


def start(pairs, generator):
    return torch.zeros(pairs, dtype=torch.float64)


def unroll(theta, x, steps, generator):
    total = torch.zeros_like(x)
    for _ in range(steps):
        x = x + theta[:, 0]
        total = total + x.square() + 0.5 * x * theta[:, 1]
    return total, x


def exact_gradient(theta: torch.Tensor) -> torch.Tensor:
    theta = theta.clone().requires_grad_()
    total, _ = unroll(theta.unsqueeze(0), torch.zeros(1, dtype=torch.float64), STEPS, None)
    return torch.autograd.grad(total.sum(), theta)[0]


def test_one_piece_is_plain_evolution():
    theta = torch.tensor([0.3, -0.2], dtype=torch.float64)
    pes = PES(start, unroll, STEPS, STEPS, sigma=0.1, pairs=16)
    gradient, _, particles = pes.estimate(
        theta, pes.begin(theta, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    )
    noise = 0.1 * torch.randn(16, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plus, minus = (unroll(theta + s * noise, start(16, None), STEPS, None)[0] for s in (1, -1))
    plain = ((plus - minus).unsqueeze(1) * noise).mean(0) / (2 * 0.1**2)
    assert (gradient - plain).abs().max() < 1e-12
    assert (particles.age == STEPS).all()
    # The next estimate begins anew: with the same noise it is the same.
    again, _, _ = pes.estimate(theta, particles, torch.Generator().manual_seed(1))
    assert (again - gradient).abs().max() < 1e-12


@pytest.mark.parametrize("truncation", [3, 4, 12])
def test_pieces_are_unbiased_together(truncation):
    """The losses are quadratic in all perturbations, so the sum of the estimates has the exact gradient as its mean."""
    theta = torch.tensor([0.3, -0.2], dtype=torch.float64)
    pes = PES(start, unroll, STEPS, truncation, sigma=0.3, pairs=50)
    generator = torch.Generator().manual_seed(0)
    sums = []
    for _ in range(200):
        particles = pes.begin(theta, generator)
        total = torch.zeros(2, dtype=torch.float64)
        for _ in range(STEPS // truncation):
            gradient, _, particles = pes.estimate(theta, particles, generator)
            total += gradient
        sums.append(total)
    sums = torch.stack(sums)
    error = (sums.mean(0) - exact_gradient(theta)).abs()
    assert (error < 3 * sums.std(0) / math.sqrt(len(sums))).all()
    # Estimates that forget the earlier perturbations miss most of it: the test can tell.
    if truncation == 3:
        forgetful = theta.new_zeros(2)
        x = torch.zeros(1, dtype=torch.float64)
        for _ in range(STEPS // truncation):
            leaf = theta.clone().requires_grad_()
            piece, x = unroll(leaf.unsqueeze(0), x.detach(), truncation, None)
            forgetful = forgetful + torch.autograd.grad(piece.sum(), leaf)[0]
        assert (forgetful - exact_gradient(theta)).abs().max() > 30 * float(sums.std(0).max() / math.sqrt(len(sums)))


def test_staggered_pairs_have_all_ages():
    theta = torch.zeros(2, dtype=torch.float64)
    pes = PES(start, unroll, STEPS, 3, pairs=8, staggered=True)
    generator = torch.Generator().manual_seed(0)
    particles = pes.begin(theta, generator)
    for _ in range(6):
        _, _, particles = pes.estimate(theta, particles, generator)
        assert sorted(particles.age.tolist()) == [3, 3, 6, 6, 9, 9, 12, 12]


def test_pieces_divide_the_horizon():
    with pytest.raises(ArgumentError, match="truncation"):
        PES(start, unroll, 12, 5)
    with pytest.raises(ArgumentError, match="truncation"):
        MetaConfig(horizon=50, truncation=15)


# ---- meta-training ----


def task() -> Task:
    def init(runs, generator):
        return {"w": torch.randn(runs, 3, 2, generator=generator), "b": torch.zeros(runs, 3)}

    def batch(runs, generator):
        x = torch.randn(runs, 16, 2, generator=generator)
        return x, torch.stack([x.sum(-1), x[..., 0] - x[..., 1], 2 * x[..., 1]], -1)

    def loss(params, x, y):
        return (x @ params["w"].T + params["b"] - y).square().mean()

    return Task(init, batch, loss)


@pytest.mark.parametrize(
    "config",
    [
        MetaConfig(steps=25, horizon=10, lr=0.03),
        MetaConfig(steps=40, horizon=10, truncation=5, lr=0.03),
        MetaConfig(method="bptt", steps=25, horizon=10, truncation=5, lr=0.03),
    ],
)
def test_meta_training_makes_better_optimizers(config):
    spec = WeightSpec({"w": (3, 2), "b": (3,)}, {"w": ("o", "i"), "b": ("o",)})
    inputs = Inputs(decays=(0.9,), clock=1, horizon=10, normalized=True)
    torch.manual_seed(0)
    update = LearnedUpdate(spec, DeepSet(spec, inputs.channels, 1, width=8), inputs, lr=0.02, strength=0.1)
    before = float(evaluate(update, task(), 16, 10, seed=5).mean())
    first = meta_train(update, task(), config, quiet=True)
    assert len(first) == config.steps
    after = float(evaluate(update, task(), 16, 10, seed=5).mean())
    assert after < 0.8 * before


@pytest.mark.parametrize("truncation", [0, 2])
def test_optimizers_trained_together_are_those_trained_alone(truncation):
    """Recorded steps of three seeds at once, with whole runs and with pieces of them."""
    spec = WeightSpec({"w": (3, 2), "b": (3,)}, {"w": ("h", None), "b": ("h",)})
    inputs = Inputs(decays=(0.9,), clock=1, horizon=4, normalized=True)

    def made(seed):
        torch.manual_seed(seed)
        return LearnedUpdate(spec, UNF(spec, inputs.channels, 1, width=4, layers=2), inputs, lr=0.05).double()

    def init(runs, g):
        return {n: torch.randn(runs, *s, dtype=torch.float64, generator=g) for n, s in spec.shapes.items()}

    def batch(runs, g):
        return (torch.randn(runs, 2, dtype=torch.float64, generator=g),)

    task = Task(init, batch, lambda p, x: (p["w"] @ x + p["b"]).tanh().square().sum())
    config = MetaConfig(steps=5, horizon=4, truncation=truncation, pairs=3, seed=3)
    together, alone = [made(k) for k in range(3)], [made(k) for k in range(3)]
    found = meta_train_all(together, task, config, quiet=True)
    for k, one in enumerate(alone):
        told = meta_train(one, task, dataclasses.replace(config, seed=3 + k), quiet=True)
        assert found[k] == pytest.approx(told, rel=1e-10)
        for a, b in zip(together[k].parameters(), one.parameters()):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert found[0] != pytest.approx(found[1])


def test_what_depends_on_theta_alone_is_computed_once():
    calls = []

    def step(theta, x, y):
        calls.append(1)
        return x * theta["a"].exp() + y, y.roll(1)

    traced, x = Traced(), torch.arange(4.0)
    for a in (0.5, 2.0):
        theta = {"a": torch.tensor(a)}
        again = traced.steps(step, theta, (x, x))
        here = there = (x, x)
        for _ in range(3):
            here, there = again(theta, *here), step(theta, *there)
        assert all(torch.equal(p, q) for p, q in zip(here, there))
    assert len(traced.kept) == 1
    once, each, *_ = next(iter(traced.kept.values()))
    assert [n for n in once.graph.nodes if "exp" in str(n.target)]
    assert not [n for n in each.graph.nodes if "exp" in str(n.target)]


def test_a_recorded_step_is_never_another_one():
    theta, x = {"a": torch.tensor(2.0)}, torch.arange(1.0, 4.0)
    traced = Traced()
    assert torch.equal(traced.steps(lambda t, x: x + t["a"], theta, (x,))(theta, x), x + 2)
    assert torch.equal(traced.steps(lambda t, x: x * t["a"], theta, (x,))(theta, x), 2 * x)
    again = traced.steps(lambda t, x: x.sum() / len(x) * t["a"].exp(), theta, (x,))
    assert float(again(theta, torch.ones(6))) == float(theta["a"].exp())  # another shape
    assert float(again({"a": torch.tensor(0.0)}, x)) == 2.0  # another theta
    theta["a"].zero_()
    assert float(again(theta, x)) == 2.0  # the same, written into
    random = traced.steps(lambda t, x: x + torch.rand_like(t["a"]) + torch.rand(3), theta, (x,))
    assert not torch.equal(random(theta, x), random(theta, x))
    y = torch.zeros(3)
    write = traced.steps(lambda t, y: y.add_(1), theta, (y,))
    assert float(y.sum()) == 0
    assert float(write(theta, y).sum()) == 3
    assert float(y.sum()) == 3


def test_steps_that_cannot_be_recorded_are_refused():
    theta, x = {"a": torch.tensor(2.0)}, torch.arange(1.0, 4.0)
    reading = (
        lambda t, x: x if bool(x.sum() > 0) else -x,
        lambda t, x: x * max(x.tolist()),
        lambda t, x: x * float(x.numpy().max()),
    )
    for step in reading:
        with pytest.raises(ArgumentError, match="step"):
            Traced().steps(step, theta, (x,))
    with pytest.raises(ArgumentError, match="args"):
        Traced().steps(lambda t, x, k: x * k, theta, (x, 2))
    with pytest.raises(ArgumentError, match="theta"):
        Traced().steps(lambda t, x: x * t["a"], {"a": torch.tensor(2.0, requires_grad=True)}, (x,))


def test_optimizers_of_two_kinds_are_not_trained_together():
    spec = WeightSpec({"w": (3,)}, {"w": ("h",)})
    inputs = Inputs(decays=(0.9,), clock=1, horizon=2)
    updates = [LearnedUpdate(spec, DeepSet(spec, inputs.channels, 1, width=w), inputs) for w in (4, 5)]
    task = Task(lambda runs, g: {"w": torch.ones(runs, 3)}, lambda runs, g: (torch.ones(runs, 1),), lambda p, x: p["w"].sum())
    for some in (updates, []):
        with pytest.raises(ArgumentError, match="updates"):
            meta_train_all(some, task, MetaConfig(steps=1, horizon=2), quiet=True)
