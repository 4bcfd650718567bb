"""Optimizers that are learned: with a functional that knows the symmetry of weights, with one that does not, and plain momentum."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.functional import cross_entropy

from erlangen.datasets.digits import digits
from erlangen.equivariance import equivariance_error
from erlangen.parallel import one_thread, run_jobs
from erlangen.parameters import UNF, DeepSet, LearnedUpdate, UNFLinear, WeightSpec
from erlangen.parameters.deepset import DeepSetLayer
from erlangen.parameters.learned_optimizer import Inputs
from erlangen.parameters.meta import MetaConfig, Task, evaluate, meta_train_all
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    KeyNumber,
    Line,
    Outcome,
    Rival,
    Section,
    Table,
    lines_with_band,
    repeated,
    seeds_said,
)
from erlangen.studies.base import Study

SOURCE = "Zhou, Finn, Harrison 2024, arXiv:2402.05232"
FRESH = 20  # inner runs that judge, of each seed
#: Seeds of the runs that judge, and of those that choose Adam's settings: apart from those that optimizers were trained on.
JUDGED, TRIED = 1000, 2000
RATES, MOMENTA = (0.03, 0.1, 0.3, 1.0), (0.001, 0.9, 0.99)
#: Of Adam: learning rates, decays of the mean gradient; of its square.
ADAM_RATES, ADAM_MOMENTA, ADAM_SQUARES = (0.01, 0.03, 0.06, 0.1, 0.2), (0.0, 0.5, 0.9), 0.99
ADAM = "Adam, tuned"


@dataclass(frozen=True)
class Config:
    """Perceptrons 64-16-10 on the digits, trained for 50 steps; 60 steps of meta-training, three seeds at once."""

    steps: int = 60
    """Outer steps of each learned optimizer."""
    horizon: int = 50
    """Inner steps of a run."""
    pairs: int = 6
    """Antithetic pairs of inner runs."""
    jobs: int = 2
    """Optimizers that are meta-trained at once."""
    full: bool = False
    """2000 outer steps, horizon 200 in pieces of 50, 32 hidden units, the source's inputs and its functional (hours)."""
    seeds: int = 3
    """Meta-trainings of each optimizer, each judged on runs of its own."""
    seed: int = 0
    """First seed."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Meta-train both, tune momentum, compare on fresh initial weights."""
    started = time.perf_counter()
    with one_thread():
        return _run(config, quiet, started)


def task_of(hidden: int) -> tuple[Task, WeightSpec]:
    """A perceptron on the digits in batches of 32, initial weights normal over the root of the inputs, and its specification."""
    x, y = digits()
    shapes = {"w1": (hidden, 64), "b1": (hidden,), "w2": (10, hidden), "b2": (10,)}
    spec = WeightSpec(shapes, {"w1": ("hidden", "in"), "b1": ("hidden",), "w2": ("out", "hidden"), "b2": ("out",)})

    def init(runs: int, generator: torch.Generator) -> dict[str, Tensor]:
        draw = {n: torch.randn(runs, *s, generator=generator) for n, s in shapes.items()}
        return {n: w / shapes[n][-1] ** 0.5 if len(shapes[n]) > 1 else torch.zeros_like(w) for n, w in draw.items()}

    def batch(runs: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        index = torch.randint(len(x), (runs, 32), generator=generator)
        return x[index], y[index]

    def loss(params: dict[str, Tensor], pixels: Tensor, labels: Tensor) -> Tensor:
        units = torch.relu(pixels @ params["w1"].T + params["b1"])
        return cross_entropy(units @ params["w2"].T + params["b2"], labels)

    return Task(init, batch, loss), spec


class Between(nn.Module):
    """ReLU on every tensor of a dict."""

    def forward(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: w.relu() for name, w in params.items()}


def update_of(name: str, config: Config, spec: WeightSpec) -> LearnedUpdate:
    """A learned optimizer before meta-training: ``"UNF"`` or ``"deep set"``."""
    torch.manual_seed(config.seed)
    if config.full:
        inputs = Inputs(normalized=True)
        layers: list[nn.Module] = []
        for width in (inputs.channels, 32, 32):
            layers += [DeepSetLayer(spec, width, 32, shared=True, form="difference"), Between()]
        last: nn.Module = DeepSetLayer(spec, 32, 1, shared=True, form="difference")
        network: nn.Module = nn.Sequential(*layers, UNFLinear(spec, 32, 1, bias="constant") if name == "UNF" else last)
    else:
        inputs = Inputs(decays=(0.5, 0.9, 0.99), clock=1, horizon=config.horizon, normalized=True)
        if name == "UNF":
            network = UNF(spec, inputs.channels, 1, width=8, layers=2, bias="constant")
        else:
            network = DeepSet(spec, inputs.channels, 1, width=16, layers=2)
    return LearnedUpdate(spec, network, inputs, lr=0.1, momentum=0.9, strength=0.1)


def learn(job: tuple[str, Config, bool]) -> dict[str, Any]:
    """Meta-train one optimizer with all seeds; its losses on fresh runs of each and what one seed cost."""
    name, config, quiet = job
    started = time.process_time()
    task, spec = task_of(32 if config.full else 16)
    seeds = [config.seed + k for k in range(config.seeds)]
    updates = [update_of(name, replace(config, seed=seed), spec) for seed in seeds]
    horizon, piece, steps = (200, 50, 2000) if config.full else (config.horizon, config.horizon, config.steps)
    settings = MetaConfig(
        steps=steps, horizon=horizon, truncation=piece, pairs=config.pairs, lr=0.01 if config.full else 0.02, seed=config.seed
    )
    history = meta_train_all(updates, task, settings, description=f"meta-training, {name}", quiet=quiet)
    losses = [evaluate(update, task, FRESH, horizon, JUDGED + seed) for update, seed in zip(updates, seeds)]
    return {
        "name": name,
        "weights": sum(p.numel() for p in updates[0].network.parameters()),
        "history": history,
        "losses": losses,
        "seconds": (time.process_time() - started) / len(seeds),
        "symmetry": _symmetry(updates[0], task, spec) if name == "UNF" else None,
    }


def tuned_momentum(config: Config) -> tuple[list[Tensor], float, float]:
    """The best of a grid of learning rates and momenta on the first seed's judging runs: losses of every seed, rate, momentum."""
    task, spec = task_of(32 if config.full else 16)
    horizon = 200 if config.full else config.horizon

    def losses(lr: float, momentum: float, seed: int) -> Tensor:
        plain = LearnedUpdate(spec, _Nothing(), Inputs(decays=(), clock=1), lr=lr, momentum=momentum, strength=0.0)
        return evaluate(plain, task, FRESH, horizon, JUDGED + seed)

    lr, momentum = min(((a, b) for a in RATES for b in MOMENTA), key=lambda s: float(losses(s[0], s[1], config.seed).mean()))
    return [losses(lr, momentum, config.seed + k) for k in range(config.seeds)], lr, momentum


def adam(task: Task, rate: float, momentum: float, decay: bool, horizon: int, seed: int) -> Tensor:
    """The training losses of fresh runs by Adam, ``[horizon, runs]``; with ``decay`` its rate falls to zero as a line."""
    generator = torch.Generator().manual_seed(seed)
    weights = {n: w.clone().requires_grad_() for n, w in task.init(FRESH, generator).items()}
    optimizer = torch.optim.Adam(weights.values(), rate, (momentum, ADAM_SQUARES))
    found = []
    for step in range(horizon):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / horizon if decay else 1.0)
        losses = vmap(task.loss)(weights, *task.batch(FRESH, generator))
        optimizer.zero_grad()
        losses.sum().backward()  # runs do not meet: each gets its own gradient
        optimizer.step()
        found.append(losses.detach())
    return torch.stack(found)


def tuned_adam(config: Config) -> tuple[list[Tensor], str, float]:
    """Adam with the settings that are best on other runs: losses on every seed's judging runs, settings, CPU seconds."""
    clock = time.process_time()
    task, _ = task_of(32 if config.full else 16)
    horizon = 200 if config.full else config.horizon
    settings = [(r, m, d) for r in ADAM_RATES for m in ADAM_MOMENTA for d in (False, True)]
    best = min(settings, key=lambda s: float(adam(task, s[0], s[1], s[2], horizon, TRIED + config.seed).mean()))
    rate, momentum, decay = best
    losses = [adam(task, rate, momentum, decay, horizon, JUDGED + config.seed + k) for k in range(config.seeds)]
    falls = ", falling to zero" if decay else ""
    told = f"rate {rate:g}{falls}, betas {momentum:g} and {ADAM_SQUARES:g}, chosen of {len(settings)} on other runs"
    return losses, told, time.process_time() - clock


def _line(history: list[list[float]]) -> Line:
    steps = range(len(history[0]))
    return Line.of_runs(steps, history) if len(history) > 1 else Line(steps, history[0])


class _Nothing(nn.Module):
    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return features


def _symmetry(update: LearnedUpdate, task: Task, spec: WeightSpec) -> float:
    """One learned step of permuted weights against the permuted step, in double precision."""
    update = update.double()
    params = {n: w.double() for n, w in task.init(8, torch.Generator().manual_seed(0)).items()}

    def step(p: dict[str, Tensor]) -> dict[str, Tensor]:
        return update(p, {n: w.sin() for n, w in p.items()}, update.start(p))[0]

    generator = torch.Generator().manual_seed(0)
    return equivariance_error(step, params, spec.action, spec.action, elements=8, generator=generator)["worst"]


def _run(config: Config, quiet: bool, started: float) -> Outcome:
    jobs = [(name, config, quiet or config.jobs > 1) for name in ("UNF", "deep set")]
    learned = {found["name"]: found for found in run_jobs(learn, jobs, jobs=config.jobs)}
    plain, lr, momentum = tuned_momentum(config)
    of_seeds: dict[str, list[Tensor]] = {name: found["losses"] for name, found in learned.items()}
    of_seeds["momentum"] = plain
    of_seeds[ADAM], told, adam_seconds = tuned_adam(config)
    every = {name: [float(losses.mean()) for losses in runs] for name, runs in of_seeds.items()}
    mean = {name: fmean(values) for name, values in every.items()}
    curves = {name: torch.cat(runs, 1) for name, runs in of_seeds.items()}
    error = float(learned["UNF"]["symmetry"])
    seeds = seeds_said(config.seeds)
    scale = f"mean over the run's steps, {FRESH} fresh initial weights, {seeds}"

    def worst(name: str, other: str) -> float:
        return max(a / b for a, b in zip(every[name], every[other]))

    claims = [
        Claim(
            "the optimizer with a UNF trains faster than the one with deep sets: at most 0.85 of its mean training loss",
            "lowest of all (a figure)",
            repeated(every["UNF"]),
            mean["UNF"] < 0.85 * mean["deep set"] and worst("UNF", "deep set") < 1,
            baseline=repeated(every["deep set"]),
            scale=scale,
            note=f"by mean, and faster in every seed (largest ratio {worst('UNF', 'deep set'):.2f})",
            source=f"{SOURCE}, figure 3",
            key="unf",
        ),
        Claim(
            "the one with deep sets trains faster than momentum, tuned: at most 0.8 of its mean training loss",
            "better (a figure)",
            repeated(every["deep set"]),
            worst("deep set", "momentum") < 0.8,
            baseline=repeated(every["momentum"]),
            scale=scale,
            note=f"in every seed; the largest ratio {worst('deep set', 'momentum'):.2f}; momentum: the best of "
            f"{len(RATES) * len(MOMENTA)} settings on the first seed's very runs: lr {lr:g}, momentum {momentum:g}",
            source=f"{SOURCE}, figure 3",
            key="deep-sets",
        ),
        Claim(
            "a learned step commutes with permutations of hidden units, inputs and outputs",
            None,
            error,
            error <= 1e-10,
            scale="8 random permutations, in double precision",
            note="largest relative error",
            key="permutations",
        ),
    ]
    steps = torch.arange(len(curves["momentum"]))
    inner = lines_with_band(
        {name: Line(steps, losses.mean(1), losses.quantile(0.1, 1), losses.quantile(0.9, 1)) for name, losses in curves.items()},
        title="Training with learned optimizers",
        x_label="inner step",
        y_label="training loss",
        log_y=True,
        caption=f"Means over {curves['UNF'].shape[1]} fresh runs; bands hold the middle four fifths.",
    )
    outer = lines_with_band(
        {name: _line(found["history"]) for name, found in learned.items()},
        title="Meta-training",
        x_label="outer step",
        y_label="mean training loss of a run",
        caption="Means over the perturbed runs of a step; bands: one standard deviation over seeds.",
    )
    rows: list[list[Any]] = [[n, found["weights"], repeated(every[n]), found["seconds"]] for n, found in learned.items()]
    rows.append(["momentum", 2, repeated(every["momentum"]), None])
    rows.append([ADAM, 3, repeated(every[ADAM]), adam_seconds])

    rival = Rival(
        ADAM,
        "the learned UNF",
        "mean training loss of fresh runs",
        repeated(every["UNF"]),
        repeated(every[ADAM]),
        "lower",
        seconds=learned["UNF"]["seconds"],
        rival_seconds=adam_seconds,
        settings=told,
        scale=scale,
        note="ours was trained on runs of this very kind; other tasks and longer runs are not asked about",
    )
    return Outcome(
        name="learned-optimizer",
        title="Optimizers that are learned",
        config=config,
        claims=Claims(claims),
        metrics={
            "loss": mean,
            "losses": every,
            "final_loss": {name: float(losses[-1].mean()) for name, losses in curves.items()},
            "momentum": {"lr": lr, "momentum": momentum},
            "seconds": {name: found["seconds"] for name, found in learned.items()},
            "weights": {name: found["weights"] for name, found in learned.items()},
            "symmetry_error": error,
        },
        sections=[
            Section(
                "Comparison",
                [
                    "Each optimizer is momentum plus a functional of weights, gradients and averages of gradients, meta-trained by "
                    "evolution strategies on the mean training loss of whole runs. The functional is universal (UNF) or treats each "
                    "tensor as a bag of numbers (deep set)."
                ],
                tables=[Table("Fresh runs", ["optimizer", "weights", "mean training loss", "seconds of one meta-training"], rows)],
                figures=[inner, outer],
            )
        ],
        seconds=time.perf_counter() - started,
        answer=f"On fresh runs the mean training loss is {mean['UNF']:.3f} with the learned UNF, {mean['deep set']:.3f} with learned deep "
        f"sets, {mean['momentum']:.3f} with the best momentum and {mean[ADAM]:.3f} with Adam.",
        rivals=[rival],
        key_numbers=[
            KeyNumber("mean loss, UNF", repeated(every["UNF"]), note=f"deep set: {mean['deep set']:.3f}"),
            KeyNumber("mean loss, momentum", repeated(every["momentum"])),
            KeyNumber("seconds of meta-training, UNF", learned["UNF"]["seconds"]),
        ],
    )


STUDY = Study(
    name="learned-optimizer",
    system=20,
    title="Universal neural functionals: optimizers that are learned",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "unf": "the optimizer with a UNF trains faster than the one with deep sets",
        "deep-sets": "the one with deep sets trains faster than tuned momentum",
        "permutations": "a learned step commutes with permutations of hidden units",
    },
)
