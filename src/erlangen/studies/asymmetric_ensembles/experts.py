"""Mixtures of experts and of interpolated experts on a table, plain and with masks, with both gates."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from erlangen.datasets import table
from erlangen.errors import ArgumentError
from erlangen.parallel import run_jobs
from erlangen.parameters import DeepEnsemble, MoE, MoIE
from erlangen.reporting import Claim, PlusMinus, Rival, Section, Table, bars_with_error, plain
from erlangen.studies.asymmetric_ensembles.arms import Arm, learn, network, row_errors, score
from erlangen.studies.asymmetric_ensembles.study import SOURCE, Config
from erlangen.studies.base import Part

TABLE: Literal["mlc_churn"] = "mlc_churn"
#: Names as the source has them: experts, or interpolated experts, without and with masks.
FAMILIES = ("MLP", "W-MLP", "I-MLP", "IW-MLP")
GATES: tuple[Literal["softmax", "gumbel"], ...] = ("softmax", "gumbel")
#: At most, of a mixture.
EPOCHS = 45
SINGLE = "one MLP"


@dataclass(frozen=True)
class Mixture:
    """A mixture to train; without experts a single network."""

    family: str
    experts: int
    gate: Literal["softmax", "gumbel"]
    config: Config


@dataclass(frozen=True)
class Trained:
    """Accuracies of all trainings, the mean error of each test row over them, and how the gate uses its experts: entropy relative to an
    even use, the largest mean share; and CPU seconds of one training."""

    accuracies: list[float]
    rows: np.ndarray
    entropy: float
    load: float
    seconds: float = math.nan

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def error(self) -> float:
        """Standard error over trainings."""
        return float(np.std(self.accuracies, ddof=1) / len(self.accuracies) ** 0.5) if len(self.accuracies) > 1 else math.nan

    def ahead_of(self, other: Trained) -> tuple[float, float]:
        """By how much it is more accurate, and the standard error: of trainings and, for both see the same rows, of these rows."""
        rows = float((self.rows - other.rows).std() / len(self.rows) ** 0.5)
        return self.mean - other.mean, math.hypot(self.error, other.error, rows)


def train_mixture(job: Mixture) -> Trained:
    """Train it once for each seed, with the source's recipe, and keep the last weights."""
    config, data = job.config, table(TABLE, job.config.seed)
    clock = time.process_time()
    inp = data.train[0].shape[1]
    ensemble = DeepEnsemble(
        partial(_module, job, inp, data.outputs),
        config.seeds,
        epochs=1000 if config.full else min(EPOCHS, config.epochs),
        restore_best=False,
        seed=config.seed,
    ).fit(*data.train, validation=data.validation)
    seconds = (time.process_time() - clock) / config.seeds
    x, y = data.test
    errors = row_errors(ensemble.outputs(x), y, data)
    found = [score(own, data.task) for own in errors]
    if job.family == SINGLE:
        return Trained(found, errors.mean(0), math.nan, math.nan, seconds)
    with torch.no_grad():
        alpha = torch.stack([member.alpha(x) for member in ensemble.members if isinstance(member, (MoE, MoIE))])
    entropy = -(alpha * alpha.clamp_min(1e-12).log()).sum(-1).mean() / math.log(job.experts)
    return Trained(found, errors.mean(0), float(entropy), float(alpha.mean(1).max()), seconds)


def _module(job: Mixture, inp: int, out: int) -> nn.Module:
    """The mixture, or the single network, untrained."""
    config = job.config
    if job.family == SINGLE:
        return network(inp, config.width, out)
    make = MoIE if job.family.startswith("I") else MoE
    kind: Literal["w"] | None = "w" if "W" in job.family else None
    return make(inp, out, job.experts, config.width, kind=kind, gate=job.gate, preset="paper", seed=config.seed)


def run(config: Config, quiet: bool) -> Part:
    """Train every mixture."""
    if config.seeds < 2:
        raise ArgumentError("seeds", "at least 2 trainings, for standard errors", repr(config.seeds))
    if not config.experts:
        raise ArgumentError("experts", "at least one number of experts", "none")
    jobs = [Mixture(SINGLE, 0, "softmax", config)]
    jobs += [Mixture(family, k, gate, config) for gate, k, family in itertools.product(GATES, config.experts, FAMILIES)]
    results = run_jobs(train_mixture, jobs, jobs=config.jobs, description="" if quiet else "mixtures of experts")
    single = results[0]
    found = {(job.gate, job.experts, job.family): result for job, result in zip(jobs[1:], results[1:])}
    trees = learn(Arm(TABLE, None, config.width, config))
    boosted = score(trees["errors"], "classification")
    best = max(found, key=lambda key: found[key].mean)
    rival = Rival(
        f"boosted trees on {TABLE}",
        f"the best of {len(found)} mixtures ({' '.join(map(str, best))})",
        "test accuracy",
        PlusMinus(found[best].mean, found[best].error),
        boosted,
        "higher",
        seconds=found[best].seconds,
        rival_seconds=trees["seconds"],
        settings=f"{trees['trees']} trees, their number chosen on the validation rows",
        scale=f"{len(trees['errors'])} test rows, {config.seeds} trainings of the mixture",
        note="chosen on the test rows, which favours ours",
    )
    rows: list[list[Any]] = [["", "", SINGLE, PlusMinus(single.mean, single.error), "", ""]]
    rows += [[*key, PlusMinus(t.mean, t.error), t.entropy, t.load] for key, t in found.items()]
    rows.append(["", "", "boosted trees", boosted, "", ""])
    caption = (
        f"Accuracy on {len(single.rows)} test rows, mean ± standard error of {config.seeds} trainings. Entropy of the gate relative "
        "to that of an even use of all experts; the largest share that one expert has on average."
    )
    columns = ["gate", "experts", "family", "accuracy", "entropy", "largest share"]
    groups = [f"{gate}, K = {k}" for gate, k in itertools.product(GATES, config.experts)]
    keys = list(itertools.product(GATES, config.experts))
    figure = bars_with_error(
        groups,
        {family: [found[(*key, family)].mean for key in keys] for family in FAMILIES},
        {family: [found[(*key, family)].error for key in keys] for family in FAMILIES},
        title="Mixtures of experts on mlc_churn",
        y_label="accuracy",
        floor=0.8,
        caption=f"± a standard error over {config.seeds} trainings.",
    )
    text = f"MLP and W-MLP mix the outputs of experts, I-MLP and IW-MLP their weights; W: with a mask, the same in all. Layers: {SOURCE}."
    spread = max(t.mean for t in [single, *found.values()]) - min(t.mean for t in [single, *found.values()])
    answer = f"All mixtures are within {100 * spread:.1f} points of each other and of a single network with {single.mean:.3f}."
    numbers = {
        " ".join(map(str, key)): {"accuracies": t.accuracies, "entropy": t.entropy, "load": t.load} for key, t in found.items()
    } | {
        SINGLE: {"accuracies": single.accuracies},
        "boosted": boosted,
    }
    section = Section("Mixtures of experts", [text], [Table("Mixtures", columns, rows, caption)], [figure])
    return Part(_claims(found, single, spread, config), [section], plain(numbers), answer, rivals=[rival])


def _claims(
    found: dict[tuple[Literal["softmax", "gumbel"], int, str], Trained], single: Trained, spread: float, config: Config
) -> list[Claim]:
    scale = f"{TABLE}, {config.seeds} trainings each, K = {', '.join(map(str, config.experts))}, one division"
    masks: dict[tuple[str, int, str], tuple[float, float]] = {}
    for gate, k in itertools.product(GATES, config.experts):
        for unmasked, masked in (("MLP", "W-MLP"), ("I-MLP", "IW-MLP")):
            masks[gate, k, masked] = found[gate, k, masked].ahead_of(found[gate, k, unmasked])
    beyond = sum(d > 2 * e for d, e in masks.values())
    gumbel = {k: found["gumbel", k, "MLP"].ahead_of(found["softmax", k, "MLP"]) for k in config.experts}
    farthest = max(masks, key=lambda key: masks[key][0] / masks[key][1] if masks[key][1] > 0 else 0.0)
    lead, error = masks[farthest]
    note = f"farthest ahead: {' '.join(map(str, farthest))} {lead:+.3f} ± {error:.3f}, of trainings and test rows"
    shown = ", ".join(f"K = {k}: {d:+.3f} ± {e:.3f}" for k, (d, e) in gumbel.items())
    clear = sum(d > 2 * e for d, e in gumbel.values())
    return [
        Claim(
            "the largest difference between any two, the single network among them, is at most three points",
            "within 1.5 points of accuracy, h = 64, sets of the source", 100 * spread, spread <= 0.03, scale=scale, unit="points",
            source="arXiv:2502.17391, figures", key="experts-alike",
        ),
        Claim(
            "no mixture with masks is ahead of the plain one by more than two standard errors",
            "no conclusive evidence", f"{beyond} of {len(masks)} are", not beyond, scale=scale, note=note,
            source="arXiv:2502.17391", key="experts-masks",
        ),
        Claim(
            "plain experts: the Gumbel gate is at least as good as the standard one, for every K",
            "almost everywhere", shown, all(d >= 0 for d, _ in gumbel.values()), scale=scale,
            note=f"{clear} of {len(gumbel)} beyond two standard errors", source="arXiv:2502.17391, figures", key="experts-gumbel",
        ),
    ]  # fmt: skip
