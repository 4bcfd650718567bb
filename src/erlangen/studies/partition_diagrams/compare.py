"""Networks on graphs, and ridge regression on what one would count, on the same splits."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from erlangen.datasets.graphs import TARGETS, relabelled
from erlangen.reporting import Crossover, Figure, Rival, Table, bars_with_error, repeated, seeds_said
from erlangen.studies.partition_diagrams.networks import (
    MOVED,
    PLAIN,
    SYMMETRIC,
    THIRD,
    Config,
    Split,
    fit,
    network,
    r2,
    split,
)
from erlangen.studies.rivals import ridges, simplest

SETS = (100, 400)
CURVE = (25, 50, 100, 200, 400)
COUNTED = "ridge on counts and spectrum"


@dataclass
class Runs:
    """What the runs of one network on one training set gave, one entry for each seed.

    Attributes:
        r2: of each target.
        change: the largest one of a prediction under relabelling.
        seconds: of CPU, training and choices included.
    """

    r2: list[list[float]] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def means(self) -> list[float]:
        """R2, averaged over targets."""
        return [statistics.fmean(values) for values in self.r2]


@dataclass
class Found:
    """What the run measures: by network and size of the training set; weights, and the settings of the ridge that were chosen."""

    runs: dict[str, dict[int, Runs]] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    settings: dict[int, list[str]] = field(default_factory=dict)

    def at(self, name: str, size: int) -> Runs:
        """The runs of one network on one size, empty at first."""
        return self.runs.setdefault(name, {}).setdefault(size, Runs())

    def mean(self, name: str, size: int) -> float:
        """R2, averaged over targets and seeds."""
        return statistics.fmean(self.runs[name][size].means)

    def worst_change(self, name: str) -> float:
        """The largest change of a prediction under relabelling, over sizes and seeds."""
        return max(max(runs.change) for runs in self.runs[name].values())


def compare(config: Config, quiet: bool) -> Found:
    """Train every network on every split; with the curve, the S_7 network, the relabelled perceptron and the ridge on more of them."""
    found = Found()
    names = [SYMMETRIC, PLAIN, MOVED, *([THIRD] if config.full else [])]
    for size in CURVE if config.curve else SETS:
        parts = [split(seed, size) for seed in config.every_seed]
        for name in names if size in SETS else (SYMMETRIC, MOVED):
            about = f"{name}, {size} graphs"
            nets, seconds = fit(partial(network, name, config), parts, config, about, quiet, moved=name == MOVED)
            found.parameters[name] = sum(p.numel() for p in nets[0].parameters())
            for seed, net, part in zip(config.every_seed, nets, parts):
                generator = torch.Generator().manual_seed(seed)
                with torch.no_grad():
                    before = net(part.x_test)
                    moved = [net(relabelled(part.x_test, generator)) for _ in range(8 if size in SETS else 1)]
                runs = found.at(name, size)
                runs.r2.append(r2(before, part.y_test))
                runs.change.append(max(float((m - before).abs().max()) for m in moved))
                runs.seconds.append(seconds)
        for seed, part in zip(config.every_seed, parts):
            counted(found, size, seed, part)
    found.parameters[COUNTED] = 0
    return found


def hand_made(a: Tensor) -> Tensor:
    """Ten numbers of graphs ``[B, n, n]`` that labels do not change, and their spectra: ``[B, 10 + n]`` in float64.

    Edges, powers of degrees, the least and the largest one, triangles, closed walks of four steps, walks of three, products of degrees
    along edges.
    """
    a = a.double()
    d, square = a.sum(-1), a @ a
    cube = square @ a
    counts = [d.sum(-1), *(d.pow(k).sum(-1) for k in (2, 3, 4)), d.amin(-1), d.amax(-1), cube.diagonal(0, 1, 2).sum(-1),
              (square * square).sum((1, 2)), cube.sum((1, 2)), torch.einsum("bi,bij,bj->b", d, a, d)]  # fmt: skip
    return torch.cat([torch.stack(counts, 1), torch.linalg.eigvalsh(a)], 1)


def counted(found: Found, size: int, seed: int, part: Split) -> None:
    """Ridge regression on what one would count, on one split: its R2, relabelling and seconds stand beside those of the networks."""
    candidates = ridges(degrees=(1, 2), alphas=(1e-3, 1e-2, 0.1, 1.0, 10.0))
    clock = time.process_time()
    models = [simplest(candidates, hand_made(part.x), column) for column in part.y.double().mT]
    runs = found.at(COUNTED, size)
    runs.seconds.append(time.process_time() - clock)
    generator = torch.Generator().manual_seed(seed)
    before, moved = (
        torch.stack([model.predict(hand_made(a)) for model in models], 1) for a in (part.x_test, relabelled(part.x_test, generator))
    )
    runs.r2.append(r2(before, part.y_test.double()))
    runs.change.append(float((moved - before).abs().max()))
    found.settings.setdefault(size, []).extend(model.settings.split(", chosen")[0] for model in models)


def rivals(found: Found) -> list[Rival]:
    """The S_7 network beside the ridge, a row for each training set."""
    return [
        Rival(
            "ridge regression on ten counts and the spectrum",
            "the S_7 network",
            f"R2 from {size} graphs, mean over three targets",
            repeated(found.at(SYMMETRIC, size).means),
            repeated(found.at(COUNTED, size).means),
            "higher",
            seconds=statistics.fmean(found.at(SYMMETRIC, size).seconds),
            rival_seconds=statistics.fmean(found.at(COUNTED, size).seconds),
            settings=f"degree and alpha of each target on a held-out quarter: mostly {statistics.mode(found.settings[size])}",
            scale=seeds_said(len(found.at(COUNTED, size).r2)),
            note="who knows the targets computes them: two are functions of the Laplacian's spectrum, the third is a count",
        )
        for size in SETS
    ]


def crossover(found: Found) -> Crossover:
    """R2 over the number of training graphs."""
    curves = {name: [found.at(name, size).means for size in CURVE] for name in (SYMMETRIC, COUNTED, MOVED)}
    return Crossover(
        "training graphs", CURVE, "R2 on unseen graphs", "higher", "the S_7 network",
        {"the S_7 network" if name == SYMMETRIC else name: curve for name, curve in curves.items()},
        note="Mean over three targets. The ridge has ten counts and the spectrum, degree and alpha by a held-out quarter.",
    )  # fmt: skip


def table_of(found: Found) -> Table:
    """Every network on every training set."""
    rows = [
        [
            *(name, size, found.parameters[name]),
            *(repeated(list(column)) for column in zip(*runs.r2)),
            max(runs.change),
            statistics.fmean(runs.seconds),
        ]
        for name, sizes in found.runs.items()
        for size, runs in sizes.items()
    ]
    return Table(
        "R2 on the other graphs, relabelled at random",
        ["network", "training graphs", "parameters", *TARGETS, "largest change", "CPU seconds"],
        rows,
        caption="Mean and standard deviation over seeds; the same steps, batches and optimiser. Change: of a prediction under relabelling.",
    )


def figure_of(found: Found) -> Figure:
    """Bars of R2 by network."""
    means = {name: [runs[size].means for size in SETS] for name, runs in found.runs.items()}
    return bars_with_error(
        [f"{s} training graphs" for s in SETS],
        {n: [statistics.fmean(v) for v in values] for n, values in means.items()},
        {n: [statistics.stdev(v) if len(v) > 1 else 0.0 for v in values] for n, values in means.items()},
        title="R2 on unseen graphs",
        y_label="R2, mean over three targets",
        caption="Mean and standard deviation over seeds.",
    )
