"""Part three: a classifier trained on upright images, frozen; a small network learns, from upright images alone, to turn images up."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions import Images
from erlangen.datasets import fashion
from erlangen.groups import Cyclic
from erlangen.measure.scores import accuracy
from erlangen.reporting import Claim, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.canonicalize.images import accuracy_of, classifier, scorer
from erlangen.studies.canonicalize.study import Config
from erlangen.studies.rivals import Simple, logistics, machines, simplest
from erlangen.symmetrize import Energy, symmetrize
from erlangen.training import TrainingConfig, steps_within, supervised, train
from erlangen.training.batches import Data
from erlangen.training.loop import Loss

SOURCE = "Mondal et al. 2023, arXiv:2310.01647"
ABOUT = (
    "The classifier is trained on upright images and then frozen. A small network scores the four quarter turns of an image; it is trained "
    "on the same upright images, without labels, by the prior alone: that the turn which scores best be none. The classifier then sees "
    "every image in the turn that scores best.",
)


@dataclasses.dataclass(frozen=True)
class Run:
    """What one seed gave: accuracies in the four turns.

    Attributes:
        frozen, adapted: of the classifier alone, and behind the learned pose.
        identity: the share of upright images that are left upright.
        simple: of each simple way, and CPU seconds of what is fitted.
        chosen: the simple way that is best on images that no other has seen, and what that was.
        seconds: CPU seconds of the pose's training.
    """

    frozen: list[float]
    adapted: list[float]
    identity: float
    simple: dict[str, tuple[list[float], float]]
    chosen: dict[str, float]
    seconds: float


def run(config: Config, quiet: bool) -> Part:
    """Train, freeze, adapt, turn, with every seed."""
    samples = config.samples or (60_000 if config.full else 10_000)
    seconds = (config.seconds or 12.0) * (50 if config.full else 1)
    runs = [one(seed, samples, seconds) for seed in range(config.seed, config.seed + config.seeds)]
    seeds = seeds_said(len(runs))
    return _report(
        runs, f"{samples} images, 2000 test images, {seconds / 2:g} and {seconds:g} CPU seconds for classifier and pose, {seeds}"
    )


def one(seed: int, samples: int, seconds: float) -> Run:
    """One seed: other images, weights and batches."""
    parts = []
    for split, count in (("train", samples), ("test", 2000)):
        every = fashion(split)  # type: ignore[arg-type]
        parts.append(every.subset(torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))[:count]))
    train, test = parts
    assert train.y is not None and test.y is not None  # noqa: PT018 - both have labels
    # The last tenth trains nothing: the simple way is chosen there.
    last = len(train.x) - len(train.x) // 10
    x, y, held, labels = train.x.unsqueeze(1), train.y, test.x.unsqueeze(1), test.y
    action = Images(Cyclic(4).irrep(1))
    f = classifier(seed)
    # Half of the time: what is asked is what the turns cost it, not how good it is.
    fit(f, (x[:last], y[:last]), supervised(nn.functional.cross_entropy), seconds / 2, seed)
    f.requires_grad_(False)
    torch.manual_seed(seed + 1)
    model = symmetrize(f, action, action.group.scalar, frame=Energy(scorer(), prior=1.0), example=held[:8])
    # The prior needs no evaluation of the classifier.
    clock = time.process_time()
    fit(model, (x[:last],), lambda model, x: model.frames(x).losses["prior"], seconds, seed + 1)
    took = time.process_time() - clock
    turns = range(4)
    with torch.no_grad():
        alone = [named_right(f, torch.rot90(held, k, (2, 3)), labels) for k in turns]
        adapted = [named_right(model, torch.rot90(held, k, (2, 3)), labels) for k in turns]
        identity = float(torch.cat([model.frames(some).info["identity_metric"] for some in held.split(500)]).mean())
    finder = classifier_of_turns(x[:last], seed)
    simple = simple_ways(f, finder, held, labels)
    chosen = {way: min(right) for way, (right, _) in simple_ways(f, finder, x[last:], y[last:]).items()}
    return Run(alone, adapted, identity, simple, chosen, took)


def _report(runs: list[Run], scale: str) -> Part:
    ways = list(runs[0].simple)
    best = max(ways, key=lambda way: statistics.fmean(run.chosen[way] for run in runs))
    upright = [run.frozen[0] for run in runs]
    adapted, turned = [min(run.adapted) for run in runs], [max(run.frozen[1:]) for run in runs]
    rival = Rival(
        best,
        "the learned pose",
        "accuracy on turned images, the worst of four turns",
        repeated(adapted),
        repeated([min(run.simple[best][0]) for run in runs]),
        "higher",
        seconds=statistics.fmean(run.seconds for run in runs),
        rival_seconds=statistics.fmean(run.simple[best][1] for run in runs),
        settings="of three ways without a frame the best on a tenth of the training images, held out: "
        + "; ".join(f"{way} {statistics.fmean(run.chosen[way] for run in runs):.3f}" for way in ways),
        scale=scale,
        note="one frozen classifier for all; what is not fitted takes no seconds",
        level=(2 * upright[0] * (1 - upright[0]) / (2000 * len(runs))) ** 0.5,
    )
    apart = max(max(run.adapted) - min(run.adapted) for run in runs)
    claims = [
        Claim(
            "the frozen classifier alone fails on turned images: at most half its accuracy",
            None,
            repeated(turned),
            all(a <= 0.5 * b for a, b in zip(turned, upright)),
            baseline=repeated(upright),
            scale=scale,
            note="best accuracy over quarter turns, in every seed; baseline: upright",
            key="adapted",
        ),
        Claim(
            "adapted, it keeps at least 90 % of its accuracy on upright images, however they are turned",
            None,
            repeated(adapted),
            all(a >= 0.9 * b for a, b in zip(adapted, upright)),
            baseline=repeated(upright),
            scale=scale,
            note="in every seed",
            source=SOURCE,
            key="adapted",
        ),
        Claim(
            "the four turns give the same accuracy",
            "exact",
            apart,
            apart <= 5e-4,
            scale="float32, the worst seed",
            key="four-turns",
        ),
        Claim(
            "upright images are left upright: at least 94 %",
            None,
            repeated([run.identity for run in runs]),
            statistics.fmean(run.identity for run in runs) >= 0.94,
            scale=scale,
            note="the share of test images whose chosen turn is none, mean over seeds",
            source=SOURCE,
            key="upright",
        ),
    ]
    heads = ["", "upright", "90 degrees", "180 degrees", "270 degrees"]

    def over(of: Callable[[Run], list[float]]) -> list[Any]:
        return [repeated(list(values)) for values in zip(*(of(run) for run in runs))]

    rows: list[list[Any]] = [["frozen", *over(lambda run: run.frozen)], ["adapted", *over(lambda run: run.adapted)]]
    rows += [[way, *over(lambda run, way=way: run.simple[way][0])] for way in ways]  # type: ignore[misc]
    table = Table("Accuracy by turn", heads, rows, caption=scale)
    numbers = {
        "frozen": [run.frozen for run in runs],
        "adapted": [run.adapted for run in runs],
        "identity_metric": [run.identity for run in runs],
        "simple": {way: [run.simple[way][0] for run in runs] for way in ways},
        "chosen": {way: [run.chosen[way] for run in runs] for way in ways},
    }
    told = [statistics.fmean(values) for values in (upright, turned, adapted, [run.identity for run in runs])]
    answer = f"Upright {told[0]:.3f}; turned, alone {told[1]:.3f} at best, adapted {told[2]:.3f}; left upright {told[3]:.3f}."
    return Part(claims, [Section("Adaptation", ABOUT, tables=[table])], numbers, answer, rivals=[rival])


def _halved(image: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(image, 2).flatten(1)


def classifier_of_turns(x: Tensor, seed: int) -> Simple:
    """Which of four turns an image has, from upright images in all four, on pixels of half the size."""
    some = x[:1500]
    turned = torch.cat([torch.rot90(some, k, (2, 3)) for k in range(4)])
    which, turn = torch.arange(len(some)).repeat(4), torch.arange(4).repeat_interleave(len(some))
    return simplest(logistics((1e-3, 1e-2)) | machines(True, (3.0,)), _halved(turned), turn, seed=seed, of=which)


def simple_ways(f: nn.Module, finder: Simple, held: Tensor, labels: Tensor) -> dict[str, tuple[list[float], float]]:
    """What one would do without a frame: accuracies in the four turns, and CPU seconds of what is fitted.

    The turn in which the frozen classifier is surest; the mean of its probabilities over turns; a classifier of turns before it.
    """
    with torch.no_grad():
        four = [torch.cat([f(part) for part in torch.rot90(held, k, (2, 3)).split(500)]).softmax(1) for k in range(4)]
    chances = torch.stack(four)
    surest = chances[chances.amax(2).argmax(0), torch.arange(len(held))].argmax(1)
    found = {"the surest turn": ([accuracy_of(surest, labels)] * 4, 0.0)}
    found["the mean over turns"] = ([accuracy_of(chances.mean(0).argmax(1), labels)] * 4, 0.0)
    right = []
    for k in range(4):
        told = finder.predict(_halved(torch.rot90(held, k, (2, 3))))
        right.append(accuracy_of(chances[(k - told) % 4, torch.arange(len(held))].argmax(1), labels))
    found["a classifier of turns"] = (right, finder.seconds)
    return found


def fit(module: nn.Module, data: Data, loss: Loss, seconds: float, seed: int) -> None:
    """Train on batches of 100 for so many CPU seconds, the learning rate falling to zero."""
    settings = TrainingConfig(batch_size=100, lr=2e-3, weight_decay=0.0, seed=seed)
    settings = dataclasses.replace(settings, steps=steps_within(seconds, module, data, loss, settings))
    train(module, data, loss, settings, quiet=True)


def named_right(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The accuracy of a model, 500 images at a time."""
    return accuracy(torch.cat([model(some) for some in x.split(500)]), y)
