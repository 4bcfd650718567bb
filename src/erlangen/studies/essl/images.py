"""Fashion-MNIST for the parts that share it: images, one training, the scores of an encoder."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from erlangen.actions import Action
from erlangen.datasets import fashion
from erlangen.discover.essl import (
    ESSL,
    BarlowTwins,
    Crop,
    Invariance,
    Jitter,
    Moved,
    Sensitivity,
    SimCLR,
    SimSiam,
    View,
    Views,
    features_of,
    knn_probe,
    linear_probe,
    resnet18,
    small_encoder,
)
from erlangen.studies.essl.study import Config
from erlangen.studies.rivals import Simple, machines, simplest
from erlangen.training import TrainingConfig

#: Labelled images of the linear probes, and neighbours of the other.
LABELS = (50, 200, 1000, 4000)
NEIGHBOURS = 50


class Data(NamedTuple):
    """Training images and labels, test images and labels."""

    x: Tensor
    y: Tensor
    test: Tensor
    truth: Tensor
    name: str


def data(config: Config) -> Data:
    """The images that a configuration asks for, or as many as there are."""
    train, test = fashion("train"), fashion("test")
    if not config.full:
        train, test = train.subset(slice(config.images)), test.subset(slice(config.test))
    assert train.y is not None
    assert test.y is not None
    return Data(train.x.unsqueeze(1), train.y, test.x.unsqueeze(1), test.y, train.name)


@dataclass(frozen=True)
class Arm:
    """One training of a comparison.

    Attributes:
        name: of the arm.
        method: the loss of invariance.
        ignored, predicted: actions added to the views, and to the heads.
        n_elements: of a large group, how many of its elements are in a step.
        weight: of the loss of sensitivity.
        jitter: whether views change brightness and contrast too.
    """

    name: str
    method: str = "simclr"
    ignored: tuple[Action, ...] = ()
    predicted: tuple[Action, ...] = ()
    n_elements: int | None = None
    weight: float = 0.4
    jitter: bool = True


@dataclass(frozen=True)
class Job:
    """An arm with a seed, and its images."""

    arm: Arm
    config: Config
    seed: int
    steps: int
    images: Data = field(repr=False)


def view(arm: Arm, size: int | float) -> Views:
    """Crops, changes of brightness and contrast, and what the arm ignores."""
    views: list[View] = [Crop(size), *([Jitter()] if arm.jitter else []), *(Moved(action) for action in arm.ignored)]
    return Views(*views)


def model(arm: Arm, full: bool) -> ESSL:
    """The network of an arm, from torch's global seed: encoder first, so that arms start alike."""
    encoder = resnet18() if full else small_encoder()
    projector, head = ((2048, 2048), (2048, 2048)) if full else ((256, 128), (256, 256))
    methods: dict[str, Invariance] = {
        "simclr": SimCLR(view(arm, 1.0), projector, temperature=0.5),
        "simsiam": SimSiam(view(arm, 1.0), projector, predictor=512 if full else 64),
        "barlow": BarlowTwins(view(arm, 1.0), projector),
    }
    sensitivity = None
    if arm.predicted:
        # Half the side: four copies of the third view cost what one view does.
        sensitivity = Sensitivity(arm.predicted, arm.weight, view(replace(arm, ignored=()), 0.5), head, n_elements=arm.n_elements)
    return ESSL(encoder, methods[arm.method], sensitivity)


def train_arm(job: Job) -> dict[str, float]:
    """Train an arm and judge its encoder."""
    images = job.images
    torch.manual_seed(job.seed)
    learner = model(job.arm, job.config.full)
    settings = TrainingConfig(steps=job.steps, batch_size=job.config.batch, lr=job.config.lr, warmup=job.steps // 20, seed=job.seed)
    clock = time.process_time()
    learner.fit(images.x, settings, quiet=True)
    spent = time.process_time() - clock
    found = scores(learner.encoder, images, job.seed)
    found["seconds"] = spent
    if learner.sensitivity is not None:
        found["elements named"] = learner.group_accuracy(images.x[:2000], seed=job.seed)
    return found


def labelled(images: Data, seed: int) -> Tensor:
    """Which images have labels in a run, drawn by its seed; the first so many of these where there are fewer labels."""
    return torch.randperm(len(images.x), generator=torch.Generator().manual_seed(seed))[: max(LABELS)]


def featured(encoder: nn.Module, images: Data) -> Data:
    """Features in place of images."""
    return images._replace(x=features_of(encoder, images.x), test=features_of(encoder, images.test))


def scores(encoder: nn.Module | None, images: Data, seed: int = 0) -> dict[str, float]:
    """Accuracies on the test images, in percent: linear probes with few and many labels, and nearest neighbours."""
    own = labelled(images, seed)
    known, unknown, y = features_of(encoder, images.x[own]), features_of(encoder, images.test), images.y[own]
    classes = int(images.y.max()) + 1
    found: dict[str, float] = {}
    for count in sorted({min(n, len(own)) for n in LABELS}):
        probe = linear_probe(None, (known[:count], y[:count]), (unknown, images.truth), classes=classes)
        found[f"{count} labels"] = 100 * probe.score
    near = knn_probe(None, (known, y), (unknown, images.truth), k=min(NEIGHBOURS, len(own)), classes=classes)
    found["neighbours"] = 100 * near.score
    return found


def supervised_pixels(images: Data, count: int, seed: int = 0, settings: str = "") -> tuple[float, Simple]:
    """Test accuracy, percent, of a support vector machine on the pixels of so many labelled images, and the machine.

    With ``settings`` of a machine chosen before, these.
    """
    own, all_of_them = labelled(images, seed)[:count], machines(True, (1.0, 3.0, 10.0))
    chosen = {settings: all_of_them[settings.split(", chosen")[0]]} if settings else all_of_them
    found = simplest(chosen, images.x[own], images.y[own], seed=seed)
    return 100 * float((found.predict(images.test) == images.truth).double().mean()), found


def random_network(job: Job) -> dict[str, float]:
    """The scores of an encoder that learned nothing; its batch norms have seen the images."""
    images = job.images
    torch.manual_seed(job.seed)
    encoder = resnet18() if job.config.full else small_encoder()
    encoder.train()
    with torch.no_grad():
        for part in images.x[: 20 * job.config.batch].split(job.config.batch):
            encoder(part)
    return scores(encoder, images, job.seed)
