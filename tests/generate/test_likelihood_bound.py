"""The bound on the likelihood: exact sums, against the truth where it is known, and what sampling of steps leaves unbiased."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Diffusion, Gaussian, Together, WrappedNormal, cosine, geometric, log_linear
from erlangen.generate.circle import log_density, score

F64 = torch.float64
EULER = 0.5772156649015329


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Optimal(nn.Module):
    """The noise to be expected in noisy normal data of this variance."""

    def __init__(self, process: Gaussian, variance: float) -> None:
        super().__init__()
        self.kept, self.variance = process.kept, variance

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        kept = self.kept[t].to(x).unsqueeze(1)
        return (1 - kept).sqrt() * x / (kept * self.variance + 1 - kept)


class TwoPoints(Gaussian):
    """Noise that is 1 and -1 in turn: with data at plus and minus their deviation, means of squares are exact."""

    def draw(self, like, rows, generator):
        return torch.tensor([1.0, -1.0], dtype=F64).repeat(len(like) // 2).unsqueeze(1)


def gap(schedule: Tensor, v: float) -> tuple[float, float]:
    """Of a normal law's mean log-density over the mean bound: as computed, and by the sum that it should be."""
    process = TwoPoints(schedule=schedule, prediction="noise")
    data = math.sqrt(v) * torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=F64).unsqueeze(1)
    found = Diffusion(process, Optimal(process, v), average=0).log_likelihood_bound(data)
    snr = process.kept[1:] / (1 - process.kept[1:])
    left = v / (1 + v * snr)  # the mean square error of the best guess
    cost = 0.5 * float((left[1:] * (snr[:-1] - snr[1:])).sum())
    cost += 0.5 * float(snr[0] * left[0] + math.log(2 * math.pi) - snr[0].log())
    last = float(process.kept[-1])
    cost += 0.5 * (last * v - last - math.log1p(-last))
    truth = -0.5 * math.log(2 * math.pi * v) - 0.5
    return truth - float(found.nats.mean()), truth + cost


@pytest.mark.parametrize("v", [0.3, 1.0, 4.0])
def test_gap_of_a_normal_law_closes(v: float) -> None:
    gaps = []
    for steps in (10, 40, 160, 640):
        measured, exact = gap(log_linear(steps, first=8.0, last=-12.0), v)
        assert measured == pytest.approx(exact, rel=1e-6, abs=1e-10)
        gaps.append(measured)
    assert all(value > 0 for value in gaps)  # a bound
    assert all(fine < 0.3 * coarse for coarse, fine in pairwise(gaps))  # to a quarter each time, in the limit
    assert gaps[-1] < 0.1


def test_gap_of_noise_in_equal_steps_stays() -> None:
    """Noise of 1, 2, 3, ... times the first: the sum of ``1/k - log(1 + 1/k)`` remains, Euler's constant."""
    kept = 1 - torch.arange(401, dtype=F64) / 401
    measured, exact = gap(kept, 1.0)
    assert measured == pytest.approx(exact, rel=1e-6)
    assert measured == pytest.approx(0.5 * EULER, abs=5e-3)


def test_dimensions_of_centred_and_masked_data_count() -> None:
    """Two centred points on a line are one normal number: the bound is that of it."""
    process, one = Gaussian(schedule=60, prediction="start", centred=True), Gaussian(schedule=60, prediction="start")

    class Shrink(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return 0.5 * x

    n = 4000
    r = torch.randn(n, 1, dtype=F64, generator=generator())
    pair = torch.stack([r, -r], 1) / math.sqrt(2)
    bound = Diffusion(process, Shrink(), average=0).log_likelihood_bound(pair, generator=generator(1)).nats
    line = Diffusion(one, Shrink(), average=0).log_likelihood_bound(r, generator=generator(2)).nats
    assert abs(float((bound - line).mean())) < 4 * float((bound - line).std()) / math.sqrt(n)
    mask = torch.tensor([[True, True, False]]).expand(n, 3)
    padded = torch.cat([pair, torch.ones(n, 1, 1, dtype=F64)], 1)

    class Named(nn.Module):
        def forward(self, *, x: Tensor, there: Tensor, t: Tensor) -> dict[str, Tensor]:
            return {"x": 0.5 * x}

    masked = Diffusion(Together({"x": process}, masks={"x": "there"}), Named(), average=0)
    again = masked.log_likelihood_bound({"x": padded, "there": mask}, generator=generator(3)).nats
    assert abs(float((again - line).mean())) < 4 * float((again - line).std()) / math.sqrt(n)


class TorusOptimal(nn.Module):
    """The score of a wrapped normal of this deviation, made noisier."""

    def __init__(self, process: WrappedNormal, deviation: float) -> None:
        super().__init__()
        self.process, self.deviation = process, deviation

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        sigma = self.process.sigma[t].unsqueeze(1)
        return score(x - 0.5, (sigma.square() + self.deviation**2).sqrt()) / self.process.size[t].unsqueeze(1)


def test_bound_on_a_torus() -> None:
    """Of a wrapped normal law with its true scores: below the truth, and near it with many steps."""
    deviation, n = 0.15, 1500
    data = (0.5 + deviation * torch.randn(n, 1, dtype=F64, generator=generator())) % 1
    truth = log_density(data - 0.5, torch.tensor(deviation, dtype=F64))[:, 0]
    gaps = []
    for steps in (8, 120):
        process = WrappedNormal(schedule=geometric(steps, first=0.01, last=0.6))
        found = Diffusion(process, TorusOptimal(process, deviation), average=0).log_likelihood_bound(data, generator=generator(1))
        difference = truth - found.nats
        gaps.append((float(difference.mean()), float(difference.std()) / math.sqrt(n)))
    (coarse, spread), (fine, fine_spread) = gaps
    assert coarse > 4 * spread
    assert -4 * fine_spread < fine < 0.03 + 4 * fine_spread < coarse


K, T = 3, 5


class Logits(nn.Module):
    """A table of logits for each label and step."""

    def __init__(self) -> None:
        super().__init__()
        self.table = 2 * torch.randn(T + 1, K, K, dtype=F64, generator=generator(4))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.table[t.unsqueeze(1), x]


@pytest.mark.parametrize("transition", ["uniform", 1, torch.tensor([0.6, 0.3, 0.1])])
def test_bound_of_a_chain_by_matrices(transition) -> None:
    """All ways through the chain, as products of matrices: the bound's mean, and that it lies below the probability."""
    process, network = Categorical(K, transition, T), Logits()
    model = Diffusion(process, network, average=0)
    labels = torch.arange(K)
    back = {}
    for t in range(1, T + 1):  # [x_t, x_(t-1)]: the chain's step
        at = torch.full((K,), t)
        back[t] = process.law(network(labels[:, None], at), labels[:, None], at, at - 1)[:, 0]
    probability = process.m
    for t in range(T, 0, -1):
        probability = probability @ back[t]

    def forward(t: int, s: int) -> Tensor:
        keep = float(process.kept[t] / process.kept[s])
        return keep * torch.eye(K, dtype=F64) + (1 - keep) * process.m.expand(K, K)

    exact = []
    for x_0 in range(K):
        total = float(torch.xlogy(forward(T, 0)[x_0], forward(T, 0)[x_0]).sum() - torch.xlogy(forward(T, 0)[x_0], process.m).sum())
        for t in range(1, T + 1):
            for x_t in range(K):
                weight = float(forward(t, 0)[x_0, x_t])
                if weight:
                    true = forward(t - 1, 0)[x_0] * forward(t, t - 1)[:, x_t] / weight
                    total += weight * float((torch.xlogy(true, true) - torch.where(true > 0, true * back[t][x_t].log(), 0)).sum())
        exact.append(-total)
    n = 6000
    x0 = labels.repeat_interleave(n).unsqueeze(1)
    everything = model.log_likelihood_bound(x0, generator=generator())
    sampled = model.log_likelihood_bound(x0, samples=2, generator=generator(1))
    for found in (everything, sampled):
        for x_0, each in enumerate(found.nats.view(K, n)):
            assert exact[x_0] <= float(probability[x_0].log()) + 1e-12
            assert abs(float(each.mean()) - exact[x_0]) <= 4 * float(each.std()) / math.sqrt(n) + 1e-9
    assert float(sampled.nats.std()) > float(everything.nats.std())
    torch.testing.assert_close(everything.bits * math.log(2), everything.nats)


def test_one_step_of_a_chain_is_exact() -> None:
    """With one step nothing is bounded: the prior is the law of x_T, and the last step the probability itself."""
    process, network = Categorical(K, 1, T), Logits()
    found = Diffusion(process, network, average=0).log_likelihood_bound(torch.tensor([[0], [2]]), steps=1)
    # The prior is the one label 1, from which the network's own probabilities lead.
    logs = network.table[T, 1].log_softmax(0)
    assert found.nats.tolist() == pytest.approx([float(logs[0]), float(logs[2])], abs=1e-12)


def test_parts_are_told_apart_and_impossible_data_are_said_to_be() -> None:
    process = Together({"a": Categorical(K, 0, cosine(T, power=1.0, largest=0.9)), "b": Gaussian(schedule=T)})

    class Net(nn.Module):
        def forward(self, *, a: Tensor, b: Tensor, t: Tensor) -> dict[str, Tensor]:
            return {"a": torch.zeros(*a.shape, K), "b": b}

    data = {"a": torch.tensor([[0, 0], [0, 2]]), "b": torch.zeros(2, 3)}
    found = Diffusion(process, Net(), average=0).log_likelihood_bound(data, generator=generator())
    assert set(found.parts) == {"a", "b"}
    assert found.parts["a"].isinf().tolist() == [False, True]  # the chain starts from 0, but something of 2 would be left
    torch.testing.assert_close(found.nats, found.parts["a"] + found.parts["b"])
    for options in ({"samples": 0}, {"steps": T + 1}):
        with pytest.raises(ArgumentError):
            Diffusion(process, Net(), average=0).log_likelihood_bound(data, **options)
