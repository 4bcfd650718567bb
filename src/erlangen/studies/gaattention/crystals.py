"""Which crystal an atom is in, by its twelve nearest neighbours: attention of rank 1 to 3, a perceptron, a forest on bond orders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn

from erlangen.fields.crystals import Environments, bond_order, environments, prototypes
from erlangen.groups import SO
from erlangen.nn import GAAClassifier
from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Crossover, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.gaattention.study import SOURCE, Config
from erlangen.studies.rivals import Simple, boosters, machines, simplest
from erlangen.training import TrainingConfig, steps_within, train

NAMES = ("hP2-Mg", "cI2-W", "cF4-Cu", "cF8-C", "cF8-SZn", "cP46-Si", "cF136-Si", "cP2-ClCs")
NOISES = (1e-3, 0.05, 0.1)
PERCEPTRON, FOREST = "perceptron", "forest on bond orders"
#: Atoms that are turned in each seed, and atoms that triples are judged by: they take their time.
TURNED, JUDGED = 120, 240
SORTED = "bond orders and sorted distances"
TWO, ONE, THREE = "rank 2", "rank 1", "rank 3"
#: Atoms to learn from along the curve.
PLACES = (240, 960, 3840)


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
    """The likeliest class, in the precision of the data."""
    model.to(r.dtype).eval()
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


class Run(NamedTuple):
    """What one seed gave, by name: shares named rightly, in all and at each noise, steps and CPU seconds, answers changed by turns."""

    accuracy: dict[str, float]
    by_noise: dict[str, list[float]]
    training: dict[str, dict[str, float]]
    changed: dict[str, int]
    confusion: Tensor
    chosen: str


def run(config: Config, quiet: bool) -> Part:
    """Train all, and compare; for each seed."""
    config = replace(config, seeds=config.seeds or 1)
    runs: list[Run] = []
    for seed in range(config.seed, config.seed + config.seeds):
        runs.append(once(replace(config, seed=seed), quiet, runs[0].chosen if runs else ""))
    part = _report(runs, config)
    if config.curve:
        found = curve(config, quiet, runs)
        part.numbers["crossover"] = found.as_dict()
        part.sections.append(found.section())
    return part


def data_of(config: Config) -> tuple[Environments, Environments]:
    """Atoms to learn from and to judge by."""
    every = prototypes()
    return split(environments([every[name] for name in NAMES], config.count, NOISES, seed=config.seed), config.seed)


def settings_of(config: Config) -> TrainingConfig:
    """How rank 2 trains."""
    steps = 6000 if config.full else config.steps
    return TrainingConfig(steps=steps, batch_size=config.batch, lr=config.lr, weight_decay=0.0, seed=config.seed)


def classifier(config: Config, features: int, rank: int) -> GAAClassifier:
    """Attention of a rank."""
    return GAAClassifier(features, len(NAMES), config.width, config.blocks, rank)


def by_hand(learned: Environments, chosen: str = "") -> Simple:
    """Boosting or a support vector machine on orders and all sorted angles and distances: the one chosen, or the best held out."""
    candidates = {**boosters(True, rates=(0.1,), leaves=(15,)), **machines(True)}
    return simplest({chosen: candidates[chosen]} if chosen else candidates, arranged(learned), learned.label)


def once(config: Config, quiet: bool, chosen: str) -> Run:
    """One seed: of the crystals' noise, of weights and batches."""
    learned, test = data_of(config)
    data, (r, x, label) = tensors(learned), tensors(test)
    settings = settings_of(config)
    torch.manual_seed(config.seed)
    features = data[1].shape[-1]
    models: dict[str, nn.Module] = {f"rank {rank}": classifier(config, features, rank) for rank in (2, 1, 3)}
    models[PERCEPTRON] = Turned(data[0].shape[1], features, len(NAMES))
    found: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, float]] = {}
    for name, model in models.items():
        if name != TWO:
            settings = _within(numbers[TWO]["seconds"], model, data, settings)
        started = time.process_time()
        train(model, data, loss, settings, description=name, quiet=quiet)
        numbers[name] = {"steps": settings.steps, "seconds": time.process_time() - started}
        some = slice(0, JUDGED if name == THREE else None)
        found[name] = predicted(model, r[some], x[some])
    started = time.process_time()
    forest = RandomForestClassifier(100, random_state=config.seed).fit(descriptors(learned).numpy(), learned.label.numpy())
    found[FOREST] = torch.from_numpy(forest.predict(descriptors(test).numpy()))
    numbers[FOREST] = {"steps": 0, "seconds": time.process_time() - started}
    started = time.process_time()
    simple = by_hand(learned, chosen)
    found[SORTED] = simple.predict(arranged(test))
    numbers[SORTED] = {"steps": 0, "seconds": time.process_time() - started}
    right = {name: (y == label[: len(y)]).double() for name, y in found.items()}
    accuracy = {name: float(y.mean()) for name, y in right.items()}
    by_noise = {name: [float(y[test.noise[: len(y)] == noise].mean()) for noise in NOISES] for name, y in right.items()}
    some_r, some_x, _ = (part[:TURNED] for part in tensors(test, torch.float64))
    g = SO(3).sample(len(some_r), dtype=torch.float64, generator=torch.Generator().manual_seed(config.seed))
    changed = {
        name: int((predicted(model, some_r @ g.mT, some_x) != predicted(model, some_r, some_x)).sum())
        for name, model in models.items()
    }
    confusion = torch.zeros(len(NAMES), len(NAMES)).index_put((label, found[TWO]), torch.ones(len(label)), accumulate=True)
    return Run(accuracy, by_noise, numbers, changed, confusion, chosen or max(simple.held, key=simple.held.__getitem__))


def curve(config: Config, quiet: bool, runs: Sequence[Run]) -> Crossover:
    """Rank 2 and classifiers by hand over the number of atoms to learn from, each with the same steps; all atoms are the runs' own."""
    ours = "attention of rank 2"
    curves: dict[str, list[list[float]]] = {ours: [], SORTED: []}
    for count in PLACES:
        for of in curves.values():
            of.append([])
        for seed in range(config.seed, config.seed + config.seeds):
            one = replace(config, seed=seed)
            learned, test = data_of(one)
            learned = learned[:count]
            data, (r, x, label) = tensors(learned), tensors(test)
            torch.manual_seed(seed)
            model = classifier(one, data[1].shape[-1], 2)
            train(model, data, loss, settings_of(one), description=f"{count} atoms", quiet=quiet)
            curves[ours][-1].append(float((predicted(model, r, x) == label).double().mean()))
            curves[SORTED][-1].append(float((by_hand(learned).predict(arranged(test)) == label).double().mean()))
    curves[ours].append([one.accuracy[TWO] for one in runs])
    curves[SORTED].append([one.accuracy[SORTED] for one in runs])
    every = config.count * len(NAMES) * len(NOISES) * 4 // 5
    note = f"Eight crystals, noises as above; {settings_of(config).steps} steps at each place."
    return Crossover("atoms to learn from", (*PLACES, every), "share named rightly", "higher", ours, curves, note=note)


def _report(runs: Sequence[Run], config: Config) -> Part:
    names = list(runs[0].accuracy)
    accuracy = {name: [one.accuracy[name] for one in runs] for name in names}
    seconds = {name: sum(one.training[name]["seconds"] for one in runs) / len(runs) for name in names}
    changed = {name: sum(one.changed[name] for one in runs) for name in runs[0].changed}
    turned = min(TURNED, config.count * len(NAMES) * len(NOISES) // 5) * len(runs)
    rows: list[list[Any]] = [
        [
            name,
            repeated(accuracy[name]),
            *(repeated([one.by_noise[name][k] for one in runs]) for k in range(len(NOISES))),
            runs[0].training[name]["steps"],
            seconds[name],
            changed.get(name, 0),
        ]
        for name in names
    ]
    columns = ["model", "accuracy", *(f"noise {noise:g}" for noise in NOISES), "steps", "CPU seconds"]
    columns.append(f"changed of {turned} when turned")
    every = config.count * len(NAMES) * len(NOISES)
    confusion = torch.stack([one.confusion for one in runs]).sum(0)
    shares = (confusion / confusion.sum(1, keepdim=True)).tolist()
    sections = [
        Section(
            "What each reached",
            f"{every * 4 // 5} atoms to learn from, {every - every * 4 // 5} to judge by (rank 3: {JUDGED} of them); noise in units of "
            "the shortest distance. All networks train for the CPU time of rank 2.",
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
    mean = {name: sum(values) / len(values) for name, values in accuracy.items()}
    metrics = {
        "accuracy": mean,
        "runs": [{"accuracy": one.accuracy, "by_noise": one.by_noise, "training": one.training} for one in runs],
        "changed": changed,
    }
    kind = runs[0].chosen.split(",")[0]
    answer = (
        f"Rank 2 names {100 * mean[TWO]:.1f} of 100 atoms rightly; a forest on bond orders {100 * mean[FOREST]:.1f}, "
        f"{kind} on bond orders and sorted angles and distances {100 * mean[SORTED]:.1f}."
    )
    seeds = seeds_said(len(runs))
    scale = f"{config.batch} clouds a step, {settings_of(config).steps} steps, {seeds}"
    rival = Rival(
        "a classifier on bond orders and sorted distances",
        "attention of rank 2",
        "share of atoms named rightly",
        repeated(accuracy[TWO]),
        repeated(accuracy[SORTED]),
        "higher",
        seconds=seconds[TWO],
        rival_seconds=seconds[SORTED],
        settings=f"{runs[0].chosen}, chosen of 4 on a held-out quarter of the first seed's training data",
        scale=f"{every * 4 // 5} atoms; {scale}",
    )
    return Part(_claims(accuracy, changed, turned, scale), sections, metrics, answer, rivals=[rival])


def _within(seconds: float, model: nn.Module, data: tuple[Tensor, ...], settings: TrainingConfig) -> TrainingConfig:
    return replace(settings, steps=steps_within(seconds, model, data, loss, settings, trial=5))


def _claims(accuracy: dict[str, list[float]], changed: dict[str, int], count: int, scale: str) -> list[Claim]:
    two, mean = accuracy[TWO], sum(accuracy[TWO]) / len(accuracy[TWO])
    shown = {name: repeated(values) for name, values in accuracy.items()}
    less = [a - b for a, b in zip(two, accuracy[PERCEPTRON])]
    each = "holds if it does in every seed"
    return [
        Claim("rank 2 names at least 91 of 100 atoms rightly", "crystals are identified", shown[TWO], mean >= 0.91, shown[PERCEPTRON],
              scale, note="of the mean", source=SOURCE, key="crystals"),
        Claim("a perceptron shown random turns is worse by 20 of 100", None, repeated(less), min(less) >= 0.2, scale=scale, note=each,
              key="perceptron"),
        Claim("rank 2 is better than rank 1", "rank 2 is enough for most tasks", shown[TWO],
              all(a > b for a, b in zip(two, accuracy[ONE])), shown[ONE], scale, note=each, source=SOURCE, key="angles"),
        Claim("rank 3 is not better by 1 of 100 in the same time", "rank 2 is enough for most tasks", shown[THREE],
              all(b <= a + 0.01 for a, b in zip(two, accuracy[THREE])), shown[TWO], scale, note=each, source=SOURCE, key="triples"),
        Claim("rank 2 is at least as good as a forest on bond orders, distances and kinds", None, shown[TWO],
              all(a >= b for a, b in zip(two, accuracy[FOREST])), shown[FOREST], scale,
              note=f"a strong peer that is made for crystals; {each}", key="forest"),
        Claim("no prediction of rank 1, 2, 3 changes when atoms are turned", "invariant", changed[TWO],
              not any(changed[name] for name in (ONE, TWO, THREE)), changed[PERCEPTRON], f"{count} atoms, double precision",
              source=SOURCE, key="turned"),
    ]  # fmt: skip
