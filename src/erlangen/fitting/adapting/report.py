"""The report of a fine-tuning: scores with standard errors, curves, and what it did to the matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from erlangen.data import Texts
from erlangen.fitting.adapting.baselines import Baseline
from erlangen.fitting.adapting.config import AdaptConfig
from erlangen.fitting.adapting.goal import Goal, mean_with_error
from erlangen.fitting.adapting.tune import Method, Workshop
from erlangen.parameters.adapters import AdaptationReport
from erlangen.reporting import Figure, KeyNumber, Line, Outcome, PlusMinus, Section, Table, lines_with_band, scatter

ERRORS = "± one standard error over the test texts, each text's result averaged over seeds."


def right_of(method: Method | Baseline, goal: Goal, test: Texts) -> Tensor:
    """What counts as the score of each test text, for each seed ``[seeds, N]``."""
    outputs = [run.outputs for run in method.runs] if isinstance(method, Method) else [method.outputs]
    return torch.stack([goal.right(o, test.target) for o in outputs])


def difference(one: Method | Baseline, other: Method | Baseline, goal: Goal, test: Texts) -> PlusMinus:
    """The score of one method minus that of another, with the standard error of the paired difference over test texts."""
    a, b = (right_of(m, goal, test).mean(0, keepdim=True) for m in (one, other))
    return PlusMinus(*mean_with_error(a - b))


def score_table(shop: Workshop, methods: Sequence[Method], beside: Sequence[Baseline]) -> Table:
    """Scores on test and validation data, numbers trained, final loss and the rate that was chosen."""
    test, goal = shop.texts[2], shop.goal
    rows: list[list[Any]] = []
    for b in beside:
        rows.append(
            [b.name, PlusMinus(*mean_with_error(right_of(b, goal, test))), b.score, None, None, f"penalty 1/{b.strength:g}", None]
        )
    for m in methods:
        found = PlusMinus(*mean_with_error(right_of(m, goal, test)))
        best = max(m.tried, key=lambda rate: m.tried[rate])
        held = sum(run.score for run in m.runs) / len(m.runs)
        seconds = sum(run.history.seconds for run in m.runs) / len(m.runs)
        rows.append([m.label, found, held, m.trained, final_loss(m), f"rate {best:g}", seconds])
    columns = ["method", f"test {goal.score_name}", "on validation texts", "numbers trained", "final loss", "chosen", "seconds"]
    caption = (
        f"{ERRORS} Final loss: mean over the last tenth of the steps and over seeds. Seconds: of one training, the head's parameters "
        "come on top of the numbers trained."
    )
    return Table("What each method reaches", columns, rows, caption)


def final_loss(method: Method) -> float:
    """The mean over seeds of the final training loss."""
    return sum(run.final_loss for run in method.runs) / len(method.runs)


def curves(methods: Sequence[Method], what: str) -> Figure:
    """Training losses of the first seed, means over every twentieth of a training."""
    lines = {}
    for m in methods:
        losses = m.runs[0].history.losses
        size = max(1, len(losses) // 20)
        at = list(range(size, len(losses) + 1, size))
        lines[m.label] = Line(at, [sum(losses[i - size : i]) / size for i in at])
    return lines_with_band(
        lines, title=f"Training loss, {what}", x_label="step", y_label="loss", caption="First seed, the chosen learning rates."
    )


def changes_figure(name: str, changes: AdaptationReport) -> Figure:
    """How far rows and columns were stretched and turned, one point for each matrix and seed."""
    points = {
        side: ([c.direction for c in each], [c.magnitude for c in each])
        for side, each in (("rows (outputs)", changes.rows), ("columns (inputs)", changes.columns))
    }
    told = [f"{v:.2f}" if math.isfinite(v) else "undefined" for v in (changes.row_correlation, changes.column_correlation)]
    return scatter(
        points,
        title=f"{name}: change of length against change of direction",
        x_label="mean of 1 - cos",
        y_label="mean change of length",
        caption=f"One point for each adapted matrix and seed. Pearson's correlation: rows {told[0]}, columns {told[1]}.",
    )


def changes_numbers(changes: AdaptationReport) -> dict[str, Any]:
    """The changes of every matrix, ready for JSON."""
    return {
        "row_correlation": changes.row_correlation,
        "column_correlation": changes.column_correlation,
        "asymmetry": changes.asymmetry,
        "matrices": [
            {"name": n, "row": r._asdict(), "column": c._asdict()} for n, r, c in zip(changes.names, changes.rows, changes.columns)
        ],
    }


def method_numbers(method: Method, goal: Goal, test: Texts) -> dict[str, Any]:
    """Everything that was measured of a method, ready for JSON."""
    mean, error = mean_with_error(right_of(method, goal, test))
    return {
        "score": mean,
        "standard_error": error,
        "scores": method.scores(goal, test),
        "trained": method.trained,
        "final_loss": final_loss(method),
        "rates": {f"{rate:g}": score for rate, score in method.tried.items()},
        "runs": [{"rate": r.rate, "seed": r.seed, "validation": r.score, **r.history.as_dict()} for r in method.runs],
        "changes": None if method.changes is None else changes_numbers(method.changes),
    }


def adapted_outcome(
    shop: Workshop, config: AdaptConfig, method: Method, head: Method, beside: list[Baseline], seconds: float
) -> Outcome:
    """The report of one fine-tuning."""
    goal, test = shop.goal, shop.texts[2]
    mine = PlusMinus(*mean_with_error(right_of(method, goal, test)))
    others: list[Method | Baseline] = [head, *beside]
    best = max(others, key=lambda b: mean_with_error(right_of(b, goal, test))[0])
    name = best.label if isinstance(best, Method) else best.name
    gain = difference(method, best, goal, test)
    if abs(gain.value) <= 2 * gain.spread:
        verdict = f"no more than chance beside {name}"
    else:
        verdict = f"{'better' if gain.value > 0 else 'worse'} than {name}"
    answer = f"{method.label}: test {goal.score_name} {mine}, {verdict} (difference {gain})."
    figures = [curves([method], test.name)]
    if method.changes is not None and len(method.changes.names) > 1:
        figures.append(changes_figure(method.label, method.changes))
    tried = Table(
        "Learning rates",
        ["rate", f"{goal.score_name} on validation texts"],
        [[f"{rate:g}", score] for rate, score in method.tried.items()],
        "Of the first seed; the best one is taken.",
    )
    sizes = ", ".join(f"{len(part)} {what}" for part, what in zip(shop.texts, ("to train", "to choose by", "to test")))
    text = f"{type(shop.loaded.encoder).__name__} in {shop.loaded.folder.name}; texts: {sizes}, at most {config.max_tokens} tokens each."
    return Outcome(
        name=f"{test.name}-{method.name}",
        title=f"{method.label} on {test.name}",
        config=config,
        metrics={
            method.name: method_numbers(method, goal, test),
            "head": method_numbers(head, goal, test),
            **{b.name: {"score": mean_with_error(right_of(b, goal, test))[0], "validation": b.score} for b in beside},
            "difference to the best without fine-tuning": {"to": name, "value": gain.value, "standard_error": gain.spread},
        },
        sections=[
            Section("Scores", [text], [score_table(shop, [head, method], beside), tried]),
            Section("Training, and what it did to the matrices", figures=figures),
        ],
        seconds=seconds,
        answer=answer,
        key_numbers=[
            KeyNumber(f"test {goal.score_name}", mine, note=ERRORS),
            KeyNumber(f"gain over {name}", gain, note="paired, the same test texts"),
            KeyNumber("numbers trained", method.trained, note=f"of {sum(p.numel() for p in shop.loaded.encoder.parameters()):,}"),
        ],
    )
