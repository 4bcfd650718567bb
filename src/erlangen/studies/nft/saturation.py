"""How the transform, the closed form and a perceptron fare the more a sensor saturates."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.reporting import Crossover
from erlangen.studies.nft.signals import judge, learn, own_shifts, plain_network
from erlangen.studies.nft.study import Config

#: Of sensors ``tanh(gain x)``; 0 is the signal as it is.
GAINS = (0.0, 0.5, 1.0, 1.5, 3.0)
#: By default; where the closed form is exact, nobody needs more.
STEPS = 700
TRANSFORM, CLOSED, PERCEPTRON = "neural Fourier transform", "closed form (linear)", "perceptron"


def saturation(config: Config, kind: str, quiet: bool) -> Crossover:
    """Relative squared errors of the next frame, for each seed, with the same data and steps for both networks.

    Args:
        kind: the perceptron's activation.
    """
    steps, samples = config.scaled(STEPS, 20_000)
    curves: dict[str, list[list[float]]] = {TRANSFORM: [], CLOSED: [], PERCEPTRON: []}
    for gain in GAINS:

        def sensor(x: Tensor, gain: float = gain) -> Tensor:
            return torch.tanh(gain * x) if gain else x

        for points in curves.values():
            points.append([])
        for seed in config.every_seed:
            nft, test = learn(seed, sensor, steps, samples, quiet)
            curves[TRANSFORM][-1].append(judge(nft, test)[0][0])
            curves[CLOSED][-1].append(own_shifts(sensor, seed).error)
            curves[PERCEPTRON][-1].append(plain_network(sensor, steps, samples, seed, quiet, (kind,)).error)
    return Crossover(
        "gain of the sensor tanh(gain x)", GAINS, "relative squared error of the next frame", "lower", TRANSFORM, curves,
        log_x=False, log_y=True,
        note=f"{samples} sequences and {steps} steps for both networks, of one width; the closed form at the best of some ranks; gain 0: "
        "the signal as it is. 1 is what predicting nothing has.",
    )  # fmt: skip
