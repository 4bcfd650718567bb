"""Part one: images that were rotated once by a random angle, classified by one network behind different canonicalizations."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions import Images
from erlangen.datasets.fashion import rotated_fashion
from erlangen.fitting.compare_frames import compare_frames
from erlangen.groups import SO, Cyclic
from erlangen.nn import Lifting
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.canonicalize.study import Config
from erlangen.studies.rivals import machines, polar_moduli, simplest
from erlangen.symmetrize import AllElements, Energy, Frame, ImageVectors, Lift, Stochastic
from erlangen.training import TrainingConfig

SIDE = 32
PLAIN, AUGMENTED = "CNN", "CNN + augmentation"
AVERAGE, C4, C16, FROZEN, STEERED, ENERGY = "C4 average", "CN(C4)", "CN(C16)", "CN(C16), frozen", "CN(SO(2))", "CN(C4, energy)"
EXACT = (AVERAGE, C4, C16, FROZEN, STEERED, ENERGY)
SOURCE = "Kaba et al. 2023, arXiv:2211.06489, table 1 (rotated MNIST)"
ABOUT = (
    "Every image, of training and of test, was rotated once by its own random angle and cut to a disk. The same small network with five "
    "convolutions classifies it: as it is, with augmentation by rotation, averaged over quarter turns (one at random in training, all "
    "four in evaluation), or behind a canonicalization, with one evaluation. Canonicalizing networks: a lifting convolution with 4 or 16 "
    "rotated copies of its filters, a learned radial moment (a vector that turns with the image), or a small network that scores the "
    "four quarter turns.",
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
    """Train all, measure errors and consistency."""
    samples = config.samples or (10_000 if not config.full else 60_000)
    seconds = (config.seconds or 16.0) * (20 if config.full else 1)
    data = {split: rotated_fashion(split, SIDE, config.seed) for split in ("train", "test")}
    train, test = data["train"].subset(slice(samples)), data["test"].subset(slice(min(samples, 4000)))
    pairs = [(part.x.unsqueeze(1), part.y) for part in (train, test)]
    quarter, sixteenth, plane = (Images(rep) for rep in (Cyclic(4).irrep(1), Cyclic(16).irrep(1), SO(2).vector))
    torch.manual_seed(config.seed)
    jobs: list[tuple[Images, tuple[str, ...], dict[str, Frame]]] = [
        (plane, ("plain", "augmentation"), {STEERED: ImageVectors(1)}),
        (quarter, (), {AVERAGE: Stochastic(AllElements()), C4: lift(quarter), ENERGY: Energy(scorer())}),
        (sixteenth, (), {C16: lift(sixteenth), FROZEN: _frozen(lift(sixteenth))}),
    ]
    names = {"plain": PLAIN, "augmentation": AUGMENTED}
    settings = TrainingConfig(steps=1000, batch_size=100, lr=2e-3, weight_decay=0.0, seed=config.seed)
    rows: list[Any] = []
    models: dict[str, nn.Module] = {}
    budget = ""
    for action, baselines, frames in jobs:
        found = compare_frames(
            classifier(config.seed),
            pairs[0],
            action,
            action.group.scalar,
            test=pairs[1],
            frames=frames,
            baselines=baselines,
            config=settings,
            seconds=seconds,
            seed=config.seed,
            quiet=quiet,
        )
        budget = found.budget
        rows += [dataclasses.replace(row, name=names.get(row.name, row.name)) for row in found.rows]
        models |= {names.get(name, name): model for name, model in found.models.items()}
    turns = {name: consistency(model, pairs[1][0][:2000], plane, config.seed) for name, model in models.items()}
    # Nothing to learn of turns: moduli of Fourier coefficients along circles, which no turn changes.
    (x, y), (held, labels) = pairs
    assert y is not None
    assert labels is not None
    clock = time.process_time()
    simple = simplest(machines(True, (1.0, 3.0, 10.0)), polar_moduli(x), y, seed=config.seed)
    spent = time.process_time() - clock
    wrong = 100 * (1 - accuracy_of(simple.predict(polar_moduli(held)), labels))
    best = min((row for row in rows if row.name in EXACT), key=lambda row: row.error)
    rival = Rival(
        "SVM on polar Fourier moduli",
        f"the best canonicalization, {best.name},",
        "test error on turned images",
        100 * best.error,
        wrong,
        "lower",
        seconds=best.seconds,
        rival_seconds=spent,
        settings=simple.settings,
        scale=f"{train.name}: {len(train)} training and {len(test)} test images",
        unit="%",
        note="the best of six on the test data, which favours it",
        level=100 * (2 * best.error * (1 - best.error) / len(test)) ** 0.5,
    )
    return _report(rows, turns, len(train), len(test), train.name, budget, rival)


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


def _report(
    rows: list[Any], turns: dict[str, tuple[float, float]], samples: int, tests: int, name: str, budget: str, rival: Rival
) -> Part:
    error = {row.name: 100 * row.error for row in rows}
    scale = f"{name}: {samples} training and {tests} test images, {budget}"
    exact = min(turns[way][0] for way in EXACT)
    claims = [
        Claim(
            "a learned canonicalization to 16 rotations has at least 4 points fewer errors than the network alone",
            "CN(p64) 1.99, CNN 4.90",
            error[C16],
            error[C16] <= error[PLAIN] - 4,
            baseline=error[PLAIN],
            scale=scale,
            unit="%",
            source=SOURCE,
            key="fewer-errors",
        ),
        Claim(
            "and at least 3 points fewer than with augmentation",
            "CN(p64) 1.99, augmentation 3.30",
            error[C16],
            error[C16] <= error[AUGMENTED] - 3,
            baseline=error[AUGMENTED],
            scale=scale,
            unit="%",
            source=SOURCE,
            key="fewer-errors",
        ),
        Claim(
            "learning the canonicalization does not hurt: as few errors as with a frozen random one, or fewer",
            "CN(opt) 3.35, CN(frozen) 3.91",
            error[C16],
            error[C16] <= error[FROZEN],
            baseline=error[FROZEN],
            scale=scale,
            unit="%",
            source=SOURCE,
            key="learning-helps",
        ),
        Claim(
            "every canonicalization predicts the same class after a quarter turn, for every image",
            "exact",
            exact,
            exact >= 1 - 1e-3,
            baseline=turns[PLAIN][0],
            scale=f"{min(tests, 2000)} images, float32",
            note="smallest share of unchanged predictions; baseline: the network alone",
            key="quarter-turns",
        ),
    ]
    heads = ["", "error, %", "same class, 90 degrees", "same class, any angle", "steps", "CPU s", "ms / image"]
    table = Table(
        "Rotated images",
        heads,
        [[row.name, error[row.name], *turns[row.name], row.steps, row.seconds, 1e3 * row.latency / 256] for row in rows],
        caption=scale,
    )
    numbers = {
        row.name: {"error": error[row.name], "quarter": turns[row.name][0], "any": turns[row.name][1], "steps": row.steps}
        for row in rows
    }
    answer = f"Errors: {', '.join(f'{way} {value:.1f} %' for way, value in error.items())}."
    return Part(
        claims, [Section("Rotated images", ABOUT, tables=[table])], numbers | {"rival": rival.rival}, answer, rivals=[rival]
    )
