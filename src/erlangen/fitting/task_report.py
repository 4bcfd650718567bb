"""What a report shows of a task's symmetries: the spectrum with its gap, the generators, the form that they keep."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.discover.task import TaskSymmetries
from erlangen.reporting import Claim, Figure, Matrix, Section, bars_with_error, heatmap

#: Directions and generators that are shown at most.
MOST_BARS, MOST_MATRICES = 24, 12


def task_claim(task: TaskSymmetries) -> Claim:
    """The claim that imposing what was found costs nothing, beside unrelated moves."""
    assert task.algebra is not None
    assert task.imposed is not None
    return Claim(
        f"imposing {task.algebra.name} costs the predictor next to nothing on held-out data",
        None,
        task.imposed.error,
        bool(task.imposed),
        baseline=task.imposed.unrelated,
        note=f"squared error as a part of the target's variance; free {task.imposed.free:.2g}; beside it: unrelated moves imposed",
    )


def task_section(task: TaskSymmetries, names: Sequence[str]) -> Section:
    """The task's symmetries by derivatives: found or not, and how clearly."""
    text = [
        str(task),
        f"Predictor: {task.predictor or 'none'}, held-out R² {1 - task.error:.3f}.",
        "A violation is how much a direction of moves changes the prediction, as a part of what an unrelated move changes it: "
        "symmetries are small and set apart from the rest by a gap.",
    ]
    if task.bounds is not None:
        text.append(f"The gap: {task.gap_words}. In brackets: where each side lies in nine of ten draws of samples and predictors.")
    figures: list[Figure] = []
    shown = task.violations[:MOST_BARS].tolist()
    if shown:
        inside = 0 if task.algebra is None else task.algebra.dim
        name = "found" if task.exact else "approximate"
        series = {name: [v if i < inside else 0.0 for i, v in enumerate(shown)]} if inside else {}
        if inside < len(shown):
            series["others"] = [v if i >= inside else 0.0 for i, v in enumerate(shown)]
        figures.append(
            bars_with_error(
                [str(i + 1) for i in range(len(shown))],
                series,
                title="Violations of all directions, in order",
                x_label="direction",
                y_label="violation",
                caption=f"The smallest ones; {name} are those before the gap.",
            )
        )
    matrices = []
    if task.algebra is not None:
        columns = [*names, "shift"] if names else []
        matrices = [
            Matrix(f"x' = A x + b, {i + 1}", rows, row_labels=names, column_labels=columns, decimals=2)
            for i, rows in enumerate(task.algebra.generators[:MOST_MATRICES])
        ]
        form = task.algebra.form
        if form is not None:
            figures.append(
                heatmap(
                    form / form.abs().max(),
                    title="The form that the task keeps",
                    row_labels=names,
                    column_labels=names,
                    caption="Scaled to a largest entry of one"
                    + ("." if task.algebra.signature is None else f"; signature {task.algebra.signature}."),
                )
            )
    return Section("The task, by derivatives", text, figures=figures, matrices=matrices)
