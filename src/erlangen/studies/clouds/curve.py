"""Charged bodies over how many systems there are to learn from: a network over frames and EGNN beside a ridge on vectors made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from erlangen.reporting import Crossover
from erlangen.studies.clouds.contest import Contender, Contest
from erlangen.studies.clouds.study import Config
from erlangen.studies.rivals import charges

PLACES = (100, 300, 1000)
FRAMES, EGNN, RIDGE = "network over frames", "EGNN", "ridge on equivariant vectors"
#: The contenders that take part, and what they are called here.
NETWORKS = {"plain, frames": FRAMES, "EGNN": EGNN}
HELD = 0.2
TEST = 500


def curve(
    config: Config,
    contest: Callable[[Config], Contest],
    contenders: Callable[[dict[str, Tensor], float], list[Contender]],
    seconds: float,
    quiet: bool,
) -> Crossover:
    """Errors at every place, with every seed on other systems.

    Of the systems at a place networks hold out a fifth, by which weights and, with the first seed, the learning rate are chosen; the
    ridge holds out a quarter for its degree and penalty, and learns from all of them in the end.
    """
    curves: dict[str, list[list[float]]] = {name: [[] for _ in PLACES] for name in (FRAMES, EGNN, RIDGE)}
    for at, place in enumerate(PLACES):
        held, rates = round(HELD * place), dict[str, float]()
        for seed in range(config.seed, config.seed + config.seeds):
            task = contest(replace(config, samples=place - held, held=held, test=TEST, seed=seed, full=False))
            for contender in contenders(task.learn[0], config.size):
                if name := NETWORKS.get(contender.name):
                    row = task.row(contender, seconds, 1, quiet, rates.get(name))
                    rates[name] = row.rate
                    curves[name][at].append(row.error)
            (x, y), (x_held, y_held) = task.learn, task.hold
            learn = {part: torch.cat([x[part], x_held[part]]) for part in x}, torch.cat([y, y_held])
            curves[RIDGE][at].append(float(charges(*learn, *task.test, seed=seed, degree=2).ridge.mean()))
    return Crossover(
        "systems to learn from", PLACES, "mean squared error of positions", "lower", FRAMES, curves, log_y=True,
        note=f"Networks: {seconds:g} CPU seconds for each training, learning rates and weights chosen on a fifth of the systems. Ridge: 65 "
        f"or 390 vectors made by hand, degree and penalty chosen on a quarter. {TEST} test systems for each of {config.seeds} seeds; "
        "nobody knows the law.",
    )  # fmt: skip
