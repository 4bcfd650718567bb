"""Methods on one data set, and what of the claims holds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from erlangen.data import Texts
from erlangen.fitting.adapting.baselines import Baseline, baselines
from erlangen.fitting.adapting.config import AdaptConfig, Tuning
from erlangen.fitting.adapting.goal import mean_with_error
from erlangen.fitting.adapting.report import (
    changes_figure,
    curves,
    difference,
    method_numbers,
    right_of,
    score_table,
)
from erlangen.fitting.adapting.run import parts_of
from erlangen.fitting.adapting.text_model import Loaded
from erlangen.fitting.adapting.tune import Method, Workshop, tune, tune_head
from erlangen.reporting import Claim, PlusMinus, Rival, Section, Table, bars_with_error, seeds_said

#: How much a final loss may be above the next method's.
SLACK = 0.003


@dataclass(frozen=True)
class Compared:
    """What was found on one data set.

    Attributes:
        what: the data.
        shop: model and texts.
        methods: by name, ``"head"`` among them.
        beside: linear models.
        scale: how much was tried.
        machine, machine_seconds: a linear machine on words, letters and frozen vectors, and its CPU seconds.
    """

    what: str
    shop: Workshop
    methods: dict[str, Method]
    beside: list[Baseline]
    scale: str
    machine: Baseline
    machine_seconds: float

    @property
    def adapters(self) -> list[Method]:
        """All but the head and the training of all weights."""
        return [m for name, m in self.methods.items() if name not in ("head", "full")]

    def gap(self, one: Method | Baseline, other: Method | Baseline) -> PlusMinus:
        """The difference of two accuracies in points, with its standard error over test texts."""
        found = difference(one, other, self.shop.goal, self.shop.texts[2])
        return PlusMinus(100 * found.value, 100 * found.spread)

    @property
    def numbers(self) -> dict[str, Any]:
        """Every number."""
        goal, test = self.shop.goal, self.shop.texts[2]
        found: dict[str, Any] = {name: method_numbers(m, goal, test) for name, m in self.methods.items()}
        return found | {b.name: {"score": mean_with_error(right_of(b, goal, test))[0], "validation": b.score} for b in self.beside}

    @property
    def answer(self) -> str:
        """One sentence."""
        gain = self.gap(self.methods["bora"], self.methods["lora"])
        return f"{self.what}: BoRA minus LoRA {gain} points, {noise(gain)}."

    @property
    def section(self) -> Section:
        """Of the report."""
        goal, test = self.shop.goal, self.shop.texts[2]
        methods, names = list(self.methods.values()), [*(b.name for b in self.beside), *(m.label for m in self.methods.values())]
        every: list[Method | Baseline] = [*self.beside, *methods]
        found = [mean_with_error(right_of(m, goal, test)) for m in every]
        scores = score_table(self.shop, methods, self.beside)
        pairs = [("bora", "lora"), ("bora", "dora"), ("dora", "lora"), ("bora", "head")]
        rows = [
            [f"{self.methods[a].label} minus {self.methods[b].label}", self.gap(self.methods[a], self.methods[b])] for a, b in pairs
        ]
        paired = Table(
            "Differences in points",
            ["pair", "test accuracy"],
            rows,
            "± one standard error of the paired difference over test texts.",
        )
        bars = bars_with_error(
            names,
            {"test accuracy": [mean for mean, _ in found]},
            {"test accuracy": [error for _, error in found]},
            title=f"Test accuracy, {self.what}",
            y_label="accuracy",
            caption="Bars of error: one standard error over test texts.",
        )
        figures = [bars, curves([m for m in methods if m.name != "head"], self.what)]
        figures += [changes_figure(m.label, m.changes) for m in methods if m.changes is not None]
        symmetry = Table(
            "Changes of length against changes of direction",
            ["method", "correlation of rows", "of columns", "difference"],
            [[m.label, m.changes.row_correlation, m.changes.column_correlation, m.changes.asymmetry] for m in methods if m.changes],
            "Pearson's correlation over adapted matrices and seeds.",
        )
        return Section(self.what, [self.scale], [scores, paired, symmetry], figures)


def compare(
    what: str,
    loaded: Loaded,
    train: Texts,
    test: Texts,
    config: AdaptConfig,
    methods: tuple[Tuning, ...],
    scratch: Path,
    quiet: bool,
) -> Compared:
    """Every method on the same texts and steps, the learning rate of each chosen on the same validation texts."""
    mine, held, given = parts_of(train, test, config)
    shop = Workshop.of(loaded, mine, held, given, config, scratch, quiet)
    head = tune_head(shop, config)
    found = {"head": head}
    found |= {str(name): tune(shop, name, config, head.model.head) for name in methods}
    seeds = seeds_said(config.seeds)
    scale = (
        f"{len(mine)} training texts of at most {config.max_tokens} tokens, {len(held)} to choose by, {len(given)} to test, "
        f"{seeds}, {config.epochs} epochs, rank {config.r} in {len(config.layers)} blocks"
    )
    beside = baselines(shop)
    machine, seconds = linear_machine(shop)
    return Compared(what, shop, found, [*beside, machine], scale, machine, seconds)


def linear_machine(shop: Workshop) -> tuple[Baseline, float]:
    """A linear support vector machine on TF-IDF of words and letters, with the frozen model's vectors beside them or without.

    Which, and the penalty, are chosen on the validation texts.
    """
    import numpy as np
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union
    from sklearn.preprocessing import normalize
    from sklearn.svm import LinearSVC

    clock = time.process_time()
    counts = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    parts = [counts.fit_transform(shop.texts[0].texts), *(counts.transform(part.texts) for part in shop.texts[1:])]
    vectors = [csr_matrix(normalize(e.double().numpy())) for e in shop.embeddings()]
    tried = []
    for name, columns in (
        ("words and letters", parts),
        ("words, letters and frozen vectors", [hstack([a, 2 * b]).tocsr() for a, b in zip(parts, vectors)]),
    ):
        for strength in (0.1, 0.3, 1.0, 3.0):
            model = LinearSVC(C=strength).fit(columns[0], shop.texts[0].target.numpy())
            told = [np.asarray(model.decision_function(x)) for x in columns[1:]]
            made = []
            for scores in told:
                scores = np.stack([-scores, scores], 1) if scores.ndim == 1 else scores
                full = np.full((len(scores), shop.goal.outputs), -np.inf)
                full[:, model.classes_] = scores
                made.append(torch.from_numpy(full))
            tried.append(Baseline(f"linear SVM on {name}", strength, shop.goal.score(made[0], shop.texts[1].target), made[1]))
    return max(tried, key=lambda one: one.score), time.process_time() - clock


def chosen_of(result: Compared) -> Method:
    """The adapter that validation texts choose."""
    return max(result.adapters, key=lambda m: sum(run.score for run in m.runs) / len(m.runs))


def rival_of(result: Compared) -> Rival:
    """The adapter that validation texts would choose beside the linear machine, on the same texts."""
    goal, test = result.shop.goal, result.shop.texts[2]
    chosen = chosen_of(result)
    values = [mean_with_error(right_of(m, goal, test)) for m in (chosen, result.machine)]
    return Rival(
        f"a {result.machine.name}",
        f"the adapter that validation texts choose ({chosen.label}) on {result.what}",
        "test accuracy",
        values[0][0],
        values[1][0],
        "higher",
        seconds=sum(run.history.seconds for run in chosen.runs) / len(chosen.runs),
        rival_seconds=result.machine_seconds,
        settings=f"C {result.machine.strength:g}, chosen on the validation texts",
        scale=result.scale,
        note="level within a standard error of the paired difference over test texts; ours: seconds by the wall clock of one training, "
        "without the choice of its rate",
        level=result.gap(chosen, result.machine).spread / 100,  # a gap is in points
    )


def noise(gap: PlusMinus) -> str:
    """Whether a difference is more than two standard errors."""
    return f"{'inside' if abs(gap.value) <= 2 * gap.spread else 'outside'} the noise (two standard errors)"


def found_on(result: Compared) -> list[Claim]:
    """What of the claims holds on one data set."""
    head, bora, lora, dora = (result.methods[name] for name in ("head", "bora", "lora", "dora"))
    over = [result.gap(m, head) for m in result.adapters]
    least = min(over, key=lambda gap: gap.value)
    linear = max(result.beside, key=lambda b: result.gap(b, head).value)
    beyond = min((result.gap(m, linear) for m in result.adapters), key=lambda gap: gap.value)
    gain = result.gap(bora, lora)
    claims = [
        Claim(
            f"{result.what}: every adapter is at least 3 points better than a head on the frozen model",
            None, least, least.value >= 3, None, result.scale, "points", f"the least of the three gains, {noise(least)}",
            key="fine-tuning-pays",
        ),
        Claim(
            f"{result.what}: every adapter is better than linear models on TF-IDF and on frozen vectors",
            None, beyond, beyond.value > 0, None, result.scale, "points", f"the least gain over {linear.name}, {noise(beyond)}",
            key="better-than-linear",
        ),
        Claim(
            f"{result.what}: BoRA and LoRA differ by at most one point",
            None, gain, abs(gain.value) <= 1, None, result.scale, "points", f"BoRA minus LoRA, {noise(gain)}", SOURCE_NOTE,
            key="gain-in-the-noise",
        ),
        loss_claim(result, (lora, dora, bora)),
    ]  # fmt: skip
    if "full" in result.methods:
        apart = max((result.gap(result.methods["full"], m) for m in result.adapters), key=lambda gap: gap.value)
        claims.append(
            Claim(
                f"{result.what}: the adapters reach the accuracy of training all weights, up to one point",
                None, apart, apart.value <= 1, None, result.scale, "points", "all weights minus the worst adapter", key="all-weights",
            )
        )  # fmt: skip
    return claims


SOURCE_NOTE = "the source reports a gain on larger models; its figures could not be obtained"


def loss_claim(result: Compared, methods: tuple[Method, Method, Method]) -> Claim:
    """Whether final losses are ordered, at the learning rate that all three have tried and most have chosen."""
    rates = [m.runs[0].rate for m in methods]
    common = max(set(rates), key=rates.count)
    lora, dora, bora = (m.losses_at(common) for m in methods)
    holds = all(a >= b - SLACK and b >= c - SLACK for a, b, c in zip(lora, dora, bora))
    told = "; ".join(", ".join(f"{v:.4f}" for v in trio) for trio in zip(lora, dora, bora))
    return Claim(
        f"{result.what}: at one learning rate final training losses are ordered LoRA, DoRA, BoRA, up to {SLACK}",
        None, told, holds, None, result.scale, "", f"rate {common:g}, the seeds that all three have run with it", key="loss-order",
    )  # fmt: skip


def joint_claims(results: list[Compared]) -> list[Claim]:
    """What is said of all data sets together."""
    told, better = [], []
    for result in results:
        bora, dora = (result.methods[name].changes for name in ("bora", "dora"))
        if bora is not None and dora is not None and math.isfinite(bora.asymmetry) and math.isfinite(dora.asymmetry):
            told.append(f"{result.what}: {bora.asymmetry:.2f} against {dora.asymmetry:.2f}")
            better.append(bora.asymmetry < dora.asymmetry)
    return [
        Claim(
            "the correlations of changes of length and of direction of rows and of columns differ less for BoRA than for DoRA",
            None, "; ".join(told) or "undefined", bool(better) and all(better), note="Pearson's correlations over matrices and seeds",
            scale=results[0].scale, key="symmetry",
        )
    ]  # fmt: skip
