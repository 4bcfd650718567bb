"""Jellyfish on real molecules: a network for the alternating group tells left from right, one for the symmetric group cannot."""

from __future__ import annotations

import statistics
import time
import warnings
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.molecules import FEATURES, StereoOrbits, approved_drugs, by_molecule, mirrored, stereo_orbits
from erlangen.groups import Alternating, Symmetric
from erlangen.measure.scores import accuracy
from erlangen.nn import EquivariantLinear
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Figure,
    KeyNumber,
    Line,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    lines_with_band,
    progress,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.rivals import Simple, boosters, simplest
from erlangen.training import TrainingConfig, supervised, train

SOURCE = "Pearce-Crump 2023, arXiv:2301.10152"
PLAIN, MOVED = "MLP", "MLP, random even permutations"
WRITTEN = "MLP, in the file's order"
SORTED = "boosting on sorted rows and their parity"
SMALL = 500  # centres of the small training set
ABOUT = (
    "A carbon atom with four different neighbours exists in two forms, mirror images of each other, called R and S. Turning the molecule "
    "permutes the neighbours evenly and keeps the form; an odd permutation gives the other one. So the neighbours are data of A_4, and "
    "which of the twelve orders they come in means nothing: one is drawn at random for each centre, once, for all networks alike.",
    "A row has 13 numbers: the atomic number of a neighbour, those of its own three heaviest neighbours, and three for each of these. "
    "Nature prefers some forms (L-amino acids, steroids); adding every mirror image takes that away.",
    "What one would try first without any network: sort the four rows, largest first, and take the parity of the order they came in. That "
    "names most centres, because the rule of Cahn, Ingold and Prelog compares numbers in this order; boosting on the sorted rows says when "
    "to trust it. A smooth network has to learn these comparisons from examples; it pays where no such order is known.",
    "An A_4 layer from M to M⊗M has the five maps of S_4 and one jellyfish more, one from M⊗M to M⊗M has fifteen and seven more.",
)


@dataclass(frozen=True)
class Config:
    """Every stereocentre of 1935 approved drugs and its mirror image, R or S."""

    seeds: int = 2
    """Repetitions: of the split by molecules, of the weights and of the batches."""
    epochs: int = 40
    """Passes through the whole training set; smaller sets are passed through more often, up to 100 times."""
    channels: int = 24
    """Copies of each hidden tensor."""
    centres: int = 0
    """Use only so many centres; 0 takes all."""
    full: bool = False
    """5 seeds, third-order tensors too, and a learning curve over 100, 200, 500, 1000 and all centres."""
    seed: int = 0
    """First seed."""


@dataclass(frozen=True)
class Task:
    """One split by molecules, mirrored, scaled by the training set: ``x`` is ``[N, 13, 4]``, a centre and its mirror image adjacent."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


@dataclass(frozen=True)
class Found:
    """What the run measures, by network; accuracies by size, then one for each seed."""

    accuracy: dict[str, dict[str, list[float]]]
    seconds: dict[str, list[float]]
    parameters: dict[str, int] = field(default_factory=dict)
    even: dict[str, list[float]] = field(default_factory=lambda: {"A_4": [], "S_4": []})
    mirror: dict[str, list[float]] = field(default_factory=lambda: {"A_4": [], "S_4": []})
    elsewhere: list[float] = field(default_factory=list)
    by_sorting: dict[str, list[float]] = field(default_factory=dict)
    sorting: list[Simple] = field(default_factory=list)
    rule: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ceiling(self) -> tuple[float, float]:
        """How often the explicit rule is right where it applies, and how often it applies."""
        right, covered = zip(*self.rule)
        return statistics.fmean(right), statistics.fmean(covered)


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Read the molecules, train every network on every size, report."""
    started = time.perf_counter()
    if config.seeds < 1:
        raise ArgumentError("seeds", "at least one", repr(config.seeds))
    with one_thread():
        return _run(config, quiet, started)


def _run(config: Config, quiet: bool, started: float) -> Outcome:
    with progress(1, "reading molecules", quiet) as bar:
        orbits = stereo_orbits(approved_drugs())
        bar.advance()
    if config.centres:
        keep = torch.randperm(len(orbits.x), generator=torch.Generator().manual_seed(config.seed))[: config.centres]
        orbits = StereoOrbits(*(part[keep] for part in orbits))
    sizes: list[int | None] = [100, 200, SMALL, 1000, None] if config.full else [SMALL, None]
    seeds = range(config.seed, config.seed + max(config.seeds, 5 * config.full))
    names = ["A_4", "S_4", PLAIN, MOVED, *(["A_4, third order"] if config.full else [])]
    found = Found({name: {} for name in (*names, WRITTEN)}, {name: [] for name in (*names, WRITTEN)})
    for seed in seeds:
        for size in sizes:
            task = prepare(orbits, seed, size)
            label = "all" if size is None else str(size)
            right, simple = by_parity(task, seed)
            found.by_sorting.setdefault(label, []).append(right)
            if size is None:
                found.sorting.append(simple)
            for name in names if size is not None else [*names, WRITTEN]:
                net = network(name, config.channels, seed)
                found.parameters[name] = sum(p.numel() for p in net.parameters())
                own = prepare(orbits, seed, size, shuffled=False) if name == WRITTEN else task
                clock = time.process_time()
                about = f"{name}, {label} centres, seed {seed}"
                # However long it is trained, it is a coin: an eighth of the time is enough to see that.
                asked = replace(config, epochs=max(1, config.epochs // 8)) if name == "S_4" else config
                fit(net, own, asked, moved=name == MOVED, seed=seed, description=about, quiet=quiet)
                if size is None:
                    found.seconds[name].append(time.process_time() - clock)
                found.accuracy[name].setdefault(label, []).append(score(net, own.x_test, own.y_test))
                if size is None and name in found.mirror:
                    found.even[name].append(change(net, task.x_test, Alternating(4).elements()))
                    found.mirror[name].append(change(net, task.x_test, torch.tensor([[1, 0, 2, 3]])))
                if name == WRITTEN:
                    found.elsewhere.append(score(net, task.x_test, task.y_test))
        found.rule.append(agreement(orbits, by_molecule(orbits.molecules, seed)[1]))
    scale = f"{len(orbits.x)} centres of {len(orbits.molecules.unique())} molecules, mirrored; {len(seeds)} seed(s), mean"
    accuracy, mean = found.accuracy, {name: statistics.fmean(values["all"]) for name, values in found.accuracy.items()}
    rule, covered = found.ceiling
    labels = list(accuracy["A_4"])
    rows = [
        [
            name,
            found.parameters[name],
            *(repeated(values[k]) if k in values else None for k in labels),
            statistics.median(found.seconds[name]),
        ]
        for name, values in accuracy.items()
    ]
    spent = statistics.median(one.seconds for one in found.sorting)
    rows.append([SORTED, None, *(repeated(found.by_sorting[k]) for k in labels), spent])
    table = Table(
        "Accuracy on the mirrored centres of unseen molecules",
        ["network", "parameters", *(f"{k} centres" for k in labels), "CPU seconds to train on all"],
        rows,
        caption="Mean and standard deviation over seeds. The same steps, batches and optimiser for all but S_4, which is a coin "
        "however long it is trained and gets an eighth of the steps.",
    )
    return Outcome(
        name="jellyfish-chirality",
        title="Jellyfish tell left from right: R and S in approved drugs",
        config=config,
        claims=Claims(_claims(found, scale)),
        metrics={
            "accuracy": accuracy,
            "by sorting": found.by_sorting,
            "parameters": found.parameters,
            "seconds": found.seconds,
            "rule": {"agrees": rule, "applies to": covered},
            "change under even permutations": found.even,
            "change in a mirror": found.mirror,
            "the file's order, judged in another": found.elsewhere,
        },
        sections=[
            Section(
                "Four neighbours of an atom",
                ABOUT,
                tables=[table],
                figures=[_figure(accuracy, len(orbits.x) if config.full else None)],
            ),
            Section(
                "The order in the file",
                [
                    "Which of the twelve equivalent orders the neighbours are listed in should mean nothing. In a file it does: one "
                    "program wrote its SMILES, and the order it gives to atoms depends on what they are. A perceptron trained and "
                    f"judged in that order has accuracy {mean[WRITTEN]:.3f}; judged on the same centres in random equivalent "
                    f"orders, {statistics.fmean(found.elsewhere):.3f}. All other numbers here are for random orders; for A_4 and S_4 "
                    "all orders are one.",
                ],
            ),
        ],
        seconds=time.perf_counter() - started,
        answer=f"The A_4 network names {mean['A_4']:.1%} of unseen centres, the S_4 network half, the perceptron {mean[PLAIN]:.1%}, "
        f"{mean[MOVED]:.1%} with random even permutations.",
        key_numbers=[
            KeyNumber("accuracy, A_4", repeated(accuracy["A_4"]["all"])),
            KeyNumber("accuracy, S_4", repeated(accuracy["S_4"]["all"])),
            KeyNumber(f"accuracy, {MOVED}", repeated(accuracy[MOVED]["all"])),
            KeyNumber("explicit rule, where it applies", rule, note=f"it applies to {covered:.1%}"),
        ],
        rivals=[
            Rival(
                SORTED,
                "the A_4 network",
                f"accuracy on unseen molecules, {label} training centres",
                repeated(accuracy["A_4"][label]),
                repeated(found.by_sorting[label]),
                "higher",
                statistics.fmean(found.seconds["A_4"]) if label == "all" else None,
                spent if label == "all" else None,
                found.sorting[0].settings,
                scale,
                note="it knows in which order numbers are compared",
            )
            for label in reversed(labels)
        ],
    )


def _claims(found: Found, scale: str) -> list[Claim]:
    mean = {name: statistics.fmean(values["all"]) for name, values in found.accuracy.items()}
    few = {name: statistics.fmean(values[str(SMALL)]) for name, values in found.accuracy.items() if str(SMALL) in values}
    coin = [a for values in found.accuracy["S_4"].values() for a in values]
    worst = max(coin, key=lambda a: abs(a - 0.5))
    even, mirror = max(found.even["A_4"]), min(found.mirror["A_4"])
    rule, covered = found.ceiling
    return [
        Claim(
            "the A_4 network names the configuration of unseen molecules' centres: accuracy at least 0.88",
            None,
            mean["A_4"],
            mean["A_4"] >= 0.88,
            baseline=mean[PLAIN],
            scale=scale,
            note=f"baseline: the perceptron. Sorting the rows and taking the parity is right for {rule:.1%} of the {covered:.1%} of "
            "centres whose rows all differ",
            key="configuration",
        ),
        Claim(
            "it is at least 0.05 better than the perceptron that is shown random even permutations",
            None,
            mean["A_4"],
            mean["A_4"] >= mean[MOVED] + 0.05,
            baseline=mean[MOVED],
            scale="the same",
            note="accuracy",
            key="configuration",
        ),
        Claim(
            "the S_4 network is a coin: accuracy 1/2 to 1e-9 on mirrored data",
            "no S_n map sees parity",
            worst,
            abs(worst - 0.5) <= 1e-9,
            scale="every seed and size; the accuracy furthest from 1/2",
            note=f"largest change of its probability in a mirror {max(found.mirror['S_4']):.1e}",
            source=SOURCE,
            key="coin",
        ),
        Claim(
            "even permutations change the A_4 network's probability by at most 1e-5, a mirror by much more",
            "exactly equivariant",
            even,
            even <= 1e-5 and mirror > 0.1,
            baseline=mirror,
            scale="all 12 permutations of the test set, float32",
            note="largest change; baseline: in a mirror",
            source=SOURCE,
            key="mirror",
        ),
        Claim(
            f"from {SMALL} centres it learns what neither perceptron does: at least 0.05 better than both",
            None,
            few["A_4"],
            few["A_4"] >= max(few[PLAIN], few[MOVED]) + 0.05,
            baseline=max(few[PLAIN], few[MOVED]),
            scale=f"{2 * SMALL} training rows, 100 passes",
            note="accuracy; baseline: the better perceptron",
            key="few-centres",
        ),
    ]


def prepare(orbits: StereoOrbits, seed: int, size: int | None = None, shuffled: bool = True) -> Task:
    """Split by molecules, keep ``size`` training centres, mirror, and scale by the training set's mean and spread.

    ``shuffled``: list the neighbours of each centre, and of its mirror image, in a random one of their twelve equivalent orders.
    """
    train_part, test_part = by_molecule(orbits.molecules, seed)
    if size is not None:
        train_part = train_part[torch.randperm(len(train_part), generator=torch.Generator().manual_seed(seed))[:size]]
    mean, spread = orbits.x[train_part].mean((0, 1)), orbits.x[train_part].std((0, 1)).clamp_min(1e-6)
    V, generator = Alternating(4).vector, torch.Generator().manual_seed(seed)
    parts = []
    for part in (train_part, test_part):
        x, y = mirrored((orbits.x[part] - mean) / spread, orbits.y[part])
        x = x.mT.float().contiguous()
        parts += [V.act(V.group.sample(len(x), generator=generator), x) if shuffled else x, y]
    return Task(*parts)


def sorted_rows(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What a rule sees of ``[N, 13, 4]``: rows in descending order with where neighbours agree, ``[N, 91]``, and the order's parity."""
    rows = x.mT.double().numpy()
    order = np.stack([np.lexsort(one.T[::-1])[::-1] for one in rows])
    a, b = np.triu_indices(4, 1)
    there = np.take_along_axis(rows, order[..., None], 1)
    same = there[:, 1:] == there[:, :-1]
    return np.concatenate([there.reshape(len(rows), -1), same.reshape(len(rows), -1)], 1), (order[:, a] > order[:, b]).sum(1) % 2


def by_parity(task: Task, seed: int) -> tuple[float, Simple]:
    """The accuracy without a network: the parity of the order in which rows sort, kept or turned as boosting on the sorted rows says.

    A centre and its mirror image sort to the same rows, so half of the training rows say all.
    """
    rows, parity = sorted_rows(task.x[::2])
    found = simplest(boosters(classes=True), rows, (parity == task.y[::2].numpy()).astype(int), seed=seed)
    rows, parity = sorted_rows(task.x_test)
    trusted = found.predict(rows).numpy() == 1
    return float((np.where(trusted, parity, 1 - parity) == task.y_test.numpy()).mean()), found


def network(name: str, channels: int, seed: int) -> nn.Module:
    """``[*batch, 13, 4]`` to one logit ``[*batch]``."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    inputs = len(FEATURES)
    if name.startswith("MLP"):
        hidden = [layer for _ in range(2) for layer in (nn.Linear(96, 96), nn.ReLU())]
        return nn.Sequential(nn.Flatten(-2), nn.Linear(4 * inputs, 96), nn.ReLU(), *hidden, nn.Linear(96, 1), nn.Flatten(-2))
    group = Symmetric(4) if name == "S_4" else Alternating(4)
    V = group.vector
    reps = [V, V**2, V**3 if name.endswith("third order") else V**2, group.scalar]
    layers: list[nn.Module] = []
    with warnings.catch_warnings():
        # The last map has too few axes for a jellyfish; those before it have them.
        warnings.filterwarnings("ignore", message="these maps of A_4 are those of Symmetric")
        for i, (source, target) in enumerate(pairwise(reps)):
            layers += [EquivariantLinear(source, target, (channels if i else inputs, channels), generator=generator), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(-2), nn.Linear(channels, 1), nn.Flatten(-2))


def fit(net: nn.Module, task: Task, config: Config, *, moved: bool, seed: int, description: str, quiet: bool) -> None:
    """Cross entropy; with ``moved`` every row of a batch is permuted evenly at random."""
    V = Alternating(4).vector
    rows = len(task.x)
    # Small sets get more passes, so that all networks are trained to the end on them.
    epochs = config.epochs if rows > 4 * SMALL else config.epochs * 5 // 2
    settings = TrainingConfig(steps=max(1, epochs * rows // 64), batch_size=64, lr=3e-3, weight_decay=0.0, seed=seed)

    move = (lambda x, y: (V.act(V.group.sample(len(x)), x), y)) if moved else None
    loss = supervised(nn.functional.binary_cross_entropy_with_logits, move)
    train(net, (task.x, task.y.to(task.x.dtype)), loss, settings, description=description, quiet=quiet)


@torch.no_grad()
def score(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Accuracy."""
    return accuracy(net(x), y)


@torch.no_grad()
def change(net: nn.Module, x: Tensor, permutations: Tensor) -> float:
    """The largest change of a probability when the four neighbours are permuted."""
    before = net(x).sigmoid()
    return max(float((net(x[..., g]).sigmoid() - before).abs().max()) for g in permutations)


def agreement(orbits: StereoOrbits, index: Tensor) -> tuple[float, float]:
    """How often the parity of the order in which four different rows sort is the label, and what fraction of centres have such."""
    right = []
    for rows, label in zip(orbits.x[index].tolist(), orbits.y[index].tolist()):
        order = sorted(range(4), key=lambda i: rows[i], reverse=True)
        if all(rows[a] != rows[b] for a, b in pairwise(order)):
            swaps = sum(order[i] > order[j] for i in range(4) for j in range(i + 1, 4))
            right.append(swaps % 2 == label)
    return (statistics.fmean(right) if right else 0.5), len(right) / max(1, len(index))


def _figure(accuracy: dict[str, dict[str, list[float]]], centres: int | None) -> Figure:
    """Bars, or with the number of ``centres`` a learning curve."""
    labels = list(accuracy["A_4"])
    accuracy = {n: v for n, v in accuracy.items() if len(v) == len(labels)}
    title, caption = "Accuracy on unseen molecules", "Mean and standard deviation over seeds; a coin has 0.5."
    if centres:
        sizes = [*map(int, labels[:-1]), round(0.8 * centres)]
        lines = {n: Line.of_runs(sizes, list(zip(*(v[k] for k in labels)))) for n, v in accuracy.items()}
        return lines_with_band(
            lines,
            title=title,
            x_label="training centres",
            y_label="accuracy",
            log_x=True,
            caption=caption + " The last point is all training centres, about four fifths of them all.",
        )
    shown = {n: [statistics.fmean(v[k]) for k in labels] for n, v in accuracy.items()}
    spread = {n: [statistics.stdev(v[k]) if len(v[k]) > 1 else 0.0 for k in labels] for n, v in accuracy.items()}
    return bars_with_error(
        [f"{k} centres" for k in labels], shown, spread, title=title, y_label="accuracy", floor=0.5, caption=caption
    )


STUDY = Study(
    name="jellyfish-chirality",
    system=30,
    title="Jellyfish tell left from right: R and S in approved drugs by an A_4 network",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "configuration": "the A_4 network reaches 0.88 on unseen molecules, 0.05 more than a perceptron shown random even "
        "permutations",
        "coin": "the S_4 network has accuracy 1/2 exactly on mirrored data",
        "mirror": "even permutations do not change the A_4 network's answer, a mirror does",
        "few-centres": "from 500 centres A_4 is 0.05 better than either perceptron",
    },
)
