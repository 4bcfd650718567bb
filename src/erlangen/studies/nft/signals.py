"""Part one: which frequencies move a warped signal, seen clean, saturated, or distorted."""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.datasets.signals import Signals, dft_spectrum, warped_signals
from erlangen.discover.nft import NFT, LinearNFT, Spectrum
from erlangen.errors import ArgumentError
from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Line, Rival, Section, Table, lines_with_band
from erlangen.studies.base import Part
from erlangen.studies.nft.networks import settings
from erlangen.studies.nft.study import Config
from erlangen.studies.rivals import simplest

TRUE = (2, 5, 9, 12, 14)
SOURCE = "Koyama et al. 2024, arXiv:2305.18484, section 5.1"
RANKS = (10, 20, 32, 48, 64)
SHARING = 60
#: Of the saturating sensor.
GAIN = 1.5
ABOUT = (
    "A sequence is one signal of five waves on a time axis that is warped by u^3, shifted by an unknown angle from frame to frame. The "
    "transform sees three frames of each, solves a 10 x 10 matrix from two and predicts the third; it is told neither the group nor the "
    "angles. Regression of the matrices' traces on cosines of the angles, which only the evaluation knows, shows the frequencies.",
    "A time warp and a shift are linear in the signal. So beside the network stand two closed forms. The first has what the network has, "
    "three frames of each sequence with an angle of its own: quadratic forms that no sequence changes give the planes, and two frames the "
    "angle. The second is given more, 60 signals that share every shift. A sensor y = tanh(1.5 x) makes the motion truly nonlinear; "
    "y = x + 0.4 x^2 does not, for products of the waves are finitely many functions that the shift moves linearly.",
)


class _Row(NamedTuple):
    sensor: str
    how: str
    error: float
    frequencies: tuple[int, ...]


def learn(config: Config, sensor: str, steps: int, samples: int, quiet: bool) -> tuple[NFT, Signals]:
    """The transform of one sensor's signals, and test signals with five frames."""
    torch.manual_seed(config.seed)
    data = warped_signals(samples, TRUE, sensor=sensor, seed=config.seed)
    nft = NFT(
        perceptron(128, 256, 256, 160, activation=nn.Tanh), perceptron(160, 256, 256, 128, activation=nn.Tanh), multiplicity=16
    )
    nft.fit(data.x, warmup=0.6, config=settings(steps, config.seed), quiet=quiet)
    return nft, warped_signals(2000, TRUE, sensor=sensor, frames=5, seed=config.seed + 100)


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


def shared_shifts(sensor: str, seed: int, shifts: int = 40, ranks: tuple[int | None, ...] = (None, *RANKS)) -> _Row:
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
    return _Row(sensor, f"least squares, {nft.basis.shape[1]} directions", error, nft.spectrum(angles).frequencies)


def own_shifts(sensor: str, seed: int) -> _Row:
    """The closed form with the network's information, at the best of some ranks; without a result the error is that of saying nothing."""
    train, test = (warped_signals(6000, TRUE, sensor=sensor, phases=True, seed=seed + s) for s in (8, 9))
    least, best = 1.0, None
    for rank in RANKS[:3]:
        try:
            nft = LinearNFT(rank, "each").fit(train.x)
            error = _relative(nft.predict(test.x[:, :2])[:, 0], test.x[:, 2])
        except ArgumentError:  # at this rank no quadratic form is kept
            continue
        if error < least:
            least, best = error, nft
    if best is None:
        return _Row(sensor, "quadratic invariants", least, ())
    name = f"quadratic invariants, {best.basis.shape[1]} directions"
    return _Row(sensor, name, least, best.spectrum(train.angles).frequencies)


def plain_network(sensor: str, samples: int, seed: int) -> _Row:
    """A perceptron from two frames to the third, of the transform's width and as many passes: it predicts without a motion in between.

    Kernel ridge regression is behind it: .08 from 10,000 sequences.
    """
    from sklearn.neural_network import MLPRegressor

    train, test = (warped_signals(n, TRUE, sensor=sensor, seed=seed + s) for n, s in ((samples, 0), (2000, 100)))
    model = partial(MLPRegressor, hidden_layer_sizes=(256, 256), batch_size=min(200, samples), max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops while it still falls, as the transform does
        found = simplest(
            {"two layers of 256, rate 2e-3": partial(model, learning_rate_init=2e-3)}, train.x[:, :2], train.x[:, 2], seed=seed
        )
    return _Row(sensor, f"perceptron, {found.settings}", _relative(found.predict(test.x[:, :2]), test.x[:, 2]), ())


def behind_the_sensor(seed: int) -> _Row:
    """The closed form on saturated signals for one who knows the sensor: ``arctanh`` first, and ``tanh`` of what is predicted."""
    train, test = (warped_signals(6000, TRUE, sensor="tanh", phases=True, seed=seed + s) for s in (8, 9))
    inverse, forth = (lambda y: torch.atanh(y.double()) / GAIN), (lambda x: torch.tanh(GAIN * x))
    nft = LinearNFT(RANKS[0], "each").fit(inverse(train.x))
    told = forth(nft.predict(inverse(test.x[:, :2]))[:, 0])
    return _Row("tanh", "the closed form behind arctanh", _relative(told, test.x[:, 2]), nft.spectrum(train.angles).frequencies)


def _relative(told: Tensor, true: Tensor) -> float:
    return float((told - true).square().sum() / true.square().sum())


def run(config: Config, quiet: bool) -> Part:
    """Train on the clean and the saturated signals; closed forms on all three."""
    steps, samples = config.scaled(1900, 20_000)
    rows: list[_Row] = []
    closed: dict[str, dict[str, _Row]] = {}
    simple: list[tuple[str, _Row, str, float]] = []
    for name, sensor, find, note in (
        (
            "the closed form from the same frames",
            "clean",
            lambda: own_shifts("clean", config.seed),
            "for signals that are linear in the waves",
        ),
        ("a perceptron from the same frames", "tanh", lambda: plain_network("tanh", samples, config.seed), ""),
        ("the closed form behind the sensor's inverse", "tanh", lambda: behind_the_sensor(config.seed), "it knows the sensor"),
    ):
        clock = time.process_time()
        row = find()
        simple.append((name, row, note, time.process_time() - clock))
        rows += [row] if sensor == "tanh" else []
    for sensor in ("clean", "tanh", "quadratic"):
        closed[sensor] = {"own": own_shifts(sensor, config.seed), "shared": shared_shifts(sensor, config.seed)}
        rows += closed[sensor].values()
    learned: dict[str, tuple[list[float], Spectrum]] = {}
    inverse: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for sensor in ("clean", "tanh"):
        clock = time.process_time()
        nft, test = learn(config, sensor, steps, samples, quiet)
        seconds[sensor] = time.process_time() - clock
        learned[sensor], inverse[sensor] = judge(nft, test), there_and_back(nft, test)
        rows.append(_Row(sensor, "learned transform", learned[sensor][0][0], learned[sensor][1].frequencies))
    shown = dft_spectrum(warped_signals(2000, TRUE, seed=config.seed).x.flatten(0, 1))
    strongest = tuple(sorted(shown.topk(5).indices.tolist()))
    scale = f"{samples} sequences, {steps} steps"
    rivals = [
        Rival(
            name,
            f"the learned transform ({'clean' if row.sensor == 'clean' else 'saturated'} signals)",
            "relative squared error of the next frame",
            learned[row.sensor][0][0],
            row.error,
            "lower",
            seconds=seconds[row.sensor],
            rival_seconds=spent,
            settings=row.how,
            scale=scale,
            note=note,
        )
        for name, row, note, spent in simple
    ]
    return _report(rows, closed, learned, inverse, shown, strongest, scale, rivals)


def _report(
    rows: list[_Row],
    closed: dict[str, dict[str, _Row]],
    learned: dict[str, tuple[list[float], Spectrum]],
    inverse: dict[str, float],
    shown: Tensor,
    strongest: tuple[int, ...],
    scale: str,
    rivals: list[Rival],
) -> Part:
    clean, saturated = learned["clean"], learned["tanh"]
    exact = closed["clean"]["own"]
    claims = [
        Claim(
            "the spectrum of the latent motions shows exactly the five frequencies",
            "essentially always",
            _words(clean[1].frequencies),
            clean[1].frequencies == TRUE,
            baseline=f"strongest Fourier modes: {_words(strongest)}",
            scale=scale,
            source=SOURCE,
            key="spectrum",
        ),
        Claim(
            "the next frame is predicted to a relative squared error of at most 1e-3",
            None,
            clean[0][0],
            clean[0][0] <= 1e-3,
            baseline=exact.error,
            scale=scale,
            note="baseline: the closed form from the same three frames; here it is enough, and much better",
            key="prediction",
        ),
        Claim(
            "the clean signals need no network: the closed form finds the frequencies and predicts to rounding",
            None,
            exact.error,
            exact.error < 1e-8 and exact.frequencies == TRUE,
            baseline=clean[0][0],
            scale="6000 sequences of three frames, each with its own angle",
            note=f"frequencies {_words(exact.frequencies)}; baseline: the learned transform",
            key="closed-form",
        ),
        Claim(
            "through the saturating sensor the spectrum still shows exactly the five",
            None,
            _words(saturated[1].frequencies),
            saturated[1].frequencies == TRUE,
            baseline=_words(closed["tanh"]["own"].frequencies) or "none",
            scale=scale,
            note="baseline: the closed form with the same information",
            key="saturating",
        ),
        Claim(
            "and its error is at most an eighth of that of the closed form with the same information",
            None,
            saturated[0][0],
            saturated[0][0] <= closed["tanh"]["own"].error / 8,
            baseline=closed["tanh"]["own"].error,
            scale=scale,
            note="1 is what predicting nothing has",
            key="saturating",
        ),
        Claim(
            "and less than that of least squares which is given 60 signals for each shift",
            None,
            saturated[0][0],
            saturated[0][0] < closed["tanh"]["shared"].error,
            baseline=closed["tanh"]["shared"].error,
            scale=f"{scale}; {closed['tanh']['shared'].how}",
            key="saturating",
        ),
        Claim(
            "the quadratic sensor is linear too, in enough directions: least squares predicts to rounding",
            None,
            closed["quadratic"]["shared"].error,
            closed["quadratic"]["shared"].error < 1e-6,
            scale=closed["quadratic"]["shared"].how,
            key="closed-form",
        ),
    ]
    table = Table(
        "One step ahead",
        ["sensor", "how", "relative squared error", "frequencies"],
        [[row.sensor, row.how, row.error, _words(row.frequencies) or "none"] for row in rows],
        caption=scale,
    )
    further = Table(
        "Further ahead, learned",
        ["sensor", "one step", "two steps", "three steps", "median |eigenvalue|", "median |M M' - 1|"],
        [[sensor, *errors, spectrum.decay, inverse[sensor]] for sensor, (errors, spectrum) in learned.items()],
    )
    counts = {f"latent, {sensor}": Line(list(range(len(s.multiplicities))), s.multiplicities) for sensor, (_, s) in learned.items()}
    lines = {**counts, "share of power, Fourier": Line(list(range(33)), shown[:33])}
    figure = lines_with_band(lines, title="What turns", x_label="frequency", y_label="multiplicity, or share of power")
    numbers: dict[str, Any] = {
        "learned": {s: {"errors": e, "frequencies": list(p.frequencies), "decay": p.decay} for s, (e, p) in learned.items()},
        "closed": {s: {k: {"error": r.error, "how": r.how} for k, r in found.items()} for s, found in closed.items()},
        "there_and_back": inverse,
        "strongest_modes": list(strongest),
    }
    answer = (
        f"Clean signals: learned {clean[0][0]:.2g}, closed form {exact.error:.2g}: the simple one is enough. "
        f"Saturated: learned {saturated[0][0]:.2g}, closed form {closed['tanh']['own'].error:.2g}."
    )
    section = Section("Warped signals", ABOUT, tables=[table, further], figures=[figure])
    return Part(claims, [section], numbers | {"simple": {r.name: r.rival for r in rivals}}, answer, rivals=rivals)


def _words(frequencies: tuple[int, ...]) -> str:
    return ", ".join(map(str, frequencies))
