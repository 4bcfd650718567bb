"""Noise on classes: against Bayes' rule by whole matrices, for any two steps and every kind of transition."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Rows, cosine

K, T, F64 = 5, 12, torch.float64
MARGINAL = torch.tensor([0.5, 0.3, 0.0, 0.15, 0.05], dtype=F64)
TRANSITIONS = ["uniform", 0, 3, MARGINAL]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def matrix(process: Categorical, t: int, s: int) -> Tensor:
    """Of going from s to t, [from, to], as a product of single steps."""
    q = torch.eye(K, dtype=F64)
    for step in range(s, t):
        keep = float(process.kept[step + 1] / process.kept[step])
        q = q @ (keep * torch.eye(K, dtype=F64) + (1 - keep) * process.m.expand(K, K))
    return q


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("schedule", [T, cosine(T, power=1.0, largest=0.999)])
def test_laws_compose(transition, schedule) -> None:
    process = Categorical(K, transition, schedule)
    here, there = torch.cartesian_prod(torch.arange(K), torch.arange(K)).unbind(1)
    for t, s in [(1, 0), (T, 0), (9, 4), (T, T - 1)]:
        logs = process.log_law(there[:, None], here[:, None], torch.full((K * K,), t), torch.full((K * K,), s))
        torch.testing.assert_close(logs.exp().view(K, K), matrix(process, t, s), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize(("t", "s"), [(1, 0), (5, 4), (9, 2), (7, 0), (T, T - 1), (T, 0), (T, 5)])
def test_step_back_is_bayes_by_matrices(transition, t: int, s: int) -> None:
    process = Categorical(K, transition, T)
    forward, between, whole = matrix(process, s, 0), matrix(process, t, s), matrix(process, t, 0)
    p = torch.rand(K, dtype=F64, generator=generator()).softmax(0)
    for x_t in range(K):
        possible = whole[:, x_t] > 0
        if not bool(possible.any()):
            continue  # nothing comes here
        # [x_0, x_s]: q(x_s | x_t, x_0)
        joint = forward * between[:, x_t]
        bayes = torch.where(possible[:, None], joint / whole[:, x_t].clamp(min=1e-300)[:, None], 0.0)
        expected = p @ bayes
        expected = expected / expected.sum()
        at = torch.tensor([[x_t]])
        law = process.law(p.log().view(1, 1, K), at, torch.tensor([t]), torch.tensor([s]))
        torch.testing.assert_close(law.view(K), expected, rtol=1e-12, atol=1e-12)
        for x_0 in possible.nonzero().flatten().tolist():
            law = process.posterior(torch.tensor([[x_0]]), at, torch.tensor([t]), torch.tensor([s]), dtype=F64)
            torch.testing.assert_close(law.view(K), bayes[x_0], rtol=1e-12, atol=1e-12)


def test_what_absorbs_keeps_what_it_did_not_take() -> None:
    process = Categorical(K, 0, T)
    logits = torch.randn(1, 3, K, generator=generator())
    x_t = torch.tensor([[1, 4, 0]])
    law = process.law(logits, x_t, torch.tensor([6]), torch.tensor([2]))
    assert law[0, :2].argmax(-1).tolist() == [1, 4]
    assert law[0, :2].amax(-1).tolist() == [1.0, 1.0]
    said_impossible = torch.full((1, 3, K), -torch.inf)  # all on a class that x_t = 4 excludes
    said_impossible[..., 2] = 0.0
    assert process.law(said_impossible, x_t, torch.tensor([6]), torch.tensor([2]))[0, 1].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_samples_have_the_law(transition) -> None:
    process, n = Categorical(K, transition, T), 20_000
    x0 = torch.full((1, n), 1)
    x_t, _ = process.noise(x0, torch.tensor([7]), generator=generator())
    expected = matrix(process, 7, 0)[1]
    assert chi_square(x_t, expected) > 1e-3
    logits = torch.tensor([0.3, -1.0, 0.5, 2.0, 0.0])
    at = torch.full((1, n), 0)
    back = process.reverse(at, logits.expand(1, n, K), torch.tensor([9]), torch.tensor([4]), generator=generator(1))
    law = process.law(logits.double().view(1, 1, K), at[:, :1], torch.tensor([9]), torch.tensor([4])).view(K)
    assert chi_square(back, law) > 1e-3
    start = process.prior(x0, generator=generator(2))
    assert chi_square(start, process.m) > 1e-3


def chi_square(x: Tensor, law: Tensor) -> float:
    """The p-value; classes without probability must not occur."""
    from scipy.stats import chisquare

    counts = torch.bincount(x.flatten(), minlength=K).double()
    there = law > 0
    assert not bool(counts[~there].any())
    return float(chisquare(counts[there], law[there] * x.numel()).pvalue) if int(there.sum()) > 1 else 1.0


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("length", [1, 4, T])
def test_an_oracle_gives_back_the_datum(transition, length: int) -> None:
    process = Categorical(K, transition, T)
    x0 = torch.randint(K, (3, 40), generator=generator())
    logits = torch.full((3, 40, K), -torch.inf).scatter(-1, x0.unsqueeze(-1), 0.0)
    x, rng = process.prior(x0, generator=generator(1)), generator(2)
    grid = torch.linspace(T, 0, length + 1).round().long().tolist()
    for t, s in pairwise(grid):
        x = process.reverse(x, logits, torch.full((3,), t), torch.full((3,), s), generator=rng)
    assert torch.equal(x, x0)


def test_noise_commutes_with_places_and_names() -> None:
    """Renaming classes and moving places, of data and clocks alike, moves the noise alike."""

    class Given(Categorical):
        def draw(self, like, rows, generator):
            return self.clocks

    process = Given(K, "uniform", T)
    x0, clocks = torch.randint(K, (2, 6), generator=generator()), torch.empty(2, 6, K).exponential_(generator=generator(1))
    names, places = torch.randperm(K, generator=generator(2)), torch.randperm(6, generator=generator(3))
    process.clocks = clocks
    x_t, _ = process.noise(x0, torch.tensor([3, 9]))
    logits = torch.randn(2, 6, K, generator=generator(4))
    back = process.reverse(x_t, logits, torch.tensor([3, 9]), torch.tensor([0, 4]))
    inverse = names.argsort()
    process.clocks = clocks[..., inverse][:, places]
    moved, _ = process.noise(names[x0][:, places], torch.tensor([3, 9]))
    assert torch.equal(moved, names[x_t][:, places])
    moved_back = process.reverse(moved, logits[..., inverse][:, places], torch.tensor([3, 9]), torch.tensor([0, 4]))
    assert torch.equal(moved_back, names[back][:, places])


def test_actions_on_labels() -> None:
    class Renamed(er.Action):
        """Labels renamed by permutations."""

        def act(self, g, x):
            return torch.gather(g.expand(*x.shape[:-1], -1), -1, x) if g.ndim > 1 else g[x]

    names = Renamed(er.Symmetric(K))
    Categorical(K, "uniform", T, action=names)
    with pytest.raises(ArgumentError, match="keeps the law"):
        Categorical(K, 0, T, action=names)
    assert (
        er.equivariance_error(
            lambda data: Categorical(K, "uniform", T).log_law(data["a"], data["b"], torch.tensor([5, 9]), torch.tensor([0, 3]))[
                :, None
            ],
            {"a": torch.tensor([[0, 1, 2], [3, 4, 4]]), "b": torch.tensor([[0, 2, 2], [3, 1, 4]])},
            {"a": names, "b": names},
            names.group.scalar,
        )["worst"]
        < 1e-12
    )


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_evidence_is_the_law_read_backwards(transition) -> None:
    """And with it the posterior of an independent entry is Bayes' rule: the bound of its prior is its log-probability."""
    process = Categorical(K, transition, T)
    x_t, t = torch.arange(K).expand(3, K), torch.tensor([1, 7, T - 1])
    evidence = process.evidence(x_t, t, dtype=F64)
    for i, step in enumerate(t.tolist()):
        torch.testing.assert_close(evidence[i].exp(), matrix(process, step, 0).T, rtol=1e-12, atol=1e-15)
    prior = torch.tensor([0.5, 0.2, 0.1, 0.15, 0.05], dtype=F64)
    x0, draws = torch.arange(K), 400
    if float(process.m.min()) > 0:
        data = x0.repeat(draws).unsqueeze(1)
        total = process.prior_nats(data).double()
        for step in range(T, 0, -1):
            t, s = torch.full((len(data),), step), torch.full((len(data),), step - 1)
            noisy, _ = process.noise(data, t, generator=generator(step))
            total = total + process.step_nats(data, noisy, prior.log() + process.evidence(noisy, t, dtype=F64), t, s)
        nats = total.view(draws, K)
        # Exact posteriors make the chain of laws the chain itself: the bound is no bound then, and right in the mean.
        error = (nats.mean(0) + prior.log()).abs() / (nats.std(0) / draws**0.5)
        assert float(error.max()) < 4.5


def test_losses() -> None:
    """Cross entropy by torch's own; T times a step of the bound by matrices, whose mean over t and x_t is the bound's."""
    x0, logits = torch.tensor([[1, 3]]), torch.randn(1, 2, K, dtype=F64, generator=generator())
    process = Categorical(K, MARGINAL, T)
    t, x_t = torch.tensor([6]), torch.tensor([[1, 0]])
    plain = process.loss(logits, x0, x_t, t)
    torch.testing.assert_close(plain, torch.nn.functional.cross_entropy(logits[0], x0[0], reduction="none")[None])
    both = Categorical(K, MARGINAL, T, cross_entropy=0.5, bound=0.1).loss(logits, x0, x_t, t)
    true = process.posterior(x0, x_t, t, t - 1, dtype=F64)
    mine = process.law(logits, x_t, t, t - 1)
    divergence = (torch.xlogy(true, true) - torch.where(true > 0, true * mine.log(), 0)).sum(-1)
    torch.testing.assert_close(both, 0.5 * plain + 0.1 * T * divergence)
    leaf = logits.clone().requires_grad_()
    Categorical(K, 0, T, bound=1.0).loss(leaf, x0, x_t, t).sum().backward()
    assert bool(leaf.grad.isfinite().all())  # zeros of probabilities and their logarithms leave no NaN


def test_prior_says_when_something_is_left() -> None:
    x0 = torch.tensor([[1, 0]])
    assert Categorical(K, 0, T).prior_nats(x0).tolist() == [0.0]
    left = Categorical(K, 0, cosine(T, power=1.0, largest=0.999))
    assert left.prior_nats(x0).tolist() == [torch.inf]
    uniform = Categorical(K, "uniform", cosine(T, power=1.0, largest=0.9))
    q = matrix(uniform, T, 0)[1]
    assert float(uniform.prior_nats(torch.tensor([[1]]))) == pytest.approx(float((q * (q * K).log()).sum()), rel=1e-6)


def test_masked_and_ragged() -> None:
    process = Categorical(K, "uniform", T)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    x0 = torch.randint(K, (2, 3), generator=generator())
    rows = Rows(2, mask=mask)
    x_t, _ = process.noise(x0, torch.tensor([T, T]), rows=rows, generator=generator(1))
    assert not bool(x_t[~mask].any())
    logits = torch.randn(2, 3, K, generator=generator(2))
    nats = process.step_nats(x0, x_t, logits, torch.tensor([T, T]), torch.tensor([3, 3]), rows=rows)
    ragged = process.step_nats(
        x0[mask], x_t[mask], logits[mask], torch.tensor([T, T]), torch.tensor([3, 3]), rows=Rows(2, torch.tensor([0, 0, 1]))
    )
    torch.testing.assert_close(nats, ragged)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Categorical(1), "classes"),
        (lambda: Categorical(K, 5), "transition"),
        (lambda: Categorical(K, torch.ones(K)), "transition"),
        (lambda: Categorical(K, "other"), "transition"),  # type: ignore[arg-type]
        (lambda: Categorical(K, cross_entropy=0.0), "cross_entropy"),
        (lambda: Categorical(K, schedule=T).noise(torch.tensor([[5]]), torch.tensor([1])), "x0"),
        (lambda: Categorical(K, schedule=T).noise(torch.tensor([[1.0]]), torch.tensor([1])), "x0"),
        (
            lambda: Categorical(K, schedule=T).law(torch.zeros(1, 1, 4), torch.tensor([[1]]), torch.tensor([1]), torch.tensor([0])),
            "prediction",
        ),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument
