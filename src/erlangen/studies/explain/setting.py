"""The two settings: outlines of leaves under cyclic shifts, small images under shifts in two directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

import erlangen as er
from erlangen.actions import OnAxes
from erlangen.datasets import fashion, leaves
from erlangen.groups.base import Element
from erlangen.studies.explain.study import Config


@dataclass(frozen=True)
class Setting:
    """Data, and how a group acts on them.

    Attributes:
        name, about: for people.
        train, test: data ``[N, 1, *shape]`` and classes ``[N]``.
        shape: of a datum, without the channel.
        classes: how many.
        inp: the action.
        elements: the set of elements that scores are taken over; ``None``: the whole group.
        shifted: random elements of that set, one for each datum of a batch, applied.
        window: of the occlusion.
        widths: channels of the networks.
        steps: of training.
    """

    name: str
    about: str
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    shape: tuple[int, ...]
    classes: int
    inp: OnAxes
    elements: Element | None
    shifted: Callable[[Tensor, torch.Generator], Tensor]
    window: tuple[int, ...]
    widths: tuple[int, int, int]
    steps: int

    @property
    def count(self) -> int:
        """How many elements scores are taken over."""
        group = self.inp.group
        return int(group.order) if self.elements is None else group.batch_shape(self.elements)[0]

    def shuffled(self, seed: int) -> Setting:
        """The same with its test data in a random order, of which the first are explained."""
        x, y = self.test
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        return replace(self, test=(x[order], y[order]))


def outlines(config: Config) -> Setting:
    """OSULeaf: where an outline starts says nothing about the leaf."""
    length = 427 if config.full else 120
    parts = [leaves(split, length) for split in ("train", "test")]
    group = er.Cyclic(length)
    inp = OnAxes({-1: group.vector})

    def shifted(x: Tensor, rng: torch.Generator) -> Tensor:
        return inp.act(group.sample(len(x), generator=rng), x)

    pairs = [(part.x.mT.contiguous(), part.y) for part in parts]
    assert pairs[0][1] is not None
    assert pairs[1][1] is not None
    return Setting(
        name="outlines",
        about=f"OSULeaf: 200 training and 242 test outlines of leaves at {length} points, six species, all {length} cyclic shifts",
        train=(pairs[0][0], pairs[0][1]),
        test=(pairs[1][0], pairs[1][1]),
        shape=(length,),
        classes=6,
        inp=inp,
        elements=None,
        shifted=shifted,
        window=(5,),
        widths=(16, 64, 128) if config.full else (16, 32, 32),
        steps=config.steps or (3000 if config.full else 400),
    )


def images(config: Config) -> Setting:
    """Fashion-MNIST on a larger canvas, so that shifts never wrap what is on it."""
    reach = 10 if config.full else 4
    samples = config.samples or (60_000 if config.full else 6000)

    def prepared(split: str, count: int) -> tuple[Tensor, Tensor]:
        data = fashion(split)  # type: ignore[arg-type]
        # In units of about one standard deviation; the canvas stays at zero.
        x = 4 * data.x[:count].unsqueeze(1)
        if not config.full:
            x = torch.nn.functional.avg_pool2d(x, 2)
        assert data.y is not None
        return torch.nn.functional.pad(x, (reach,) * 4), data.y[:count]

    train, test = prepared("train", samples), prepared("test", 1000)
    side = train[0].shape[-1]
    line = er.Cyclic(side)
    plane = line * line
    inp = OnAxes({-2: plane.lift(0, line.vector), -1: plane.lift(1, line.vector)})  # type: ignore[attr-defined]
    steps = torch.cartesian_prod(*[torch.arange(-reach, reach + 1)] * 2)
    # The identity first, as in a list of a group's elements.
    steps = steps[steps.abs().sum(1).argsort(stable=True)]

    def element(shift: Tensor) -> Element:
        return tuple(line.element(shift[:, axis] % side) for axis in (0, 1))

    def shifted(x: Tensor, rng: torch.Generator) -> Tensor:
        return inp.act(element(steps[torch.randint(len(steps), (len(x),), generator=rng)]), x)

    return Setting(
        name="images",
        about=f"{fashion('test').name}: {len(train[0])} training images, canvas {side} x {side}, {len(steps)} shifts by up to {reach}",
        train=train,
        test=test,
        shape=(side, side),
        classes=10,
        inp=inp,
        elements=element(steps),
        shifted=shifted,
        window=(3, 3),
        widths=(16, 64, 128) if config.full else (8, 16, 32),
        steps=config.steps or (4000 if config.full else 300),
    )
