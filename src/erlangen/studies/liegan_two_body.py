"""LieGAN on two-body orbits: the rotation that acts on four planes alike, and what it is worth for forecasting."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.discover import LieGAN, evidence
from erlangen.discover.augerino import Augerino
from erlangen.discover.augment import Augmented
from erlangen.discover.samples import samples_of
from erlangen.fields.mechanics import kepler, three_body, two_body, two_body_forecast
from erlangen.fields.mechanics.orbits import TWO_BODY_STEP
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    KeyNumber,
    Matrix,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    format_value,
    repeated,
)
from erlangen.studies.base import ONLY_FULL, Study
from erlangen.studies.rivals import columns, ridges, simplest
from erlangen.training import TrainingConfig, train_members

SOURCE = "Yang, Walters, Dehmamy, Yu 2023, arXiv:2302.00236"


@dataclass(frozen=True)
class Config:
    """The source's run A, lighter: 4000 steps of LieGAN, 1500 steps of forecasting."""

    seeds: int = 3
    """Discoveries, each with forecasters of its own."""
    steps: int = 4000
    """Steps of LieGAN."""
    forecast_steps: int = 1500
    """Steps of each forecaster."""
    full: bool = False
    """Also search 4 x 4 blocks, and the three-body orbits."""
    seed: int = 0
    """First seed."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Discover, forecast, report."""
    started = time.perf_counter()
    with one_thread():
        return _run(config, quiet, started)


def _run(config: Config, quiet: bool, started: float) -> Outcome:
    data = two_body("train")
    assert data.y is not None
    truth = torch.kron(torch.eye(4), torch.tensor([[0.0, -1.0], [1.0, 0.0]])).double()
    mask = torch.kron(torch.eye(4), torch.ones(2, 2))
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(config.seed))
    held, kept = order[:3000], order[3000:]
    found, cosines, seconds = [], [], []
    for seed in range(config.seed, config.seed + config.seeds):
        clock = time.process_time()
        gan = LieGAN(8, 1, mask=mask, init="masked", batch_size=64, steps=config.steps, seed=seed, quiet=quiet)
        gan.fit_samples(samples_of(data.x[kept], data.y[kept]))
        seconds.append(time.process_time() - clock)
        found.append(gan)
        cosines.append(cosine(gan.algebra_.basis[0], truth))
    generators = [gan.algebra_.basis * (truth.norm() / gan.algebra_.basis.norm()) for gan in found]
    learned = generators[cosines.index(sorted(cosines)[len(cosines) // 2])]
    verdicts = [evidence(L, samples_of(data.x[held], data.y[held]), mask, config.seed) for L in generators]
    clock = time.process_time()
    forecasts = forecast_table([L[0] for L in generators], truth, mask, config, quiet)
    training = (time.process_time() - clock) / (len(forecasts) * config.seeds)
    errors = {name: values for name, (values, _) in forecasts.items()}
    mse = {name: statistics.fmean(values) for name, values in errors.items()}
    told = {name: repeated(values) for name, values in errors.items()}
    augerino = repeated(forecasts["Augerino+"][1])
    worst = max(a / b for a, b in zip(errors["LieGAN"], errors["truth"]))
    every = f"{config.seeds} seeds"
    claims = [
        Claim(
            "LieGAN finds the common rotation: |cos| with the truth at least 0.99 on average",
            0.9998,
            repeated(cosines),
            statistics.fmean(cosines) >= 0.99,
            baseline=augerino,
            scale=f"{every}, {config.steps} steps",
            note="baseline: Augerino+ in this run (the source's has 0.674)",
            source=f"{SOURCE}, released matrices",
            key="rotation",
        ),
        Claim(
            "the forecast error with the learned algebra is at most a thirtieth of that without a symmetry, in every seed",
            None,
            told["LieGAN"],
            all(a <= b / 30 for a, b in zip(errors["LieGAN"], errors["none"])),
            baseline=told["none"],
            scale=f"{every}, 5 -> 5 states, {config.forecast_steps} steps, unseen half-plane",
            note="mean square error",
            key="forecast",
        ),
        Claim(
            "it is at most 20 times that with the true algebra, in every seed",
            None,
            told["LieGAN"],
            worst <= 20,
            baseline=told["truth"],
            scale="the same",
            note=f"at most {worst:.1f} times",
            key="forecast",
        ),
        Claim(
            "Augerino+ helps less than LieGAN, in every seed",
            None,
            told["LieGAN"],
            all(a < b for a, b in zip(errors["LieGAN"], errors["Augerino+"])),
            baseline=told["Augerino+"],
            scale="the same",
            key="augerino",
        ),
        Claim(
            "held-out orbits moved by what was learned look like unmoved ones, in every seed",
            None,
            repeated([verdict["auc"] for verdict in verdicts]),
            all(verdicts),
            baseline=repeated([verdict["auc_random"] for verdict in verdicts]),
            scale=f"{every}, {verdicts[0].tried // 2} held-out pairs",
            note=f"AUC of a judge; baseline: random moves. {next((v.reason for v in verdicts if not v), verdicts[0].reason)}",
            key="moved-orbits",
        ),
    ]
    clock = time.process_time()
    solved, settings = null_space(data.x[kept], data.y[kept], config.seed)
    null_seconds = time.process_time() - clock
    rivals = [
        Rival(
            "the null space of a fitted polynomial", "LieGAN", "|cos| with the true rotation", repeated(cosines),
            cosine(solved, truth), "higher", statistics.fmean(seconds), null_seconds, settings, f"{config.seeds} seeds",
            note="orbits are a smooth function without noise",
        ),
        *forecast_rivals(told["LieGAN"], training + statistics.fmean(seconds), config),
    ]  # fmt: skip
    extra = _full(config, quiet) if config.full else []
    names = list(mse)
    figure = bars_with_error(
        names,
        {"test MSE": [-torch.tensor(mse[name]).log10().item() for name in names]},
        title="Forecasts on the unseen half-plane",
        y_label="-log10 of the mean square error",
        caption=f"Higher is better: each unit is a factor of ten. Means of {config.seeds} runs, the same network, steps and batches.",
    )
    rows = [[name, told[name], repeated(cos) if cos else None] for name, (_, cos) in forecasts.items()]
    return Outcome(
        name="liegan-two-body",
        title="LieGAN on two-body orbits",
        config=config,
        claims=Claims(claims + extra),
        left_out={} if config.full else {"full-search": ONLY_FULL},
        metrics={
            "cosines": cosines,
            "norms": [float(g.norms_[0]) for g in found],
            "seconds": seconds,
            "forecast": errors,
            "verdicts": [verdict.as_dict() for verdict in verdicts],
        },
        sections=[
            Section(
                "The generator",
                [
                    "States (q1, p1, q2, p2) of two unit masses, 2 x 2 blocks, one channel. The data span four of eight dimensions, so "
                    "maps that vanish on the span could be added to it; the blocks exclude them. Its scale and sign mean nothing."
                ],
                matrices=[Matrix("L", learned[0], row_labels=data.names, column_labels=data.names, decimals=3)],
            ),
            Section(
                "Forecasts",
                tables=[Table("5 -> 5 states", ["algebra", "test MSE", "|cos| with the truth"], rows)],
                figures=[figure],
            ),
        ],
        seconds=time.perf_counter() - started,
        answer=f"LieGAN finds the rotation with |cos| {format_value(repeated(cosines))} ({every}); with it the forecast "
        f"error on unseen orbits is {mse['LieGAN']:.2g}, without a symmetry {mse['none']:.2g}.",
        key_numbers=[
            KeyNumber("|cos| with the truth", repeated(cosines)),
            KeyNumber("test MSE, LieGAN", told["LieGAN"], note=f"none: {mse['none']:.2g}"),
            KeyNumber("seconds per discovery", statistics.median(seconds)),
        ],
        rivals=rivals,
    )


def null_space(x: Tensor, y: Tensor, seed: int, points: int = 1000, step: float = 1e-4) -> tuple[Tensor, str]:
    """What needs no adversary: fit a polynomial ``F``, solve ``DF(x) L x = L F(x)`` for block-diagonal ``L``; and the settings.

    The least singular vector of the equations at some of the data, derivatives by central differences.
    """
    found = simplest(ridges(degrees=(1, 2, 3), alphas=(1e-9, 1e-6, 1e-3)), x, y.flatten(1), seed=seed)
    at = columns(x)[np.random.default_rng(seed).permutation(len(x))[:points]]
    f, images = found.model.predict, found.model.predict(at)
    units = np.zeros((16, 8, 8))
    k = np.arange(16)
    units[k, 2 * (k // 4) + k % 4 // 2, 2 * (k // 4) + k % 2] = 1
    equations = [
        ((f(at + step * at @ unit.T) - f(at - step * at @ unit.T)) / (2 * step) - images @ unit.T).ravel() for unit in units
    ]
    least = np.linalg.svd(np.stack(equations, 1), full_matrices=False)[2][-1]
    return torch.from_numpy(np.einsum("k,kij->ij", least, units)), found.settings


def forecast_rivals(measured: Any, seconds: float, config: Config) -> list[Rival]:
    """Linear regression on the five states, and Kepler's law from the last one, beside the augmented network."""
    data, test = two_body_forecast("train"), two_body_forecast("test")
    assert data.y is not None
    assert test.y is not None
    found = simplest(ridges(alphas=(1e-9, 1e-6, 1e-3)), data.x, data.y.flatten(1), seed=config.seed)
    linear = float((found.predict(test.x) - test.y.flatten(1)).square().mean())
    clock = time.process_time()
    last, times = test.x[:, -1], TWO_BODY_STEP * torch.arange(1, 6, dtype=torch.float64)
    q, p = kepler(last[:, :2], last[:, 2:4], times, mu=0.25)
    law = float((torch.cat([q, p, -q, -p], -1) - test.y).square().mean())
    law_seconds = time.process_time() - clock
    method, quantity, scale = "the network augmented by LieGAN's rotation", "MSE on the unseen half-plane", f"{len(data.x)} windows"
    return [
        Rival("linear regression on the five states", method, quantity, measured, linear, "lower", seconds, found.seconds,
              found.settings, scale),
        Rival("Kepler's law", method, quantity, measured, law, "lower", seconds, law_seconds, "from the last state", scale,
              note="a user who knows the law needs no data"),
    ]  # fmt: skip


def cosine(a: Tensor, b: Tensor) -> float:
    """``|<a, b>| / |a| |b|``."""
    return float((a * b).sum().abs() / (a.norm() * b.norm()))


class Paid(nn.Module):
    """Augerino with its penalty beside its output, so that a loss sees both when members are trained at once."""

    def __init__(self, model: Augerino) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.model(x), self.model.penalty()


def forecast_table(
    learned: list[Tensor], truth: Tensor, mask: Tensor, config: Config, quiet: bool
) -> dict[str, tuple[list[float], list[float]]]:
    """Test errors of forecasters trained without, with the true, each seed's own learned and Augerino's algebra; cosines with the truth."""
    data, test = two_body_forecast("train"), two_body_forecast("test")
    assert data.y is not None
    assert test.y is not None
    x, y, x_test, y_test = (t.float() for t in (data.x, data.y, test.x, test.y))
    settings = TrainingConfig(steps=config.forecast_steps, batch_size=512, weight_decay=0.0)
    seeds = range(config.seed, config.seed + config.seeds)
    algebras = {"truth": [truth] * len(seeds), "LieGAN": learned}

    def loss(net: nn.Module, a: Tensor, b: Tensor) -> Tensor:
        found = net(a)
        told, penalty = found if isinstance(found, tuple) else (found, 0.0)
        return (told - b).square().mean() + 1e-2 * penalty

    table: dict[str, tuple[list[float], list[float]]] = {}
    for name in ("none", "truth", "LieGAN", "Augerino+"):

        def make(seed: int, name: str = name) -> nn.Module:
            model = forecaster()
            if name in algebras:
                return Augmented(model, algebras[name][seed - config.seed].float()[None])
            return Paid(Augerino(model, 8, mask=mask)) if name == "Augerino+" else model

        nets, _ = train_members(make, seeds, (x, y), loss, settings, description=f"forecast, {name}", quiet=quiet)
        nets = [net.model if isinstance(net, Paid) else net for net in nets]
        with torch.no_grad():
            errors = [float((net(x_test) - y_test).square().mean()) for net in nets]
        own = [net.algebra().basis[0] for net in nets] if name == "Augerino+" else algebras.get(name, [])  # type: ignore[operator,union-attr]
        table[name] = (errors, [cosine(L.double(), truth) for L in own])
    return table


def forecaster() -> nn.Module:
    """The source's perceptron, 40-64-64-64-40."""
    hidden = [layer for _ in range(2) for layer in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), nn.Linear(40, 64), nn.ReLU(), *hidden, nn.Linear(64, 40), nn.Unflatten(1, (5, 8)))


def _full(config: Config, quiet: bool) -> list[Claim]:
    """The 4 x 4 search, compared on the span, and three bodies."""
    data, claims = two_body("train"), []
    assert data.y is not None
    rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double()
    # Positions and momenta may mix: 4 x 4 blocks between the two bodies' positions and between their momenta.
    mixing = torch.kron(torch.ones(2, 2), torch.kron(torch.eye(2), torch.ones(2, 2)))
    gan = LieGAN(
        8, 1, mask=mixing, init="masked", batch_size=64, steps=3 * config.steps, lam=10.0, scale=3.0, seed=config.seed, quiet=quiet
    )
    gan.fit_samples(samples_of(data.x, data.y))
    span = torch.linalg.svd(data.x[:, 0].double(), full_matrices=False)[2][:4].mT
    on_span = span.mT @ gan.algebra_.basis[0] @ span
    truth = span.mT @ torch.kron(torch.eye(4).double(), rotation) @ span
    claims.append(
        Claim(
            "searching 4 x 4 blocks, the generator is the rotation on the data's span",
            None,
            cosine(on_span, truth),
            cosine(on_span, truth) >= 0.95,
            scale=f"{3 * config.steps} steps",
            note="|cos| on the span",
            key="full-search",
        )
    )
    bodies = three_body("train")
    assert bodies.y is not None
    mask = torch.kron(torch.eye(6), torch.ones(2, 2))
    gan = LieGAN(12, 1, mask=mask, init="masked", batch_size=64, steps=2 * config.steps, seed=config.seed, quiet=quiet)
    gan.fit_samples(samples_of(bodies.x, bodies.y))
    value = cosine(gan.algebra_.basis[0], torch.kron(torch.eye(6).double(), rotation))
    claims.append(
        Claim(
            "three bodies turn alike, too",
            None,
            value,
            value >= 0.95,
            scale=f"{2 * config.steps} steps",
            note="|cos|",
            key="full-search",
        )
    )
    return claims


STUDY = Study(
    name="liegan-two-body",
    system=21,
    title="LieGAN on two-body orbits: one rotation in four planes, and forecasts with it",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "rotation": "the learned generator is the common rotation, |cos| >= 0.99",
        "forecast": "forecasts on the unseen half-plane improve at least 30-fold and come within 20 times of the true algebra's",
        "augerino": "Augerino+ helps less",
        "moved-orbits": "held-out orbits look the same after the learned moves",
        "full-search": "with --full: a search without a mask finds the rotation, of two bodies and of three",
    },
)
