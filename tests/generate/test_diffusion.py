"""`Diffusion`: laws are learnt, a killed fit ends with the same bits, averages, conditions, ragged data and files."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Diffusion, Gaussian, TimeFeatures, Together, WrappedNormal, geometric
from erlangen.training import TrainingConfig

T = 30


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class OnCircle(nn.Module):
    """A score on the torus, through waves."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.time, self.inner = TimeFeatures(8), mlp(6 * dim + 8, 64, 64, dim)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        waves = 2 * math.pi * x.unsqueeze(-1) * torch.arange(1, 4)
        return self.inner(torch.cat([waves.sin().flatten(1), waves.cos().flatten(1), self.time(t).to(x)], 1))


def two_hills(n: int, seed: int) -> Tensor:
    """On a torus: the second coordinate follows the first, which lies at 0 or at 0.4."""
    g = generator(seed)
    first = 0.4 * (torch.rand(n, generator=g) < 0.3) + 0.05 * torch.randn(n, generator=g)
    second = 2 * first + 0.05 * torch.randn(n, generator=g)
    return torch.stack([first, second], 1) % 1


def test_a_law_on_a_torus_is_learnt() -> None:
    torch.manual_seed(0)
    model = Diffusion(WrappedNormal(schedule=geometric(T, first=0.01, last=0.5)), OnCircle(2), average=0.98)
    config = TrainingConfig(steps=500, batch_size=256, lr=5e-3)
    model.fit(two_hills(4000, 0), config, quiet=True)
    n = 600
    made, true = model.sample(torch.empty(n, 2), generator=generator(1)), two_hills(n, 1)
    for project in (lambda x: (x[:, 0] + 0.3) % 1, lambda x: (x[:, 1] + 0.4) % 1, lambda x: (x[:, 1] - 2 * x[:, 0] + 0.5) % 1):
        found = ks_2samp(project(made), project(true)).statistic
        uniform = ks_2samp(project(torch.rand(n, 2, generator=generator(2))), project(true)).statistic
        assert found < 0.1 < 0.15 < uniform


class OnLabels(nn.Module):
    """Logits of a short word."""

    def __init__(self, length: int, classes: int) -> None:
        super().__init__()
        self.shape, self.inner = (length, classes), mlp(length * classes + 8, 64, length * classes)
        self.time = TimeFeatures(8)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        one = nn.functional.one_hot(x, self.shape[1]).flatten(1).to(self.inner[0].weight.dtype)
        return self.inner(torch.cat([one, self.time(t)], 1)).unflatten(1, self.shape)


def test_a_chain_of_labels_is_learnt() -> None:
    """A Markov chain of three letters: the pairs that occur, how often."""
    g = generator()
    stay = torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.1, 0.8], [0.5, 0.0, 0.5]])
    words = torch.zeros(4000, 4, dtype=torch.int64)
    words[:, 0] = torch.randint(3, (4000,), generator=g)
    for i in range(1, 4):
        words[:, i] = torch.multinomial(stay[words[:, i - 1]], 1, generator=g)[:, 0]
    share = torch.bincount(words.flatten()) / words.numel()
    torch.manual_seed(0)
    model = Diffusion(Categorical(3, share, T, bound=1.0), OnLabels(4, 3), average=0.98)
    model.fit(words, TrainingConfig(steps=500, batch_size=256, lr=5e-3), quiet=True)
    made = model.sample(torch.empty(2000, 4, dtype=torch.int64), generator=generator(1))

    def pairs(x: Tensor) -> Tensor:
        return torch.bincount((3 * x[:, :-1] + x[:, 1:]).flatten(), minlength=9) / x[:, 1:].numel()

    assert float((pairs(made) - pairs(words)).abs().sum()) < 0.1
    assert float((made[:, 1:][made[:, :-1] == 0] == 2).float().mean()) < 0.03  # a pair that never occurs
    first = torch.bincount(made[:, 0], minlength=3) / len(made)
    assert float((first - 1 / 3).abs().sum()) < 0.1
    # The bound lies below the chain's own entropy, and more than half of the way from what letters drawn apart would give.
    found = model.log_likelihood_bound(words[:500], generator=generator(2)).nats
    logs = math.log(1 / 3) + stay.log()[words[:500, :-1], words[:500, 1:]].sum(1)
    apart = share.log()[words[:500]].sum(1).mean()
    assert (
        float(apart + logs.mean()) / 2 < float(found.mean()) < float(logs.mean()) + 4 * float((found - logs).std()) / math.sqrt(500)
    )


def small(dtype: torch.dtype = torch.float32, **options: Any) -> Diffusion:
    torch.manual_seed(3)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.drop = mlp(3, 16, 2), nn.Dropout(0.1)

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return self.drop(self.inner(torch.cat([x, (t / T).to(x)[:, None]], 1)))

    return Diffusion(Gaussian(schedule=T), Net().to(dtype), **options)


def test_a_killed_fit_ends_with_the_same_bits(tmp_path: Path) -> None:
    data = torch.randn(200, 2, generator=generator())

    class Killed(RuntimeError):
        pass

    def run(directory: Path, kill: int | None) -> Diffusion:
        model = small(average=0.9)
        calls = [0]

        def count(module: nn.Module, inputs: Any) -> None:
            calls[0] += module.training
            if kill is not None and calls[0] > kill:
                raise Killed

        model.network.register_forward_pre_hook(count)
        model.fit(
            data, TrainingConfig(steps=40, batch_size=32, checkpoint_every=7), validation=None, checkpoint=directory, quiet=True
        )
        return model

    whole = run(tmp_path / "whole", None)
    with pytest.raises(Killed):
        run(tmp_path / "parts", 17)
    resumed = run(tmp_path / "parts", None)
    again = run(tmp_path / "parts", None)  # a finished one is read
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
        assert torch.equal(value, again.state_dict()[name]), name


def test_validation_is_the_same_at_every_evaluation() -> None:
    data = torch.randn(200, 2, generator=generator())
    model = small(average=0.9)
    history = model.fit(data, TrainingConfig(steps=20, lr=1e-12, weight_decay=0.0, evaluate_every=5), validation=0.25, quiet=True)
    scores = [score for _, score in history.evaluations]
    assert len(scores) == 4
    assert max(scores) - min(scores) < 1e-6


def test_the_average_answers_in_evaluation() -> None:
    model = small(average=0.5)
    first = [p.detach().clone() for p in model.network.parameters()]
    seen = []
    model.network.register_forward_pre_hook(lambda module, inputs: seen.append([p.detach().clone() for p in module.parameters()]))
    model.fit(torch.randn(50, 2, generator=generator()), TrainingConfig(steps=6, lr=0.05), quiet=True)
    expected = first
    for n, weights in enumerate([*seen, [p.detach() for p in model.network.parameters()]]):
        keep = min(0.5, (1 + n) / (10 + n))
        expected = [keep * mean + (1 - keep) * now for mean, now in zip(expected, weights)]
    for mean, found in zip(expected, model.averaged.parameters()):
        torch.testing.assert_close(found.detach(), mean)
        assert not found.requires_grad
    x, t = torch.ones(1, 2), torch.tensor([4])
    assert torch.equal(model(x, t), model.averaged(x, t))
    model.train()
    assert not model.averaged.training
    model.network.drop.p = 0.0
    assert torch.equal(model(x, t), model.network(x, t))


class Labelled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp(5, 32, 1)
        self.seen: list[Tensor] = []

    def forward(self, *, x: Tensor, t: Tensor, label: Tensor, given: Tensor) -> dict[str, Tensor]:
        assert not bool(label[~given].any())
        self.seen.append(given)
        parts = [x, label[:, None], given[:, None].to(x), (t / T).to(x)[:, None], x * label[:, None]]
        return {"x": self.inner(torch.cat(parts, 1))}


def test_conditions_are_dropped_and_learnt() -> None:
    torch.manual_seed(0)
    g = generator()
    label = torch.randint(2, (2000,), generator=g).float() * 2 - 1
    x = label[:, None] + 0.2 * torch.randn(2000, 1, generator=g)
    model = Diffusion(Together({"x": Gaussian(schedule=T)}), Labelled(), condition=["label"], drop=0.25, average=0.95)
    model.fit({"x": x, "label": label}, TrainingConfig(steps=300, batch_size=256, lr=1e-2), quiet=True)
    share = 1 - float(torch.cat(model.network.seen).float().mean())
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / (300 * 256))
    asked = torch.tensor([1.0, -1.0]).repeat(300)
    made = model.sample({"x": torch.empty(600, 1), "label": asked}, generator=generator(1))["x"][:, 0]
    assert float((made.sign() == asked).float().mean()) > 0.97
    free = model.sample({"x": torch.empty(600, 1), "label": asked}, guidance=0.0, generator=generator(2))["x"][:, 0]
    assert 0.35 < float((free.sign() == asked).float().mean()) < 0.65


class Ragged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp(5, 16, 4)

    def forward(self, *, pos: Tensor, kind: Tensor, of: Tensor, t: Tensor) -> dict[str, Tensor]:
        both = self.inner(torch.cat([pos, kind[:, None].to(pos), (t / T).to(pos)[of][:, None]], 1))
        return {"pos": both[:, :3], "kind": torch.stack([both[:, 3], -both[:, 3]], 1)}


def test_ragged_data_and_double_precision(tmp_path: Path) -> None:
    g = generator()
    data = [
        {"pos": torch.randn(n, 3, generator=g, dtype=torch.float64), "kind": torch.randint(2, (n,), generator=g)}
        for n in (2, 5, 3, 4) * 8
    ]
    process = Together(
        {"pos": Gaussian(schedule=T, centred=True), "kind": Categorical(2, schedule=T)}, segments={"pos": "of", "kind": "of"}
    )
    torch.manual_seed(0)
    model = Diffusion(process, Ragged().double())
    history = model.fit(
        data, TrainingConfig(steps=10, batch_size=8, checkpoint_every=4), validation=0.25, checkpoint=tmp_path, quiet=True
    )
    assert len(history.losses) == 10
    assert history.best_step > 0
    like = process.collate(data[:3])
    made = model.sample(like, steps=5, generator=generator(1))
    assert made["pos"].dtype == torch.float64
    assert made["of"].tolist() == [0] * 2 + [1] * 5 + [2] * 3
    assert float(made["pos"][:2].mean(0).abs().max()) < 1e-12
    assert model.log_likelihood_bound(like, samples=3).nats.shape == (3,)


class Batches(Dataset):
    """Ragged classes, drawn anew whenever they are asked for."""

    def __len__(self) -> int:
        return 40

    def __getitems__(self, index: list[int]) -> list[dict[str, Tensor]]:
        of = torch.arange(len(index)).repeat_interleave(2)
        return [{"pos": torch.randn(len(of), 3), "kind": torch.randint(2, (len(of),)), "of": of}]


def test_data_sets_that_make_batches(tmp_path: Path) -> None:
    """Twice the same bits, for batches are drawn by the random numbers of each step."""
    process = Together(
        {"pos": Gaussian(schedule=T, centred=True), "kind": Categorical(2, schedule=T)}, segments={"pos": "of", "kind": "of"}
    )

    def trained(steps: int, folder: Path) -> Diffusion:
        torch.manual_seed(0)
        model = Diffusion(process, Ragged())
        settings = TrainingConfig(steps=steps, batch_size=8, checkpoint_every=3, schedule="constant", evaluate_every=2)
        model.fit(Batches(), settings, validation=Batches(), checkpoint=folder, quiet=True)
        return model

    one, other = trained(6, tmp_path / "a"), trained(6, tmp_path / "b")
    for a, b in zip(one.parameters(), other.parameters()):
        assert torch.equal(a, b)
    with pytest.raises(ArgumentError, match="data of its own"):
        Diffusion(process, Ragged()).fit(Batches(), validation=0.5)
    with pytest.raises(ArgumentError, match="__getitems__"):
        Diffusion(process, Ragged()).fit(TensorDataset(torch.zeros(4, 2)))


def test_files(tmp_path: Path) -> None:
    model, other = small(), small()
    with torch.no_grad():
        model.averaged.inner[0].weight.add_(1.0)
    path = model.save(tmp_path / "model.safetensors")
    other.load(path)
    like = torch.empty(4, 2)
    assert torch.equal(model.sample(like, generator=generator()), other.sample(like, generator=generator()))
    with pytest.raises(ArgumentError, match="weights of"):
        Diffusion(Gaussian(schedule=T + 1), small().network).load(path)
    with pytest.raises(ArgumentError, match="weights of"):
        small(average=0).load(path)
    with pytest.raises(ArgumentError, match="existing"):
        model.load(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("text")
    with pytest.raises(ArgumentError, match="safetensors file"):
        model.load(tmp_path / "text")


def test_compiled_networks_say_the_same() -> None:
    plain, compiled = small(), small()
    compiled.compile(backend="aot_eager", fullgraph=True)
    like = torch.empty(4, 2)
    made = compiled.sample(like, steps=4, generator=generator())
    torch.testing.assert_close(made, plain.sample(like, steps=4, generator=generator()))
    history = compiled.fit(torch.randn(64, 2, generator=generator()), TrainingConfig(steps=3, batch_size=32), quiet=True)
    assert len(history.losses) == 3


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Diffusion("gaussian", nn.Linear(1, 1)), "process"),  # type: ignore[arg-type]
        (lambda: Diffusion(Gaussian(schedule=T), nn.Linear(1, 1), condition=["label"]), "condition"),
        (lambda: Diffusion(Together({"x": Gaussian(schedule=T)}), nn.Linear(1, 1), condition="label"), "condition"),
        (lambda: Diffusion(Together({"x": Gaussian(schedule=T)}), nn.Linear(1, 1), condition=["x"]), "condition"),
        (lambda: small(drop=1.5), "drop"),
        (lambda: small(average=1.0), "average"),
        (lambda: small().fit({"x": torch.zeros(9, 2)}, quiet=True), "data"),
        (lambda: small().fit(torch.zeros(0, 2), quiet=True), "data"),
        (lambda: small().fit(torch.zeros(9, 2, dtype=torch.int64), quiet=True), "x"),
        (lambda: small().fit(torch.zeros(9, 2), validation=0.01, quiet=True), "validation"),
        (lambda: small().sample({"x": torch.zeros(2, 2)}), "like"),
        (
            lambda: Diffusion(Together({"x": Gaussian(schedule=T)}), Labelled(), condition=["label"]).sample(
                {"x": torch.zeros(2, 1)}
            ),
            "data",
        ),
        (lambda: Diffusion(Gaussian(schedule=T), Named()).sample(torch.zeros(2, 1)), "network"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument


class Named(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        return {"y": x}
