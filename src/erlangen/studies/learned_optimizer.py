"""Optimizers that are learned: with a functional that knows the symmetry of weights, with one that does not, and plain momentum."""

from __future__ import annotations

import time
from dataclasses import dataclass

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
from erlangen.parameters.meta import MetaConfig, Task, evaluate, meta_train
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    KeyNumber,
    Line,
    Outcome,
    PlusMinus,
    Rival,
    Section,
    Table,
    lines_with_band,
)
from erlangen.studies.base import Study

SOURCE = "Zhou, Finn, Harrison 2024, arXiv:2402.05232"
FRESH = 20  # inner runs that judge
RATES, MOMENTA = (0.03, 0.1, 0.3, 1.0), (0.001, 0.9, 0.99)
#: Of Adam: learning rates, decays of the mean gradient; of its square.
ADAM_RATES, ADAM_MOMENTA, ADAM_SQUARES = (0.01, 0.03, 0.06, 0.1, 0.2), (0.0, 0.5, 0.9), 0.99
ADAM = "Adam, tuned"


@dataclass(frozen=True)
class Config:
    """Perceptrons 64-16-10 on the digits, trained for 50 steps; 100 steps of meta-training."""

    steps: int = 100
    """Outer steps of each learned optimizer."""
    horizon: int = 50
    """Inner steps of a run."""
    pairs: int = 6
    """Antithetic pairs of inner runs."""
    jobs: int = 2
    """Optimizers that are meta-trained at once."""
    full: bool = False
    """2000 outer steps, horizon 200 in pieces of 50, 32 hidden units, the source's inputs and its functional (hours)."""
    seed: int = 0
    """Seed of everything but the judging runs."""


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


def learn(job: tuple[str, Config, bool]) -> dict[str, object]:
    """Meta-train one optimizer; its losses on fresh runs and what it cost."""
    name, config, quiet = job
    started = time.process_time()
    task, spec = task_of(32 if config.full else 16)
    update = update_of(name, config, spec)
    horizon, piece, steps = (200, 50, 2000) if config.full else (config.horizon, config.horizon, config.steps)
    settings = MetaConfig(steps=steps, horizon=horizon, truncation=piece, pairs=config.pairs, seed=config.seed)
    history = meta_train(update, task, settings, description=f"meta-training, {name}", quiet=quiet)
    losses = evaluate(update, task, FRESH, horizon, config.seed + 1)
    return {
        "name": name,
        "weights": sum(p.numel() for p in update.network.parameters()),
        "history": history,
        "losses": losses,
        "seconds": time.process_time() - started,
        "symmetry": _symmetry(update, task, spec) if name == "UNF" else None,
    }


def tuned_momentum(config: Config) -> tuple[Tensor, float, float]:
    """The best of a grid of learning rates and momenta on the judging runs themselves: losses, rate, momentum."""
    task, spec = task_of(32 if config.full else 16)
    horizon = 200 if config.full else config.horizon
    best: tuple[Tensor, float, float] | None = None
    for lr in RATES:
        for momentum in MOMENTA:
            plain = LearnedUpdate(spec, _Nothing(), Inputs(decays=(), clock=1), lr=lr, momentum=momentum, strength=0.0)
            losses = evaluate(plain, task, FRESH, horizon, config.seed + 1)
            if best is None or float(losses.mean()) < float(best[0].mean()):
                best = (losses, lr, momentum)
    assert best is not None
    return best


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


def tuned_adam(config: Config) -> tuple[Tensor, str, float]:
    """Adam with the settings that are best on other runs: losses on the judging runs, settings, CPU seconds."""
    clock = time.process_time()
    task, _ = task_of(32 if config.full else 16)
    horizon = 200 if config.full else config.horizon
    settings = [(r, m, d) for r in ADAM_RATES for m in ADAM_MOMENTA for d in (False, True)]
    best = min(settings, key=lambda s: float(adam(task, s[0], s[1], s[2], horizon, config.seed + 2).mean()))
    rate, momentum, decay = best
    losses = adam(task, rate, momentum, decay, horizon, config.seed + 1)
    falls = ", falling to zero" if decay else ""
    told = f"rate {rate:g}{falls}, betas {momentum:g} and {ADAM_SQUARES:g}, chosen of {len(settings)} on other runs"
    return losses, told, time.process_time() - clock


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
    learned = {str(found["name"]): found for found in run_jobs(learn, jobs, jobs=config.jobs)}
    plain, lr, momentum = tuned_momentum(config)
    curves: dict[str, Tensor] = {name: found["losses"] for name, found in learned.items()}  # type: ignore[misc]
    curves["momentum"] = plain
    curves[ADAM], told, adam_seconds = tuned_adam(config)
    mean = {name: float(losses.mean()) for name, losses in curves.items()}
    error = float(learned["UNF"]["symmetry"])  # type: ignore[arg-type]
    scale = f"mean over the run's steps, {FRESH} fresh initial weights"
    claims = [
        Claim(
            "the optimizer with a UNF trains faster than the one with deep sets: at most 0.85 of its mean training loss",
            "lowest of all (a figure)",
            mean["UNF"],
            mean["UNF"] < 0.85 * mean["deep set"],
            baseline=mean["deep set"],
            scale=scale,
            source=f"{SOURCE}, figure 3",
            key="unf",
        ),
        Claim(
            "the one with deep sets trains faster than momentum, tuned: at most 0.8 of its mean training loss",
            "better (a figure)",
            mean["deep set"],
            mean["deep set"] < 0.8 * mean["momentum"],
            baseline=mean["momentum"],
            scale=scale,
            note=f"the best of {len(RATES) * len(MOMENTA)} settings on these very runs: lr {lr:g}, momentum {momentum:g}",
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
    steps = torch.arange(len(plain))
    inner = lines_with_band(
        {name: Line(steps, losses.mean(1), losses.quantile(0.1, 1), losses.quantile(0.9, 1)) for name, losses in curves.items()},
        title="Training with learned optimizers",
        x_label="inner step",
        y_label="training loss",
        log_y=True,
        caption=f"Means over {FRESH} fresh runs; bands hold the middle four fifths.",
    )
    outer = lines_with_band(
        {name: Line(range(len(found["history"])), found["history"]) for name, found in learned.items()},  # type: ignore[arg-type]
        title="Meta-training",
        x_label="outer step",
        y_label="mean training loss of a run",
        caption="Each point is the mean over the perturbed runs of that step.",
    )
    rows = [[n, found["weights"], mean[n], found["seconds"]] for n, found in learned.items()]
    rows.append(["momentum", 2, mean["momentum"], None])
    rows.append([ADAM, 3, mean[ADAM], adam_seconds])

    def spread(name: str) -> PlusMinus:
        """Over runs, the standard error of their mean."""
        runs = curves[name].mean(0)
        return PlusMinus(float(runs.mean()), float(runs.std() / len(runs) ** 0.5))

    rival = Rival(
        ADAM,
        "the learned UNF",
        "mean training loss of fresh runs",
        spread("UNF"),
        spread(ADAM),
        "lower",
        seconds=learned["UNF"]["seconds"],  # type: ignore[arg-type]
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
                tables=[Table("Fresh runs", ["optimizer", "weights", "mean training loss", "seconds of meta-training"], rows)],
                figures=[inner, outer],
            )
        ],
        seconds=time.perf_counter() - started,
        answer=f"On fresh runs the mean training loss is {mean['UNF']:.3f} with the learned UNF, {mean['deep set']:.3f} with learned deep "
        f"sets, {mean['momentum']:.3f} with the best momentum and {mean[ADAM]:.3f} with Adam.",
        rivals=[rival],
        key_numbers=[
            KeyNumber("mean loss, UNF", mean["UNF"], note=f"deep set: {mean['deep set']:.3f}"),
            KeyNumber("mean loss, momentum", mean["momentum"]),
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
