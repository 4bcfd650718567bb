"""Turned images over how many there are to learn from: networks on the same CPU time, which grows with the data, beside simple models."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from erlangen.actions import Images
from erlangen.groups import Cyclic
from erlangen.nn import CircleNet
from erlangen.reporting import Crossover
from erlangen.studies.canonicalize.images import C16, CIRCLES, SVM, accuracy_of, classifier, drawn, lift
from erlangen.studies.canonicalize.study import Config
from erlangen.studies.rivals import boosters, machines, polar_moduli, simplest
from erlangen.symmetrize import Symmetrized, symmetrize
from erlangen.training import TrainingConfig, steps_within, train

PLACES = (1000, 4000, 16_000)
PERCEPTRON, BOOSTING = "perceptron on polar Fourier moduli", "boosting on polar Fourier moduli"
#: Beyond so many images the kernel machine has the settings that were best with so many: its cost grows as their square.
CHOSEN = 4000
#: Passes over the data of the perceptron, which needs no more.
PASSES = 20


def along_samples(config: Config, quiet: bool, places: tuple[int, ...] = PLACES, seconds: float = 4.0) -> Crossover:
    """Errors in percent at each number of images; CPU seconds of a network grow as the root of the number."""
    curves: dict[str, list[list[float]]] = {name: [] for name in (CIRCLES, SVM, PERCEPTRON, BOOSTING, C16)}
    for count in places:
        found = [
            errors(seed, count, seconds * (count / places[0]) ** 0.5, first=seed == config.seed, quiet=quiet)
            for seed in range(config.seed, config.seed + config.seeds)
        ]
        for name, runs in curves.items():
            runs.append([one[name] for one in found if name in one])
    return Crossover(
        "images to learn from",
        places,
        "errors on turned images, %",
        "lower",
        CIRCLES,
        curves,
        note=f"{seconds:g} CPU seconds of training for {CIRCLES} and {C16} at {places[0]} images, growing as the root of their number; "
        f"{config.seeds} seeds, of boosting and {C16} one",
    )


def errors(seed: int, count: int, seconds: float, *, first: bool, quiet: bool) -> dict[str, float]:
    """Of one seed; what is slow and behind, in the first one only."""
    learn, test = drawn("train", count, seed), drawn("test", 2000, seed)
    x, held, y, labels = learn.x.unsqueeze(1), test.x.unsqueeze(1), learn.y, test.y
    assert y is not None and labels is not None  # noqa: PT018 - both have labels
    found: dict[str, float] = {}

    def judge(name: str, told: Tensor) -> None:
        found[name] = 100 * (1 - accuracy_of(told, labels))

    def trained(name: str, model: nn.Module, settings: TrainingConfig, budget: float | None) -> None:
        if budget is not None:
            settings = dataclasses.replace(settings, steps=steps_within(budget, model, (x, y), loss, settings))
        train(model, (x, y), loss, settings, description=name, quiet=quiet)
        with torch.no_grad():
            judge(name, torch.cat([model(part).argmax(1) for part in held.split(500)]))

    torch.manual_seed(seed)
    settings = TrainingConfig(batch_size=100, lr=3e-3, seed=seed)
    trained(CIRCLES, CircleNet(), settings, seconds)
    passes = dataclasses.replace(settings, steps=max(1, PASSES * count // settings.batch_size))
    trained(PERCEPTRON, CircleNet(channels=()), passes, None)
    moduli, others = polar_moduli(x), polar_moduli(held)
    judge(SVM, simplest(machines(True, (3.0, 10.0) if count <= CHOSEN else (10.0,)), moduli, y, seed=seed).predict(others))
    if first:
        judge(BOOSTING, simplest(boosters(True, rates=(0.1,), leaves=(15,)), moduli, y, seed=seed).predict(others))
        act = Images(Cyclic(16).irrep(1))
        pose = symmetrize(classifier(seed), act, act.group.scalar, frame=lift(act), check=False)
        trained(C16, pose, dataclasses.replace(settings, lr=4e-3, weight_decay=0.0), seconds)
    return found


def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Cross entropy, and what a frame asks for."""
    value, extra = model.with_losses(x) if isinstance(model, Symmetrized) else (model(x), {})
    return nn.functional.cross_entropy(value, y) + sum(extra.values(), torch.zeros(()))
