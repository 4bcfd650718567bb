"""What a fit has to say: claims, figures and text, from its measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from erlangen.data import Collection, DataSet
from erlangen.discover import Discovered
from erlangen.discover.finding import FINDING_COLUMNS
from erlangen.discover.found import COLUMNS, SAME
from erlangen.fitting.assess import Assessment
from erlangen.fitting.belief_report import NEAR, belief_numbers, belief_section, closed_form_answer, soft_answer, soft_claims
from erlangen.fitting.candidates import tried_section
from erlangen.fitting.choice import Symmetry
from erlangen.fitting.companion_report import LEARNED, companion_answer, companion_claims, companion_sections, compared
from erlangen.fitting.companions import Companion
from erlangen.fitting.config import FitConfig
from erlangen.fitting.glossary import WORDS
from erlangen.fitting.members import Members
from erlangen.fitting.problem import Problem
from erlangen.fitting.task import Task
from erlangen.fitting.task_report import task_claim, task_section
from erlangen.fitting.ways import Attempt
from erlangen.groups.base import Group
from erlangen.reporting import (
    Claim,
    Claims,
    Figure,
    KeyNumber,
    Line,
    Matrix,
    Outcome,
    Section,
    Table,
    bars_with_error,
    heatmap,
    lines_with_band,
    repeated,
)

#: How much of its score a symmetrized model may lose when the test data are moved.
KEPT = 1e-3


def build_outcome(
    problem: Problem,
    config: FitConfig,
    symmetry: Symmetry,
    members: list[Members],
    attempts: list[Attempt],
    beside: list[Companion],
    assessments: dict[str, Assessment],
    learned_from: str,
    seconds: float,
) -> Outcome:
    """The report's content; ``attempts`` are the ways to a symmetric network, ``beside`` is what stands beside all networks, and
    ``learned_from`` says how many samples were enough, where not all were needed."""
    data, test, task = problem.data, problem.test, problem.task
    comparison = compared(problem, members, beside, assessments)
    group, found = symmetry.group, symmetry.found
    plain, sym = assessments["plain"], assessments.get("symmetrized")
    sections = [_data_section(data, test)]
    if found is not None:
        assert isinstance(data, DataSet)
        sections.append(_found_section(found, data))
        if found.task is not None:
            sections.append(task_section(found.task, data.names))
    if symmetry.tried is not None:
        sections.append(tried_section(symmetry.tried))
    if symmetry.belief is not None:
        sections.append(belief_section(symmetry.belief, symmetry.choice))
    sections += [
        _training_section(members, attempts, task),
        *companion_sections(beside, assessments),
        _audit_section(assessments, group, task, config),
    ]
    return Outcome(
        name=f"fit-{data.name}",
        title=f"Fit of {data.name}: {_not_imposed(symmetry) if sym is None else group}",
        config={"data": data.name, **vars(config)},
        claims=Claims(
            [
                *_claims(plain, sym, found, group, task, config, len(test)),
                *soft_claims(assessments, task, len(test)),
                *companion_claims(problem, comparison),
            ]
        ),
        metrics={
            "found": None if found is None else found.as_dict(),
            "tried": None if symmetry.tried is None else symmetry.tried.as_dict(),
            "belief": None if symmetry.belief is None else belief_numbers(symmetry.belief),
            "choice": symmetry.choice.reason,
            "assessments": {name: a.as_dict() for name, a in assessments.items()},
            "ways": [vars(way).copy() for way in attempts],
            "histories": {m.kind.name: [h.as_dict() for h in m.histories] for m in members},
        },
        sections=sections,
        seconds=seconds,
        glossary=WORDS,
        answer=" ".join(
            filter(
                None,
                [
                    _answer(plain, sym, symmetry, task),
                    companion_answer(problem, assessments, comparison),
                    soft_answer(assessments, symmetry.choice, task),
                    closed_form_answer(assessments, symmetry.belief, task),
                    learned_from,
                ],
            )
        ),
        key_numbers=_key_numbers(plain, sym, found, group, task),
    )


def _not_imposed(symmetry: Symmetry) -> str:
    """Why there is no network with the symmetry, in a few words."""
    group = symmetry.found.group if symmetry.group is None and symmetry.found else symmetry.group
    if group is not None:
        return f"{group} {symmetry.how}, and not imposed"
    if symmetry.tried is not None and not symmetry.tried.trials:
        return "No group tried, for none is usual for such data"
    return "No symmetry found"


def _answer(plain: Assessment, sym: Assessment | None, symmetry: Symmetry, task: Task) -> str:
    score = statistics.mean(plain.scores)
    if sym is None:
        return f"{_not_imposed(symmetry)}; the plain network reaches {task.score_name} {score:.4f} on the test data."
    symmetric = statistics.mean(sym.scores)
    unlearned = symmetry.tried is not None and max(score, symmetric) < task.chance + LEARNED
    doubt = f" Neither has learned the target, so that nothing is known of {symmetry.group}." if unlearned else ""
    return (
        f"{symmetry.group} {symmetry.how}. On the test data the symmetrized network reaches {task.score_name} {symmetric:.4f}, "
        f"the plain one "
        f"{score:.4f}; on the same data moved by random elements of the group {statistics.mean(sym.moved):.4f} and "
        f"{statistics.mean(plain.moved):.4f}.{doubt}"
    )


def _key_numbers(
    plain: Assessment, sym: Assessment | None, found: Discovered | None, group: Group | None, task: Task
) -> list[KeyNumber]:
    name = task.score_name
    if sym is None:
        return [KeyNumber(f"{name}, plain", repeated(plain.scores))]
    numbers = [KeyNumber("group", str(group), note="" if found is None else found.summary)]
    numbers += [
        KeyNumber(f"{name}, symmetrized", repeated(sym.scores), note=f"plain: {statistics.mean(plain.scores):.4f}"),
        KeyNumber(f"{name}, moved data", repeated(sym.moved), note=f"plain: {statistics.mean(plain.moved):.4f}"),
        KeyNumber(
            "equivariance error", sym.equivariance["float64"]["mean"], note=f"plain: {plain.equivariance['float64']['mean']:.2g}"
        ),
    ]
    return numbers


def _claims(
    plain: Assessment,
    sym: Assessment | None,
    found: Discovered | None,
    group: Group | None,
    task: Task,
    config: FitConfig,
    size: int,
) -> list[Claim]:
    name, scale = task.score_name, f"{size} test samples, {config.seeds} seeds"
    claims = []
    if found is not None:
        claims += _found_claims(found)
    if sym is None:
        return claims
    loss = statistics.mean(a - b for a, b in zip(sym.scores, sym.moved))
    plain_lost = [a - b for a, b in zip(plain.scores, plain.moved)]
    plain_loss = statistics.mean(plain_lost)
    spread = statistics.stdev(plain_lost) / math.sqrt(len(plain_lost)) if len(plain_lost) > 1 else 0.0
    falls = plain_loss > max(KEPT, spread)
    ahead = statistics.mean(sym.scores) - statistics.mean(plain.scores)
    exact = sym.equivariance
    return [
        *claims,
        Claim(
            f"the symmetrized model keeps its {name} on randomly moved data, to {KEPT:g}",
            None,
            loss,
            abs(loss) <= KEPT,
            baseline=plain_loss,
            scale=scale,
            note=f"{name} lost; elements of {group}",
        ),
        Claim("the plain model falls on moved data", None, repeated(plain_lost), falls, scale=scale, note=f"{name} lost"),
        Claim(
            f"in distribution the symmetrized model is within {NEAR} of the plain one or better",
            None,
            repeated(sym.scores),
            ahead >= -NEAR,
            baseline=repeated(plain.scores),
            scale=scale,
            note=f"{name}, mean over seeds",
        ),
        Claim(
            "in float64 the relative equivariance error is at most 1e-10, on average",
            None,
            exact["float64"]["mean"],
            exact["float64"]["mean"] <= 1e-10,
            baseline=plain.equivariance["float64"]["mean"],
            scale=f"{exact['float64'].tried} elements",
            note=f"worst {exact['float64']['worst']:.2g}",
        ),
        Claim(
            "with a float32 network on float64 data it is at most 1e-4, at worst",
            None,
            exact["mixed"]["worst"],
            exact["mixed"]["worst"] <= 1e-4,
            baseline=plain.equivariance["mixed"]["worst"],
            scale=f"{exact['mixed'].tried} elements",
            note="as trained and saved",
        ),
        Claim(
            "with data rounded to float32, too, it is at most 1e-4, on average",
            None,
            exact["float32"]["mean"],
            exact["float32"]["mean"] <= 1e-4,
            baseline=plain.equivariance["float32"]["mean"],
            scale=f"{exact['float32'].tried} elements",
            note=f"median {exact['float32']['median']:.2g}; rounding moved data changes what is invariant in them",
        ),
    ]


def _found_claims(found: Discovered) -> list[Claim]:
    if found.source == "task" and found.task is not None:
        return [task_claim(found.task)]
    verdict = found.verdict
    scale = f"{verdict.tried // 2} held-out samples" if verdict.tried else ""
    measured = verdict.numbers.get("auc")
    text = (
        "data moved by the algebra found are told apart much less well than randomly moved ones"
        if found
        else "a symmetry was found"
    )
    baseline = verdict.numbers.get("auc_random")
    note = f"AUC of a judge; {verdict.reason}"
    claims = [
        Claim(text, None, measured if measured is not None else "none", bool(found), baseline=baseline, scale=scale, note=note)
    ]
    if found and found.metric is not None and found.cosine:
        p, q = found.metric.signature
        kind = "Euclidean" if not q else "Minkowski" if 1 in (p, q) else "standard"
        claims.append(
            Claim(
                f"the metric is the {kind} one of signature ({p},{q})",
                None,
                found.cosine,
                found.cosine >= SAME,
                note="|cos| of the two forms",
            )
        )
    return claims


def _error(a: Assessment, precision: str, number: str) -> float | None:
    return a.equivariance[precision][number] if a.equivariance else None


def _data_section(data: DataSet | Collection, test: DataSet | Collection) -> Section:
    lines = [str(data), f"Test: {test}"]
    lines += [data.about] if data.about else []
    lines += [f"Source: {data.source}"] if data.source else []
    return Section("The data", lines)


def _found_section(found: Discovered, data: DataSet) -> Section:
    labels = data.names
    matrices, figures = [], []
    if found.algebra is not None and found.source != "task":
        matrices = [
            Matrix(f"L{i + 1}", L, row_labels=labels, column_labels=labels, decimals=2)
            for i, L in enumerate(found.algebra.basis[:12])
        ]
    if found.metric is not None and found.metric.found:
        form = found.metric.form
        figures.append(
            heatmap(
                form / form.abs().max(),
                title="The metric that the algebra preserves",
                row_labels=labels,
                column_labels=labels,
                caption=f"Scaled to a largest entry of one; signature {found.metric.signature}.",
            )
        )
    rows = [c.row() for c in found.candidates]
    table = Table(
        "What each discoverer of algebras found",
        COLUMNS,
        rows,
        caption="AUC of a held-out discriminator: 0.5 cannot be told apart",
    )
    everything = Table(
        "All discoverers, in common terms",
        FINDING_COLUMNS,
        [f.row() for f in found.findings],
        caption="Confidence: one minus how much held-out data contradict the finding, as a part of how much they contradict chance.",
    )
    return Section("The symmetry", str(found).splitlines(), tables=[everything, table], figures=figures, matrices=matrices)


def _training_section(members: list[Members], attempts: list[Attempt], task: Task) -> Section:
    lines = {}
    for m in members:
        shortest = min(len(h.evaluations) for h in m.histories)
        steps = [step for step, _ in m.histories[0].evaluations[:shortest]]
        runs = [[value for _, value in h.evaluations[:shortest]] for h in m.histories]
        lines[m.kind.name] = Line.of_runs(steps, runs) if len(runs) > 1 else Line(steps, runs[0])
    figure = lines_with_band(
        lines,
        title="Validation score while training",
        x_label="step",
        y_label=f"{task.score_name} on held-out training data",
        caption="Mean over seeds and one standard deviation, as far as all seeds went; each model keeps its best weights.",
    )
    rows = [
        [
            m.kind.name,
            m.kind.about,
            len(m.models),
            round(statistics.mean(len(h.losses) for h in m.histories)),
            round(statistics.mean(h.best_step for h in m.histories)),
        ]
        for m in members
    ]
    table = Table(
        "Training",
        ["model", "what it is", "seeds", "steps", "best at step"],
        rows,
        caption="The same budget; stopped early on the same held-out data.",
    )
    tables = [table]
    if attempts:
        caption = "The first network of each; the best way is the symmetrized one, and gets all seeds."
        rows = [[way.name, way.about, way.held, "yes" if way.chosen else "no"] for way in attempts]
        columns = ["way", "what it is", f"{task.score_name} on held-out training data", "chosen"]
        tables.append(Table("Ways to be symmetric", columns, rows, caption=caption))
    return Section("Training", figures=[figure], tables=tables)


def _audit_section(assessments: dict[str, Assessment], group: Group | None, task: Task, config: FitConfig) -> Section:
    name = task.score_name
    values, errors = {}, {}
    for a in assessments.values():
        both = [a.scores, a.moved] if a.moved else [a.scores]
        values[a.name] = [statistics.mean(v) for v in both]
        errors[a.name] = [statistics.stdev(v) if len(v) > 1 else 0.0 for v in both]
    measures: list[tuple[str, Callable[[Assessment], Any]]] = [
        (f"{name} on test data", lambda a: repeated(a.scores)),
        (f"{name} on test data, mean of the seeds' predictions", lambda a: a.ensemble),
        (f"{name} on moved test data", lambda a: repeated(a.moved) if a.moved else None),
        *(
            [
                ("mean square error on test data", lambda a: repeated(a.errors)),
                ("mean square error on moved test data", lambda a: repeated(a.moved_errors) if a.moved_errors else None),
            ]
            if task.error is not None
            else []
        ),
        ("equivariance error in float64, mean", lambda a: _error(a, "float64", "mean")),
        ("equivariance error in float64, worst", lambda a: _error(a, "float64", "worst")),
        ("... float32 network, float64 data, worst", lambda a: _error(a, "mixed", "worst")),
        ("... all in float32, median", lambda a: _error(a, "float32", "median")),
        ("... all in float32, mean", lambda a: _error(a, "float32", "mean")),
        ("cosine of explanations, mean", lambda a: a.explanations["mean_cosine"] if a.explanations is not None else None),
        ("training, ms per step", lambda a: 1e3 * a.seconds_per_step or None),
        ("evaluation, microseconds per sample", lambda a: 1e6 / a.cost.samples_per_second if a.cost else None),
        ("parameters", lambda a: a.cost.parameters if a.cost else None),
    ]
    rows = [[label, *(read(a) for a in assessments.values())] for label, read in measures]
    rows = [row for row in rows if any(cell is not None for cell in row[1:])]  # without a group nothing is moved
    columns = ["measure", *assessments]
    table = Table("The models side by side", columns, rows)
    if group is None:
        return Section("The audit", ["Without a group nothing is moved: these are scores and costs."], tables=[table])
    figure: Figure = bars_with_error(
        ["test data", f"moved by {group}"],
        values,
        errors,
        title=f"{name} in and out of distribution",
        y_label=name,
        floor=task.chance,
        caption="Mean over seeds; bars of one standard deviation. Each test sample is moved by its own random element.",
    )
    text = [
        "Errors are relative equivariance errors; explanations: the mean cosine of gradients at a datum and its moved copy, 1 is perfect.",
        "Gradients of a symmetrized model hold the frame's elements fixed where these depend on the data, as in training.",
    ]
    scale = "" if group.is_compact else f" (scale {config.spread:.3g})"
    text.append(f"Elements of {group} are drawn from: {group.measure}{scale}.")
    return Section("The audit", text, tables=[table], figures=[figure])
