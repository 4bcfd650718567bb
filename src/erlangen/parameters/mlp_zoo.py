"""A zoo of perceptrons: thousands trained at once on one data set, each with its own settings, to learn what weights tell of a network."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from erlangen.errors import ArgumentError
from erlangen.parameters.spec import WeightSpec
from erlangen.reporting import progress
from erlangen.serialization import read_tensors, weights_bytes, write_bytes

#: Networks trained in one stack: larger stacks leave the processor's cache.
STACK = 250


@dataclass(frozen=True)
class ZooConfig:
    """The networks of a zoo and how they differ; every pair is the range of a uniform draw, in powers of ten where it says so.

    Attributes:
        networks: how many.
        hidden: units of the hidden layer.
        log_lr, log_decay: of AdamW, powers of ten.
        log_scale: of the initial weights, powers of ten, times one over the root of the inputs.
        log_fraction: of the training data that a network sees, powers of ten.
        steps: of training.
        batch: samples in a step.
        seed: of everything.
    """

    networks: int = 2000
    hidden: int = 16
    log_lr: tuple[float, float] = (-3.5, -1.5)
    log_decay: tuple[float, float] = (-4.0, -1.0)
    log_scale: tuple[float, float] = (-1.0, 0.5)
    log_fraction: tuple[float, float] = (-1.5, 0.0)
    steps: tuple[int, int] = (10, 250)
    batch: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for argument in ("networks", "hidden", "batch"):
            if getattr(self, argument) < 1:
                raise ArgumentError(argument, "a positive number", getattr(self, argument))
        if not 0 < self.steps[0] <= self.steps[1]:
            raise ArgumentError("steps", "a range of positive numbers", repr(self.steps))


@dataclass(frozen=True, eq=False)
class Zoo:
    """Trained networks.

    Attributes:
        params: their weights, ``[networks, 1, *shape]``, named as in ``nn.Sequential(nn.Linear, nn.ReLU, nn.Linear)``.
        accuracy: on held-out data, ``[networks]``.
        settings: what each was trained with, by name, ``[networks]``.
    """

    params: dict[str, Tensor]
    accuracy: Tensor
    settings: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.accuracy)

    @property
    def spec(self) -> WeightSpec:
        """Hidden units are permuted, inputs and outputs stay."""
        shapes = {name: tuple(w.shape[2:]) for name, w in self.params.items()}
        names = list(shapes)
        return WeightSpec(shapes, dict(zip(names, (("h", None), ("h",), (None, "h"), (None,)))))

    def __getitem__(self, index: slice | Tensor) -> Zoo:
        """Some of the networks."""
        return Zoo(
            {n: w[index] for n, w in self.params.items()}, self.accuracy[index], {n: s[index] for n, s in self.settings.items()}
        )

    def save(self, path: str | os.PathLike[str], config: ZooConfig) -> Path:
        """Write the zoo as one safetensors file that says how it was made."""
        tensors = {f"params/{n}": w for n, w in self.params.items()} | {f"settings/{n}": s for n, s in self.settings.items()}
        return write_bytes(path, weights_bytes(tensors | {"accuracy": self.accuracy}, {"zoo": json.dumps(asdict(config))}))


def load_zoo(path: str | os.PathLike[str]) -> Zoo:
    """A zoo from its file.

    Raises:
        ArgumentError: there is no such file, or it holds no zoo.
    """
    if not Path(path).is_file():
        raise ArgumentError("path", "an existing file", f"'{path}'")
    tensors, _ = read_tensors(path, "zoo", "path")
    order = ["0.weight", "0.bias", "2.weight", "2.bias"]
    params = {name: tensors[f"params/{name}"] for name in order}
    settings = {n.removeprefix("settings/"): t for n, t in tensors.items() if n.startswith("settings/")}
    return Zoo(params, tensors["accuracy"], settings)


def train_zoo(
    x: Float[Tensor, "samples features"],
    y: Int[Tensor, " samples"],
    held_x: Float[Tensor, "held features"],
    held_y: Int[Tensor, " held"],
    config: ZooConfig | None = None,
    *,
    quiet: bool = False,
) -> Zoo:
    """Train every network of a zoo, in stacks of some hundreds: one batched matrix product for a layer of all of them.

    Args:
        x, y: the data to train on, classes ``0, 1, ...``.
        held_x, held_y: the data on which accuracies are measured.
        config: see :class:`ZooConfig`.
        quiet: no progress bar.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(100, 5, generator=g); y = (x[:, 0] > 0).long()
    >>> zoo = train_zoo(x[:80], y[:80], x[80:], y[80:], ZooConfig(networks=20), quiet=True)
    >>> len(zoo), zoo.params["0.weight"].shape
    (20, torch.Size([20, 1, 16, 5]))
    """
    config = config or ZooConfig()
    generator = torch.Generator().manual_seed(config.seed)
    count = config.networks

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    settings = {name: 10 ** draw(*getattr(config, f"log_{name}")) for name in ("lr", "decay", "scale", "fraction")}
    settings["steps"] = draw(config.steps[0], config.steps[1] + 1).long().clamp_max(config.steps[1])
    # Networks that train equally long stand in one stack, which then ends when they do.
    order = settings["steps"].argsort(stable=True)
    widths = [x.shape[1], config.hidden, int(max(y.max(), held_y.max())) + 1]
    parts: list[dict[str, Tensor]] = []
    scores: list[Tensor] = []
    with progress(count, "training the zoo", quiet=quiet) as bar:
        for chunk in order.split(STACK):
            own = {name: value[chunk] for name, value in settings.items()}
            params = _train_stack(x, y, widths, own, config.batch, generator)
            with torch.no_grad():
                scores.append((_forward(params, held_x).argmax(-1) == held_y).float().mean(1))
            parts.append({name: w.detach() for name, w in params.items()})
            bar.advance(len(chunk))
    back = order.argsort()
    params = {name: torch.cat([p[name] for p in parts])[back].unsqueeze(1) for name in parts[0]}
    return Zoo(params, torch.cat(scores)[back], settings)


def _train_stack(
    x: Tensor, y: Tensor, widths: list[int], settings: dict[str, Tensor], batch: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """AdamW on a stack of networks that end one after the other."""
    steps = settings["steps"]
    count = len(steps)
    params = {}
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        scale = settings["scale"].reshape(-1, 1, 1) / a**0.5
        params[f"{2 * i}.weight"] = scale * torch.randn(count, b, a, generator=generator)
        params[f"{2 * i}.bias"] = torch.zeros(count, b)
    seen = (settings["fraction"] * len(x)).long().clamp_min(1)
    order = torch.rand(count, len(x), generator=generator).argsort(1)
    first = {name: torch.zeros_like(w) for name, w in params.items()}
    second = {name: torch.zeros_like(w) for name, w in params.items()}
    for step in range(int(steps.max())):
        start = int((steps <= step).sum())  # sorted by steps: those before are done
        pick = (torch.rand(count - start, batch, generator=generator) * seen[start:, None]).long()
        index = order[start:].gather(1, pick)
        leaves = {name: w[start:].detach().requires_grad_() for name, w in params.items()}
        logits = _forward(leaves, x[index])
        loss = cross_entropy(logits.flatten(0, 1), y[index].flatten(), reduction="sum") / batch
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        own = {name: value[start:] for name, value in settings.items()}
        active, m, v = ({n: w[start:] for n, w in part.items()} for part in (params, first, second))
        adam_step(active, m, v, gradients, step, own)
    return params


def adam_step(
    params: dict[str, Tensor],
    first: dict[str, Tensor],
    second: dict[str, Tensor],
    gradients: Sequence[Tensor],
    step: int,
    settings: dict[str, Tensor],
) -> None:
    """One step of AdamW in place on a stack of networks, each with its own ``lr`` and ``decay`` ``[networks]``; ``step`` from 0."""
    with torch.no_grad():
        for (name, w), gradient in zip(params.items(), gradients):
            lr, decay = (settings[s].reshape(-1, *[1] * (w.ndim - 1)) for s in ("lr", "decay"))
            m, v = first[name], second[name]
            m.lerp_(gradient, 0.1)
            v.lerp_(gradient.square(), 0.001)
            w.mul_(1 - lr * decay)
            w.sub_(lr * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8))


def _forward(params: dict[str, Tensor], x: Tensor) -> Tensor:
    """Logits ``[networks, samples, classes]`` of a stack; ``x`` is common or each network's own."""
    hidden = torch.relu(x @ params["0.weight"].mT + params["0.bias"].unsqueeze(1))
    return hidden @ params["2.weight"].mT + params["2.bias"].unsqueeze(1)
