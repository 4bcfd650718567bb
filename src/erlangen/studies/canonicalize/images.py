"""Part one: images that were rotated once by a random angle: one network behind different canonicalizations, and one on circles."""

from __future__ import annotations

import copy
import dataclasses
import statistics
import time
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions import Images
from erlangen.data import DataSet, Split
from erlangen.datasets.fashion import fashion, rotated
from erlangen.fitting.compare_frames import FrameRow, compare_frames
from erlangen.groups import SO, Cyclic
from erlangen.nn import CircleNet, Lifting
from erlangen.reporting import Claim, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.canonicalize.study import Config
from erlangen.studies.rivals import machines, polar_moduli, simplest
from erlangen.symmetrize import AllElements, Energy, Frame, ImageVectors, Lift, Stochastic, symmetrize
from erlangen.training import TrainingConfig

SIDE = 32
PLAIN, AUGMENTED = "CNN", "CNN + augmentation"
AVERAGE, C4, C16, FROZEN, STEERED, ENERGY = "C4 average", "CN(C4)", "CN(C16)", "CN(C16), frozen", "CN(SO(2))", "CN(C4, energy)"
CIRCLES, SVM = "CircleNet", "SVM on polar Fourier moduli"
EXACT = (AVERAGE, C4, C16, FROZEN, STEERED, ENERGY)
SOURCE = "Kaba et al. 2023, arXiv:2211.06489, table 1 (rotated MNIST)"
ABOUT = (
    "Every image, of training and of test, was rotated once by its own random angle and cut to a disk. The same small network with five "
    "convolutions classifies it: as it is, with augmentation by rotation, or behind a canonicalization, with one evaluation: a lifting "
    "convolution with 16 rotated copies of its filters, learned or frozen (with --full also one with 4, the average over quarter turns, "
    "a learned radial moment, and a small network that scores the four quarter turns). CircleNet chooses no pose: it reads images along "
    "circles, by convolutions that close and by moduli of Fourier coefficients.",
    "All have the same CPU time. Consistency is the share of test images whose predicted class is the same after a turn, by 90 "
    "degrees (no interpolation) and by random angles (interpolated once more).",
)


def classifier(seed: int) -> nn.Module:
    """Five convolutions, the mean, a linear layer; 56 thousand weights."""
    torch.manual_seed(seed)
    sizes, layers = [1, 16, 32, 32, 64, 32], []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):  # noqa: RUF007 - the index counts layers
        layers += [nn.Conv2d(a, b, 3, 2 if i in (0, 2) else 1, 1), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def scorer() -> nn.Module:
    """A small network that gives an image a number."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 5, 2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(144, 1),
    )


def lift(action: Images) -> Lift:
    """Eight filters of 9 x 9, whose stride visits the same places from all sides."""
    return Lift(Lifting(action, 1, width=8, kernel=9, stride=3, padding=2))


def run(config: Config, quiet: bool) -> Part:
    """Train all with every seed, measure errors and consistency; the curve over sample sizes, if asked for."""
    samples = config.samples or (2000 if not config.full else 60_000)
    seconds = (config.seconds or 4.5) * (60 if config.full else 1)
    runs = [turned(config, seed, samples, seconds, quiet) for seed in range(config.seed, config.seed + config.seeds)]
    part = _report(runs, samples, seconds)
    if not config.curve:
        return part
    from erlangen.studies.canonicalize.along_samples import along_samples

    found = along_samples(config, quiet, seconds=config.seconds or 4.0)
    numbers = part.numbers | {"crossover": found.as_dict()}
    return dataclasses.replace(part, sections=[*part.sections, found.section()], numbers=numbers)


@dataclasses.dataclass(frozen=True)
class Run:
    """What one seed gave: errors in percent, shares of unchanged classes, and numbers of the trainings, by name."""

    error: dict[str, float]
    same: dict[str, tuple[float, float]]
    rows: dict[str, FrameRow]
    spent: float
    settings: str
    data: str
    tests: int


def drawn(split: Split, samples: int, seed: int) -> DataSet:
    """So many images, others for other seeds as far as there are enough, each turned once."""
    every = fashion(split)
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))
    return rotated(every.subset(order[:samples]), SIDE, 2 * seed + (split == "test"))


def turned(config: Config, seed: int, samples: int, seconds: float, quiet: bool) -> Run:
    """One seed: other images, angles, weights and batches."""
    train, test = drawn("train", samples, seed), drawn("test", 2000, seed)
    pairs = [(part.x.unsqueeze(1), part.y) for part in (train, test)]
    quarter, sixteenth, plane = (Images(rep) for rep in (Cyclic(4).irrep(1), Cyclic(16).irrep(1), SO(2).vector))
    torch.manual_seed(seed)
    every: list[tuple[Images, dict[str, Frame]]] = [
        (plane, {STEERED: ImageVectors(1)}),
        (quarter, {AVERAGE: Stochastic(AllElements()), C4: lift(quarter), ENERGY: Energy(scorer())}),
        (sixteenth, {C16: lift(sixteenth), FROZEN: _frozen(lift(sixteenth))}),
    ]
    settings = TrainingConfig(steps=1000, batch_size=100, lr=4e-3, weight_decay=0.0, seed=seed)
    rows: dict[str, FrameRow] = {}
    models: dict[str, nn.Module] = {}

    def compared(model: nn.Module, act: Images, names: dict[str, str], frames: dict[str, Frame]) -> None:
        found = compare_frames(
            model, pairs[0], act, act.group.scalar, test=pairs[1], frames=frames, baselines=tuple(names),
            config=settings, seconds=seconds, seed=seed, quiet=quiet,
        )  # fmt: skip
        for row in found.rows:
            name = names.get(row.name, row.name)
            rows[name], models[name] = dataclasses.replace(row, name=name), found.models[row.name]

    compared(classifier(seed), plane, {"plain": PLAIN, "augmentation": AUGMENTED}, {})
    torch.manual_seed(seed)
    compared(CircleNet(), plane, {"plain": CIRCLES}, {})
    for act, frames in every:
        learned = frames if config.full else {name: frame for name, frame in frames.items() if name in (C16, FROZEN)}
        if learned:
            compared(classifier(seed), act, {}, learned)
        # What is exact is so without training: of the others the frames are before the plain network as it was trained.
        for name in frames.keys() - learned.keys():
            frame = frames[name]
            models[name] = symmetrize(copy.deepcopy(models[PLAIN]), act, act.group.scalar, frame=frame, check=False).eval()
    same = {name: consistency(model, pairs[1][0][: 500 if name in rows else 200], plane, seed) for name, model in models.items()}
    # Nothing to learn of turns: moduli of Fourier coefficients along circles, which no turn changes.
    (x, y), (held, labels) = pairs
    assert y is not None
    assert labels is not None
    clock = time.process_time()
    simple = simplest(machines(True, (1.0, 3.0, 10.0)), polar_moduli(x), y, seed=seed)
    spent = time.process_time() - clock
    error = {name: 100 * row.error for name, row in rows.items()}
    error[SVM] = 100 * (1 - accuracy_of(simple.predict(polar_moduli(held)), labels))
    return Run(error, same, rows, spent, simple.settings, train.name, len(test))


def _frozen(frame: Frame) -> Frame:
    return frame.requires_grad_(False)


def accuracy_of(told: Tensor, labels: Tensor) -> float:
    """The share of right classes."""
    return float((told == labels).double().mean())


@torch.no_grad()
def consistency(model: nn.Module, x: Tensor, plane: Images, seed: int) -> tuple[float, float]:
    """Shares of images whose predicted class stays under a quarter turn, and under a random rotation."""
    model.eval()
    angle = 2 * torch.pi * torch.rand(len(x), 1, generator=torch.Generator().manual_seed(seed + 7))
    algebra = plane.group.algebra
    assert algebra is not None
    g = plane.group.exp(algebra.combine(angle))
    same = torch.zeros(2)
    for some, turn in zip(x.split(500), g.split(500)):
        here = model(some).argmax(1)
        for i, moved in enumerate((torch.rot90(some, 1, (2, 3)), plane.act(turn, some))):
            same[i] += (model(moved).argmax(1) == here).sum()
    return float(same[0] / len(x)), float(same[1] / len(x))


def _report(runs: list[Run], samples: int, seconds: float) -> Part:
    each = {name: [run.error[name] for run in runs] for name in runs[0].error}
    error = {name: statistics.fmean(values) for name, values in each.items()}
    seeds = seeds_said(len(runs))
    scale = f"{runs[0].data}: {samples} training and {runs[0].tests} test images, about {seconds:g} CPU seconds each, {seeds}"
    exact = min(run.same[way][0] for run in runs for way in EXACT)

    def fewer(statement: str, reported: str, baseline: str, points: float, key: str) -> Claim:
        gains = [theirs - ours for ours, theirs in zip(each[C16], each[baseline])]
        return Claim(
            statement,
            reported,
            repeated(each[C16]),
            statistics.fmean(gains) >= points,
            baseline=repeated(each[baseline]),
            scale=scale,
            unit="%",
            note=f"means over seeds; differences of the seeds: {', '.join(f'{gain:.1f}' for gain in gains)} points",
            source=SOURCE,
            key=key,
        )

    claims = [
        fewer(
            "a learned canonicalization to 16 rotations has at least 4 points fewer errors than the network alone",
            "CN(p64) 1.99, CNN 4.90", PLAIN, 4.0, "fewer-errors",
        ),
        fewer("and at least 3 points fewer than with augmentation", "CN(p64) 1.99, augmentation 3.30", AUGMENTED, 3.0, "fewer-errors"),
        fewer(
            "learning the canonicalization does not hurt: as few errors as with a frozen random one, or fewer",
            "CN(opt) 3.35, CN(frozen) 3.91", FROZEN, 0.0, "learning-helps",
        ),
        Claim(
            "every canonicalization predicts the same class after a quarter turn, for every image",
            "exact",
            exact,
            exact >= 1 - 1e-3,
            baseline=statistics.fmean(run.same[PLAIN][0] for run in runs),
            scale="200 images, of trained ones 500, in every seed; float32",
            note="smallest share of unchanged predictions; baseline: the network alone",
            key="quarter-turns",
        ),
    ]  # fmt: skip
    heads = ["", "error, %", "same class, 90 degrees", "same class, any angle", "steps", "CPU s", "ms / image"]
    lines: list[list[Any]] = [
        [
            name,
            repeated(each[name]),
            *(statistics.fmean(run.same[name][i] for run in runs) for i in (0, 1)),
            *(
                statistics.fmean(value(run.rows[name]) for run in runs)
                for value in (lambda r: r.steps, lambda r: r.seconds, lambda r: 1e3 * r.latency / 256)
            ),
        ]
        for name in runs[0].rows
    ]
    spent = statistics.fmean(run.spent for run in runs)
    lines.append([SVM, repeated(each[SVM]), 1.0, "", "", spent, ""])
    table = Table("Rotated images", heads, lines, caption=scale)
    rivals = [
        Rival(
            SVM,
            method,
            "test error on turned images",
            repeated(each[name]),
            repeated(each[SVM]),
            "lower",
            seconds=statistics.fmean(run.rows[name].seconds for run in runs),
            rival_seconds=spent,
            settings=runs[0].settings,
            scale=scale,
            unit="%",
            level=100 * (2 * error[name] * (100 - error[name]) / 1e4 / (runs[0].tests * len(runs))) ** 0.5,
        )
        for name, method in ((C16, f"the learned canonicalization {C16}"), (CIRCLES, "a network on circles"))
    ]
    numbers: dict[str, Any] = {
        name: {
            "error": each[name],
            "quarter": [run.same[name][0] for run in runs],
            "any": [run.same[name][1] for run in runs],
            "steps": [run.rows[name].steps for run in runs],
        }
        for name in runs[0].rows
    }
    answer = f"Errors: {', '.join(f'{way} {value:.1f} %' for way, value in error.items())}."
    return Part(claims, [Section("Rotated images", ABOUT, tables=[table])], numbers | {"rival": each[SVM]}, answer, rivals=rivals)
