"""Part one: which frequencies move a warped signal, seen clean, saturated, or distorted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.datasets.signals import Signals, dft_spectrum, warped_signals
from erlangen.discover.nft import NFT, LinearNFT, Spectrum
from erlangen.discover.nft.objective import squared
from erlangen.errors import ArgumentError
from erlangen.nn.perceptron import perceptron
from erlangen.studies.base import Part
from erlangen.studies.nft.networks import settings
from erlangen.studies.nft.study import Config
from erlangen.training import supervised, train

TRUE = (2, 5, 9, 12, 14)
SOURCE = "Koyama et al. 2024, arXiv:2305.18484, section 5.1"
RANKS = (10, 20, 32, 48, 64)
SHARING = 60
#: Of the saturating sensor.
GAIN = 1.5
#: Steps by default: signals that are linear need fewer.
STEPS = {"clean": 700, "tanh": 1200}
#: Of the transform and of the perceptron beside it.
RATE: dict[str, Any] = {"lr": 3e-3, "batch": 96}
#: A sensor's name, or what it does to signals.
Sensor = str | Callable[[Tensor], Tensor]
#: Activations that the perceptron's is chosen from.
KINDS: dict[str, Callable[[], nn.Module]] = {"ReLU": nn.ReLU, "tanh": nn.Tanh}
#: The clean and the saturated signals, which networks learn from.
LEARNED = ("clean", "tanh")
ABOUT = (
    "A sequence is one signal of five waves on a time axis that is warped by u^3, shifted by an unknown angle from frame to frame. The "
    "transform sees three frames of each, solves a 10 x 10 matrix from two and predicts the third; it is told neither the group nor the "
    "angles. Regression of the matrices' traces on cosines of the angles, which only the evaluation knows, shows the frequencies.",
    "A time warp and a shift are linear in the signal. So beside the network stand two closed forms. The first has what the network has, "
    "three frames of each sequence with an angle of its own: quadratic forms that no sequence changes give the planes, and two frames the "
    "angle. The second is given more, 60 signals that share every shift. A sensor y = tanh(1.5 x) makes the motion truly nonlinear; "
    "y = x + 0.4 x^2 does not, for products of the waves are finitely many functions that the shift moves linearly.",
)


class Row(NamedTuple):
    """How one way predicts signals of one sensor: relative squared error, and the frequencies that it shows."""

    sensor: str
    how: str
    error: float
    frequencies: tuple[int, ...]


class Run(NamedTuple):
    """What one seed has shown.

    Attributes:
        learned: of each sensor, errors one, two and three steps ahead, and the spectrum.
        inverse: of each sensor, the median of ``|M M' - 1|``.
        closed: of each sensor, the closed forms ``"own"`` and ``"shared"``.
        perceptron, behind: of saturated signals.
        seconds: CPU seconds: of the transform by sensor, and of the others by name.
    """

    learned: dict[str, tuple[list[float], Spectrum]]
    inverse: dict[str, float]
    closed: dict[str, dict[str, Row]]
    perceptron: Row
    behind: Row
    seconds: dict[str, float]


def learn(seed: int, sensor: Sensor, steps: int, samples: int, quiet: bool) -> tuple[NFT, Signals]:
    """The transform of one sensor's signals, and test signals with five frames."""
    torch.manual_seed(seed)
    data = warped_signals(samples, TRUE, sensor=sensor, seed=seed)
    nft = NFT(
        perceptron(128, 256, 256, 160, activation=nn.Tanh), perceptron(160, 256, 256, 128, activation=nn.Tanh), multiplicity=16
    )
    nft.fit(data.x, warmup=0.6, config=settings(steps, seed, **RATE), quiet=quiet)
    return nft, warped_signals(2000, TRUE, sensor=sensor, frames=5, seed=seed + 100)


@torch.no_grad()
def judge(nft: NFT, test: Signals) -> tuple[list[float], Spectrum]:
    """Relative squared errors one, two and three steps ahead, and the spectrum."""
    told, true = nft.predict(test.x[:, :2], 3), test.x[:, 2:]
    errors = (told - true).square().sum((0, 2)) / true.square().sum((0, 2))
    return errors.tolist(), nft.spectrum(test.angles, test.x[:, :2])


@torch.no_grad()
def there_and_back(nft: NFT, test: Signals) -> float:
    """The median of ``|M M' - 1|``, where ``M'`` is solved for the way back."""
    there, back = nft.transition(test.x[:, 0], test.x[:, 1]), nft.transition(test.x[:, 1], test.x[:, 0])
    return float((there @ back - torch.eye(there.shape[-1])).norm(dim=(1, 2)).median())


def shared_shifts(sensor: str, seed: int, shifts: int = 40, ranks: tuple[int | None, ...] = (None, *RANKS)) -> Row:
    """Least squares where 60 signals share each shift, judged on other signals with the same shifts, at the best of some ranks; ``None``
    is all directions that stand out from rounding.
    """
    labels = torch.arange(shifts).repeat_interleave(SHARING)
    angles = torch.pi * torch.rand(shifts, generator=torch.Generator().manual_seed(seed + 5))
    train, test = (warped_signals(len(labels), TRUE, sensor=sensor, angles=angles[labels], seed=seed + s) for s in (6, 7))
    found: list[tuple[float, LinearNFT]] = []
    for rank in ranks:
        try:
            nft = LinearNFT(rank).fit(train.x.double(), labels)
        except ArgumentError:  # the signals lie in fewer directions, up to rounding
            continue
        wrong = torch.zeros(())
        for label in range(shifts):
            mine = labels == label
            wrong = wrong + (nft.predict(test.x[mine, :2], 1, label)[:, 0] - test.x[mine, 2]).square().sum()
        found.append((float(wrong / test.x[:, 2].square().sum()), nft))
    error, nft = min(found, key=lambda pair: (pair[0] > 1e-12, pair[0]))
    return Row(sensor, f"least squares, {nft.basis.shape[1]} directions", error, nft.spectrum(angles).frequencies)


def own_shifts(sensor: Sensor, seed: int) -> Row:
    """The closed form with the network's information, at the best of some ranks; without a result the error is that of saying nothing."""
    about = sensor if isinstance(sensor, str) else "own"
    train, test = (warped_signals(6000, TRUE, sensor=sensor, phases=True, seed=seed + s) for s in (8, 9))
    least, best = 1.0, None
    for rank in RANKS[:3]:
        try:
            nft = LinearNFT(rank, "each").fit(train.x)
            error = relative(nft.predict(test.x[:, :2])[:, 0], test.x[:, 2])
        except ArgumentError:  # at this rank no quadratic form is kept
            continue
        if error < least:
            least, best = error, nft
    if best is None:
        return Row(about, "quadratic invariants", least, ())
    name = f"quadratic invariants, {best.basis.shape[1]} directions"
    # Where blocks are no planes, no three frames show a whole matrix.
    shown = best.spectrum(train.angles).frequencies if len(best.transitions) == len(train.angles) else ()
    return Row(about, name, least, shown)


def plain_network(sensor: Sensor, steps: int, samples: int, seed: int, quiet: bool, kinds: Sequence[str] = tuple(KINDS)) -> Row:
    """A perceptron from two frames to the third, as wide as the transform and as long in training: it predicts without a motion in between.

    Kernel ridge regression is behind it: .08 from 10,000 sequences.

    Args:
        kinds: activations to choose from, by 2000 sequences that neither training nor test has.
    """
    train_set, held, test = (
        warped_signals(n, TRUE, sensor=sensor, seed=seed + s).x for n, s in ((samples, 0), (2000, 200), (2000, 100))
    )
    found: dict[str, tuple[float, float]] = {}
    for kind in kinds:
        torch.manual_seed(seed)
        net = perceptron(256, 256, 256, 128, activation=KINDS[kind])
        pairs = (train_set[:, :2].flatten(1), train_set[:, 2])
        train(net, pairs, supervised(squared), settings(steps, seed, **RATE), description="perceptron", quiet=quiet)
        with torch.no_grad():
            found[kind] = tuple(relative(net(part[:, :2].flatten(1)), part[:, 2]) for part in (held, test))  # type: ignore[assignment]
    best = min(found, key=lambda kind: found[kind][0])
    return Row(sensor if isinstance(sensor, str) else "own", best, found[best][1], ())


def behind_the_sensor(seed: int) -> Row:
    """The closed form on saturated signals for one who knows the sensor: ``arctanh`` first, and ``tanh`` of what is predicted."""
    train, test = (warped_signals(6000, TRUE, sensor="tanh", phases=True, seed=seed + s) for s in (8, 9))
    inverse, forth = (lambda y: torch.atanh(y.double()) / GAIN), (lambda x: torch.tanh(GAIN * x))
    nft = LinearNFT(RANKS[0], "each").fit(inverse(train.x))
    told = forth(nft.predict(inverse(test.x[:, :2]))[:, 0])
    return Row("tanh", "the closed form behind arctanh", relative(told, test.x[:, 2]), nft.spectrum(train.angles).frequencies)


def relative(told: Tensor, true: Tensor) -> float:
    """The squared error as a share of the squares."""
    return float((told - true).square().sum() / true.square().sum())


def one(config: Config, seed: int, kinds: Sequence[str], quiet: bool) -> Run:
    """All of one seed: networks on the clean and the saturated signals, closed forms on all three."""
    steps = {sensor: config.scaled(STEPS[sensor], 0)[0] for sensor in LEARNED}
    samples = config.scaled(0, 20_000)[1]
    seconds: dict[str, float] = {}

    def timed(name: str, find: Callable[[], Any]) -> Any:
        clock = time.process_time()
        found = find()
        seconds[name] = time.process_time() - clock
        return found

    closed: dict[str, dict[str, Row]] = {
        sensor: {"own": timed(f"own, {sensor}", lambda s=sensor: own_shifts(s, seed)), "shared": shared_shifts(sensor, seed)}  # type: ignore[misc]
        for sensor in ("clean", "tanh", "quadratic")
    }
    learned: dict[str, tuple[list[float], Spectrum]] = {}
    inverse: dict[str, float] = {}
    for sensor in LEARNED:
        nft, test = timed(sensor, lambda s=sensor: learn(seed, s, steps[s], samples, quiet))  # type: ignore[misc]
        learned[sensor], inverse[sensor] = judge(nft, test), there_and_back(nft, test)
    beside = timed("perceptron", lambda: plain_network("tanh", steps["tanh"], samples, seed, quiet, kinds))
    return Run(learned, inverse, closed, beside, timed("behind", lambda: behind_the_sensor(seed)), seconds)


def run(config: Config, quiet: bool) -> Part:
    """Every seed; the perceptron's activation is chosen with the first."""
    from erlangen.studies.nft.saturation import saturation
    from erlangen.studies.nft.signals_report import report

    runs: list[Run] = []
    for seed in config.every_seed:
        runs.append(one(config, seed, (runs[0].perceptron.how,) if runs else tuple(KINDS), quiet))
    found = report(config, runs, dft_spectrum(warped_signals(2000, TRUE, seed=config.seed).x.flatten(0, 1)))
    if config.curve:
        curve = saturation(config, runs[0].perceptron.how, quiet)
        found.sections.append(curve.section("The more the sensor saturates"))
        found.numbers["crossover"] = curve.as_dict()
    return found
