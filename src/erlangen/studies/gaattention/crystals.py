"""Which crystal an atom is in, by its twelve nearest neighbours: attention of rank 1 to 3, a perceptron, a forest on bond orders."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn

from erlangen.fields.crystals import Environments, bond_order, environments, prototypes
from erlangen.groups import SO
from erlangen.nn import GAAClassifier
from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.gaattention.study import SOURCE, Config
from erlangen.studies.rivals import Simple, boosters, machines, simplest
from erlangen.training import TrainingConfig, steps_within, train

NAMES = ("hP2-Mg", "cI2-W", "cF4-Cu", "cF8-C", "cF8-SZn", "cP46-Si", "cF136-Si", "cP2-ClCs")
NOISES = (1e-3, 0.05, 0.1)
PERCEPTRON, FOREST = "perceptron", "forest on bond orders"
#: Atoms that are turned: triples in double precision take their time.
TURNED = 480
SORTED = "bond orders and sorted distances"


class Turned(nn.Module):
    """A perceptron on the coordinates of neighbours, nearest first, and their features; clouds are turned at random in training."""

    def __init__(self, points: int, features: int, classes: int) -> None:
        super().__init__()
        self.net = perceptron(points * (3 + features), 256, 256, classes)

    def forward(self, r: Tensor, x: Tensor) -> Tensor:
        if self.training:
            g = SO(3).sample(len(r), dtype=r.dtype)
            r = r @ g.mT
        return self.net(torch.cat([r, x], -1).flatten(1))


def split(data: Environments, seed: int) -> tuple[Environments, Environments]:
    """Four fifths and one fifth, at random."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    cut = len(data) * 4 // 5
    return data[order[:cut]], data[order[cut:]]


def tensors(data: Environments, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Differences, features, labels."""
    return data.r.to(dtype), data.features().to(dtype), data.label


def loss(model: nn.Module, r: Tensor, x: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy."""
    return nn.functional.cross_entropy(model(r, x), label)


@torch.no_grad()
def predicted(model: nn.Module, r: Tensor, x: Tensor) -> Tensor:
    """The likeliest class, in double precision."""
    model.double().eval()
    found = torch.cat([model(a, b).argmax(-1) for a, b in zip(r.split(200), x.split(200))])
    model.float()
    return found


def descriptors(data: Environments) -> Tensor:
    """Bond orders Q_2 to Q_8, distances, and how many neighbours are of another kind."""
    other = (data.around != data.centre.unsqueeze(1)).double().sum(1, keepdim=True)
    return torch.cat([bond_order(data.r), data.r.norm(dim=-1), other], 1)


def arranged(data: Environments) -> Tensor:
    """These, and all angles at the atom and all distances of its neighbours from one another, each sorted."""
    i, j = torch.triu_indices(data.r.shape[1], data.r.shape[1], 1)
    u = nn.functional.normalize(data.r, dim=-1)
    angles, distances = (u @ u.mT)[:, i, j], torch.cdist(data.r, data.r)[:, i, j]
    return torch.cat([descriptors(data), angles.sort(-1).values, distances.sort(-1).values], 1)


def run(config: Config, quiet: bool) -> Part:
    """Train all, and compare."""
    every = prototypes()
    learned, test = split(environments([every[name] for name in NAMES], config.count, NOISES, seed=config.seed), config.seed)
    data, (r, x, label) = tensors(learned), tensors(test, torch.float64)
    steps = 6000 if config.full else config.steps
    settings = TrainingConfig(steps=steps, batch_size=config.batch, lr=config.lr, weight_decay=0.0, seed=config.seed)
    torch.manual_seed(config.seed)
    features, classes = data[1].shape[-1], len(NAMES)
    models: dict[str, nn.Module] = {
        f"rank {rank}": GAAClassifier(features, classes, config.width, config.blocks, rank) for rank in (2, 1, 3)
    }
    models[PERCEPTRON] = Turned(data[0].shape[1], features, classes)
    found, numbers = {}, {}
    seconds = 0.0
    for name, model in models.items():
        if name != "rank 2":
            settings = _within(seconds, model, data, settings)
        started = time.process_time()
        train(model, data, loss, settings, description=name, quiet=quiet)
        used = time.process_time() - started
        seconds = seconds or used
        found[name] = predicted(model, r, x)
        numbers[name] = {"steps": settings.steps, "seconds": used}
    started = time.process_time()
    forest = RandomForestClassifier(300, random_state=config.seed).fit(descriptors(learned).numpy(), learned.label.numpy())
    found[FOREST] = torch.from_numpy(forest.predict(descriptors(test).numpy()))
    numbers[FOREST] = {"steps": 0, "seconds": time.process_time() - started}
    started = time.process_time()
    simple = simplest({**boosters(True, rates=(0.1,), leaves=(15,)), **machines(True)}, arranged(learned), learned.label)
    found[SORTED] = simple.predict(arranged(test))
    numbers[SORTED] = {"steps": 0, "seconds": time.process_time() - started}
    accuracy = {name: float((y == label).double().mean()) for name, y in found.items()}
    by_noise = {name: [float((y == label)[test.noise == noise].double().mean()) for noise in NOISES] for name, y in found.items()}
    g = SO(3).sample(len(r), dtype=r.dtype, generator=torch.Generator().manual_seed(config.seed))
    some = slice(0, TURNED)
    changed = {name: int((predicted(models[name], r[some] @ g.mT, x[some]) != found[name][some]).sum()) for name in models}
    rows: list[list[Any]] = [
        [name, accuracy[name], *by_noise[name], numbers[name]["steps"], numbers[name]["seconds"], changed.get(name, 0)]
        for name in found
    ]
    columns = [
        "model",
        "accuracy",
        *(f"noise {noise:g}" for noise in NOISES),
        "steps",
        "CPU seconds",
        f"changed of {TURNED} when turned",
    ]
    confusion = torch.zeros(classes, classes).index_put((label, found["rank 2"]), torch.ones(len(label)), accumulate=True)
    shares = (confusion / confusion.sum(1, keepdim=True)).tolist()
    sections = [
        Section(
            "What each reached",
            f"{len(learned)} atoms to learn from, {len(test)} to judge by; noise in units of the shortest distance. All networks train "
            "for the CPU time of rank 2.",
            tables=[Table("Share of atoms named rightly", columns, rows)],
        ),
        Section(
            "Where rank 2 errs",
            "At a noise of a tenth hexagonal and cubic close packing, and these and the body-centred one, overlap.",
            tables=[
                Table(
                    "Share of the atoms of a crystal (row) named as (column)",
                    ["", *NAMES],
                    [[n, *s] for n, s in zip(NAMES, shares)],
                )
            ],
        ),
    ]
    metrics = {"accuracy": accuracy, "by_noise": by_noise, "training": numbers, "changed": changed}
    answer = (
        f"Rank 2 names {100 * accuracy['rank 2']:.1f} of 100 atoms rightly; a forest on bond orders {100 * accuracy[FOREST]:.1f}, "
        f"{simple.settings.split(',')[0]} on bond orders and sorted angles and distances {100 * accuracy[SORTED]:.1f}."
    )
    scale = f"{settings.batch_size} clouds a step, {steps} steps"
    claims = _claims(accuracy, changed, min(TURNED, len(test)), scale)
    return Part(claims, sections, metrics, answer, rivals=[_rival(accuracy, numbers, simple, f"{len(learned)} atoms; {scale}")])


def _rival(accuracy: dict[str, float], numbers: dict[str, Any], simple: Simple, scale: str) -> Rival:
    return Rival(
        "a classifier on bond orders and sorted distances",
        "attention of rank 2",
        "share of atoms named rightly",
        accuracy["rank 2"],
        accuracy[SORTED],
        "higher",
        seconds=numbers["rank 2"]["seconds"],
        rival_seconds=numbers[SORTED]["seconds"],
        settings=simple.settings,
        scale=scale,
    )


def _within(seconds: float, model: nn.Module, data: tuple[Tensor, ...], settings: TrainingConfig) -> TrainingConfig:
    return replace(settings, steps=steps_within(seconds, model, data, loss, settings, trial=5))


def _claims(accuracy: dict[str, float], changed: dict[str, int], count: int, scale: str) -> list[Claim]:
    two = accuracy["rank 2"]
    return [
        Claim("rank 2 names at least 91 of 100 atoms rightly", "crystals are identified", two, two >= 0.91, accuracy[PERCEPTRON], scale,
              source=SOURCE, key="crystals"),
        Claim("a perceptron shown random turns is worse by 20 of 100", None, two - accuracy[PERCEPTRON], two >= accuracy[PERCEPTRON] + 0.2,
              scale=scale, key="perceptron"),
        Claim("rank 2 is better than rank 1", "rank 2 is enough for most tasks", two, two > accuracy["rank 1"], accuracy["rank 1"], scale,
              source=SOURCE, key="angles"),
        Claim("rank 3 is not better by 1 of 100 in the same time", "rank 2 is enough for most tasks", accuracy["rank 3"],
              accuracy["rank 3"] <= two + 0.01, two, scale, source=SOURCE, key="triples"),
        Claim("rank 2 is at least as good as a forest on bond orders, distances and kinds", None, two, two >= accuracy[FOREST],
              accuracy[FOREST], scale, note="a strong peer that is made for crystals", key="forest"),
        Claim("no prediction of rank 1, 2, 3 changes when atoms are turned", "invariant", changed["rank 2"],
              not any(changed[f"rank {k}"] for k in (1, 2, 3)), changed[PERCEPTRON], f"{count} atoms, double precision",
              source=SOURCE, key="turned"),
    ]  # fmt: skip
