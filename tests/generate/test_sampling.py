"""Sampling with networks that are known: moved noise gives moved samples, guidance hits known laws, known parts are held."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import erlangen as er
from erlangen.actions import Fractional
from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Diffusion, Gaussian, Process, Together, WrappedNormal
from erlangen.generate.bound import times
from erlangen.generate.circle import score, wrapped
from erlangen.generate.sampling import Way, sample
from erlangen.groups import SpaceGroup
from erlangen.nn import EGNN

T, F64 = 40, torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Optimal(nn.Module):
    """The noise that is to be expected in ``x_t`` of normal data of this mean and variance."""

    def __init__(self, process: Gaussian, mean: float = 0.0, variance: float = 1.0) -> None:
        super().__init__()
        self.kept, self.mean, self.variance = process.kept, mean, variance

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.noise(x, t, self.mean)

    def noise(self, x: Tensor, t: Tensor, mean: Any) -> Tensor:
        kept = self.kept[t].to(x).reshape(-1, *(1,) * (x.ndim - 1))
        return (1 - kept).sqrt() * (x - kept.sqrt() * mean) / (kept * self.variance + 1 - kept)


class Equivariant(nn.Module):
    """An EGNN that says where clouds come from."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = EGNN(scalars=1, width=8, layers=2, moving=False)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        moved, _ = self.inner(x, scalars=(t / T).to(x).reshape(-1, 1, 1).expand(*x.shape[:2], 1))
        return moved


class OnTorus(nn.Module):
    """A score of points that only sees differences, and is odd in them along each axis."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        waves = (2 * math.pi * (x.unsqueeze(2) - x.unsqueeze(1))).sin()
        return (waves.sum(2) + waves.sum(2) ** 3) * (t / T).to(x).reshape(-1, 1, 1)


def with_moved_numbers(process: Process, g: Tensor, moves: Any, moves_prior: Any) -> Process:
    """The process, whose random numbers are moved by an element."""

    class Moved(type(process)):  # type: ignore[misc]
        def draw(self, like, rows, generator):
            return moves(g, super().draw(like, rows, generator))

        def prior(self, like, *, rows=None, generator=None):
            return moves_prior(g, super().prior(like, rows=rows, generator=generator))

    moved = copy.copy(process)
    moved.__class__ = Moved
    return moved


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_moved_noise_gives_moved_clouds(eta: float) -> None:
    G = er.O(3)
    process, network = Gaussian(G.vector, T, "start", centred=True), Equivariant().double()
    g = G.sample(generator=generator(5), dtype=F64)
    plain = Diffusion(process, network).sample(torch.empty(3, 5, 3, dtype=F64), eta=eta, corrector=0.05, generator=generator())

    class Turned(Gaussian):
        def draw(self, like, rows, generator):
            return G.vector.act(g, super().draw(like, rows, generator))

    turned = Turned(G.vector, T, "start", centred=True)  # its prior is such a draw, too
    moved = Diffusion(turned, network).sample(torch.empty(3, 5, 3, dtype=F64), eta=eta, corrector=0.05, generator=generator())
    torch.testing.assert_close(moved, G.vector.act(g, plain), rtol=1e-10, atol=1e-10)
    assert float(plain.mean(1).abs().max()) < 1e-12
    told = Diffusion(process, network)
    verdict = er.equivariance_error(lambda x: told(x, torch.full((3,), 7)), plain, G.vector, G.vector)
    assert verdict["worst"] < 1e-10


def test_moved_noise_gives_moved_crystals() -> None:
    action = Fractional(SpaceGroup(225))
    g = action.group.sample(generator=generator(3))
    like, process = torch.empty(2, 4, 3, dtype=F64), WrappedNormal(action, T)

    def turn(g: Tensor, e: Tensor) -> Tensor:
        return (action.group.rotation(g).to(e) @ e.unsqueeze(-1)).squeeze(-1)

    plain = Diffusion(process, OnTorus(), average=0).sample(like, corrector=0.1, generator=generator())
    turned = with_moved_numbers(process, g, turn, action.act)
    moved = Diffusion(turned, OnTorus(), average=0).sample(like, corrector=0.1, generator=generator())
    assert float(wrapped(moved - action.act(g, plain)).abs().max()) < 1e-10
    assert float(wrapped(moved - plain).abs().max()) > 1e-2


def test_all_strides_are_the_full_chain_and_fewer_are_exact_for_one_point() -> None:
    process = Gaussian(schedule=T, prediction="noise")
    model = Diffusion(process, Optimal(process, 1.5, 0.3), average=0)
    like = torch.empty(6, 2, dtype=F64)
    full, strided = (model.sample(like, steps=steps, generator=generator()) for steps in (None, T))
    assert torch.equal(full, strided)
    assert times(T, T) == list(range(T, -1, -1))
    point = Diffusion(process, Optimal(process, 1.5, 0.0), average=0)
    for steps in (1, 3, T):
        for eta in (0.0, 1.0):
            made = point.sample(like, steps=steps, eta=eta, generator=generator())
            torch.testing.assert_close(made, torch.full_like(made, 1.5), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("eta", "corrector"), [(0.0, 0.0), (1.0, 0.0), (0.5, 0.2)])
def test_variance_of_samples_is_that_of_the_linear_chain(eta: float, corrector: float) -> None:
    """Of normal data every step is affine: mean and variance follow by a recursion, and near the data's with many steps."""
    process = Gaussian(schedule=200, prediction="noise")
    kept, mean, v = process.kept, 1.0, 0.5
    m_now, v_now = 0.0, 1.0
    for t in range(process.steps, 0, -1):
        at, to = float(kept[t]), float(kept[t - 1])
        spread = at * v + 1 - at  # of x_t
        slope = 1 - corrector * (1 - at) / spread
        m_now = math.sqrt(at) * mean + slope * (m_now - math.sqrt(at) * mean)
        v_now = slope**2 * v_now + 2 * corrector * (1 - at)
        fresh = eta**2 * (1 - to) / (1 - at) * (1 - at / to)
        along = math.sqrt(max(1 - to - fresh, 0.0)) / math.sqrt(1 - at)
        slope = along + (math.sqrt(to) - along * math.sqrt(at)) * math.sqrt(at) * v / spread
        m_now = math.sqrt(to) * mean + slope * (m_now - math.sqrt(at) * mean)
        v_now = slope**2 * v_now + fresh
    n = 10_000
    made = Diffusion(process, Optimal(process, mean, v), average=0).sample(
        torch.empty(n, 1, dtype=F64), eta=eta, corrector=corrector, generator=generator()
    )
    assert abs(float(made.mean()) - m_now) < 4 * math.sqrt(v_now / n)
    assert abs(float(made.var()) / v_now - 1) < 4 * math.sqrt(2 / n)
    assert m_now == pytest.approx(mean, abs=0.01)
    assert v_now == pytest.approx(v, rel=0.05)


def test_guide_of_an_observation_gives_the_posterior() -> None:
    """Normal data of variance v, seen with noise of variance r as y: mean v y / (v + r), variance v r / (v + r)."""
    process, v, r, y = Gaussian(schedule=200, prediction="noise"), 2.0, 0.5, 1.5
    kept = process.kept

    def seen(x: Tensor, t: Tensor) -> Tensor:
        at = kept[t].unsqueeze(1)
        spread = at * v + 1 - at
        return (-((y - at.sqrt() * v * x / spread) ** 2) / (2 * (r + v * (1 - at) / spread))).sum(1)

    n = 8000
    made = Diffusion(process, Optimal(process, 0.0, v), average=0).sample(
        torch.empty(n, 1, dtype=F64), guide=seen, generator=generator()
    )
    mean, variance = v * y / (v + r), v * r / (v + r)
    assert abs(float(made.mean()) - mean) < 0.02 + 4 * math.sqrt(variance / n)
    assert abs(float(made.var()) / variance - 1) < 0.03 + 4 * math.sqrt(2 / n)


class Bayes(nn.Module):
    """Logits of each letter of a word, of all that are possible: what there is to know of it."""

    def __init__(self, process: Categorical, words: Tensor, chances: Tensor) -> None:
        super().__init__()
        self.process, self.words, self.chances = process, words, chances

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        kept, m = self.process.kept[t].float()[:, None, None], self.process.m.float()
        alike = kept * (x[:, None] == self.words) + (1 - kept) * m[x][:, None]
        weights = (alike.log().sum(-1) + self.chances.log()).softmax(1)
        # Letters that were drawn apart may be none of a word: then all are as likely.
        weights = torch.where(weights.isnan(), 1 / len(self.words), weights)
        return (weights @ nn.functional.one_hot(self.words).float().flatten(1)).unflatten(1, (-1, 3)).log()


@pytest.mark.parametrize("transition", ["uniform", 0])
def test_words_of_dependent_letters_come_out_as_they_are(transition: Any) -> None:
    """Each step draws the letters apart, given the last ones: with more steps what is lost of their dependence goes to nothing."""
    follows = torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.1, 0.8], [0.5, 0.0, 0.5]])
    words = torch.cartesian_prod(*[torch.arange(3)] * 3)
    chances = follows[words[:, :-1], words[:, 1:]].prod(1) / 3
    off = []
    for steps in (5, 80):
        process, n = Categorical(3, transition, steps), 8000
        model = Diffusion(process, Bayes(process, words, chances), average=0)
        made = model.sample(torch.empty(n, 3, dtype=torch.int64), generator=generator())
        found = torch.bincount(made @ torch.tensor([9, 3, 1]), minlength=27) / n
        off.append(float((found - chances).abs().sum()))
    drawn = torch.multinomial(chances, 1000, replacement=True, generator=generator(1))
    gap = chances.log()[drawn] - model.log_likelihood_bound(words[drawn], generator=generator(2)).nats
    assert abs(float(gap.mean())) < 0.03 + 4 * float(gap.std()) / math.sqrt(1000)  # and so does the bound's gap
    assert off[1] < 0.06 < off[0]  # 0.03 is what so many draws of 27 words are off


class Conditional(Optimal):
    """With the condition normal around it, without around 0."""

    def forward(self, *, x: Tensor, t: Tensor, centre: Tensor, given: Tensor) -> dict[str, Tensor]:
        assert not bool(centre[~given].any())
        return {"x": self.noise(x, t, centre[:, None])}


def test_classifier_free_guidance_goes_beyond_the_condition() -> None:
    """Of normal laws of one variance around 0 and c, the guided scores are those of the one around w c."""
    process = Gaussian(schedule=60, prediction="noise")
    model = Diffusion(Together({"x": process}), Conditional(process, 0.0, 0.5), condition=["centre"], average=0)
    n = 2000
    centre = torch.tensor([1.0, -2.0], dtype=F64).repeat_interleave(n)
    for w in (0.0, 1.0, 2.5):
        made = model.sample({"x": torch.empty(2 * n, 1, dtype=F64), "centre": centre}, guidance=w, generator=generator())["x"]
        for part, c in zip(made.split(n), (1.0, -2.0)):
            assert abs(float(part.mean()) - w * c) < 0.02 + 4 * math.sqrt(0.5 / n)
    with pytest.raises(ArgumentError, match="guidance"):
        Diffusion(process, Optimal(process)).sample(torch.empty(1, 1), guidance=2.0)


def record() -> tuple[Together, nn.Module, dict[str, Tensor]]:
    process = Together({"pos": Gaussian(schedule=T), "frac": WrappedNormal(schedule=T), "kind": Categorical(4, schedule=T)})

    class Net(nn.Module):
        def forward(self, *, pos, frac, kind, t):
            return {"pos": pos.tanh(), "frac": (2 * math.pi * frac).sin(), "kind": pos.sum(-1, keepdim=True) * torch.arange(4.0)}

    known = {
        "pos": torch.randn(3, 5, 2, generator=generator()),
        "frac": torch.rand(3, 5, 3, generator=generator()),
        "kind": torch.ones(3, 5, dtype=torch.int64),
    }
    return process, Net(), known


def test_what_is_fixed_is_held_to_the_last_bit() -> None:
    process, network, known = record()
    model = Diffusion(process, network, average=0)
    some = torch.rand(3, 5, generator=generator(9)) < 0.5
    made = model.sample(
        known, fixed={"pos": some, "frac": True, "kind": some}, corrector={"frac": 0.1}, steps=9, generator=generator()
    )
    assert torch.equal(made["pos"][some], known["pos"][some])
    assert torch.equal(made["frac"], known["frac"])
    assert torch.equal(made["kind"][some], known["kind"][some])
    assert not torch.isclose(made["pos"][~some], known["pos"][~some]).any()
    entries = torch.zeros(3, 5, 2, dtype=torch.bool)
    entries[..., 0] = True
    assert torch.equal(model.sample(known, fixed={"pos": entries})["pos"][..., 0], known["pos"][..., 0])


def test_a_late_start_refines() -> None:
    process, network, known = record()
    near = Diffusion(process, network, average=0).sample(known, start=1, generator=generator())
    assert float(wrapped(near["frac"] - known["frac"]).abs().max()) < 0.1
    assert float((near["pos"] - known["pos"]).abs().max()) < 0.3
    full = Diffusion(process, network, average=0).sample(known, start=T, steps=3, generator=generator())
    assert full["kind"].shape == (3, 5)


def test_empty_and_single_batches_and_what_follows_the_data() -> None:
    process, network, known = record()
    model = Diffusion(process, network, average=0)
    for size in (0, 1):
        made = model.sample({name: part[:size] for name, part in known.items()}, steps=3)
        assert [len(made[name]) for name in process.parts] == [size] * 3
    assert made["frac"].dtype == torch.float32
    one, two = (model.sample(known, generator=generator(4)) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in process.parts)
    assert model.training  # as it was


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": T + 1}, "steps"),
        ({"start": 0}, "start"),
        ({"start": 5, "steps": 6}, "steps"),
        ({"eta": 2.0}, "eta"),
        ({"corrector": 0.1}, "corrector"),  # classes have no score
        ({"corrector": {"other": 0.1}}, "corrector"),
        ({"corrector": {"pos": -0.1}}, "corrector"),
        ({"fixed": {"other": True}}, "fixed"),
        ({"fixed": {"pos": torch.ones(3, 4, dtype=torch.bool)}}, "fixed"),
        ({"fixed": {"pos": "all"}}, "fixed"),
        ({"guide": lambda x, t: x["pos"]}, "guide"),
        ({"guide": lambda x, t: x["kind"].sum(1).float()}, "guide"),  # no gradient tells it where to go
    ],
)
def test_refused(options: dict[str, Any], argument: str) -> None:
    process, network, known = record()
    with pytest.raises(ArgumentError) as error:
        Diffusion(process, network, average=0).sample(known, **options)
    assert error.value.argument == argument


def test_a_few_fixed_points_of_a_centred_cloud_are_refused() -> None:
    process = Gaussian(schedule=T, centred=True)
    with pytest.raises(ArgumentError, match="centre"):
        Diffusion(process, Optimal(process)).sample(torch.zeros(1, 3, 2), fixed=torch.tensor([[True, False, False]]))


class TowardsOne(nn.Module):
    """The score of noise around one crystal."""

    def __init__(self, process: WrappedNormal, x0: Tensor) -> None:
        super().__init__()
        self.process, self.x0 = process, x0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        sigma, size = (table[t].to(x)[:, None, None] for table in (self.process.sigma, self.process.size))
        return score(x - self.x0, sigma) / size


@pytest.mark.parametrize(("steps", "eta"), [(100, 1.0), (100, 0.0), (20, 1.0)])
def test_one_crystal_is_found_again(steps: int, eta: float) -> None:
    process, x0 = WrappedNormal(schedule=100), torch.rand(4, 3, dtype=F64, generator=generator(8))
    made = Diffusion(process, TowardsOne(process, x0), average=0).sample(
        torch.empty(6, 4, 3, dtype=F64), steps=steps, eta=eta, generator=generator()
    )
    assert float(wrapped(made - x0).abs().max()) < 1e-10


def test_a_corrector_after_each_step_back_does_not_follow_the_last() -> None:
    """With a predictor-first order the data at the end are those of the step back, whatever the corrector's size."""
    process = Together({"x": Gaussian(schedule=10)})
    seen: list[int] = []

    def predict(record: dict[str, Tensor], t: Tensor) -> dict[str, Tensor]:
        seen.append(int(t[0]))
        return {"x": torch.zeros_like(record["x"])}

    for order, steps in (("corrector-first", [10, 10, 5, 5]), ("predictor-first", [10, 5, 5])):
        seen.clear()
        sample(process, predict, {"x": torch.zeros(3, 2)}, Way(steps=2, corrector=0.1, order=order))
        assert seen == steps
    with pytest.raises(ArgumentError, match="order"):
        sample(process, predict, {"x": torch.zeros(3, 2)}, Way(steps=2, order="first"))
