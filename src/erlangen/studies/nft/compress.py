"""Part two: warped signals in 32 numbers, with the group known, and with its elements known too."""

from __future__ import annotations

import time
from statistics import fmean

import torch
from torch import Tensor, nn

from erlangen.datasets.signals import lowpass, lowpass_error, warped_signals
from erlangen.discover.nft import NFT, LinearNFT, frequencies
from erlangen.groups import SO
from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Rival, Section, Table, repeated
from erlangen.reps import Rep
from erlangen.studies.base import Part
from erlangen.studies.nft.networks import settings
from erlangen.studies.nft.study import Config

FIXED = (3, 5, 11, 4, 7)
KNOWN, GIVEN, LINEAR, FOURIER = "group known", "elements known", "linear, 10 numbers", "16 Fourier modes"
SOURCE = "Koyama et al. 2024, arXiv:2305.18484, table 1"
ABOUT = (
    "Five fixed frequencies, coefficients on the unit sphere, shifts between 0 and pi. The latent is one row of 32 numbers on which SO(2) "
    "acts with the frequencies 0 (twice) to 15. With the group known, each plane's rotation is solved from two frames; with the elements "
    "known it is given. Errors are sums of squares over 128 points, of a signal encoded and decoded, and of the frame that follows.",
    "A discrete Fourier transform with 16 modes keeps 31 real numbers. Kept correctly it leaves 5.96 on average; 8.10 results when the "
    "mean is counted twice. Least squares in the ten directions that the signals span has no error at all: this task is linear.",
)


def latent() -> Rep:
    """SO(2) on 32 numbers: twice frequency 0, and 1 to 15 once."""
    return SO(2).scalar + frequencies(range(16))


def one(seed: int, steps: int, samples: int, quiet: bool) -> tuple[dict[str, tuple[float, float | None]], dict[str, float], float]:
    """Of one seed: for each code the error of a signal and of the next frame; CPU seconds; and the power of a signal."""
    train, test = (warped_signals(samples, FIXED, frames=3, seed=seed + s) for s in (0, 50))
    errors: dict[str, tuple[float, float | None]] = {}
    seconds: dict[str, float] = {}
    for name in (KNOWN, GIVEN):
        clock = time.process_time()
        torch.manual_seed(seed)
        nft = NFT(
            perceptron(128, 256, 256, 32, activation=nn.Tanh),
            perceptron(32, 256, 256, 128, activation=nn.Tanh),
            latent(),
            multiplicity=1,
        )
        known = train.angles if name == GIVEN else None
        nft.fit(train.x, known, warmup=1.0, config=settings(steps, seed, lr=3e-3, batch=64), quiet=quiet)
        seconds[name] = time.process_time() - clock
        with torch.no_grad():
            told = nft.predict(test.x[:, :2])[:, 0] if name == KNOWN else nft.move(test.x[:, 1], test.angles)
            errors[name] = (_squares(nft(test.x[:, 0]), test.x[:, 0]), _squares(told, test.x[:, 2]))
    # The closed form: frames one and two, whose waves have all phases.
    clock = time.process_time()
    linear = LinearNFT(10, "each").fit(train.x[:, 1:])
    seconds[LINEAR] = time.process_time() - clock
    code = linear.decode(linear.encode(test.x[:, 0]))
    errors[LINEAR] = (_squares(code, test.x[:, 0]), _squares(linear.predict(test.x[:, :2])[:, 0], test.x[:, 2]))
    errors[FOURIER] = (_squares(lowpass(test.x[:, 0], 16), test.x[:, 0]), None)
    return errors, seconds, float(test.x[:, 0].square().sum(1).mean())


def run(config: Config, quiet: bool) -> Part:
    """Train both transforms with every seed; compare with both linear codes."""
    steps, samples = config.scaled(800, 5000)
    runs = [one(seed, steps, samples, quiet) for seed in config.every_seed]
    codes = {name: [errors[name][0] for errors, _, _ in runs] for name in runs[0][0]}
    ahead = {name: [errors[name][1] for errors, _, _ in runs] for name in codes}
    power = fmean(size for _, _, size in runs)
    scale = f"{samples} training and test sequences, {steps} steps, seeds: {len(runs)}"
    expected = lowpass_error(FIXED, 16)
    learned = [min(pair) for pair in zip(codes[KNOWN], codes[GIVEN])]
    claims = [
        Claim(
            f"with the {name}, 32 numbers hold a signal to a squared error of at most 0.1, with every seed",
            reported,
            repeated(codes[name]),
            max(codes[name]) <= 0.1,
            baseline=repeated(codes[FOURIER]),
            scale=scale,
            note=f"of a power of {power:.1f}; baseline: {FOURIER}",
            source=SOURCE,
            key="compression",
        )
        for name, reported in ((KNOWN, "3.59e-5"), (GIVEN, "1.97e-2"))
    ]
    claims += [
        Claim(
            "the low-pass Fourier code leaves what theory says",
            "8.10 (its mean doubled)",
            repeated(codes[FOURIER]),
            all(abs(error - expected) < 0.25 for error in codes[FOURIER]),
            baseline=expected,
            scale=f"{samples} signals, seeds: {len(runs)}",
            note="baseline: the exact expectation",
            key="compression",
        ),
        Claim(
            "the simple code is enough: least squares in ten numbers, without training, beats both networks, with every seed",
            None,
            repeated(codes[LINEAR]),
            all(a < b for a, b in zip(codes[LINEAR], learned)),
            baseline=repeated(learned),
            scale=scale,
            key="simple-code",
        ),
    ]
    heads = ["code", "squared error", "of the next frame"]
    later = {name: [error for error in of if error is not None] for name, of in ahead.items()}
    rows = [[name, repeated(codes[name]), repeated(later[name]) if later[name] else None] for name in codes]
    table = Table("Signals in few numbers", heads, rows, caption=scale)
    numbers = {name: {"code": codes[name], "next": ahead[name]} for name in codes}
    answer = (
        f"32 numbers: {repeated(codes[KNOWN])} ({KNOWN}), {repeated(codes[GIVEN])} ({GIVEN}); "
        f"ten linear ones: {max(codes[LINEAR]):.2g}."
    )
    best = min((KNOWN, GIVEN), key=lambda name: fmean(codes[name]))
    rival = Rival(
        "least squares in ten numbers",
        f"the transform in 32 numbers ({best})",
        "squared error of a signal encoded and decoded",
        repeated(codes[best]),
        repeated(codes[LINEAR]),
        "lower",
        seconds=fmean(spent[best] for _, spent, _ in runs),
        rival_seconds=fmean(spent[LINEAR] for _, spent, _ in runs),
        scale=scale,
        note="the signals span ten directions: this task is linear",
    )
    return Part(claims, [Section("Compression", ABOUT, tables=[table])], numbers, answer, rivals=[rival])


def _squares(told: Tensor, true: Tensor) -> float:
    return float((told - true).square().sum(-1).mean())
